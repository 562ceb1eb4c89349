//! From an action to the next state, and to what the run loop shall do. Touches no file, no terminal and no clock.

use super::action::{Action, Command};
use super::availability::{self, availability};
use super::cursor::Motion;
use super::jobs::Request;
use super::panel::{Focus, Panel};
use super::state::{Ask, Overlay, Page, PageSource, Palette, State, Toast};
use super::{bytes, filter, fits, opened, overlay, seek, wanted};
use crate::engine::audit;
use crate::engine::compare::Direction;
use crate::engine::project::ArtifactId;
use crate::views::{layout, page, rows};

/// Ticks that a toast stays; a tick is a tenth of a second.
const TOAST_TICKS: u16 = 50;

/// Carries `action` out, or says in a toast why it can't be.
pub fn update(state: &mut State, action: Action) -> Vec<Command> {
    let mut commands = Vec::new();
    match availability(state, action) {
        Err(reason) => say(state, reason, false),
        Ok(()) if state.overlay != Overlay::None && overlay::takes(action) => {
            commands = overlay::act(state, action);
        }
        Ok(()) => {
            state.toast = None;
            commands = act(state, action);
        }
    }
    finish(state, commands)
}

/// What every change ends with: the cursors settle, and jobs that have become ready are started.
pub fn finish(state: &mut State, mut commands: Vec<Command>) -> Vec<Command> {
    settle(state);
    wanted::ask(state);
    commands.extend(state.jobs.ready().into_iter().map(Command::Start));
    commands
}

/// Shows a sentence for a while.
pub fn say(state: &mut State, text: impl Into<String>, failed: bool) {
    state.toast = Some(Toast { text: text.into(), failed, ticks: TOAST_TICKS });
}

fn act(state: &mut State, action: Action) -> Vec<Command> {
    match action {
        Action::Move(motion) => go(state, motion),
        Action::Artifact(motion) => {
            choose_artifact(state, |state, total, height| state.artifacts.go(motion, total, height))
        }
        Action::FocusArtifacts => state.focus = Focus::Artifacts,
        Action::FocusPanel => state.focus = Focus::Panel,
        Action::Show(panel) => show(state, panel),
        Action::NextPanel => show(state, state.panel().turned(1)),
        Action::PreviousPanel => show(state, state.panel().turned(-1)),
        Action::Open => open(state),
        Action::Fold => fold(state),
        Action::DetailDown => scroll_detail(state, true),
        Action::DetailUp => scroll_detail(state, false),
        Action::NextChange => bytes::change(state, true),
        Action::PreviousChange => bytes::change(state, false),
        Action::NextPart => bytes::part(state, true),
        Action::PreviousPart => bytes::part(state, false),
        Action::Reorder => bytes::reorder(state),
        Action::GoTo => seek::ask(state, Ask::Place),
        Action::Search => seek::ask(state, Ask::Search),
        Action::NextMatch => seek::search(state, Direction::Forward),
        Action::PreviousMatch => seek::search(state, Direction::Backward),
        Action::Lenses => lenses(state),
        Action::Reach => reach(state),
        Action::Fit => fits::show(state),
        Action::NextEdit => fits::turn(state, true),
        Action::PreviousEdit => fits::turn(state, false),
        Action::FitOrder => fits::reorder(state),
        Action::TryRemedy => opened::try_out(state),
        Action::AdoptRemedy => opened::adopt(state),
        Action::NextRemedy => opened::turn(state, true),
        Action::PreviousRemedy => opened::turn(state, false),
        Action::Find => state.overlay = Overlay::Find,
        Action::Step => ask_for_artifact(state, |id| Request::Step(vec![id])),
        Action::StepAll => {
            let ids = state.snapshot.artifacts.iter().filter(|artifact| artifact.next.is_some()).map(|a| a.id);
            state.jobs.ask(Request::Step(ids.collect()));
        }
        Action::ToTheEnd => state.jobs.ask(Request::ToTheEnd),
        Action::Undo => ask_for_artifact(state, Request::Undo),
        Action::Audit => ask_for_artifact(state, Request::Audit),
        Action::Hash => wanted::ask_hash(state),
        Action::Copy => return copy(state),
        Action::Pager => return vec![Command::Pager { name: name_of(state), text: page::chosen_text(state) }],
        Action::Help => state.overlay = Overlay::Palette(Palette::default()),
        Action::Close => close(state),
        Action::Accept | Action::Erase => {}
        Action::Redraw => return vec![Command::Redraw],
        Action::Suspend => return vec![Command::Suspend],
        Action::Quit => {
            state.leaving = true;
            state.jobs.cancel_all();
            return vec![Command::Quit];
        }
    }
    Vec::new()
}

fn ask_for_artifact(state: &mut State, request: impl FnOnce(ArtifactId) -> Request) {
    if let Some(id) = state.artifact().map(|artifact| artifact.id) {
        state.jobs.ask(request(id));
    }
}

fn go(state: &mut State, motion: Motion) {
    match state.focus {
        Focus::Artifacts => choose_artifact(state, |state, total, height| state.artifacts.go(motion, total, height)),
        Focus::Panel => move_in_panel(state, motion),
    }
}

