//! Zeros that come to stand within a file: by the filesystem's own insertion where it has one (ext4, xfs), else by moving
//! the tail. Whole blocks only can be inserted, so the few bytes between the block's start and the offset are moved back.

use crate::engine::repair::Insertion;
use crate::engine::{Context, Error, Result};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// The largest page that the editor inserts for, and with it the least block that is asked for.
const BLOCK: u64 = 4096;
/// A filesystem whose blocks are larger gets its tail moved: what is moved back would no longer be small.
const LARGEST_BLOCK: u64 = 64 * 1024;
/// The bytes that are moved at a time.
const CHUNK: u64 = 1 << 20;

/// Whether the tail of the file may be moved instead of an insertion by the filesystem.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shifting {
    /// It may: the file is disposable.
    Allowed,
    /// It is, also where the filesystem has one: the file's bytes were written a moment ago, and an insertion would wait until
    /// they are on the disk (ext4).
    Preferred,
    /// It may not: what was killed in between could not be undone.
    Refused,
}

/// How an insertion was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inserted {
    /// The file was made longer: nothing stood behind the offset.
    Extended,
    /// The filesystem inserted blocks.
    Blocks,
    /// The tail was read and written once more.
    Shifted,
    /// Not at all: the filesystem has no insertion, and shifting is refused. Nothing was changed.
    Unavailable,
}

/// The part of an insertion that the filesystem does: whole blocks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Blocks {
    /// Where, in bytes: the block's start at or below the insertion's offset.
    pub start: u64,
    /// How many bytes.
    pub length: u64,
}

impl Blocks {
    /// What the filesystem of `file`, of `size` bytes, has to insert; `None` at the file's end, where it is only made longer,
    /// and where its blocks are too large for `insertion`.
    pub fn of(file: &File, size: u64, insertion: Insertion) -> Option<Self> {
        let block = block_size(file)?;
        let fits = insertion.length > 0 && insertion.length.is_multiple_of(block) && insertion.offset < size;
        fits.then(|| Self { start: insertion.offset - insertion.offset % block, length: insertion.length })
    }
}

fn block_size(file: &File) -> Option<u64> {
    let block = rustix::fs::fstatvfs(file).ok()?.f_bsize;
    let block = if BLOCK.is_multiple_of(block.max(1)) { BLOCK } else { block };
    (block.is_power_of_two() && block <= LARGEST_BLOCK).then_some(block)
}

/// Makes `file`, of `size` bytes and called `path` in errors, what it was with `insertion`'s zeros at its offset.
/// Counts the bytes behind the offset on `context` when they are shifted, and nothing else.
///
/// # Errors
/// [`Error::Refused`] when the offset lies behind the end, [`Error::Io`], [`Error::Cancelled`] when shifting.
pub fn insert(
    file: &File,
    path: &Path,
    size: u64,
    insertion: Insertion,
    shifting: Shifting,
    context: &Context,
) -> Result<Inserted> {
    let Insertion { offset, length } = insertion;
    let end = size.checked_add(length).filter(|_| offset <= size).ok_or_else(|| Error::Refused {
        path: path.to_path_buf(),
        reason: format!("{length} bytes can't be inserted at {offset:#x} of {size:#x}"),
        way_out: "plan the edit anew".into(),
    })?;
    if offset == size {
        file.set_len(end).map_err(Error::io("make longer", path))?;
        return Ok(Inserted::Extended);
    }
    if shifting != Shifting::Preferred
        && let Some(blocks) = Blocks::of(file, size, insertion)
        && insert_blocks(file, path, blocks)?
    {
        move_back(file, path, blocks, offset)?;
        return Ok(Inserted::Blocks);
    }
    if shifting == Shifting::Refused {
        return Ok(Inserted::Unavailable);
    }
    shift(file, path, size, insertion, context)?;
    Ok(Inserted::Shifted)
}

