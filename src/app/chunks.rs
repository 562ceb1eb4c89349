//! The bytes of the two compared files that were read for the screen: a few pieces of each, never a whole file.

use crate::engine::compare::{Row, Which};
use std::collections::BTreeMap;

/// A piece's place: the file, and which piece of it.
pub type ChunkId = (Which, u64);

/// More pieces than this are not kept: 4 MiB.
const MOST: usize = 1024;

/// Pieces of both files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Chunks {
    held: BTreeMap<ChunkId, Vec<u8>>,
}

impl Chunks {
    /// The bytes of a piece.
    pub const LENGTH: u64 = 4096;

    /// The byte of `which` at `offset`; `None` when it was not read, or lies behind the end.
    #[must_use]
    pub fn byte(&self, which: Which, offset: u64) -> Option<u8> {
        let chunk = self.held.get(&(which, offset / Self::LENGTH))?;
        chunk.get(usize::try_from(offset % Self::LENGTH).ok()?).copied()
    }

    /// The pieces that `rows` need and that are not held.
    #[must_use]
    pub fn missing(&self, rows: &[Row]) -> Vec<ChunkId> {
        let mut missing = Vec::new();
        for row in rows.iter().filter(|row| !row.is_squeezed) {
            for (which, start, len) in [(Which::A, row.at.a, row.a_len), (Which::B, row.at.b, row.b_len)] {
                if len == 0 {
                    continue;
                }
                let last = start.saturating_add(len - 1) / Self::LENGTH;
                missing.extend((start / Self::LENGTH..=last).map(|number| (which, number)));
            }
        }
        missing.sort_unstable();
        missing.dedup();
        missing.retain(|id| !self.held.contains_key(id));
        missing
    }

    /// Takes what was read; where that becomes too much, what was read before is let go.
    pub fn take(&mut self, read: &[(ChunkId, Vec<u8>)]) {
        if self.held.len() + read.len() > MOST {
            self.held.clear();
        }
        self.held.extend(read.iter().cloned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::compare::Place;

    #[test]
    fn rows_need_the_pieces_that_they_touch() {
        let mut chunks = Chunks::default();
        let row = |a, a_len, b, b_len| Row { at: Place { a, b }, a_len, b_len, column: 0, is_squeezed: false };
        let rows = [row(4090, 16, 4106, 16), row(1 << 33, 0, 1 << 33, 4)];
        let all = [(Which::A, 0), (Which::A, 1), (Which::B, 1), (Which::B, 1 << 21)];
        assert_eq!(chunks.missing(&rows), all);
        chunks.take(&[((Which::A, 0), vec![7; 4096]), ((Which::B, 1), vec![8; 11])]);
        assert_eq!(chunks.missing(&rows), [(Which::A, 1), (Which::B, 1 << 21)]);
        assert_eq!((chunks.byte(Which::A, 4095), chunks.byte(Which::A, 4096)), (Some(7), None));
        assert_eq!((chunks.byte(Which::B, 4106), chunks.byte(Which::B, 4107)), (Some(8), None), "the file ends there");
        chunks.take(&(0..1024).map(|number| ((Which::A, number + 9), Vec::new())).collect::<Vec<_>>());
        assert_eq!(chunks.byte(Which::A, 4095), None, "let go");
    }
}
