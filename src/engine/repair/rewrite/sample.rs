//! Whether a file with an undo log is still the one that was edited: the bytes at its start and at its end, as they were before
//! the edit. A build that wrote the file anew since then is not to be "rolled back".

use super::insert::Blocks;
use super::undo::Log;
use crate::engine::{Error, Result};
use sha2::{Digest, Sha256};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The bytes that are looked at, at each end.
const LENGTH: u64 = 16 * 1024;

/// A stretch of the old file: where it began, and its bytes.
type Window = (u64, Vec<u8>);

/// The first eight bytes of the digest of `file` before its edit, when it has `size` bytes.
///
/// # Errors
/// [`Error::Io`].
pub fn before(file: &File, path: &Path, size: u64) -> Result<u64> {
    Ok(digest(&windows(file, path, size, None)?))
}

/// Whether `file` is what `log` says it was, but for what the edit writes, with the log's blocks `inserted` or not.
///
/// # Errors
/// [`Error::Io`].
pub fn holds(file: &File, path: &Path, log: &mut Log, log_path: &Path, inserted: Option<Blocks>) -> Result<bool> {
    let sample = log.header.sample;
    let mut found = windows(file, path, log.header.size, inserted)?;
    log.pieces(log_path, |offset, old| {
        for (start, bytes) in &mut found {
            let from = offset.max(*start);
            let to = offset.saturating_add(old.len() as u64).min(start.saturating_add(bytes.len() as u64));
            if from < to {
                let place = (from - *start) as usize..(to - *start) as usize;
                let part = (from - offset) as usize..(to - offset) as usize;
                if let (Some(now), Some(old)) = (bytes.get_mut(place), old.get(part)) {
                    now.copy_from_slice(old);
                }
            }
        }
        Ok(())
    })?;
    Ok(digest(&found) == sample)
}

fn windows(file: &File, path: &Path, size: u64, inserted: Option<Blocks>) -> Result<[Window; 2]> {
    let head = window(file, path, 0, size.min(LENGTH), inserted)?;
    let tail = window(file, path, size.saturating_sub(LENGTH), size.min(LENGTH), inserted)?;
    Ok([head, tail])
}

/// The bytes that the old file had from `start` on, as they are now.
fn window(file: &File, path: &Path, start: u64, length: u64, inserted: Option<Blocks>) -> Result<Window> {
    let mut bytes = vec![0; usize::try_from(length).unwrap_or_default()];
    let end = start.saturating_add(length);
    let border = inserted.map_or(end, |blocks| blocks.start.clamp(start, end));
    let (below, behind) = bytes.split_at_mut((border - start) as usize);
    file.read_exact_at(below, start).map_err(Error::io("read", path))?;
    let moved = inserted.map_or(0, |blocks| blocks.length);
    file.read_exact_at(behind, border.saturating_add(moved)).map_err(Error::io("read", path))?;
    Ok((start, bytes))
}

fn digest(windows: &[Window]) -> u64 {
    let mut hasher = Sha256::new();
    for (start, bytes) in windows {
        hasher.update(start.to_le_bytes());
        hasher.update(bytes);
    }
    hasher.finalize().iter().take(8).fold(0, |number, &byte| number << 8 | u64::from(byte))
}
