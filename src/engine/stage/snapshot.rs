//! What can be seen of a session at one moment, as plain data that is cheap to clone.

use crate::engine::compare::Logged;
use crate::engine::project::ArtifactId;
use crate::engine::report::audit::{ArtifactKind, ArtifactReport, StagingReport};
use crate::engine::report::plan::{PlannedEffect, Refusal, Step};
use std::path::PathBuf;
use std::sync::Arc;

/// A session at one moment.
#[derive(Debug, Clone, Default)]
pub struct Snapshot {
    /// What is being worked on: the distribution's or the project's name.
    pub title: String,
    /// The profile's directory name, where all artifacts share one.
    pub profile: Option<String>,
    /// `repair` or `editable`.
    pub mode: String,
    /// The artifacts; entry n has id n.
    pub artifacts: Vec<ArtifactSnapshot>,
    /// What was done, oldest first.
    pub log: Vec<LogEntry>,
    /// Why no step can be taken, if none can: another session holds the journal.
    pub read_only: Option<String>,
    /// What discovery could not do.
    pub notes: Vec<String>,
}

/// An artifact at one moment.
#[derive(Debug, Clone)]
pub struct ArtifactSnapshot {
    /// Its number.
    pub id: ArtifactId,
    /// Its own path.
    pub path: PathBuf,
    /// Its file name.
    pub name: String,
    /// What it is to its project.
    pub kind: ArtifactKind,
    /// Everything found out about it; `None` until it was audited.
    pub report: Option<Arc<ArtifactReport>>,
    /// Where its files are now (the report's copy may be older).
    pub staging: StagingReport,
    /// The last step that was taken; `None` at the beginning.
    pub done: Option<Step>,
    /// The step that comes next; `None` at the end.
    pub next: Option<Step>,
    /// All steps with their effects, done or still planned; empty until the first audit.
    pub steps: Arc<Vec<SnapshotStep>>,
    /// The edits that were made on the staged file and not undone; none until one was.
    pub edits: Arc<Vec<Logged>>,
}

/// One step of one artifact.
#[derive(Debug, Clone)]
pub struct SnapshotStep {
    /// The step.
    pub step: Step,
    /// Whether it was taken.
    pub done: bool,
    /// Its effects: as carried out where `done`, else as planned.
    pub effects: Vec<PlannedEffect>,
    /// Why it can't be taken, if it can't.
    pub refusal: Option<Refusal>,
    /// What there is to say about it besides.
    pub notes: Vec<String>,
}

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogEntry {
    /// The artifact concerned, if one.
    pub artifact: Option<ArtifactId>,
    /// Whether it went wrong.
    pub failed: bool,
    /// One sentence.
    pub text: String,
}
