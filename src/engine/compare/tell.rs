//! Items that are made when they are asked for, and the fields of a record as items.
//!
//! A symbol table has a million records of which a comparison touches three. What a record says is left to the formats.

use super::item::{Entries, Item};
use crate::engine::Result;
use crate::engine::binary::record::Record;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::fmt::Debug;
use std::sync::OnceLock;

/// At most this many items are told of one stretch.
pub const MOST_TOLD: usize = 64;

/// At most this many items are decoded of one stretch.
pub const MOST_DECODED: usize = 1 << 16;

/// At most this many bytes behind a text are shown.
const MOST_SHOWN: usize = 16;

/// Tells the items of a stretch of a file.
pub trait Tell: Debug + Send + Sync {
    /// The items that reach into `start..end`, by place; at most [`MOST_TOLD`].
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when what stands there can't be read, [`crate::engine::Error::Io`].
    fn items(&self, source: &dyn ReadAt, start: u64, end: u64) -> Result<Vec<Item>>;
}

/// Adds the items of the record number `number`, which begins at the offset.
pub type Each<T> = fn(&T, &dyn ReadAt, number: u64, offset: u64, &mut Vec<Item>) -> Result<()>;

/// The records of a table.
#[derive(Debug)]
pub struct Records<T> {
    /// What is needed to tell a record.
    pub of: T,
    /// How a record is told.
    pub each: Each<T>,
}

impl<T: Debug + Send + Sync> Entries for Records<T> {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let mut items = Vec::new();
        (self.each)(&self.of, source, number, offset, &mut items)?;
        Ok(items)
    }
}

/// A stretch without records of one size: it is decoded whole at the first question, as far as it can be.
#[derive(Debug)]
pub struct Decoded<T> {
    /// What is needed to decode it.
    pub of: T,
    /// Adds its items by place; stops at [`MOST_DECODED`].
    pub decode: fn(&T, &dyn ReadAt, &mut Vec<Item>) -> Result<()>,
    /// What was decoded.
    pub done: OnceLock<Vec<Item>>,
}

impl<T> Decoded<T> {
    /// Nothing is decoded yet.
    pub fn new(of: T, decode: fn(&T, &dyn ReadAt, &mut Vec<Item>) -> Result<()>) -> Self {
        Self { of, decode, done: OnceLock::new() }
    }
}

impl<T: Debug + Send + Sync> Tell for Decoded<T> {
    fn items(&self, source: &dyn ReadAt, start: u64, end: u64) -> Result<Vec<Item>> {
        let items = self.done.get_or_init(|| {
            let mut items = Vec::new();
            // What was decoded before the damage is told.
            let _ = (self.decode)(&self.of, source, &mut items);
            items.truncate(MOST_DECODED);
            items.sort_by_key(|item| item.start);
            items
        });
        let first = items.partition_point(|item| item.start < start).saturating_sub(1);
        let from = items.get(first..).unwrap_or_default().iter();
        let within = from.take_while(|item| item.start < end).filter(|item| item.end > start);
        Ok(within.take(MOST_TOLD).cloned().collect())
    }
}

/// A stretch that is told by a function.
#[derive(Debug)]
pub struct Told<T> {
    /// What is needed to tell it.
    pub of: T,
    /// How the items of `start..end` are told.
    pub tell: fn(&T, &dyn ReadAt, start: u64, end: u64) -> Result<Vec<Item>>,
}

impl<T: Debug + Send + Sync> Tell for Told<T> {
    fn items(&self, source: &dyn ReadAt, start: u64, end: u64) -> Result<Vec<Item>> {
        let mut items = (self.tell)(&self.of, source, start, end)?;
        items.truncate(MOST_TOLD);
        Ok(items)
    }
}

/// The fields of a record: what they belong to, and how a value is said.
#[derive(Clone, Copy)]
pub struct Fields<'a> {
    /// What kind of bytes they are.
    pub class: Class,
    /// What the record is: `load command 3 (LC_SYMTAB)`.
    pub title: &'a str,
    /// What a field of this name and value says, where hex is not enough.
    pub say: fn(&str, u64) -> Option<String>,
}

