//! The dynamic entries as the requests of one edit want them.

use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::repair::EditRequest;
use crate::engine::repair::facts::{Facts, Stop};
use crate::engine::repair::names::Names;
use goblin::elf::dynamic::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME};

/// A dynamic entry as it shall be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// Its tag.
    pub tag: u64,
    /// Its value, or the string that the value is to lead to.
    pub value: Value,
    /// Its number in the old dynamic section; `None` for a new entry.
    pub old: Option<usize>,
    /// What it is, in words, when it is not simply an old entry.
    pub meaning: Option<String>,
}

/// The value of a dynamic entry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    /// As it was.
    Kept(u64),
    /// The index of this string.
    Text(Name),
}

/// The dynamic entries after `requests`, without `DT_NULL`.
pub(super) fn entries(facts: &Facts, source: &dyn ReadAt, requests: &[EditRequest]) -> Result<Vec<Entry>, Stop> {
    let wanted = Names::of(facts, source)?.after(requests);
    let sets_soname = requests.iter().any(|request| matches!(request, EditRequest::SetSoname(_)));
    let changes_paths =
        requests.iter().any(|request| matches!(request, EditRequest::SetRpath(_) | EditRequest::RemoveRunPaths));
    let mut soname = wanted.sonames.first().filter(|_| sets_soname);
    let mut rpath = wanted.run_paths.first().filter(|_| changes_paths);
    let mut entries = Vec::new();
    let mut number = 0;
    for (old, entry) in facts.tables.dynamic.iter().enumerate() {
        let mut kept = Entry { tag: entry.d_tag, value: Value::Kept(entry.d_val), old: Some(old), meaning: None };
        match entry.d_tag {
            DT_NEEDED => {
                let before = facts.string(source, entry.d_val)?;
                if let Some((_, name)) = Some(&before).zip(wanted.needed.get(number)).filter(|(old, new)| *old != *new)
                {
                    kept.value = Value::Text(name.clone());
                    kept.meaning = Some(format!("NEEDED {}: {before} → {name}", number + 1));
                }
                number += 1;
            }
            DT_SONAME if sets_soname => {
                let Some(name) = soname.take() else { continue };
                kept.meaning = Some(format!("SONAME: {} → {name}", facts.string(source, entry.d_val)?));
                kept.value = Value::Text(name.clone());
            }
            DT_RPATH | DT_RUNPATH if changes_paths => {
                let Some((_, text)) = rpath.take() else { continue };
                let tag = if entry.d_tag == DT_RPATH { "RPATH" } else { "RUNPATH" };
                kept.meaning = Some(format!("{tag} {} → RPATH {text}", facts.string(source, entry.d_val)?));
                kept.tag = DT_RPATH;
                kept.value = Value::Text(text.clone());
            }
            _ => {}
        }
        entries.push(kept);
    }
    if let Some(name) = soname {
        let meaning = Some(format!("new entry: SONAME {name}"));
        entries.push(Entry { tag: DT_SONAME, value: Value::Text(name.clone()), old: None, meaning });
    }
    if let Some((_, text)) = rpath {
        let meaning = Some(format!("new entry: RPATH {text}"));
        entries.push(Entry { tag: DT_RPATH, value: Value::Text(text.clone()), old: None, meaning });
    }
    Ok(entries)
}