/// Changes the choice among the artifacts; a new artifact begins at the top of every panel.
pub fn choose_artifact(state: &mut State, change: impl FnOnce(&mut State, usize, usize)) {
    let before = state.artifact().map(|artifact| artifact.id);
    let (total, height) = (state.snapshot.artifacts.len(), layout::cards_shown(state));
    change(state, total, height);
    if state.artifact().map(|artifact| artifact.id) != before {
        for panel in Panel::ALL.into_iter().filter(|panel| *panel != Panel::Log) {
            state.cursors[panel.index()].reset();
        }
        state.detail_scroll = 0;
        state.remedy = None;
        state.tree.folded.clear();
        filter::refresh(state);
    }
}

/// Moves the chosen row of the panel.
pub fn move_in_panel(state: &mut State, motion: Motion) {
    let panel = state.panel();
    let (total, height) = (rows::of(panel).count(state), layout::rows_shown(state));
    state.cursors[panel.index()].go(motion, total, height);
    moved(state);
}

/// What the choice of another row changes besides.
pub fn moved(state: &mut State) {
    state.detail_scroll = 0;
    state.remedy = None;
    if state.panel() == Panel::Bytes {
        bytes::follow(state);
    }
}

/// Shows `panel` and gives it the focus.
pub fn show(state: &mut State, panel: Panel) {
    if state.panel() != panel {
        state.detail_scroll = 0;
    }
    state.panel = Some(panel);
    state.focus = Focus::Panel;
}

/// Shows the tree panel's other face, from its first row.
fn lenses(state: &mut State) {
    state.lenses = !state.lenses;
    state.cursors[Panel::Tree.index()].reset();
    state.detail_scroll = 0;
    filter::refresh(state);
}

/// Opens the page on the chosen tag; what it shows is worked out now, unless it was before.
fn reach(state: &mut State) {
    let Ok(tag) = availability::tag(state).map(str::to_owned) else { return };
    let known = state.report().and_then(|report| report.policy.as_ref()?.reach.as_ref());
    if known.is_none_or(|reach| reach.tag != tag)
        && let Ok(parsed) = audit::Tag::parse(&tag)
    {
        ask_for_artifact(state, |id| Request::LookInto(id, audit::Question::Reach(parsed)));
    }
    state.overlay = Overlay::Page(Page { source: PageSource::Reach { tag }, scroll: 0 });
}

fn open(state: &mut State) {
    if state.focus == Focus::Artifacts {
        state.focus = Focus::Panel;
        return;
    }
    if state.panel() == Panel::Plan && fits::chosen(state).is_some() {
        fits::show(state);
        return;
    }
    let mut source = PageSource::Detail;
    if state.panel() == Panel::Findings
        && let Some(report) = state.report()
        && let Some(index) = state.chosen_row(report.findings.len())
        && let Some(text) = report.findings.get(index).and_then(|finding| audit::pages::page(&finding.code))
    {
        source = PageSource::Finding { index, text };
    }
    state.overlay = Overlay::Page(Page { source, scroll: 0 });
}

fn fold(state: &mut State) {
    let Some(row) = state.chosen_row(state.tree.rows.len()) else { return };
    let Some(row) = state.tree.toggle(row) else { return };
    filter::refresh(state);
    let (total, height) = (state.tree.rows.len(), layout::rows_shown(state));
    state.cursors[Panel::Tree.index()].choose(row, total, height);
}

fn scroll_detail(state: &mut State, down: bool) {
    if state.panel() == Panel::Bytes && bytes::shows_bytes(state) {
        return bytes::scroll(state, down);
    }
    let (shown, total) = layout::detail_extent(state);
    let by = shown.max(2) / 2;
    let limit = total.saturating_sub(shown);
    state.detail_scroll =
        if down { state.detail_scroll.saturating_add(by).min(limit) } else { state.detail_scroll.saturating_sub(by) };
}

fn copy(state: &mut State) -> Vec<Command> {
    let text = match state.focus {
        Focus::Artifacts => state.artifact().map(|artifact| artifact.path.display().to_string()),
        Focus::Panel => {
            let rows = rows::of(state.panel());
            state.chosen_row(rows.count(state)).map(|row| rows.copied(state, row))
        }
    };
    let Some(text) = text.filter(|text| !text.is_empty()) else {
        say(state, "there is nothing to copy here", false);
        return Vec::new();
    };
    say(state, format!("copied: {}", text.lines().next().unwrap_or_default()), false);
    vec![Command::Copy(text)]
}

fn name_of(state: &State) -> String {
    format!("{}-{}", state.panel().title(), state.artifact().map_or("none", |artifact| artifact.name.as_str()))
}

fn close(state: &mut State) {
    if !filter::query_mut(state).is_empty() {
        filter::query_mut(state).clear();
        filter::refresh(state);
    } else if !state.jobs.is_idle() {
        state.jobs.cancel_all();
        say(state, "cancelling", false);
    } else {
        state.artifacts.query.clear();
        let panel = state.panel();
        state.cursors[panel.index()].query.clear();
        filter::refresh(state);
    }
}

fn settle(state: &mut State) {
    let (total, height) = (state.snapshot.artifacts.len(), layout::cards_shown(state));
    state.artifacts.settle(total, height);
    let panel = state.panel();
    let (total, height) = (rows::of(panel).count(state), layout::rows_shown(state));
    state.cursors[panel.index()].settle(total, height);
    overlay::settle(state);
}
