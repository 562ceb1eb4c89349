//! Writing the result of an edit: a copy is edited and then takes the name, so that the file is the old one or the new one
//! at every instant, and other names of the old one keep what they name.

use crate::engine::file::reflink_or_copy;
use crate::engine::repair::{Builtin, EditPlan, Editor};
use crate::engine::report::elf::{ElfWay, ElfWritten};
use crate::engine::{Context, Error, Result};
use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};

/// Writes what `plan` makes of the file `path` over it, or to `output`.
///
/// # Errors
/// When the system refuses, or the result is not what the plan says; the file is then what it was.
pub fn write(
    editor: &Builtin,
    path: &Path,
    output: Option<&Path>,
    plan: &EditPlan,
    context: &Context,
) -> Result<ElfWritten> {
    // The name of a symbolic link stays one: it is the file that it leads to which is edited.
    let from = std::fs::canonicalize(path).map_err(Error::io("open", path))?;
    let to = match output {
        None => from.clone(),
        Some(output) => std::fs::canonicalize(output).unwrap_or_else(|_| output.to_path_buf()),
    };
    let way = if output.is_some() { ElfWay::Output } else { ElfWay::Swapped };
    match std::fs::metadata(&to) {
        Ok(metadata) if metadata.is_dir() => {
            return Err(Error::Refused {
                path: to,
                reason: "is a directory".into(),
                way_out: "name a file for the result".into(),
            });
        }
        // A device or a pipe takes the bytes, and stays what it is.
        Ok(metadata) if !metadata.is_file() => {
            let scratch = tempfile::tempdir().map_err(Error::io("create a directory for", &to))?;
            let copy = scratch.path().join("result");
            edited_copy(editor, &from, &copy, plan, context)?;
            pour(&copy, &to)?;
        }
        _ => {
            let copy = beside(&to);
            let done = edited_copy(editor, &from, &copy, plan, context)
                .and_then(|()| std::fs::rename(&copy, &to).map_err(Error::io("rename", &copy)));
            if done.is_err() {
                // The copy may never have come to be.
                let _ = std::fs::remove_file(&copy);
            }
            done?;
        }
    }
    Ok(ElfWritten { to, way })
}

fn edited_copy(editor: &Builtin, from: &Path, copy: &Path, plan: &EditPlan, context: &Context) -> Result<()> {
    reflink_or_copy(from, copy, context)?;
    editor.apply(copy, plan, context)
}

fn pour(from: &Path, to: &Path) -> Result<()> {
    let mut source = File::open(from).map_err(Error::io("open", from))?;
    let mut target = File::options().write(true).open(to).map_err(Error::io("open", to))?;
    io::copy(&mut source, &mut target).map(drop).map_err(Error::io("write", to))
}

/// A name beside `path` that is no other file's.
fn beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".wheelwright-{}", std::process::id()));
    path.with_file_name(name)
}
