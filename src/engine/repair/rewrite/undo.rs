//! The undo log of an edit in place: which file, and the bytes that the edit writes over. It gets its name when it is whole, and
//! the edit begins when it is on the disk, so that a log with its name says everything or is of an edit that never began.
//!
//! Little-endian: the magic; the header's numbers; for each range its offset in the old file, its length and its bytes; and
//! the SHA-256 of all that. It is read in pieces, never as a whole.

use super::insert::Blocks;
use super::private::Private;
use crate::engine::repair::{EditPlan, Insertion};
use crate::engine::{Context, Error, Result};
use sha2::{Digest, Sha256};
use std::fs::{File, Metadata};
use std::io::{BufReader, BufWriter, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt};
use std::path::Path;
use std::time::UNIX_EPOCH;

const MAGIC: &[u8; 16] = b"wheelwright-und1";
const NUMBERS: usize = 12;
const DIGEST: u64 = 32;
const PIECE: usize = 64 * 1024;

/// Which file a log is of, and what it was before the edit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Header {
    /// Its device (`st_dev`), which counts only where there is no time of birth: it changes with every mount.
    pub device: u64,
    /// Its inode.
    pub inode: u64,
    /// When its inode was made, in nanoseconds since the epoch; 0 where the filesystem doesn't say.
    pub born: u64,
    /// Its mode.
    pub mode: u64,
    /// Its modification time, in whole seconds since the epoch, as two's complement.
    pub seconds: u64,
    /// The nanoseconds within the second.
    pub nanoseconds: u64,
    /// Its size in bytes.
    pub size: u64,
    /// The most that it has during and after the edit.
    pub size_after: u64,
    /// Where blocks are inserted.
    pub start: u64,
    /// How many bytes are; 0 for none.
    pub length: u64,
    /// The number of ranges.
    pub ranges: u64,
    /// What [`super::sample`] says of its bytes.
    pub sample: u64,
}

impl Header {
    /// The header for `plan` on the file of `metadata`, with `blocks` to be inserted.
    pub fn of(metadata: &Metadata, plan: &EditPlan, blocks: Option<Blocks>, ranges: u64, sample: u64) -> Self {
        let inserted = plan.insertion.map_or(0, |insertion| insertion.length);
        let longest = metadata.len().saturating_add(inserted);
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            born: born(metadata),
            mode: u64::from(metadata.mode() & 0o7777),
            seconds: metadata.mtime().cast_unsigned(),
            nanoseconds: metadata.mtime_nsec().cast_unsigned(),
            size: metadata.len(),
            size_after: plan.size_after.unwrap_or(longest).max(longest),
            start: blocks.map_or(0, |blocks| blocks.start),
            length: blocks.map_or(0, |blocks| blocks.length),
            ranges,
            sample,
        }
    }

    /// What the filesystem inserted, or was to insert.
    pub fn blocks(&self) -> Option<Blocks> {
        (self.length > 0).then_some(Blocks { start: self.start, length: self.length })
    }

    /// Whether the log is of the file of `metadata`, in whatever state of the edit.
    pub fn is_of(&self, metadata: &Metadata) -> bool {
        let same = if self.born != 0 { self.born == born(metadata) } else { self.device == metadata.dev() };
        same && self.inode == metadata.ino() && (self.size..=self.size_after).contains(&metadata.len())
    }

    fn numbers(&self) -> [u64; NUMBERS] {
        let Self { device, inode, born, mode, seconds, nanoseconds, size, size_after, start, length, ranges, sample } =
            *self;
        [device, inode, born, mode, seconds, nanoseconds, size, size_after, start, length, ranges, sample]
    }

    fn from_numbers(numbers: [u64; NUMBERS]) -> Self {
        let [device, inode, born, mode, seconds, nanoseconds, size, size_after, start, length, ranges, sample] =
            numbers;
        Self { device, inode, born, mode, seconds, nanoseconds, size, size_after, start, length, ranges, sample }
    }
}

fn born(metadata: &Metadata) -> u64 {
    let since = metadata.created().ok().and_then(|time| time.duration_since(UNIX_EPOCH).ok());
    since.and_then(|since| u64::try_from(since.as_nanos()).ok()).unwrap_or(0)
}

