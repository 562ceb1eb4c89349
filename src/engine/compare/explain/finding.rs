//! WW031: bytes changed that no logged edit explains.

use crate::engine::report::audit::{Finding, Severity};
use crate::engine::report::diff::{Class, DiffDocument, Run, RunKind};

/// The finding's code.
pub const UNEXPLAINED: &str = "WW031";
/// As many runs are told as evidence.
const MOST_TOLD: usize = 5;

/// The finding of a comparison, if some of its listed runs are explained by nothing. Code comes first in its evidence.
pub fn unexplained(document: &DiffDocument) -> Option<Finding> {
    let mut runs: Vec<&Run> =
        document.runs.iter().filter(|run| run.explained_by.as_ref().is_some_and(Vec::is_empty)).collect();
    if runs.is_empty() {
        return None;
    }
    runs.sort_by_key(|run| run.class != Class::Code);
    let mut evidence: Vec<String> = runs.iter().take(MOST_TOLD).map(|run| told(run)).collect();
    if runs.len() > MOST_TOLD {
        evidence.push(format!("and {} more", runs.len() - MOST_TOLD));
    }
    Some(Finding {
        code: UNEXPLAINED.to_owned(),
        severity: Severity::Error,
        title: "bytes changed that no logged edit explains".to_owned(),
        evidence,
        fix: vec![
            "# find out which tool wrote the file after the edits, or edit a clean copy again".to_owned(),
            format!("wheelwright diff '{}' '{}' --json", document.a.display(), document.b.display()),
        ],
    })
}

fn told(run: &Run) -> String {
    let kind = match run.kind {
        RunKind::Changed => "changed",
        RunKind::Inserted => "inserted",
        RunKind::Removed => "removed",
    };
    let bytes = if run.len == 1 { "byte" } else { "bytes" };
    let region = run.region.as_deref().map(|region| format!(" in {region}")).unwrap_or_default();
    let meaning = run.meaning.as_deref().map(|meaning| format!(": {meaning}")).unwrap_or_default();
    format!("{:#x}: {} {bytes} {kind}{region}{meaning}", run.offset, run.len)
}
