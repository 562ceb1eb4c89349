//! Symbols and their versions in the second file: a symbol that names a moved section follows it, nothing else may change.

use super::dynamic::follows;
use super::object::Object;
use super::wishes::Wishes;
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::binary::record::Record;
use goblin::elf::section_header::SHT_DYNSYM;

/// The fields of a symbol: name, value, size, info, other, section; where they stand and how wide they are (gABI 4, "Symbol
/// Table").
const PLACES_64: [(u64, u64); 6] = [(0, 4), (8, 8), (16, 8), (4, 1), (5, 1), (6, 2)];
const PLACES_32: [(u64, u64); 6] = [(0, 4), (4, 4), (8, 4), (12, 1), (13, 1), (14, 2)];
/// A version that any definition of the symbol fits.
const ANY_VERSION: u16 = 1;

/// Why the byte `into` the symbol table `number` of `new` is what it is, and how far in the table that holds.
pub fn symbol(
    old: &Object<'_>,
    (new, number): (&Object<'_>, usize),
    into: u64,
    wishes: &Wishes,
) -> Result<(Vec<usize>, u64)> {
    let size = new.tables.symbol_size();
    let entry = into / size;
    let places = if new.tables.is_64 { PLACES_64 } else { PLACES_32 };
    let within = into % size;
    let field = places.iter().position(|(at, width)| (*at..at + width).contains(&within));
    let (Some(field), Some((_, before)), Some(after)) = (field, old.twin(new, number), new.section(number)) else {
        return Ok((Vec::new(), into + 1));
    };
    let (at, width) = places.get(field).copied().unwrap_or((within, 1));
    let end = entry * size + at + width;
    if (entry + 1).saturating_mul(size) > before.sh_size.min(after.sh_size) {
        return Ok((Vec::new(), end));
    }
    let was = Record::read(old.source, before.sh_offset + entry * size, size, old.endian())?;
    let is = Record::read(new.source, after.sh_offset + entry * size, size, new.endian())?;
    let value = |record: &Record<'_>| if new.tables.is_64 { record.long(8) } else { record.word(4).map(u64::from) };
    let home = |record: &Record<'_>| record.half(if new.tables.is_64 { 6 } else { 14 });
    let is_explained = match field {
        1 => follows(old, new, value(&was)?, value(&is)?),
        5 => new.is_twin(usize::from(home(&is)?), old, usize::from(home(&was)?)),
        _ => false,
    };
    Ok((if is_explained { wishes.movers() } else { Vec::new() }, end))
}

/// Why the byte `into` the table of symbol versions of `new` is what it is, and how far in the table that holds.
pub fn version(new: &Object<'_>, place: u64, into: u64, wishes: &Wishes) -> Result<(Vec<usize>, u64)> {
    let entry = into / 2;
    let end = entry * 2 + 2;
    let record = Record::read(new.source, place + entry * 2, 2, new.endian())?;
    if record.half(0)? != ANY_VERSION {
        return Ok((Vec::new(), end));
    }
    let asked = name(new, entry)?.map(|name| wishes.unversioned(&name)).unwrap_or_default();
    Ok((if asked.is_empty() { wishes.removals() } else { asked }, end))
}

/// The name of dynamic symbol `entry`.
fn name(object: &Object<'_>, entry: u64) -> Result<Option<Name>> {
    let Some(table) = object.tables.sections.iter().find(|section| section.sh_type == SHT_DYNSYM) else {
        return Ok(None);
    };
    let size = object.tables.symbol_size();
    if (entry + 1).saturating_mul(size) > table.sh_size {
        return Ok(None);
    }
    let record = Record::read(object.source, table.sh_offset + entry * size, size, object.endian())?;
    Ok(object.string(u64::from(record.word(0)?)))
}
