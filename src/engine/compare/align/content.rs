//! Two stretches of bytes set against each other by what they are.
//!
//! What they begin and end with is found first, which is exact where one thing was inserted or removed. The middle is cut into
//! chunks by content, and the heaviest chain of equal ones is set against each other; what lies between them again with smaller
//! chunks, and short stretches around sequences that both hold once. Where nothing is alike, as many bytes of one as of the
//! other belong together by their place; of stretches of different length only if a good part of them is equal so.
//!
//! Memory is bounded: the chunks grow with the stretch, so that neither has more than some hundred thousand. So is time: each
//! level reads the bytes once, and n chunks take O(n log n). Hashes are not verified: the pairs are compared byte by byte anyhow.

use super::chunks::{Chunk, chunks, matches};
use super::pairs::Pairs;
use super::sample::equal_share;
use super::unique::common;
use crate::engine::compare::alignment::Pair;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};

/// Stretches are read in windows that grow up to this many bytes.
const WINDOW: u64 = 256 << 10;
/// The first window.
const FIRST_WINDOW: u64 = 4 << 10;
/// Stretches up to this many bytes are set against each other by unique sequences.
const SHORT: u64 = 4 << 10;
/// At most this many bytes in all are looked into for unique sequences.
const MOST_SHORT: u64 = 32 << 20;
/// The average length of the smallest chunks.
const LEAST_AVERAGE: u64 = 256;
/// The average length of the largest chunks: some of them are held in memory.
const MOST_AVERAGE: u64 = 4 << 20;
/// At most about twice as many chunks of one stretch.
const MOST_CHUNKS: u64 = 50_000;
/// From a level to the next, chunks get so many times smaller at most.
const FINER: u64 = 16;
/// Stretches longer than this are cut into chunks by two threads.
const LONG: u64 = 4 << 20;
/// The part of stretches of equal length that must be equal by place for them to be left so.
const MOSTLY: f64 = 0.75;
/// The part of stretches of different length that must be equal by place for them to be set so.
const ALIKE: f64 = 0.25;

/// A stretch of each file, from what both agree on to the next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Between {
    /// Where it begins and ends in the first file.
    pub a: (u64, u64),
    /// Where it begins and ends in the second file.
    pub b: (u64, u64),
}

impl Between {
    fn lengths(&self) -> (u64, u64) {
        (self.a.1.saturating_sub(self.a.0), self.b.1.saturating_sub(self.b.0))
    }
}

/// Sets stretches of two files against each other, in their order.
pub struct Aligner<'a> {
    a: &'a dyn ReadAt,
    b: &'a dyn ReadAt,
    context: &'a Context,
    short_left: u64,
    window_a: Vec<u8>,
    window_b: Vec<u8>,
    /// What belongs together so far.
    pub pairs: Pairs,
}

impl<'a> Aligner<'a> {
    /// Of the files `a` and `b`.
    #[must_use]
    pub fn new(a: &'a dyn ReadAt, b: &'a dyn ReadAt, context: &'a Context) -> Self {
        let (window_a, window_b) = (Vec::new(), Vec::new());
        Self { a, b, context, short_left: MOST_SHORT, window_a, window_b, pairs: Pairs::default() }
    }

    /// Adds the pairs of `between`, which lies behind all that was added before. Counts the bytes it cuts into chunks.
    ///
    /// # Errors
    /// As [`chunks`].
    pub fn add(&mut self, between: Between) -> Result<()> {
        self.level(between, None)
    }

    /// The same, with chunks smaller than those of `above`.
    fn level(&mut self, between: Between, above: Option<u64>) -> Result<()> {
        let prefix = self.common_prefix(between)?;
        self.pairs.push(Pair { a: between.a.0, b: between.b.0, len: prefix });
        let rest = Between { a: (between.a.0 + prefix, between.a.1), b: (between.b.0 + prefix, between.b.1) };
        let suffix = self.common_suffix(rest)?;
        let middle = Between { a: (rest.a.0, rest.a.1 - suffix), b: (rest.b.0, rest.b.1 - suffix) };
        if middle.a.0 < middle.a.1 && middle.b.0 < middle.b.1 {
            self.middle(middle, above)?;
        }
        self.pairs.push(Pair { a: middle.a.1, b: middle.b.1, len: suffix });
        Ok(())
    }

    fn middle(&mut self, middle: Between, above: Option<u64>) -> Result<()> {
        let (ours, theirs) = middle.lengths();
        let longer = ours.max(theirs);
        let by_place = Pair { a: middle.a.0, b: middle.b.0, len: ours.min(theirs) };
        if ours == theirs && equal_share(self.a, self.b, &[by_place])? >= MOSTLY {
            self.pairs.push(by_place);
            return Ok(());
        }
        if longer <= SHORT {
            return self.short(middle);
        }
        let finer = above.map_or(LEAST_AVERAGE, |average| (average / FINER).max(LEAST_AVERAGE));
        let average = (longer / MOST_CHUNKS).next_power_of_two().clamp(finer, MOST_AVERAGE);
        // As large as those that found nothing here.
        if above.is_some_and(|above| average >= above) {
            return self.by_place(middle);
        }
        self.by_chunks(middle, average)
    }

