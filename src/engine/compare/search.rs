//! Searching both files for bytes from a place on, forwards or backwards, round the end: through windows of 1 MiB, whatever
//! the sizes.

use super::aligned::{Aligned, Place, Which};
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};
use memchr::memmem::{Finder, FinderRev};
use std::ops::Range;

/// Bytes that are searched at once, besides the overlap.
const WINDOW: u64 = 1 << 20;
/// Bytes of the first file after which what was found in both is compared.
const STEP: u64 = 16 << 20;
/// More bytes than this are not searched for.
pub const LONGEST_NEEDLE: usize = 4096;

/// Which way.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Direction {
    /// Towards the end.
    Forward,
    /// Towards the beginning.
    Backward,
}

/// What is searched for, and from where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Query {
    /// The bytes; nothing is found of none, nor of more than [`LONGEST_NEEDLE`].
    pub needle: Vec<u8>,
    /// The file that is searched; both when it is not said.
    pub which: Option<Which>,
    /// Where the search begins; backwards, what begins there is not found.
    pub from: Place,
    /// Which way.
    pub direction: Direction,
}

/// Where it was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Match {
    /// In which file; the first one where both have it there.
    pub which: Which,
    /// At which offset.
    pub offset: u64,
    /// Whether both have it there.
    pub in_both: bool,
    /// Whether the search went round the end.
    pub is_round: bool,
}

/// The next match of `query` in `a` and `b`, on the walk through both. Counts the bytes of both files on `context`.
///
/// # Errors
/// [`crate::engine::Error::Io`], [`crate::engine::Error::Malformed`] when a file shrinks meanwhile,
/// [`crate::engine::Error::Cancelled`].
pub fn search(
    a: &dyn ReadAt,
    b: &dyn ReadAt,
    aligned: &Aligned,
    query: &Query,
    context: &Context,
) -> Result<Option<Match>> {
    if query.needle.is_empty() || query.needle.len() > LONGEST_NEEDLE {
        return Ok(None);
    }
    let files = [(Which::A, a), (Which::B, b)];
    let files = files.into_iter().filter(|(which, _)| query.which.is_none_or(|only| only == *which));
    let files: Vec<(Which, &dyn ReadAt)> = files.collect();
    files.iter().for_each(|(_, file)| context.expect(file.size()));
    let walk = Walk { files, aligned, query, context };
    let (start, end) = (Place::default(), aligned.end());
    let legs = match query.direction {
        Direction::Forward => [(query.from, end), (start, query.from)],
        Direction::Backward => [(start, query.from), (query.from, end)],
    };
    for (number, (from, to)) in legs.into_iter().enumerate() {
        if let Some((which, offset, in_both)) = walk.leg(from, to)? {
            return Ok(Some(Match { which, offset, in_both, is_round: number > 0 }));
        }
    }
    Ok(None)
}

struct Walk<'a> {
    files: Vec<(Which, &'a dyn ReadAt)>,
    aligned: &'a Aligned,
    query: &'a Query,
    context: &'a Context,
}

impl Walk<'_> {
    /// The first or last match between two places, step by step.
    fn leg(&self, from: Place, to: Place) -> Result<Option<(Which, u64, bool)>> {
        let (mut from, mut to) = (from, to);
        while from.number() < to.number() {
            let (step, next) = match self.query.direction {
                Direction::Forward => {
                    let stop = self.aligned.place(Which::A, from.a.saturating_add(STEP));
                    let stop = if stop.number() < to.number() { stop } else { to };
                    ((from, stop), (stop, to))
                }
                Direction::Backward => {
                    let stop = self.aligned.place(Which::A, to.a.saturating_sub(STEP));
                    let stop = if to.a > STEP && stop.number() > from.number() { stop } else { from };
                    ((stop, to), (from, stop))
                }
            };
            if let Some(found) = self.step(step.0, step.1)? {
                return Ok(Some(found));
            }
            (from, to) = next;
        }
        Ok(None)
    }

    fn step(&self, from: Place, to: Place) -> Result<Option<(Which, u64, bool)>> {
        let mut found: Vec<(u64, Which, u64)> = Vec::new();
        for (which, file) in &self.files {
            let range = from.of(*which)..to.of(*which);
            if let Some(offset) = find(*file, &self.query.needle, range, self.query.direction, self.context)? {
                found.push((self.aligned.place(*which, offset).number(), *which, offset));
            }
        }
        found.sort_unstable();
        let in_both = matches!(found.as_slice(), [one, other] if one.0 == other.0);
        let best = match self.query.direction {
            Direction::Forward => found.first(),
            Direction::Backward if in_both => found.first(),
            Direction::Backward => found.last(),
        };
        Ok(best.map(|(_, which, offset)| (*which, *offset, in_both)))
    }
}

