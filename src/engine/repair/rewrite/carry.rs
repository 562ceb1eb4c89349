//! A plan's insertion and its writes, on the open file; and what every editor checks of that file before and after.

use super::insert::{Inserted, Shifting, insert};
use crate::engine::repair::EditPlan;
use crate::engine::{Context, Error, Result};
use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::Path;

/// What a way of writing does with the open file.
pub type Write<'a> = &'a mut dyn FnMut(&File) -> Result<()>;

/// Opens the planned file for writing: no symbolic link, one name, of the size that was planned for.
///
/// # Errors
/// [`Error::Io`], [`Error::Refused`] when it has several names, [`Error::Changed`] when it has another size.
pub fn open_planned(path: &Path, plan: &EditPlan) -> Result<File> {
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
        return Err(Error::Changed { path: path.to_path_buf(), what });
    }
    Ok(file)
}

/// Whether the file has the size that `plan` says; its size in bytes.
///
/// # Errors
/// [`Error::Changed`] when it has another.
pub fn check_size(file: &File, path: &Path, plan: &EditPlan) -> Result<u64> {
    let size = file.metadata().map_err(Error::io("look at", path))?.len();
    match plan.size_after {
        Some(after) if after != size => Err(Error::Changed {
            path: path.to_path_buf(),
            what: format!("its size is {size} bytes after the edit, not {after}"),
        }),
        _ => Ok(size),
    }
}

/// Writes `plan` into `file`, its insertion first. Counts the bytes of the patches on `context`, and those of the tail if
/// that had to be shifted. With [`Shifting::Refused`] an insertion that is [`Inserted::Unavailable`] leaves the file alone.
///
/// # Errors
/// [`Error::Io`], [`Error::Cancelled`]; the file is in between then.
pub fn carry_out(
    file: &File,
    path: &Path,
    plan: &EditPlan,
    shifting: Shifting,
    context: &Context,
) -> Result<Option<Inserted>> {
    let mut inserted = None;
    if let Some(insertion) = plan.insertion {
        let how = insert(file, path, plan.size_before, insertion, shifting, context)?;
        if how == Inserted::Unavailable {
            return Ok(Some(how));
        }
        inserted = Some(how);
    }
    for patch in &plan.patches {
        context.advance(0)?;
        file.write_all_at(&patch.bytes, patch.offset).map_err(Error::io("write", path))?;
        context.advance(patch.bytes.len() as u64)?;
    }
    Ok(inserted)
}
