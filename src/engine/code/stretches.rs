//! Code cut into stretches: the bytes of one function, or those between two functions.
//!
//! Decoding begins anew at each stretch, so that what is no code (padding, tables) can't lead it astray for long. Chunks of
//! stretches are what threads share out among themselves: a chunk never begins within a function.

use super::functions::Function;
use super::places::Place;

/// How many bytes a chunk has at least, unless its place ends.
const CHUNK: u64 = 1 << 20;
/// Of functions that lie within each other, this many are remembered.
const DEEPEST: usize = 64;

/// A run of code that is decoded in one go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stretch {
    /// The address of its first byte.
    pub(super) start: u64,
    /// The address behind its last byte.
    pub(super) end: u64,
    /// The number of the function that it belongs to: the innermost; `None` between functions.
    pub(super) owner: Option<usize>,
}

/// A part of a place that is read by one thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Chunk {
    /// The number of its place.
    pub(super) place: usize,
    /// The address of its first byte.
    pub(super) start: u64,
    /// The address behind its last byte.
    pub(super) end: u64,
    /// The number of the first function that does not begin before it.
    pub(super) first: usize,
}

/// The chunks of `places`, by address.
pub(super) fn chunks(places: &[Place], functions: &[Function]) -> Vec<Chunk> {
    let mut chunks = Vec::new();
    for (number, place) in places.iter().enumerate() {
        let first = functions.partition_point(|function| function.start < place.address);
        let mut open = Chunk { place: number, start: place.address, end: place.end(), first };
        let mut stretches = Stretches::new(&open, functions);
        while let Some(stretch) = stretches.next() {
            // Whatever encloses the next function would be cut in two.
            let apart = stretches.inside.len() <= usize::from(stretch.owner.is_some());
            let begins = stretch.owner.and_then(|owner| functions.get(owner));
            let begins = begins.is_none_or(|function| function.start == stretch.start);
            if apart && begins && stretch.start - open.start >= CHUNK {
                let first = stretch.owner.unwrap_or(stretches.next);
                chunks.push(Chunk { end: stretch.start, ..open });
                open = Chunk { start: stretch.start, first, ..open };
            }
        }
        chunks.push(open);
    }
    chunks
}

/// The stretches of a chunk, by address; together they are the chunk.
pub(super) struct Stretches<'a> {
    functions: &'a [Function],
    at: u64,
    end: u64,
    next: usize,
    /// The functions in which `at` lies, the innermost last, with their ends.
    inside: Vec<(usize, u64)>,
}

impl<'a> Stretches<'a> {
    pub(super) fn new(chunk: &Chunk, functions: &'a [Function]) -> Self {
        Self { functions, at: chunk.start, end: chunk.end, next: chunk.first, inside: Vec::new() }
    }
}

impl Iterator for Stretches<'_> {
    type Item = Stretch;

    fn next(&mut self) -> Option<Stretch> {
        if self.at >= self.end {
            return None;
        }
        while self.inside.last().is_some_and(|(_, end)| *end <= self.at) {
            self.inside.pop();
        }
        while let Some(function) = self.functions.get(self.next).filter(|function| function.start <= self.at) {
            if function.end() > self.at {
                if self.inside.len() == DEEPEST {
                    self.inside.pop();
                }
                self.inside.push((self.next, function.end()));
            }
            self.next += 1;
        }
        let upcoming = self.functions.get(self.next).map_or(self.end, |function| function.start);
        let innermost = self.inside.last();
        let end = self.end.min(upcoming).min(innermost.map_or(u64::MAX, |(_, end)| *end));
        let stretch = Stretch { start: self.at, end, owner: innermost.map(|(owner, _)| *owner) };
        self.at = end;
        Some(stretch)
    }
}

#[cfg(test)]
mod tests {
    use super::super::functions::function;
    use super::*;

    #[test]
    fn stretches_cover_their_chunk_and_name_the_innermost_function() {
        let functions = [function(4, 10), function(6, 2), function(20, 2), function(22, 100)];
        let chunk = Chunk { place: 0, start: 0, end: 30, first: 0 };
        let found: Vec<_> = Stretches::new(&chunk, &functions).map(|one| (one.start, one.end, one.owner)).collect();
        let expected = [
            (0, 4, None),
            (4, 6, Some(0)),
            (6, 8, Some(1)),
            (8, 14, Some(0)),
            (14, 20, None),
            (20, 22, Some(2)),
            (22, 30, Some(3)),
        ];
        assert_eq!(found, expected);
    }

    #[test]
    fn chunks_join_without_a_seam_and_never_begin_within_a_function() {
        let functions: Vec<Function> = (0..400).map(|number| function(number * 10_000, 9_000)).collect();
        let mut functions = functions;
        functions.insert(106, function(1_050_100, 2_000_000));
        let places = [Place { address: 0, offset: 0, length: 4_100_000, stubs: false }];
        let all = Chunk { place: 0, start: 0, end: 4_100_000, first: 0 };
        let whole: Vec<Stretch> = Stretches::new(&all, &functions).collect();
        let chunks = chunks(&places, &functions);
        assert!(chunks.len() > 1);
        let parts: Vec<Stretch> = chunks.iter().flat_map(|chunk| Stretches::new(chunk, &functions)).collect();
        assert_eq!(parts, whole);
    }
}
