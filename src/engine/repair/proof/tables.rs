//! The tables that the dynamic section leads to: each in loaded bytes of its length, aligned, and with what it held.

use super::dynamic::DT_RELR;
use super::plan::Laid;
use super::state::State;
use crate::engine::Result;
use crate::engine::binary::elf::hash_word;
use crate::engine::repair::dynamic_symbols;
use goblin::elf::dynamic::{
    DT_FINI_ARRAY, DT_FINI_ARRAYSZ, DT_GNU_HASH, DT_HASH, DT_INIT_ARRAY, DT_INIT_ARRAYSZ, DT_JMPREL, DT_PLTGOT,
    DT_PLTRELSZ, DT_PREINIT_ARRAY, DT_PREINIT_ARRAYSZ, DT_REL, DT_RELA, DT_RELASZ, DT_RELSZ, DT_STRSZ, DT_STRTAB,
    DT_SYMTAB, DT_VERDEF, DT_VERNEED, DT_VERSYM,
};
use goblin::elf::section_header::SHT_GNU_HASH;

/// `DT_RELRSZ` (gABI).
const DT_RELRSZ: u64 = 35;
/// The length of a version record; its links are followed elsewhere.
const RECORD: u64 = 16;

/// A table of the dynamic section.
struct Table {
    name: &'static str,
    tag: u64,
    address: u64,
    /// In bytes, as far as something tells it.
    length: u64,
    /// What its address must be a multiple of.
    align: u64,
}

/// What is wrong with the places of the tables of `state`.
pub(super) fn faults(state: &State<'_>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    for table in tables(state)? {
        if state.place(table.address, table.length).is_none() {
            faults.push(format!("DT_{} does not lie in the bytes of a PT_LOAD", table.name));
        }
        if table.address % table.align != 0 {
            faults.push(format!("DT_{} is not aligned", table.name));
        }
    }
    Ok(faults)
}

/// Which tables of `before` hold something else in `after`. Strings and versions have checks of their own.
pub(super) fn changes(before: &State<'_>, after: &State<'_>, laid: &Laid<'_>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let new = tables(after)?;
    for old in tables(before)? {
        if matches!(old.tag, DT_STRTAB | DT_VERNEED | DT_VERSYM | DT_PLTGOT) {
            continue;
        }
        let Some(found) = new.iter().find(|table| table.tag == old.tag) else {
            faults.push(format!("DT_{} is gone", old.name));
            continue;
        };
        if found.length != old.length {
            faults.push(format!("DT_{} has {} bytes, not {}", old.name, found.length, old.length));
            continue;
        }
        // What did not lie in the file before is none of an edit's.
        let Some(was) = before.place(old.address, old.length) else { continue };
        match after.place(found.address, found.length) {
            Some(is) if laid.same(before, after, was, is, old.length)? => {}
            Some(_) => faults.push(format!("DT_{} leads to other bytes", old.name)),
            None => faults.push(format!("DT_{} leads nowhere", old.name)),
        }
    }
    Ok(faults)
}

/// The tables that `state` has.
fn tables(state: &State<'_>) -> Result<Vec<Table>> {
    let tables = state.tables();
    let (word, symbol) = if tables.is_64 { (8, 24) } else { (4, 16) };
    let size = |tag: u64| tables.dynamic_value(tag).unwrap_or(0);
    let count = dynamic_symbols::count(&state.facts, state.source)?.unwrap_or(1);
    let list = [
        ("HASH", DT_HASH, hash_length(state, DT_HASH)?, 4),
        ("GNU_HASH", DT_GNU_HASH, hash_length(state, DT_GNU_HASH)?, word),
        ("STRTAB", DT_STRTAB, size(DT_STRSZ), 1),
        ("SYMTAB", DT_SYMTAB, count.saturating_mul(symbol), word),
        ("RELA", DT_RELA, size(DT_RELASZ), word),
        ("REL", DT_REL, size(DT_RELSZ), word),
        ("RELR", DT_RELR, size(DT_RELRSZ), word),
        ("JMPREL", DT_JMPREL, size(DT_PLTRELSZ), word),
        ("VERSYM", DT_VERSYM, count.saturating_mul(2), 2),
        ("VERNEED", DT_VERNEED, RECORD, 4),
        ("VERDEF", DT_VERDEF, RECORD, 4),
        ("INIT_ARRAY", DT_INIT_ARRAY, size(DT_INIT_ARRAYSZ), word),
        ("FINI_ARRAY", DT_FINI_ARRAY, size(DT_FINI_ARRAYSZ), word),
        ("PREINIT_ARRAY", DT_PREINIT_ARRAY, size(DT_PREINIT_ARRAYSZ), word),
        ("PLTGOT", DT_PLTGOT, word, word),
    ];
    let found = list.into_iter().filter_map(|(name, tag, length, align)| {
        let address = tables.dynamic_value(tag)?;
        // Linkers leave the tags of empty arrays and relocations with any address.
        (length > 0).then_some(Table { name, tag, address, length, align })
    });
    Ok(found.collect())
}

/// The length of a hash table in bytes (gABI 5, "Hash Table"; GNU hash): its head where it does not lie in the file, and for
/// the chains of GNU hash, which nothing counts, what the section header says.
fn hash_length(state: &State<'_>, tag: u64) -> Result<u64> {
    let tables = state.tables();
    let (head, wide) = if tag == DT_GNU_HASH { (16, 4) } else { (hash_word(tables) * 2, hash_word(tables) as usize) };
    let Some(address) = tables.dynamic_value(tag) else { return Ok(head) };
    let Some(offset) = state.place(address, head) else { return Ok(head) };
    let bytes = state.source.bytes(offset, head)?;
    let number = |index: usize| state.facts.number(&bytes, index * wide, wide);
    if tag != DT_GNU_HASH {
        return Ok(number(0).saturating_add(number(1)).saturating_mul(wide as u64).saturating_add(head));
    }
    let bloom = number(2).saturating_mul(if tables.is_64 { 8 } else { 4 });
    let least = number(0).saturating_mul(4).saturating_add(bloom).saturating_add(head);
    let named = tables.sections.iter().find(|section| section.sh_type == SHT_GNU_HASH && section.sh_addr == address);
    Ok(named.map_or(least, |section| section.sh_size.max(least)))
}
