//! The jobs that nobody has to ask for: the first audit of every artifact, and what the bytes panel needs.

use super::bytes;
use super::compared::Compared;
use super::jobs::Request;
use super::panel::Panel;
use super::state::{State, files_to_compare};
use crate::engine::audit::Question;
use crate::engine::stage::ArtifactSnapshot;
use std::path::PathBuf;

/// Asks for what the screen lacks.
pub fn ask(state: &mut State) {
    if state.leaving {
        return;
    }
    ask_audit(state);
    ask_opened(state);
    match state.panel() {
        Panel::Tree => look_into(state, Question::Owners),
        Panel::Symbols => look_into(state, Question::Symbols),
        Panel::Dlopen => look_into(state, Question::Dlopen),
        Panel::Cpu => look_into(state, Question::Instructions),
        _ => {}
    }
    if state.panel() == Panel::Bytes {
        ask_diff(state);
        bytes::ask_bytes(state);
    }
}

/// What the chosen panel shows of the chosen artifact and takes its time: asked for once, when it is audited.
fn look_into(state: &mut State, question: Question) {
    let Some(artifact) = state.artifact() else { return };
    let Some(report) = artifact.report.as_ref().filter(|report| report.error.is_none()) else { return };
    let asked = (artifact.id, question);
    if asked.1.is_answered(report) || state.looked_into.contains(&asked) {
        return;
    }
    state.jobs.ask(Request::LookInto(asked.0, asked.1.clone()));
    state.looked_into.insert(asked);
}

/// The next artifact that was never audited, the chosen one first. One at a time, so that the choice can still change.
fn ask_audit(state: &mut State) {
    let missing = |artifact: &&ArtifactSnapshot| artifact.report.is_none() && !state.audited.contains(&artifact.id);
    if state.jobs.is_auditing() {
        return;
    }
    let chosen = state.artifact().filter(missing);
    if let Some(id) = chosen.or_else(|| state.snapshot.artifacts.iter().find(missing)).map(|artifact| artifact.id) {
        state.audited.insert(id);
        state.jobs.ask(Request::Audit(id));
    }
}

/// What the next artifact may open, where it imports a function that opens libraries: after all audits, one at a time, so that
/// the findings about it come up by themselves.
fn ask_opened(state: &mut State) {
    let audits = state.snapshot.artifacts.iter().any(|artifact| artifact.report.is_none());
    if state.jobs.is_looking_into(&Question::Dlopen) || (audits && state.jobs.is_auditing()) {
        return;
    }
    let is_open = |artifact: &&ArtifactSnapshot| {
        let Some(report) = artifact.report.as_ref().filter(|report| report.error.is_none()) else { return false };
        let opens = report.dlopen.as_ref().is_some_and(|opened| opened.imports.iter().any(|import| import.opens));
        opens && !Question::Dlopen.is_answered(report) && !state.looked_into.contains(&(artifact.id, Question::Dlopen))
    };
    let next = state.snapshot.artifacts.iter().find(is_open).map(|artifact| artifact.id);
    if let Some(id) = next {
        state.jobs.ask(Request::LookInto(id, Question::Dlopen));
        state.looked_into.insert((id, Question::Dlopen));
    }
}

fn ask_diff(state: &mut State) {
    let Some(artifact) = state.artifact() else { return };
    let id = artifact.id;
    let Ok((clean, staged)) = files_to_compare(artifact) else { return };
    let (clean, staged, edits) = (clean.to_path_buf(), staged.to_path_buf(), artifact.edits.clone());
    if state.compared.as_ref().is_some_and(|compared| compared.is_of(id, &clean, &staged)) {
        return;
    }
    state.compared = Some(Compared::new(id, clean.clone(), staged.clone(), state.order));
    state.jobs.ask(Request::Diff { artifact: id, clean, staged, edits, from: 0 });
}

/// Lets a comparison that still runs begin anew at `offset` of the clean file.
pub fn compare_from(state: &mut State, offset: u64) {
    let Some(artifact) = state.artifact() else { return };
    let Ok((clean, staged)) = files_to_compare(artifact) else { return };
    let (artifact, clean, staged, edits) =
        (artifact.id, clean.to_path_buf(), staged.to_path_buf(), artifact.edits.clone());
    state.jobs.ask(Request::Diff { artifact, clean, staged, edits, from: offset });
}

/// Asks for it unless it is asked for already.
pub fn once(state: &mut State, request: Request) {
    if !state.jobs.holds(&request) {
        state.jobs.ask(request);
    }
}

/// Asks for the hashes of the chosen artifact's own path and staged file.
pub fn ask_hash(state: &mut State) {
    let Some(artifact) = state.artifact() else { return };
    let mut paths: Vec<PathBuf> = vec![artifact.path.clone()];
    paths.extend(artifact.staging.staged.clone());
    let request = Request::Hash { artifact: artifact.id, paths };
    state.jobs.ask(request);
}
