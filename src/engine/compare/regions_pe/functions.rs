//! The functions of a PE file by address: from its COFF symbols, its exports, and the entries of its exception directory.

use super::exports::Exports;
use crate::engine::Result;
use crate::engine::binary::pe::{Headers, Section, directory};
use crate::engine::binary::record::{Record, name_at};
use crate::engine::binary::{Endian, Name};
use crate::engine::code::demangled;
use crate::engine::compare::content::shown;
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::{Fields, MOST_TOLD, Records, Tell, Told};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::sync::{Arc, OnceLock};

/// At most this many functions are kept to find addresses by; 16 bytes each.
const MOST_KEPT: usize = 1 << 20;
/// Records that are read at once.
const CHUNK: u64 = 4096;
/// Bytes of a COFF symbol.
const SYMBOL: u64 = 18;

/// Where the names of functions stand. Addresses are looked up in a list that is made at the first question.
#[derive(Debug)]
pub(super) struct Functions {
    headers: Arc<Headers>,
    exports: Option<Exports>,
    /// The COFF symbols: where they begin in the file, and how many there are.
    symbols: (u64, u64),
    /// Bytes of the names behind them, their length included.
    strings: u64,
    by_address: OnceLock<Vec<Known>>,
}

/// The address of a function relative to the image's base, and who names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Known {
    address: u64,
    by: By,
}

/// Of several for one address the first is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum By {
    Export(u32),
    Symbol(u32),
    Unwind,
}

impl Functions {
    /// The functions of a file.
    pub(super) fn of(source: &dyn ReadAt, headers: &Arc<Headers>) -> Self {
        let exports = Exports::read(source, headers).ok().flatten();
        let coff = Record::read(source, headers.signature, 24, Endian::Little);
        let symbols =
            coff.and_then(|coff| Ok((u64::from(coff.word(12)?), u64::from(coff.word(16)?)))).unwrap_or_default();
        let symbols = if symbols.0 == 0 { (0, 0) } else { symbols };
        let behind = symbols.0.saturating_add(symbols.1 * SYMBOL);
        let strings = Record::read(source, behind, 4, Endian::Little).and_then(|record| record.word(0));
        let strings = if symbols.1 == 0 { 0 } else { strings.map_or(0, u64::from) };
        Self { headers: Arc::clone(headers), exports, symbols, strings, by_address: OnceLock::new() }
    }

    /// Bytes of an entry of the exception directory; none for machines whose entries are not known.
    pub(super) fn unwind_entry(&self) -> Option<u64> {
        match self.headers.machine {
            0x8664 => Some(12),
            0xaa64 | 0x1c4 => Some(8),
            _ => None,
        }
    }

    /// Adds the COFF symbols and their strings to `layout`.
    pub(super) fn tables(self: &Arc<Self>, layout: &mut Layout) {
        let (at, count) = self.symbols;
        if count == 0 {
            return;
        }
        layout.region(Layer::Table, Class::Symbol, at, count * SYMBOL, "COFF symbol table");
        layout.table(at, count * SYMBOL, SYMBOL, Box::new(Records { of: Arc::clone(self), each: symbol }));
        let strings = at.saturating_add(count * SYMBOL);
        layout.item(Class::String, strings, 4, "COFF string table, length", format!("{:#x}", self.strings));
        let length = self.strings.saturating_sub(4);
        layout.strings(Layer::Table, strings.saturating_add(4), length, "COFF string table");
    }

    fn list(&self, source: &dyn ReadAt) -> Vec<Known> {
        let mut list = Vec::new();
        if let Some(exports) = &self.exports {
            for number in 0..exports.names() {
                let Ok(address) = exports.index(source, number).and_then(|index| exports.address(source, index)) else {
                    break;
                };
                list.push(Known { address, by: By::Export(u32::try_from(number).unwrap_or(u32::MAX)) });
            }
        }
        // What was read before the damage is used.
        let _ = self.add_symbols(source, &mut list);
        let _ = self.add_unwound(source, &mut list);
        list.sort_unstable();
        list.dedup_by_key(|known| known.address);
        list
    }

    fn add_symbols(&self, source: &dyn ReadAt, list: &mut Vec<Known>) -> Result<()> {
        let (start, count) = self.symbols;
        let (mut number, mut auxiliary) = (0, 0);
        while number < count && list.len() < MOST_KEPT {
            let chunk = (count - number).min(CHUNK);
            let table = Record::read(source, start.saturating_add(number * SYMBOL), chunk * SYMBOL, Endian::Little)?;
            for into in 0..chunk {
                if auxiliary > 0 {
                    auxiliary -= 1;
                    continue;
                }
                // Name[8], Value, SectionNumber, Type, StorageClass, NumberOfAuxSymbols.
                let at = into * SYMBOL;
                auxiliary = table.byte(at + 17)?;
                let section = usize::from(table.half(at + 12)?).checked_sub(1);
                let section = section.and_then(|section| self.headers.sections.get(section));
                // IMAGE_SYM_CLASS_EXTERNAL, or a static function.
                let is_place = table.byte(at + 16)? == 2 || table.half(at + 14)? == 0x20;
                if let Some(section) = section.filter(|_| is_place) {
                    let address = section.address.saturating_add(u64::from(table.word(at + 8)?));
                    list.push(Known { address, by: By::Symbol(u32::try_from(number + into).unwrap_or(u32::MAX)) });
                }
            }
            number += chunk;
        }
        Ok(())
    }

