//! The functions of a file by address: from `.symtab`, else `.dynsym`, and from the unwind tables for code without symbols.

use super::frames;
use super::names::demangled;
use super::places::Place;
use super::table::{SymbolTable, each_symbol};
use crate::engine::binary::elf::{Details, Tables};
use crate::engine::binary::record::name_at;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Error, Result};
use goblin::elf::section_header::SHN_LORESERVE;
use goblin::elf::sym::{STB_LOCAL, STT_FUNC, STT_GNU_IFUNC, STT_NOTYPE, Sym};

/// More functions than this are taken as damage: the list of them is kept in memory, 16 bytes each.
const MOST_FUNCTIONS: usize = 1 << 22;
/// The mark of a function that only the unwind tables know.
const NAMELESS: u32 = u32::MAX;

/// One function.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// The address of its first byte.
    pub start: u64,
    length: u32,
    name: u32,
}

impl Function {
    /// The address behind its last byte.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.start.saturating_add(u64::from(self.length))
    }
}

/// The functions of a file, by address, one for each address; one may lie within another.
#[derive(Debug, Clone)]
pub struct Functions {
    list: Vec<Function>,
    strings: Option<(u64, u64)>,
}

impl Functions {
    /// The functions of `source` that begin in one of `places`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when a symbol table lies outside of the file or names more functions than any file has,
    /// [`Error::Cancelled`].
    pub fn read(source: &dyn ReadAt, details: &Details, places: &[Place], context: &Context) -> Result<Self> {
        let tables = &details.tables;
        let mut found = Self { list: Vec::new(), strings: None };
        for table in [SymbolTable::full(source, tables)?, SymbolTable::dynamic(source, details)?].into_iter().flatten()
        {
            each_symbol(source, tables, &table, context, &mut |_, symbol| {
                found.list.extend(function_of(symbol).filter(|function| is_code(places, function.start)));
                found.bounded(source, table.offset)
            })?;
            if !found.list.is_empty() {
                found.strings = Some(table.strings);
                break;
            }
        }
        found.settle();
        found.add_frames(source, tables, places, context)?;
        found.settle();
        found.close_open_ends(places);
        Ok(found)
    }

    /// The functions.
    #[must_use]
    pub fn list(&self) -> &[Function] {
        &self.list
    }

    /// The demangled name of function number `index`; `None` where no symbol tells it.
    #[must_use]
    pub fn name(&self, source: &dyn ReadAt, index: usize) -> Option<String> {
        let function = self.list.get(index).filter(|function| function.name != NAMELESS)?;
        let (offset, size) = self.strings?;
        let at = offset.checked_add(u64::from(function.name))?;
        // A name that leads out of its table is as good as none.
        let name = name_at(source, at, offset.saturating_add(size)).ok()?;
        (!name.is_empty()).then(|| demangled(&name.to_text()))
    }

    /// The number of the function in which `address` lies: of several, the one that begins last.
    #[must_use]
    pub fn at(&self, address: u64) -> Option<usize> {
        let index = self.list.partition_point(|function| function.start <= address).checked_sub(1)?;
        self.list.get(index).filter(|function| address < function.end()).map(|_| index)
    }

    fn bounded(&self, source: &dyn ReadAt, offset: u64) -> Result<()> {
        if self.list.len() <= MOST_FUNCTIONS {
            return Ok(());
        }
        Err(Error::malformed(source.path(), offset, format!("at most {MOST_FUNCTIONS} functions")))
    }

    /// Sorts the functions. Of several at one address the last of the table stays, since the global ones stand last.
    fn settle(&mut self) {
        self.list.sort_by_key(|function| function.start);
        self.list.dedup_by(|later, kept| {
            let same = later.start == kept.start;
            if same {
                kept.length = kept.length.max(later.length);
                kept.name = if later.name == NAMELESS { kept.name } else { later.name };
            }
            same
        });
    }

    /// Adds what the unwind tables know and no symbol covers.
    fn add_frames(&mut self, source: &dyn ReadAt, tables: &Tables, places: &[Place], context: &Context) -> Result<()> {
        let named = self.list.len();
        frames::ranges(source, tables, context, &mut |(start, length)| {
            let symbols = self.list.get(..named).unwrap_or_default();
            let before = symbols.partition_point(|symbol| symbol.start <= start).checked_sub(1);
            let covered = before.and_then(|index| symbols.get(index)).is_some_and(|symbol| start < symbol.end());
            if !covered && length > 0 && is_code(places, start) {
                self.list.push(Function { start, length: clamped(length), name: NAMELESS });
            }
            self.list.len() <= MOST_FUNCTIONS
        })?;
        self.bounded(source, 0)
    }

    /// A symbol without a size (assembler code, often) reaches up to the next function, or to the end of its place.
    fn close_open_ends(&mut self, places: &[Place]) {
        let mut next = u64::MAX;
        for function in self.list.iter_mut().rev() {
            if function.length == 0 {
                let end = place_of(places, function.start).map_or(function.start, Place::end);
                function.length = clamped(end.min(next).saturating_sub(function.start));
            }
            next = function.start;
        }
    }
}

fn clamped(length: u64) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

fn function_of(symbol: &Sym) -> Option<Function> {
    let kind = symbol.st_type();
    let is_function =
        kind == STT_FUNC || kind == STT_GNU_IFUNC || (kind == STT_NOTYPE && symbol.st_bind() != STB_LOCAL);
    let defined = symbol.st_shndx != 0 && symbol.st_shndx < SHN_LORESERVE as usize;
    let name = u32::try_from(symbol.st_name).ok().filter(|&name| name != 0 && name != NAMELESS)?;
    (is_function && defined).then(|| Function { start: symbol.st_value, length: clamped(symbol.st_size), name })
}

/// The place in which `address` lies.
fn place_of(places: &[Place], address: u64) -> Option<&Place> {
    let index = places.partition_point(|place| place.address <= address).checked_sub(1)?;
    places.get(index).filter(|place| address < place.end())
}

fn is_code(places: &[Place], address: u64) -> bool {
    place_of(places, address).is_some()
}

/// A nameless function, for tests.
#[cfg(test)]
pub(super) fn function(start: u64, length: u32) -> Function {
    Function { start, length, name: NAMELESS }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_several_symbols_at_an_address_the_last_stays_and_open_ends_are_closed() {
        let place = Place { address: 0x10, offset: 0, length: 0x30, stubs: false };
        let function = |start, length, name| Function { start, length, name };
        let mut functions = Functions {
            list: vec![
                function(0x20, 0, 1),
                function(0x10, 4, 2),
                function(0x10, 0, 3),
                function(0x28, 0, 5),
                function(0x10, 2, NAMELESS),
            ],
            strings: None,
        };
        functions.settle();
        functions.close_open_ends(&[place]);
        assert_eq!(functions.list, [function(0x10, 4, 3), function(0x20, 8, 1), function(0x28, 0x18, 5)]);
        assert_eq!(
            [0x0f, 0x13, 0x14, 0x27, 0x3f, 0x40].map(|at| functions.at(at)),
            [None, Some(0), None, Some(1), Some(2), None]
        );
    }
}
