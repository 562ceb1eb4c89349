//! What the keys of the bytes panel do: going from change to change, to a place, to what was searched for; and which lines of
//! the two files are in sight.

use super::changes::Entry;
use super::jobs::Request;
use super::panel::Panel;
use super::state::{Overlay, Page, PageSource, State};
use super::update::say;
use super::{filter, wanted};
use crate::engine::compare::{Place, Row, Which};
use crate::engine::report::diff::DiffDocument;
use crate::views::hex::Form;
use crate::views::{layout, page, rows};
use std::sync::Arc;

/// Lines that stand above a place that was gone to.
const ABOVE: i64 = 2;
/// The most lines of bytes that a page takes.
pub const PAGE_LINES: usize = 256;

/// The chosen row of the list.
#[must_use]
pub fn chosen(state: &State) -> Option<usize> {
    let entries = state.compared()?.changes.entries.len();
    state.cursor(Panel::Bytes).chosen(entries)
}

/// The chosen entry of the list.
#[must_use]
pub fn entry(state: &State) -> Option<Entry> {
    state.compared()?.changes.entries.get(chosen(state)?).copied()
}

/// The place that the user looks at.
#[must_use]
pub fn place(state: &State) -> Place {
    let Some(compared) = state.compared() else { return Place::default() };
    let start = entry(state).and_then(|entry| compared.start(entry));
    compared.open.or(compared.top).or(start).unwrap_or_default()
}

/// Whether the lower part shows bytes: those of a range, or of a place that was gone to.
#[must_use]
pub fn shows_bytes(state: &State) -> bool {
    let Some(compared) = state.compared().filter(|compared| compared.diff.is_some()) else { return false };
    compared.top.is_some() || matches!(entry(state), None | Some(Entry::Run(_)))
}

/// The lines of both files that are in sight, or on the open page.
#[must_use]
pub fn visible(state: &State) -> Vec<Row> {
    let (Some(compared), Some(screen)) = (state.compared(), layout::of(state)) else { return Vec::new() };
    let row = chosen(state);
    let lines = |cells: usize, count: usize| {
        let bytes = Form::for_width(cells, compared).bytes as u64;
        let rows = compared.rows(bytes);
        rows.from(compared.first_line(row, bytes)).take(count).collect::<Vec<Row>>()
    };
    let mut seen = lines(usize::from(screen.detail.width), usize::from(screen.detail.height));
    if let Overlay::Page(Page { source: PageSource::Detail, .. }) = &state.overlay {
        seen.extend(lines(page::width(state), PAGE_LINES));
    }
    seen
}

/// Lets the lines of bytes follow the chosen row again.
pub fn follow(state: &mut State) {
    state.detail_scroll = 0;
    if let Some(compared) = &mut state.compared {
        (compared.top, compared.open) = (None, None);
    }
}

/// Goes to the next or previous range of the list; from a place that was gone to, to the ranges beside it.
pub fn change(state: &mut State, forward: bool) {
    let Some(compared) = state.compared() else { return };
    let cursor = state.cursor(Panel::Bytes);
    let total = compared.changes.entries.len();
    let start = entry(state).and_then(|entry| compared.start(entry));
    let is_group = |position: usize| {
        let entry = cursor.row(position).and_then(|row| compared.changes.entries.get(row));
        matches!(entry, Some(Entry::Group(_)))
    };
    let back_here = compared.open.zip(start).is_some_and(|(open, start)| {
        if forward { start.number() > open.number() } else { start.number() < open.number() }
    });
    let here = cursor.index;
    let found = match (back_here, forward) {
        (true, _) => Some(here),
        (false, true) => (here + 1..cursor.count(total)).find(|position| !is_group(*position)),
        (false, false) => (0..here).rev().find(|position| !is_group(*position)),
    };
    match found {
        Some(position) => choose(state, position),
        None if forward => say(state, "that was the last one", false),
        None => say(state, "that was the first one", false),
    }
}

/// Chooses what stands at `position` of what the list shows.
fn choose(state: &mut State, position: usize) {
    let (total, height) = (rows::of(Panel::Bytes).count(state), layout::rows_shown(state));
    let cursor = &mut state.cursors[Panel::Bytes.index()];
    cursor.index = position;
    cursor.settle(total, height);
    follow(state);
}

/// Chooses the row of the document's run number `run`, if the list shows it.
fn choose_run(state: &mut State, run: usize) -> bool {
    let Some(compared) = state.compared() else { return false };
    let entries = &compared.changes.entries;
    let Some(row) = entries.iter().position(|entry| *entry == Entry::Run(run)) else { return false };
    let (total, height) = (entries.len(), layout::rows_shown(state));
    let cursor = &mut state.cursors[Panel::Bytes.index()];
    cursor.choose(row, total, height);
    cursor.chosen(total) == Some(row)
}

