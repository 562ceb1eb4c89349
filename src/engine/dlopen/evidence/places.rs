//! Where a file keeps data that nothing writes to, and with it its texts: by section, or by segment where it names none.

use crate::engine::Result;
use crate::engine::binary::elf::{StringTable, Tables};
use crate::engine::binary::{Binary, Format, Slice, macho, pe};
use crate::engine::file::ReadAt;
use goblin::elf::program_header::{PF_W, PT_LOAD};
use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_PROGBITS, SHT_STRTAB};

/// Sections that hold tables of the compiler and of the linker, never texts of the program.
const TABLES: [&str; 9] =
    [".eh_frame", ".eh_frame_hdr", ".gcc_except_table", ".interp", ".pdata", ".xdata", ".rsrc", ".reloc", ".gopclntab"];
/// Mach-O: `S_ATTR_PURE_INSTRUCTIONS` and `S_ATTR_SOME_INSTRUCTIONS`.
const HAS_CODE: u32 = 0x8000_0400;
/// PE: code, memory that can be executed, and memory that can be written to.
const CODE_OR_WRITABLE: u32 = 0x20 | 0x2000_0000 | 0x8000_0000;
/// A section name table that is larger is taken as damage, in bytes.
const MOST_NAMES: u64 = 1 << 20;

/// A stretch of data that nothing writes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The slice's number.
    pub(super) slice: usize,
    /// The section's name; `None` for a part of a segment.
    pub(super) section: Option<String>,
    /// Its address.
    pub(super) address: u64,
    /// Where it begins in the file.
    pub(super) offset: u64,
    /// Its length in the file, in bytes.
    pub(super) length: u64,
}

/// The places of all slices, by slice and offset; what reaches beyond the file's end is cut there.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the headers can't be read, [`crate::engine::Error::Io`].
pub(super) fn places(binary: &Binary, source: &dyn ReadAt) -> Result<Vec<Place>> {
    let mut found = Vec::new();
    for (number, slice) in binary.slices.iter().enumerate() {
        match (&slice.elf, binary.format) {
            (Some(details), _) => elf(&details.tables, source, number, &mut found)?,
            (None, Format::MachO) => mach_o(slice, source, number, &mut found)?,
            (None, _) => pe(source, number, &mut found)?,
        }
    }
    for place in &mut found {
        place.length = place.length.min(source.size().saturating_sub(place.offset));
    }
    found.retain(|place| place.length > 0);
    found.sort_by_key(|place| (place.slice, place.offset, place.length));
    // What several headers name is read once.
    let mut end: (usize, u64) = (0, 0);
    found.retain_mut(|place| {
        if end.0 != place.slice {
            end = (place.slice, 0);
        }
        let cut = end.1.saturating_sub(place.offset).min(place.length);
        place.offset += cut;
        place.address = place.address.saturating_add(cut);
        place.length -= cut;
        end.1 = end.1.max(place.offset + place.length);
        place.length > 0
    });
    Ok(found)
}

/// The name of ELF section number `index`, from the table of names.
fn section_name(names: &[u8], at: usize) -> Option<String> {
    let rest = names.get(at..)?;
    let end = rest.iter().position(|byte| *byte == 0)?;
    Some(String::from_utf8_lossy(rest.get(..end)?).into_owned())
}

fn elf(tables: &Tables, source: &dyn ReadAt, slice: usize, found: &mut Vec<Place>) -> Result<()> {
    let index = usize::from(tables.header.e_shstrndx);
    let table = tables.sections.get(index);
    let has_names = table.is_some_and(|table| table.sh_type == SHT_STRTAB && table.sh_size <= MOST_NAMES);
    // Names are for people: data is found without them.
    let names = if has_names { tables.section_bytes(source, index).unwrap_or_default() } else { Vec::new() };
    let known = found.len();
    for section in &tables.sections {
        let wanted = section.sh_type == SHT_PROGBITS
            && section.sh_flags & u64::from(SHF_ALLOC | SHF_EXECINSTR | SHF_WRITE) == u64::from(SHF_ALLOC);
        let name = section_name(&names, section.sh_name).filter(|name| !name.is_empty());
        if wanted && !name.as_deref().is_some_and(|name| TABLES.contains(&name)) {
            let (address, offset, length) = (section.sh_addr, section.sh_offset, section.sh_size);
            found.push(Place { slice, section: name, address, offset, length });
        }
    }
    if found.len() > known || !tables.sections.is_empty() {
        return Ok(());
    }
    // The names of symbols are texts too, and no names that are opened.
    let names = StringTable::of(source, tables)?.range.unwrap_or((0, 0));
    let names = (names.0, names.0.saturating_add(names.1));
    for segment in tables.segments.iter().filter(|one| one.p_type == PT_LOAD && one.p_flags & PF_W == 0) {
        let end = segment.p_offset.saturating_add(segment.p_filesz);
        for (from, to) in [(segment.p_offset, end.min(names.0)), (segment.p_offset.max(names.1), end)] {
            let into = from - segment.p_offset;
            let (address, length) = (segment.p_vaddr.saturating_add(into), to.saturating_sub(from));
            found.push(Place { slice, section: None, address, offset: from, length });
        }
    }
    Ok(())
}

fn mach_o(slice: &Slice, source: &dyn ReadAt, number: usize, found: &mut Vec<Place>) -> Result<()> {
    let image = macho::Image::read(source, macho::Place { offset: slice.offset, size: slice.size })?;
    for segment in macho::segments(&image)? {
        // __DATA_CONST is written to while the library is loaded, and never afterwards.
        let fixed = segment.protection & 2 == 0 || segment.name.as_bytes() == b"__DATA_CONST";
        for section in segment.sections.into_iter().filter(|_| fixed) {
            let is_table = ["__unwind_info", "__eh_frame", "__gcc_except_tab", "__objc_methname"]
                .iter()
                .any(|table| section.name.ends_with(table));
            if section.offset == 0 || section.flags & HAS_CODE != 0 || is_table {
                continue;
            }
            found.push(Place {
                slice: number,
                section: Some(section.name),
                address: section.address,
                offset: slice.offset.saturating_add(section.offset),
                length: section.size.min(slice.size.saturating_sub(section.offset)),
            });
        }
    }
    Ok(())
}

fn pe(source: &dyn ReadAt, slice: usize, found: &mut Vec<Place>) -> Result<()> {
    let headers = pe::Headers::read(source)?;
    for section in &headers.sections {
        let name = section.name.to_text().into_owned();
        if section.characteristics & CODE_OR_WRITABLE != 0 || TABLES.contains(&name.as_str()) {
            continue;
        }
        // In the file a section is filled up to a round size.
        let length = if section.size == 0 { section.file_size } else { section.file_size.min(section.size) };
        let address = headers.image_base.saturating_add(section.address);
        found.push(Place { slice, section: Some(name), address, offset: section.offset, length });
    }
    Ok(())
}
