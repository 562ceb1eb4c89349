//! What is passed when a name is opened, and for which names that can't be said.

use super::PredictSubject;
use super::layout::Layout;
use crate::engine::binary::{Format, Name};
use crate::engine::deps::Caller;
use crate::engine::report::dlopen::{Confidence, OpenedBy, OpenedName};
use std::path::Path;

/// What the evidence writes for the directory of a Python file.
const PACKAGE: &str = "$PACKAGE/";

/// A name as it is passed, here and in the bundle.
#[derive(Debug)]
pub(super) struct Asked {
    /// Why nothing can be said of it, if so.
    pub(super) unknown: Option<String>,
    here: Name,
    /// `None` where only that can't be said.
    in_bundle: Option<Name>,
    by: OpenedBy,
}

/// What a loader is asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Passed<'a> {
    pub(super) name: &'a Name,
    pub(super) caller: Caller<'a>,
}

impl Asked {
    /// What `name` comes to as an argument.
    pub(super) fn of(name: &OpenedName, subject: &PredictSubject<'_>, layout: &Layout) -> Self {
        let plain = Self {
            unknown: None,
            here: Name::from(name.name.as_str()),
            in_bundle: Some(Name::from(name.name.as_str())),
            by: name.caller,
        };
        if let Some(rest) = name.name.strip_prefix(PACKAGE) {
            return beside_python(name, rest, subject, layout, plain);
        }
        let unknown = why_unknown(name, subject.member.binary.format);
        Self { unknown, ..plain }
    }

    /// The argument of the call; `None` where nothing can be said.
    pub(super) fn passed(&self, in_bundle: bool) -> Option<Passed<'_>> {
        if self.unknown.is_some() {
            return None;
        }
        let name = if in_bundle { self.in_bundle.as_ref()? } else { &self.here };
        let caller = match self.by {
            OpenedBy::Artifact => Caller::Artifact,
            OpenedBy::Python => Caller::Stranger,
        };
        Some(Passed { name, caller })
    }
}

/// A path beside the Python file that opens it.
fn beside_python(name: &OpenedName, rest: &str, subject: &PredictSubject<'_>, layout: &Layout, plain: Asked) -> Asked {
    let python = name.evidence.first().map(|evidence| evidence.file.as_path()).unwrap_or(Path::new(""));
    let as_name = |directory: &Path| Name::new(directory.join(rest).as_os_str().as_encoded_bytes());
    let Some(directory) = python.parent().filter(|directory| directory.is_absolute()) else {
        let unknown = Some("which directory the Python file will lie in is not known".to_owned());
        return Asked { unknown, ..plain };
    };
    let in_bundle = layout.beside_python(subject.member.artifact, python);
    Asked { here: as_name(directory), in_bundle: in_bundle.map(|directory| as_name(&directory)), ..plain }
}

/// Why nothing can be said of `name`.
fn why_unknown(name: &OpenedName, format: Format) -> Option<String> {
    let text = name.name.as_str();
    if name.confidence == Confidence::Pattern || text.contains("{}") || text.contains('%') || text.contains('*') {
        return Some(format!("{text} is a pattern: the name is made at run time"));
    }
    if text.contains('\0') || text.is_empty() {
        return Some("an empty name, or one with a NUL in it, opens no library".to_owned());
    }
    if format == Format::Pe && (text.contains(['\\', '/']) || text.get(1..2) == Some(":")) {
        return Some(format!("{text} is a path of Windows, which can't be followed here"));
    }
    let begins_known = text.starts_with('/') || text.starts_with('$') || text.starts_with('@');
    if text.contains('/') && !begins_known {
        return Some(format!("{text} is a path from the working directory, which is the user's"));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::dlopen::OpenedVerdict;

    fn named(name: &str, confidence: Confidence) -> OpenedName {
        OpenedName {
            name: name.to_owned(),
            confidence,
            caller: OpenedBy::Artifact,
            evidence: Vec::new(),
            would_resolve: None,
            in_bundle: None,
            grafted: None,
            verdict: OpenedVerdict::Unknown,
            why: String::new(),
            remedy: None,
            remedies: Vec::new(),
            observed: None,
        }
    }

    #[test]
    fn names_that_nothing_can_be_said_of() {
        let table = [
            ("libfoo.so.1", Format::Elf, false),
            ("/opt/x/libfoo.so", Format::Elf, false),
            ("$ORIGIN/libfoo.so", Format::Elf, false),
            ("@rpath/libfoo.dylib", Format::MachO, false),
            ("foo.dll", Format::Pe, false),
            ("plugins/libfoo.so", Format::Elf, true),
            ("./libfoo.so", Format::Elf, true),
            ("lib%s.so", Format::Elf, true),
            ("lib{}.so", Format::Elf, true),
            ("", Format::Elf, true),
            ("C:\\x\\foo.dll", Format::Pe, true),
            ("sub/foo.dll", Format::Pe, true),
        ];
        for (name, format, expected) in table {
            assert_eq!(why_unknown(&named(name, Confidence::Passed), format).is_some(), expected, "{name}");
        }
        assert!(why_unknown(&named("libfoo.so", Confidence::Pattern), Format::Elf).is_some());
    }
}
