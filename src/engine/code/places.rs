//! Where a file's machine code lies: its executable sections, or where it has no section headers its executable segments.

use crate::engine::binary::elf::Tables;
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use goblin::elf::program_header::{PF_X, PT_LOAD};
use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHT_NOBITS, SHT_NULL, SHT_STRTAB};

/// A stretch of the file that is loaded as code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Its address when the file is loaded at 0.
    pub address: u64,
    /// Where it begins in the file, in bytes.
    pub offset: u64,
    /// Its length in bytes; never 0.
    pub length: u64,
    /// Whether it holds the linker's stubs (`.plt` and its like); `false` where the file doesn't name its sections.
    pub stubs: bool,
}

impl Place {
    /// The address behind its last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.address + self.length
    }
}

/// The code of a file, by address and without overlaps.
///
/// # Errors
/// [`Error::Malformed`] when a section or segment lies outside of the file, or when they name the same bytes over and over.
pub fn places(source: &dyn ReadAt, tables: &Tables) -> Result<Vec<Place>> {
    let mut places = sections(source, tables)?;
    if places.is_empty() {
        places = segments(tables);
    }
    places.sort_by_key(|place| (place.address, place.length));
    let mut apart: Vec<Place> = Vec::new();
    let mut total = 0_u64;
    for mut place in places {
        let inside = place.address.checked_add(place.length).is_some()
            && place.offset.checked_add(place.length).is_some_and(|end| end <= source.size());
        if !inside {
            let expected = format!("{} bytes of code, but the file ends at {:#x}", place.length, source.size());
            return Err(Error::malformed(source.path(), place.offset, expected));
        }
        let taken = apart.last().map_or(0, Place::end);
        let cut = taken.saturating_sub(place.address).min(place.length);
        place = Place {
            address: place.address + cut,
            offset: place.offset + cut,
            length: place.length - cut,
            stubs: place.stubs,
        };
        if place.length > 0 {
            total = total.saturating_add(place.length);
            apart.push(place);
        }
    }
    if total > source.size() {
        let expected = format!("code that fits into the file, found {total} bytes of it at different addresses");
        return Err(Error::malformed(source.path(), 0, expected));
    }
    Ok(apart)
}

fn sections(source: &dyn ReadAt, tables: &Tables) -> Result<Vec<Place>> {
    let wanted = u64::from(SHF_ALLOC | SHF_EXECINSTR);
    let mut names = Vec::new();
    let index = usize::from(tables.header.e_shstrndx);
    if tables.sections.get(index).is_some_and(|section| section.sh_type == SHT_STRTAB && section.sh_size < 1 << 20) {
        // Names only tell stubs from other code: without them the rest is as good.
        names = tables.section_bytes(source, index).unwrap_or_default();
    }
    let place = |section: &&crate::engine::binary::elf::Section| {
        section.sh_flags & wanted == wanted && section.sh_size > 0 && !matches!(section.sh_type, SHT_NULL | SHT_NOBITS)
    };
    let code = tables.sections.iter().filter(place).map(|section| Place {
        address: section.sh_addr,
        offset: section.sh_offset,
        length: section.sh_size,
        stubs: names.get(section.sh_name..).is_some_and(|name| name.starts_with(b".plt") || name.starts_with(b".iplt")),
    });
    Ok(code.collect())
}

fn segments(tables: &Tables) -> Vec<Place> {
    let code = |segment: &&crate::engine::binary::elf::Segment| {
        segment.p_type == PT_LOAD && segment.p_flags & PF_X != 0 && segment.p_filesz > 0
    };
    let place = |segment: &crate::engine::binary::elf::Segment| Place {
        address: segment.p_vaddr,
        offset: segment.p_offset,
        length: segment.p_filesz,
        stubs: false,
    };
    tables.segments.iter().filter(code).map(place).collect()
}
