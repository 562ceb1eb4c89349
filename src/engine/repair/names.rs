//! What an edit can change in a file, as it is before and after it, and which requests change something.

use super::builtin::unversioned;
use super::facts::{Facts, Stop, refuse};
use super::{EditRequest, ExecStack};
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use goblin::elf::dynamic::{DT_DEBUG, DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME};
use goblin::elf::header::EI_OSABI;
use goblin::elf::program_header::{PF_X, PT_GNU_STACK};

/// `DF_1_NODEFLIB` of `DT_FLAGS_1`.
pub(super) const DF_1_NODEFLIB: u64 = 0x800;

/// What an edit can change of a file.
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
    /// The interpreter, if it names one.
    pub interpreter: Option<Name>,
    /// Whether it asks for an executable stack; `None` without a `PT_GNU_STACK`, when the machine's default counts.
    pub exec_stack: Option<ExecStack>,
    /// Whether the default directories are left out (`DF_1_NODEFLIB`).
    pub no_default_lib: bool,
    /// Whether there is a `DT_DEBUG`.
    pub has_debug_entry: bool,
    /// `EI_OSABI`.
    pub os_abi: u8,
    /// The undefined symbols that requests ask about and that are looked for without a version.
    pub unversioned: Vec<Name>,
}

impl Names {
    /// The names in the file that `facts` tell of.
    pub fn of(facts: &Facts, source: &dyn ReadAt) -> Result<Self> {
        let tables = &facts.tables;
        let stack = tables.segments.iter().find(|segment| segment.p_type == PT_GNU_STACK);
        let asked = |flags: u32| if flags & PF_X != 0 { ExecStack::Asked } else { ExecStack::NotAsked };
        let mut names = Self {
            sonames: Vec::new(),
            needed: Vec::new(),
            run_paths: Vec::new(),
            versions: facts.records.needs.iter().map(|record| record.library.clone()).collect(),
            interpreter: facts.interpreter.as_ref().map(|interpreter| interpreter.name.clone()),
            exec_stack: stack.map(|stack| asked(stack.p_flags)),
            no_default_lib: tables.dynamic_value(DT_FLAGS_1).is_some_and(|flags| flags & DF_1_NODEFLIB != 0),
            has_debug_entry: tables.dynamic_value(DT_DEBUG).is_some(),
            os_abi: tables.header.e_ident.get(EI_OSABI).copied().unwrap_or(0),
            unversioned: Vec::new(),
        };
        for entry in &tables.dynamic {
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

    /// The names, and of the symbols that `requests` ask about those without a version.
    pub fn asked(facts: &Facts, source: &dyn ReadAt, requests: &[EditRequest]) -> Result<Self> {
        let mut names = Self::of(facts, source)?;
        let asked: Vec<&Name> = requests
            .iter()
            .filter_map(|request| match request {
                EditRequest::ClearSymbolVersion(name) => Some(name),
                _ => None,
            })
            .collect();
        names.unversioned = unversioned(facts, source, &asked)?;
        Ok(names)
    }

    /// The requests that change something, those that append made into such that set; refused when one can't be written or
    /// two contradict each other.
    pub fn effective(&self, requests: &[EditRequest]) -> Result<Vec<EditRequest>, Stop> {
        for (number, request) in requests.iter().enumerate() {
            if texts(request).iter().any(|text| text.as_bytes().contains(&0)) {
                return Err(refuse("a name with a NUL in it ends there", "give a name without NUL"));
            }
            if requests.iter().take(number).any(|other| contradict(other, request)) {
                return Err(refuse("two of the requests contradict each other", "ask for one of them"));
            }
        }
        let mut kept: Vec<EditRequest> = Vec::new();
        for request in requests {
            let request = match request {
                EditRequest::AppendRunPath(text) => self.appended(text),
                other => other.clone(),
            };
            if !self.fulfil(&request) && !kept.contains(&request) {
                kept.push(request);
            }
        }
        Ok(kept)
    }

    /// The search path with `text` behind it.
    fn appended(&self, text: &Name) -> EditRequest {
        match self.run_paths.iter().find(|(is_rpath, _)| !is_rpath).or(self.run_paths.first()) {
            None => EditRequest::SetRunpath(text.clone()),
            Some((is_rpath, old)) => {
                let colon: &[u8] = if old.as_bytes().is_empty() { b"" } else { b":" };
                let whole = Name::new([old.as_bytes(), colon, text.as_bytes()].concat());
                if *is_rpath { EditRequest::SetRpath(whole) } else { EditRequest::SetRunpath(whole) }
            }
        }
    }

    /// Whether `request` changes nothing.
    fn fulfil(&self, request: &EditRequest) -> bool {
        match request {
            EditRequest::SetSoname(name) => self.sonames.as_slice() == std::slice::from_ref(name),
            EditRequest::SetRpath(text) => matches!(self.run_paths.as_slice(), [(true, found)] if found == text),
            EditRequest::SetRunpath(text) => matches!(self.run_paths.as_slice(), [(false, found)] if found == text),
            EditRequest::AppendRunPath(_) => false,
            EditRequest::RemoveRunPaths => self.run_paths.is_empty(),
            EditRequest::ReplaceNeeded { from, to } => {
                from == to || !(self.needed.contains(from) || self.versions.contains(from))
            }
            EditRequest::AddNeeded(name) => self.needed.contains(name),
            EditRequest::RemoveNeeded(name) => !(self.needed.contains(name) || self.versions.contains(name)),
            EditRequest::SetInterpreter(name) => self.interpreter.as_ref() == Some(name),
            EditRequest::SetExecStack(wanted) => self.exec_stack == Some(*wanted),
            EditRequest::NoDefaultLib => self.no_default_lib,
            EditRequest::AddDebugEntry => self.has_debug_entry,
            EditRequest::SetOsAbi(wanted) => self.os_abi == *wanted,
            EditRequest::ClearSymbolVersion(name) => self.unversioned.contains(name),
        }
    }

    /// The names after all `requests`, which don't contradict each other and of which none appends.
    pub fn after(&self, requests: &[EditRequest]) -> Self {
        let renamed = |name: &Name| {
            let found = requests.iter().find_map(|request| match request {
                EditRequest::ReplaceNeeded { from, to } if from == name => Some(to),
                _ => None,
            });
            found.unwrap_or(name).clone()
        };
        let mut names = Self {
            needed: self.needed.iter().map(renamed).collect(),
            versions: self.versions.iter().map(renamed).collect(),
            ..self.clone()
        };
        let mut added = Vec::new();
        for request in requests {
            match request {
                EditRequest::SetSoname(name) => names.sonames = vec![name.clone()],
                EditRequest::SetRpath(text) => names.run_paths = vec![(true, text.clone())],
                EditRequest::SetRunpath(text) => names.run_paths = vec![(false, text.clone())],
                EditRequest::RemoveRunPaths => names.run_paths.clear(),
                EditRequest::ReplaceNeeded { .. } | EditRequest::AppendRunPath(_) => {}
                EditRequest::RemoveNeeded(gone) => {
                    names.needed.retain(|name| name != gone);
                    names.versions.retain(|name| name != gone);
                }
                EditRequest::AddNeeded(name) => added.push(name.clone()),
                EditRequest::SetInterpreter(name) => names.interpreter = Some(name.clone()),
                EditRequest::SetExecStack(wanted) => names.exec_stack = Some(*wanted),
                EditRequest::NoDefaultLib => names.no_default_lib = true,
                EditRequest::AddDebugEntry => names.has_debug_entry = true,
                EditRequest::SetOsAbi(wanted) => names.os_abi = *wanted,
                EditRequest::ClearSymbolVersion(name) if names.unversioned.contains(name) => {}
                EditRequest::ClearSymbolVersion(name) => names.unversioned.push(name.clone()),
            }
        }
        added.retain(|name| !names.needed.contains(name));
        names.needed.splice(0..0, added);
        names
    }
}

/// The texts of a request that will stand in the file, or are looked for in it.
fn texts(request: &EditRequest) -> Vec<&Name> {
    use EditRequest::{
        AddDebugEntry, AddNeeded, AppendRunPath, ClearSymbolVersion, NoDefaultLib, RemoveNeeded, RemoveRunPaths,
        ReplaceNeeded, SetExecStack, SetInterpreter, SetOsAbi, SetRpath, SetRunpath, SetSoname,
    };
    match request {
        SetSoname(name)
        | SetRpath(name)
        | SetRunpath(name)
        | AppendRunPath(name)
        | AddNeeded(name)
        | RemoveNeeded(name)
        | SetInterpreter(name)
        | ClearSymbolVersion(name) => vec![name],
        ReplaceNeeded { from, to } => vec![from, to],
        RemoveRunPaths | SetExecStack(_) | NoDefaultLib | AddDebugEntry | SetOsAbi(_) => Vec::new(),
    }
}

fn contradict(one: &EditRequest, other: &EditRequest) -> bool {
    use EditRequest::{
        AddNeeded, AppendRunPath, RemoveNeeded, RemoveRunPaths, ReplaceNeeded, SetExecStack, SetInterpreter, SetOsAbi,
        SetRpath, SetRunpath, SetSoname,
    };
    let is_path =
        |request: &EditRequest| matches!(request, SetRpath(_) | SetRunpath(_) | AppendRunPath(_) | RemoveRunPaths);
    match (one, other) {
        (SetSoname(one), SetSoname(other)) | (SetInterpreter(one), SetInterpreter(other)) => one != other,
        (SetExecStack(one), SetExecStack(other)) => one != other,
        (SetOsAbi(one), SetOsAbi(other)) => one != other,
        (ReplaceNeeded { from, to }, ReplaceNeeded { from: other, to: name }) => from == other && to != name,
        (AddNeeded(one), RemoveNeeded(other)) | (RemoveNeeded(one), AddNeeded(other)) => one == other,
        (ReplaceNeeded { from, to }, RemoveNeeded(name)) | (RemoveNeeded(name), ReplaceNeeded { from, to }) => {
            from == name || to == name
        }
        _ => is_path(one) && is_path(other) && one != other,
    }
}

#[cfg(test)]
mod tests {
    use super::EditRequest::{
        AddNeeded, AppendRunPath, RemoveNeeded, RemoveRunPaths, ReplaceNeeded, SetRpath, SetRunpath, SetSoname,
    };
    use super::*;

    fn names() -> Names {
        Names {
            sonames: vec!["liba.so.1".into()],
            needed: vec!["libb.so.1".into(), "libc.so.6".into(), "libb.so.1".into()],
            run_paths: vec![(false, "/old".into())],
            versions: vec!["libc.so.6".into(), "libb.so.1".into()],
            interpreter: None,
            exec_stack: Some(ExecStack::NotAsked),
            no_default_lib: false,
            has_debug_entry: false,
            os_abi: 0,
            unversioned: Vec::new(),
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

    #[test]
    fn an_appended_path_keeps_the_tag() {
        assert_eq!(names().effective(&[AppendRunPath("/new".into())]).unwrap(), [SetRunpath("/old:/new".into())]);
        let mut names = names();
        names.run_paths = vec![(true, "/old".into())];
        assert_eq!(names.effective(&[AppendRunPath("/new".into())]).unwrap(), [SetRpath("/old:/new".into())]);
        names.run_paths.clear();
        assert_eq!(names.effective(&[AppendRunPath("/new".into())]).unwrap(), [SetRunpath("/new".into())]);
        assert!(names.effective(&[AppendRunPath("/new".into()), RemoveRunPaths]).is_err());
    }

    #[test]
    fn needs_are_renamed_then_removed_then_added() {
        let requests = [AddNeeded("libd.so".into()), RemoveNeeded("libb.so.1".into()), renamed("libc.so.6", "libx.so")];
        let after = names().after(&requests);
        assert_eq!(after.needed, ["libd.so", "libx.so"].map(Name::from));
        assert_eq!(after.versions, ["libx.so"].map(Name::from));
        let nothing = [AddNeeded("libc.so.6".into()), RemoveNeeded("libabsent.so".into())];
        assert!(names().effective(&nothing).unwrap().is_empty());
        assert!(names().effective(&[AddNeeded("liba".into()), RemoveNeeded("liba".into())]).is_err());
    }
}
