//! The calls of functions that open libraries, with the text of each name that is passed as a constant.

use super::gather::Gathered;
use super::places::Place;
use crate::engine::binary::record::name_at;
use crate::engine::code::{Opening, Passed};
use crate::engine::file::ReadAt;
use crate::engine::report::dlopen::{Confidence, NameEvidence, OpenedBy, OpeningCall};
use std::path::Path;

/// A longer text is no library's name.
const LONGEST: u64 = 4096;

/// The texts of one slice.
pub(super) struct Texts<'a> {
    /// The slice's number.
    pub(super) slice: usize,
    /// Where data lies that nothing writes to.
    pub(super) places: &'a [Place],
    /// The file.
    pub(super) source: &'a dyn ReadAt,
}

impl Texts<'_> {
    /// The text of C at `address`, and its section; `None` where none stands there that nothing writes to.
    fn at(&self, address: u64) -> Option<(String, Option<String>)> {
        let place = self.places.iter().find(|place| {
            place.slice == self.slice && address.checked_sub(place.address).is_some_and(|into| into < place.length)
        })?;
        let into = address - place.address;
        let end = place.offset + into + (place.length - into).min(LONGEST);
        let name = name_at(self.source, place.offset + into, end).ok()?;
        let text = std::str::from_utf8(name.as_bytes()).ok()?;
        (!text.chars().any(char::is_control)).then(|| (text.to_owned(), place.section.clone()))
    }
}

/// The report on `calls` of a slice for `arch`, by address; names that are passed as constants are added to `gathered`.
pub(super) fn report(
    calls: &[Opening],
    arch: &str,
    path: &Path,
    texts: &Texts<'_>,
    gathered: &mut Gathered,
) -> Vec<OpeningCall> {
    let mut found = Vec::new();
    for call in calls {
        let (passes, how) = match call.passed {
            Passed::Constant(0) => (None, "null: the program itself"),
            Passed::Constant(address) => match texts.at(address) {
                Some((text, section)) => {
                    if !text.is_empty() {
                        let evidence = evidence(call, path, address, section);
                        gathered.add(&text, OpenedBy::Artifact, Confidence::Passed, evidence);
                    }
                    (Some(text), "a constant")
                }
                None => (None, "in memory that can change"),
            },
            Passed::OwnArgument => (None, "the caller's own argument"),
            Passed::Unknown => (None, "made at run time"),
        };
        found.push(OpeningCall {
            arch: arch.to_owned(),
            address: call.address,
            function: call.function.clone(),
            caller: Some(call.caller.clone()),
            passes,
            how: how.to_owned(),
        });
    }
    found
}

/// What `call` says of the text at `address`.
fn evidence(call: &Opening, path: &Path, address: u64, section: Option<String>) -> NameEvidence {
    NameEvidence {
        kind: "call".to_owned(),
        file: path.to_path_buf(),
        section,
        address: Some(address),
        line: None,
        function: Some(call.caller.clone()),
        detail: Some(format!("passed to {} at {:#x}", call.function, call.address)),
    }
}
