//! Carrying a plan out: on the planned file only, which nobody else has a name of, and with the result read again.

use super::Builtin;
use crate::engine::file::ReadAt;
use crate::engine::repair::facts::{Facts, Stop};
use crate::engine::repair::names::Names;
use crate::engine::repair::rewrite::{Write, check_size, open_planned};
use crate::engine::repair::{EditPlan, Editor};
use crate::engine::{Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

/// A file that is read exactly where it is asked for, so that the plan's count of bytes holds.
struct Exact {
    path: PathBuf,
    file: File,
    size: u64,
}

impl ReadAt for Exact {
    fn path(&self) -> &Path {
        &self.path
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(buffer, offset).map_err(Error::io("read", &self.path))
    }
}

/// Lets `write` carry `plan` out on the file `path`, with everything checked before and after.
pub(super) fn apply(editor: &Builtin, path: &Path, plan: &EditPlan, write: Write<'_>) -> Result<()> {
    if plan.is_empty() {
        return Ok(());
    }
    let before = Exact { path: path.to_path_buf(), file: open_planned(path, plan)?, size: plan.size_before };
    match editor.plan(&before, &plan.requests)? {
        Ok(again) if again == *plan => {}
        Ok(_) => return Err(changed(path, "its tables are not those that the edit was planned for")),
        Err(refusal) => return Err(changed(path, &format!("it can't be edited any more: {refusal}"))),
    }
    let wanted = names(&before, plan)?.after(&plan.requests);
    write(&before.file)?;
    let size = check_size(&before.file, path, plan)?;
    prove(&Exact { size, ..before }, plan, &wanted)
}

/// Proves the edit on the file as it is now: everything that is checked of a result is checked here.
fn prove(after: &Exact, plan: &EditPlan, wanted: &Names) -> Result<()> {
    let found = names(after, plan)?;
    if found != *wanted {
        return Err(changed(&after.path, &format!("after the edit it names {found:?}, not {wanted:?}")));
    }
    Ok(())
}

fn names(source: &dyn ReadAt, plan: &EditPlan) -> Result<Names> {
    match Facts::read(source) {
        Ok(facts) => Names::asked(&facts, source, &plan.requests),
        Err(Stop::Error(error)) => Err(error),
        Err(Stop::Refusal(refusal)) => Err(changed(source.path(), &refusal.to_string())),
    }
}

fn changed(path: &Path, what: &str) -> Error {
    Error::Changed { path: path.to_path_buf(), what: what.to_owned() }
}
