//! The findings on an artifact: what is wrong with it, the evidence, and what mends it.
//!
//! Codes and severities are promised to scripts (README, "Findings"); every code has a page under `assets/findings`. A fix is
//! lines for `sh` that work from any directory, and sentences behind a `#`, so that all of it can be run.

mod answer;
mod cache;
mod dlopen;
mod edit;
mod editable;
mod hardening;
mod lens;
mod missing;
mod module;
mod processor;
mod runpath;
mod segments;
mod shipped;
mod tag;
mod twins;

use super::Audit;
use crate::engine::repair::{EditRefusal, Mode};
use crate::engine::report::audit::{Finding, Severity, StagingReport};
use std::path::Path;

/// The codes that [`findings`] can give.
pub const CODES: [&str; 24] = [
    "WW001", "WW002", "WW003", "WW004", "WW005", "WW006", "WW007", "WW008", "WW009", "WW010", "WW011", "WW012",
    "WW013", "WW014", "WW015", "WW016", "WW017", "WW018", "WW019", "WW022", "WW025", "WW026", "WW027", "WW029",
];

/// What the findings need beyond the audit.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Where the artifact's files are.
    pub staging: &'a StagingReport,
    /// Why the planned edits can't be made, if they can't.
    pub refusal: Option<&'a EditRefusal>,
    /// What changed in the artifact since it was staged, if something did; one sentence.
    pub changed: Option<&'a str>,
    /// What the artifact is being made ready for.
    pub mode: Mode,
}

/// The findings, by code and then by title.
#[must_use]
pub fn findings(audit: &Audit, circumstances: &Circumstances<'_>) -> Vec<Finding> {
    let report = &audit.report;
    let staging = circumstances.staging;
    let repaired = cache::already_repaired(report, staging);
    let not_inherited = runpath::not_inherited(audit, staging);
    let mut found: Vec<Finding> = Vec::new();
    found.extend(missing::missing_libraries(report, repaired.is_some(), &not_inherited));
    found.extend(missing::weak_libraries(report));
    found.extend(not_inherited);
    found.extend(repaired);
    found.extend(cache::shared_inode(report, staging));
    found.extend(module::libpython(report));
    found.extend(module::build_machine_paths(report));
    found.extend(module::no_entry_point(report));
    found.extend(editable::cargo_paths(audit, staging, circumstances.mode));
    found.extend(tag::too_new_symbols(report));
    found.extend(tag::too_new_libraries(report));
    found.extend(tag::black_listed_symbols(report));
    found.extend(lens::lens_differences(report));
    found.extend(answer::missing_versions(audit));
    found.extend(answer::wrong_files(audit, staging));
    found.extend(twins::twins(audit));
    found.extend(hardening::executable_stack(audit, staging));
    found.extend(hardening::text_relocations(audit));
    found.extend(segments::misaligned(audit));
    found.extend(processor::beyond_baseline(report));
    if circumstances.mode == Mode::Repair {
        found.extend(dlopen::opened(report));
    }
    found.extend(circumstances.refusal.map(|refusal| edit::does_not_fit(report, refusal)));
    found.extend(circumstances.changed.map(|what| edit::changed(report, what)));
    found.sort_by(|one, other| (&one.code, &one.title).cmp(&(&other.code, &other.title)));
    bounded(found)
}

/// More findings of one code on one artifact than this are counted in a last one and not listed.
const MOST_ALIKE: usize = 200;

fn bounded(found: Vec<Finding>) -> Vec<Finding> {
    let mut kept: Vec<Finding> = Vec::new();
    for group in found.chunk_by(|one, other| one.code == other.code) {
        kept.extend(group.iter().take(MOST_ALIKE).cloned());
        if let Some(rest) = group.get(MOST_ALIKE..).filter(|rest| !rest.is_empty()) {
            let worst = rest.iter().map(|finding| finding.severity).max().unwrap_or(Severity::Note);
            let first = rest.first().map_or("", |finding| finding.title.as_str());
            let title = format!("{} more of the same are left out, from: {first}", rest.len());
            kept.extend(rest.first().map(|finding| self::finding(&finding.code, worst, title, Vec::new(), Vec::new())));
        }
    }
    kept
}

fn finding(code: &str, severity: Severity, title: String, evidence: Vec<String>, fix: Vec<String>) -> Finding {
    Finding { code: code.to_string(), severity, title, evidence, fix }
}

/// `path` as one word for `sh`.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.to_string_lossy().replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests;
