//! The dynamic symbols, as far as the proof needs them: how many there are, and the names and versions that they refer to.

use super::state::State;
use crate::engine::Result;
use goblin::elf::dynamic::{DT_HASH, DT_SYMENT, DT_SYMTAB};
use goblin::elf::header::EM_S390;
use goblin::elf::section_header::SHT_DYNSYM;

/// `EM_ALPHA` as it is in use; its official number never was.
const EM_ALPHA: u16 = 0x9026;
/// Symbols that are read at once.
const CHUNK: u64 = 4096;

/// The number of dynamic symbols, by the section headers and the hash table; `None` where neither tells.
pub(super) fn symbol_count(state: &State<'_>) -> Result<Option<u64>> {
    let tables = state.tables();
    let Some(address) = tables.dynamic_value(DT_SYMTAB) else { return Ok(None) };
    let size = symbol_size(state);
    if tables.dynamic_value(DT_SYMENT).is_some_and(|found| found != size) {
        return Ok(None);
    }
    let named = tables.sections.iter().find(|section| section.sh_type == SHT_DYNSYM && section.sh_addr == address);
    let named = named.map(|section| section.sh_size / size);
    let width = hash_word(state);
    let hashed = match tables.dynamic_value(DT_HASH).and_then(|address| state.place(address, width * 2)) {
        Some(offset) => {
            let bytes = state.source.bytes(offset, width * 2)?;
            Some(state.facts.number(&bytes, width as usize, width as usize))
        }
        None => None,
    };
    let most = tables.file_offset(address).map_or(0, |(_, rest)| rest / size);
    Ok(named.max(hashed).filter(|count| *count <= most))
}

/// Hands the names' indexes of the first `count` dynamic symbols over.
pub(super) fn each_name(state: &State<'_>, count: u64, take: &mut dyn FnMut(u64)) -> Result<()> {
    let size = symbol_size(state);
    let place = state.tables().dynamic_value(DT_SYMTAB).and_then(|address| state.tables().file_offset(address));
    let Some((offset, rest)) = place else { return Ok(()) };
    let (count, mut first) = (count.min(rest / size), 0);
    while first < count {
        let length = CHUNK.min(count - first);
        let bytes = state.source.bytes(offset.saturating_add(first * size), length * size)?;
        // st_name is the first field in both classes.
        bytes.chunks_exact(size as usize).for_each(|symbol| take(state.facts.number(symbol, 0, 4)));
        first += length;
    }
    Ok(())
}

/// The size of a word of `DT_HASH` in bytes: 8 on Alpha and 64-bit s390 only.
pub(super) fn hash_word(state: &State<'_>) -> u64 {
    let tables = state.tables();
    if tables.is_64 && matches!(tables.header.e_machine, EM_S390 | EM_ALPHA) { 8 } else { 4 }
}

/// The size of a symbol in bytes.
pub(super) fn symbol_size(state: &State<'_>) -> u64 {
    if state.tables().is_64 { 24 } else { 16 }
}
