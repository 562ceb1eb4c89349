//! An editor whose plans are made up: zeros at any offset and patches anywhere, from a number; and what they must give.

use std::path::Path;
use wheelwright::engine::file::ReadAt;
use wheelwright::engine::repair::rewrite::{Shifting, Write, carry_out, check_size, open_planned};
use wheelwright::engine::repair::{EditPlan, EditRefusal, EditRequest, Editor, Insertion, Patch};
use wheelwright::engine::{Context, Error, Result};

/// A small generator of numbers (xorshift64*), so that a failure can be made again from its seed.
#[derive(Debug, Clone)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, bound: u64) -> u64 {
        (self.next() >> 11) % bound.max(1)
    }

    pub fn bytes(&mut self, length: usize) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(length + 8);
        while bytes.len() < length {
            bytes.extend(self.next().to_le_bytes());
        }
        bytes.truncate(length);
        bytes
    }
}

/// The plan of number `seed` for a file of `size` bytes.
pub fn plan(seed: u64, size: u64) -> EditPlan {
    let mut random = Random::new(seed);
    let pages = [0, 1, 1, 1, 2, 16][random.below(6) as usize];
    let offset = match random.below(8) {
        0 => size,
        1 => random.below(size + 1) & !4095,
        2 => size.saturating_sub(random.below(5000)),
        _ => random.below(size + 1),
    };
    let insertion = (pages > 0).then_some(Insertion { offset, length: pages * 4096 });
    let longer = size + insertion.map_or(0, |insertion| insertion.length);
    let mut patches: Vec<Patch> = Vec::new();
    for place in 0..random.below(12) + 1 {
        let near = insertion.map_or(0, |insertion| insertion.offset);
        let offset = match random.below(5) {
            0 => near.saturating_sub(random.below(6000)),
            1 => near + random.below(pages * 4096 + 1),
            2 => longer.saturating_sub(random.below(100)),
            _ => random.below(longer),
        };
        let length = [1, 8, 64, 300, 5000][random.below(5) as usize];
        patches.push(Patch { offset, bytes: random.bytes(length), meaning: format!("patch {place}") });
    }
    patches.sort_by_key(|patch| patch.offset);
    patches.dedup_by(|next, last| next.offset < last.offset + last.bytes.len() as u64);
    let end = patches.iter().map(|patch| patch.offset + patch.bytes.len() as u64).max().unwrap_or(0);
    EditPlan {
        requests: vec![EditRequest::SetOsAbi(0)],
        insertion,
        size_after: Some(longer.max(end)),
        writes: patches.iter().map(|patch| patch.bytes.len() as u64).sum(),
        shifted: insertion.map_or(0, |insertion| size - insertion.offset),
        patches,
        ..EditPlan::nothing(size)
    }
}

/// What `plan` makes of `old`: the plainest way to say it.
pub fn spliced(old: &[u8], plan: &EditPlan) -> Vec<u8> {
    let mut new = old.to_vec();
    if let Some(Insertion { offset, length }) = plan.insertion {
        let tail = new.split_off(offset as usize);
        new.resize(new.len() + length as usize, 0);
        new.extend(tail);
    }
    for patch in &plan.patches {
        let (start, end) = (patch.offset as usize, patch.offset as usize + patch.bytes.len());
        new.resize(new.len().max(end), 0);
        new[start..end].copy_from_slice(&patch.bytes);
    }
    new
}

/// The editor of the plans of one number.
#[derive(Debug, Clone, Copy)]
pub struct Hand {
    pub seed: u64,
    /// Whether its check after the edit fails.
    pub fails: bool,
}

impl Hand {
    pub fn of(seed: u64) -> Self {
        Self { seed, fails: false }
    }
}

impl Editor for Hand {
    fn name(&self) -> &'static str {
        "hand"
    }

    fn plan(&self, source: &dyn ReadAt, _requests: &[EditRequest]) -> Result<Result<EditPlan, EditRefusal>> {
        Ok(Ok(plan(self.seed, source.size())))
    }

    fn apply(&self, path: &Path, plan: &EditPlan, context: &Context) -> Result<()> {
        self.apply_by(path, plan, &mut |file| carry_out(file, path, plan, Shifting::Allowed, context).map(|_| ()))
    }

    fn apply_by(&self, path: &Path, plan: &EditPlan, write: Write<'_>) -> Result<()> {
        let file = open_planned(path, plan)?;
        write(&file)?;
        check_size(&file, path, plan)?;
        if self.fails {
            return Err(Error::Changed { path: path.to_path_buf(), what: "the test says so".to_owned() });
        }
        Ok(())
    }
}
