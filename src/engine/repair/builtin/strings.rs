//! The dynamic string table of an edit: strings that stay keep their indexes; new ones go where nobody refers to, then
//! behind the table.

use crate::engine::binary::Name;
use memchr::{memchr, memmem};
use std::ops::Range;

/// The string table as it shall be.
#[derive(Debug, Clone)]
pub(super) struct NewStrings<'a> {
    old: &'a [u8],
    bytes: Vec<u8>,
    unused: Vec<Range<usize>>,
    written: Vec<Range<usize>>,
    count: usize,
    free: u64,
}

impl<'a> NewStrings<'a> {
    /// The table `old`, of which the strings at the sorted indexes `kept` stay; all of it when that is not known.
    pub fn new(old: &'a [u8], kept: Option<&[u32]>) -> Self {
        let mut bytes = old.to_vec();
        let mut unused = kept.map_or_else(Vec::new, |kept| gaps(old, kept));
        // An unfinished last string must not run on into the first new one.
        if unused.last().is_none_or(|last| last.end != old.len()) && old.last().is_some_and(|last| *last != 0) {
            bytes.push(0);
        }
        unused.retain(|range| range.len() > 1);
        let free = unused.iter().map(|range| range.len() as u64).sum();
        Self { old, bytes, unused, written: Vec::new(), count: 0, free }
    }

    /// The index of `name`: that of an equal string or of a string's equal end, else that of a new one.
    pub fn index_of(&mut self, name: &Name) -> u64 {
        let mut wanted = name.as_bytes().to_vec();
        wanted.push(0);
        if let Some(found) = memmem::find(&self.bytes, &wanted) {
            // Given up or not, it stands there: from now on it is referred to.
            self.take(found..found + wanted.len());
            return found as u64;
        }
        self.count += 1;
        let fitting = self.unused.iter().filter(|range| range.len() >= wanted.len());
        let place = fitting.min_by_key(|range| range.len()).cloned();
        // What is unused at the table's end can be grown over.
        let tail = self.unused.last().filter(|range| range.end == self.bytes.len()).cloned();
        let start = match (place, tail) {
            (Some(range), _) => range.start,
            (None, Some(range)) => range.start,
            (None, None) => self.bytes.len(),
        };
        let range = start..start + wanted.len();
        if self.bytes.len() < range.end {
            self.bytes.resize(range.end, 0);
        }
        if let Some(place) = self.bytes.get_mut(range.clone()) {
            place.copy_from_slice(&wanted);
        }
        self.take(range.clone());
        self.written.push(range);
        start as u64
    }

    /// Takes `range` out of what is unused.
    fn take(&mut self, range: Range<usize>) {
        let mut left = Vec::new();
        for unused in self.unused.drain(..) {
            left.extend([unused.start..unused.end.min(range.start), unused.start.max(range.end)..unused.end]);
        }
        left.retain(|range| range.start < range.end && range.len() > 1);
        self.unused = left;
    }

    /// The ranges of the old table that change, with what they shall be; not what is behind it.
    pub fn changed(&self) -> impl Iterator<Item = (u64, &[u8])> {
        let end = self.old.len();
        self.written.iter().filter_map(move |range| {
            let inside = range.start..range.end.min(end);
            let bytes = self.bytes.get(inside.clone()).filter(|bytes| !bytes.is_empty())?;
            (self.old.get(inside) != Some(bytes)).then_some((range.start as u64, bytes))
        })
    }

    /// The bytes behind the old table.
    pub fn added(&self) -> &[u8] {
        self.bytes.get(self.old.len()..).unwrap_or_default()
    }

    /// How many strings are new.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The bytes of the old table that nobody referred to before strings were added.
    pub fn unused(&self) -> u64 {
        self.free
    }

    /// The bytes that the new strings take.
    pub fn length(&self) -> u64 {
        self.written.iter().map(|range| range.len() as u64).sum()
    }

    /// The whole table's length in bytes.
    pub fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    /// The whole table.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// The ranges of `old` that no string at one of the sorted indexes `kept` covers.
fn gaps(old: &[u8], kept: &[u32]) -> Vec<Range<usize>> {
    let (mut gaps, mut covered) = (Vec::new(), 0);
    for &index in kept {
        let start = index as usize;
        if start < covered {
            continue;
        }
        let Some(rest) = old.get(start..) else { break };
        if start > covered {
            gaps.push(covered..start);
        }
        covered = start + memchr(0, rest).map_or(rest.len(), |length| length + 1);
    }
    if covered < old.len() {
        gaps.push(covered..old.len());
    }
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_is_there_is_not_added_again() {
        let mut strings = NewStrings::new(b"\0libgreet.so.1\0", None);
        assert_eq!(strings.index_of(&"libgreet.so.1".into()), 1);
        assert_eq!(strings.index_of(&"greet.so.1".into()), 4);
        assert_eq!(strings.index_of(&"".into()), 0);
        assert_eq!(strings.count(), 0);
        assert_eq!(strings.index_of(&"libgreet".into()), 15);
        assert_eq!(strings.index_of(&"greet".into()), 18);
        assert_eq!((strings.count(), strings.size()), (1, 24));
        assert_eq!(strings.added(), b"libgreet\0");
    }

    #[test]
    fn an_unfinished_string_ends_where_the_table_ended() {
        let mut strings = NewStrings::new(b"\0open", None);
        assert_eq!(strings.index_of(&"new".into()), 6);
        assert_eq!(strings.bytes(), b"\0open\0new\0");
    }

    #[test]
    fn what_nobody_refers_to_is_written_over() {
        let old = b"\0/a/long/path\0puts\0/old/end\0";
        let mut strings = NewStrings::new(old, Some(&[0, 14]));
        assert_eq!(strings.unused(), 13 + 9);
        assert_eq!(strings.index_of(&"/short".into()), 19, "the smallest place that fits");
        assert_eq!(strings.index_of(&"/a/new/path".into()), 1);
        assert_eq!((strings.size(), strings.added().len()), (28, 0));
        assert_eq!(strings.bytes(), b"\0/a/new/path\0\0puts\0/short\0d\0");
        let changed: Vec<_> = strings.changed().collect();
        assert_eq!(changed, [(19, &b"/short\0"[..]), (1, &b"/a/new/path\0"[..])]);
    }

    #[test]
    fn the_unused_end_is_grown_over() {
        let mut strings = NewStrings::new(b"\0puts\0/old\0", Some(&[0, 1]));
        assert_eq!(strings.index_of(&"/a/longer/one".into()), 6);
        assert_eq!(strings.bytes(), b"\0puts\0/a/longer/one\0");
        assert_eq!(strings.added(), b"nger/one\0");
    }

    #[test]
    fn a_kept_end_of_a_given_up_string_stays() {
        let mut strings = NewStrings::new(b"\0libputs\0x\0", Some(&[0, 4, 9]));
        assert_eq!(strings.unused(), 3);
        assert_eq!(strings.index_of(&"puts".into()), 4);
        assert_eq!(strings.index_of(&"ab".into()), 1);
        assert_eq!(strings.bytes(), b"\0ab\0puts\0x\0");
    }

    #[test]
    fn a_string_given_up_and_wanted_again_is_taken_up() {
        let mut strings = NewStrings::new(b"\0/old\0x\0", Some(&[0, 6]));
        assert_eq!(strings.index_of(&"/old".into()), 1);
        assert_eq!((strings.count(), strings.size()), (0, 8));
        assert_eq!(strings.index_of(&"ab".into()), 8, "and no longer free");
    }
}
