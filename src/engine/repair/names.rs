//! The names in a file that an edit can change, before it and after it, and which requests change something.

use super::EditRequest;
use super::facts::{Facts, Stop, refuse};
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
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

    /// The requests that change something; refused when one can't be written or two contradict each other.
    pub fn effective(&self, requests: &[EditRequest]) -> Result<Vec<EditRequest>, Stop> {
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
            if !self.fulfil(request) && !kept.contains(request) {
                kept.push(request.clone());
            }
        }
        Ok(kept)
    }

    /// Whether `request` changes nothing.
    fn fulfil(&self, request: &EditRequest) -> bool {
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

fn contradict(one: &EditRequest, other: &EditRequest) -> bool {
    use EditRequest::{RemoveRunPaths, ReplaceNeeded, SetRpath, SetSoname};
    match (one, other) {
        (SetSoname(one), SetSoname(other)) | (SetRpath(one), SetRpath(other)) => one != other,
        (SetRpath(_), RemoveRunPaths) | (RemoveRunPaths, SetRpath(_)) => true,
        (ReplaceNeeded { from, to }, ReplaceNeeded { from: other, to: name }) => from == other && to != name,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::EditRequest::{RemoveRunPaths, ReplaceNeeded, SetRpath, SetSoname};
    use super::*;

    fn names() -> Names {
        Names {
            sonames: vec!["liba.so.1".into()],
            needed: vec!["libb.so.1".into(), "libc.so.6".into(), "libb.so.1".into()],
            run_paths: vec![(false, "/old".into())],
            versions: vec!["libc.so.6".into(), "libb.so.1".into()],
        }
    }

    fn renamed(from: &str, to: &str) -> EditRequest {
        ReplaceNeeded { from: from.into(), to: to.into() }
    }

    #[test]
    fn a_request_whose_value_is_there_is_left_out() {
        let requests = [
            SetSoname("liba.so.1".into()),
            renamed("libc.so.6", "libc.so.6"),
            renamed("libabsent.so", "libx.so"),
            SetRpath("/old".into()),
            SetRpath("/old".into()),
        ];
        assert_eq!(names().effective(&requests).unwrap(), [SetRpath("/old".into())], "a RUNPATH is no RPATH");
        let mut without = names();
        without.run_paths.clear();
        assert!(without.effective(&[RemoveRunPaths]).unwrap().is_empty());
    }

    #[test]
    fn several_search_paths_become_one() {
        let mut names = names();
        names.run_paths.push((true, "/new".into()));
        let requests = [SetRpath("/new".into())];
        assert_eq!(names.effective(&requests).unwrap(), requests);
        assert_eq!(names.after(&requests).run_paths, [(true, "/new".into())]);
    }

    #[test]
    fn names_change_places_at_once() {
        let after = names().after(&[renamed("libb.so.1", "libc.so.6"), renamed("libc.so.6", "libb.so.1")]);
        assert_eq!(after.needed, ["libc.so.6", "libb.so.1", "libc.so.6"].map(Name::from));
        assert_eq!(after.versions, ["libb.so.1", "libc.so.6"].map(Name::from));
    }
}
