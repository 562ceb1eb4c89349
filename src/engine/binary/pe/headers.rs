//! A PE file's headers and section table, and the way from an address to a place in the file.

use crate::engine::binary::record::{Record, name_at};
use crate::engine::binary::{Endian, Name};
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};

/// Data directories, in the optional header's order.
pub const DIRECTORY_NAMES: [&str; 16] = [
    "export directory",
    "import directory",
    "resource directory",
    "exception directory",
    "certificate table",
    "base relocations",
    "debug directory",
    "architecture",
    "global pointer",
    "TLS directory",
    "load configuration",
    "bound imports",
    "import address table",
    "delay-load imports",
    "CLR header",
    "reserved directory",
];

/// Numbers of the data directories that are looked at.
pub mod directory {
    /// The export directory.
    pub const EXPORT: usize = 0;
    /// The import directory.
    pub const IMPORT: usize = 1;
    /// The resources.
    pub const RESOURCE: usize = 2;
    /// The table of functions for unwinding the stack.
    pub const EXCEPTION: usize = 3;
    /// The attribute certificates; the one directory that gives a file offset.
    pub const CERTIFICATES: usize = 4;
    /// The base relocations.
    pub const BASE_RELOCATION: usize = 5;
    /// The debug directory.
    pub const DEBUG: usize = 6;
    /// Thread-local storage.
    pub const TLS: usize = 9;
    /// The load configuration.
    pub const LOAD_CONFIG: usize = 10;
    /// The import address table.
    pub const IMPORT_ADDRESS: usize = 12;
    /// The delay-load import directory.
    pub const DELAY_IMPORT: usize = 13;
}

/// A data directory entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Directory {
    /// The address relative to the image's base; a file offset for the certificates.
    pub address: u64,
    /// Its length in bytes.
    pub size: u64,
}

/// A section header.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `.text`, `.rdata`.
    pub name: Name,
    /// Its address relative to the image's base.
    pub address: u64,
    /// Its length in memory, in bytes.
    pub size: u64,
    /// Where its bytes begin in the file.
    pub offset: u64,
    /// How many bytes it has in the file.
    pub file_size: u64,
    /// `Characteristics`.
    pub characteristics: u32,
}

/// The headers of a PE file.
#[derive(Debug, Clone)]
pub struct Headers {
    /// Where the `PE` signature stands in the file.
    pub signature: u64,
    /// `Machine`.
    pub machine: u16,
    /// `Characteristics`.
    pub characteristics: u16,
    /// PE32+ (`true`) or PE32.
    pub is_plus: bool,
    /// `ImageBase`.
    pub image_base: u64,
    /// `SizeOfHeaders`, in bytes.
    pub headers_size: u64,
    /// Where the optional header begins in the file.
    pub optional: u64,
    /// Where the data directories begin in the file.
    pub directories_offset: u64,
    /// The data directories; at most sixteen.
    pub directories: Vec<Directory>,
    /// Where the section table begins in the file.
    pub sections_offset: u64,
    /// The sections, in the table's order.
    pub sections: Vec<Section>,
}

impl Headers {
    /// Reads the headers of `source`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is no PE file, or its headers don't fit.
    pub fn read(source: &dyn ReadAt) -> Result<Self> {
        let path = source.path();
        let signature = u64::from(Record::read(source, 0, 64, Endian::Little)?.word(60)?);
        // The signature, and behind it: Machine, NumberOfSections, three words, SizeOfOptionalHeader, Characteristics.
        let coff = Record::read(source, signature, 24, Endian::Little)?;
        if coff.word(0)? != 0x4550 {
            return Err(Error::malformed(path, signature, "the signature of a PE file"));
        }
        let optional = signature + 24;
        let optional_size = u64::from(coff.half(20)?);
        let header = Record::read(source, optional, optional_size, Endian::Little)?;
        let is_plus = match header.half(0)? {
            0x10b => false,
            0x20b => true,
            other => {
                return Err(Error::malformed(path, optional, format!("magic 0x10b or 0x20b, found {other:#x}")));
            }
        };
        let first = if is_plus { 112 } else { 96 };
        let count = u64::from(header.word(first - 4)?).min(DIRECTORY_NAMES.len() as u64);
        let count = count.min(optional_size.saturating_sub(first) / 8);
        let mut directories = Vec::new();
        for number in 0..count {
            let at = first + number * 8;
            directories.push(Directory { address: u64::from(header.word(at)?), size: u64::from(header.word(at + 4)?) });
        }
        let sections_offset = optional + optional_size;
        let sections_count = u64::from(coff.half(6)?);
        let table = Record::read(source, sections_offset, sections_count * 40, Endian::Little)?;
        let mut sections = Vec::new();
        for number in 0..sections_count {
            // Name[8], VirtualSize, VirtualAddress, SizeOfRawData, PointerToRawData.
            let at = number * 40;
            sections.push(Section {
                name: table.name(at, 8)?,
                size: u64::from(table.word(at + 8)?),
                address: u64::from(table.word(at + 12)?),
                file_size: u64::from(table.word(at + 16)?),
                offset: u64::from(table.word(at + 20)?),
                characteristics: table.word(at + 36)?,
            });
        }
        Ok(Self {
            signature,
            machine: coff.half(4)?,
            characteristics: coff.half(22)?,
            is_plus,
            image_base: if is_plus { header.long(24)? } else { u64::from(header.word(28)?) },
            headers_size: u64::from(header.word(60)?),
            optional,
            directories_offset: optional + first,
            directories,
            sections_offset,
            sections,
        })
    }

    /// The data directory number `number`, where the file has one that is not empty.
    #[must_use]
    pub fn directory(&self, number: usize) -> Option<Directory> {
        self.directories.get(number).copied().filter(|directory| directory.address != 0)
    }

    /// The file offset of relative address `address`, and how many bytes of its section follow in the file.
    #[must_use]
    pub fn file_offset(&self, address: u64) -> Option<(u64, u64)> {
        let in_headers = (address < self.headers_size).then(|| (address, self.headers_size - address));
        let in_section = |section: &Section| {
            let into = address.checked_sub(section.address)?;
            let rest = section.file_size.checked_sub(into).filter(|&rest| rest > 0)?;
            Some((section.offset.saturating_add(into), rest))
        };
        self.sections.iter().find_map(in_section).or(in_headers)
    }

    /// The `length` bytes at relative address `address`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when no section has them in the file.
    pub fn record<'a>(&self, source: &'a dyn ReadAt, address: u64, length: u64, what: &str) -> Result<Record<'a>> {
        let (offset, _) = self.place(source, address, length, what)?;
        Record::read(source, offset, length, Endian::Little)
    }

    /// The NUL-terminated name at relative address `address`.
    ///
    /// # Errors
    /// As [`Headers::record`].
    pub fn name(&self, source: &dyn ReadAt, address: u64, what: &str) -> Result<Name> {
        let (offset, rest) = self.place(source, address, 1, what)?;
        name_at(source, offset, offset.saturating_add(rest))
    }

    fn place(&self, source: &dyn ReadAt, address: u64, length: u64, what: &str) -> Result<(u64, u64)> {
        self.file_offset(address).filter(|(_, rest)| *rest >= length).ok_or_else(|| {
            Error::malformed(
                source.path(),
                self.optional,
                format!("{what} within a section, found address {address:#x}"),
            )
        })
    }
}
