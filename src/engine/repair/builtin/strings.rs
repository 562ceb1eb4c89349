//! The dynamic string table of an edit: the old bytes stay where they are, so that old indexes stay valid; new strings
//! are added behind them.

use crate::engine::binary::Name;
use memchr::memmem;

/// The strings that an edit adds to a table.
#[derive(Debug, Clone)]
pub(super) struct NewStrings<'a> {
    old: &'a [u8],
    added: Vec<u8>,
    count: usize,
}

impl<'a> NewStrings<'a> {
    /// Nothing added yet to `old`.
    pub fn new(old: &'a [u8]) -> Self {
        Self { old, added: Vec::new(), count: 0 }
    }

    /// The index of `name`: that of an equal string or of a string's equal end, else that of a new one.
    pub fn index_of(&mut self, name: &Name) -> u64 {
        let mut wanted = name.as_bytes().to_vec();
        wanted.push(0);
        if let Some(found) = memmem::find(self.old, &wanted) {
            return found as u64;
        }
        if let Some(found) = memmem::find(&self.added, &wanted) {
            return (self.old.len() + found) as u64;
        }
        if self.added.is_empty() && self.old.last().is_some_and(|last| *last != 0) {
            // An unfinished last string must not run on into the first new one.
            self.added.push(0);
        }
        let index = self.old.len() + self.added.len();
        self.added.extend_from_slice(&wanted);
        self.count += 1;
        index as u64
    }

    /// The bytes that are added.
    pub fn added(&self) -> &[u8] {
        &self.added
    }

    /// How many strings are added.
    pub fn count(&self) -> usize {
        self.count
    }

    /// The whole table's length in bytes.
    pub fn size(&self) -> u64 {
        (self.old.len() + self.added.len()) as u64
    }

    /// The whole table.
    pub fn bytes(&self) -> Vec<u8> {
        [self.old, &self.added].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_string_that_is_there_is_not_added_again() {
        let mut strings = NewStrings::new(b"\0libgreet.so.1\0");
        assert_eq!(strings.index_of(&"libgreet.so.1".into()), 1);
        assert_eq!(strings.index_of(&"greet.so.1".into()), 4);
        assert_eq!(strings.index_of(&"".into()), 0);
        assert_eq!(strings.count(), 0);
        assert_eq!(strings.index_of(&"libgreet".into()), 15);
        assert_eq!(strings.index_of(&"greet".into()), 18);
        assert_eq!((strings.count(), strings.size()), (1, 24));
        assert_eq!(strings.bytes(), b"\0libgreet.so.1\0libgreet\0");
    }

    #[test]
    fn an_unfinished_table_is_finished_first() {
        let mut strings = NewStrings::new(b"\0cut");
        assert_eq!(strings.index_of(&"new".into()), 5);
        assert_eq!(strings.bytes(), b"\0cut\0new\0");
    }
}
