//! The raw tables of an ELF file (gABI chapters 4 and 5): header, segments, sections, dynamic entries.
//!
//! 32 and 64 bit, both byte orders, read through windows. Names and meanings are left to others.

use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use goblin::container::{Container, Ctx, Endian};
use goblin::elf::dynamic::{DT_NULL, Dyn};
use goblin::elf::header::{EI_CLASS, EI_DATA, ELFCLASS32, ELFCLASS64, ELFDATA2LSB, ELFDATA2MSB, Header};
use goblin::elf::program_header::{PT_DYNAMIC, PT_LOAD, ProgramHeader};
use goblin::elf::section_header::{SHT_NOBITS, SectionHeader};
use scroll::Pread;

/// A program header.
pub type Segment = ProgramHeader;
/// A section header.
pub type Section = SectionHeader;
/// An entry of the dynamic section.
pub type DynamicEntry = Dyn;

/// More headers than this are taken as a damaged file.
const MOST_HEADERS: u64 = 65_535;
/// More dynamic entries than this are taken as a damaged file.
const MOST_DYNAMIC: u64 = 65_536;

/// The raw tables of one ELF file.
#[derive(Debug, Clone)]
pub struct Tables {
    /// The file header.
    pub header: Header,
    /// 64-bit (`true`) or 32-bit.
    pub is_64: bool,
    /// Big-endian (`true`) or little-endian.
    pub is_big: bool,
    /// The program headers, in the file's order.
    pub segments: Vec<Segment>,
    /// The section headers, in the file's order; empty when the file has none.
    pub sections: Vec<Section>,
    /// Where the dynamic entries lie: file offset and length in bytes, as `PT_DYNAMIC` says.
    pub dynamic_range: Option<(u64, u64)>,
    /// The dynamic entries up to and without the first `DT_NULL`.
    pub dynamic: Vec<DynamicEntry>,
    /// `DT_NULL` entries at the end of the dynamic range, the terminating one included.
    pub dynamic_nulls: u64,
}

impl Tables {
    /// Reads the tables of `source`, which begins with an ELF header.
    ///
    /// # Errors
    /// [`Error::Malformed`] with the offset at which the file is not what gABI demands; [`Error::Io`].
    pub fn read(source: &dyn ReadAt) -> Result<Self> {
        let path = source.path();
        let ident = source.bytes(0, source.size().min(16))?;
        let class = ident.get(EI_CLASS).copied().unwrap_or(0);
        let order = ident.get(EI_DATA).copied().unwrap_or(0);
        let container = match class {
            ELFCLASS32 => Container::Little,
            ELFCLASS64 => Container::Big,
            other => return Err(Error::malformed(path, 4, format!("class 1 (32-bit) or 2 (64-bit), found {other}"))),
        };
        let endian = match order {
            ELFDATA2LSB => Endian::Little,
            ELFDATA2MSB => Endian::Big,
            other => return Err(Error::malformed(path, 5, format!("byte order 1 or 2, found {other}"))),
        };
        let context = Ctx::new(container, endian);
        let header_size = Header::size(context) as u64;
        let head = source.bytes(0, header_size)?;
        let header =
            head.pread::<Header>(0).map_err(|error| Error::malformed(path, 0, format!("an ELF header ({error})")))?;
        let mut tables = Self {
            header,
            is_64: class == ELFCLASS64,
            is_big: order == ELFDATA2MSB,
            segments: Vec::new(),
            sections: Vec::new(),
            dynamic_range: None,
            dynamic: Vec::new(),
            dynamic_nulls: 0,
        };
        tables.sections = tables.read_sections(source, context)?;
        tables.segments = tables.read_segments(source, context)?;
        tables.read_dynamic(source, context)?;
        Ok(tables)
    }

    /// The context in which goblin's structures of this file are read and written.
    #[must_use]
    pub fn context(&self) -> Ctx {
        let container = if self.is_64 { Container::Big } else { Container::Little };
        let endian = if self.is_big { Endian::Big } else { Endian::Little };
        Ctx::new(container, endian)
    }

    /// The first value of dynamic entry `tag`.
    #[must_use]
    pub fn dynamic_value(&self, tag: u64) -> Option<u64> {
        self.dynamic.iter().find(|entry| entry.d_tag == tag).map(|entry| entry.d_val)
    }

    /// The size of a symbol in bytes (gABI 4, "Symbol Table").
    #[must_use]
    pub fn symbol_size(&self) -> u64 {
        if self.is_64 { 24 } else { 16 }
    }

