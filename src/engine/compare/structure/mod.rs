//! The structure of a file as a list of named facts, and what differs between two such lists.
//!
//! The first words of a name say its group: `segment 3`, `section .text`, `dynamic DT_FLAGS`, `symbol foo`, `import a!b`.

mod elf;
mod macho;
mod pe;

use crate::engine::binary::{self, Binary, Format, NeededBinding, RunPathTag, Slice};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::StructureChange;
use crate::engine::{Error, Result};
use std::collections::{BTreeMap, BTreeSet};

/// At most this many symbols, imports and exports that differ are told one by one.
const MOST_NAMED: usize = 300;
/// Symbols of tables with more entries are not compared one by one.
const MOST_SYMBOLS: u64 = 1 << 14;

/// A file's facts: what, and how it stands there. Each `what` is there once.
#[derive(Debug, Default)]
pub struct Facts {
    list: Vec<(String, String)>,
    seen: BTreeMap<String, u32>,
}

impl Facts {
    /// The facts of `source`; of a file that is no readable binary only its size and what it is.
    ///
    /// # Errors
    /// [`Error::Io`] when it can't be read.
    pub fn of(source: &dyn ReadAt, binary: Option<&Binary>) -> Result<Self> {
        let mut facts = Self::default();
        facts.add("size", source.size());
        let format = match (binary::sniff(source)?, binary) {
            (None, _) => "neither ELF nor Mach-O nor PE".to_owned(),
            (Some(format), Some(_)) => format!("{format:?}"),
            (Some(format), None) => format!("{format:?}, damaged"),
        };
        facts.add("format", format);
        for slice in binary.iter().flat_map(|binary| &binary.slices) {
            let prefix = match binary {
                Some(binary) if binary.slices.len() > 1 => format!("{}: ", slice.arch.name),
                _ => String::new(),
            };
            facts.slice(&prefix, slice);
            let format = binary.map(|binary| binary.format);
            match facts.details(&prefix, source, format, slice) {
                // The normalized view was readable; a damaged table behind it is no reason to say nothing.
                Err(Error::Malformed { expected, .. }) => facts.add(format!("{prefix}damaged"), expected),
                other => other?,
            }
        }
        Ok(facts)
    }

    fn add(&mut self, what: impl Into<String>, value: impl ToString) {
        let what = what.into();
        let count = self.seen.entry(what.clone()).or_insert(0);
        *count += 1;
        let what = if *count == 1 { what } else { format!("{what} ({count})") };
        self.list.push((what, value.to_string()));
    }

    fn slice(&mut self, prefix: &str, slice: &Slice) {
        self.add(format!("{prefix}machine"), &slice.arch.name);
        self.add(format!("{prefix}kind"), format!("{:?}", slice.kind));
        for (number, needed) in slice.needed.iter().enumerate() {
            let binding = match needed.binding {
                NeededBinding::Required => "",
                NeededBinding::Weak => " (weak)",
                NeededBinding::Delayed => " (delayed)",
                NeededBinding::Reexported => " (reexported)",
            };
            self.add(format!("{prefix}NEEDED {}", number + 1), format!("{}{binding}", needed.name));
        }
        if let Some(name) = &slice.soname {
            self.add(format!("{prefix}SONAME"), name);
        }
        for path in &slice.run_paths {
            let what = match path.tag {
                RunPathTag::Rpath => "RPATH",
                RunPathTag::Runpath => "RUNPATH",
                RunPathTag::LcRpath => "LC_RPATH",
            };
            self.add(format!("{prefix}{what}"), &path.text);
        }
        if let Some(name) = &slice.interpreter {
            self.add(format!("{prefix}interpreter"), name);
        }
    }

    fn details(&mut self, prefix: &str, source: &dyn ReadAt, format: Option<Format>, slice: &Slice) -> Result<()> {
        match (format, &slice.elf) {
            (Some(Format::Elf), Some(details)) => elf::add(self, source, details),
            (Some(Format::MachO), _) => macho::add(self, prefix, source, slice),
            (Some(Format::Pe), _) => pe::add(self, source),
            _ => Ok(()),
        }
    }

    fn place(&mut self, what: String, (address, offset, size): (u64, u64, u64), more: &str) {
        self.add(what, format!("address {address:#x}, offset {offset:#x}, size {size:#x}{more}"));
    }
}

/// What differs between `before` and `after`: in the first file's order, then what only the second has. Of symbols, imports
/// and exports only the first [`MOST_NAMED`] are told one by one.
#[must_use]
pub fn changes(before: &Facts, after: &Facts) -> Vec<StructureChange> {
    let new: BTreeMap<&str, &str> = after.list.iter().map(|(what, value)| (what.as_str(), value.as_str())).collect();
    let old: BTreeSet<&str> = before.list.iter().map(|(what, _)| what.as_str()).collect();
    let changed = before.list.iter().filter_map(|(what, value)| {
        let found = new.get(what.as_str()).copied();
        (found != Some(value.as_str())).then(|| StructureChange {
            what: what.clone(),
            before: Some(value.clone()),
            after: found.map(String::from),
        })
    });
    let added = after.list.iter().filter(|(what, _)| !old.contains(what.as_str()));
    let added =
        added.map(|(what, value)| StructureChange { what: what.clone(), before: None, after: Some(value.clone()) });
    bounded(changed.chain(added))
}

/// `all` without the names beyond the first [`MOST_NAMED`], which are counted.
fn bounded(all: impl Iterator<Item = StructureChange>) -> Vec<StructureChange> {
    let (mut list, mut named, mut gone, mut new) = (Vec::new(), 0, 0_u64, 0_u64);
    for change in all {
        if is_name(&change.what) {
            named += 1;
            if named > MOST_NAMED {
                gone += u64::from(change.before.is_some());
                new += u64::from(change.before.is_none());
                continue;
            }
        }
        list.push(change);
    }
    if gone + new > 0 {
        list.push(StructureChange {
            what: format!("names beyond the first {MOST_NAMED}"),
            before: Some(format!("{gone} changed or gone")),
            after: Some(format!("{new} new")),
        });
    }
    list
}

/// Whether `what` is a symbol, an import or an export.
fn is_name(what: &str) -> bool {
    // In a universal file the architecture stands before it.
    let own = what.split_once(": ").map_or(what, |(_, own)| own);
    [what, own].iter().any(|what| ["symbol ", "import ", "export "].iter().any(|kind| what.starts_with(kind)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_stands_twice_is_numbered_and_many_names_are_counted() {
        let (mut before, mut after) = (Facts::default(), Facts::default());
        for facts in [&mut before, &mut after] {
            facts.add("note", 1);
        }
        before.add("note", 2);
        for number in 0..MOST_NAMED + 5 {
            before.add(format!("symbol f{number}"), number);
            after.add(format!("arm64: export g{number}"), number);
        }
        let found = changes(&before, &after);
        assert_eq!(found.len(), 1 + MOST_NAMED + 1);
        assert_eq!((found[0].what.as_str(), found[0].after.as_deref()), ("note (2)", None));
        let last = found.last().unwrap();
        let said = (last.before.as_deref(), last.after.as_deref());
        assert_eq!(said, (Some("5 changed or gone"), Some("305 new")));
    }
}
