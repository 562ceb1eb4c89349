//! What lies where in one file: named regions, items whose value can be said in words, and tables whose entries are read
//! only when they are asked for.
//!
//! The readers of the three formats fill a [`Layout`]; what a run of bytes means is asked of two of them by `meaning`. Of two
//! overlapping regions the one of the finer layer names the place: tables before sections, sections before segments.

use super::code::{Named, Symbols};
use super::item::{Entries, Found, Item, Table};
use super::tell::Tell;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use crate::engine::{Error, Result};
use std::cmp::Reverse;
use std::collections::BTreeMap;

/// How many regions that begin before a place are tried: names stand one behind another within their directory.
const MOST_NESTED: usize = 64;

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

/// What the bytes of a region are made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Anything.
    Bytes,
    /// NUL-terminated strings.
    Strings,
}

/// A named stretch of the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Region {
    /// Where it begins.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// Its name.
    pub name: String,
    /// What kind of bytes it holds.
    pub class: Class,
    /// What they are made of.
    pub content: Content,
}

/// A stretch whose items are told when they are asked for.
#[derive(Debug)]
struct Teller {
    start: u64,
    end: u64,
    tell: Box<dyn Tell>,
}

/// The regions, items and tables of one file.
#[derive(Debug, Default)]
pub struct Layout {
    regions: [Vec<Region>; 3],
    /// Where regions begin and end.
    edges: Vec<u64>,
    /// Tables and sections by name; nothing where two have one name.
    by_name: BTreeMap<String, Option<(u64, u64)>>,
    items: Vec<Item>,
    tables: Vec<Table>,
    tellers: Vec<Teller>,
    /// Where what lies in the file is loaded: offset, size, address.
    loaded: Vec<(u64, u64, u64)>,
    /// Who names the string at an offset: `NEEDED`.
    owners: BTreeMap<u64, String>,
    last_section_end: u64,
    symbols: Option<Box<dyn Symbols>>,
    named: Named,
}

impl Layout {
    /// Adds the region `start..start + size`, called `name`.
    pub fn region(&mut self, layer: Layer, class: Class, start: u64, size: u64, name: impl Into<String>) {
        self.add(layer, start, size, name.into(), class, Content::Bytes);
    }

    /// Adds a region that is made of NUL-terminated strings.
    pub fn strings(&mut self, layer: Layer, start: u64, size: u64, name: impl Into<String>) {
        self.strings_of(layer, Class::String, start, size, name);
    }

    /// Adds a region that is made of NUL-terminated strings and of class `class`.
    pub fn strings_of(&mut self, layer: Layer, class: Class, start: u64, size: u64, name: impl Into<String>) {
        self.add(layer, start, size, name.into(), class, Content::Strings);
    }

    /// Adds an item of `size` bytes at `start`.
    pub fn item(&mut self, class: Class, start: u64, size: u64, name: impl Into<String>, value: impl Into<String>) {
        self.add_item(Item::new(class, start, size, name, value));
    }

    /// Adds an item.
    pub fn add_item(&mut self, item: Item) {
        if item.end > item.start {
            self.items.push(item);
        }
    }

    /// Adds a table of entries of `entry` bytes each, which are read when they are asked for.
    pub fn table(&mut self, start: u64, size: u64, entry: u64, entries: Box<dyn Entries>) {
        if entry > 0 && size >= entry {
            let end = start.saturating_add(size - size % entry);
            self.tables.push(Table { start, end, entry, entries });
        }
    }

    /// Has the items of the `size` bytes at `start` told by `tell` when they are asked for.
    pub fn on_demand(&mut self, start: u64, size: u64, tell: Box<dyn Tell>) {
        if size > 0 {
            self.tellers.push(Teller { start, end: start.saturating_add(size), tell });
        }
    }

    /// Notes that `size` bytes at `offset` are loaded at `address`.
    pub fn loaded(&mut self, offset: u64, size: u64, address: u64) {
        self.loaded.push((offset, size, address));
    }

    /// Notes who names the string at `offset`; the first to say so is told.
    pub fn owner(&mut self, offset: u64, owner: impl Into<String>) {
        self.owners.entry(offset).or_insert_with(|| owner.into());
    }

    /// Says where the file's symbols are found.
    pub fn symbols(&mut self, symbols: Box<dyn Symbols>) {
        self.symbols = Some(symbols);
    }

    /// Looks up the symbols in which `places` lie, and forgets those of other places.
    ///
    /// # Errors
    /// [`Error::Io`]; where a symbol table is damaged no symbol is found.
    pub fn name(&mut self, source: &dyn ReadAt, places: Vec<u64>) -> Result<()> {
        self.named = match self.symbols.as_deref().map(|symbols| Named::find(source, symbols, places)) {
            Some(Ok(named)) => named,
            None | Some(Err(Error::Malformed { .. })) => Named::default(),
            Some(Err(other)) => return Err(other),
        };
        Ok(())
    }

