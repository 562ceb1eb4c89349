//! One of the two files as the explanation reads it: its tables, the names of its sections, and what lies at a place.

use crate::engine::Result;
use crate::engine::binary::elf::{Section, StringTable, Tables};
use crate::engine::binary::{Endian, Name};
use crate::engine::compare::regions_elf::{has_bytes, section_names};
use crate::engine::file::ReadAt;
use goblin::elf::section_header::{
    SHF_ALLOC, SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_HASH, SHT_GNU_VERDEF, SHT_GNU_VERNEED, SHT_GNU_VERSYM, SHT_HASH,
    SHT_NOTE, SHT_REL, SHT_RELA, SHT_STRTAB,
};
use std::collections::BTreeMap;

/// What stands at a place of an ELF file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The ELF header.
    Header,
    /// The program headers.
    Segments,
    /// The section headers.
    Sections,
    /// The section of this number.
    Section(usize),
}

/// A section by which the two files are told to be alike: its name, and which of that name it is.
type Key = (Name, usize);

/// An ELF file.
pub struct Object<'a> {
    /// Its bytes.
    pub source: &'a dyn ReadAt,
    /// Its tables.
    pub tables: Tables,
    /// The names of its sections.
    pub names: Vec<Name>,
    keys: Vec<Key>,
    by_key: BTreeMap<Key, usize>,
    /// Start, end and what it is, by start.
    places: Vec<(u64, u64, Place)>,
}

impl<'a> Object<'a> {
    /// The file `source`.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when its tables are damaged; [`crate::engine::Error::Io`].
    pub fn read(source: &'a dyn ReadAt) -> Result<Self> {
        let tables = Tables::read(source)?;
        let names = section_names(source, &tables);
        let (mut keys, mut by_key, mut seen) = (Vec::new(), BTreeMap::new(), BTreeMap::<&Name, usize>::new());
        for (number, name) in names.iter().enumerate() {
            let count = seen.entry(name).or_insert(0);
            keys.push((name.clone(), *count));
            by_key.insert((name.clone(), *count), number);
            *count += 1;
        }
        let mut places = Vec::new();
        let mut add = |start: u64, size: u64, place| {
            if size > 0 {
                places.push((start, start.saturating_add(size), place));
            }
        };
        let header = &tables.header;
        add(0, u64::from(header.e_ehsize), Place::Header);
        add(header.e_phoff, tables.segments.len() as u64 * u64::from(header.e_phentsize), Place::Segments);
        add(header.e_shoff, tables.sections.len() as u64 * u64::from(header.e_shentsize), Place::Sections);
        for (number, section) in tables.sections.iter().enumerate().filter(|(_, section)| has_bytes(section)) {
            add(section.sh_offset, section.sh_size, Place::Section(number));
        }
        places.sort_by_key(|(start, end, _)| (*start, *end));
        Ok(Self { source, tables, names, keys, by_key, places })
    }

    /// Its byte order.
    #[must_use]
    pub fn endian(&self) -> Endian {
        if self.tables.is_big { Endian::Big } else { Endian::Little }
    }

    /// The bytes of an address.
    #[must_use]
    pub fn word(&self) -> u64 {
        if self.tables.is_64 { 8 } else { 4 }
    }

    /// What stands at `offset`, with its start, and where that ends or the next thing begins.
    #[must_use]
    pub fn at(&self, offset: u64) -> (Option<(u64, Place)>, u64) {
        let after = self.places.partition_point(|(start, _, _)| *start <= offset);
        let next = self.places.get(after).map_or(u64::MAX, |(start, _, _)| *start);
        // What begins last is the finer: tables stand in no section.
        let found = self.places.get(..after).unwrap_or_default().iter().rev().find(|(_, end, _)| *end > offset);
        match found {
            Some((start, end, place)) => (Some((*start, *place)), next.min(*end)),
            None => (None, next),
        }
    }

    /// The stretches between sections and tables.
    #[must_use]
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let (mut at, mut gaps) = (0, Vec::new());
        for (start, end, _) in &self.places {
            if *start > at {
                gaps.push((at, *start));
            }
            at = at.max(*end);
        }
        if self.source.size() > at {
            gaps.push((at, self.source.size()));
        }
        gaps
    }

    /// Section `number`.
    #[must_use]
    pub fn section(&self, number: usize) -> Option<&Section> {
        self.tables.sections.get(number)
    }

    /// The section of this file that is section `number` of `other`.
    #[must_use]
    pub fn twin(&self, other: &Object<'_>, number: usize) -> Option<(usize, &Section)> {
        let number = *self.by_key.get(other.keys.get(number)?)?;
        Some((number, self.tables.sections.get(number)?))
    }

    /// Whether section `number` here is `other_number` of `other`.
    #[must_use]
    pub fn is_twin(&self, number: usize, other: &Object<'_>, other_number: usize) -> bool {
        match (self.keys.get(number), other.keys.get(other_number)) {
            (Some(one), Some(two)) => one == two,
            _ => false,
        }
    }

    /// The loaded section that holds `address`, and how far into it that is. The end of a section is still in it where
    /// nothing follows.
    #[must_use]
    pub fn section_of(&self, address: u64) -> Option<(usize, u64)> {
        let holds = |section: &Section, reach: u64| {
            section.sh_flags & u64::from(SHF_ALLOC) != 0
                && section.sh_addr <= address
                && address < section.sh_addr.saturating_add(section.sh_size).saturating_add(reach)
        };
        let find = |reach| self.tables.sections.iter().position(|section| holds(section, reach));
        let number = find(0).or_else(|| find(1))?;
        Some((number, address - self.section(number)?.sh_addr))
    }

    /// The string at `index` of `.dynstr`.
    #[must_use]
    pub fn string(&self, index: u64) -> Option<Name> {
        StringTable::of(self.source, &self.tables).ok()?.get(index).ok()
    }

    /// The first string that a dynamic entry of one of `tags` names.
    #[must_use]
    pub fn named(&self, tags: &[u64]) -> Option<(u64, Name)> {
        let entry = self.tables.dynamic.iter().find(|entry| tags.contains(&entry.d_tag))?;
        Some((entry.d_tag, self.string(entry.d_val)?))
    }
}

/// Whether the section can be moved in memory: only the dynamic section and program headers lead to it, no code does.
#[must_use]
pub fn is_movable(section: &Section, name: &Name) -> bool {
    let is_known = matches!(
        section.sh_type,
        SHT_DYNAMIC
            | SHT_STRTAB
            | SHT_DYNSYM
            | SHT_HASH
            | SHT_GNU_HASH
            | SHT_GNU_VERSYM
            | SHT_GNU_VERNEED
            | SHT_GNU_VERDEF
            | SHT_NOTE
            | SHT_REL
            | SHT_RELA
    );
    is_known || name.as_bytes() == b".interp"
}
