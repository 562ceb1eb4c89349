//! Keys and what they make of the state; the mouse; answers of workers. No terminal, no thread, no file.

mod bytes;
mod opened;

use super::action::{Action, Command};
use super::availability::availability;
use super::cursor::Motion;
use super::dispatch::{dispatch, needs_ticks, press};
use super::event::{Event, Signal};
use super::fits::{self, Face};
use super::fixture::{self, BROKEN, LABEXT, PATCHED};
use super::jobs::{Job, Request};
use super::key::Key;
use super::keymap::BINDINGS;
use super::panel::{Focus, Panel};
use super::receive::{Outcome, WorkerEvent};
use super::state::{Overlay, PageSource, State};
use super::update::update;
use crate::engine::project::ArtifactId;
use crate::engine::report::picture::Order;
use crate::engine::stage::Snapshot;
use crate::views::layout;
use crossterm::event::{KeyModifiers, MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};
use std::sync::Arc;

/// Types `keys`: a character is itself, `<Enter>` and the like are named.
fn keys(state: &mut State, keys: &str) -> Vec<Command> {
    let mut commands = Vec::new();
    let mut rest = keys;
    while let Some(letter) = rest.chars().next() {
        let (key, length) = match rest.split_once('>').filter(|_| letter == '<' && rest.len() > 2) {
            Some((name, _)) => (named(&name[1..]), name.len() + 1),
            None => (Key::Char(letter), letter.len_utf8()),
        };
        commands.extend(press(state, key));
        rest = &rest[length..];
    }
    commands
}

fn named(name: &str) -> Key {
    match name {
        "Enter" => Key::Enter,
        "Esc" => Key::Esc,
        "Tab" => Key::Tab,
        "BackTab" => Key::BackTab,
        "Backspace" => Key::Backspace,
        "Down" => Key::Down,
        "End" => Key::End,
        "C-c" => Key::Ctrl('c'),
        "C-z" => Key::Ctrl('z'),
        other => panic!("no key {other}"),
    }
}

fn started(commands: &[Command]) -> Vec<&Job> {
    let mut jobs = Vec::new();
    for command in commands {
        if let Command::Start(job) = command {
            jobs.push(job);
        }
    }
    jobs
}

fn ended(state: &mut State, job: &Job, outcome: Outcome) -> Vec<Command> {
    dispatch(state, Event::Worker(WorkerEvent::Ended { id: job.id, outcome }))
}

#[test]
fn digits_tab_and_letters_show_panels() {
    let mut state = fixture::state(80, 24);
    keys(&mut state, "5");
    assert_eq!((state.panel(), state.focus), (Panel::Rpath, Focus::Panel));
    keys(&mut state, "<Tab><Tab><BackTab>");
    assert_eq!(state.panel(), Panel::Plan);
    keys(&mut state, "L<Tab>");
    assert_eq!(state.panel(), Panel::Overview, "round the corner");
    keys(&mut state, "0");
    assert_eq!((state.panel(), state.focus), (Panel::Overview, Focus::Artifacts));
}

#[test]
fn another_artifact_begins_at_the_top_and_the_panel_stays() {
    let mut state = fixture::state(80, 24);
    keys(&mut state, "6jjj");
    assert_eq!(state.cursor(Panel::Plan).index, 3);
    keys(&mut state, "JJJ");
    assert_eq!(state.artifact().unwrap().name, "libbroken.so");
    assert_eq!((state.panel(), state.cursor(Panel::Plan).index), (Panel::Plan, 0));
    keys(&mut state, "hk");
    assert_eq!(state.artifact().unwrap().name, "labtool");
}

#[test]
fn a_filter_narrows_the_tree_to_matches_and_what_leads_to_them() {
    let mut state = fixture::showing(LABEXT, Panel::Tree, 80, 24);
    let all = state.tree.rows.len();
    keys(&mut state, "/deep");
    assert_eq!(state.overlay, Overlay::Find);
    assert_eq!(state.cursor(Panel::Tree).shown, Some(vec![0, 1, 2]));
    keys(&mut state, "<Enter>");
    assert_eq!((&state.overlay, state.cursor(Panel::Tree).count(all)), (&Overlay::None, 3));
    keys(&mut state, "<Esc>");
    assert_eq!(state.cursor(Panel::Tree).shown, None);
    keys(&mut state, "/zzz<Backspace><Backspace><Backspace><Esc>");
    assert_eq!((state.cursor(Panel::Tree).shown.clone(), state.tree.rows.len()), (None, all));
}

#[test]
fn a_filter_sees_what_is_folded() {
    let mut state = fixture::showing(LABEXT, Panel::Tree, 80, 24);
    keys(&mut state, "jo");
    assert!(!state.tree.rows.iter().any(|row| row.node == 2), "libdeep is folded away");
    keys(&mut state, "/deep<Enter>");
    assert_eq!(state.cursor(Panel::Tree).count(state.tree.rows.len()), 3);
}

