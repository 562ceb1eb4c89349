//! What is equal without being read: holes of both files, and extents that they share.
//!
//! Both are asked for as the comparison comes along, a batch at a time, so that nothing grows with the files. A comparison
//! that goes back to an earlier place asks again.

use crate::engine::file::{Extent, ReadAt, Unwritten, Windows, extents_from, may_share};
use rustix::fs::SeekFrom;

/// A stretch that is equal but shorter than this is read all the same: a window of its own costs more.
const WORTH_SKIPPING: u64 = 32 << 10;
/// A stretch to be read is followed no farther than this at once.
const FAR_ENOUGH: u64 = 4 << 20;
/// At most this many small stretches are gone through at once.
const MOST_STEPS: usize = 4096;

/// How a stretch of both files is to be taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stretch {
    /// This many bytes are the same in both.
    Equal(u64),
    /// This many bytes have to be read.
    Unknown(u64),
}

/// What the filesystem says about both files.
#[derive(Debug)]
pub struct Known<'a> {
    a: Side<'a>,
    b: Side<'a>,
    sharing: Sharing,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sharing {
    /// They share nothing, or nobody can say.
    Not,
    /// They may; what was asked so far may be of old bytes.
    Perhaps,
    /// Everything was written before it was asked for.
    Surely,
}

#[derive(Debug)]
struct Side<'a> {
    source: &'a Windows,
    /// The stretch of data or hole that was asked for last.
    data: (u64, u64, bool),
    extents: Vec<Extent>,
    /// From where to where `extents` tell everything.
    covered: (u64, u64),
}

impl<'a> Known<'a> {
    /// Nothing asked yet.
    #[must_use]
    pub fn new(a: &'a Windows, b: &'a Windows) -> Self {
        let sharing = if may_share(a.file(), b.file()) { Sharing::Perhaps } else { Sharing::Not };
        Self { a: Side::new(a), b: Side::new(b), sharing }
    }

    /// How the bytes from `a` and `b` on are to be taken, at most `most` of them, which is not 0.
    pub fn stretch(&mut self, a: u64, b: u64, most: u64) -> Stretch {
        let mut length = self.equal(a, b, most);
        if length >= WORTH_SKIPPING {
            return Stretch::Equal(length);
        }
        let most = most.min(FAR_ENOUGH);
        while length < most {
            let (step, is_equal) = self.step(a + length, b + length, most - length);
            if is_equal {
                let equal = self.equal(a + length, b + length, most - length);
                if equal >= WORTH_SKIPPING {
                    break;
                }
                length += equal.max(step);
            } else {
                length += step;
            }
        }
        Stretch::Unknown(length.min(most))
    }

    /// How many bytes from there on are equal.
    fn equal(&mut self, a: u64, b: u64, most: u64) -> u64 {
        let mut length = 0;
        for _ in 0..MOST_STEPS {
            if length >= most {
                break;
            }
            match self.step(a + length, b + length, most - length) {
                (step, true) => length += step,
                (_, false) => break,
            }
        }
        length
    }

    /// How far one answer holds, and whether it is that the bytes are equal.
    fn step(&mut self, a: u64, b: u64, most: u64) -> (u64, bool) {
        let (ours, theirs) = (self.a.data_at(a), self.b.data_at(b));
        let most = most.min(ours.0 - a).min(theirs.0 - b);
        if (ours.1 && theirs.1) || self.sharing == Sharing::Not {
            return (most, ours.1 && theirs.1);
        }
        loop {
            let unwritten = if self.sharing == Sharing::Surely { Unwritten::WrittenFirst } else { Unwritten::Left };
            let (Some(ours), Some(theirs)) = (self.a.extent_at(a, unwritten), self.b.extent_at(b, unwritten)) else {
                self.sharing = Sharing::Not;
                return (most, false);
            };
            let is_same = ours.1.is_some() && ours.1 == theirs.1;
            if is_same && self.sharing == Sharing::Perhaps {
                self.sharing = Sharing::Surely;
                (self.a.covered, self.b.covered) = ((0, 0), (0, 0));
                continue;
            }
            return (most.min(ours.0 - a).min(theirs.0 - b), is_same);
        }
    }
}

impl<'a> Side<'a> {
    fn new(source: &'a Windows) -> Self {
        Self { source, data: (0, 0, false), extents: Vec::new(), covered: (0, 0) }
    }

    /// How far what is at `offset` goes, always behind it, and whether it is a hole. Everything is data where the
    /// filesystem can't tell.
    fn data_at(&mut self, offset: u64) -> (u64, bool) {
        let (start, end, is_hole) = self.data;
        if start <= offset && offset < end {
            return (end, is_hole);
        }
        let file = self.source.file();
        let (end, is_hole) = match rustix::fs::seek(file, SeekFrom::Data(offset)) {
            Ok(data) if data > offset => (data, true),
            Ok(_) => (rustix::fs::seek(file, SeekFrom::Hole(offset)).unwrap_or(u64::MAX), false),
            // A hole to the end, unless the end is no longer where it was: then reading it must fail.
            Err(rustix::io::Errno::NXIO) => {
                (u64::MAX, file.metadata().is_ok_and(|metadata| metadata.len() >= self.source.size()))
            }
            Err(_) => (u64::MAX, false),
        };
        self.data = (offset, end.max(offset + 1), is_hole);
        (self.data.1, is_hole)
    }

    /// How far the extent at `offset` goes, always behind it, and where the byte at `offset` lies.
    fn extent_at(&mut self, offset: u64, unwritten: Unwritten) -> Option<(u64, Option<u64>)> {
        if offset < self.covered.0 || offset >= self.covered.1 {
            self.extents = extents_from(self.source.file(), offset, unwritten)?;
            let end = self.extents.last().map_or(u64::MAX, |extent| extent.end);
            self.covered = (offset, end.max(offset + 1));
        }
        let after = self.extents.partition_point(|extent| extent.end <= offset);
        match self.extents.get(after) {
            Some(extent) if extent.start <= offset => {
                Some((extent.end, extent.physical.map(|physical| physical.saturating_add(offset - extent.start))))
            }
            Some(extent) => Some((extent.start, None)),
            None => Some((self.covered.1, None)),
        }
    }
}
