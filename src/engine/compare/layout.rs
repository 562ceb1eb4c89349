//! What lies where in one file: named regions, and items whose value can be said in words.
//!
//! The readers of the three formats fill a [`Layout`]; here it is asked. Of two overlapping regions the one of the finer
//! layer names the place: tables before sections, sections before segments.

use super::alignment::ByteRun;
use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::{Class, RunKind};
use std::cmp::Reverse;

/// A longer text is cut.
const LONGEST_TEXT: usize = 200;
/// How far a string is followed from the byte that is looked at, in both directions.
const STRING_REACH: u64 = 4096;
/// How many regions that begin before a place are tried: names stand one behind another within their directory.
const MOST_NESTED: usize = 64;
/// At most this many changes are told of one run.
const MOST_CHANGES: usize = 8;

/// How fine a region is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Layer {
    /// Headers and the tables that they name.
    Table,
    /// Sections.
    Section,
    /// Segments.
    Segment,
}

/// A named stretch of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Region {
    start: u64,
    end: u64,
    name: String,
    class: Class,
    is_strings: bool,
}

/// A field or record, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it begins.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// What kind of bytes it is.
    pub class: Class,
    /// What it is: `dynamic entry 3`.
    pub name: String,
    /// What it says: `DT_NEEDED libz.so.1`.
    pub value: String,
}

/// The regions and items of one file.
#[derive(Debug, Default)]
pub struct Layout {
    regions: [Vec<Region>; 3],
    items: Vec<Item>,
    last_section_end: u64,
}

impl Layout {
    /// Adds the region `start..start + size`, called `name`.
    pub fn region(&mut self, layer: Layer, class: Class, start: u64, size: u64, name: impl Into<String>) {
        self.add(layer, class, start, size, name.into(), false);
    }

    /// Adds a region that is made of NUL-terminated strings.
    pub fn strings(&mut self, layer: Layer, start: u64, size: u64, name: impl Into<String>) {
        self.add(layer, Class::String, start, size, name.into(), true);
    }

    /// Adds an item of `size` bytes at `start`.
    pub fn item(&mut self, class: Class, start: u64, size: u64, name: impl Into<String>, value: impl Into<String>) {
        let end = start.saturating_add(size);
        self.items.push(Item { start, end, class, name: name.into(), value: value.into() });
    }

    fn add(&mut self, layer: Layer, class: Class, start: u64, size: u64, name: String, is_strings: bool) {
        if size == 0 {
            return;
        }
        let end = start.saturating_add(size);
        if layer == Layer::Section {
            self.last_section_end = self.last_section_end.max(end);
        }
        if let Some(list) = self.regions.get_mut(layer as usize) {
            list.push(Region { start, end, name, class, is_strings });
        }
    }