    /// The symbols of the places that were looked up.
    #[must_use]
    pub fn named(&self) -> &Named {
        &self.named
    }

    fn add(&mut self, layer: Layer, start: u64, size: u64, name: String, class: Class, content: Content) {
        if size == 0 {
            return;
        }
        let end = start.saturating_add(size);
        if layer == Layer::Section {
            self.last_section_end = self.last_section_end.max(end);
        }
        if let Some(list) = self.regions.get_mut(layer as usize) {
            list.push(Region { start, end, name, class, content });
        }
    }

    /// Brings everything into the order in which it is searched; to be called once all is added.
    #[must_use]
    pub fn ordered(mut self) -> Self {
        for list in &mut self.regions {
            list.sort_by_key(|region| (region.start, Reverse(region.end)));
            self.edges.extend(list.iter().flat_map(|region| [region.start, region.end]));
        }
        self.edges.sort_unstable();
        self.edges.dedup();
        for region in self.regions.iter().take(Layer::Segment as usize).flatten() {
            let place = (region.start, region.end);
            self.by_name.entry(region.name.clone()).and_modify(|known| *known = None).or_insert(Some(place));
        }
        self.items.sort_by_key(|item| (item.start, Reverse(item.end)));
        self.tables.sort_by_key(|table| (table.start, Reverse(table.end)));
        self.tellers.sort_by_key(|teller| (teller.start, Reverse(teller.end)));
        self.loaded.sort_unstable();
        self
    }

    fn find(&self, offset: u64) -> Option<(usize, &Region)> {
        self.regions.iter().enumerate().find_map(|(layer, list)| {
            let after = list.partition_point(|region| region.start <= offset);
            let before = list.get(..after)?.iter().rev().take(MOST_NESTED);
            before.into_iter().find(|region| region.end > offset).map(|region| (layer, region))
        })
    }

    /// The table or section that `offset` lies in; a segment is none.
    #[must_use]
    pub fn part_at(&self, offset: u64) -> Option<&Region> {
        self.find(offset).filter(|(layer, _)| *layer < Layer::Segment as usize).map(|(_, region)| region)
    }

    /// Where the table or section called `name` begins and ends, if only one is called so.
    #[must_use]
    pub fn part_named(&self, name: &str) -> Option<(u64, u64)> {
        self.by_name.get(name).copied().flatten()
    }

