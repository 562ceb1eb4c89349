//! Where the result of an edit goes: over the file, to another, or into a device.

use crate::engine::repair::rewrite::{Way, Written, write_plan, write_to};
use crate::engine::repair::{Builtin, EditPlan};
use crate::engine::report::elf::ElfWritten;
use crate::engine::{Context, Error, Result};
use std::fs::File;
use std::io::{self, Write};
use std::path::Path;

/// Writes what `plan` makes of the file `path` over it in the way `way`, or to `output`; `None` when there was nothing to
/// write. Before an edit in place begins, standard error is told what that means for others.
///
/// # Errors
/// When the system refuses, or the result is not what the plan says; the file is then what it was.
pub fn write(
    editor: &Builtin,
    path: &Path,
    output: Option<&Path>,
    plan: &EditPlan,
    way: Way,
    context: &Context,
) -> Result<Option<ElfWritten>> {
    let Some(output) = output else {
        // There is nobody left to tell when standard error is gone.
        let say = |text: &str| drop(writeln!(io::stderr().lock(), "note: {}: {text}", path.display()));
        let written = write_plan(path, editor, plan, way, &say, context)?;
        let to = std::fs::canonicalize(path).map_err(Error::io("open", path))?;
        return Ok(ElfWritten::of(&written, to, false));
    };
    // The name of a symbolic link stays one: what it leads to is replaced.
    let to = std::fs::canonicalize(output).unwrap_or_else(|_| output.to_path_buf());
    let takes_bytes = std::fs::metadata(&to).is_ok_and(|metadata| !metadata.is_file() && !metadata.is_dir());
    let written = if takes_bytes {
        poured(editor, path, &to, plan, context)?
    } else {
        write_to(path, &to, editor, plan, context)?
    };
    Ok(ElfWritten::of(&written, to, true))
}

/// The same into a device or a pipe, which takes the bytes and stays what it is.
fn poured(editor: &Builtin, path: &Path, to: &Path, plan: &EditPlan, context: &Context) -> Result<Written> {
    let scratch = tempfile::tempdir().map_err(Error::io("make a directory for what goes to", to))?;
    let result = scratch.path().join("result");
    let written = write_to(path, &result, editor, plan, context)?;
    let mut source = File::open(&result).map_err(Error::io("open", &result))?;
    let mut target = File::options().write(true).open(to).map_err(Error::io("open", to))?;
    io::copy(&mut source, &mut target).map_err(Error::io("write to", to))?;
    Ok(written)
}