/// Goes to the first range of the next part of the map that has another one, or of the part before.
pub fn part(state: &mut State, forward: bool) {
    let Some(compared) = state.compared() else { return };
    let (here, firsts) = (compared.part(place(state)), &compared.changes.firsts);
    let current = match entry(state) {
        Some(Entry::Run(run)) if compared.open.is_none() => Some(run),
        _ => None,
    };
    let another = |part: usize| firsts.get(part).copied().flatten().filter(|run| Some(*run) != current);
    let found = match forward {
        true => (here + 1..firsts.len()).find_map(another),
        false => (0..here).rev().find_map(another),
    };
    match found {
        Some(run) => {
            follow(state);
            if !choose_run(state, run) {
                say(state, "the list does not show the range that lies there", false);
            }
        }
        None => say(state, "no further part of the files differs there", false),
    }
}

/// Goes to a part of the map: to its first range, or else to where it begins.
pub fn go_to_part(state: &mut State, part: usize) {
    let Some(compared) = state.compared() else { return };
    let Some(diff) = &compared.diff else { return };
    let offset = diff.map.unit.saturating_mul(part as u64);
    let which = if offset < compared.aligned.end().a { Which::A } else { Which::B };
    let place = compared.aligned.place(which, offset);
    let first = compared.changes.firsts.get(part).copied().flatten();
    follow(state);
    if !first.is_some_and(|run| choose_run(state, run)) {
        go(state, place);
    }
}

/// Orders the list by the next thing.
pub fn reorder(state: &mut State) {
    state.order = state.order.next();
    let row = chosen(state);
    let order = state.order;
    let row = state.compared.as_mut().and_then(|compared| compared.reorder(order, row));
    settle_on(state, row);
    state.detail_scroll = 0;
}

/// Takes what a comparison has found out so far, or in the end.
pub fn take(state: &mut State, document: Arc<DiffDocument>) {
    let row = chosen(state);
    let row = state.compared.as_mut().and_then(|compared| compared.take(document, row));
    settle_on(state, row);
}

/// Works the filter out anew and chooses `row` of the new list, if there is one.
fn settle_on(state: &mut State, row: Option<usize>) {
    filter::refresh_panel(state, Panel::Bytes);
    let (total, height) = (rows::of(Panel::Bytes).count(state), layout::rows_shown(state));
    let cursor = &mut state.cursors[Panel::Bytes.index()];
    match row {
        Some(row) => cursor.choose(row, total, height),
        None => cursor.settle(total, height),
    }
}

/// Scrolls the lines of bytes by half of what is in sight.
pub fn scroll(state: &mut State, down: bool) {
    let (Some(compared), Some(screen)) = (state.compared(), layout::of(state)) else { return };
    let bytes = Form::for_width(usize::from(screen.detail.width), compared).bytes as u64;
    let by = i64::from((screen.detail.height / 2).max(1));
    let rows = compared.rows(bytes);
    let top = rows.moved(compared.first_line(chosen(state), bytes), if down { by } else { -by });
    let top = rows.at(top).map(|row| row.at);
    if let Some(compared) = &mut state.compared {
        compared.top = top;
    }
}

/// What the screen calls a file.
#[must_use]
pub const fn name(which: Which) -> &'static str {
    match which {
        Which::A => "clean",
        Which::B => "staged",
    }
}

/// Brings a place into sight, and the list to the range before it.
pub fn go(state: &mut State, place: Place) {
    let (Some(compared), Some(screen)) = (state.compared(), layout::of(state)) else { return };
    let run = compared.aligned.run_before(place.number());
    let bytes = Form::for_width(usize::from(screen.detail.width), compared).bytes as u64;
    let rows = crate::engine::compare::Rows { open: Some(place.number()), ..compared.rows(bytes) };
    let top = rows.at(rows.moved(place.number(), -ABOVE)).map(|row| row.at);
    if let Some(run) = run {
        choose_run(state, run);
    }
    if let Some(compared) = &mut state.compared {
        (compared.top, compared.open) = (top, Some(place));
        let is_pending =
            |diff: &DiffDocument| diff.map.pending.get(compared.part(place)).is_some_and(|pending| *pending);
        if compared.problem.is_none() && compared.diff.as_deref().is_some_and(is_pending) {
            wanted::compare_from(state, place.a);
        }
    }
}

/// Asks for the bytes in sight that were not read yet.
pub fn ask_bytes(state: &mut State) {
    let seen = visible(state);
    let Some(compared) = state.compared().filter(|compared| compared.unread.is_none()) else { return };
    let chunks = compared.bytes.missing(&seen);
    if chunks.is_empty() {
        return;
    }
    let (artifact, clean, staged) = (compared.artifact, compared.clean.clone(), compared.staged.clone());
    wanted::once(state, Request::Hex { artifact, clean, staged, chunks });
}
