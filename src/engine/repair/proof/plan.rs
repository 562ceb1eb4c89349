//! What a plan does to the bytes of its file: where they stand afterwards, and whether it writes on them.
//!
//! Bytes that were only moved by the insertion, and on which no patch lies, are equal without being read: so a file of many
//! gigabytes costs what its edit costs.

use super::state::State;
use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::repair::{EditPlan, Insertion, Patch};

/// Ranges up to this length are compared although they can't differ.
const SMALL: u64 = 16 << 10;
/// Bytes that are compared at once.
const CHUNK: u64 = 64 << 10;

/// A plan, laid over its file.
pub(super) struct Laid<'a> {
    insertion: Option<Insertion>,
    /// By offset.
    patches: Vec<&'a Patch>,
    /// The bytes of all patches.
    written: u64,
}

impl<'a> Laid<'a> {
    /// `plan` laid over its file.
    pub fn new(plan: &'a EditPlan) -> Self {
        let mut patches: Vec<&Patch> = plan.patches.iter().filter(|patch| !patch.bytes.is_empty()).collect();
        patches.sort_by_key(|patch| patch.offset);
        let written = patches.iter().map(|patch| patch.bytes.len() as u64).sum();
        Self { insertion: plan.insertion.filter(|insertion| insertion.length > 0), patches, written }
    }

    /// Where the `length` bytes at `offset` stand after the insertion; `None` if it parts them.
    pub fn start(&self, offset: u64, length: u64) -> Option<u64> {
        let Some(Insertion { offset: place, length: more }) = self.insertion else { return Some(offset) };
        if offset >= place {
            return offset.checked_add(more);
        }
        (offset.checked_add(length)? <= place).then_some(offset)
    }

    /// The ranges of the result on which patches lie, cut to the `length` bytes at `offset`.
    pub fn written(&self, offset: u64, length: u64) -> impl Iterator<Item = (u64, u64)> {
        let end = offset.saturating_add(length);
        let first = self.patches.partition_point(|patch| end_of(patch) <= offset);
        let within = self.patches.iter().skip(first).take_while(move |patch| patch.offset < end);
        within.map(move |patch| (patch.offset.max(offset), end_of(patch).min(end)))
    }

    /// Whether the `length` bytes at `was` of `before` are those at `is` of `after`.
    ///
    /// # Errors
    /// When either can't be read.
    pub fn same(&self, before: &State<'_>, after: &State<'_>, was: u64, is: u64, length: u64) -> Result<bool> {
        let stays = self.start(was, length) == Some(is);
        if stays && length > SMALL {
            for (start, end) in self.written(is, length) {
                if !equal(before.source, after.source, was + (start - is), start, end - start)? {
                    return Ok(false);
                }
            }
            return Ok(true);
        }
        // What stands elsewhere was written there.
        Ok((stays || length <= self.written.saturating_add(SMALL))
            && equal(before.source, after.source, was, is, length)?)
    }

    /// What is wrong with `plan` itself, or with the size of the result and the bytes that were to be written.
    pub fn faults(&self, plan: &EditPlan, before: &dyn ReadAt, after: &dyn ReadAt) -> Result<Vec<String>> {
        let mut faults = Vec::new();
        if before.size() != plan.size_before {
            faults.push(format!("it is for a file of {} bytes, not of {}", plan.size_before, before.size()));
        }
        if let Some(size) = plan.size_after.filter(|size| *size != after.size()) {
            faults.push(format!("the result has {} bytes, not {size}", after.size()));
        }
        if plan.insertion.is_some_and(|insertion| insertion.offset > before.size()) {
            faults.push("it inserts behind the file's end".to_owned());
        }
        for pair in self.patches.windows(2) {
            if let [one, next] = pair
                && end_of(one) > next.offset
            {
                faults.push(format!("its writes at {:#x} and {:#x} lie on one another", one.offset, next.offset));
            }
        }
        for patch in &self.patches {
            if end_of(patch) > after.size() {
                faults.push(format!("its write at {:#x} reaches beyond the result", patch.offset));
            } else if !holds(after, patch)? {
                faults.push(format!("what it writes at {:#x} is not there", patch.offset));
            }
        }
        Ok(faults)
    }
}

fn end_of(patch: &Patch) -> u64 {
    patch.offset.saturating_add(patch.bytes.len() as u64)
}

fn holds(source: &dyn ReadAt, patch: &Patch) -> Result<bool> {
    let mut at = patch.offset;
    for wanted in patch.bytes.chunks(CHUNK as usize) {
        if source.bytes(at, wanted.len() as u64)? != wanted {
            return Ok(false);
        }
        at += wanted.len() as u64;
    }
    Ok(true)
}

fn equal(before: &dyn ReadAt, after: &dyn ReadAt, was: u64, is: u64, length: u64) -> Result<bool> {
    let mut done = 0;
    while done < length {
        let next = CHUNK.min(length - done);
        if before.bytes(was.saturating_add(done), next)? != after.bytes(is.saturating_add(done), next)? {
            return Ok(false);
        }
        done += next;
    }
    Ok(true)
}
