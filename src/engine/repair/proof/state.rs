//! One file as the proof sees it, before or after: its facts, and what of its memory comes from which bytes.

use crate::engine::binary::elf::{Section, Segment, Tables, hardening, largest_page};
use crate::engine::file::ReadAt;
use crate::engine::repair::facts::{Facts, Stop};
use crate::engine::report::audit::Hardening;
use goblin::elf::program_header::PT_LOAD;

/// A file before or after an edit.
pub(super) struct State<'a> {
    /// Its bytes.
    pub source: &'a dyn ReadAt,
    /// Its tables, dynamic strings and version records.
    pub facts: Facts,
}

impl<'a> State<'a> {
    /// Reads it from `source`.
    pub fn read(source: &'a dyn ReadAt) -> Result<Self, Stop> {
        Ok(Self { source, facts: Facts::read(source)? })
    }

    /// Its tables.
    pub fn tables(&self) -> &Tables {
        &self.facts.tables
    }

    /// The `PT_LOAD`s in the file's order.
    pub fn loads(&self) -> Vec<&Segment> {
        self.facts.loads().collect()
    }

    /// The first segment of type `kind`.
    pub fn segment(&self, kind: u32) -> Option<&Segment> {
        self.tables().segments.iter().find(|segment| segment.p_type == kind)
    }

    /// Where the `length` bytes at `address` stand in the file, if one `PT_LOAD` holds them all.
    pub fn place(&self, address: u64, length: u64) -> Option<u64> {
        let load = self.load_of(address, length)?;
        let into = address.checked_sub(load.p_vaddr)?;
        (into.checked_add(length)? <= load.p_filesz).then_some(load.p_offset.checked_add(into)?)
    }

    /// The `PT_LOAD` whose memory holds the `length` bytes at `address`.
    pub fn load_of(&self, address: u64, length: u64) -> Option<&Segment> {
        let end = address.checked_add(length)?;
        self.tables().segments.iter().find(|load| {
            load.p_type == PT_LOAD
                && load.p_vaddr <= address
                && load.p_vaddr.checked_add(load.p_memsz).is_some_and(|stop| end <= stop)
        })
    }

    /// The name of section `number`, for people.
    pub fn section_name(&self, number: usize) -> String {
        self.facts.section_name(number)
    }

    /// Section `number`.
    pub fn section(&self, number: usize) -> Option<&Section> {
        self.tables().sections.get(number)
    }

    /// Its hardening.
    pub fn hardening(&self) -> Hardening {
        hardening(self.tables())
    }

    /// The largest page that the machine's kernels are built for, in bytes.
    pub fn page(&self) -> u64 {
        largest_page(self.tables().header.e_machine)
    }
}
