//! The section headers: nothing that loads a file reads them, but `strip`, debuggers and the next edit do.

use super::plan::Laid;
use super::state::State;
use crate::engine::Result;
use crate::engine::binary::elf::Section;
use crate::engine::repair::facts::extent;
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_STRSZ, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERNEED, DT_VERNEEDNUM, DT_VERSYM,
};
use goblin::elf::program_header::{PT_DYNAMIC, PT_INTERP};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_TLS, SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_HASH, SHT_GNU_VERDEF, SHT_GNU_VERNEED, SHT_GNU_VERSYM,
    SHT_HASH, SHT_NOBITS, SHT_SYMTAB,
};

/// Symbols that are read at once.
const CHUNK: u64 = 4096;

/// What is wrong with the section headers of `state`.
pub(super) fn faults(state: &State<'_>) -> Vec<String> {
    let tables = state.tables();
    let mut faults = Vec::new();
    for (number, section) in tables.sections.iter().enumerate().filter(|(_, section)| section.sh_type != 0) {
        let name = state.section_name(number);
        let end = section.sh_offset.checked_add(section.sh_size);
        if section.sh_type != SHT_NOBITS && end.is_none_or(|end| end > state.source.size()) {
            faults.push(format!("{name} reaches beyond the file's end"));
        }
        if is_loaded(section) && section.sh_size > 0 {
            faults.extend(place(state, section).map(|fault| format!("{name} {fault}")));
        }
        if section.sh_addralign > 1 && is_loaded(section) && section.sh_addr % section.sh_addralign != 0 {
            faults.push(format!("{name} is not aligned"));
        }
    }
    faults.extend(overlaps(state));
    faults.extend(dynamic(state));
    faults
}

fn is_loaded(section: &Section) -> bool {
    section.sh_flags & u64::from(SHF_ALLOC) != 0
}

/// What is wrong with the place of the loaded `section`.
fn place(state: &State<'_>, section: &Section) -> Option<&'static str> {
    if section.sh_type != SHT_NOBITS {
        return match state.place(section.sh_addr, section.sh_size) {
            Some(offset) if offset == section.sh_offset => None,
            Some(_) => Some("takes its bytes from elsewhere than its PT_LOAD"),
            None => Some("does not lie in the bytes of a PT_LOAD"),
        };
    }
    if section.sh_flags & u64::from(SHF_TLS) != 0 {
        return None;
    }
    let Some(load) = state.load_of(section.sh_addr, section.sh_size) else {
        return Some("does not lie in the memory of a PT_LOAD");
    };
    let has_bytes = section.sh_addr.wrapping_sub(load.p_vaddr) < load.p_filesz;
    has_bytes.then_some("should be zeros, and lies on bytes of the file")
}

/// The sections, and the tables of headers, that share bytes of the file.
fn overlaps(state: &State<'_>) -> Vec<String> {
    let (header, tables) = (&state.tables().header, state.tables());
    let mut ranges: Vec<(u64, u64, String)> = Vec::new();
    for (number, section) in tables.sections.iter().enumerate() {
        ranges.extend(extent(section).map(|(start, end)| (start, end, state.section_name(number))));
    }
    let section_headers = tables.sections.len() as u64 * u64::from(header.e_shentsize);
    let program_headers = tables.segments.len() as u64 * state.facts.header_entry();
    ranges.push((header.e_shoff, header.e_shoff.saturating_add(section_headers), "the section headers".to_owned()));
    ranges.push((header.e_phoff, header.e_phoff.saturating_add(program_headers), "the program headers".to_owned()));
    ranges.retain(|range| range.0 < range.1);
    ranges.sort_by_key(|range| (range.0, range.1));
    let mut faults = Vec::new();
    let mut last: Option<&(u64, u64, String)> = None;
    for range in &ranges {
        if let Some(below) = last.filter(|below| range.0 < below.1) {
            faults.push(format!("{} and {} share bytes of the file", below.2, range.2));
        }
        if last.is_none_or(|below| below.1 < range.1) {
            last = Some(range);
        }
    }
    faults
}

/// Where section headers and dynamic section disagree.
fn dynamic(state: &State<'_>) -> Vec<String> {
    let tables = state.tables();
    let mut faults = Vec::new();
    let Some(segment) = state.segment(PT_DYNAMIC) else { return faults };
    for section in &tables.sections {
        let (tag, name) = match section.sh_type {
            SHT_DYNAMIC => {
                if (section.sh_addr, section.sh_offset) != (segment.p_vaddr, segment.p_offset) {
                    faults.push("PT_DYNAMIC and the section header of .dynamic disagree".to_owned());
                }
                if section.sh_size != segment.p_filesz {
                    faults.push("PT_DYNAMIC and .dynamic differ in length".to_owned());
                }
                let strings = tables.sections.get(section.sh_link as usize);
                if let (Some(strings), Some(address)) = (strings, tables.dynamic_value(DT_STRTAB)) {
                    if strings.sh_addr != address {
                        faults.push("DT_STRTAB and the section header of the strings disagree".to_owned());
                    }
                    if Some(strings.sh_size) != tables.dynamic_value(DT_STRSZ) {
                        faults.push("DT_STRSZ and the section header of the strings disagree".to_owned());
                    }
                }
                continue;
            }
            SHT_DYNSYM => (DT_SYMTAB, "SYMTAB"),
            SHT_HASH => (DT_HASH, "HASH"),
            SHT_GNU_HASH => (DT_GNU_HASH, "GNU_HASH"),
            SHT_GNU_VERSYM => (DT_VERSYM, "VERSYM"),
            SHT_GNU_VERDEF => (DT_VERDEF, "VERDEF"),
            SHT_GNU_VERNEED => {
                if u64::from(section.sh_info) != tables.dynamic_value(DT_VERNEEDNUM).unwrap_or(0) {
                    faults.push("DT_VERNEEDNUM and its section header disagree".to_owned());
                }
                // A section that lost its last record stays behind as an empty one.
                if section.sh_info == 0 {
                    continue;
                }
                (DT_VERNEED, "VERNEED")
            }
            _ => continue,
        };
        if tables.dynamic_value(tag) != Some(section.sh_addr) {
            faults.push(format!("DT_{name} and its section header disagree"));
        }
    }
    faults
}

/// Where the section headers of `after` no longer follow the segments, as those of `before` did; and `_DYNAMIC`.
pub(super) fn changes(before: &State<'_>, after: &State<'_>, laid: &Laid<'_>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for kind in [PT_DYNAMIC, PT_INTERP] {
        let (Some(old), Some(new)) = (before.segment(kind), after.segment(kind)) else { continue };
        let named = before.tables().sections.iter().position(|section| {
            is_loaded(section)
                && section.sh_size > 0
                && (section.sh_addr, section.sh_offset) == (old.p_vaddr, old.p_offset)
        });
        if let Some((number, section)) = named.and_then(|number| Some((number, after.section(number)?)))
            && (section.sh_addr, section.sh_offset) != (new.p_vaddr, new.p_offset)
        {
            faults.push(format!("{} did not move with its segment", before.section_name(number)));
        }
    }
    if before.facts.dynamic_address != after.facts.dynamic_address {
        symbols(before, after, laid, &mut faults)?;
    }
    Ok(faults)
}

