//! Dynamic entries that can be given up: others say the same, or they are hints that no loader depends on.
//!
//! Giving one up makes room for a new entry where the dynamic section is full, and keeps it in its place under RELRO.

use super::changes::{Entry, Value};
use goblin::elf::dynamic::{
    DF_BIND_NOW, DF_SYMBOLIC, DF_TEXTREL, DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1, DT_NEEDED, DT_RELACOUNT, DT_RELCOUNT,
    DT_SYMBOLIC, DT_TEXTREL,
};
use std::collections::BTreeSet;

/// No more entries than this are given up for one edit: where so many are short, others are no remedy.
pub(super) const MOST: usize = 16;
/// `DF_1_NOW` of `DT_FLAGS_1`.
const DF_1_NOW: u64 = 1;

/// An entry that can be given up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Redundant {
    /// Its number in the list.
    pub number: usize,
    /// Why, in words.
    pub why: String,
}

/// The next entry of `entries` that says what others say too; their order is that of least loss.
pub(super) fn said_twice(entries: &[(u64, u64, Entry)]) -> Option<Redundant> {
    let value = |tag: u64| entries.iter().find(|entry| entry.0 == tag).map(|entry| entry.1);
    let number = |tag: u64| entries.iter().position(|entry| entry.0 == tag);
    let found = |tag: u64, why: &str| number(tag).map(|number| Redundant { number, why: why.to_owned() });
    let mut seen = BTreeSet::new();
    for (place, entry) in entries.iter().enumerate() {
        if entry.0 == DT_NEEDED && !seen.insert(entry.1) {
            return Some(Redundant { number: place, why: "the second NEEDED of one library".to_owned() });
        }
    }
    let flags = value(DT_FLAGS).unwrap_or(0);
    let is_now = value(DT_FLAGS_1).is_some_and(|flags| flags & DF_1_NOW != 0);
    if is_now || flags & DF_BIND_NOW != 0 {
        // glibc's elf_get_dynamic_info takes any of the three for the others.
        let why = if is_now { "BIND_NOW, which FLAGS_1 says" } else { "BIND_NOW, which FLAGS says" };
        if let Some(found) = found(DT_BIND_NOW, why) {
            return Some(found);
        }
    }
    for (tag, flag, why) in [
        (DT_SYMBOLIC, DF_SYMBOLIC, "SYMBOLIC, which FLAGS says"),
        (DT_TEXTREL, DF_TEXTREL, "TEXTREL, which FLAGS says"),
    ] {
        if let Some(found) = found(tag, why).filter(|_| flags & flag != 0) {
            return Some(found);
        }
    }
    if flags == 0 || (flags == DF_BIND_NOW && is_now) {
        return found(
            DT_FLAGS,
            if flags == 0 { "FLAGS, which says nothing" } else { "FLAGS, whose BIND_NOW FLAGS_1 says" },
        );
    }
    None
}

/// The next entry that only tells how many relocations come first that need no symbol: loading is a little slower without.
pub(super) fn hint(entries: &[(u64, u64, Entry)]) -> Option<Redundant> {
    let number = entries.iter().position(|entry| matches!(entry.0, DT_RELACOUNT | DT_RELCOUNT))?;
    Some(Redundant { number, why: "the count of relative relocations, a hint".to_owned() })
}

/// Whether an entry was changed by the edit itself, so that it can't be given up for it.
pub(super) fn is_new(entry: &(u64, u64, Entry)) -> bool {
    entry.2.old.is_none() || matches!(entry.2.value, Value::Text(_))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entries(list: &[(u64, u64)]) -> Vec<(u64, u64, Entry)> {
        let entry = |(number, &(tag, value)): (usize, &(u64, u64))| {
            (tag, value, Entry { tag, value: Value::Kept(value), old: Some(number), meaning: None })
        };
        list.iter().enumerate().map(entry).collect()
    }

    #[test]
    fn flags_are_given_up_where_flags_1_says_the_same() {
        let list = entries(&[(DT_NEEDED, 1), (DT_FLAGS, DF_BIND_NOW), (DT_FLAGS_1, DF_1_NOW), (DT_RELACOUNT, 3)]);
        assert_eq!(said_twice(&list).unwrap().number, 1);
        assert_eq!(hint(&list).unwrap().number, 3);
        let list = entries(&[(DT_FLAGS, DF_BIND_NOW | 0x10), (DT_FLAGS_1, DF_1_NOW)]);
        assert_eq!(said_twice(&list), None, "static TLS is said nowhere else");
        let list = entries(&[(DT_FLAGS, DF_BIND_NOW), (DT_FLAGS_1, 0x800_0000)]);
        assert_eq!(said_twice(&list), None, "PIE is not now");
    }

    #[test]
    fn the_older_entries_go_first() {
        let list = entries(&[(DT_BIND_NOW, 0), (DT_FLAGS, DF_BIND_NOW), (DT_NEEDED, 7), (DT_NEEDED, 7)]);
        assert_eq!(said_twice(&list).unwrap().number, 3);
        assert_eq!(said_twice(&list[..3]).unwrap().number, 0);
        assert_eq!(said_twice(&list[1..3]), None);
    }
}