/// The bytes between the block's start and `offset` stand behind the inserted blocks now: they go back before them.
fn move_back(file: &File, path: &Path, blocks: Blocks, offset: u64) -> Result<()> {
    let mut moved = vec![0; usize::try_from(offset - blocks.start).unwrap_or_default()];
    if moved.is_empty() {
        return Ok(());
    }
    let behind = blocks.start + blocks.length;
    file.read_exact_at(&mut moved, behind).map_err(Error::io("read", path))?;
    file.write_all_at(&moved, blocks.start).map_err(Error::io("write", path))?;
    moved.fill(0);
    file.write_all_at(&moved, behind).map_err(Error::io("write", path))
}

/// Whether the filesystem inserted `blocks`; `false` if it can't.
fn insert_blocks(file: &File, path: &Path, blocks: Blocks) -> Result<bool> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        use rustix::io::Errno;
        loop {
            match fallocate(file, FallocateFlags::INSERT_RANGE, blocks.start, blocks.length) {
                Ok(()) => return Ok(true),
                Err(Errno::INTR) => {}
                // INVAL where the block is a cluster of several; the others where there is no such call.
                Err(Errno::OPNOTSUPP | Errno::INVAL | Errno::NOSYS | Errno::NODEV) => return Ok(false),
                Err(error) => return Err(Error::io("insert a page into", path)(error.into())),
            }
        }
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, path, blocks);
        Ok(false)
    }
}

/// Takes out what was inserted.
///
/// # Errors
/// [`Error::Io`]; nothing was changed then.
pub fn collapse(file: &File, path: &Path, blocks: Blocks) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        fallocate(file, FallocateFlags::COLLAPSE_RANGE, blocks.start, blocks.length)
            .map_err(|error| Error::io("take the inserted page out of", path)(error.into()))
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (file, blocks);
        Err(Error::io("take the inserted page out of", path)(std::io::ErrorKind::Unsupported.into()))
    }
}

/// Moves everything behind the offset up, from the end backwards, and leaves zeros.
fn shift(file: &File, path: &Path, size: u64, insertion: Insertion, context: &Context) -> Result<()> {
    let Insertion { offset, length } = insertion;
    file.set_len(size + length).map_err(Error::io("make longer", path))?;
    let mut buffer = vec![0; usize::try_from(CHUNK.min(size - offset)).unwrap_or_default()];
    let mut end = size;
    while end > offset {
        let start = offset.max(end.saturating_sub(CHUNK));
        let window = usize::try_from(end - start).ok().and_then(|length| buffer.get_mut(..length)).unwrap_or_default();
        if is_hole(file, start, end) {
            zero(file, path, start + length, end - start)?;
        } else {
            file.read_exact_at(window, start).map_err(Error::io("read", path))?;
            file.write_all_at(window, start + length).map_err(Error::io("write", path))?;
        }
        context.advance(end - start)?;
        end = start;
    }
    zero(file, path, offset, length)
}

/// Whether there is no data from `start` to `end`; `false` where the filesystem can't tell.
fn is_hole(file: &File, start: u64, end: u64) -> bool {
    match rustix::fs::seek(file, rustix::fs::SeekFrom::Data(start)) {
        Ok(data) => data >= end,
        Err(rustix::io::Errno::NXIO) => true,
        Err(_) => false,
    }
}

/// Makes `length` bytes at `offset` zeros: a hole where the filesystem can, else written.
fn zero(file: &File, path: &Path, offset: u64, length: u64) -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{FallocateFlags, fallocate};
        if fallocate(file, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, length).is_ok() {
            return Ok(());
        }
    }
    let zeros = vec![0; usize::try_from(length.min(CHUNK)).unwrap_or_default()];
    let mut done = 0;
    while done < length {
        let now = usize::try_from(length - done).map_or(zeros.len(), |rest| rest.min(zeros.len()));
        file.write_all_at(zeros.get(..now).unwrap_or_default(), offset + done).map_err(Error::io("write", path))?;
        done += now as u64;
    }
    Ok(())
}