    /// Brings everything into the order in which it is searched; to be called once all is added.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        for list in &mut self.regions {
            list.sort_by_key(|region| (region.start, Reverse(region.end)));
        }
        self.items.sort_by_key(|item| (item.start, Reverse(item.end)));
        self
    }

    fn find(&self, offset: u64) -> Option<(usize, &Region)> {
        self.regions.iter().enumerate().find_map(|(layer, list)| {
            let after = list.partition_point(|region| region.start <= offset);
            let before = list.get(..after)?.iter().rev().take(MOST_NESTED);
            before.into_iter().find(|region| region.end > offset).map(|region| (layer, region))
        })
    }

    /// The name of the part of the file that `offset` lies in.
    #[must_use]
    pub fn region_at(&self, offset: u64) -> String {
        let is_behind = offset >= self.last_section_end;
        match self.find(offset) {
            Some((layer, region)) if layer == Layer::Segment as usize && is_behind => {
                format!("{}, behind the last section", region.name)
            }
            Some((_, region)) => region.name.clone(),
            None if is_behind => "behind the last section".into(),
            None => "between sections".into(),
        }
    }

    /// What kind of bytes stand at `offset`.
    fn class_at(&self, offset: u64) -> Class {
        let item = self.items_within(offset, offset.saturating_add(1)).next().map(|item| item.class);
        item.or_else(|| self.find(offset).map(|(_, region)| region.class)).unwrap_or(Class::Padding)
    }

    /// The first place in `start..end` where another region begins; `end` when it is one and the same to there.
    fn edge_within(&self, start: u64, end: u64) -> u64 {
        let here = self.find(start);
        let borders = self.regions.iter().flat_map(|list| {
            let first = list.partition_point(|region| region.start <= start);
            list.get(first..).unwrap_or_default().iter().map(|region| region.start).take_while(|edge| *edge < end)
        });
        let ends = here.map(|(_, region)| region.end);
        let mut edges: Vec<u64> = borders.chain(ends).filter(|edge| *edge < end).collect();
        edges.sort_unstable();
        let is_other = |edge: &u64| self.find(*edge).map(|(_, region)| region) != here.map(|(_, region)| region);
        edges.into_iter().find(is_other).unwrap_or(end)
    }

    fn items_within(&self, start: u64, end: u64) -> impl Iterator<Item = &Item> {
        // Items don't overlap, so that the one before the first to begin in the range is the only other that reaches in.
        let first = self.items.partition_point(|item| item.start < start).saturating_sub(1);
        let from = self.items.get(first..).unwrap_or_default().iter();
        from.take_while(move |item| item.start < end).filter(move |item| item.end > start)
    }

    fn string_at(&self, source: &dyn ReadAt, offset: u64) -> Result<Option<Text>> {
        let Some((_, region)) = self.find(offset).filter(|(_, region)| region.is_strings) else { return Ok(None) };
        let start = region.start.max(offset.saturating_sub(STRING_REACH));
        let end = region.end.min(offset.saturating_add(STRING_REACH)).min(source.size());
        let before = source.bytes(start, offset - start)?;
        let after = source.bytes(offset, end.saturating_sub(offset))?;
        let head = before.rsplit(|byte| *byte == 0).next().unwrap_or_default();
        let tail = after.split(|byte| *byte == 0).next().unwrap_or_default();
        let text = String::from_utf8_lossy(&[head, tail].concat()).into_owned();
        Ok(Some(Text { text, end: offset + tail.len() as u64 }))
    }
}

/// A string of a file, and the offset of the NUL behind it.
struct Text {
    text: String,
    end: u64,
}

/// One file with its layout.
pub struct Side<'a> {
    /// The file.
    pub source: &'a dyn ReadAt,
    /// What lies where in it.
    pub layout: &'a Layout,
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
    /// What they are, old and new.
    pub meaning: Option<String>,
}

