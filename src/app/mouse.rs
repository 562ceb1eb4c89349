//! What a mouse event means at a place of the screen. Asks the same layout that drawing uses.

use super::action::{Action, Command};
use super::bytes;
use super::cursor::Motion;
use super::overlay;
use super::panel::Focus;
use super::state::{Overlay, State};
use super::update::{choose_artifact, finish, moved, show, update};
use crate::views::{layout, minimap, rows};
use crossterm::event::{MouseButton, MouseEvent, MouseEventKind};
use ratatui::layout::{Position, Rect};

/// Rows that one notch of the wheel moves.
const NOTCH: usize = 3;

/// Carries out what the mouse did.
pub fn mouse(state: &mut State, event: &MouseEvent) -> Vec<Command> {
    let at = Position { x: event.column, y: event.row };
    match event.kind {
        MouseEventKind::Down(MouseButton::Left) => press(state, at),
        MouseEventKind::ScrollUp => wheel(state, at, Motion::Up),
        MouseEventKind::ScrollDown => wheel(state, at, Motion::Down),
        _ => Vec::new(),
    }
}

fn press(state: &mut State, at: Position) -> Vec<Command> {
    let Some(screen) = layout::of(state) else { return Vec::new() };
    match &state.overlay {
        Overlay::Page(_) if !screen.body.contains(at) => return update(state, Action::Close),
        Overlay::Page(_) => return Vec::new(),
        Overlay::Palette(_) => return press_palette(state, &screen, at),
        Overlay::None | Overlay::Find | Overlay::Prompt(_) => {}
    }
    if let Some(panel) = screen.tab_at(at) {
        show(state, panel);
    } else if let Some(part) = minimap::part_at(state, &screen, at) {
        state.focus = Focus::Panel;
        bytes::go_to_part(state, part);
    } else if let Some(place) = place_in(screen.cards, at) {
        state.focus = Focus::Artifacts;
        let position = state.artifacts.top + place / usize::from(layout::CARD_HEIGHT);
        if let Some(row) = state.artifacts.row(position) {
            choose_artifact(state, |state, total, height| state.artifacts.choose(row, total, height));
        }
    } else if let Some(place) = place_in(screen.rows, at) {
        state.focus = Focus::Panel;
        choose_row(state, place);
    }
    finish(state, Vec::new())
}

fn press_palette(state: &mut State, screen: &layout::Screen, at: Position) -> Vec<Command> {
    let Overlay::Palette(open) = &mut state.overlay else { return Vec::new() };
    match place_in(screen.palette_rows(), at) {
        Some(place) => {
            open.cursor.index = open.cursor.top + place;
            finish(state, Vec::new())
        }
        None if !screen.palette().contains(at) => update(state, Action::Close),
        None => Vec::new(),
    }
}

fn choose_row(state: &mut State, place: usize) {
    let panel = state.panel();
    let (total, height) = (rows::of(panel).count(state), layout::rows_shown(state));
    let cursor = &mut state.cursors[panel.index()];
    let position = cursor.top + place;
    if let Some(row) = cursor.row(position).filter(|&row| row < total) {
        cursor.choose(row, total, height);
        moved(state);
    }
}

fn wheel(state: &mut State, at: Position, motion: Motion) -> Vec<Command> {
    let Some(screen) = layout::of(state) else { return Vec::new() };
    if matches!(state.overlay, Overlay::Page(_) | Overlay::Palette(_)) {
        return (0..NOTCH).flat_map(|_| update(state, Action::Move(motion))).collect();
    }
    if screen.detail.contains(at) {
        return update(state, if motion == Motion::Up { Action::DetailUp } else { Action::DetailDown });
    }
    if screen.cards.contains(at) {
        return update(state, Action::Artifact(motion));
    }
    for _ in 0..NOTCH {
        super::update::move_in_panel(state, motion);
    }
    finish(state, Vec::new())
}

fn place_in(area: Rect, at: Position) -> Option<usize> {
    area.contains(at).then(|| usize::from(at.y - area.y))
}

/// Carries out what a paste into a line to type in brings; elsewhere a paste is ignored.
pub fn paste(state: &mut State, text: &str) -> Vec<Command> {
    let letters = text.chars().filter(|letter| !letter.is_control());
    letters.flat_map(|letter| overlay::typed(state, letter)).collect()
}
