//! Going back: an edit in place that was interrupted is undone from its log, as often as it takes.

use super::attributes::set_mode;
use super::insert::collapse;
use super::lock::FileLock;
use super::private::sweep;
use super::sample;
use super::undo::Log;
use crate::engine::{Context, Error, Result};
use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

/// What was found beside a file, and done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RolledBack {
    /// The file has the bytes again that it had before the edit.
    Restored,
    /// The log is of another file than the one that has its name now; both were left alone.
    Foreign,
}

/// The undo log of the file `path`: its name with `.wheelwright-undo` behind it.
#[must_use]
pub fn log_of(path: &Path) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(".wheelwright-undo");
    PathBuf::from(name)
}

/// Undoes an edit of the file `path` that was interrupted, if there is a log of one, and removes what a killed process left
/// beside it. `path` may be a symbolic link to the file. `None`: there was no log.
///
/// # Errors
/// [`Error::Locked`] while the edit goes on, [`Error::Malformed`] when the log is damaged, [`Error::Io`]; the log stays then.
pub fn roll_back(path: &Path, context: &Context) -> Result<Option<RolledBack>> {
    let Ok(path) = std::fs::canonicalize(path) else {
        return Ok(None);
    };
    sweep(&path)?;
    let log = log_of(&path);
    sweep(&log)?;
    // A name that is too long for the filesystem, with its ending, has no log either.
    if !log.try_exists().unwrap_or(false) {
        return Ok(None);
    }
    let _locked = FileLock::take(&path)?;
    undo(&path, context)
}

/// Undoes what the log of the file `path` holds, whose lock is held.
pub fn undo(path: &Path, context: &Context) -> Result<Option<RolledBack>> {
    let log_path = log_of(path);
    let Some(mut log) = Log::open(&log_path)? else {
        return Ok(None);
    };
    let file = OpenOptions::new().read(true).write(true).open(path).map_err(Error::io("open", path))?;
    let metadata = file.metadata().map_err(Error::io("look at", path))?;
    let inserted = log.inserted(metadata.len());
    if !log.header.is_of(&metadata) || !sample::holds(&file, path, &mut log, &log_path, inserted)? {
        return Ok(Some(RolledBack::Foreign));
    }
    restore(&file, path, &mut log, &log_path, metadata.len(), context)?;
    std::fs::remove_file(&log_path).map_err(Error::io("remove", &log_path))?;
    Ok(Some(RolledBack::Restored))
}

/// Each stage can be taken again from its beginning, whenever it was broken off: what was appended goes first, so that the
/// size alone tells whether blocks are inserted.
fn restore(file: &File, path: &Path, log: &mut Log, log_path: &Path, size: u64, context: &Context) -> Result<()> {
    let header = log.header;
    let inserted = log.inserted(size);
    let base = header.size.saturating_add(inserted.map_or(0, |blocks| blocks.length));
    if size > base {
        file.set_len(base).map_err(Error::io("cut", path))?;
    }
    let mut now = Vec::new();
    log.pieces(log_path, |offset, old| {
        context.advance(0)?;
        let behind = inserted.filter(|blocks| offset >= blocks.start).map_or(0, |blocks| blocks.length);
        let offset = offset.saturating_add(behind);
        now.resize(old.len(), 0);
        file.read_exact_at(&mut now, offset).map_err(Error::io("read", path))?;
        // A block that is shared with a reflink costs a new one when it is written, and the disk may be full.
        if now == old {
            return Ok(());
        }
        file.write_all_at(old, offset).map_err(Error::io("write", path))
    })?;
    if let Some(blocks) = inserted {
        collapse(file, path, blocks)?;
    }
    file.sync_all().map_err(Error::io("sync", path))?;
    set_mode(file, path, u32::try_from(header.mode).unwrap_or(0o644))?;
    let seconds = header.seconds.cast_signed();
    let whole = Duration::from_secs(seconds.unsigned_abs());
    let time = if seconds < 0 { UNIX_EPOCH.checked_sub(whole) } else { UNIX_EPOCH.checked_add(whole) };
    if let Some(time) = time.and_then(|time| time.checked_add(Duration::from_nanos(header.nanoseconds))) {
        // The bytes are what counts; whoever may write them may not always set the time.
        let _ = file.set_modified(time);
    }
    Ok(())
}
