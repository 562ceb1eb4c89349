//! What the bytes of a run are, in both files, as facts; [`super::words`] puts them into a sentence.
//!
//! A run is cut where one of the files has the border of a region. Each part is told by where it lies, by what became of the
//! place (the same as before, vacated, taken by something that moved), and by the fields, records and strings in it.

use super::alignment::ByteRun;
use super::code::{self, Owner};
use super::content::{self, Fill};
use super::item::Item;
use super::layout::{Content, Layout, Region};
use super::strings;
use super::words;
use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::{Class, RunKind};

/// At most this many changes are kept of one part.
pub const MOST_CHANGES: usize = 64;

/// One file with its layout.
pub struct Side<'a> {
    /// The file.
    pub source: &'a dyn ReadAt,
    /// What lies where in it.
    pub layout: &'a Layout,
}

/// One field, record or string that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// What kind of bytes it is.
    pub class: Class,
    /// The record: `dynamic entry 3`, `program header 2 (PT_LOAD)`, `symbol 12 _DYNAMIC`, `NEEDED` of a string.
    pub name: String,
    /// The record's field: `p_offset`; empty for a record that is told whole.
    pub field: &'static str,
    /// What it said; `None` where it was not there.
    pub before: Option<String>,
    /// What it says; `None` where it is there no longer.
    pub after: Option<String>,
    /// The numbers in the file, old and new, where they differ and what they lead to does not.
    pub raw: Option<(String, String)>,
}

/// What became of a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Nature {
    /// It is the same table or section as before.
    InPlace,
    /// What stood here stands elsewhere in the second file.
    Vacated {
        /// Its new offset.
        to: u64,
        /// What the place was filled with.
        fill: Option<Fill>,
    },
    /// What stood here is nowhere in the second file.
    Gone {
        /// What the place was filled with.
        fill: Option<Fill>,
    },
    /// What stands here stood elsewhere in the first file.
    MovedHere {
        /// Its old offset.
        from: u64,
        /// By how many bytes it is longer than it was.
        grown: i64,
        /// Whether the bytes are all as they were there.
        alike: bool,
    },
    /// What stands here stood here before, and is longer or shorter by these bytes.
    Grown {
        /// By how many bytes.
        by: i64,
    },
    /// What stands here was nowhere in the first file.
    New,
    /// It belongs to nothing any more, and holds what the first file has at the same offset: a part that moved away and was
    /// not overwritten.
    LeftBehind,
    /// It belongs to no table and no section.
    Padding {
        /// What is there in the second file; of removed bytes, what was there.
        fill: Option<Fill>,
    },
}

/// A part of a run that lies in one region, and what it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Its bytes.
    pub run: ByteRun,
    /// The region.
    pub region: String,
    /// What kind of bytes they are.
    pub class: Class,
    /// What became of the place.
    pub nature: Nature,
    /// What differs, in the order of the file; at most [`MOST_CHANGES`].
    pub changes: Vec<Change>,
    /// How many changes there are beyond those.
    pub more: u64,
    /// What they are, old and new, in words.
    pub meaning: Option<String>,
}