    /// The file offset of virtual address `address`, and how many bytes of its segment follow in the file.
    #[must_use]
    pub fn file_offset(&self, address: u64) -> Option<(u64, u64)> {
        self.segments.iter().filter(|segment| segment.p_type == PT_LOAD).find_map(|segment| {
            let into = address.checked_sub(segment.p_vaddr)?;
            let rest = segment.p_filesz.checked_sub(into).filter(|&rest| rest > 0)?;
            Some((segment.p_offset.checked_add(into)?, rest))
        })
    }

    /// The bytes of section number `index`; empty for one without bytes in the file.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the file ends before the section does.
    pub fn section_bytes(&self, source: &dyn ReadAt, index: usize) -> Result<Vec<u8>> {
        match self.sections.get(index) {
            Some(section) if section.sh_type != SHT_NOBITS => source.bytes(section.sh_offset, section.sh_size),
            _ => Ok(Vec::new()),
        }
    }

    fn read_sections(&self, source: &dyn ReadAt, context: Ctx) -> Result<Vec<Section>> {
        let path = source.path();
        let offset = self.header.e_shoff;
        let entry = SectionHeader::size(context) as u64;
        // A file without a whole section table still loads: the loader reads segments only.
        if offset == 0 || u64::from(self.header.e_shentsize) != entry || offset.saturating_add(entry) > source.size() {
            return Ok(Vec::new());
        }
        let mut count = u64::from(self.header.e_shnum);
        if count == 0 {
            // gABI: with 65,280 sections or more the count stands in the first header's sh_size.
            let first = source.bytes(offset, entry)?;
            count = first
                .pread_with::<SectionHeader>(0, context)
                .map_err(|error| Error::malformed(path, offset, error.to_string()))?
                .sh_size;
        }
        if count > MOST_HEADERS * 16 || offset.saturating_add(count.saturating_mul(entry)) > source.size() {
            return Ok(Vec::new());
        }
        let bytes = source.bytes(offset, count * entry)?;
        (0..count)
            .map(|number| {
                let at = number * entry;
                bytes
                    .pread_with::<SectionHeader>(at as usize, context)
                    .map_err(|error| Error::malformed(path, offset + at, format!("a section header ({error})")))
            })
            .collect()
    }

    fn read_segments(&self, source: &dyn ReadAt, context: Ctx) -> Result<Vec<Segment>> {
        let path = source.path();
        let offset = self.header.e_phoff;
        let mut count = u64::from(self.header.e_phnum);
        if offset == 0 || count == 0 {
            return Ok(Vec::new());
        }
        if count == MOST_HEADERS {
            // gABI PN_XNUM: the count stands in the first section header's sh_info.
            count = self.sections.first().map_or(count, |section| u64::from(section.sh_info));
        }
        let entry = ProgramHeader::size(context) as u64;
        if u64::from(self.header.e_phentsize) != entry {
            return Err(Error::malformed(
                path,
                0,
                format!("program headers of {entry} bytes, found {}", self.header.e_phentsize),
            ));
        }
        let bytes = source.bytes(offset, count.saturating_mul(entry))?;
        (0..count)
            .map(|number| {
                let at = number * entry;
                bytes
                    .pread_with::<ProgramHeader>(at as usize, context)
                    .map_err(|error| Error::malformed(path, offset + at, format!("a program header ({error})")))
            })
            .collect()
    }

    fn read_dynamic(&mut self, source: &dyn ReadAt, context: Ctx) -> Result<()> {
        let Some(segment) = self.segments.iter().find(|segment| segment.p_type == PT_DYNAMIC) else {
            return Ok(());
        };
        let (offset, size) = (segment.p_offset, segment.p_filesz);
        let entry = Dyn::size(context.container) as u64;
        let count = size / entry;
        if count > MOST_DYNAMIC {
            return Err(Error::malformed(
                source.path(),
                offset,
                format!("at most {MOST_DYNAMIC} dynamic entries, found {count}"),
            ));
        }
        if count == 0 {
            return Ok(());
        }
        let bytes = source.bytes(offset, count * entry)?;
        let mut entries = Vec::new();
        for number in 0..count {
            let at = number * entry;
            let value = bytes
                .pread_with::<Dyn>(at as usize, context)
                .map_err(|error| Error::malformed(source.path(), offset + at, format!("a dynamic entry ({error})")))?;
            entries.push(value);
        }
        let end = entries.iter().position(|entry| entry.d_tag == DT_NULL).unwrap_or(entries.len());
        self.dynamic_nulls =
            entries.get(end..).unwrap_or_default().iter().take_while(|entry| entry.d_tag == DT_NULL).count() as u64;
        entries.truncate(end);
        self.dynamic = entries;
        self.dynamic_range = Some((offset, size));
        Ok(())
    }
}
