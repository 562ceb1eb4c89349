//! WW007, a library that is opened at run time and not found in the bundle, and WW008, one that is opened by a name that
//! grafting changes.
//!
//! Only names that are seen to be passed to an opening function count, and of other texts those that are the old name of a
//! file in the bundle: any binary is full of names that nobody opens.

use super::finding;
use crate::engine::dlopen::remedies::{kind_names, name_of};
use crate::engine::report::audit::{ArtifactReport, Candidate, Finding, Severity};
use crate::engine::report::dlopen::{
    Confidence, DlopenReport, NameEvidence, OpenedName, OpenedVerdict, Remedy, RemedyKind,
};

/// So many places where a name was seen, and places that were searched, are listed.
const LISTED: usize = 6;

/// WW007 and WW008 for every name that would not be found in the bundle.
pub(super) fn opened(report: &ArtifactReport) -> Vec<Finding> {
    let Some(opened) = &report.dlopen else { return Vec::new() };
    let names = opened.candidates.iter().flatten();
    names.filter_map(|name| one(report, opened, name)).collect()
}

fn one(report: &ArtifactReport, opened: &DlopenReport, name: &OpenedName) -> Option<Finding> {
    let sure = name.confidence <= Confidence::Referred;
    // A remedy is known only where this machine has the library: what is nowhere is an option that nobody took here.
    let is_lost = match name.verdict {
        OpenedVerdict::LostInBundle | OpenedVerdict::ByLoadOrder => true,
        OpenedVerdict::Missing => !name.remedies.is_empty(),
        _ => false,
    };
    match (&name.grafted, name.verdict) {
        (Some(grafted), OpenedVerdict::Renamed) if sure || name.confidence == Confidence::Text && opens(opened) => {
            let title = format!("{} is opened by a name that grafting changes to {}", name.name, grafted.name);
            let mut evidence = seen(name);
            let because_of = grafted.because_of.join(", ");
            evidence.push(format!("{} is grafted as {}, needed by {because_of}", grafted.needed_as, grafted.name));
            evidence.push(name.why.clone());
            evidence.extend(searched(name));
            let severity = if sure { Severity::Warning } else { Severity::Note };
            Some(finding("WW008", severity, title, evidence, fix(report, name)))
        }
        _ if sure && is_lost => {
            let title = format!("{} is opened at run time, and not found in the bundle", name.name);
            let mut evidence = seen(name);
            evidence.push(name.why.clone());
            evidence.extend(searched(name));
            Some(finding("WW007", Severity::Warning, title, evidence, fix(report, name)))
        }
        _ => None,
    }
}

fn opens(opened: &DlopenReport) -> bool {
    opened.imports.iter().any(|import| import.opens)
}

fn seen(name: &OpenedName) -> Vec<String> {
    name.evidence.iter().take(LISTED).map(|evidence| place(&name.name, evidence)).collect()
}

fn place(name: &str, evidence: &NameEvidence) -> String {
    let file = evidence.file.file_name().unwrap_or_default().to_string_lossy();
    let mut text = match evidence.kind.as_str() {
        "note" => format!("the .note.dlopen of {file} declares {name}"),
        "call" => format!("{file} passes {name}"),
        "ctypes" | "cffi" => format!("{file} opens {name} by {}", evidence.kind),
        _ => format!("{file} has the text {name}"),
    };
    if let Some(line) = evidence.line {
        text.push_str(&format!(", line {line}"));
    }
    match (&evidence.section, evidence.address) {
        (Some(section), Some(address)) => text.push_str(&format!(" at {address:#x} in {section}")),
        (Some(section), None) => text.push_str(&format!(" in {section}")),
        (None, Some(address)) => text.push_str(&format!(" at {address:#x}")),
        (None, None) => {}
    }
    if let Some(function) = &evidence.function {
        text.push_str(&format!(", in {function}"));
    }
    text
}

/// The search that fails.
fn searched(name: &OpenedName) -> Vec<String> {
    let line = |tried: &Candidate| format!("sought in the bundle at {}: not there", tried.path.display());
    let candidates = name.in_bundle.iter().flat_map(|opening| &opening.candidates);
    candidates.take(LISTED).map(line).collect()
}

fn fix(report: &ArtifactReport, name: &OpenedName) -> Vec<String> {
    let mut fix = Vec::new();
    let planned = |remedy: &&Remedy| remedy.kind != RemedyKind::LinkIt;
    let helping: Vec<&Remedy> = name.remedies.iter().filter(|remedy| remedy.helps == Some(true)).collect();
    for remedy in helping.iter().copied().filter(planned) {
        fix.push(format!("# {}: {}", name_of(remedy.kind), remedy.why));
        fix.push(format!("# wheelwright run --adopt {}", word(&adopted(report, name, remedy.kind))));
        fix.extend(remedy.lines.iter().map(|line| format!("#     {line}")));
    }
    for remedy in helping.iter().copied().filter(|remedy| !planned(remedy)) {
        fix.push(format!("# or in the sources: {}", remedy.why));
        fix.extend(remedy.lines.iter().map(|line| format!("#     {line}")));
    }
    let idle: Vec<&str> = name
        .remedies
        .iter()
        .filter(|remedy| remedy.helps == Some(false))
        .map(|remedy| name_of(remedy.kind))
        .filter(|kind| kind_names().any(|known| known == *kind))
        .collect();
    if !idle.is_empty() {
        fix.push(format!("# these do not help here: {}", idle.join(", ")));
    }
    if fix.is_empty() {
        fix.push("# link the library and call it directly, or let the user name the file to open".to_string());
    }
    fix
}

/// The value of `--adopt`.
fn adopted(report: &ArtifactReport, name: &OpenedName, kind: RemedyKind) -> String {
    format!("{}:{}@{}", name_of(kind), name.name, report.name)
}

/// `text` as one word for `sh`.
fn word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "/._-+:@%=".contains(letter);
    if text.chars().all(plain) { text.to_string() } else { super::quoted(std::path::Path::new(text)) }
}
