//! Reading a database's file whole, within bounds, and remembering in a sentence what could not be read.
//!
//! A file is read and not mapped: the package manager may replace or truncate it meanwhile.

use std::collections::BTreeSet;
use std::fs::OpenOptions;
use std::io::Read;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::sync::{Mutex, PoisonError};

/// A package's own list or record, in bytes; the longest known ones have a tenth of that.
pub(super) const RECORD: u64 = 16 << 20;
/// A database of all packages, in bytes.
pub(super) const DATABASE: u64 = 64 << 20;
/// How many entries of a directory are looked at.
pub(super) const ENTRIES: usize = 100_000;
/// How many sentences are kept: beyond that something is wrong with the whole, and the first ones say so.
const SENTENCES: usize = 16;

/// Puts the content of the regular file `path` into `buffer`.
///
/// # Errors
/// When it can't be read, is no regular file or has more than `limit` bytes; `buffer` is of no use then.
pub(super) fn read(path: &Path, limit: u64, buffer: &mut Vec<u8>) -> std::io::Result<()> {
    buffer.clear();
    // Opening a named pipe would wait for its writer.
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or_default();
    let file = OpenOptions::new().read(true).custom_flags(nonblocking).open(path)?;
    let metadata = file.metadata()?;
    if !metadata.is_file() {
        return Err(std::io::Error::other("is not a regular file"));
    }
    let size = metadata.len().min(limit);
    buffer.reserve(usize::try_from(size).unwrap_or_default().saturating_add(1));
    file.take(limit + 1).read_to_end(buffer)?;
    if buffer.len() as u64 > limit {
        return Err(std::io::Error::other(format!("is longer than {} MiB", limit >> 20)));
    }
    Ok(())
}

/// The names in `directory` that `fits`, sorted; of a directory that can't be listed, none.
pub(super) fn names(directory: &Path, fits: impl Fn(&str) -> bool) -> std::io::Result<Vec<String>> {
    let entries = std::fs::read_dir(directory)?.take(ENTRIES).flatten();
    let names = entries.filter_map(|entry| entry.file_name().into_string().ok());
    let mut names: Vec<String> = names.filter(|name| fits(name)).collect();
    names.sort_unstable();
    Ok(names)
}

/// What could not be read, in sentences.
#[derive(Debug, Default)]
pub(super) struct Notes(Mutex<BTreeSet<String>>);

impl Notes {
    /// Remembers what is the matter with `path`.
    pub(super) fn add(&self, path: &Path, what: impl std::fmt::Display) {
        let mut notes = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if notes.len() < SENTENCES {
            notes.insert(format!("{}: {what}", path.display()));
        }
    }

    /// The sentences, sorted.
    pub(super) fn sentences(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }
}
