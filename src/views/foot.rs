//! The foot: what the next step will do and cost, or what is going on; and further keys.

use super::fit::{Cut, fit, width};
use super::frame::lines;
use super::layout::Screen;
use super::plan;
use super::steps::pushed;
use super::theme::{Role, Theme};
use super::words;
use crate::app::filter;
use crate::app::jobs::{Job, Request};
use crate::app::keymap::{BINDINGS, Context, Group};
use crate::app::state::{Ask, Overlay, State};
use ratatui::Frame;
use ratatui::layout::Position;
use ratatui::text::{Line, Span};

/// Draws the foot.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen, state: &State, theme: Theme) {
    let cells = usize::from(screen.foot.width);
    let hints = hints(state, theme, cells);
    let room = cells.saturating_sub(hints.width() + 2);
    let (text, role) = message(state, room);
    let text = fit(&text, room, Cut::End).into_owned();
    if matches!(state.overlay, Overlay::Find | Overlay::Prompt(_)) {
        let x = screen.foot.x + width(&text) as u16;
        frame.set_cursor_position(Position { x, y: screen.foot.y });
    }
    let line = pushed(Line::from(theme.span(text, role)), hints, cells);
    lines(frame, screen.foot, vec![line]);
}

fn message(state: &State, room: usize) -> (String, Role) {
    if state.leaving {
        return ("putting cargo's outputs back".into(), Role::Next);
    }
    if state.overlay == Overlay::Find {
        return (format!("find: {}", filter::query(state)), Role::Plain);
    }
    if let Overlay::Prompt(prompt) = &state.overlay {
        let (question, short) = match prompt.ask {
            Ask::Place => ("go to 0x1f40, @0x401000, .section, symbol", "go to"),
            Ask::Search => ("search text, or hex:7f 45 4c 46", "search"),
        };
        // What is typed has precedence over what may be.
        let question = if width(question) + width(&prompt.text) + 3 > room { short } else { question };
        return (format!("{question}: {}", prompt.text), Role::Plain);
    }
    if let Some(toast) = &state.toast {
        return (toast.text.clone(), if toast.failed { Role::Bad } else { Role::Plain });
    }
    if let Some(job) = state.jobs.foremost() {
        return (progress(state, job), Role::Next);
    }
    if let Some(reason) = &state.snapshot.read_only {
        return (format!("read-only: {reason}"), Role::Warning);
    }
    (plan::next_step(state), Role::Quiet)
}

fn progress(state: &State, job: &Job) -> String {
    let name = |id: crate::engine::project::ArtifactId| {
        state.snapshot.artifacts.get(id.0).map_or("", |artifact| artifact.name.as_str())
    };
    let what = match &job.request {
        Request::Audit(id) | Request::LookInto(id, _) | Request::Undo(id) => name(*id),
        Request::TryRemedy(remedy) | Request::Adopt(remedy) | Request::Drop(remedy) => name(remedy.artifact),
        Request::Diff { artifact, .. }
        | Request::Hex { artifact, .. }
        | Request::Place { artifact, .. }
        | Request::Search { artifact, .. }
        | Request::Hash { artifact, .. } => name(*artifact),
        Request::Step(ids) => match ids.as_slice() {
            [id] => name(*id),
            _ => "all artifacts",
        },
        Request::ToTheEnd => "all artifacts",
    };
    let mut text = format!("{} · {what}", job.request.label());
    match job.context.progress() {
        (0, _) => {}
        (done, 0) => text.push_str(&format!(" · {}", words::bytes(done))),
        (done, all) => text.push_str(&format!(" · {} of {}", words::bytes(done), words::bytes(all))),
    }
    if job.context.is_cancelled() {
        text.push_str(" · cancelling");
    } else {
        text.push_str("   Esc cancels");
    }
    text
}

/// The keys of the open context that have a hint; fewer where there is little room.
fn hints(state: &State, theme: Theme, cells: usize) -> Line<'static> {
    let contexts = state.contexts();
    let most = if cells < 60 { 1 } else { usize::MAX };
    let shown = BINDINGS.iter().filter(|binding| {
        contexts.contains(&binding.context)
            && !binding.hint.is_empty()
            && !(binding.context == Context::Main && binding.group == Group::Steps)
    });
    let mut shown: Vec<_> = shown.collect();
    // On the main screen the key for the help stands last in the table, and is the one to keep.
    if contexts.contains(&Context::Main) {
        shown.reverse();
    }
    shown.truncate(most);
    let mut spans = Vec::new();
    for binding in shown {
        let Some(key) = binding.keys.first() else { continue };
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
        spans.push(theme.span(key.label(), Role::Key));
        spans.push(theme.span(format!(" {}", binding.hint), Role::Quiet));
    }
    Line::from(spans)
}
