//! What a worker's answer changes.

use super::action::Command;
use super::bytes;
use super::chunks::ChunkId;
use super::jobs::{Job, JobId, Request};
use super::opened;
use super::panel::Panel;
use super::seek;
use super::state::State;
use super::update::{finish, say};
use super::{filter, wanted};
use crate::engine::audit::Question;
use crate::engine::compare::{Found, Match, Which};
use crate::engine::project::ArtifactId;
use crate::engine::report::diff::DiffDocument;
use crate::engine::stage::Snapshot;
use std::path::PathBuf;
use std::sync::Arc;

/// What a worker says.
#[derive(Debug, Clone)]
pub enum WorkerEvent {
    /// The session looks like this now; its job goes on.
    Snapshot(Arc<Snapshot>),
    /// A comparison has come so far; its job goes on.
    Partial {
        /// Which job.
        id: JobId,
        /// What is known.
        diff: Arc<DiffDocument>,
    },
    /// A job has ended.
    Ended {
        /// Which.
        id: JobId,
        /// How.
        outcome: Outcome,
    },
}

/// How a job ended.
#[derive(Debug, Clone)]
pub enum Outcome {
    /// Well; the session looks like this now.
    Session(Arc<Snapshot>),
    /// Well, with a comparison.
    Diff(Arc<DiffDocument>),
    /// Well, with bytes.
    Hex(Vec<(ChunkId, Vec<u8>)>),
    /// Well, with a place, or without one.
    Place(Option<(Which, Found)>),
    /// Well, with a match, or without one.
    Search(Option<Match>),
    /// Well, with hashes.
    Hashes(Vec<(PathBuf, String)>),
    /// The user cancelled.
    Cancelled,
    /// Badly.
    Failed(String),
}

/// Takes a worker's answer in.
pub fn receive(state: &mut State, event: WorkerEvent) -> Vec<Command> {
    match event {
        WorkerEvent::Snapshot(snapshot) => look(state, snapshot),
        WorkerEvent::Partial { id, diff } => {
            if let Some(Request::Diff { artifact, .. }) = state.jobs.request(id)
                && is_compared(state, *artifact)
            {
                bytes::take(state, diff);
            }
        }
        WorkerEvent::Ended { id, outcome } => {
            if let Some(job) = state.jobs.finish(id) {
                end(state, &job, outcome);
            }
        }
    }
    finish(state, Vec::new())
}

fn end(state: &mut State, job: &Job, outcome: Outcome) {
    match (outcome, &job.request) {
        (Outcome::Session(snapshot), request) => {
            if let Request::Audit(audited) = request {
                state.looked_into.retain(|(id, _)| id != audited);
            }
            look(state, snapshot);
            opened::done(state, request);
        }
        (Outcome::Diff(diff), Request::Diff { artifact, .. }) if is_compared(state, *artifact) => {
            bytes::take(state, diff);
        }
        (Outcome::Hex(read), Request::Hex { artifact, .. }) => {
            if let Some(compared) = state.compared.as_mut().filter(|compared| compared.artifact == *artifact) {
                compared.bytes.take(&read);
            }
        }
        (Outcome::Place(found), Request::Place { artifact, target, .. }) if is_compared(state, *artifact) => {
            seek::looked_up(state, target, found);
        }
        (Outcome::Search(found), Request::Search { artifact, .. }) if is_compared(state, *artifact) => {
            seek::found(state, found);
        }
        (Outcome::Hashes(hashes), _) => state.hashes.extend(hashes),
        (Outcome::Failed(text), Request::Diff { artifact, .. }) => {
            if let Some(compared) = state.compared.as_mut().filter(|compared| compared.artifact == *artifact) {
                compared.problem = Some(text);
            }
        }
        (Outcome::Failed(text), Request::Hex { artifact, .. }) => {
            if let Some(compared) = state.compared.as_mut().filter(|compared| compared.artifact == *artifact) {
                compared.unread = Some(text);
            }
        }
        (Outcome::Failed(text), request) => say(state, format!("{}: {text}", request.label()), true),
        (Outcome::Cancelled, Request::Diff { .. }) if job.context.is_cancelled() && state.compared.is_some() => {
            forget_unfinished_diff(state);
        }
        _ => {}
    }
}

/// Whether the bytes panel holds the chosen artifact's comparison, and that is `artifact`.
fn is_compared(state: &State, artifact: ArtifactId) -> bool {
    state.compared().is_some_and(|compared| compared.artifact == artifact)
}

/// A cancelled comparison is asked for again only when the panel is opened anew.
fn forget_unfinished_diff(state: &mut State) {
    let is_asked_anew = state.jobs.is_comparing();
    if let Some(compared) = state.compared.as_mut().filter(|compared| !is_asked_anew && !compared.is_complete()) {
        compared.problem = Some("cancelled; r audits and compares again".into());
    }
}

/// Takes a new snapshot in: what belonged to files that have changed is forgotten.
pub fn look(state: &mut State, snapshot: Arc<Snapshot>) {
    let before = std::mem::replace(&mut state.snapshot, snapshot);
    let now = state.snapshot.clone();
    let changed = |id: ArtifactId| match (before.artifacts.get(id.0), now.artifacts.get(id.0)) {
        (Some(old), Some(new)) => old.staging != new.staging || old.done != new.done,
        _ => true,
    };
    if state.compared.as_ref().is_some_and(|compared| changed(compared.artifact) || compared.problem.is_some()) {
        state.compared = None;
        state.cursors[Panel::Bytes.index()].reset();
    }
    for (old, new) in before.artifacts.iter().zip(&now.artifacts) {
        if old.report.is_some() && new.report.is_none() {
            state.audited.remove(&new.id);
        }
        // A new audit has not looked into what the one before was asked.
        let lost = |question: &Question| match (&old.report, &new.report) {
            (Some(old), Some(new)) => question.is_answered(old) && !question.is_answered(new),
            _ => true,
        };
        state.looked_into.retain(|(id, question)| *id != new.id || !lost(question));
    }
    for artifact in now.artifacts.iter().filter(|artifact| changed(artifact.id)) {
        state.hashes.remove(&artifact.path);
        if let Some(staged) = &artifact.staging.staged {
            state.hashes.remove(staged);
        }
    }
    filter::refresh(state);
    wanted::ask(state);
}
