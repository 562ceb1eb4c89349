//! The strict rule, where the editor said beforehand what every byte will be: what the plan makes of the first file is held
//! against the second. A byte that is not what the plan makes of it is explained by nothing.

use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::repair::proof::Overlay;
use crate::engine::repair::{EditPlan, Insertion};

/// Bytes that are compared at once.
const CHUNK: u64 = 64 << 10;

/// The second file as a plan would have made it of the first.
pub struct Exact<'a> {
    expected: Overlay<'a>,
    insertion: Option<Insertion>,
    new: &'a dyn ReadAt,
}

impl<'a> Exact<'a> {
    /// `plan` on `old`, against `new`; `None` when the plan does not say what the bytes will be, or is for another file.
    #[must_use]
    pub fn new(old: &'a dyn ReadAt, new: &'a dyn ReadAt, plan: &'a EditPlan) -> Option<Self> {
        let says_all = plan.size_after.is_some() && plan.size_before == old.size();
        says_all.then(|| Self { expected: Overlay::new(old, plan), insertion: plan.insertion, new })
    }

    /// Whether the plan made the byte at `offset` of the second file, and how far the answer is the same, `end` at the most.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn in_second(&self, offset: u64, end: u64) -> Result<(bool, u64)> {
        let known = self.expected.size().min(self.new.size());
        if offset >= known {
            return Ok((false, end));
        }
        let length = CHUNK.min(end.min(known) - offset);
        let (wanted, found) = (self.expected.bytes(offset, length)?, self.new.bytes(offset, length)?);
        let same: Vec<bool> = wanted.iter().zip(&found).map(|(one, other)| one == other).collect();
        let first = same.first().copied().unwrap_or(false);
        let run = same.iter().position(|one| *one != first).unwrap_or(same.len());
        Ok((first, offset + run as u64))
    }

    /// The same of the byte at `offset` of the first file, by the place to which the plan moves it.
    ///
    /// # Errors
    /// As [`Exact::in_second`].
    pub fn in_first(&self, offset: u64, end: u64) -> Result<(bool, u64)> {
        let (shift, end) = match self.insertion {
            Some(zeros) if offset >= zeros.offset => (zeros.length, end),
            Some(zeros) => (0, end.min(zeros.offset)),
            None => (0, end),
        };
        let (is_made, stop) = self.in_second(offset.saturating_add(shift), end.saturating_add(shift))?;
        Ok((is_made, stop.saturating_sub(shift)))
    }
}
