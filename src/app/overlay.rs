//! What keys do while something lies over the screen: the help, a page, the line in which a filter is typed.

use super::action::{Action, Command};
use super::cursor::Motion;
use super::filter;
use super::keymap;
use super::panel::Focus;
use super::seek;
use super::state::{Overlay, Page, Palette, Prompt, State};
use super::update::{choose_artifact, finish, move_in_panel, say, update};
use crate::views::{layout, page};

/// Whether an overlay, if one is open, takes `action` for itself.
#[must_use]
pub fn takes(action: Action) -> bool {
    matches!(action, Action::Move(_) | Action::Accept | Action::Erase | Action::Close | Action::Copy | Action::Pager)
}

/// Carries out what the open overlay takes.
pub fn act(state: &mut State, action: Action) -> Vec<Command> {
    match std::mem::take(&mut state.overlay) {
        Overlay::None => Vec::new(),
        Overlay::Page(open) => act_on_page(state, open, action),
        Overlay::Palette(open) => act_on_palette(state, open, action),
        Overlay::Find => {
            act_on_find(state, action);
            Vec::new()
        }
        Overlay::Prompt(open) => {
            act_on_prompt(state, open, action);
            Vec::new()
        }
    }
}

/// Takes a typed character where an overlay has a line to type in.
pub fn typed(state: &mut State, letter: char) -> Vec<Command> {
    match &mut state.overlay {
        Overlay::Palette(open) => {
            open.cursor.query.push(letter);
            open.cursor.reset();
        }
        Overlay::Find => {
            filter::query_mut(state).push(letter);
            filter::refresh(state);
        }
        Overlay::Prompt(open) => open.text.push(letter),
        Overlay::None | Overlay::Page(_) => {}
    }
    finish(state, Vec::new())
}

/// Keeps a page's scrolling and the help's cursor within what there is.
pub fn settle(state: &mut State) {
    let mut overlay = std::mem::take(&mut state.overlay);
    match &mut overlay {
        Overlay::Page(open) => {
            let (shown, total) = page::extent(state, open);
            open.scroll = open.scroll.min(total.saturating_sub(shown));
        }
        Overlay::Palette(open) => {
            let count = keymap::matching(&open.cursor.query).len();
            open.cursor.settle(count, layout::palette_rows_shown(state));
        }
        Overlay::None | Overlay::Find | Overlay::Prompt(_) => {}
    }
    state.overlay = overlay;
}

fn act_on_page(state: &mut State, mut open: Page, action: Action) -> Vec<Command> {
    let mut commands = Vec::new();
    match action {
        Action::Move(motion) => {
            let (shown, _) = page::extent(state, &open);
            let by = shown.max(2) - 1;
            open.scroll = match motion {
                Motion::Up => open.scroll.saturating_sub(1),
                Motion::Down => open.scroll.saturating_add(1),
                Motion::PageUp => open.scroll.saturating_sub(by),
                Motion::PageDown => open.scroll.saturating_add(by),
                Motion::Home => 0,
                Motion::End => usize::MAX,
            };
        }
        Action::Copy => {
            commands.push(Command::Copy(page::text(state, &open)));
            say(state, "copied the page", false);
        }
        Action::Pager => commands.push(Command::Pager { name: "page".into(), text: page::text(state, &open) }),
        _ => return commands,
    }
    state.overlay = Overlay::Page(open);
    commands
}

fn act_on_palette(state: &mut State, mut open: Palette, action: Action) -> Vec<Command> {
    let entries = keymap::matching(&open.cursor.query);
    match action {
        Action::Move(motion) => open.cursor.go(motion, entries.len(), layout::palette_rows_shown(state)),
        Action::Erase => {
            open.cursor.query.pop();
            open.cursor.reset();
        }
        Action::Accept => {
            return match open.cursor.chosen(entries.len()).and_then(|row| entries.get(row)) {
                Some(binding) => update(state, binding.action),
                None => Vec::new(),
            };
        }
        _ => return Vec::new(),
    }
    state.overlay = Overlay::Palette(open);
    Vec::new()
}

fn act_on_prompt(state: &mut State, mut open: Prompt, action: Action) {
    match action {
        Action::Accept => return seek::accept(state, &open),
        Action::Close => return,
        Action::Erase => {
            open.text.pop();
        }
        _ => {}
    }
    state.overlay = Overlay::Prompt(open);
}

fn act_on_find(state: &mut State, action: Action) {
    match action {
        Action::Move(motion) if state.focus == Focus::Panel => move_in_panel(state, motion),
        Action::Move(motion) => {
            choose_artifact(state, |state, total, height| state.artifacts.go(motion, total, height));
        }
        Action::Erase => {
            filter::query_mut(state).pop();
            filter::refresh(state);
        }
        Action::Close => {
            filter::query_mut(state).clear();
            filter::refresh(state);
            return;
        }
        _ => return,
    }
    state.overlay = Overlay::Find;
}
