//! The names that were seen, each with all that speaks for it, the surest first.

use super::cut::Sighting;
use super::names::Shape;
use crate::engine::report::dlopen::{Confidence, NameEvidence, OpenedBy, OpenedName, OpenedVerdict};
use std::collections::BTreeMap;

/// More names than this are counted, and not listed.
const MOST_NAMES: usize = 1000;
/// More places of one name than this are not listed.
const MOST_EVIDENCE: usize = 20;

/// Collects names.
#[derive(Debug, Default)]
pub(super) struct Gathered {
    names: BTreeMap<(String, OpenedBy), Vec<(Confidence, NameEvidence)>>,
}

impl Gathered {
    /// Notes that `name` was seen.
    pub(super) fn add(&mut self, name: &str, caller: OpenedBy, confidence: Confidence, evidence: NameEvidence) {
        self.names.entry((name.to_owned(), caller)).or_default().push((confidence, evidence));
    }

    /// Leaves out those of `names` for which nothing speaks but that they stand somewhere.
    pub(super) fn leave_out(&mut self, is_known: impl Fn(&str) -> bool) {
        self.names.retain(|(name, caller), seen| {
            let only_text = seen.iter().all(|(confidence, _)| *confidence >= Confidence::Text);
            *caller == OpenedBy::Python || !only_text || !is_known(name)
        });
    }

    /// The names, the surest first and then by name, and how many more there are.
    pub(super) fn into_names(self) -> (Vec<OpenedName>, u64) {
        let mut names: Vec<OpenedName> =
            self.names.into_iter().map(|((name, caller), seen)| opened(name, caller, seen)).collect();
        names.sort_by(|one, other| {
            (one.confidence, &one.name, one.caller).cmp(&(other.confidence, &other.name, other.caller))
        });
        let more = names.len().saturating_sub(MOST_NAMES) as u64;
        names.truncate(MOST_NAMES);
        (names, more)
    }
}

fn opened(name: String, caller: OpenedBy, mut seen: Vec<(Confidence, NameEvidence)>) -> OpenedName {
    let key = |evidence: &NameEvidence| {
        let NameEvidence { file, line, address, function, kind, detail, .. } = evidence;
        (file.clone(), *line, *address, function.clone(), kind.clone(), detail.clone())
    };
    seen.sort_by_cached_key(|(confidence, evidence)| (*confidence, key(evidence)));
    seen.dedup();
    let confidence = seen.first().map_or(Confidence::Text, |(confidence, _)| *confidence);
    seen.truncate(MOST_EVIDENCE);
    OpenedName {
        name,
        confidence,
        caller,
        evidence: seen.into_iter().map(|(_, evidence)| evidence).collect(),
        would_resolve: None,
        in_bundle: None,
        grafted: None,
        verdict: OpenedVerdict::Unknown,
        why: "not worked out".to_owned(),
        observed: None,
        remedy: None,
        remedies: Vec::new(),
    }
}

/// How sure it is that what was seen is opened; `None` where it says too little: the end of a name says something only
/// beside a function that opens libraries.
pub(super) fn confidence(sighting: &Sighting) -> Option<Confidence> {
    match (sighting.shape, sighting.opens) {
        (Shape::Name, true) => Some(Confidence::Referred),
        (Shape::Name, false) => Some(Confidence::Text),
        (Shape::Pattern, _) | (Shape::Ending, true) => Some(Confidence::Pattern),
        (Shape::Ending, false) => None,
    }
}