#[test]
fn a_filter_in_the_list_hides_artifacts() {
    let mut state = fixture::state(80, 24);
    keys(&mut state, "/clean<Enter>");
    assert_eq!(state.artifact().unwrap().name, "libclean.so");
    keys(&mut state, "<Esc>");
    assert_eq!(state.artifacts.shown, None);
}

#[test]
fn the_palette_filters_and_runs() {
    let mut state = fixture::showing(LABEXT, Panel::Overview, 80, 24);
    keys(&mut state, "?undo");
    let commands = keys(&mut state, "<Enter>");
    assert_eq!(started(&commands)[0].request, Request::Undo(ArtifactId(LABEXT)));
    assert_eq!(state.overlay, Overlay::None);
}

#[test]
fn what_can_not_be_done_says_why() {
    let mut state = fixture::showing(BROKEN, Panel::Overview, 80, 24);
    assert!(started(&keys(&mut state, "u")).is_empty());
    assert_eq!(state.toast.as_ref().unwrap().text, "no step of this artifact was taken");
    let mut snapshot = fixture::snapshot();
    snapshot.read_only = Some("another session holds the journal".into());
    state.snapshot = Arc::new(snapshot);
    for key in ["n", "N", "a", "u"] {
        assert!(started(&keys(&mut state, key)).is_empty());
        assert_eq!(state.toast.as_ref().unwrap().text, "another session holds the journal");
    }
}

#[test]
fn a_refused_step_gives_its_way_out() {
    let mut state = fixture::showing(LABEXT, Panel::Plan, 80, 24);
    let mut snapshot = fixture::snapshot();
    let mut steps = snapshot.artifacts[LABEXT].steps.to_vec();
    steps[4].refusal = Some(fixture::refusal("liblabext.so"));
    snapshot.artifacts[LABEXT].steps = Arc::new(steps);
    state.snapshot = Arc::new(snapshot);
    let reason = availability(&state, Action::Step).unwrap_err();
    assert!(reason.contains("room for 40") && reason.contains("separate-code"), "{reason}");
}

#[test]
fn a_step_runs_alone_and_its_answer_is_shown() {
    let mut state = fixture::showing(LABEXT, Panel::Plan, 80, 24);
    let commands = keys(&mut state, "n");
    let job = started(&commands)[0].clone();
    assert_eq!(job.request, Request::Step(vec![ArtifactId(LABEXT)]));
    assert!(started(&keys(&mut state, "n")).is_empty());
    assert!(state.toast.as_ref().unwrap().text.contains("a step is being taken"));
    let mut snapshot = fixture::snapshot();
    snapshot.title = "after".into();
    ended(&mut state, &job, Outcome::Session(Arc::new(snapshot)));
    assert_eq!((state.snapshot.title.as_str(), state.jobs.is_idle()), ("after", true));
}

#[test]
fn audits_come_by_themselves_the_chosen_artifact_first_and_failed_ones_once() {
    let mut snapshot = fixture::snapshot();
    for artifact in &mut snapshot.artifacts {
        artifact.report = None;
    }
    let mut state = State::new(Arc::new(snapshot), (80, 24).into());
    state.artifacts.index = 2;
    let mut commands = super::update::finish(&mut state, Vec::new());
    let mut order = Vec::new();
    while let Some(job) = started(&commands).first().map(|job| (*job).clone()) {
        let Request::Audit(id) = job.request else { panic!("{job:?}") };
        order.push(id.0);
        commands = ended(&mut state, &job, Outcome::Failed("unreadable".into()));
    }
    assert_eq!(order, [2, 0, 1, 3, 4, 5, 6, 7]);
}

#[test]
fn an_answer_to_a_forgotten_question_is_dropped() {
    let mut state = fixture::showing(PATCHED, Panel::Bytes, 80, 24);
    state.compared = None;
    let commands = super::update::finish(&mut state, Vec::new());
    let job = started(&commands)[0].clone();
    assert!(matches!(job.request, Request::Diff { artifact: ArtifactId(PATCHED), .. }));
    let answer = fixture::compared(PATCHED).diff.unwrap();
    ended(&mut state, &job, Outcome::Diff(answer.clone()));
    assert!(state.compared().unwrap().diff.is_some());
    state.compared.as_mut().unwrap().diff = None;
    ended(&mut state, &job, Outcome::Diff(answer));
    assert!(state.compared().unwrap().diff.is_none(), "a job's number counts once");
}

