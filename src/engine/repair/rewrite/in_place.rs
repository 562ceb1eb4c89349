//! The edit in the file itself, under an undo log: for files whose copy would be dear.

use super::attributes::Attributes;
use super::carry::{carry_out, open_planned};
use super::insert::{Blocks, Inserted, Shifting};
use super::lock::FileLock;
use super::recover::{log_of, undo};
use super::sample;
use super::undo::{self as log, Header};
use super::{Taken, Written};
use crate::engine::file::NAME_MAX;
use crate::engine::repair::{EditPlan, Editor};
use crate::engine::{Context, Error, Result};
use std::io::ErrorKind;
use std::path::Path;

/// Edits the file `path` in place. The inner error says why only a copy will do; nothing was changed then.
pub fn write(
    path: &Path,
    source: &FileLock,
    editor: &dyn Editor,
    plan: &EditPlan,
    say: &dyn Fn(&str),
    context: &Context,
) -> Result<Result<Written, String>> {
    let log_path = log_of(path);
    let way_out = || "let it be edited beside and swapped in (--atomic)".to_owned();
    if source.identity.links != 1 {
        return Err(Error::Refused {
            path: path.to_path_buf(),
            reason: format!("it has {} names, and an edit in place would reach all of them", source.identity.links),
            way_out: way_out(),
        });
    }
    if log_path.symlink_metadata().is_ok() {
        return Err(Error::Refused {
            path: path.to_path_buf(),
            reason: format!("{} lies beside it, and is of another file", log_path.display()),
            way_out: format!("remove that, or {}", way_out()),
        });
    }
    let blocks = plan.insertion.and_then(|insertion| Blocks::of(&source.file, plan.size_before, insertion));
    let at_the_end = plan.insertion.is_none_or(|insertion| insertion.offset == plan.size_before);
    if blocks.is_none() && !at_the_end {
        return Ok(Err(unavailable()));
    }
    if log_path.file_name().is_none_or(|name| name.len() > NAME_MAX) {
        return Ok(Err("its name is too long for an undo log beside it, so that it was copied".to_owned()));
    }
    // Opened for writing before anything is learned of it: an overlay makes another file of it at that moment.
    let file = match open_planned(path, plan) {
        Err(Error::Io { source, .. }) if source.kind() == ErrorKind::ExecutableFileBusy => {
            return Ok(Err("it is running, so that it was copied".to_owned()));
        }
        opened => opened?,
    };
    let attributes = Attributes::of(&file, path)?;
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    let sample = sample::before(&file, path, metadata.len())?;
    let ranges = log::ranges(plan, blocks);
    let header = Header::of(&metadata, plan, blocks, ranges.len() as u64, sample);
    let logged = log::write(&log_path, &header, &ranges, &file, path, context)?;
    say(&format!(
        "it is edited in place: until that is done other programs see a torn file; what interrupts it is rolled back from {}",
        log_path.display()
    ));
    let mut inserted = None;
    let done = editor
        .apply_by(path, plan, &mut |file| {
            inserted = carry_out(file, path, plan, Shifting::Refused, context)?;
            if inserted == Some(Inserted::Unavailable) {
                return Err(Error::Cancelled);
            }
            file.sync_all().map_err(Error::io("sync", path))
        })
        .and_then(|()| attributes.give(&file, path))
        .and_then(|()| std::fs::remove_file(&log_path).map_err(Error::io("remove", &log_path)));
    if let Err(error) = done {
        // Going back is not to be cancelled again.
        undo(path, &Context::new())?;
        return if inserted == Some(Inserted::Unavailable) { Ok(Err(unavailable())) } else { Err(error) };
    }
    let bytes_written = plan.writes + logged;
    Ok(Ok(Written { way: Taken::InPlace, cloned: false, inserted, bytes_written, note: None }))
}

fn unavailable() -> String {
    "the filesystem can't insert a page in place, so that it was copied".to_owned()
}
