//! The symbols of `.symtab` that stand in moved sections: `_DYNAMIC`, `__abi_tag`, the sections' own.
//!
//! Nothing at run time reads them; debuggers and checkers do. Only local symbols can stand in those sections.

use super::encode::Encode;
use crate::engine::Result;
use crate::engine::binary::elf::Section;
use crate::engine::file::ReadAt;
use crate::engine::repair::Patch;
use crate::engine::repair::facts::Facts;
use goblin::elf::section_header::SHT_SYMTAB;

/// Symbols that are read at once.
const CHUNK: u64 = 32_768;

/// The writes that move the symbols of section `number` by `moves(number)`.
pub(super) fn patches(facts: &Facts, source: &dyn ReadAt, moves: &dyn Fn(usize) -> Option<u64>) -> Result<Vec<Patch>> {
    let mut patches = Vec::new();
    if (0..facts.tables.sections.len()).all(|number| moves(number).is_none()) {
        return Ok(patches);
    }
    let encode = Encode::like(&facts.tables);
    // Elf64_Sym has st_shndx at 6 and st_value at 8; Elf32_Sym has st_value at 4 and st_shndx at 14.
    let (entry, section_at, value_at, width) = if facts.tables.is_64 { (24_u64, 6, 8, 8) } else { (16, 14, 4, 4) };
    for section in facts.tables.sections.iter().filter(|section| section.sh_type == SHT_SYMTAB) {
        let inside = section.sh_offset.checked_add(section.sh_size).is_some_and(|end| end <= facts.size);
        if section.sh_entsize != entry || !inside {
            continue;
        }
        let locals = u64::from(section.sh_info).min(section.sh_size / entry);
        let mut first = 0;
        while first < locals {
            let count = CHUNK.min(locals - first);
            let bytes = source.bytes(section.sh_offset + first * entry, count * entry)?;
            for (symbol, at) in bytes.chunks_exact(entry as usize).zip(first..) {
                let number = facts.number(symbol, section_at, 2) as usize;
                let Some(distance) = moves(number) else { continue };
                let value = facts.number(symbol, value_at, width);
                // mold gives `__ehdr_start` and others the first section's number, though they do not stand in it.
                let stands =
                    |section: &Section| value.checked_sub(section.sh_addr).is_some_and(|at| at <= section.sh_size);
                if !facts.tables.sections.get(number).is_some_and(stands) {
                    continue;
                }
                patches.push(Patch {
                    offset: section.sh_offset + at * entry + value_at as u64,
                    bytes: encode.address(value.wrapping_add(distance)),
                    meaning: format!("symbol {at}, in {}: its address", facts.section_name(number)),
                });
            }
            first += count;
        }
    }
    Ok(patches)
}
