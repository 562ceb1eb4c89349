//! Symbols and their versions, read one by one when they are asked for (gABI 4, "Symbol Table"; LSB, "Symbol Versioning").

use super::super::item::{Entries, Item};
use super::fields::{ADDRESS, Field, Shape, name_in};
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::elf::{HIDDEN, VersionTable};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::sync::Arc;

const SYMBOL_64: [Field; 6] =
    [("st_name", 4), ("st_info", 1), ("st_other", 1), ("st_shndx", 2), ("st_value", ADDRESS), ("st_size", ADDRESS)];
const SYMBOL_32: [Field; 6] =
    [("st_name", 4), ("st_value", 4), ("st_size", 4), ("st_info", 1), ("st_other", 1), ("st_shndx", 2)];

/// A symbol table and the place of its names.
#[derive(Debug, Clone, Copy)]
pub struct SymbolTable {
    /// The file's class and byte order.
    pub shape: Shape,
    /// The first symbol's offset.
    pub offset: u64,
    /// The table's size in bytes.
    pub size: u64,
    /// The names: offset and size in bytes.
    pub strings: Option<(u64, u64)>,
}

/// The numbers of a symbol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RawSymbol {
    /// `st_name`.
    pub name: u32,
    /// `st_info`.
    pub info: u8,
    /// `st_shndx`.
    pub section: u16,
    /// `st_value`.
    pub value: u64,
    /// `st_size`.
    pub size: u64,
}

impl SymbolTable {
    /// The size of a symbol in bytes.
    #[must_use]
    pub fn entry_size(&self) -> u64 {
        self.shape.size(self.fields())
    }

    fn fields(&self) -> &'static [Field] {
        if self.shape.is_64 { &SYMBOL_64 } else { &SYMBOL_32 }
    }

    /// The symbol whose bytes these are; `None` where they are too few.
    #[must_use]
    pub fn raw(&self, bytes: &[u8]) -> Option<RawSymbol> {
        let is_big = self.shape.endian == Endian::Big;
        let half = |at| {
            bytes
                .get(at..)?
                .first_chunk()
                .map(|bytes| if is_big { u16::from_be_bytes(*bytes) } else { u16::from_le_bytes(*bytes) })
        };
        let word = |at| {
            bytes
                .get(at..)?
                .first_chunk()
                .map(|bytes| if is_big { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) })
        };
        let long = |at| {
            bytes
                .get(at..)?
                .first_chunk()
                .map(|bytes| if is_big { u64::from_be_bytes(*bytes) } else { u64::from_le_bytes(*bytes) })
        };
        let name = word(0)?;
        Some(if self.shape.is_64 {
            RawSymbol { name, info: *bytes.get(4)?, section: half(6)?, value: long(8)?, size: long(16)? }
        } else {
            let (value, size) = (u64::from(word(4)?), u64::from(word(8)?));
            RawSymbol { name, info: *bytes.get(12)?, section: half(14)?, value, size }
        })
    }

    /// The name of symbol `number`; empty where it has none.
    #[must_use]
    pub fn name(&self, source: &dyn ReadAt, number: u64) -> String {
        let at = number.checked_mul(self.entry_size()).filter(|at| *at < self.size);
        let index = at.and_then(|at| self.shape.number_at(source, self.offset.checked_add(at)?, 4).ok());
        index.map_or_else(String::new, |index| name_in(source, self.strings, index))
    }

    /// What symbol `number` is called where something refers to it.
    #[must_use]
    pub fn called(&self, source: &dyn ReadAt, number: u64) -> String {
        let name = self.name(source, number);
        if name.is_empty() { format!("symbol {number}") } else { format!("symbol {number} {name}") }
    }
}

impl Entries for SymbolTable {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let index = self.shape.number_at(source, offset, 4)?;
        let text = name_in(source, self.strings, index);
        let name = if text.is_empty() { format!("symbol {number}") } else { format!("symbol {number} {text}") };
        let say = |field: &str, _| (field == "st_name" && !text.is_empty()).then(|| text.clone());
        self.shape.items(source, offset, (Class::Symbol, &name), self.fields(), &say)
    }
}

/// `.gnu.version`: the version of each dynamic symbol.
#[derive(Debug)]
pub struct SymbolVersions {
    /// The file's class and byte order.
    pub shape: Shape,
    /// The symbols.
    pub symbols: Option<SymbolTable>,
    /// The versions by number.
    pub versions: Arc<VersionTable>,
}

impl Entries for SymbolVersions {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let version = self.shape.number_at(source, offset, 2)?;
        let called = self.symbols.map_or_else(|| format!("symbol {number}"), |table| table.called(source, number));
        let index = u16::try_from(version).unwrap_or_default();
        let name = match (index & !HIDDEN, self.versions.get(index)) {
            (0, _) => " (local)".to_owned(),
            (_, Some(version)) => format!(" ({})", version.name),
            (1, None) => " (global)".to_owned(),
            (_, None) => String::new(),
        };
        let text = format!("{version:#x}{name}");
        Ok(vec![Item::new(Class::Version, offset, 2, called, text).field("version")])
    }
}