    fn by_chunks(&mut self, middle: Between, average: u64) -> Result<()> {
        let (ours, theirs) = self.cut(middle, average)?;
        let mut done = (middle.a.0, middle.b.0);
        for (one, other) in matches(&ours, &theirs) {
            let (Some(one), Some(other)) = (ours.get(one), theirs.get(other)) else { continue };
            let between = Between { a: (done.0, one.start), b: (done.1, other.start) };
            if between.lengths() != (0, 0) {
                self.level(between, Some(average))?;
            }
            self.pairs.push(Pair { a: one.start, b: other.start, len: one.len });
            done = (one.start + one.len, other.start + other.len);
        }
        self.level(Between { a: (done.0, middle.a.1), b: (done.1, middle.b.1) }, Some(average))
    }

    /// The chunks of both sides; two threads share the work where it is long.
    fn cut(&self, middle: Between, average: u64) -> Result<(Vec<Chunk>, Vec<Chunk>)> {
        let (ours, theirs) = middle.lengths();
        self.context.expect(ours + theirs);
        let one = || chunks(self.a, middle.a.0, middle.a.1, average, self.context);
        let other = || chunks(self.b, middle.b.0, middle.b.1, average, self.context);
        if ours.min(theirs) < LONG {
            return Ok((one()?, other()?));
        }
        std::thread::scope(|scope| {
            // Without a second thread, the first does both.
            let Ok(helped) = std::thread::Builder::new().spawn_scoped(scope, one) else {
                return Ok((one()?, other()?));
            };
            let theirs = other();
            let ours = helped.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic));
            Ok((ours?, theirs?))
        })
    }

    fn short(&mut self, middle: Between) -> Result<()> {
        let (ours, theirs) = middle.lengths();
        let Some(left) = self.short_left.checked_sub(ours + theirs) else { return self.by_place(middle) };
        self.short_left = left;
        let (bytes_a, bytes_b) = (self.a.bytes(middle.a.0, ours)?, self.b.bytes(middle.b.0, theirs)?);
        let mut done = (middle.a.0, middle.b.0);
        for found in common(&bytes_a, &bytes_b) {
            let pair = Pair { a: middle.a.0 + found.a as u64, b: middle.b.0 + found.b as u64, len: found.len as u64 };
            self.by_place(Between { a: (done.0, pair.a), b: (done.1, pair.b) })?;
            self.pairs.push(pair);
            done = (pair.a + pair.len, pair.b + pair.len);
        }
        self.by_place(Between { a: (done.0, middle.a.1), b: (done.1, middle.b.1) })
    }

    /// Sets stretches that have nothing in common against each other by place, from their start or from their end.
    fn by_place(&mut self, between: Between) -> Result<()> {
        let (ours, theirs) = between.lengths();
        let len = ours.min(theirs);
        let first = Pair { a: between.a.0, b: between.b.0, len };
        if len == 0 || ours == theirs {
            self.pairs.push(first);
            return Ok(());
        }
        let last = Pair { a: between.a.1 - len, b: between.b.1 - len, len };
        let (at_start, at_end) = (equal_share(self.a, self.b, &[first])?, equal_share(self.a, self.b, &[last])?);
        if at_start.max(at_end) >= ALIKE {
            self.pairs.push(if at_start >= at_end { first } else { last });
        }
        Ok(())
    }

    fn common_prefix(&mut self, between: Between) -> Result<u64> {
        let (ours, theirs) = between.lengths();
        let most = ours.min(theirs);
        let (mut done, mut window) = (0, FIRST_WINDOW);
        while done < most {
            let len = window.min(most - done);
            let (one, other) = self.windows(between.a.0 + done, between.b.0 + done, len)?;
            if one != other {
                return Ok(done + one.iter().zip(other).take_while(|(one, other)| one == other).count() as u64);
            }
            done += len;
            window = (window * 4).min(WINDOW);
            self.context.advance(0)?;
        }
        Ok(done)
    }

    fn common_suffix(&mut self, between: Between) -> Result<u64> {
        let (ours, theirs) = between.lengths();
        let most = ours.min(theirs);
        let (mut done, mut window) = (0, FIRST_WINDOW);
        while done < most {
            let len = window.min(most - done);
            let (one, other) = self.windows(between.a.1 - done - len, between.b.1 - done - len, len)?;
            if one != other {
                let same = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other);
                return Ok(done + same.count() as u64);
            }
            done += len;
            window = (window * 4).min(WINDOW);
            self.context.advance(0)?;
        }
        Ok(done)
    }

    /// The `len` bytes at `a` of the first file and at `b` of the second; at most a window.
    fn windows(&mut self, a: u64, b: u64, len: u64) -> Result<(&[u8], &[u8])> {
        let size = usize::try_from(len).unwrap_or_default();
        for (source, offset, window) in [(self.a, a, &mut self.window_a), (self.b, b, &mut self.window_b)] {
            window.resize(size, 0);
            source.read_at(offset, window)?;
        }
        Ok((&self.window_a, &self.window_b))
    }
}