/// The first match of `needle` that begins within `range`, or the last one.
///
/// # Errors
/// As [`search`].
pub fn find(
    source: &dyn ReadAt,
    needle: &[u8],
    range: Range<u64>,
    direction: Direction,
    context: &Context,
) -> Result<Option<u64>> {
    let overlap = (needle.len() as u64).saturating_sub(1);
    let (mut start, mut end) = (range.start, range.end.min(source.size()));
    let (forward, backward) = (Finder::new(needle), FinderRev::new(needle));
    while start < end {
        let length = (end - start).min(WINDOW);
        let at = if direction == Direction::Forward { start } else { end - length };
        // A match may begin in the window and end behind it.
        let more = (length + overlap).min(source.size() - at);
        let bytes = source.bytes(at, more)?;
        let found = match direction {
            Direction::Forward => forward.find(&bytes),
            Direction::Backward => backward.rfind(&bytes),
        };
        if let Some(into) = found {
            return Ok(Some(at + into as u64));
        }
        match direction {
            Direction::Forward => start += length,
            Direction::Backward => end -= length,
        }
        context.advance(length)?;
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::super::aligned::tests::document;
    use super::*;
    use crate::engine::file::MemoryBytes;
    use crate::engine::report::diff::RunKind;

    fn file(size: u64, places: &[u64]) -> MemoryBytes {
        let mut bytes = vec![0; size as usize];
        for place in places {
            bytes[*place as usize..*place as usize + 6].copy_from_slice(b"needle");
        }
        MemoryBytes::new("a".into(), bytes)
    }

    #[test]
    fn a_match_over_the_edge_of_a_window_is_found_from_both_sides() {
        for place in [0, WINDOW - 6, WINDOW - 5, WINDOW - 1, WINDOW, 2 * WINDOW - 3, 3 * WINDOW - 6] {
            let source = file(3 * WINDOW, &[place]);
            for direction in [Direction::Forward, Direction::Backward] {
                let found = |range| find(&source, b"needle", range, direction, &Context::new()).unwrap();
                assert_eq!(found(0..3 * WINDOW), Some(place), "{place} {direction:?}");
                assert_eq!(found(place..place + 1), Some(place));
                assert_eq!((found(0..place), found(place + 1..3 * WINDOW)), (None, None));
            }
        }
        let cancelled = Context::new();
        cancelled.cancel();
        assert!(find(&file(9, &[]), b"x", 0..9, Direction::Forward, &cancelled).is_err());
    }

    #[test]
    fn both_files_are_searched_on_one_walk_and_round_the_end() {
        let (big, size) = (20 << 20, 40 << 20);
        // Inserted: 1 MiB at 20 MiB, with a needle of its own.
        let aligned = Aligned::of(&document(size, size + WINDOW, &[(RunKind::Inserted, big, big, WINDOW)]));
        let a = file(size, &[100, big + 50]);
        let b = file(size + WINDOW, &[100, big + 7, big + WINDOW + 50, big + WINDOW + 90]);
        let mut query =
            Query { needle: b"needle".to_vec(), which: None, from: Place::default(), direction: Direction::Forward };
        let walk = |query: &mut Query| {
            let found = search(&a, &b, &aligned, query, &Context::new()).unwrap().unwrap();
            let place = aligned.place(found.which, found.offset);
            let on = u64::from(query.direction == Direction::Forward);
            query.from = match aligned.piece(place.number()).unwrap().is_paired() {
                true => Place { a: place.a + on, b: place.b + on },
                false => Place { a: place.a, b: place.b + on },
            };
            (found.which, found.offset, found.in_both, found.is_round)
        };
        let all = [
            (Which::A, 100, true),
            (Which::B, big + 7, false),
            (Which::A, big + 50, true),
            (Which::B, big + WINDOW + 90, false),
        ];
        for (which, offset, in_both) in all {
            assert_eq!(walk(&mut query), (which, offset, in_both, false));
        }
        assert_eq!(walk(&mut query), (Which::A, 100, true, true));
        query.direction = Direction::Backward;
        query.from = aligned.end();
        for (which, offset, in_both) in all.into_iter().rev() {
            assert_eq!(walk(&mut query), (which, offset, in_both, false));
        }
        assert_eq!(walk(&mut query), (Which::B, big + WINDOW + 90, false, true));
        query.needle.clear();
        assert_eq!(search(&a, &b, &aligned, &query, &Context::new()).unwrap(), None);
    }
}