/// The parts of `run`, each with what its bytes are in both files.
///
/// # Errors
/// [`crate::engine::Error::Io`] when one of the files can't be read.
pub fn parts(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<Vec<Part>> {
    pieces(a.layout, b.layout, run).map(|piece| part(a, b, piece)).collect()
}

/// `run` cut where one of the files has the border of a region.
pub fn pieces<'a>(a: &'a Layout, b: &'a Layout, run: ByteRun) -> impl Iterator<Item = ByteRun> + 'a {
    let mut done = 0;
    std::iter::from_fn(move || {
        if done >= run.len {
            return None;
        }
        let (mut in_a, mut in_b) = (run.a, run.b);
        let mut len = run.len - done;
        if run.kind != RunKind::Inserted {
            in_a += done;
            len = len.min(a.edge_within(in_a, in_a.saturating_add(len)) - in_a);
        }
        if run.kind != RunKind::Removed {
            in_b += done;
            len = len.min(b.edge_within(in_b, in_b.saturating_add(len)) - in_b);
            if run.kind == RunKind::Inserted && b.part_at(in_b).is_none() {
                // What a part left behind ends where the part did.
                len = len.min(a.edge_within(in_b, in_b.saturating_add(len)) - in_b);
            }
        }
        done += len;
        Some(ByteRun { kind: run.kind, a: in_a, b: in_b, len })
    })
}

fn part(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<Part> {
    let mut nature = nature(a, b, run)?;
    let seen_as = |kind| facts(a, b, ByteRun { kind, ..run });
    let (changes, more) = match &mut nature {
        Nature::Vacated { .. } | Nature::LeftBehind => (Vec::new(), 0),
        Nature::MovedHere { from, alike, .. } => {
            let (same, changes) = moved(a, b, run, *from)?;
            *alike = same;
            (changes, 0)
        }
        Nature::Gone { .. } => seen_as(RunKind::Removed)?,
        Nature::New => seen_as(RunKind::Inserted)?,
        Nature::Grown { .. } if run.kind == RunKind::Changed => seen_as(RunKind::Inserted)?,
        Nature::InPlace | Nature::Grown { .. } | Nature::Padding { .. } => facts(a, b, run)?,
    };
    let own = if run.kind == RunKind::Inserted { b.layout } else { a.layout };
    let class = class(a.layout, b.layout, run);
    let mut part = Part { run, region: own.region_at(run.offset()), class, nature, changes, more, meaning: None };
    part.meaning = Some(words::meaning(a, b, &part)?);
    Ok(part)
}

/// The fields, records or strings of both files in `run`, and how many there are beyond.
fn facts(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<(Vec<Change>, u64)> {
    let found = changes(a, b, run)?;
    if !found.0.is_empty() {
        return Ok(found);
    }
    let found = strings::changes(a, b, run)?;
    if !found.0.is_empty() {
        return Ok(found);
    }
    Ok((bytes(a, b, run)?.into_iter().collect(), 0))
}

/// The bytes themselves, by the function, variable or section that they belong to.
fn bytes(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<Option<Change>> {
    let before = code::owner(a, run.a, run.len).filter(|_| run.kind != RunKind::Inserted);
    let after = code::owner(b, run.b, run.len).filter(|_| run.kind != RunKind::Removed);
    let name = match (before, after) {
        (Some(Owner::Symbol(before)), Some(Owner::Symbol(after))) if before != after => {
            format!("{before} \u{2192} {after}")
        }
        (Some(Owner::Symbol(name)), _) | (_, Some(Owner::Symbol(name))) => name,
        (Some(Owner::Section(name)), _) | (None, Some(Owner::Section(name))) => name,
        (None, None) => return Ok(None),
    };
    let (mut before, mut after) = (None, None);
    if run.kind != RunKind::Inserted {
        before = Some(content::shown(a.source, run.a, run.len)?);
    }
    if run.kind != RunKind::Removed {
        after = Some(content::shown(b.source, run.b, run.len)?);
    }
    Ok(Some(Change { class: class(a.layout, b.layout, run), name, field: "", before, after, raw: None }))
}

/// What differs between the bytes of `run` in the second file and those of the same part, which begins at `from` in the
/// first: whether nothing does, and what.
fn moved(a: &Side<'_>, b: &Side<'_>, run: ByteRun, from: u64) -> Result<(bool, Vec<Change>)> {
    let start = b.layout.part_at(run.b).map_or(run.b, |region| region.start);
    let old_end = a.layout.part_at(from).map_or(from, |region| region.end).min(a.source.size());
    let old = from.saturating_add(run.b - start);
    let common = run.len.min(old_end.saturating_sub(old));
    let mut found: Vec<Change> = Vec::new();
    let (mut done, mut same) = (0, common == run.len);
    // A string that differs from its first byte on is found byte by byte, hence many more tries than changes.
    for _ in 0..MOST_CHANGES * MOST_CHANGES {
        let rest = (old + done, run.b + done);
        let Some(next) = content::first_difference(a.source, b.source, rest, common - done)? else { break };
        same = false;
        let one = ByteRun { kind: RunKind::Changed, a: rest.0 + next, b: rest.1 + next, len: 1 };
        found.extend(facts(a, b, one)?.0.into_iter().take(1));
        found.dedup();
        done += next + 1;
        if found.len() >= MOST_CHANGES || done >= common {
            break;
        }
    }
    if common < run.len && found.len() < MOST_CHANGES {
        let tail = ByteRun { kind: RunKind::Inserted, a: run.a, b: run.b + common, len: run.len - common };
        found.extend(facts(a, b, tail)?.0);
        found.truncate(MOST_CHANGES);
    }
    Ok((same, found))
}

/// Of bytes that were nothing in the first file it counts what they became, and code is always told as code.
fn class(a: &Layout, b: &Layout, run: ByteRun) -> Class {
    match run.kind {
        RunKind::Removed => a.class_at(run.a),
        RunKind::Inserted => b.class_at(run.b),
        RunKind::Changed => match (a.class_at(run.a), b.class_at(run.b)) {
            (Class::Padding, after) => after,
            (_, Class::Code) => Class::Code,
            (before, _) => before,
        },
    }
}

fn nature(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<Nature> {
    let (end_a, end_b) = run.ends();
    let before = if run.kind == RunKind::Inserted { None } else { a.layout.part_at(run.a) };
    let after = if run.kind == RunKind::Removed { None } else { b.layout.part_at(run.b) };
    let fill = || match run.kind {
        RunKind::Removed => content::fill(a.source, run.a, end_a - run.a),
        _ => content::fill(b.source, run.b, end_b - run.b),
    };
    Ok(match (before, after) {
        (Some(before), Some(after)) if before.name == after.name => Nature::InPlace,
        (_, Some(after)) => match a.layout.part_named(&after.name) {
            // What was inserted into a part, and is not all of it, made it longer; so did what it took from others.
            Some((start, end))
                if (run.kind == RunKind::Inserted
                    && (start..=end).contains(&run.a)
                    && !whole(after, run.b, run.len))
                    || (run.kind == RunKind::Changed && start == after.start) =>
            {
                Nature::Grown { by: grown(after, end - start) }
            }
            Some((start, end)) => Nature::MovedHere { from: start, grown: grown(after, end - start), alike: false },
            None => Nature::New,
        },
        (Some(before), None) => match b.layout.part_named(&before.name) {
            Some((start, end))
                if run.kind == RunKind::Removed && (start..=end).contains(&run.b) && !whole(before, run.a, run.len) =>
            {
                Nature::Grown { by: -grown(before, end - start) }
            }
            Some((start, _)) => Nature::Vacated { to: start, fill: fill()? },
            None => Nature::Gone { fill: fill()? },
        },
        (None, None) if run.kind == RunKind::Inserted && is_left_behind(a, b, run)? => Nature::LeftBehind,
        (None, None) => Nature::Padding { fill: fill()? },
    })
}

/// Whether the inserted bytes of `run` are those of a part of the first file at the same offset.
fn is_left_behind(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<bool> {
    let is_old = a.layout.part_at(run.b).is_some_and(|part| run.b + run.len <= part.end.min(a.source.size()));
    Ok(is_old && content::first_difference(a.source, b.source, (run.b, run.b), run.len)?.is_none())
}

/// Whether the `len` bytes at `offset` are all of `region`.
fn whole(region: &Region, offset: u64, len: u64) -> bool {
    offset <= region.start && offset.saturating_add(len) >= region.end
}

fn grown(region: &Region, before: u64) -> i64 {
    (region.end - region.start).cast_signed().wrapping_sub(before.cast_signed())
}

/// The fields and records of both files in `run`, each set against the one in its place.
fn changes(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<(Vec<Change>, u64)> {
    let (end_a, end_b) = run.ends();
    let before = a.layout.items_of(a.source, run.a, end_a, MOST_CHANGES)?;
    let after = b.layout.items_of(b.source, run.b, end_b, MOST_CHANGES)?;
    let more = before.more.max(after.more);
    let mut left: Vec<Option<Item>> = after.items.into_iter().map(Some).collect();
    let mut changes = Vec::new();
    for item in before.items {
        let matching = |new: &&mut Option<Item>| new.as_ref().is_some_and(|new| belong(&item, run.a, new, run.b));
        match left.iter_mut().find(matching).and_then(Option::take) {
            Some(new) => changes.extend(change(item, new)),
            None => changes.push(gone(item)),
        }
    }
    changes.extend(left.into_iter().flatten().map(new));
    let over = changes.len().saturating_sub(MOST_CHANGES);
    changes.truncate(MOST_CHANGES);
    Ok((changes, more.saturating_add(over as u64)))
}

/// Whether two items are one and the same field in both files: of one kind, and as far from the start of the run.
fn belong(old: &Item, a: u64, new: &Item, b: u64) -> bool {
    let apart = old.start.wrapping_sub(a) == new.start.wrapping_sub(b);
    apart && old.class == new.class && old.field == new.field
}

fn change(old: Item, new: Item) -> Option<Change> {
    let name = if old.key() == new.key() { old.name } else { format!("{} \u{2192} {}", old.name, new.name) };
    if old.value == new.value && old.raw == new.raw {
        // The record says the same: what differs is a byte that says nothing, and it is told as such.
        return None;
    }
    let raw = (old.value == new.value && old.raw != new.raw).then_some((old.raw, new.raw));
    let (before, after) = (Some(old.value), Some(new.value));
    Some(Change { class: old.class, name, field: old.field, before, after, raw })
}

fn gone(item: Item) -> Change {
    let Item { class, name, field, value, .. } = item;
    Change { class, name, field, before: Some(value), after: None, raw: None }
}

fn new(item: Item) -> Change {
    let Item { class, name, field, value, .. } = item;
    Change { class, name, field, before: None, after: Some(value), raw: None }
}

/// Whether the byte at `offset` lies among strings.
pub fn is_strings(layout: &Layout, offset: u64) -> bool {
    layout.part_at(offset).is_some_and(|region| region.content == Content::Strings)
}
