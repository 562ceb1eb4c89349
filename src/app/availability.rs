//! Whether an action can be taken now, and if not, why.

use super::action::Action;
use super::panel::Panel;
use super::state::{Overlay, State, files_to_compare};
use super::{bytes, fits, opened};
use crate::engine::report::plan::Step;
use crate::views::rows;

/// Whether `action` can be taken.
///
/// # Errors
/// The reason why not, as a sentence without a full stop.
pub fn availability(state: &State, action: Action) -> Result<(), String> {
    match action {
        Action::Step => step(state),
        Action::StepAll | Action::ToTheEnd => all_steps(state),
        Action::Undo => undo(state),
        Action::Audit => artifact(state),
        Action::Hash => artifact(state),
        Action::Fold if state.panel() != Panel::Tree => Err("only in the tree".into()),
        Action::Fold if state.tree.rows.is_empty() => Err("there is no tree".into()),
        Action::Lenses if state.panel() != Panel::Tree => Err("only in the tree".into()),
        Action::Reach => tag(state).map(|_| ()),
        Action::Fit => edit(state),
        Action::NextEdit | Action::PreviousEdit | Action::FitOrder if fits::page(state).is_none() => {
            Err("only on the page of an edit".into())
        }
        Action::NextRemedy | Action::PreviousRemedy => opened::remedy(state).map(|_| ()),
        Action::TryRemedy => remedy(state),
        Action::AdoptRemedy => adoption(state),
        Action::NextChange | Action::PreviousChange | Action::NextPart | Action::PreviousPart => changes(state),
        Action::Reorder | Action::GoTo | Action::Search => compared(state),
        Action::NextMatch | Action::PreviousMatch => searched(state),
        Action::DetailUp | Action::DetailDown if state.panel() == Panel::Bytes && bytes::shows_bytes(state) => Ok(()),
        Action::Open | Action::DetailUp | Action::DetailDown => row(state),
        Action::Copy | Action::Pager if !matches!(state.overlay, Overlay::Page(_)) => row(state),
        Action::Close => close(state),
        _ => Ok(()),
    }
}

fn artifact(state: &State) -> Result<(), String> {
    if state.artifact().is_some() { Ok(()) } else { Err("no artifact is chosen".into()) }
}

fn may_step(state: &State) -> Result<(), String> {
    if let Some(reason) = &state.snapshot.read_only {
        return Err(reason.clone());
    }
    if state.jobs.is_stepping() {
        return Err("a step is being taken; Esc cancels it".into());
    }
    Ok(())
}

fn step(state: &State) -> Result<(), String> {
    artifact(state)?;
    may_step(state)?;
    let Some(artifact) = state.artifact() else { return Ok(()) };
    let Some(next) = artifact.next else { return Err("all steps of this artifact are taken".into()) };
    match artifact.steps.iter().find(|step| step.step == next).and_then(|step| step.refusal.as_ref()) {
        Some(refusal) => Err(format!("{}: {}; {}", next.title(), refusal.reason, refusal.way_out)),
        None => Ok(()),
    }
}

fn remedy(state: &State) -> Result<(), String> {
    opened::to_do(state)?;
    may_step(state)
}

fn adoption(state: &State) -> Result<(), String> {
    remedy(state)?;
    // From then on files bear the names that were planned.
    match state.artifact().and_then(|artifact| artifact.done) {
        Some(done) if done >= Step::Graft => {
            Err("grafted by another plan already; undo its steps to before graft".into())
        }
        _ => Ok(()),
    }
}

fn all_steps(state: &State) -> Result<(), String> {
    may_step(state)?;
    if state.snapshot.artifacts.iter().any(|artifact| artifact.next.is_some()) {
        Ok(())
    } else {
        Err("no artifact has a step left".into())
    }
}

fn undo(state: &State) -> Result<(), String> {
    artifact(state)?;
    may_step(state)?;
    match state.artifact().and_then(|artifact| artifact.done) {
        Some(_) => Ok(()),
        None => Err("no step of this artifact was taken".into()),
    }
}

/// The tag that is chosen in the policy panel.
///
/// # Errors
/// The reason why there is none.
pub fn tag(state: &State) -> Result<&str, String> {
    if state.panel() != Panel::Policy {
        return Err("only in the policy panel".into());
    }
    let reasons = state.report().and_then(|report| report.policy.as_ref()).map(|policy| &policy.reasons);
    let chosen = reasons.and_then(|reasons| reasons.get(state.chosen_row(reasons.len())?));
    chosen.map(|reason| reason.tag.as_str()).ok_or_else(|| "no tag is chosen".into())
}

fn edit(state: &State) -> Result<(), String> {
    if state.panel() != Panel::Plan {
        return Err("only in the plan".into());
    }
    if fits::edits(state).next().is_some() { Ok(()) } else { Err("no edit is planned".into()) }
}

fn compared(state: &State) -> Result<(), String> {
    if state.panel() != Panel::Bytes {
        return Err("only in the bytes panel".into());
    }
    artifact(state)?;
    if let Some(Err(reason)) = state.artifact().map(files_to_compare) {
        return Err(reason.into());
    }
    match state.compared() {
        Some(compared) if compared.diff.is_some() => Ok(()),
        Some(compared) if compared.problem.is_some() => Err(compared.problem.clone().unwrap_or_default()),
        _ => Err("nothing is compared yet".into()),
    }
}

fn changes(state: &State) -> Result<(), String> {
    compared(state)?;
    let rows = rows::of(Panel::Bytes).count(state);
    if state.cursor(Panel::Bytes).count(rows) > 0 { Ok(()) } else { Err("there is no changed range".into()) }
}

fn searched(state: &State) -> Result<(), String> {
    compared(state)?;
    match state.compared().and_then(|compared| compared.sought.as_ref()) {
        Some(_) => Ok(()),
        None => Err("nothing was searched for yet".into()),
    }
}

fn row(state: &State) -> Result<(), String> {
    let count = rows::of(state.panel()).count(state);
    if state.chosen_row(count).is_some() { Ok(()) } else { Err("no row is chosen".into()) }
}

fn close(state: &State) -> Result<(), String> {
    let filtered = !state.artifacts.query.is_empty() || !state.cursor(state.panel()).query.is_empty();
    if state.overlay != Overlay::None || filtered || !state.jobs.is_idle() {
        Ok(())
    } else {
        Err("nothing is open, filtered or running".into())
    }
}
