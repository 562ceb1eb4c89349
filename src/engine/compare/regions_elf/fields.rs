//! The fields of a record, read by a list of names and widths in the file's class and byte order.

use super::super::item::Item;
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::elf::Tables;
use crate::engine::binary::record::{Record, name_at};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;

/// The width of a field that is as wide as an address of the file.
pub const ADDRESS: u64 = 0;
/// A longer name of a symbol is cut where it only says which record is meant.
const LONGEST_NAME: usize = 120;

/// A longer string is cut.
const LONGEST_TEXT: u64 = 4096;

/// A field: its name and its width in bytes, or [`ADDRESS`].
pub type Field = (&'static str, u64);

/// What a field's number says, where it says more than itself.
pub type Say<'a> = &'a dyn Fn(&str, u64) -> Option<String>;

/// The class and byte order in which a file is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// 64-bit (`true`) or 32-bit.
    pub is_64: bool,
    /// The byte order.
    pub endian: Endian,
}

impl Shape {
    /// The shape of the file whose tables are `tables`.
    #[must_use]
    pub fn of(tables: &Tables) -> Self {
        Self { is_64: tables.is_64, endian: if tables.is_big { Endian::Big } else { Endian::Little } }
    }

    /// The width of an address in bytes.
    #[must_use]
    pub fn address(self) -> u64 {
        if self.is_64 { 8 } else { 4 }
    }

    /// The bytes that `fields` take.
    #[must_use]
    pub fn size(self, fields: &[Field]) -> u64 {
        fields.iter().map(|(_, width)| self.width(*width)).sum()
    }

    fn width(self, width: u64) -> u64 {
        if width == ADDRESS { self.address() } else { width }
    }

    /// The `length` bytes at `offset`.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when the file ends before.
    pub fn record(self, source: &dyn ReadAt, offset: u64, length: u64) -> Result<Record<'_>> {
        Record::read(source, offset, length, self.endian)
    }

    /// The number of `width` bytes at `at` of `record`.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] beyond the record's end.
    pub fn number(self, record: &Record<'_>, at: u64, width: u64) -> Result<u64> {
        Ok(match self.width(width) {
            1 => u64::from(record.byte(at)?),
            2 => u64::from(record.half(at)?),
            4 => u64::from(record.word(at)?),
            _ => record.long(at)?,
        })
    }

    /// The number of `width` bytes at `offset` of the file.
    ///
    /// # Errors
    /// As [`Shape::record`].
    pub fn number_at(self, source: &dyn ReadAt, offset: u64, width: u64) -> Result<u64> {
        self.number(&self.record(source, offset, self.width(width))?, 0, width)
    }

    /// The fields of the record `name` at `offset`, each as an item. Numbers are told in hex, or as `say` says them.
    ///
    /// # Errors
    /// As [`Shape::record`].
    pub fn items(
        self,
        source: &dyn ReadAt,
        offset: u64,
        (class, name): (Class, &str),
        fields: &[Field],
        say: Say<'_>,
    ) -> Result<Vec<Item>> {
        let record = self.record(source, offset, self.size(fields))?;
        let mut at = 0;
        let mut items = Vec::new();
        for (field, width) in fields {
            let size = self.width(*width);
            let number = self.number(&record, at, size)?;
            items.push(match say(field, number) {
                Some(text) => Item::new(class, offset + at, size, name, text).field(field).raw(number),
                None => Item::new(class, offset + at, size, name, format!("{number:#x}")).field(field),
            });
            at += size;
        }
        Ok(items)
    }
}

/// Numbers that say nothing beyond themselves.
pub fn plain(_: &str, _: u64) -> Option<String> {
    None
}

/// The string at `index` of the strings at `strings` (offset and size), cut where it is long; `None` where there is none.
///
/// Of a garbled file thousands of entries may all lead to one long string, and each is kept.
pub fn text_in(source: &dyn ReadAt, strings: Option<(u64, u64)>, index: u64) -> Option<String> {
    let (offset, size) = strings.filter(|(_, size)| index < *size)?;
    let start = offset.checked_add(index)?;
    let rest = source.size().saturating_sub(start).min(size - index);
    let bytes = source.bytes(start, rest.min(LONGEST_TEXT)).ok()?;
    let text = bytes.split(|byte| *byte == 0).next().unwrap_or_default();
    let cut = if text.len() as u64 == LONGEST_TEXT { "..." } else { "" };
    Some(format!("{}{cut}", String::from_utf8_lossy(text)))
}

/// The name at `index` of the strings at `strings` (offset and size), cut where it is long; empty where there is none.
pub fn name_in(source: &dyn ReadAt, strings: Option<(u64, u64)>, index: u64) -> String {
    let Some((offset, size)) = strings.filter(|(_, size)| index < *size) else { return String::new() };
    let name = name_at(source, offset.saturating_add(index), offset.saturating_add(size)).unwrap_or_default();
    let text = name.to_text();
    match text.char_indices().nth(LONGEST_NAME) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.into_owned(),
    }
}
