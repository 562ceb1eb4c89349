//! What an edit starts from: the file's tables, its dynamic strings, and the records that name a needed library again.
//!
//! Everything is found through program headers and the dynamic section; section headers are only kept in step.

use super::EditRefusal;
use super::records::Records;
use crate::engine::binary::elf::{Section, Segment, Tables};
use crate::engine::binary::{Format, Name, sniff};
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use goblin::elf::dynamic::{DT_STRSZ, DT_STRTAB};
use goblin::elf::header::ET_REL;
use goblin::elf::program_header::{PT_DYNAMIC, PT_GNU_RELRO, PT_INTERP, PT_LOAD};
use goblin::elf::section_header::{SHF_ALLOC, SHT_DYNAMIC, SHT_NOBITS, SHT_STRTAB};

/// A larger dynamic string table is taken as damage.
const MOST_STRINGS: u64 = 1 << 30;
/// A larger table of section names is not read; the names are for people only.
const MOST_NAMES: u64 = 1 << 20;
/// `e_phnum` of a file whose program headers are counted elsewhere (gABI).
const PN_XNUM: u16 = 0xffff;

/// Why planning ends early.
#[derive(Debug)]
pub(super) enum Stop {
    /// The file can't be read.
    Error(Error),
    /// The edit can't be made.
    Refusal(EditRefusal),
}

impl From<Error> for Stop {
    fn from(error: Error) -> Self {
        Self::Error(error)
    }
}

/// A refusal in which room is not what is missing.
pub(super) fn refuse(reason: impl Into<String>, way_out: impl Into<String>) -> Stop {
    Stop::Refusal(EditRefusal { reason: reason.into(), way_out: way_out.into(), need: None, room: None })
}

/// The interpreter's name and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Interpreter {
    /// The number of its program header.
    pub segment: usize,
    /// The name.
    pub name: Name,
}

/// What one edit has to know of its file.
#[derive(Debug, Clone)]
pub(super) struct Facts {
    /// Header, segments, sections, dynamic entries.
    pub tables: Tables,
    /// The file's size in bytes.
    pub size: u64,
    /// The bytes of the dynamic string table.
    pub strings: Vec<u8>,
    /// Where the string table stands in the file.
    pub strings_offset: u64,
    /// Its virtual address (`DT_STRTAB`).
    pub strings_address: u64,
    /// Where the dynamic section stands in the file, and its length in bytes.
    pub dynamic: (u64, u64),
    /// Its virtual address (`PT_DYNAMIC`).
    pub dynamic_address: u64,
    /// Whether it has one.
    pub has_dynamic: bool,
    /// The version records.
    pub records: Records,
    /// The interpreter, if it names one.
    pub interpreter: Option<Interpreter>,
    names: Vec<u8>,
}

impl Facts {
    /// Reads them from `source`.
    pub fn read(source: &dyn ReadAt) -> Result<Self, Stop> {
        if sniff(source)? != Some(Format::Elf) {
            return Err(refuse(
                "it is not an ELF file, and files of other formats can't be edited yet",
                "edit it with the tools of its own platform",
            ));
        }
        let tables = Tables::read(source)?;
        if tables.header.e_type == ET_REL {
            return Err(refuse("it is an object file, which no loader reads", "edit the file that is linked from it"));
        }
        if tables.header.e_phnum >= PN_XNUM - 1 {
            return Err(refuse("it has 65,534 program headers or more", "link it with fewer segments"));
        }
        let segment = tables.segments.iter().find(|segment| segment.p_type == PT_DYNAMIC);
        let address = segment.map(|segment| segment.p_vaddr);
        let mut facts = Self {
            size: source.size(),
            strings: Vec::new(),
            strings_offset: 0,
            strings_address: 0,
            dynamic: (0, 0),
            dynamic_address: 0,
            has_dynamic: false,
            records: Records::default(),
            interpreter: None,
            names: Vec::new(),
            tables,
        };
        facts.interpreter = facts.read_interpreter(source)?;
        facts.names = facts.read_names(source);
        let (Some(dynamic), Some(address)) = (facts.tables.dynamic_range, address) else {
            return Ok(facts);
        };
        (facts.dynamic, facts.dynamic_address, facts.has_dynamic) = (dynamic, address, true);
        facts.read_strings(source)?;
        facts.records = Records::read(&facts, source)?;
        Ok(facts)
    }

    fn read_strings(&mut self, source: &dyn ReadAt) -> Result<(), Stop> {
        let tables = &self.tables;
        let (Some(strings_address), Some(length)) = (tables.dynamic_value(DT_STRTAB), tables.dynamic_value(DT_STRSZ))
        else {
            return Err(refuse("its dynamic section names no string table", "link it again"));
        };
        let strings_offset = match tables.file_offset(strings_address) {
            Some((offset, rest)) if length <= rest && length <= MOST_STRINGS => offset,
            _ => {
                return Err(Error::malformed(
                    source.path(),
                    self.dynamic.0,
                    format!(
                        "DT_STRTAB and DT_STRSZ inside of one loaded segment, found {strings_address:#x}, {length}"
                    ),
                )
                .into());
            }
        };
        self.strings = source.bytes(strings_offset, length)?;
        (self.strings_offset, self.strings_address) = (strings_offset, strings_address);
        Ok(())
    }

