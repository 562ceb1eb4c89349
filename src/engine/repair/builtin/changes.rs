//! The dynamic entries as the requests of one edit want them.

use super::versions::VersionEdit;
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::repair::EditRequest;
use crate::engine::repair::facts::{Facts, Stop};
use crate::engine::repair::names::{DF_1_NODEFLIB, Names};
use goblin::elf::dynamic::{
    DT_DEBUG, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_VERNEED, DT_VERNEEDNUM,
};

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
    /// This.
    Kept(u64),
    /// The index of this string.
    Text(Name),
}

/// The dynamic entries after `requests`, without `DT_NULL`.
pub(super) fn entries(
    facts: &Facts,
    source: &dyn ReadAt,
    requests: &[EditRequest],
    versions: &VersionEdit,
) -> Result<Vec<Entry>, Stop> {
    let before = Names::of(facts, source)?;
    let wanted = before.after(requests);
    let changes_soname = wanted.sonames != before.sonames;
    let changes_paths = wanted.run_paths != before.run_paths;
    let mut soname = wanted.sonames.first().filter(|_| changes_soname);
    let mut path = wanted.run_paths.first().filter(|_| changes_paths);
    let new = |tag: u64, value: Value, meaning: String| Entry { tag, value, old: None, meaning: Some(meaning) };
    let mut entries = Vec::new();
    for name in added(requests, &before) {
        entries.push(new(DT_NEEDED, Value::Text(name.clone()), format!("new entry: NEEDED {name}")));
    }
    for (old, entry) in facts.tables.dynamic.iter().enumerate() {
        let mut kept = Entry { tag: entry.d_tag, value: Value::Kept(entry.d_val), old: Some(old), meaning: None };
        match entry.d_tag {
            DT_NEEDED => {
                let name = facts.string(source, entry.d_val)?;
                match after(&name, requests) {
                    None => continue,
                    Some(to) if to != name => {
                        kept.meaning = Some(format!("NEEDED {name} → {to}"));
                        kept.value = Value::Text(to);
                    }
                    Some(_) => {}
                }
            }
            DT_SONAME if changes_soname => {
                let Some(name) = soname.take() else { continue };
                kept.meaning = Some(format!("SONAME: {} → {name}", facts.string(source, entry.d_val)?));
                kept.value = Value::Text(name.clone());
            }
            DT_RPATH | DT_RUNPATH if changes_paths => {
                let Some((is_rpath, text)) = path.take() else { continue };
                let found = facts.string(source, entry.d_val)?;
                let tag = tag_of(*is_rpath);
                let (from, to) = (path_name(entry.d_tag), path_name(tag));
                kept.meaning = Some(format!("{from} {found} → {to} {text}"));
                kept.tag = tag;
                if found != *text {
                    kept.value = Value::Text(text.clone());
                }
            }
            DT_FLAGS_1 if wanted.no_default_lib && entry.d_val & DF_1_NODEFLIB == 0 => {
                kept.value = Value::Kept(entry.d_val | DF_1_NODEFLIB);
                kept.meaning = Some("FLAGS_1: with NODEFLIB".to_owned());
            }
            DT_VERNEEDNUM | DT_VERNEED if versions.left == Some(0) => continue,
            DT_VERNEEDNUM => {
                if let Some(left) = versions.left {
                    kept.value = Value::Kept(left);
                    kept.meaning = Some(format!("VERNEEDNUM: {left}"));
                }
            }
            _ => {}
        }
        entries.push(kept);
    }
    if let Some(name) = soname {
        entries.push(new(DT_SONAME, Value::Text(name.clone()), format!("new entry: SONAME {name}")));
    }
    if let Some((is_rpath, text)) = path {
        let tag = tag_of(*is_rpath);
        entries.push(new(tag, Value::Text(text.clone()), format!("new entry: {} {text}", path_name(tag))));
    }
    if wanted.no_default_lib && facts.tables.dynamic_value(DT_FLAGS_1).is_none() {
        entries.push(new(DT_FLAGS_1, Value::Kept(DF_1_NODEFLIB), "new entry: FLAGS_1 NODEFLIB".to_owned()));
    }
    if wanted.has_debug_entry && !before.has_debug_entry {
        entries.push(new(DT_DEBUG, Value::Kept(0), "new entry: DEBUG".to_owned()));
    }
    Ok(entries)
}

/// What a library that is needed is called after `requests`; `None`: it is no longer needed.
fn after(name: &Name, requests: &[EditRequest]) -> Option<Name> {
    let gone = |request: &EditRequest| matches!(request, EditRequest::RemoveNeeded(gone) if gone == name);
    if requests.iter().any(gone) {
        return None;
    }
    let renamed = requests.iter().find_map(|request| match request {
        EditRequest::ReplaceNeeded { from, to } if from == name => Some(to.clone()),
        _ => None,
    });
    Some(renamed.unwrap_or_else(|| name.clone()))
}

/// The libraries that `requests` add.
fn added<'a>(requests: &'a [EditRequest], before: &Names) -> Vec<&'a Name> {
    let left: Vec<Name> = before.needed.iter().filter_map(|name| after(name, requests)).collect();
    let asked = requests.iter().filter_map(|request| match request {
        EditRequest::AddNeeded(name) => Some(name),
        _ => None,
    });
    asked.filter(|name| !left.contains(name)).collect()
}

fn tag_of(is_rpath: bool) -> u64 {
    if is_rpath { DT_RPATH } else { DT_RUNPATH }
}

fn path_name(tag: u64) -> &'static str {
    if tag == DT_RPATH { "RPATH" } else { "RUNPATH" }
}