/// The ranges of the old file that `plan` writes over, by offset, none on another: the patches', and the bytes that are moved
/// back before inserted `blocks`. None reaches across the place where blocks are inserted.
pub fn ranges(plan: &EditPlan, blocks: Option<Blocks>) -> Vec<(u64, u64)> {
    let mut found = Vec::new();
    let mut add = |start: u64, end: u64| {
        let end = end.min(plan.size_before);
        if start < end {
            found.push((start, end));
        }
    };
    let none = Insertion { offset: plan.size_before, length: 0 };
    let Insertion { offset, length } = plan.insertion.unwrap_or(none);
    for patch in &plan.patches {
        let (start, end) = (patch.offset, patch.offset.saturating_add(patch.bytes.len() as u64));
        add(start, end.min(offset));
        add(start.max(offset.saturating_add(length)).saturating_sub(length), end.saturating_sub(length));
    }
    if let Some(blocks) = blocks {
        add(blocks.start, offset);
    }
    found.sort_unstable();
    let mut merged: Vec<(u64, u64)> = Vec::new();
    for (start, end) in found {
        match merged.last_mut() {
            Some(last) if start <= last.1 => last.1 = last.1.max(end),
            _ => merged.push((start, end)),
        }
    }
    // What lies behind the block's start is elsewhere once blocks are inserted there.
    let start = blocks.map_or(0, |blocks| blocks.start);
    let parts = |(from, to): (u64, u64)| [(from, to.min(start)), (from.max(start), to)];
    merged.into_iter().flat_map(parts).filter(|(from, to)| from < to).collect()
}

/// Writes the log of `header` and `ranges` of `file` to `log`, synced; the log's size in bytes.
///
/// # Errors
/// [`Error::Io`], [`Error::Cancelled`]; nothing is left at `log` then.
pub fn write(
    log: &Path,
    header: &Header,
    ranges: &[(u64, u64)],
    file: &File,
    path: &Path,
    context: &Context,
) -> Result<u64> {
    let private = Private::beside(log)?;
    let size = fill(&private.file, log, header, ranges, file, path, context)?;
    let file = private.file.try_clone().map_err(Error::io("write", log))?;
    private.swap_in(log)?;
    // Named first and synced then: that is one commit of the filesystem's journal for both, and nothing is written before.
    let synced = file.sync_all().map_err(Error::io("sync", log)).and_then(|()| sync_directory(log));
    synced.inspect_err(|_| drop(std::fs::remove_file(log)))?;
    Ok(size)
}

fn fill(
    to: &File,
    log: &Path,
    header: &Header,
    ranges: &[(u64, u64)],
    file: &File,
    path: &Path,
    context: &Context,
) -> Result<u64> {
    let mut out = Hashed { inner: BufWriter::new(to), hasher: Sha256::new(), count: 0 };
    out.put(log, MAGIC)?;
    for number in header.numbers() {
        out.put(log, &number.to_le_bytes())?;
    }
    let mut piece = vec![0; PIECE];
    for &(start, end) in ranges {
        out.put(log, &start.to_le_bytes())?;
        out.put(log, &(end - start).to_le_bytes())?;
        let mut position = start;
        while position < end {
            context.advance(0)?;
            let now = usize::try_from(end - position).map_or(PIECE, |rest| rest.min(PIECE));
            let window = piece.get_mut(..now).unwrap_or_default();
            file.read_exact_at(window, position).map_err(Error::io("read", path))?;
            out.put(log, window)?;
            position += now as u64;
        }
    }
    let Hashed { mut inner, hasher, count } = out;
    inner.write_all(&hasher.finalize()).map_err(Error::io("write", log))?;
    inner.flush().map_err(Error::io("write", log))?;
    Ok(count + DIGEST)
}

/// Syncs the directory that `path` is in.
fn sync_directory(path: &Path) -> Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    match File::open(directory).and_then(|directory| directory.sync_all()) {
        // Some filesystems have no such thing as syncing a directory; one that can't be read can't be synced.
        Err(error) if error.raw_os_error() != Some(rustix::io::Errno::IO.raw_os_error()) => Ok(()),
        done => done.map_err(Error::io("sync", directory)),
    }
}

