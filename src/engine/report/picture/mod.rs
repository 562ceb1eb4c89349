//! The picture of a file's layout before and after an edit: what stands where, side by side, and what became of it.
//!
//! It is read off the layouts in [`Fit`] and adds nothing of its own: parts are matched by their names, and their places
//! compared. How it looks is left to whoever shows it.

mod column;
mod fold;
mod pairs;

use super::fit::{Fit, Inserted, ShapePart};
use std::cmp::Ordering;
use std::collections::HashMap;

/// What the picture is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// Places in the file.
    #[default]
    Offset,
    /// Virtual addresses; what is not loaded comes last.
    Address,
}

/// What a block of the picture is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A loaded segment; its sections follow.
    Segment,
    /// A loaded segment, with as many parts, of all of which there is nothing to say.
    Whole(Parts),
    /// What no loaded segment covers; its sections follow.
    Apart,
    /// A section.
    Section,
    /// The ELF header, or a table of headers.
    Table,
    /// Another program header than `LOAD`.
    Header,
    /// Bytes of a segment that nothing covers.
    Unused,
    /// Bytes or addresses between segments.
    Between,
    /// Zeros that were inserted.
    Inserted,
    /// As many parts of which there is nothing to say.
    Folded(Parts),
    /// The file's end.
    End,
}

/// How many parts were folded into one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parts {
    /// Tables of headers.
    pub tables: usize,
    /// Sections.
    pub sections: usize,
}

/// What became of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// It is as it was.
    Same,
    /// It stands higher in the file by what was inserted, and where it was in memory.
    Shifted,
    /// It has another address, or, not being loaded, another place in the file.
    Moved,
    /// It stands where it was and is longer.
    Grown,
    /// It stands where it was and is shorter.
    Shrunk,
    /// It stands where it was with other flags.
    Flags,
    /// It was not there.
    New,
    /// It is no longer there.
    Gone,
}

/// One part of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// What it is.
    pub kind: Kind,
    /// Its name; empty where the kind says all.
    pub name: String,
    /// Its flags.
    pub flags: String,
    /// Its offset or address, as the order has it; `None` where it has none.
    pub at: Option<u64>,
    /// Its length in bytes in the file or in memory, as the order has it.
    pub size: u64,
    /// What became of it.
    pub change: Change,
    /// Whether it is read-only after relocation.
    pub relro: bool,
}

/// What stands side by side.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stripe {
    /// In the file before.
    pub before: Option<Block>,
    /// In the file after.
    pub after: Option<Block>,
}

/// The picture.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Picture {
    /// What it is ordered by.
    pub order: Order,
    /// The two columns, from the lowest place on.
    pub stripes: Vec<Stripe>,
    /// The program headers besides `LOAD` of which something became.
    pub headers: Vec<Stripe>,
    /// How many of them are as they were.
    pub headers_unchanged: usize,
}

impl Picture {
    /// The picture of `fit`.
    #[must_use]
    pub fn of(fit: &Fit, order: Order) -> Self {
        let before = column::column(&fit.before, order, None);
        let after = column::column(&fit.after, order, fit.inserted);
        let stripes = fold::fold(pairs::side_by_side(before, after, order, fit.inserted));
        let (headers, headers_unchanged) = headers(fit);
        Self { order, stripes, headers, headers_unchanged }
    }
}

/// The other program headers, matched by type and place among those of the same type.
fn headers(fit: &Fit) -> (Vec<Stripe>, usize) {
    let (before, after) = (others(&fit.before.segments), others(&fit.after.segments));
    let block = |part: &ShapePart, change| Block {
        kind: Kind::Header,
        name: part.name.clone(),
        flags: part.flags.clone(),
        at: Some(part.offset),
        size: part.size,
        change,
        relro: false,
    };
    let later: HashMap<(&str, usize), &ShapePart> = after.iter().copied().collect();
    let earlier: HashMap<(&str, usize), &ShapePart> = before.iter().copied().collect();
    let mut stripes = Vec::new();
    for (key, part) in &before {
        let stripe = match later.get(key) {
            None => Stripe { before: Some(block(part, Change::Gone)), after: None },
            Some(now) => {
                let change = change(part, now, fit.inserted);
                Stripe { before: Some(block(part, change)), after: Some(block(now, change)) }
            }
        };
        stripes.push(stripe);
    }
    let new = after.iter().filter(|(key, _)| !earlier.contains_key(key));
    stripes.extend(new.map(|(_, part)| Stripe { before: None, after: Some(block(part, Change::New)) }));
    let all = stripes.len();
    stripes.retain(|stripe| !stripe.is_quiet());
    let unchanged = all - stripes.len();
    (stripes, unchanged)
}

/// Program headers but `LOAD`, each with its type and its number among those of the type.
fn others(segments: &[ShapePart]) -> Vec<((&str, usize), &ShapePart)> {
    let mut numbers: HashMap<&str, usize> = HashMap::new();
    let numbered = segments.iter().filter(|segment| segment.name != LOAD).map(|segment| {
        let number = numbers.entry(&segment.name).or_default();
        *number += 1;
        ((segment.name.as_str(), *number), segment)
    });
    numbered.collect()
}

/// The type of the segments that are mapped.
const LOAD: &str = "LOAD";

/// Whether a part has an address, be it without a length there.
fn is_loaded(part: &ShapePart) -> bool {
    part.memory > 0 || part.flags.contains('A')
}

/// What became in memory of `before`, which is now `after`.
fn change_in_memory(before: &ShapePart, after: &ShapePart) -> Change {
    match after.memory.cmp(&before.memory) {
        _ if before.address != after.address => Change::Moved,
        Ordering::Greater => Change::Grown,
        Ordering::Less => Change::Shrunk,
        Ordering::Equal if before.flags != after.flags => Change::Flags,
        Ordering::Equal => Change::Same,
    }
}

/// What became of `before`, which is now `after`.
fn change(before: &ShapePart, after: &ShapePart, inserted: Option<Inserted>) -> Change {
    let up = |zeros: Inserted| before.offset.checked_add(zeros.length) == Some(after.offset);
    let moved_up = inserted.is_some_and(up);
    let in_place = match is_loaded(before) || is_loaded(after) {
        true => before.address == after.address,
        false => before.offset == after.offset || moved_up,
    };
    if !in_place {
        return Change::Moved;
    }
    let length = |part: &ShapePart| (part.size, part.memory);
    match (length(after), length(before)) {
        (now, was) if now > was => Change::Grown,
        (now, was) if now < was => Change::Shrunk,
        _ if before.flags != after.flags => Change::Flags,
        _ if before.offset != after.offset => Change::Shifted,
        _ => Change::Same,
    }
}

impl Stripe {
    /// Whether both sides are there and nothing but the file's growth below became of them.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        let quiet = |block: &Block| matches!(block.change, Change::Same | Change::Shifted);
        matches!((&self.before, &self.after), (Some(before), Some(after)) if quiet(before) && quiet(after))
    }
}

#[cfg(test)]
mod tests;
