//! The verdict on one name, from what opening it comes to here and in the bundle, and the sentence that says why.

use super::PredictSubject;
use super::layout::{Layout, SHOWN};
use super::names::Asked;
use crate::engine::audit::Granted;
use crate::engine::binary::Format;
use crate::engine::report::audit::{FoundBy, SearchRule};
use crate::engine::report::dlopen::{FoundIn, OpenedBy, OpenedName, OpenedVerdict, Opening, OpeningOutcome};
use crate::engine::report::words;
use std::path::Path;

/// What a verdict is made of.
pub(super) struct Case<'a> {
    pub(super) name: &'a OpenedName,
    pub(super) asked: &'a Asked,
    pub(super) now: &'a Opening,
    pub(super) then: &'a Opening,
    pub(super) subject: &'a PredictSubject<'a>,
    pub(super) layout: &'a Layout,
    pub(super) granted: &'a Granted,
}

impl Case<'_> {
    /// The verdict, and why.
    pub(super) fn verdict(&self) -> (OpenedVerdict, String) {
        if let Some(why) = &self.asked.unknown {
            return (OpenedVerdict::Unknown, why.clone());
        }
        let then = self.then;
        match then.outcome {
            OpeningOutcome::Found | OpeningOutcome::Loaded => self.found(),
            OpeningOutcome::OnlyIfLoadedBefore => (OpenedVerdict::ByLoadOrder, self.by_order()),
            OpeningOutcome::Incomplete => self.incomplete(),
            OpeningOutcome::Missing => self.missing(),
            OpeningOutcome::Unknown => (
                OpenedVerdict::Unknown,
                "where the Python file that opens it will lie in the wheel is not known".to_owned(),
            ),
        }
    }

    fn found(&self) -> (OpenedVerdict, String) {
        let then = self.then;
        let path = then.path.as_deref().unwrap_or(&self.name.name);
        let rule = then.found_by.as_ref().map(|by| by.rule);
        if rule == Some(SearchRule::Relative) {
            let why = format!("{} is found in the working directory only, which is the user's", self.name.name);
            return (OpenedVerdict::Unknown, why);
        }
        let by = then.found_by.as_ref().map(by_words).unwrap_or_default();
        match then.from {
            Some(FoundIn::Bundle) if then.outcome == OpeningOutcome::Loaded => {
                (OpenedVerdict::Works, format!("{path} is loaded with {} already", self.opener()))
            }
            Some(FoundIn::Bundle) => (OpenedVerdict::Works, format!("{path} is found{by}")),
            Some(FoundIn::Policy) => (OpenedVerdict::Works, self.granted(path)),
            Some(FoundIn::System) => {
                let copy = match &self.name.grafted {
                    Some(grafted) => format!("; the copy in the bundle, {}, is not the one", grafted.name),
                    None => String::new(),
                };
                let why = format!("{path} is this machine's own{by}: another may not have it{copy}");
                (OpenedVerdict::SystemDependent, why)
            }
            // An editable install leaves libraries where the build has them.
            Some(FoundIn::Build) | None => {
                (OpenedVerdict::Works, format!("{path} is found{by}, where the build has it"))
            }
        }
    }

    fn granted(&self, path: &str) -> String {
        match (self.subject.member.binary.format, self.subject.tag) {
            (Format::Elf, Some(tag)) => format!("every machine of {tag} has {}", self.name.name),
            (Format::Elf, None) => format!("{} comes with the C library, or is on the shortest list", self.name.name),
            _ => format!("{path} is part of the operating system"),
        }
    }

    fn by_order(&self) -> String {
        let note = self.then.note.as_deref().unwrap_or("works only where something else loaded it before");
        format!("{} does not find {} by itself; it {note}", self.opener(), self.name.name)
    }

    fn incomplete(&self) -> (OpenedVerdict, String) {
        let path = self.then.path.as_deref().unwrap_or(&self.name.name);
        let why = format!("{path} is found, and can't be loaded without {}", self.then.missing.join(", "));
        let verdict = if works(self.now) { OpenedVerdict::LostInBundle } else { OpenedVerdict::Missing };
        (verdict, why)
    }

    fn missing(&self) -> (OpenedVerdict, String) {
        let (name, then) = (&self.name.name, self.then);
        let leaf = name.rsplit('/').next().unwrap_or(name);
        if self.granted.holds(leaf) && !name.contains('/') {
            let why = format!("{name} is not on this machine; {}", self.granted(name));
            return (OpenedVerdict::SystemDependent, why);
        }
        if let Some(why) = self.out_of_sight() {
            return (OpenedVerdict::Unknown, why);
        }
        let no_way = if self.reaches() { String::new() } else { self.no_way() };
        if let Some(grafted) = &self.name.grafted {
            let for_whom = grafted.because_of.join(", ");
            if grafted.name != leaf {
                let soname =
                    if self.layout.changes_soname(&grafted.name) { ", and its SONAME was changed too" } else { "" };
                let why = format!(
                    "opened as {name}, but in the bundle the library is {} (grafted for {for_whom}){soname}{no_way}",
                    grafted.name
                );
                return (OpenedVerdict::Renamed, why);
            }
            let why = format!("{name} is in the bundle (grafted for {for_whom}){no_way}");
            return (if works(self.now) { OpenedVerdict::LostInBundle } else { OpenedVerdict::Missing }, why);
        }
        match self.now.outcome {
            OpeningOutcome::Found | OpeningOutcome::Loaded => {
                let path = self.now.path.as_deref().unwrap_or(name);
                let by = self.now.found_by.as_ref().map(by_words).unwrap_or_default();
                let why = format!("works here, where {path} is found{by}; nothing brings it into the bundle");
                (OpenedVerdict::LostInBundle, why)
            }
            OpeningOutcome::OnlyIfLoadedBefore => {
                let note = self.now.note.as_deref().unwrap_or("works only by load order");
                let why = format!("here it {note}; in the bundle nothing answers to {name}");
                (OpenedVerdict::LostInBundle, why)
            }
            OpeningOutcome::Incomplete => {
                let why = format!("{name} is not in the bundle, and here it lacks {}", self.now.missing.join(", "));
                (OpenedVerdict::Missing, why)
            }
            OpeningOutcome::Missing | OpeningOutcome::Unknown => {
                let places = then.candidates.len();
                let but = self.now.note.as_ref().map(|note| format!("; {note}")).unwrap_or_default();
                (OpenedVerdict::Missing, format!("{name} is found nowhere ({places} places tried){but}"))
            }
        }
    }

    /// Why a name that is not found here may be found elsewhere, in a place that can't be looked at.
    fn out_of_sight(&self) -> Option<String> {
        let (name, then) = (&self.name.name, self.then);
        match self.subject.member.binary.format {
            Format::Pe => Some(match &then.note {
                Some(note) => note.clone(),
                None => format!(
                    "LoadLibrary seeks {name} beside the program, in System32 and in PATH, not beside the DLL that calls: all \
                     of that is the user's"
                ),
            }),
            Format::MachO if !name.contains('/') => {
                Some(format!("{name} is in no run path; whether macOS has it in /usr/lib can't be seen here"))
            }
            _ => {
                let beside = then.candidates.iter().find(|candidate| self.layout.shows_beside(&candidate.path))?;
                let directory = beside.path.parent().unwrap_or(&beside.path);
                Some(format!("{name} is sought in {}, where another package may have it", directory.display()))
            }
        }
    }

    /// Whether the search comes to the bundle at all.
    fn reaches(&self) -> bool {
        let in_bundle = |path: &Path| path.as_os_str().as_encoded_bytes().starts_with(SHOWN.as_bytes());
        self.then.candidates.iter().any(|candidate| in_bundle(&candidate.path))
    }

    fn no_way(&self) -> String {
        match self.name.caller {
            OpenedBy::Artifact => format!("; {} has no search path that leads there", self.opener()),
            OpenedBy::Python => "; Python's search does not lead there".to_owned(),
        }
    }

    fn opener(&self) -> String {
        match self.name.caller {
            OpenedBy::Artifact => self.subject.member.artifact.names.file_name.clone(),
            OpenedBy::Python => "Python's _ctypes".to_owned(),
        }
    }
}

fn works(opening: &Opening) -> bool {
    matches!(opening.outcome, OpeningOutcome::Found | OpeningOutcome::Loaded | OpeningOutcome::OnlyIfLoadedBefore)
}

/// "by RPATH of liba.so: $ORIGIN/../x.libs", with a blank before it.
fn by_words(by: &FoundBy) -> String {
    if by.rule == SearchRule::AlreadyLoaded {
        return String::new();
    }
    format!(" by {}", words::found_by(by))
}