struct Hashed<W> {
    inner: W,
    hasher: Sha256,
    count: u64,
}

impl<W: Write> Hashed<W> {
    fn put(&mut self, log: &Path, bytes: &[u8]) -> Result<()> {
        self.hasher.update(bytes);
        self.count += bytes.len() as u64;
        self.inner.write_all(bytes).map_err(Error::io("write", log))
    }
}

/// A log that was found, checked to the last byte.
#[derive(Debug)]
pub struct Log {
    file: File,
    /// Its header.
    pub header: Header,
}

impl Log {
    /// Reads the log `path`; `None` if there is none. One without a byte goes: its edit never began.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is no log of ours or damaged, [`Error::Io`].
    pub fn open(path: &Path) -> Result<Option<Self>> {
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(Error::io("open", path)(error)),
        };
        let size = file.metadata().map_err(Error::io("look at", path))?.len();
        let damaged = || Error::malformed(path, 0, "an undo log of this program, whole");
        if size == 0 {
            // Named, and lost before it was on the disk.
            std::fs::remove_file(path).map_err(Error::io("remove", path))?;
            return Ok(None);
        }
        let hashed = size.checked_sub(DIGEST).ok_or_else(damaged)?;
        let mut reader = BufReader::with_capacity(PIECE, &file);
        let mut hasher = Sha256::new();
        let mut piece = vec![0; PIECE];
        let mut left = hashed;
        while left > 0 {
            let now = usize::try_from(left).map_or(PIECE, |rest| rest.min(PIECE));
            let window = piece.get_mut(..now).unwrap_or_default();
            reader.read_exact(window).map_err(Error::io("read", path))?;
            hasher.update(&*window);
            left -= now as u64;
        }
        let mut digest = [0; DIGEST as usize];
        reader.read_exact(&mut digest).map_err(Error::io("read", path))?;
        if hasher.finalize().as_slice() != digest {
            return Err(damaged());
        }
        let mut log = Self { file, header: Header::from_numbers([0; NUMBERS]) };
        let mut magic = [0; MAGIC.len()];
        log.read(path, &mut magic)?;
        if magic != *MAGIC {
            return Err(damaged());
        }
        let mut numbers = [0; NUMBERS];
        for number in &mut numbers {
            *number = log.number(path)?;
        }
        log.header = Header::from_numbers(numbers);
        Ok(Some(log))
    }

    /// What is inserted in the file when it has `size` bytes: nothing is written before the insertion, and what is written
    /// behind the end goes first when it is undone.
    #[must_use]
    pub fn inserted(&self, size: u64) -> Option<Blocks> {
        self.header.blocks().filter(|blocks| size >= self.header.size.saturating_add(blocks.length))
    }

    /// Gives each piece of the old bytes, by offset in the old file, to `each`.
    ///
    /// # Errors
    /// What `each` returns, [`Error::Io`].
    pub fn pieces(&mut self, path: &Path, mut each: impl FnMut(u64, &[u8]) -> Result<()>) -> Result<()> {
        let first = (MAGIC.len() + NUMBERS * 8) as u64;
        self.file.seek(SeekFrom::Start(first)).map_err(Error::io("read", path))?;
        let mut piece = vec![0; PIECE];
        for _ in 0..self.header.ranges {
            let (mut offset, mut left) = (self.number(path)?, self.number(path)?);
            while left > 0 {
                let now = usize::try_from(left).map_or(PIECE, |rest| rest.min(PIECE));
                let window = piece.get_mut(..now).unwrap_or_default();
                self.file.read_exact(window).map_err(Error::io("read", path))?;
                each(offset, window)?;
                offset = offset.saturating_add(now as u64);
                left -= now as u64;
            }
        }
        Ok(())
    }

    fn read(&mut self, path: &Path, bytes: &mut [u8]) -> Result<()> {
        self.file.rewind().and_then(|()| self.file.read_exact(bytes)).map_err(Error::io("read", path))
    }

    fn number(&mut self, path: &Path) -> Result<u64> {
        let mut bytes = [0; 8];
        self.file.read_exact(&mut bytes).map_err(Error::io("read", path))?;
        Ok(u64::from_le_bytes(bytes))
    }
}