#[test]
fn a_new_snapshot_drops_a_comparison_of_changed_files_only() {
    let mut state = fixture::showing(PATCHED, Panel::Overview, 80, 24);
    state.compared = Some(fixture::compared(PATCHED));
    dispatch(&mut state, Event::Worker(WorkerEvent::Snapshot(Arc::new(fixture::snapshot()))));
    assert!(state.compared.is_some());
    let mut snapshot = fixture::snapshot();
    snapshot.artifacts[PATCHED].staging.edited = false;
    dispatch(&mut state, Event::Worker(WorkerEvent::Snapshot(Arc::new(snapshot))));
    assert!(state.compared.is_none());
}

#[test]
fn an_undone_stage_is_audited_again() {
    let mut state = fixture::showing(LABEXT, Panel::Overview, 80, 24);
    let mut snapshot = fixture::snapshot();
    snapshot.artifacts[LABEXT].report = None;
    let commands = dispatch(&mut state, Event::Worker(WorkerEvent::Snapshot(Arc::new(snapshot))));
    assert_eq!(started(&commands)[0].request, Request::Audit(ArtifactId(LABEXT)));
}

#[test]
fn escape_cancels_what_runs() {
    let mut state = fixture::showing(LABEXT, Panel::Overview, 80, 24);
    let job = started(&keys(&mut state, "a"))[0].clone();
    keys(&mut state, "<Esc>");
    assert!(job.context.is_cancelled());
    ended(&mut state, &job, Outcome::Cancelled);
    assert!(state.jobs.is_idle());
}