impl Fields<'_> {
    /// Adds an item for each of `fields`, name and width in bytes, that stand one behind another from `at` of `record` on.
    /// A field of more than 8 bytes is text. Answers where the last one ends.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when the record ends before.
    pub fn tell(
        &self,
        record: &Record<'_>,
        at: u64,
        fields: &[(&'static str, u64)],
        items: &mut Vec<Item>,
    ) -> Result<u64> {
        let mut at = at;
        for (field, width) in fields {
            let value = match width {
                1 => u64::from(record.byte(at)?),
                2 => u64::from(record.half(at)?),
                4 => u64::from(record.word(at)?),
                8 => record.long(at)?,
                _ => 0,
            };
            let text = match width {
                1 | 2 | 4 | 8 => (self.say)(field, value).unwrap_or_else(|| format!("{value:#x}")),
                _ => text(record, at, *width)?,
            };
            items.push(Item::new(self.class, record.offset() + at, *width, self.title, text).field(field));
            at += width;
        }
        Ok(at)
    }
}

/// The text in the `length` bytes at `at` of `record`, with what stands behind its NUL where that is not NUL too.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the record ends before.
pub fn text(record: &Record<'_>, at: u64, length: u64) -> Result<String> {
    let name = record.name(at, length)?;
    let own = name.as_bytes().len();
    let part = record.part(at, length)?;
    let rest = part.as_bytes().get(own..).unwrap_or_default();
    let rest = rest.iter().rposition(|byte| *byte != 0).and_then(|last| rest.get(..=last)).unwrap_or_default();
    if rest.is_empty() {
        return Ok(name.to_string());
    }
    let bytes: Vec<_> = rest.iter().take(MOST_SHOWN).map(|byte| format!("{byte:02x}")).collect();
    let more = if rest.len() > MOST_SHOWN { "..." } else { "" };
    Ok(format!("{name}, and behind it {}{more}", bytes.join(" ")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary::Endian;
    use crate::engine::file::MemoryBytes;

    fn words(told: &[Item]) -> Vec<String> {
        told.iter().map(|item| format!("{} {}: {}", item.name, item.field, item.value)).collect()
    }

    #[test]
    fn records_are_told_by_field() {
        let source = MemoryBytes::new("a".into(), (0..100).collect());
        let each: Each<()> = |(), source, number, offset, items| {
            let record = Record::read(source, offset, 4, Endian::Little)?;
            let title = format!("record {number}");
            let fields = Fields { class: Class::Other, title: &title, say: |_, _| None };
            fields.tell(&record, 0, &[("one", 2), ("two", 2)], items)?;
            Ok(())
        };
        let records = Records { of: (), each };
        let told = records.entry(&source, 1, 12).unwrap();
        assert_eq!(words(&told), ["record 1 one: 0xd0c", "record 1 two: 0xf0e"]);
        assert!(records.entry(&source, 23, 100).is_err());
    }

    #[test]
    fn what_stands_behind_a_text_is_told() {
        let source = MemoryBytes::new("a".into(), b"__TEXT\0\0\0x\0\0".to_vec());
        let record = Record::read(&source, 0, 12, Endian::Little).unwrap();
        assert_eq!(text(&record, 0, 9).unwrap(), "__TEXT");
        assert_eq!(text(&record, 0, 12).unwrap(), "__TEXT, and behind it 00 00 00 78");
        assert!(text(&record, 8, 5).is_err());
    }

    #[test]
    fn what_was_decoded_before_the_damage_is_told() {
        let source = MemoryBytes::new("a".into(), (0..10).collect());
        let decoded = Decoded::new((), |(), source, items| {
            for at in 0_u64.. {
                let byte = source.bytes(at * 4, 4)?;
                items.push(Item::new(Class::Other, at * 4, 4, format!("item {at}"), format!("{byte:?}")));
            }
            Ok(())
        });
        assert_eq!(words(&decoded.items(&source, 7, 9).unwrap()), ["item 1 : [4, 5, 6, 7]"]);
        assert_eq!(decoded.items(&source, 8, 10).unwrap(), []);
    }
}