/// The local symbols of `.dynamic` in `.symtab` (`_DYNAMIC`): they move with it.
fn symbols(before: &State<'_>, after: &State<'_>, laid: &Laid<'_>, faults: &mut Vec<String>) -> Result<()> {
    let Some(dynamic) = before.facts.dynamic_section() else { return Ok(()) };
    let distance = after.facts.dynamic_address.wrapping_sub(before.facts.dynamic_address);
    // Elf64_Sym has st_shndx at 6 and st_value at 8; Elf32_Sym has st_value at 4 and st_shndx at 14.
    let (size, section_at, value_at, width) = if before.tables().is_64 { (24_u64, 6, 8, 8) } else { (16, 14, 4, 4) };
    let mask = if width == 8 { u64::MAX } else { u64::from(u32::MAX) };
    for table in before.tables().sections.iter().filter(|section| section.sh_type == SHT_SYMTAB) {
        let whole = table.sh_offset.checked_add(table.sh_size).is_some_and(|end| end <= before.source.size());
        let start = laid.start(table.sh_offset, table.sh_size).filter(|_| whole && table.sh_entsize == size);
        let Some(start) = start else { continue };
        let count = u64::from(table.sh_info).min(table.sh_size / size);
        let mut first = 0;
        while first < count {
            let length = CHUNK.min(count - first);
            let old = before.source.bytes(table.sh_offset + first * size, length * size)?;
            for (number, symbol) in (first..).zip(old.chunks_exact(size as usize)) {
                if before.facts.number(symbol, section_at, 2) != dynamic as u64 {
                    continue;
                }
                let new = after.source.bytes(start + number * size, size)?;
                let wanted = before.facts.number(symbol, value_at, width).wrapping_add(distance) & mask;
                if after.facts.number(&new, value_at, width) != wanted {
                    faults.push(format!("symbol {number} of .symtab, in .dynamic, did not move with it"));
                }
            }
            first += length;
        }
    }
    Ok(())
}
