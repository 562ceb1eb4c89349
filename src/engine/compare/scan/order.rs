//! In which order the pairs are compared, and in which pieces: from where the user looks to the end, then from the start.
//!
//! A [`Task`] is what one read of each file covers: a part of a long pair, or many short ones that lie near each other.

use super::known::{Known, Stretch};
use crate::engine::compare::alignment::{Alignment, ByteRun, Pair};

/// Two pairs are read at once when no more than this lies between them.
const BRIDGE: u64 = 16 << 10;
/// At most this many pairs and gaps are one task.
const MOST_ITEMS: usize = 4096;

/// A part of the work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Item {
    /// Bytes that lie in no pair.
    Gap(ByteRun),
    /// Bytes to be compared.
    Pair(Pair),
}

/// What is done in one go.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Task {
    /// What it is made of, in the order of the files.
    pub items: Vec<Item>,
    /// Where it begins in the first file, and how far its pairs reach.
    pub a: (u64, u64),
    /// The same in the second file.
    pub b: (u64, u64),
    /// Bytes behind its items that are equal without being read.
    pub skipped: u64,
    /// Whether it is the first of those that lie before the place where the user looks.
    pub turns: bool,
    /// To where in the first file everything is compared after it, and after those before it.
    pub reached: u64,
}

/// A place among the pairs: behind the first `done` bytes of one, or before the gap that lies before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    index: usize,
    done: u64,
    in_pair: bool,
}

const BEGIN: Place = Place { index: 0, done: 0, in_pair: false };

/// The tasks that are left.
#[derive(Debug)]
pub struct Order<'a> {
    alignment: &'a Alignment,
    known: Known<'a>,
    window: u64,
    at: Place,
    /// Where the first half begins, and the second ends.
    start: Place,
    start_offset: u64,
    in_second_half: bool,
    /// What is known to lie ahead.
    ahead: Option<Stretch>,
}

impl<'a> Order<'a> {
    /// All of `alignment`, from about the offset `from` of the first file on, `window` bytes of each file at once.
    #[must_use]
    pub fn new(alignment: &'a Alignment, known: Known<'a>, from: u64, window: u64) -> Self {
        let window = window.max(1);
        let from = from - from % window;
        let index = alignment.pairs.partition_point(|pair| pair.a + pair.len <= from);
        let inside = alignment.pairs.get(index).map_or(0, |pair| from.saturating_sub(pair.a));
        let start = Place { index, done: inside, in_pair: inside > 0 };
        let start_offset = if start == BEGIN { 0 } else { from };
        Self { alignment, known, window, at: start, start, start_offset, in_second_half: false, ahead: None }
    }

    /// Where in the first file it begins.
    #[must_use]
    pub const fn start(&self) -> u64 {
        self.start_offset
    }

    /// The next task; `None` when all were given.
    pub fn next(&mut self) -> Option<Task> {
        let mut task = Task::default();
        if self.is_at_end() {
            if self.in_second_half || self.start == BEGIN {
                return None;
            }
            self.in_second_half = true;
            self.at = BEGIN;
            task.turns = true;
        }
        while task.items.len() < MOST_ITEMS && !self.is_at_end() && self.take(&mut task) {}
        task.reached = match self.is_at_end() {
            true if self.in_second_half => self.start_offset,
            true => u64::MAX,
            false => self.alignment.pairs.get(self.at.index).map_or(u64::MAX, |pair| pair.a + self.at.done),
        };
        Some(task)
    }

    fn is_at_end(&self) -> bool {
        if self.in_second_half {
            self.at == self.start
        } else {
            self.at.index >= self.alignment.pairs.len() && self.at.in_pair
        }
    }

    /// Adds what comes next to `task`; `false` when it is full.
    fn take(&mut self, task: &mut Task) -> bool {
        if !self.at.in_pair {
            task.items.extend(self.alignment.unpaired_before(self.at.index).map(Item::Gap));
            self.at.in_pair = true;
            return true;
        }
        let Some(pair) = self.alignment.pairs.get(self.at.index) else { return false };
        let ends_here = self.in_second_half && self.at.index == self.start.index;
        let end = if ends_here { self.start.done } else { pair.len };
        let (a, b, left) = (pair.a + self.at.done, pair.b + self.at.done, end.saturating_sub(self.at.done));
        let is_last_of_pair = |length: u64| length >= left && !ends_here;
        match self.ahead.take().unwrap_or_else(|| self.known.stretch(a, b, left.max(1))) {
            Stretch::Equal(length) => {
                if task.a.1 > 0 {
                    self.ahead = Some(Stretch::Equal(length));
                    return false;
                }
                task.skipped += length;
                self.advance(length, is_last_of_pair(length));
                false
            }
            Stretch::Unknown(length) => {
                let Some(room) = room(task, a, b, self.window, length) else {
                    self.ahead = Some(Stretch::Unknown(length));
                    return false;
                };
                let taken = length.min(room);
                if task.a.1 == 0 {
                    (task.a.0, task.b.0) = (a, b);
                }
                (task.a.1, task.b.1) = (a + taken, b + taken);
                task.items.push(Item::Pair(Pair { a, b, len: taken }));
                self.ahead = (length > taken).then_some(Stretch::Unknown(length - taken));
                self.advance(taken, is_last_of_pair(taken));
                true
            }
        }
    }

    fn advance(&mut self, length: u64, is_last_of_pair: bool) {
        self.at = if is_last_of_pair {
            Place { index: self.at.index + 1, done: 0, in_pair: false }
        } else {
            Place { done: self.at.done + length, ..self.at }
        };
    }
}

/// How many bytes at `a` and `b`, of `length`, can be read together with what `task` has; `None` when it is better to begin
/// another.
fn room(task: &Task, a: u64, b: u64, window: u64, length: u64) -> Option<u64> {
    if task.a.1 == 0 {
        return Some(window);
    }
    let is_near = a.saturating_sub(task.a.1) <= BRIDGE && b.saturating_sub(task.b.1) <= BRIDGE;
    let used = a.saturating_sub(task.a.0).max(b.saturating_sub(task.b.0));
    // A long pair is better taken by whole windows than begun with what is left of one.
    let room = window.checked_sub(used).filter(|room| *room > 0 && *room >= length.min(window / 2))?;
    is_near.then_some(room)
}
