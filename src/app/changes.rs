//! What differs as a list: by address, by meaning, by the effect that caused it, or what it makes of the structure. Worked
//! out when the comparison or the order changes, and only read while drawing.

use crate::engine::report::diff::{Class, DiffDocument, Run};
use std::collections::BTreeMap;

/// What the list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Order {
    /// The changed ranges as they lie in the files.
    #[default]
    Address,
    /// The changed ranges by what their bytes are.
    Meaning,
    /// The changed ranges by the edits that explain them, those that none explains first.
    Effect,
    /// What differs in the structure.
    Structure,
}

impl Order {
    /// All orders, as the key goes through them.
    pub const ALL: [Self; 4] = [Self::Address, Self::Meaning, Self::Effect, Self::Structure];

    /// The next one, round the corner.
    #[must_use]
    pub fn next(self) -> Self {
        let place = Self::ALL.iter().position(|order| *order == self).unwrap_or_default();
        Self::ALL.get(place + 1).copied().unwrap_or_default()
    }
}

/// One row of the list; the numbers are places in the document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// The heading of a group, by its place in [`Changes::groups`].
    Group(usize),
    /// A changed range.
    Run(usize),
    /// A difference in structure.
    Structure(usize),
}

/// What the ranges of a group have in common.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Common {
    /// What their bytes are.
    Class(Class),
    /// These edits explain them, by their places in the document; none of them where there are none.
    Edits(Vec<usize>),
    /// Nobody knows the edits.
    Unknown,
}

/// A group of changed ranges.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// What they have in common.
    pub common: Common,
    /// How many ranges.
    pub runs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The list.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Changes {
    /// What it is ordered by.
    pub order: Order,
    /// Its rows.
    pub entries: Vec<Entry>,
    /// The groups, in their order.
    pub groups: Vec<Group>,
    /// The parts of the document's map in which something lies that no edit explains.
    pub unexplained: Vec<usize>,
    /// The first range of each part of the document's map that has one.
    pub firsts: Vec<Option<usize>>,
}

impl Changes {
    /// The list of `document` by `order`.
    #[must_use]
    pub fn of(document: &DiffDocument, order: Order) -> Self {
        let (unexplained, firsts) = parts(document);
        let mut changes = Self { order, unexplained, firsts, ..Self::default() };
        match order {
            Order::Address => changes.entries = (0..document.runs.len()).map(Entry::Run).collect(),
            Order::Structure => changes.entries = (0..document.structure.len()).map(Entry::Structure).collect(),
            Order::Meaning => changes.group(document, |run| (run.class, Common::Class(run.class))),
            Order::Effect => changes.group(document, |run| match &run.explained_by {
                Some(edits) => (edits.clone(), Common::Edits(edits.clone())),
                None => (Vec::new(), Common::Unknown),
            }),
        }
        changes
    }

    fn group<K: Ord>(&mut self, document: &DiffDocument, key: impl Fn(&Run) -> (K, Common)) {
        let mut groups: BTreeMap<K, (Group, Vec<usize>)> = BTreeMap::new();
        for (number, run) in document.runs.iter().enumerate() {
            let (key, common) = key(run);
            let (group, runs) = groups.entry(key).or_insert_with(|| (Group { common, runs: 0, bytes: 0 }, Vec::new()));
            group.runs += 1;
            group.bytes = group.bytes.saturating_add(run.len);
            runs.push(number);
        }
        for (group, runs) in groups.into_values() {
            self.entries.push(Entry::Group(self.groups.len()));
            self.entries.extend(runs.into_iter().map(Entry::Run));
            self.groups.push(group);
        }
    }

    /// The row of an entry of `now` that says what `entry` of `before` said.
    #[must_use]
    pub fn same_row(&self, now: &DiffDocument, entry: Entry, before: (&Self, &DiffDocument)) -> Option<usize> {
        let (list, document) = before;
        match entry {
            Entry::Run(number) => {
                let run = document.runs.get(number)?;
                let is_same = |other: &Run| other.kind == run.kind && other.offset == run.offset;
                self.entries
                    .iter()
                    .position(|entry| matches!(entry, Entry::Run(number) if now.runs.get(*number).is_some_and(is_same)))
            }
            Entry::Group(number) => {
                let common = &list.groups.get(number)?.common;
                self.entries.iter().position(|entry| {
                    matches!(entry, Entry::Group(number) if self.groups.get(*number).is_some_and(|group| group.common == *common))
                })
            }
            Entry::Structure(number) => {
                let what = &document.structure.get(number)?.what;
                self.entries.iter().position(|entry| {
                    matches!(entry, Entry::Structure(number) if now.structure.get(*number).is_some_and(|change| change.what == *what))
                })
            }
        }
    }
}

/// The parts of the map in which something is unexplained, and the first range of each.
fn parts(document: &DiffDocument) -> (Vec<usize>, Vec<Option<usize>>) {
    let mut firsts = vec![None; document.map.differing.len()];
    let mut unexplained = Vec::new();
    for (number, run) in document.runs.iter().enumerate() {
        let last = document.map.part(run.offset.saturating_add(run.len.saturating_sub(1)));
        for part in document.map.part(run.offset)..=last {
            if let Some(first) = firsts.get_mut(part) {
                first.get_or_insert(number);
            }
            if run.explained_by.as_ref().is_some_and(Vec::is_empty) {
                unexplained.push(part);
            }
        }
    }
    unexplained.sort_unstable();
    unexplained.dedup();
    (unexplained, firsts)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture;

    #[test]
    fn groups_have_their_totals_and_what_nothing_explains_comes_first() {
        let document = fixture::compared(0).diff.unwrap();
        let by_effect = Changes::of(&document, Order::Effect);
        assert_eq!(by_effect.groups[0].common, Common::Edits(Vec::new()));
        assert_eq!(by_effect.entries[..2], [Entry::Group(0), Entry::Run(4)]);
        let by_meaning = Changes::of(&document, Order::Meaning);
        let total: u64 = by_meaning.groups.iter().map(|group| group.runs).sum();
        assert_eq!(total, document.runs.len() as u64);
        assert_eq!(by_meaning.entries.len(), document.runs.len() + by_meaning.groups.len());
        let structure = Changes::of(&document, Order::Structure);
        assert_eq!(structure.entries.len(), document.structure.len());
        assert_eq!(Order::ALL.map(Order::next), [Order::Meaning, Order::Effect, Order::Structure, Order::Address]);
    }

    #[test]
    fn a_row_is_found_again_in_another_list() {
        let document = fixture::compared(0).diff.unwrap();
        let before = Changes::of(&document, Order::Address);
        let mut now = (*document).clone();
        now.runs.remove(0);
        let after = Changes::of(&now, Order::Meaning);
        let row = after.same_row(&now, Entry::Run(2), (&before, &document)).unwrap();
        assert_eq!(after.entries[row], Entry::Run(1));
        assert_eq!(after.same_row(&now, Entry::Run(0), (&before, &document)), None);
    }
}
