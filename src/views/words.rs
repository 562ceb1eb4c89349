//! The words of the documents with the roles that the panels give them.

use super::theme::Role;
use crate::engine::report::audit::{ArtifactReport, NodeRole, Severity, StagingReport, StagingState};
use crate::engine::report::diff::Class;
use crate::engine::report::fit::{RelroFate, Room, Verdict};
use crate::engine::report::picture::Change;
use crate::engine::report::{fit_words, words};

pub use crate::engine::report::words::{
    answer, bytes, counted, effect, format, format_and_arch, format_and_slices, found_by, grouped, kind, owner,
    policy_rule, rejection, rule, run_path_tag,
};

/// The staging state: `copied back` is a patched one that no edit has touched yet.
#[must_use]
pub const fn staging(staging: &StagingReport) -> (&'static str, Role) {
    let role = match (staging.state, staging.edited) {
        (StagingState::NotStaged, _) => Role::Quiet,
        (StagingState::Patched, true) => Role::Good,
        _ => Role::Plain,
    };
    (words::staging(staging), role)
}

/// What the patch step will do.
#[must_use]
pub const fn will_patch(answer: Option<bool>) -> (&'static str, Role) {
    let role = match answer {
        Some(true) => Role::Warning,
        _ => Role::Quiet,
    };
    (words::will_patch(answer), role)
}

/// How much a finding weighs.
#[must_use]
pub const fn severity(severity: Severity) -> (&'static str, Role) {
    let role = match severity {
        Severity::Error => Role::Bad,
        Severity::Warning => Role::Warning,
        Severity::Note => Role::Quiet,
    };
    (words::severity(severity), role)
}

/// How many findings of the worst severity there are: `2 errors`.
#[must_use]
pub fn worst(report: &ArtifactReport) -> Option<(String, Role)> {
    let worst = report.findings.iter().map(|finding| finding.severity).max()?;
    let count = report.findings.iter().filter(|finding| finding.severity == worst).count();
    let (word, role) = severity(worst);
    Some((counted(count, word, &format!("{word}s")), role))
}

/// How many findings there are, and how many of the worst severity: `2 findings, 1 warning`.
#[must_use]
pub fn findings(report: &ArtifactReport) -> (String, Role) {
    let count = report.findings.len();
    match worst(report) {
        None => ("no findings".into(), Role::Plain),
        Some((worst, role)) if worst.split(' ').next() == Some(count.to_string().as_str()) => (worst, role),
        Some((worst, role)) => (format!("{}, {worst}", counted(count, "finding", "findings")), role),
    }
}

/// What a library is to the repair.
#[must_use]
pub const fn node_role(role: NodeRole) -> (&'static str, Role) {
    let shown = match role {
        NodeRole::Root => Role::Strong,
        NodeRole::Allowed | NodeRole::System => Role::Good,
        NodeRole::External => Role::Warning,
        NodeRole::Missing | NodeRole::Libpython => Role::Bad,
        NodeRole::Interpreter | NodeRole::Excluded => Role::Quiet,
    };
    (words::node_role(role), shown)
}

/// What becomes of `.dynamic` under RELRO.
#[must_use]
pub const fn relro(fate: RelroFate) -> (&'static str, Role) {
    let role = match fate {
        RelroFate::None => Role::Quiet,
        RelroFate::Kept => Role::Good,
        RelroFate::Lost => Role::Bad,
    };
    (fit_words::relro(fate), role)
}

/// Whether a place is enough for what an edit needs there.
#[must_use]
pub fn enough(room: &Room) -> (String, Role) {
    let role = match room.need {
        None => Role::Quiet,
        Some(need) if need > room.room => Role::Warning,
        Some(_) => Role::Good,
    };
    (fit_words::enough(room), role)
}

/// What became of a way of making room.
#[must_use]
pub const fn verdict(verdict: Verdict) -> (&'static str, Role) {
    let role = match verdict {
        Verdict::Chosen => Role::Good,
        Verdict::Refused => Role::Warning,
        Verdict::NotNeeded => Role::Quiet,
    };
    (fit_words::verdict(verdict), role)
}

/// What bytes are.
#[must_use]
pub const fn class(class: Class) -> &'static str {
    match class {
        Class::Header => "file header",
        Class::ProgramHeader => "program header",
        Class::SectionHeader => "section header",
        Class::LoadCommand => "load command",
        Class::Directory => "data directory",
        Class::Dynamic => "dynamic section",
        Class::String => "string",
        Class::Interpreter => "interpreter",
        Class::Version => "symbol version",
        Class::Symbol => "symbol",
        Class::Hash => "symbol hash table",
        Class::Relocation => "relocation",
        Class::Import => "import",
        Class::Export => "export",
        Class::Note => "note",
        Class::BuildId => "build-id",
        Class::Checksum => "checksum",
        Class::Signature => "signature",
        Class::Code => "code",
        Class::Data => "data",
        Class::Unwind => "unwind table",
        Class::Debug => "debug information",
        Class::Padding => "padding",
        Class::Other => "other",
    }
}

/// What became of a part of a layout.
#[must_use]
pub const fn change(change: Change) -> (&'static str, Role) {
    let role = match change {
        Change::Same | Change::Shifted => Role::Quiet,
        Change::New => Role::Good,
        Change::Gone => Role::Bad,
        Change::Moved | Change::Grown | Change::Shrunk | Change::Flags => Role::Changed,
    };
    (fit_words::change(change), role)
}
