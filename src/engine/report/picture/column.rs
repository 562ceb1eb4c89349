//! One column of the picture: segments, what stands in them, and what nothing covers, from the lowest place on.

use super::{Block, Change, Kind, LOAD, Order, is_loaded};
use crate::engine::report::fit::{Inserted, Shape, ShapePart};
use std::collections::HashMap;

/// Fewer unused bytes than this are alignment.
const ALIGNMENT: u64 = 16;

/// A block before it is known what becomes of it.
#[derive(Debug, Clone)]
pub(super) struct Entry<'a> {
    /// What it is recognised by in the other column; no two of a column are equal.
    pub key: String,
    /// The part; `None` for what is not one.
    pub part: Option<&'a ShapePart>,
    /// What is shown.
    pub block: Block,
}

/// A part with its place in the column's order.
#[derive(Debug, Clone, Copy)]
struct Placed<'a> {
    kind: Kind,
    part: &'a ShapePart,
    start: u64,
    size: u64,
    load: Option<usize>,
}

/// A segment with its parts, or parts without one.
struct Group<'a> {
    start: u64,
    size: u64,
    segment: Option<&'a ShapePart>,
    parts: Vec<Placed<'a>>,
}

/// The column of `shape`; `inserted` is drawn in it.
pub(super) fn column(shape: &Shape, order: Order, inserted: Option<Inserted>) -> Vec<Entry<'_>> {
    let mut writer = Writer { relro: relro(shape), entries: Vec::new(), seen: HashMap::new(), at: Some(0) };
    for group in groups(shape, order) {
        writer.group(&group, order);
    }
    if order == Order::Offset {
        writer.unused(Kind::Between, shape.size);
        writer.mark(Kind::End, shape.size, 0, "end");
    }
    let mut entries = writer.entries;
    if let Some(zeros) = inserted.filter(|_| order == Order::Offset) {
        let place = entries.iter().position(|entry| entry.block.at.is_some_and(|at| at >= zeros.offset));
        let block = block(Kind::Inserted, "", Some(zeros.offset), zeros.length);
        entries.insert(place.unwrap_or(entries.len()), Entry { key: "inserted".to_owned(), part: None, block });
    }
    entries
}

fn block(kind: Kind, name: &str, at: Option<u64>, size: u64) -> Block {
    Block { kind, name: name.to_owned(), flags: String::new(), at, size, change: Change::Same, relro: false }
}

/// The addresses that are read-only after relocation.
fn relro(shape: &Shape) -> (u64, u64) {
    let segment = shape.segments.iter().find(|segment| segment.name == "GNU_RELRO");
    segment.map_or((0, 0), |segment| (segment.address, segment.address.saturating_add(segment.memory)))
}

fn groups(shape: &Shape, order: Order) -> Vec<Group<'_>> {
    let place = |part: &ShapePart| match order {
        Order::Offset => (part.offset, part.size),
        Order::Address => (part.address, part.memory),
    };
    let loads: Vec<&ShapePart> = shape.segments.iter().filter(|segment| segment.name == LOAD).collect();
    let mut groups: Vec<Group<'_>> = Vec::new();
    for load in &loads {
        let (start, size) = place(load);
        groups.push(Group { start, size, segment: Some(load), parts: Vec::new() });
    }
    let sections = shape.sections.iter().map(|part| (Kind::Section, part, is_loaded(part)));
    let tables = shape.tables.iter().map(|part| (Kind::Table, part, is_loaded(part)));
    let mut parts: Vec<Placed<'_>> = tables
        .chain(sections)
        .map(|(kind, part, is_loaded)| {
            let (start, size) = place(part);
            let load = if is_loaded { holder(&loads, part) } else { None };
            // What is not loaded has no address: it comes behind all that has one, by its place in the file.
            let (start, size) = if load.is_none() { (part.offset, part.size) } else { (start, size) };
            Placed { kind, part, start, size, load }
        })
        .collect();
    parts.sort_by_key(|placed| (placed.start, placed.start.saturating_add(placed.size), placed.part.address));
    let mut apart = Vec::new();
    for placed in parts {
        match placed.load.and_then(|load| groups.get_mut(load)) {
            Some(group) => group.parts.push(placed),
            None => apart.push(placed),
        }
    }
    groups.sort_by_key(|group| group.start);
    match order {
        Order::Address if apart.is_empty() => groups,
        Order::Address => {
            groups.push(Group { start: 0, size: 0, segment: None, parts: apart });
            groups
        }
        Order::Offset => with_apart(groups, apart),
    }
}