    fn add_unwound(&self, source: &dyn ReadAt, list: &mut Vec<Known>) -> Result<()> {
        let Some((entry, table)) = self.unwind_entry().zip(self.headers.directory(directory::EXCEPTION)) else {
            return Ok(());
        };
        let Some((start, rest)) = self.headers.file_offset(table.address) else { return Ok(()) };
        let (count, mut number) = (table.size.min(rest) / entry, 0);
        while number < count && list.len() < MOST_KEPT {
            let chunk = (count - number).min(CHUNK);
            let record = Record::read(source, start.saturating_add(number * entry), chunk * entry, Endian::Little)?;
            for into in 0..chunk {
                let address = u64::from(record.word(into * entry)?);
                list.push(Known { address, by: By::Unwind });
            }
            number += chunk;
        }
        Ok(())
    }

    /// The function that `address` lies in, of those from `first` on: name, start, and where the next begins.
    pub(super) fn at(&self, source: &dyn ReadAt, address: u64, first: u64) -> Option<(Option<String>, u64, u64)> {
        let list = self.by_address.get_or_init(|| self.list(source));
        let after = list.partition_point(|known| known.address <= address);
        let known = list.get(after.checked_sub(1)?).filter(|known| known.address >= first)?;
        let next = list.get(after).map_or(u64::MAX, |known| known.address);
        let name = match known.by {
            By::Export(number) => {
                let name = self.exports.as_ref().and_then(|exports| exports.name(source, u64::from(number)).ok());
                name.map(|(_, name)| demangled(&name.to_text()))
            }
            By::Symbol(number) => {
                self.symbol_name(source, u64::from(number)).ok().map(|name| demangled(&name.to_text()))
            }
            By::Unwind => None,
        };
        Some((name, known.address, next))
    }

    fn symbol_name(&self, source: &dyn ReadAt, number: u64) -> Result<Name> {
        let (start, count) = self.symbols;
        let record = Record::read(source, start.saturating_add(number * SYMBOL), 8, Endian::Little)?;
        if record.word(0)? != 0 {
            return record.name(0, 8);
        }
        let strings = start.saturating_add(count * SYMBOL);
        name_at(source, strings.saturating_add(u64::from(record.word(4)?)), source.size())
    }
}

fn symbol(of: &Arc<Functions>, source: &dyn ReadAt, number: u64, offset: u64, items: &mut Vec<Item>) -> Result<()> {
    let record = Record::read(source, offset, SYMBOL, Endian::Little)?;
    let name = of.symbol_name(source, number).map(|name| name.to_string()).unwrap_or_default();
    let title = format!("symbol {number} ({name})");
    items.push(Item::new(Class::Symbol, offset, 8, title.as_str(), name).field("Name"));
    let fields = [("Value", 4), ("SectionNumber", 2), ("Type", 2), ("StorageClass", 1), ("NumberOfAuxSymbols", 1)];
    Fields { class: Class::Symbol, title: &title, say: |_, _| None }.tell(&record, 8, &fields, items)?;
    Ok(())
}

/// A section of code: its functions, and where it begins in memory and in the file.
type Code = (Arc<Functions>, u64, u64);

/// Tells the functions that the bytes of `section` lie in.
pub(super) fn teller(functions: &Arc<Functions>, section: &Section) -> Box<dyn Tell> {
    let of: Code = (Arc::clone(functions), section.address, section.offset);
    Box::new(Told { of, tell: code })
}

fn code((functions, first, offset): &Code, source: &dyn ReadAt, start: u64, end: u64) -> Result<Vec<Item>> {
    let (mut items, mut at) = (Vec::new(), start);
    while at < end && items.len() < MOST_TOLD {
        let address = first.saturating_add(at - offset);
        let absolute = |address: u64| functions.headers.image_base.saturating_add(address);
        let (name, next) = match functions.at(source, address, *first) {
            None => (format!("code at address {:#x}", absolute(address)), u64::MAX),
            Some((name, start, next)) => {
                let into = match address - start {
                    0 => String::new(),
                    into => format!("+{into:#x}"),
                };
                let name = name.unwrap_or_else(|| format!("the function at {:#x}", absolute(start)));
                (format!("code in {name}{into}"), next)
            }
        };
        let stop = offset.saturating_add(next.saturating_sub(*first)).min(end).max(at + 1);
        items.push(Item::new(Class::Code, at, stop - at, name, shown(source, at, stop - at)?));
        at = stop;
    }
    Ok(items)
}
