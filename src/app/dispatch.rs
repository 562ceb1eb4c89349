//! From an event to a change of the state: keys by the table, the mouse by the layout, answers by their job.

use super::action::{Action, Command};
use super::event::{Event, Signal};
use super::key::Key;
use super::state::{Overlay, State};
use super::update::{finish, say, update};
use super::{keymap, mouse, overlay, receive};
use ratatui::layout::Size;

/// Carries out what `event` means.
pub fn dispatch(state: &mut State, event: Event) -> Vec<Command> {
    if state.leaving {
        return Vec::new();
    }
    match event {
        Event::Key(event) => Key::of(&event).map_or_else(Vec::new, |key| press(state, key)),
        Event::Mouse(event) => mouse::mouse(state, &event),
        Event::Paste(text) => mouse::paste(state, &text),
        Event::Resize(width, height) => {
            state.size = Size { width, height };
            finish(state, Vec::new())
        }
        Event::InputEnded | Event::Signal(Signal::Quit | Signal::Interrupt) => update(state, Action::Quit),
        Event::Signal(Signal::Suspend) => update(state, Action::Suspend),
        Event::Signal(Signal::Continued) => vec![Command::Resume],
        Event::Worker(event) => receive::receive(state, event),
        Event::Tick => {
            tick(state);
            Vec::new()
        }
    }
}

/// Carries out what a key means, or types it where there is a line to type in.
pub fn press(state: &mut State, key: Key) -> Vec<Command> {
    if let Some(action) = keymap::lookup(state.contexts(), key) {
        return update(state, action);
    }
    match (key, &state.overlay) {
        (Key::Char(letter), Overlay::Palette(_) | Overlay::Find | Overlay::Prompt(_)) => overlay::typed(state, letter),
        (_, Overlay::None) => {
            say(state, format!("{} does nothing here", key.label()), false);
            Vec::new()
        }
        _ => Vec::new(),
    }
}

/// A tenth of a second went by.
fn tick(state: &mut State) {
    if let Some(toast) = &mut state.toast {
        toast.ticks = toast.ticks.saturating_sub(1);
        if toast.ticks == 0 {
            state.toast = None;
        }
    }
}

/// Whether anything goes on that time changes: a job's progress, or a toast.
#[must_use]
pub fn needs_ticks(state: &State) -> bool {
    state.toast.is_some() || state.jobs.foremost().is_some()
}