#[test]
fn copying_gives_what_a_shell_can_use() {
    let copied = |artifact, panel| {
        let mut state = fixture::showing(artifact, panel, 80, 24);
        match keys(&mut state, "y").remove(0) {
            Command::Copy(text) => text,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(copied(LABEXT, Panel::Tree), "/home/ada/lab/target/release/liblabext.so");
    assert_eq!(copied(LABEXT, Panel::Libraries), "/opt/lab/lib/libgreet.so.1.0.0");
    assert!(copied(LABEXT, Panel::Findings).ends_with("\nldconfig /opt/lab/lib"));
    assert_eq!(copied(PATCHED, Panel::Bytes), "0x28+8");
}

#[test]
fn enter_on_an_edit_shows_how_it_fits_and_keys_show_its_layout_and_the_other_edits() {
    let shown = |state: &State| fits::page(state).map(|page| (page.edit, page.face, page.order));
    let mut state = fixture::showing(LABEXT, Panel::Plan, 80, 24);
    keys(&mut state, "<End><Enter>");
    assert!(matches!(&state.overlay, Overlay::Page(page) if page.source == PageSource::Detail), "no edit, no fit");
    keys(&mut state, "<Esc>g/edit<Enter>jj<Enter>");
    assert_eq!(shown(&state), Some((1, Face::Room, Order::Offset)), "{:?}", state.cursor(Panel::Plan));
    assert!(state.picture.stripes.is_empty(), "nobody looks at it");
    keys(&mut state, "v");
    assert_eq!(shown(&state), Some((1, Face::Layout, Order::Offset)));
    let greet = state.picture.clone();
    keys(&mut state, "]");
    assert_eq!(shown(&state), Some((0, Face::Layout, Order::Offset)), "round the corner");
    assert_ne!(state.picture, greet);
    keys(&mut state, "[o");
    assert_eq!(shown(&state), Some((1, Face::Layout, Order::Address)));
    keys(&mut state, "<Tab>");
    assert_eq!(shown(&state), Some((1, Face::Room, Order::Address)));
    let commands = keys(&mut state, "y");
    assert!(matches!(&commands[0], Command::Copy(text) if text.contains("in a new segment at the end")));
    keys(&mut state, "<Esc>v");
    assert_eq!(shown(&state), Some((1, Face::Room, Order::Offset)), "the chosen edit");
    keys(&mut state, "<Esc><Esc>gv");
    assert_eq!(shown(&state), Some((0, Face::Room, Order::Offset)), "or else the first");
}

#[test]
fn a_layout_follows_its_session() {
    let mut state = fixture::showing(LABEXT, Panel::Plan, 80, 24);
    keys(&mut state, "vv");
    assert!(!state.picture.stripes.is_empty());
    let mut snapshot = fixture::snapshot();
    snapshot.artifacts[LABEXT].steps = Arc::new(Vec::new());
    dispatch(&mut state, Event::Worker(WorkerEvent::Snapshot(Arc::new(snapshot))));
    assert!(state.picture.stripes.is_empty());
    keys(&mut state, "<Esc>v");
    assert_eq!((fits::page(&state), state.toast.as_ref().unwrap().text.as_str()), (None, "no edit is planned"));
}

#[test]
fn enter_opens_a_finding_with_its_page_and_escape_closes_it() {
    let mut state = fixture::showing(BROKEN, Panel::Findings, 80, 24);
    keys(&mut state, "<Enter>");
    let Overlay::Page(page) = &state.overlay else { panic!() };
    assert!(matches!(page.source, PageSource::Finding { index: 0, text } if text.contains("WW003")));
    keys(&mut state, "<End>");
    let Overlay::Page(page) = &state.overlay else { panic!() };
    assert!(page.scroll > 0);
    let commands = keys(&mut state, "e");
    assert!(matches!(&commands[0], Command::Pager { text, .. } if text.contains("ldconfig")));
    keys(&mut state, "<Esc>");
    assert_eq!(state.overlay, Overlay::None);
}

#[test]
fn letters_in_an_overlay_do_not_reach_the_steps() {
    let mut state = fixture::showing(LABEXT, Panel::Tree, 80, 24);
    assert!(keys(&mut state, "/naqu").is_empty());
    assert!(!state.leaving && state.cursor(Panel::Tree).query == "naqu");
    assert!(matches!(keys(&mut state, "<C-c>").last(), Some(Command::Quit)), "but Ctrl-C leaves from anywhere");
}

#[test]
fn quitting_cancels_and_nothing_is_taken_any_more() {
    let mut state = fixture::showing(LABEXT, Panel::Tree, 80, 24);
    let job = started(&keys(&mut state, "n"))[0].clone();
    let commands = dispatch(&mut state, Event::Signal(Signal::Quit));
    assert!(matches!(commands.last(), Some(Command::Quit)) && job.context.is_cancelled());
    assert!(dispatch(&mut state, Event::Signal(Signal::Suspend)).is_empty());
}

#[test]
fn a_click_chooses_tab_card_and_row() {
    let mut state = fixture::showing(LABEXT, Panel::Overview, 120, 40);
    let screen = layout::of(&state).unwrap();
    let tab = screen.tabs.iter().find(|(_, panel)| *panel == Panel::Tree).unwrap().0;
    click(&mut state, tab);
    assert_eq!((state.panel(), state.focus), (Panel::Tree, Focus::Panel));
    let screen = layout::of(&state).unwrap();
    click(&mut state, Rect { y: screen.rows.y + 2, ..screen.rows });
    assert_eq!(state.cursor(Panel::Tree).index, 2);
    click(&mut state, Rect { y: screen.cards.y + 2 * layout::CARD_HEIGHT + 1, ..screen.cards });
    assert_eq!((state.artifact().unwrap().name.as_str(), state.focus), ("labtool", Focus::Artifacts));
    click(&mut state, Rect { y: screen.rows.y + 30, ..screen.rows });
    wheel(&mut state, MouseEventKind::ScrollDown, Position { x: screen.cards.x, y: screen.cards.y });
    assert_eq!(state.artifact().unwrap().name, "libbroken.so");
}

fn click(state: &mut State, at: Rect) {
    mouse(state, MouseEventKind::Down(MouseButton::Left), Position { x: at.x, y: at.y });
}

fn wheel(state: &mut State, kind: MouseEventKind, at: Position) {
    mouse(state, kind, at);
}

fn mouse(state: &mut State, kind: MouseEventKind, at: Position) {
    let event = MouseEvent { kind, column: at.x, row: at.y, modifiers: KeyModifiers::NONE };
    dispatch(state, Event::Mouse(event));
}

#[test]
fn a_resize_keeps_the_chosen_row_in_sight() {
    let mut state = fixture::showing(LABEXT, Panel::Overview, 80, 50);
    keys(&mut state, "G");
    dispatch(&mut state, Event::Resize(40, 10));
    let cursor = state.cursor(Panel::Overview);
    assert!(cursor.window(usize::MAX, layout::rows_shown(&state)).contains(&cursor.index));
}

#[test]
fn a_toast_goes_away_and_then_time_stands_still() {
    let mut state = fixture::showing(BROKEN, Panel::Overview, 80, 24);
    keys(&mut state, "u");
    let mut ticks = 0;
    while needs_ticks(&state) {
        dispatch(&mut state, Event::Tick);
        ticks += 1;
    }
    assert_eq!((ticks, &state.toast), (50, &None));
}

#[test]
fn every_action_can_be_taken_on_an_empty_state_and_on_every_panel() {
    for binding in BINDINGS {
        let mut empty = State { size: (80, 24).into(), ..State::default() };
        update(&mut empty, binding.action);
        update(&mut State { snapshot: Arc::new(Snapshot::default()), ..State::default() }, binding.action);
        for panel in Panel::ALL {
            let mut state = fixture::showing(PATCHED, panel, 80, 24);
            update(&mut state, binding.action);
            update(&mut state, Action::Move(Motion::End));
        }
    }
}