/// The parts of `run`, each with what its bytes are in both files.
///
/// # Errors
/// [`crate::engine::Error::Io`] when a string can't be read.
pub fn parts(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<Vec<Part>> {
    let mut parts = Vec::new();
    let own = if run.kind == RunKind::Inserted { b.layout } else { a.layout };
    let (mut at, end) = (run.offset(), run.offset() + run.len);
    while at < end {
        let edge = own.edge_within(at, end);
        let done = at - run.offset();
        let (in_a, in_b) = match run.kind {
            RunKind::Changed => (run.a + done, run.b + done),
            RunKind::Inserted => (run.a, run.b + done),
            RunKind::Removed => (run.a + done, run.b),
        };
        let piece = ByteRun { kind: run.kind, a: in_a, b: in_b, len: edge - at };
        parts.push(Part {
            run: piece,
            region: own.region_at(at),
            class: own.class_at(at),
            meaning: meaning(a, b, piece)?,
        });
        at = edge;
    }
    Ok(parts)
}

/// What the bytes of `run` are in both files, old and new.
fn meaning(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<Option<String>> {
    let mut changes = Vec::new();
    let mut total = 0;
    let (end_a, end_b) = run.ends();
    let mut add = |words: String| {
        total += 1;
        if changes.len() < MOST_CHANGES {
            changes.push(words);
        }
    };
    match run.kind {
        RunKind::Changed => {
            // The same distance from the run's start, in the other file.
            let across = |offset: u64| offset.max(run.a).min(end_a) - run.a + run.b;
            for item in a.layout.items_within(run.a, end_a) {
                add(change(item, b.layout.items_within(across(item.start), across(item.end)).next()));
            }
        }
        RunKind::Inserted => b.layout.items_within(run.b, end_b).for_each(|item| add(said(item))),
        RunKind::Removed => a.layout.items_within(run.a, end_a).for_each(|item| add(said(item))),
    }
    if total > changes.len() {
        changes.push(format!("and {} more", total - changes.len()));
    }
    if changes.is_empty() && run.kind == RunKind::Changed {
        let (old, new) = (a.layout.string_at(a.source, run.a)?, b.layout.string_at(b.source, run.b)?);
        if let (Some(old), Some(new)) = (old, new) {
            let behind = (end_a - run.a) > (old.end - run.a).max(new.end - run.b) + 1;
            let more = if behind { ", and what follows" } else { "" };
            changes.push(format!("\"{}\" \u{2192} \"{}\"{more}", clipped(&old.text), clipped(&new.text)));
        }
    }
    if run.kind == RunKind::Changed {
        let (here, there) = (a.layout.region_at(run.a), b.layout.region_at(run.b));
        if here != there {
            changes.push(format!("in the second file: {there}"));
        }
    }
    Ok((!changes.is_empty()).then(|| changes.join("; ")))
}

fn said(item: &Item) -> String {
    format!("{}: {}", item.name, clipped(&item.value))
}

fn change(old: &Item, new: Option<&Item>) -> String {
    let (name, value) = (&old.name, clipped(&old.value));
    match new {
        Some(new) if new.name == *name && new.value == old.value => format!("{name}: {value}"),
        Some(new) if new.name == *name => format!("{name}: {value} \u{2192} {}", clipped(&new.value)),
        Some(new) => format!("{name}: {value} \u{2192} {}: {}", new.name, clipped(&new.value)),
        None => format!("{name}: {value} \u{2192} something else"),
    }
}

/// `text`, cut where it is longer than a line or two.
fn clipped(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    fn layout() -> Layout {
        let mut layout = Layout::default();
        layout.region(Layer::Segment, Class::Data, 0, 100, "segment 0");
        layout.region(Layer::Section, Class::Code, 20, 30, ".text");
        layout.strings(Layer::Section, 50, 12, ".dynstr");
        layout.region(Layer::Table, Class::Header, 0, 10, "header");
        layout.ordered()
    }

    #[test]
    fn the_finer_layer_names_the_place() {
        let layout = layout();
        for (offset, name) in [
            (9, "header"),
            (10, "segment 0"),
            (20, ".text"),
            (61, ".dynstr"),
            (62, "segment 0, behind the last section"),
            (100, "behind the last section"),
        ] {
            assert_eq!(layout.region_at(offset), name);
        }
        assert_eq!((layout.edge_within(15, 90), layout.edge_within(20, 90), layout.edge_within(20, 40)), (20, 50, 40));
    }

    #[test]
    fn items_and_strings_are_told_old_and_new() {
        let (mut a, mut b) = (layout(), layout());
        a.item(Class::Header, 4, 4, "e_flags", "0x1");
        b.item(Class::Header, 4, 4, "e_flags", "0x2");
        let bytes = |name: &[u8]| MemoryBytes::new("a".into(), [&[0; 51], name, &[0; 40]].concat());
        let (old, new) = (bytes(b"liba.so"), bytes(b"libb.so"));
        let (a, b) = (Side { source: &old, layout: &a }, Side { source: &new, layout: &b });
        let same = |offset| ByteRun { kind: RunKind::Changed, a: offset, b: offset, len: 1 };
        assert_eq!(meaning(&a, &b, same(7)).unwrap().unwrap(), "e_flags: 0x1 \u{2192} 0x2");
        assert_eq!(meaning(&a, &b, same(54)).unwrap().unwrap(), "\"liba.so\" \u{2192} \"libb.so\"");
        assert_eq!(meaning(&a, &b, same(30)).unwrap(), None);
    }
}
