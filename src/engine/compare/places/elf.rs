//! Addresses, sections and symbols of an ELF file (gABI chapters 4 and 5).

use super::super::regions_elf::section_names;
use super::names::spelled;
use super::{Found, Spot, address, section, symbol};
use crate::engine::binary::Endian;
use crate::engine::binary::elf::{Section, StringTable, Symbols, Tables};
use crate::engine::binary::record::Record;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};
use goblin::elf::section_header::{SHF_ALLOC, SHN_LORESERVE, SHN_UNDEF, SHT_NOBITS, SHT_SYMTAB};
use std::collections::BTreeMap;
use std::ops::Range;

/// Symbols that are read at once.
const CHUNK: u64 = 16 * 1024;

/// Where `spot` lies in the ELF file `source`.
pub fn place(source: &dyn ReadAt, spot: &Spot, context: &Context) -> Result<Option<Found>> {
    let tables = Tables::read(source)?;
    let name = match spot {
        Spot::Offset(_) => return Ok(None),
        Spot::Address(wanted) => return Ok(offset_of(&tables, *wanted).map(|offset| address(*wanted, offset))),
        Spot::Named(name) => name,
    };
    let has_bytes = |section: &&Section| section.sh_type != SHT_NOBITS && section.sh_size > 0;
    let names = section_names(source, &tables);
    let mut named = tables.sections.iter().zip(&names).filter(|(_, own)| own.as_bytes() == name.as_bytes());
    if let Some((found, _)) = named.find(|(section, _)| has_bytes(section)) {
        return Ok(Some(section(name, found.sh_offset)));
    }
    for table in tables.sections.iter().filter(|table| table.sh_type == SHT_SYMTAB) {
        let Some(strings) = tables.sections.get(table.sh_link as usize).filter(has_bytes) else { continue };
        let strings = strings.sh_offset..strings.sh_offset.saturating_add(strings.sh_size);
        let count = table.sh_size / tables.symbol_size();
        if let Some(found) = named_symbol(source, &tables, (table.sh_offset, count), strings, name, context)? {
            return Ok(Some(found));
        }
    }
    let strings = StringTable::of(source, &tables)?.range;
    let table = Symbols::open(source, &tables)?.table()?;
    match table.zip(strings) {
        Some((table, (start, size))) => {
            named_symbol(source, &tables, table, start..start.saturating_add(size), name, context)
        }
        None => Ok(None),
    }
}

/// The symbol called `name` of the table that begins at an offset and has so many.
fn named_symbol(
    source: &dyn ReadAt,
    tables: &Tables,
    (table, count): (u64, u64),
    strings: Range<u64>,
    name: &str,
    context: &Context,
) -> Result<Option<Found>> {
    let names = spelled(source, strings, name, context)?;
    if names.is_empty() {
        return Ok(None);
    }
    let (size, endian) = (tables.symbol_size(), if tables.is_big { Endian::Big } else { Endian::Little });
    let mut first = 0;
    while first < count {
        let chunk = (count - first).min(CHUNK);
        let start = table.saturating_add(first.saturating_mul(size));
        let symbols = Record::read(source, start, chunk * size, endian)?;
        for number in 0..chunk {
            if let Some(found) = defined(&symbols, number * size, tables, &names)? {
                return Ok(Some(found));
            }
        }
        context.advance(chunk * size)?;
        first += chunk;
    }
    Ok(None)
}

/// The symbol at `at`, if it has one of the names and lies in the file.
fn defined(symbols: &Record<'_>, at: u64, tables: &Tables, names: &BTreeMap<u64, String>) -> Result<Option<Found>> {
    let Some(name) = names.get(&u64::from(symbols.word(at)?)) else { return Ok(None) };
    // Elf64_Sym: name, info, other, shndx, value, size. Elf32_Sym: name, value, size, info, other, shndx.
    let (number, value) = match tables.is_64 {
        true => (symbols.half(at + 6)?, symbols.long(at + 8)?),
        false => (symbols.half(at + 14)?, u64::from(symbols.word(at + 4)?)),
    };
    if u32::from(number) == SHN_UNDEF || u32::from(number) >= SHN_LORESERVE {
        return Ok(None);
    }
    let own = tables.sections.get(usize::from(number));
    if own.is_some_and(|own| own.sh_type == SHT_NOBITS) {
        return Ok(None);
    }
    // In an object file a symbol's value is an offset in its section.
    let offset = match own.filter(|own| own.sh_flags & u64::from(SHF_ALLOC) != 0 && tables.segments.is_empty()) {
        Some(own) => Some(own.sh_offset.saturating_add(value)),
        None => offset_of(tables, value),
    };
    Ok(offset.map(|offset| symbol(name, offset)))
}

fn offset_of(tables: &Tables, address: u64) -> Option<u64> {
    tables.file_offset(address).map(|(offset, _)| offset)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::Windows;
    use std::process::Command;

    #[test]
    fn what_the_compiler_named_is_found_with_and_without_a_symbol_table() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("a.c");
        let text = "const char greeting[] = \"hello from the lab\"; int greet(void) { return greeting[1]; } int zero;";
        std::fs::write(&source, text).unwrap();
        for options in [&["-shared"][..], &["-shared", "-s"], &["-c"]] {
            let output = directory.path().join("out");
            let status = Command::new("cc").args(options).args(["-fPIC", "-o"]).args([&output, &source]).status();
            assert!(status.unwrap().success());
            let file = Windows::open(&output).unwrap();
            let place = |name: &str| place(&file, &Spot::Named(name.into()), &Context::new()).unwrap();
            let found = place("greeting").unwrap();
            assert_eq!(file.bytes(found.offset, 18).unwrap(), b"hello from the lab", "{options:?}");
            assert_eq!(found.what, "symbol greeting");
            let rodata = place(".rodata").unwrap();
            assert!(found.offset.abs_diff(rodata.offset) < 64 && rodata.what == "section .rodata");
            assert_eq!((place("zero"), place(".nothing")), (None, None), "no bytes in the file");
            if options != ["-c"] {
                let tables = Tables::read(&file).unwrap();
                let code = tables.segments.iter().find(|segment| segment.p_flags & 1 != 0).unwrap();
                let found = super::place(&file, &Spot::Address(code.p_vaddr + 1), &Context::new()).unwrap();
                assert_eq!(found.unwrap().offset, code.p_offset + 1);
            }
        }
    }
}
