//! A field or record of a file and what it says, and tables whose entries are read when they are asked for.

use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::fmt::Debug;

/// A field or record, and what it says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// Where it begins.
    pub start: u64,
    /// Where it ends.
    pub end: u64,
    /// What kind of bytes it is.
    pub class: Class,
    /// The record: `dynamic entry 3`, `program header 2 (PT_LOAD)`.
    pub name: String,
    /// The record's field: `p_offset`; empty for a record that is told whole.
    pub field: &'static str,
    /// What it says: `DT_NEEDED libz.so.1`.
    pub value: String,
    /// The number that stands there, where `value` says what it leads to; else empty.
    pub raw: String,
}

impl Item {
    /// A record of `size` bytes at `start`, told whole.
    #[must_use]
    pub fn new(class: Class, start: u64, size: u64, name: impl Into<String>, value: impl Into<String>) -> Self {
        let end = start.saturating_add(size);
        Self { start, end, class, name: name.into(), field: "", value: value.into(), raw: String::new() }
    }

    /// The same as the field `field` of its record.
    #[must_use]
    pub fn field(mut self, field: &'static str) -> Self {
        self.field = field;
        self
    }

    /// The same with the number that stands in the file.
    #[must_use]
    pub fn raw(mut self, number: u64) -> Self {
        self.raw = format!("{number:#x}");
        self
    }

    /// The record's name up to its number: what stays the same when the record comes to say something else.
    #[must_use]
    pub fn key(&self) -> &str {
        let is_digit = |text: &str| text.starts_with(|sign: char| sign.is_ascii_digit());
        let first = self.name.split(' ').take_while(|word| !is_digit(word)).map(|word| word.len() + 1).sum::<usize>();
        let number = self.name.get(first..).and_then(|rest| rest.split(' ').next()).map_or(0, str::len);
        self.name.get(..first + number).unwrap_or(&self.name)
    }
}

/// Reads the entries of a table.
pub trait Entries: Debug + Send + Sync {
    /// The items of entry number `number`, which begins at `offset`.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when the entry leads out of the file, [`crate::engine::Error::Io`].
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>>;
}

/// Records of one size, one behind another.
#[derive(Debug)]
pub struct Table {
    /// Where the first begins.
    pub start: u64,
    /// Where the last ends.
    pub end: u64,
    /// The size of one in bytes.
    pub entry: u64,
    /// Their reader.
    pub entries: Box<dyn Entries>,
}

/// The items of a stretch.
#[derive(Debug, Default)]
pub struct Found {
    /// The first of them.
    pub items: Vec<Item>,
    /// How many items and entries of tables there are beyond those.
    pub more: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_of_a_record_ends_with_its_number() {
        let key = |name: &str| Item::new(Class::Other, 0, 1, name, "").key().to_owned();
        assert_eq!(key("program header 2 (PT_LOAD)"), "program header 2");
        assert_eq!(key("dynamic entry 13"), "dynamic entry 13");
        assert_eq!(key("ELF header"), "ELF header");
        assert_eq!(key("note GNU NT_GNU_BUILD_ID"), "note GNU NT_GNU_BUILD_ID");
    }
}
