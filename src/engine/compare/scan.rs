//! The runs of changed bytes in the pairs of two files, found through windows of 1 MiB.
//!
//! Equal windows cost one comparison of slices; only a differing one is looked into. Stretches that are holes in both
//! files are not read at all. Memory does not grow with the files: two windows and a bounded list.

use super::alignment::{Alignment, ByteRun};
use crate::engine::file::{ReadAt, Windows};
use crate::engine::report::diff::RunKind;
use crate::engine::{Context, Result};
use rustix::fs::SeekFrom;

/// At most this many bytes of each file are held at once.
const WINDOW: u64 = 1 << 20;
/// Within a differing window, stretches of this many bytes are compared before single bytes are.
const STRETCH: usize = 256;

/// What a scan came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Bytes of each file that were compared.
    pub compared: u64,
    /// Bytes of each file that needed no reading: holes of both, or one and the same extent.
    pub skipped: u64,
}

/// Takes the changed runs of a stretch: by place, none touching another of the same stretch.
pub type Found<'a> = &'a mut dyn FnMut(&[ByteRun]);

/// Compares the pairs of `alignment`, and hands the changed runs to `found`, stretch by stretch. A run that reaches over the
/// edge of a stretch comes in two. Counts every byte of the pairs on `context`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a file shrinks meanwhile, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`].
pub fn scan(a: &Windows, b: &Windows, alignment: &Alignment, found: Found<'_>, context: &Context) -> Result<Scanned> {
    context.expect(alignment.paired());
    let mut scanned = Scanned::default();
    let longest = alignment.pairs.iter().map(|pair| pair.len).max().unwrap_or(0);
    let room = usize::try_from(WINDOW.min(longest)).unwrap_or_default();
    let (mut ours, mut theirs) = (vec![0; room], vec![0; room]);
    for pair in &alignment.pairs {
        let mut done = 0;
        while done < pair.len {
            let left = pair.len - done;
            let hole = (data_after(a, pair.a + done, left)).min(data_after(b, pair.b + done, left));
            if hole > 0 {
                scanned.skipped += hole;
                context.advance(hole)?;
                done += hole;
                continue;
            }
            let data = hole_after(a, pair.a + done, left).max(hole_after(b, pair.b + done, left)).max(1);
            let length = data.min(WINDOW);
            let size = usize::try_from(length).unwrap_or_default();
            if let (Some(ours), Some(theirs)) = (ours.get_mut(..size), theirs.get_mut(..size)) {
                a.read_at(pair.a + done, ours)?;
                b.read_at(pair.b + done, theirs)?;
                if ours != theirs {
                    found(&differing(pair.a + done, pair.b + done, ours, theirs));
                }
            }
            scanned.compared += length;
            done += length;
            context.advance(length)?;
        }
    }
    Ok(scanned)
}

/// The runs of bytes that differ.
fn differing(a: u64, b: u64, ours: &[u8], theirs: &[u8]) -> Vec<ByteRun> {
    let mut runs: Vec<ByteRun> = Vec::new();
    for (number, (ours, theirs)) in ours.chunks(STRETCH).zip(theirs.chunks(STRETCH)).enumerate() {
        if ours == theirs {
            continue;
        }
        let start = (number * STRETCH) as u64;
        for (into, _) in ours.iter().zip(theirs).enumerate().filter(|(_, (one, other))| one != other) {
            let at = a + start + into as u64;
            match runs.last_mut() {
                Some(run) if run.a + run.len == at => run.len += 1,
                _ => runs.push(ByteRun { kind: RunKind::Changed, a: at, b: b + start + into as u64, len: 1 }),
            }
        }
    }
    runs
}

/// How many bytes from `offset` on lie in a hole, at most `most`; none where the filesystem can't tell.
fn data_after(file: &Windows, offset: u64, most: u64) -> u64 {
    match rustix::fs::seek(file.file(), SeekFrom::Data(offset)) {
        Ok(start) => start.saturating_sub(offset).min(most),
        Err(rustix::io::Errno::NXIO) => most,
        Err(_) => 0,
    }
}

/// How many bytes from `offset` on lie before the next hole, at most `most`.
fn hole_after(file: &Windows, offset: u64, most: u64) -> u64 {
    rustix::fs::seek(file.file(), SeekFrom::Hole(offset)).map_or(most, |hole| hole.saturating_sub(offset).min(most))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::compare::listed::Listed;
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
        let (context, mut listed) = (Context::new(), Listed::new(size, size));
        let found = &mut |found: &[ByteRun]| listed.add(found.iter().copied());
        let scan = scan(&a, &b, &Alignment::by_offset(size, size), found, &context).unwrap();
        let expected = [(edge - 2, 4), (20 * WINDOW, 1), (size - 1, 1)];
        assert_eq!(listed.runs().iter().map(|run| (run.a, run.len)).collect::<Vec<_>>(), expected);
        assert_eq!(scan.compared + scan.skipped, size);
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
        assert!(matches!(
            scan(&a, &a, &Alignment::by_offset(10, 10), &mut |_| (), &context),
            Err(crate::engine::Error::Cancelled)
        ));
    }
}
