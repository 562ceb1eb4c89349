//! The runs of differing bytes of two files, found through windows of 1 MiB.
//!
//! Equal windows cost one comparison of slices; only a differing one is looked into. Stretches that are holes in both
//! files are not read at all. Memory does not grow with the files: two windows and a bounded list.

use crate::engine::file::{ReadAt, Windows};
use crate::engine::{Context, Result};
use rustix::fs::SeekFrom;

/// At most this many bytes of each file are held at once.
const WINDOW: u64 = 1 << 20;
/// Within a differing window, stretches of this many bytes are compared before single bytes are.
const STRETCH: usize = 256;
/// At most this many runs are listed; all are counted.
pub const MOST_LISTED: usize = 100_000;

/// A run of bytes that differ at the same offset of both files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRun {
    /// Where it begins.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// What a scan of the common length of two files found.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Scan {
    /// The first [`MOST_LISTED`] runs, by offset.
    pub runs: Vec<ByteRun>,
    /// How many there are.
    pub total: u64,
    /// Bytes of each file that were compared.
    pub compared: u64,
    /// Bytes of each file that lie in holes of both.
    pub skipped: u64,
    open: Option<ByteRun>,
}

impl Scan {
    /// The scan of a file of `size` bytes against itself, which needs no reading.
    #[must_use]
    pub fn of_one_file(size: u64) -> Self {
        Self { skipped: size, ..Self::default() }
    }

    fn differs(&mut self, offset: u64) {
        match &mut self.open {
            Some(run) if run.offset + run.len == offset => run.len += 1,
            _ => {
                self.close();
                self.open = Some(ByteRun { offset, len: 1 });
            }
        }
    }

    fn close(&mut self) {
        if let Some(run) = self.open.take() {
            self.total += 1;
            if self.runs.len() < MOST_LISTED {
                self.runs.push(run);
            }
        }
    }
}

/// Compares the length that `a` and `b` have in common. Counts every byte of it on `context`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a file shrinks meanwhile, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`].
pub fn scan(a: &Windows, b: &Windows, context: &Context) -> Result<Scan> {
    let common = a.size().min(b.size());
    context.expect(common);
    let mut scan = Scan::default();
    let room = usize::try_from(WINDOW.min(common)).unwrap_or_default();
    let (mut ours, mut theirs) = (vec![0; room], vec![0; room]);
    let mut offset = 0;
    while offset < common {
        let start = data_after(a, offset, common).min(data_after(b, offset, common));
        if start > offset {
            scan.skipped += start - offset;
            context.advance(start - offset)?;
            offset = start;
            continue;
        }
        let end = hole_after(a, start, common).max(hole_after(b, start, common)).max(start + 1);
        let length = (end - start).min(WINDOW);
        let size = usize::try_from(length).unwrap_or_default();
        if let (Some(ours), Some(theirs)) = (ours.get_mut(..size), theirs.get_mut(..size)) {
            a.read_at(start, ours)?;
            b.read_at(start, theirs)?;
            look_into(&mut scan, start, ours, theirs);
        }
        scan.compared += length;
        offset += length;
        context.advance(length)?;
    }
    scan.close();
    Ok(scan)
}

fn look_into(scan: &mut Scan, offset: u64, ours: &[u8], theirs: &[u8]) {
    if ours == theirs {
        return;
    }
    for (number, (ours, theirs)) in ours.chunks(STRETCH).zip(theirs.chunks(STRETCH)).enumerate() {
        if ours != theirs {
            let start = offset + (number * STRETCH) as u64;
            for (into, _) in ours.iter().zip(theirs).enumerate().filter(|(_, (one, other))| one != other) {
                scan.differs(start + into as u64);
            }
        }
    }
}

/// Where data begins at or after `offset`; everything is data where the filesystem can't tell.
fn data_after(file: &Windows, offset: u64, end: u64) -> u64 {
    match rustix::fs::seek(file.file(), SeekFrom::Data(offset)) {
        Ok(start) => start.clamp(offset, end),
        Err(rustix::io::Errno::NXIO) => end,
        Err(_) => offset,
    }
}

/// Where a hole begins at or after `offset`.
fn hole_after(file: &Windows, offset: u64, end: u64) -> u64 {
    rustix::fs::seek(file.file(), SeekFrom::Hole(offset)).map_or(end, |hole| hole.clamp(offset, end))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs::File;
    use std::os::unix::fs::{FileExt, MetadataExt};

    fn sparse(path: &std::path::Path, size: u64, writes: &[(u64, &[u8])]) -> Windows {
        let file = File::create(path).unwrap();
        file.set_len(size).unwrap();
        for (offset, bytes) in writes {
            file.write_all_at(bytes, *offset).unwrap();
        }
        file.sync_all().unwrap();
        Windows::open(path).unwrap()
    }

    #[test]
    fn holes_of_both_are_skipped_and_runs_cross_windows() {
        let directory = tempfile::tempdir().unwrap();
        let size = 64 * WINDOW;
        let edge = 8 * WINDOW;
        let a = sparse(&directory.path().join("a"), size, &[(edge - 2, b"abcd"), (size - 1, b"z")]);
        let b = sparse(&directory.path().join("b"), size, &[(edge - 2, b"ABCD"), (20 * WINDOW, b"x")]);
        let context = Context::new();
        let scan = scan(&a, &b, &context).unwrap();
        let runs = [(edge - 2, 4), (20 * WINDOW, 1), (size - 1, 1)];
        assert_eq!(scan.runs, runs.map(|(offset, len)| ByteRun { offset, len }));
        assert_eq!((scan.total, scan.compared + scan.skipped), (3, size));
        assert_eq!(context.progress(), (size, size));
        // On a filesystem without holes everything is compared.
        let stored = a.file().metadata().unwrap().blocks() * 512;
        assert!(scan.skipped > size / 2 || stored >= size, "{} of {size} skipped", scan.skipped);
    }

    #[test]
    fn a_cancelled_scan_stops() {
        let directory = tempfile::tempdir().unwrap();
        let a = sparse(&directory.path().join("a"), 10, &[(0, b"0123456789")]);
        let context = Context::new();
        context.cancel();
        assert!(matches!(scan(&a, &a, &context), Err(crate::engine::Error::Cancelled)));
    }

    #[test]
    fn more_runs_than_are_listed_are_counted() {
        let directory = tempfile::tempdir().unwrap();
        let count = MOST_LISTED as u64 + 7;
        let bytes: Vec<u8> = (0..count * 2).map(|number| (number % 2) as u8).collect();
        let a = sparse(&directory.path().join("a"), count * 2, &[(0, &bytes)]);
        let b = sparse(&directory.path().join("b"), count * 2, &[(0, &vec![0; bytes.len()])]);
        let scan = scan(&a, &b, &Context::new()).unwrap();
        assert_eq!((scan.runs.len(), scan.total), (MOST_LISTED, count));
    }
}
