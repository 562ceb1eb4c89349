//! The dlopen panel's choices: which name, which remedy for it, and what is asked of the session about that.

use super::jobs::{RemedyFor, Request};
use super::panel::Panel;
use super::state::{Overlay, State};
use super::update::say;
use crate::engine::report::dlopen::{DlopenReport, ObservedOpening, OpenedName, Remedy, RemedyKind};
use crate::engine::report::opened_words;
use crate::views::{layout, opening, page};

/// What is known of the chosen artifact's opening at run time.
#[must_use]
pub fn report(state: &State) -> Option<&DlopenReport> {
    state.report()?.dlopen.as_ref()
}

/// The names that the chosen artifact may open.
#[must_use]
pub fn names(state: &State) -> &[OpenedName] {
    report(state).and_then(|report| report.candidates.as_deref()).unwrap_or_default()
}

/// What a traced run opened for it and nothing foresaw.
#[must_use]
pub fn unforeseen(state: &State) -> &[ObservedOpening] {
    report(state).and_then(|report| report.opened_unforeseen.as_deref()).unwrap_or_default()
}

/// The remedy that is chosen for a name: the user's choice, else the adopted one, else the one to take, else the first that
/// should help.
#[must_use]
pub fn chosen_remedy(state: &State, name: &OpenedName) -> Option<usize> {
    let place = |wanted: &dyn Fn(&Remedy) -> bool| name.remedies.iter().position(wanted);
    let users = state.remedy.filter(|place| *place < name.remedies.len());
    users
        .or_else(|| place(&|remedy| remedy.adopted))
        .or_else(|| place(&|remedy| Some(remedy.kind) == name.remedy))
        .or_else(|| place(&|remedy| remedy.helps == Some(true)))
        .or((!name.remedies.is_empty()).then_some(0))
}

/// The chosen name and the remedy that is chosen for it.
///
/// # Errors
/// The reason why there is none.
pub fn remedy(state: &State) -> Result<(&OpenedName, &Remedy), String> {
    if state.panel() != Panel::Dlopen {
        return Err("only in the dlopen panel".into());
    }
    let names = names(state);
    let row = state.chosen_row(names.len() + unforeseen(state).len()).ok_or("no name is chosen")?;
    let name = names.get(row).ok_or("only a run has shown this name: there is no remedy for it")?;
    let remedy = chosen_remedy(state, name).and_then(|place| name.remedies.get(place));
    remedy.map(|remedy| (name, remedy)).ok_or_else(|| "nothing has to be done about this name".into())
}

/// The same, where it is one that the session can carry out.
///
/// # Errors
/// The reason why there is none.
pub fn to_do(state: &State) -> Result<(&OpenedName, &Remedy), String> {
    let (name, remedy) = remedy(state)?;
    match remedy.kind {
        RemedyKind::LinkIt => Err("this is done in the sources: copy its lines from the page".into()),
        _ => Ok((name, remedy)),
    }
}

/// Chooses the remedy behind or before, round the corner.
pub fn turn(state: &mut State, forward: bool) {
    let Ok((name, _)) = remedy(state) else { return };
    let (now, count) = (chosen_remedy(state, name).unwrap_or(0), name.remedies.len());
    let next = (now + if forward { 1 } else { count - 1 }) % count;
    // The remedy may stand below what is shown of the detail.
    let said = name.remedies.get(next).map(|remedy| {
        let (title, helps) = (opened_words::remedy(remedy.kind), opened_words::helps(remedy.helps));
        format!("remedy {} of {count}: {title}: {helps}", next + 1)
    });
    state.remedy = Some(next);
    say(state, said.unwrap_or_default(), false);
    show_chosen(state);
}

/// Scrolls to the chosen remedy, where it is not in sight.
fn show_chosen(state: &mut State) {
    if let Overlay::Page(open) = &state.overlay {
        let (shown, _) = page::extent(state, open);
        let Some(line) = opening::chosen_line(&page::lines_of(state, open)) else { return };
        if let Overlay::Page(open) = &mut state.overlay
            && !(open.scroll..open.scroll + shown.saturating_sub(1)).contains(&line)
        {
            open.scroll = line.saturating_sub(1);
        }
        return;
    }
    let (shown, _) = layout::detail_extent(state);
    let line = opening::chosen_line(&page::detail_lines(state)).map(|line| line as u64);
    if let Some(line) = line.filter(|line| !(state.detail_scroll..state.detail_scroll + shown).contains(line)) {
        state.detail_scroll = line;
    }
}

/// Has the chosen remedy tried.
pub fn try_out(state: &mut State) {
    ask(state, |_, remedy| Request::TryRemedy(remedy));
}

/// Has the chosen remedy taken into the plan; one that is in it is taken out.
pub fn adopt(state: &mut State) {
    ask(state, |adopted, remedy| if adopted { Request::Drop(remedy) } else { Request::Adopt(remedy) });
}

/// Says what came of `asked`, now that the session has done it.
pub fn done(state: &mut State, asked: &Request) {
    let (Request::TryRemedy(meant) | Request::Adopt(meant) | Request::Drop(meant)) = asked else { return };
    let report = state.snapshot.artifacts.get(meant.artifact.0).and_then(|artifact| artifact.report.as_deref());
    let names = report.and_then(|report| report.dlopen.as_ref()?.candidates.as_ref());
    let name = names.and_then(|names| names.iter().find(|name| name.name == meant.name));
    let remedy = name.and_then(|name| name.remedies.iter().find(|remedy| remedy.kind == meant.kind));
    let title = opened_words::remedy(meant.kind);
    let (said, failed) = match (asked, remedy.and_then(|remedy| remedy.tried.as_ref())) {
        (Request::TryRemedy(_), Some(tried)) => {
            let (said, works) = opened_words::tried(tried);
            (format!("{title}: {said}"), !works)
        }
        (Request::Adopt(_), _) => (format!("{title}: in the plan now"), false),
        (Request::Drop(_), _) => (format!("{title}: no longer in the plan"), false),
        _ => return,
    };
    say(state, said, failed);
}

fn ask(state: &mut State, request: impl FnOnce(bool, RemedyFor) -> Request) {
    let (Ok((name, remedy)), Some(artifact)) = (to_do(state), state.artifact()) else { return };
    let chosen = RemedyFor { artifact: artifact.id, name: name.name.clone(), kind: remedy.kind };
    let request = request(remedy.adopted, chosen);
    state.jobs.ask(request);
}
