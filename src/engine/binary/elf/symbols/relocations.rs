//! Which dynamic symbols the relocations ask for. A loader looks up those and no others: a name that merely stands in the
//! table is never missed.

use super::{CHUNK, Symbols};
use crate::engine::Result;
use goblin::elf::dynamic::{DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELACOUNT, DT_RELASZ};
use goblin::elf::dynamic::{DT_RELCOUNT, DT_RELSZ};
use goblin::elf::header::EM_MIPS;
use std::collections::{BTreeMap, BTreeSet};

/// What relocations want of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Use {
    /// To call it: all its relocations belong to the procedure linkage table.
    Call,
    /// Its address, for which the stub of a program will do.
    Address,
}

impl Symbols<'_> {
    /// Of the symbols `among`, by number, those that a relocation names, and what for; all where the machine keeps references elsewhere
    /// (MIPS: in its global offset table).
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when a relocation table lies outside of the file.
    pub fn relocated(&self, among: &BTreeSet<u64>) -> Result<BTreeMap<u64, Use>> {
        let tables = self.tables;
        if tables.header.e_machine == EM_MIPS {
            return Ok(among.iter().map(|symbol| (*symbol, Use::Call)).collect());
        }
        let value = |tag| tables.dynamic_value(tag);
        let mut found = BTreeMap::new();
        let plt_has_addends = value(DT_PLTREL) == Some(DT_RELA);
        for (place, size, count, has_addends) in [
            (DT_RELA, DT_RELASZ, value(DT_RELACOUNT), true),
            (DT_REL, DT_RELSZ, value(DT_RELCOUNT), false),
            (DT_JMPREL, DT_PLTRELSZ, None, plt_has_addends),
        ] {
            let (Some(address), Some(size)) = (value(place), value(size)) else { continue };
            let Some((offset, rest)) = tables.file_offset(address) else { continue };
            let wanted = if place == DT_JMPREL { Use::Call } else { Use::Address };
            let width = if tables.is_64 { 8 } else { 4 };
            let entry = width * if has_addends { 3 } else { 2 };
            // The relative ones come first, and name no symbol.
            let from = count.unwrap_or(0).saturating_mul(entry);
            self.scan(offset, (from, size.min(rest)), entry, &mut |symbol| {
                if among.contains(&symbol) {
                    let known = found.entry(symbol).or_insert(wanted);
                    *known = wanted.max(*known);
                }
            })?;
        }
        Ok(found)
    }

    /// Gives `visit` the symbol of each relocation of the table at `offset`, from byte `from` of it up to `to`.
    fn scan(&self, offset: u64, (from, to): (u64, u64), entry: u64, visit: &mut dyn FnMut(u64)) -> Result<()> {
        let (is_64, is_big) = (self.tables.is_64, self.tables.is_big);
        let mut at = from;
        while to.saturating_sub(at) >= entry {
            let length = (to - at).min(CHUNK / entry * entry) / entry * entry;
            let bytes = self.source.bytes(offset.saturating_add(at), length)?;
            for record in bytes.chunks_exact(entry as usize) {
                // r_offset, r_info: the symbol is its upper half, or its upper 24 bits in a 32-bit file.
                let symbol = if is_64 {
                    record.get(8..16).and_then(|info| info.try_into().ok()).map(|info: [u8; 8]| {
                        let info = if is_big { u64::from_be_bytes(info) } else { u64::from_le_bytes(info) };
                        info >> 32
                    })
                } else {
                    record.get(4..8).and_then(|info| info.try_into().ok()).map(|info: [u8; 4]| {
                        let info = if is_big { u32::from_be_bytes(info) } else { u32::from_le_bytes(info) };
                        u64::from(info >> 8)
                    })
                };
                symbol.into_iter().for_each(&mut *visit);
            }
            at += length;
        }
        Ok(())
    }
}
