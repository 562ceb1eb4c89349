//! Carrying a plan out: on the planned file only, which nobody else has a name of, and with the result held against its proof.

use super::Builtin;
use crate::engine::file::ReadAt;
use crate::engine::repair::EditPlan;
use crate::engine::repair::rewrite::{Write, check_size, open_planned};
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
    let (mut again, expected) = editor
        .prove(&before, &plan.requests)?
        .map_err(|refusal| changed(path, &format!("it can't be edited any more: {refusal}")))?;
    // What is looked at for requests that change nothing is not looked at again.
    again.reads = plan.reads;
    if again != *plan {
        return Err(changed(path, "its tables are not those that the edit was planned for"));
    }
    write(&before.file)?;
    let size = check_size(&before.file, path, plan)?;
    expected.confirm(&Exact { size, ..before })
}

fn changed(path: &Path, what: &str) -> Error {
    Error::Changed { path: path.to_path_buf(), what: what.to_owned() }
}