    /// The section names. They are only for people: a damaged table of them keeps nothing from being edited.
    fn read_names(&self, source: &dyn ReadAt) -> Vec<u8> {
        match self.tables.sections.get(usize::from(self.tables.header.e_shstrndx)) {
            Some(table) if table.sh_type == SHT_STRTAB && table.sh_size <= MOST_NAMES => {
                source.bytes(table.sh_offset, table.sh_size).unwrap_or_default()
            }
            _ => Vec::new(),
        }
    }

    /// The string at `index` of the dynamic string table.
    pub fn string(&self, source: &dyn ReadAt, index: u64) -> Result<Name> {
        let rest = usize::try_from(index).ok().and_then(|index| self.strings.get(index..));
        let found = rest.and_then(|rest| rest.get(..rest.iter().position(|byte| *byte == 0)?));
        found.map(Name::new).ok_or_else(|| {
            Error::malformed(source.path(), self.strings_offset, format!("a string at {index:#x} of .dynstr"))
        })
    }

    /// The name of section `index`; its number where the file has no name for it.
    pub fn section_name(&self, index: usize) -> String {
        let start = self.tables.sections.get(index).map(|section| section.sh_name);
        let rest = start.and_then(|start| self.names.get(start..));
        match rest.and_then(|rest| rest.get(..rest.iter().position(|byte| *byte == 0)?)) {
            Some(name) if !name.is_empty() => String::from_utf8_lossy(name).into_owned(),
            _ => format!("section {index}"),
        }
    }

    /// The loaded segments.
    pub fn loads(&self) -> impl Iterator<Item = &Segment> {
        self.tables.segments.iter().filter(|segment| segment.p_type == PT_LOAD)
    }

    /// The number of the section header of the dynamic string table.
    pub fn strings_section(&self) -> Option<usize> {
        self.tables.sections.iter().position(|section| {
            self.has_dynamic
                && section.sh_type == SHT_STRTAB
                && section.sh_flags & u64::from(SHF_ALLOC) != 0
                && section.sh_addr == self.strings_address
        })
    }

    /// The number of the section header of the dynamic section.
    pub fn dynamic_section(&self) -> Option<usize> {
        self.tables.sections.iter().position(|section| section.sh_type == SHT_DYNAMIC)
    }

    /// The number of the section header of the interpreter's name.
    pub fn interpreter_section(&self) -> Option<usize> {
        let segment = self.tables.segments.get(self.interpreter.as_ref()?.segment)?;
        self.tables.sections.iter().position(|section| {
            section.sh_flags & u64::from(SHF_ALLOC) != 0
                && section.sh_offset == segment.p_offset
                && section.sh_addr == segment.p_vaddr
                && section.sh_size > 0
        })
    }

    /// Whether RELRO covers the dynamic section.
    pub fn dynamic_in_relro(&self) -> bool {
        let relro = self.tables.segments.iter().find(|segment| segment.p_type == PT_GNU_RELRO);
        relro.filter(|_| self.has_dynamic).is_some_and(|relro| {
            self.dynamic_address >= relro.p_vaddr && self.dynamic_address - relro.p_vaddr < relro.p_memsz
        })
    }

    /// The size of a program header in bytes.
    pub fn header_entry(&self) -> u64 {
        u64::from(self.tables.header.e_phentsize)
    }

    /// Where the program headers stand in the file.
    pub fn header_table(&self) -> (u64, u64) {
        let length = self.tables.segments.len() as u64 * self.header_entry();
        let start = self.tables.header.e_phoff;
        (start, start.saturating_add(length))
    }

    /// Where the section headers stand in the file.
    pub fn section_table(&self) -> (u64, u64) {
        let header = &self.tables.header;
        let length = self.tables.sections.len() as u64 * u64::from(header.e_shentsize);
        (header.e_shoff, header.e_shoff.saturating_add(length))
    }

    /// The size of a dynamic entry in bytes.
    pub fn dynamic_entry(&self) -> u64 {
        if self.tables.is_64 { 16 } else { 8 }
    }

    fn read_interpreter(&self, source: &dyn ReadAt) -> Result<Option<Interpreter>> {
        let found = self.tables.segments.iter().enumerate().find(|(_, segment)| segment.p_type == PT_INTERP);
        let Some((number, segment)) = found else { return Ok(None) };
        let mut bytes = source.bytes(segment.p_offset, segment.p_filesz.min(MOST_NAMES))?;
        bytes.truncate(bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len()));
        Ok(Some(Interpreter { segment: number, name: Name::new(bytes) }))
    }

    /// The 32-bit number at `at`.
    pub fn word(&self, bytes: &[u8], at: usize) -> u32 {
        self.number(bytes, at, 4) as u32
    }

    /// The number of `length` bytes (at most 8) at `at`, in the file's byte order; 0 where there are none.
    pub fn number(&self, bytes: &[u8], at: usize, length: usize) -> u64 {
        let bytes = at.checked_add(length).and_then(|end| bytes.get(at..end)).unwrap_or_default();
        let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        if self.tables.is_big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) }
    }
}

/// Where the bytes of `section` stand in the file; `None` when it has none.
pub(super) fn extent(section: &Section) -> Option<(u64, u64)> {
    let end = section.sh_offset.checked_add(section.sh_size)?;
    (section.sh_type != SHT_NOBITS && section.sh_type != 0 && section.sh_size > 0).then_some((section.sh_offset, end))
}
