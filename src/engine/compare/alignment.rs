//! Which bytes of one file belong to which of the other: pairs of stretches of equal length, in the order of both files.
//!
//! What lies in no pair was inserted or removed. How pairs are found is the matter of `align`; here they are asked.

use crate::engine::report::diff::{AlignedBy, RunKind};

/// A stretch of each file, equally long, that belong together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// Where it begins in the first file.
    pub a: u64,
    /// Where it begins in the second file.
    pub b: u64,
    /// Its length in bytes.
    pub len: u64,
}

/// The pairs of two files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Alignment {
    /// By what they were found.
    pub by: AlignedBy,
    /// The size of the first file in bytes.
    pub a_size: u64,
    /// The size of the second file in bytes.
    pub b_size: u64,
    /// The pairs: none empty, in the order of both files, none on another.
    pub pairs: Vec<Pair>,
    /// Stretches that belong together and stand in another order: they count as removed here and inserted there.
    pub moved: Vec<Pair>,
}

/// A run of bytes that differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ByteRun {
    /// What happened to them.
    pub kind: RunKind,
    /// Where it begins in the first file; for inserted bytes, the place before which they stand.
    pub a: u64,
    /// Where it begins in the second file; for removed bytes, the place before which they stood.
    pub b: u64,
    /// Its length in bytes.
    pub len: u64,
}

impl ByteRun {
    /// Where it begins: in the first file, but for inserted bytes in the second.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        if matches!(self.kind, RunKind::Inserted) { self.b } else { self.a }
    }

    /// Where it ends in the first file and in the second.
    #[must_use]
    pub const fn ends(&self) -> (u64, u64) {
        match self.kind {
            RunKind::Changed => (self.a + self.len, self.b + self.len),
            RunKind::Inserted => (self.a, self.b + self.len),
            RunKind::Removed => (self.a + self.len, self.b),
        }
    }
}

impl Alignment {
    /// Every byte belongs to the one at its own offset.
    #[must_use]
    pub fn by_offset(a_size: u64, b_size: u64) -> Self {
        let len = a_size.min(b_size);
        let pairs = if len == 0 { Vec::new() } else { vec![Pair { a: 0, b: 0, len }] };
        Self { by: AlignedBy::Offset, a_size, b_size, pairs, moved: Vec::new() }
    }

    /// The bytes that are in pairs.
    #[must_use]
    pub fn paired(&self) -> u64 {
        self.pairs.iter().map(|pair| pair.len).sum()
    }

    /// What lies in no pair before the pair `index`, and behind the one before it; for the number of pairs, what lies behind
    /// the last. Where both files have something, what was removed comes first.
    pub fn unpaired_before(&self, index: usize) -> impl Iterator<Item = ByteRun> + use<> {
        let (a, b) = match index.checked_sub(1).and_then(|before| self.pairs.get(before)) {
            Some(pair) => (pair.a + pair.len, pair.b + pair.len),
            None => (0, 0),
        };
        let (next_a, next_b) = self.pairs.get(index).map_or((self.a_size, self.b_size), |pair| (pair.a, pair.b));
        let removed = ByteRun { kind: RunKind::Removed, a, b, len: next_a.saturating_sub(a) };
        let inserted = ByteRun { kind: RunKind::Inserted, a: next_a, b, len: next_b.saturating_sub(b) };
        [removed, inserted].into_iter().filter(|run| run.len > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_no_pair_was_removed_or_inserted() {
        let pairs = vec![Pair { a: 0, b: 4, len: 10 }, Pair { a: 12, b: 14, len: 3 }];
        let alignment = Alignment { by: AlignedBy::Structure, a_size: 15, b_size: 20, pairs, moved: Vec::new() };
        let found: Vec<_> = (0..=2)
            .flat_map(|index| alignment.unpaired_before(index))
            .map(|run| (run.kind, run.a, run.b, run.len))
            .collect();
        let expected = [(RunKind::Inserted, 0, 0, 4), (RunKind::Removed, 10, 14, 2), (RunKind::Inserted, 15, 17, 3)];
        assert_eq!(found, expected);
        assert_eq!(alignment.paired(), 13);
        assert_eq!(Alignment::by_offset(0, 3).unpaired_before(0).next().map(|run| run.len), Some(3));
    }
}
