//! How much one load may look at and record. A file can ask for ten thousand libraries by a search path of thousands of
//! directories; what goes beyond the bounds is said to be left out.

use crate::engine::report::audit::Candidate;
use std::cell::Cell;

/// More places than this are looked at by no load: a program of two hundred libraries looks at some thousands.
const MOST_LOOKS: u32 = 500_000;
/// Candidates that take more bytes than this, all together, are counted and not listed.
const MOST_RECORDED: usize = 3 << 20;

/// What is left of the bounds of one load.
#[derive(Debug)]
pub(super) struct Bounds {
    looks: Cell<u32>,
    room: Cell<usize>,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { looks: Cell::new(MOST_LOOKS), room: Cell::new(MOST_RECORDED) }
    }
}

impl Bounds {
    /// Whether one more place may be looked at.
    pub(super) fn may_look(&self) -> bool {
        let left = self.looks.get();
        self.looks.set(left.saturating_sub(1));
        left > 0
    }

    /// Whether `candidate` may be recorded.
    pub(super) fn may_record(&self, candidate: &Candidate) -> bool {
        let texts = [&candidate.entry, &candidate.owner, &candidate.hwcaps].into_iter().flatten().map(String::len);
        let path = candidate.path.as_os_str().len();
        self.may_take(size_of::<Candidate>() + path + texts.sum::<usize>())
    }

    /// Whether a record of `size` bytes may be made.
    pub(super) fn may_take(&self, size: usize) -> bool {
        let left = self.room.get().checked_sub(size);
        self.room.set(left.unwrap_or(0));
        left.is_some()
    }
}
