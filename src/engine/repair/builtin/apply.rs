//! Carrying a plan out: on the planned file only, which nobody else has a name of, and with the result read again.

use super::Builtin;
use crate::engine::file::ReadAt;
use crate::engine::repair::facts::{Facts, Stop};
use crate::engine::repair::names::Names;
use crate::engine::repair::{EditPlan, Editor, Insertion};
use crate::engine::{Context, Error, Result};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

/// Bytes that are moved at once.
const CHUNK: u64 = 1 << 20;

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

/// Applies `plan` to the file `path`.
pub(super) fn apply(editor: &Builtin, path: &Path, plan: &EditPlan, context: &Context) -> Result<()> {
    if plan.is_empty() {
        return Ok(());
    }
    let before = open(path, plan)?;
    match editor.plan(&before, &plan.requests)? {
        Ok(again) if again == *plan => {}
        Ok(_) => return Err(changed(path, "its tables are not those that the edit was planned for")),
        Err(refusal) => return Err(changed(path, &format!("it can't be edited any more: {refusal}"))),
    }
    let wanted = names(&before, plan)?.after(&plan.requests);
    if let Some(insertion) = plan.insertion {
        insert(&before, insertion, context)?;
    }
    for patch in &plan.patches {
        context.advance(0)?;
        before.file.write_all_at(&patch.bytes, patch.offset).map_err(Error::io("write", path))?;
        context.advance(patch.bytes.len() as u64)?;
    }
    let size = before.file.metadata().map_err(Error::io("look at", path))?.len();
    if Some(size) != plan.size_after {
        return Err(changed(path, &format!("its size is {size} bytes after the edit, not {:?}", plan.size_after)));
    }
    let after = Exact { path: before.path, file: before.file, size };
    let found = names(&after, plan)?;
    if found != wanted {
        return Err(changed(path, &format!("after the edit it names {found:?}, not {wanted:?}")));
    }
    Ok(())
}

/// Moves what stands behind the insertion up, from the end on, and leaves zeros.
fn insert(file: &Exact, insertion: Insertion, context: &Context) -> Result<()> {
    let mut end = file.size;
    while end > insertion.offset {
        let start = end.saturating_sub(CHUNK).max(insertion.offset);
        let bytes = file.bytes(start, end - start)?;
        file.file.write_all_at(&bytes, start + insertion.length).map_err(Error::io("write", &file.path))?;
        context.advance(bytes.len() as u64)?;
        end = start;
    }
    let mut zeros = insertion.length;
    while zeros > 0 {
        let length = zeros.min(CHUNK);
        zeros -= length;
        let place = insertion.offset + zeros;
        file.file.write_all_at(&vec![0; length as usize], place).map_err(Error::io("write", &file.path))?;
    }
    Ok(())
}

fn open(path: &Path, plan: &EditPlan) -> Result<Exact> {
    let file = OpenOptions::new()
        .read(true)
        .write(true)
        .custom_flags(rustix::fs::OFlags::NOFOLLOW.bits() as i32)
        .open(path)
        .map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    if !metadata.is_file() || metadata.nlink() != 1 {
        return Err(Error::Refused {
            path: path.to_path_buf(),
            reason: format!("it has {} names, and an edit would reach all of them", metadata.nlink()),
            way_out: "edit a copy of it".into(),
        });
    }
    if metadata.len() != plan.size_before {
        let what = format!("planned for {} bytes, found {}", plan.size_before, metadata.len());
        return Err(changed(path, &what));
    }
    Ok(Exact { path: path.to_path_buf(), file, size: metadata.len() })
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