    /// The names of the tables or sections before and behind `offset`, which lies in none.
    #[must_use]
    pub fn neighbours(&self, offset: u64) -> (Option<&str>, Option<&str>) {
        let fine = || self.regions.iter().take(Layer::Segment as usize);
        let before = fine().flat_map(|list| {
            let after = list.partition_point(|region| region.start <= offset);
            list.get(..after).unwrap_or_default().iter().rev().take(MOST_NESTED)
        });
        let behind = fine().filter_map(|list| list.get(list.partition_point(|region| region.start <= offset)));
        (
            before.max_by_key(|region| region.end).map(|region| region.name.as_str()),
            behind.min_by_key(|region| region.start).map(|region| region.name.as_str()),
        )
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
    #[must_use]
    pub fn class_at(&self, offset: u64) -> Class {
        let item = self.items_within(offset, offset.saturating_add(1)).next().map(|item| item.class);
        item.or_else(|| self.find(offset).map(|(_, region)| region.class)).unwrap_or(Class::Padding)
    }

    /// The first place in `start..end` where another region begins; `end` when it is one and the same to there.
    #[must_use]
    pub fn edge_within(&self, start: u64, end: u64) -> u64 {
        let here = self.find(start);
        let first = self.edges.partition_point(|edge| *edge <= start);
        let edges = self.edges.get(first..).unwrap_or_default().iter().copied().take_while(|edge| *edge < end);
        let is_other = |edge: &u64| self.find(*edge).map(|(_, region)| region) != here.map(|(_, region)| region);
        edges.into_iter().find(is_other).unwrap_or(end)
    }

    /// The address at which the byte at `offset` is loaded.
    #[must_use]
    pub fn address_of(&self, offset: u64) -> Option<u64> {
        let after = self.loaded.partition_point(|(start, ..)| *start <= offset);
        let before = self.loaded.get(..after)?.iter().rev().take(MOST_NESTED);
        let (start, _, address) = before.into_iter().find(|(start, size, _)| offset - start < *size)?;
        address.checked_add(offset - start)
    }

    /// Who names the string that begins at `offset`, or one that is its end.
    #[must_use]
    pub fn owner_within(&self, start: u64, end: u64) -> Option<&str> {
        self.owners.range(start..end.max(start)).next().map(|(_, owner)| owner.as_str())
    }

    fn items_within(&self, start: u64, end: u64) -> impl Iterator<Item = &Item> {
        // Items don't overlap, so that the one before the first to begin in the range is the only other that reaches in.
        let first = self.items.partition_point(|item| item.start < start).saturating_sub(1);
        let from = self.items.get(first..).unwrap_or_default().iter();
        from.take_while(move |item| item.start < end).filter(move |item| item.end > start)
    }

    /// The items of `start..end`, those of tables included: the first `most`, and how many there are beyond.
    ///
    /// # Errors
    /// [`Error::Io`] when an entry can't be read; one that is damaged is left out.
    pub fn items_of(&self, source: &dyn ReadAt, start: u64, end: u64, most: usize) -> Result<Found> {
        let mut found = Found::default();
        if start >= end {
            return Ok(found);
        }
        for item in self.items_within(start, end) {
            if found.items.len() < most {
                found.items.push(item.clone());
            } else {
                found.more += 1;
            }
        }
        let after = self.tables.partition_point(|table| table.start < end);
        let tables = self.tables.get(..after).unwrap_or_default().iter().rev();
        // Tables that begin further before are none that reach here, but in a garbled file.
        let within = tables.filter(|table| table.end > start).take(MOST_NESTED);
        for table in within {
            let first = start.saturating_sub(table.start) / table.entry;
            let last = (end.min(table.end) - table.start).div_ceil(table.entry);
            let room = most.saturating_sub(found.items.len());
            let stop = last.min(first.saturating_add(room as u64));
            for number in first..stop {
                let offset = table.start + number * table.entry;
                let items = match table.entries.entry(source, number, offset) {
                    Ok(items) => items,
                    Err(Error::Malformed { .. }) => continue,
                    Err(other) => return Err(other),
                };
                found.items.extend(items.into_iter().filter(|item| item.start < end && item.end > start));
                if found.items.len() >= most {
                    found.more += last - number - 1;
                    break;
                }
            }
            if room == 0 {
                found.more += last - first;
            }
        }
        let after = self.tellers.partition_point(|teller| teller.start < end);
        let tellers = self.tellers.get(..after).unwrap_or_default().iter().rev();
        for teller in tellers.take(MOST_NESTED).filter(|teller| teller.end > start) {
            match teller.tell.items(source, start.max(teller.start), end.min(teller.end)) {
                Ok(items) => found.items.extend(items),
                Err(Error::Malformed { .. }) => {}
                Err(other) => return Err(other),
            }
        }
        found.items.sort_by_key(|item| (item.start, Reverse(item.end)));
        found.more += found.items.len().saturating_sub(most) as u64;
        found.items.truncate(most);
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layout() -> Layout {
        let mut layout = Layout::default();
        layout.region(Layer::Segment, Class::Data, 0, 100, "segment 0");
        layout.region(Layer::Section, Class::Code, 20, 30, ".text");
        layout.strings(Layer::Section, 50, 12, ".dynstr");
        layout.region(Layer::Table, Class::Header, 0, 10, "header");
        layout.loaded(20, 30, 0x1020);
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
        assert_eq!(layout.neighbours(12), (Some("header"), Some(".text")));
        assert_eq!(layout.neighbours(70), (Some(".dynstr"), None));
        assert_eq!(layout.part_named(".text"), Some((20, 50)));
        assert_eq!((layout.part_at(70), layout.address_of(21), layout.address_of(50)), (None, Some(0x1021), None));
    }

    #[derive(Debug)]
    struct Numbers;

    impl Entries for Numbers {
        fn entry(&self, _: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
            Ok(vec![Item::new(Class::Symbol, offset, 4, format!("entry {number}"), "0")])
        }
    }

    #[test]
    fn of_a_table_only_the_wanted_entries_are_read() {
        let mut layout = Layout::default();
        layout.table(100, 4_000_003, 4, Box::new(Numbers));
        layout.item(Class::Header, 90, 10, "head", "1");
        let layout = layout.ordered();
        let source = crate::engine::file::MemoryBytes::new("a".into(), Vec::new());
        let names = |start, end| {
            let found = layout.items_of(&source, start, end, 3).unwrap();
            (found.items.into_iter().map(|item| item.name).collect::<Vec<_>>(), found.more)
        };
        assert_eq!(names(107, 109), (vec!["entry 1".into(), "entry 2".into()], 0));
        assert_eq!(names(95, 5_000_000), (vec!["head".into(), "entry 0".into(), "entry 1".into()], 999_998));
        assert_eq!(names(4_000_100, 4_000_103), (Vec::<String>::new(), 0));
    }
}
