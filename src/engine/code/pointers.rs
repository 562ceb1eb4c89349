//! Pointers that the loader writes into a file's data: to wanted stretches of it, and to functions that the file calls by
//! name although they are its own.

use super::imports::each_relocation;
use super::scan::Code;
use super::table::{SymbolTable, each_symbol};
use crate::engine::binary::elf::Tables;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};
use goblin::elf::dynamic::{DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_RELA, DT_RELASZ};
use goblin::elf::header::{EM_AARCH64, EM_X86_64};
use goblin::elf::program_header::{PF_W, PT_GNU_RELRO, PT_LOAD};
use std::collections::BTreeMap;

/// More pointers than this are not kept.
const MOST_POINTERS: usize = 1 << 18;

/// Disjoint stretches of addresses, each with its end, by address.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AddressRanges(Vec<(u64, u64)>);

impl AddressRanges {
    /// The addresses of `list`, which may overlap.
    #[must_use]
    pub fn new(mut list: Vec<(u64, u64)>) -> Self {
        list.sort_unstable();
        let mut joined: Vec<(u64, u64)> = Vec::new();
        for (start, end) in list {
            match joined.last_mut() {
                Some(last) if start <= last.1 => last.1 = last.1.max(end),
                _ => joined.push((start, end)),
            }
        }
        Self(joined)
    }

    /// Whether `address` is one of them.
    #[must_use]
    pub fn has(&self, address: u64) -> bool {
        let index = self.0.partition_point(|(start, _)| *start <= address);
        index.checked_sub(1).and_then(|index| self.0.get(index)).is_some_and(|(_, end)| address < *end)
    }
}

/// A pointer in the file's data.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pointer {
    /// Where it points to.
    pub to: u64,
    /// The eight bytes behind it: the length of a text, in a pair as Rust keeps it.
    pub next: u64,
    /// Whether nothing can change it once the file is loaded.
    pub is_fixed: bool,
}

/// The pointers to addresses of `wanted`, by their place, of a 64-bit file whose relocations have addends; none elsewhere.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the dynamic section leads out of the file, [`crate::engine::Error::Cancelled`].
pub fn pointers(
    source: &dyn ReadAt,
    tables: &Tables,
    wanted: &AddressRanges,
    context: &Context,
) -> Result<BTreeMap<u64, Pointer>> {
    // R_X86_64_RELATIVE, R_AARCH64_RELATIVE.
    let relative = match (tables.header.e_machine, tables.is_64) {
        (EM_X86_64, true) => 8,
        (EM_AARCH64, true) => 1027,
        _ => return Ok(BTreeMap::new()),
    };
    let mut found = BTreeMap::new();
    each_relocation(source, tables, (DT_RELA, DT_RELASZ), context, &mut |place, info, addend| {
        if info as u32 == relative && wanted.has(addend) && found.len() < MOST_POINTERS {
            found.insert(place, addend);
        }
        Ok(())
    })?;
    let pointer = |(place, to): (u64, u64)| {
        let next = tables.file_offset(place.saturating_add(8)).filter(|(_, rest)| *rest >= 8);
        let bytes = next.and_then(|(offset, _)| source.bytes(offset, 8).ok()).unwrap_or_default();
        let next = <[u8; 8]>::try_from(bytes.as_slice())
            .map_or(0, |bytes| if tables.is_big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) });
        (place, Pointer { to, next, is_fixed: is_fixed(tables, place) })
    };
    Ok(found.into_iter().map(pointer).collect())
}

/// Whether nothing can change what lies at `address` once the loader is done with it.
pub(super) fn is_fixed(tables: &Tables, address: u64) -> bool {
    let within = |segment: &&crate::engine::binary::elf::Segment| {
        address.checked_sub(segment.p_vaddr).is_some_and(|into| into < segment.p_memsz)
    };
    let mut segments = tables.segments.iter().filter(within);
    segments.any(|segment| segment.p_type == PT_GNU_RELRO || (segment.p_type == PT_LOAD && segment.p_flags & PF_W == 0))
}

/// The slots through which `code` calls functions of its own, since another library may take their place; each with the
/// number of the function.
///
/// # Errors
/// As [`pointers`].
pub(super) fn own_slots(code: &Code<'_>, context: &Context) -> Result<BTreeMap<u64, usize>> {
    let (source, tables) = (code.source, &code.details.tables);
    let mut own: BTreeMap<u64, usize> = BTreeMap::new();
    let Some(table) = SymbolTable::dynamic(source, code.details)? else { return Ok(own) };
    each_symbol(source, tables, &table, context, &mut |index, symbol| {
        let function = code.functions.at(symbol.st_value);
        let start = function.and_then(|number| code.functions.list().get(number)).map(|function| function.start);
        if symbol.st_shndx != 0 && start == Some(symbol.st_value) && own.len() < MOST_POINTERS {
            own.extend(function.map(|number| (index, number)));
        }
        Ok(())
    })?;
    let mut slots = BTreeMap::new();
    if own.is_empty() {
        return Ok(slots);
    }
    let mut lists = vec![(DT_RELA, DT_RELASZ)];
    if tables.dynamic_value(DT_PLTREL) == Some(DT_RELA) {
        lists.push((DT_JMPREL, DT_PLTRELSZ));
    }
    for list in lists {
        each_relocation(source, tables, list, context, &mut |place, info, _| {
            // R_X86_64_GLOB_DAT, R_X86_64_JUMP_SLOT.
            if matches!(info as u32, 6 | 7) && slots.len() < MOST_POINTERS {
                slots.extend(own.get(&(info >> 32)).map(|number| (place, *number)));
            }
            Ok(())
        })?;
    }
    Ok(slots)
}