/// The mapped segment that holds `part`, by its address.
fn holder(loads: &[&ShapePart], part: &ShapePart) -> Option<usize> {
    let into = |load: &ShapePart| part.address.checked_sub(load.address);
    let holds = |load: &&ShapePart| into(load).is_some_and(|into| into < load.memory);
    // A section without bytes can stand at a segment's very end.
    let ends = |load: &&ShapePart| part.size == 0 && into(load) == Some(load.memory);
    loads.iter().position(holds).or_else(|| loads.iter().position(ends))
}

/// Both in the order of the file; parts that follow each other without a segment between them are one group.
fn with_apart<'a>(groups: Vec<Group<'a>>, apart: Vec<Placed<'a>>) -> Vec<Group<'a>> {
    let mut all = Vec::with_capacity(groups.len() + 1);
    let mut apart = apart.into_iter().peekable();
    for group in groups {
        let mut parts = Vec::new();
        while let Some(placed) = apart.next_if(|placed| placed.start < group.start) {
            parts.push(placed);
        }
        all.extend(without_segment(parts));
        all.push(group);
    }
    all.extend(without_segment(apart.collect()));
    all
}

fn without_segment(parts: Vec<Placed<'_>>) -> Option<Group<'_>> {
    let start = parts.first()?.start;
    let end = parts.iter().map(|placed| placed.start.saturating_add(placed.size)).max().unwrap_or(start);
    Some(Group { start, size: end.saturating_sub(start), segment: None, parts })
}

/// Writes the entries, and knows where the last one ended.
struct Writer<'a> {
    relro: (u64, u64),
    entries: Vec<Entry<'a>>,
    seen: HashMap<String, usize>,
    /// Where the last entry ended; `None` among parts that have no place in the order.
    at: Option<u64>,
}

impl<'a> Writer<'a> {
    fn group(&mut self, group: &Group<'a>, order: Order) {
        let has_place = group.segment.is_some() || order == Order::Offset;
        if has_place {
            self.unused(Kind::Between, group.start);
        } else {
            self.at = None;
        }
        match group.segment {
            Some(segment) => {
                let key = format!("segment at {:#x}", segment.address);
                let block = block(Kind::Segment, &segment.name, Some(group.start), group.size);
                self.push(key, Some(segment), Block { flags: segment.flags.clone(), ..block });
            }
            None => {
                let first = group.parts.first().map_or("", |placed| placed.part.name.as_str());
                self.mark(Kind::Apart, group.start, group.size, &format!("apart from {first}"));
                if !has_place && let Some(entry) = self.entries.last_mut() {
                    (entry.block.at, entry.block.size) = (None, 0);
                }
            }
        }
        for placed in &group.parts {
            if has_place {
                self.unused(Kind::Unused, placed.start);
            }
            self.part(placed);
        }
        if has_place {
            self.unused(Kind::Unused, group.start.saturating_add(group.size));
        }
    }

    fn part(&mut self, placed: &Placed<'a>) {
        let part = placed.part;
        let at = self.at.map(|_| placed.start);
        let relro = placed.load.is_some() && part.memory > 0 && (self.relro.0..self.relro.1).contains(&part.address);
        let block = Block { relro, flags: part.flags.clone(), ..block(placed.kind, &part.name, at, placed.size) };
        self.push(format!("part {}", part.name), Some(part), block);
        let end = placed.start.saturating_add(placed.size);
        self.at = self.at.map(|at| at.max(end));
    }

    /// The bytes from where the last entry ended up to `to`, if they are more than alignment.
    fn unused(&mut self, kind: Kind, to: u64) {
        let Some(at) = self.at else { return };
        let size = to.saturating_sub(at);
        if size >= ALIGNMENT {
            let behind = self.entries.last().map_or("", |entry| entry.key.as_str());
            let key = format!("{kind:?} behind {behind}");
            self.push(key, None, block(kind, "", Some(at), size));
        }
        self.at = Some(at.max(to));
    }

    fn mark(&mut self, kind: Kind, at: u64, size: u64, key: &str) {
        self.push(key.to_owned(), None, block(kind, "", Some(at), size));
    }

    fn push(&mut self, key: String, part: Option<&'a ShapePart>, block: Block) {
        let number = self.seen.entry(key.clone()).or_default();
        *number += 1;
        let key = if *number > 1 { format!("{key} {number}") } else { key };
        self.entries.push(Entry { key, part, block });
    }
}
