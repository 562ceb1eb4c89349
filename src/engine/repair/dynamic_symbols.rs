//! The dynamic symbols of a file that is edited: how many there are, and each of them as it stands there.

use super::facts::Facts;
use crate::engine::binary::elf::Symbols;
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use goblin::elf::dynamic::{DT_SYMENT, DT_SYMTAB};
use goblin::elf::section_header::SHT_DYNSYM;

/// Symbols that are read at once.
const CHUNK: u64 = 4096;

/// How many dynamic symbols there are at the most, by the hash table and by the section headers; `None` where they can't be
/// counted, or do not all lie in the bytes of their segment.
pub(super) fn count(facts: &Facts, source: &dyn ReadAt) -> Result<Option<u64>> {
    let tables = &facts.tables;
    let Some(address) = tables.dynamic_value(DT_SYMTAB) else { return Ok(Some(0)) };
    let size = tables.symbol_size();
    if tables.dynamic_value(DT_SYMENT).is_some_and(|found| found != size) {
        return Ok(None);
    }
    let counted = match Symbols::open(source, tables).and_then(|symbols| symbols.table()) {
        Ok(table) => table.map(|(_, count)| count),
        // A hash table that leads out of the file finds nothing for a loader either.
        Err(Error::Malformed { .. }) => return Ok(None),
        Err(error) => return Err(error),
    };
    let named = tables.sections.iter().find(|section| section.sh_type == SHT_DYNSYM && section.sh_addr == address);
    let most = tables.file_offset(address).map_or(0, |(_, rest)| rest / size);
    Ok(counted.max(named.map(|section| section.sh_size / size)).filter(|count| *count <= most))
}

/// Hands the first `count` dynamic symbols over, with their numbers, in the table's order.
pub(super) fn each(facts: &Facts, source: &dyn ReadAt, count: u64, take: &mut dyn FnMut(u64, &[u8])) -> Result<()> {
    let size = facts.tables.symbol_size();
    let place = facts.tables.dynamic_value(DT_SYMTAB).and_then(|address| facts.tables.file_offset(address));
    let Some((offset, rest)) = place else { return Ok(()) };
    let (count, mut first) = (count.min(rest / size), 0);
    while first < count {
        let length = CHUNK.min(count - first);
        let bytes = source.bytes(offset.saturating_add(first * size), length * size)?;
        (first..).zip(bytes.chunks_exact(size as usize)).for_each(|(number, symbol)| take(number, symbol));
        first += length;
    }
    Ok(())
}

/// The name of `symbol`: an index into the dynamic strings. It is the first field in both classes.
pub(super) fn name(facts: &Facts, symbol: &[u8]) -> u64 {
    facts.number(symbol, 0, 4)
}
