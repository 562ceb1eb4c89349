//! WW019, an edit that does not fit, and WW026, a file that changed under us. Both are told by whoever plans or applies.

use super::finding;
use crate::engine::repair::EditRefusal;
use crate::engine::report::audit::{ArtifactReport, Finding, Severity};

/// WW019: the editor refuses.
pub(super) fn does_not_fit(report: &ArtifactReport, refusal: &EditRefusal) -> Finding {
    let mut evidence = vec![format!("{}: {}", report.path.display(), refusal.reason)];
    evidence.extend(refusal.need.map(|need| format!("needed: {need} bytes")));
    evidence.extend(refusal.room.map(|room| format!("room: {room} bytes")));
    let fix = vec![format!("# {}", refusal.way_out.replace('\n', " "))];
    finding("WW019", Severity::Error, "the edit does not fit".to_string(), evidence, fix)
}

/// WW026: the artifact is no longer what was staged.
pub(super) fn changed(report: &ArtifactReport, what: &str) -> Finding {
    let evidence = vec![format!("{}: {what}", report.path.display())];
    let fix = vec![
        "# wait until no build runs, then go back and stage again; in the inspector: u, then n".to_string(),
        "# cargo's newer file is at its own path and stays there".to_string(),
    ];
    finding("WW026", Severity::Error, "changed under us since it was staged".to_string(), evidence, fix)
}
