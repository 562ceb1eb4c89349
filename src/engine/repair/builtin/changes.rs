//! What the requests of one edit come to together: the dynamic entries and version records as they shall be.

use super::facts::{Facts, Stop, refuse};
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::repair::EditRequest;
use goblin::elf::dynamic::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME};

/// What the loader reads by name in a file, and what an edit can change of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Names {
    /// The `DT_SONAME`s.
    pub sonames: Vec<Name>,
    /// The `DT_NEEDED`s, in order.
    pub needed: Vec<Name>,
    /// The search paths: whether it is a `DT_RPATH`, and its text.
    pub run_paths: Vec<(bool, Name)>,
    /// The libraries that `.gnu.version_r` names, in order.
    pub versions: Vec<Name>,
}

impl Names {
    /// The names in the file that `facts` tell of.
    pub fn of(facts: &Facts, source: &dyn ReadAt) -> Result<Self> {
        let versions = facts.versions.iter().map(|record| record.library.clone()).collect();
        let mut names = Self { sonames: Vec::new(), needed: Vec::new(), run_paths: Vec::new(), versions };
        for entry in &facts.tables.dynamic {
            match entry.d_tag {
                DT_SONAME => names.sonames.push(facts.string(source, entry.d_val)?),
                DT_NEEDED => names.needed.push(facts.string(source, entry.d_val)?),
                tag @ (DT_RPATH | DT_RUNPATH) => {
                    names.run_paths.push((tag == DT_RPATH, facts.string(source, entry.d_val)?));
                }
                _ => {}
            }
        }
        Ok(names)
    }

    /// Whether the file would be the same after `request`.
    pub fn fulfil(&self, request: &EditRequest) -> bool {
        match request {
            EditRequest::SetSoname(name) => self.sonames.as_slice() == std::slice::from_ref(name),
            EditRequest::SetRpath(text) => matches!(self.run_paths.as_slice(), [(true, found)] if found == text),
            EditRequest::RemoveRunPaths => self.run_paths.is_empty(),
            EditRequest::ReplaceNeeded { from, to } => {
                from == to || !(self.needed.contains(from) || self.versions.contains(from))
            }
        }
    }

    /// The names after all `requests`, which don't contradict each other.
    pub fn after(&self, requests: &[EditRequest]) -> Self {
        let rename = |name: &Name| {
            let found = requests.iter().find_map(|request| match request {
                EditRequest::ReplaceNeeded { from, to } if from == name => Some(to),
                _ => None,
            });
            found.unwrap_or(name).clone()
        };
        let mut names = Self {
            needed: self.needed.iter().map(rename).collect(),
            versions: self.versions.iter().map(rename).collect(),
            ..self.clone()
        };
        for request in requests {
            match request {
                EditRequest::SetSoname(name) => names.sonames = vec![name.clone()],
                EditRequest::SetRpath(text) => names.run_paths = vec![(true, text.clone())],
                EditRequest::RemoveRunPaths => names.run_paths.clear(),
                EditRequest::ReplaceNeeded { .. } => {}
            }
        }
        names
    }
}

/// The requests that change something; refused when one can't be written or two contradict each other.
pub(super) fn effective(names: &Names, requests: &[EditRequest]) -> Result<Vec<EditRequest>, Stop> {
    for (number, request) in requests.iter().enumerate() {
        let texts: Vec<&Name> = match request {
            EditRequest::SetSoname(name) | EditRequest::SetRpath(name) => vec![name],
            EditRequest::RemoveRunPaths => Vec::new(),
            EditRequest::ReplaceNeeded { from, to } => vec![from, to],
        };
        if texts.iter().any(|text| text.as_bytes().contains(&0)) {
            return Err(refuse("a name with a NUL in it ends there", "give a name without NUL"));
        }
        if requests.iter().take(number).any(|other| contradict(other, request)) {
            return Err(refuse("two of the requests contradict each other", "ask for one of them"));
        }
    }
    let mut kept: Vec<EditRequest> = Vec::new();
    for request in requests {
        if !names.fulfil(request) && !kept.contains(request) {
            kept.push(request.clone());
        }
    }
    Ok(kept)
}

fn contradict(one: &EditRequest, other: &EditRequest) -> bool {
    use EditRequest::{RemoveRunPaths, ReplaceNeeded, SetRpath, SetSoname};
    match (one, other) {
        (SetSoname(one), SetSoname(other)) | (SetRpath(one), SetRpath(other)) => one != other,
        (SetRpath(_), RemoveRunPaths) | (RemoveRunPaths, SetRpath(_)) => true,
        (ReplaceNeeded { from, to }, ReplaceNeeded { from: other, to: name }) => from == other && to != name,
        _ => false,
    }
}

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
