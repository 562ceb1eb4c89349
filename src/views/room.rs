//! The page on how an edit fits: the way that is taken and its cost, the room there is, the ways that were weighed, and
//! what the edit does besides.

use super::row::{Cell, line};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words::{self, grouped};
use crate::app::fits::{self, Face, FitPage};
use crate::app::state::State;
use crate::engine::report::fit::{Fit, Room};
use crate::engine::report::fit_words;
use crate::engine::report::plan::PlannedEffect;
use ratatui::text::{Line, Span};

/// Cells of the bar that holds a room against its need.
const BAR: usize = 10;
/// Cells of the widest name of a place.
const PLACE: usize = 17;
/// From this width on, a room's particulars stand on its own line.
const WIDE: usize = 110;

/// The page's title: what it shows, of which file, and which edit that is.
#[must_use]
pub fn title(state: &State, page: FitPage) -> String {
    let what = match page.face {
        Face::Room => "how it fits",
        Face::Layout => "layout before and after",
    };
    match fits::edits(state).count() {
        0 | 1 => what.to_owned(),
        count => format!("{what} · edit {} of {count}", page.edit + 1),
    }
}

/// The page's lines.
#[must_use]
pub fn page(state: &State, page: FitPage, theme: Theme, cells: usize) -> Vec<Line<'static>> {
    let mut text = Text::new(cells, theme);
    if let Some((edit, fit)) = head(&mut text, state, page) {
        cost(&mut text, edit, fit);
        rooms(&mut text, fit, cells, theme);
        ways(&mut text, fit);
        besides(&mut text, fit);
        if cells < WIDE {
            particulars(&mut text, fit);
        }
    }
    text.into_lines()
}

/// The file, what is edited, and the way that is taken; the edit with its fit, if that is known.
pub fn head<'a>(text: &mut Text, state: &'a State, page: FitPage) -> Option<(&'a PlannedEffect, &'a Fit)> {
    let Some(edit) = fits::edits(state).nth(page.edit) else {
        text.paragraph("this edit is no longer planned", Role::Quiet);
        return None;
    };
    text.paragraph(&edit.path.file_name().unwrap_or(edit.path.as_os_str()).to_string_lossy(), Role::Strong);
    let Some(fit) = &edit.fit else {
        text.paragraph(edit.detail.as_deref().unwrap_or_default(), Role::Quiet);
        text.blank();
        text.paragraph("the editor does not say beforehand how the edit fits", Role::Quiet);
        return None;
    };
    Some((edit, fit))
}

fn cost(text: &mut Text, edit: &PlannedEffect, fit: &Fit) {
    way(text, fit);
    let writes = format!("writes at most {}; {}", words::bytes(edit.writes), fit_words::growth(fit));
    text.paragraph(&writes, Role::Plain);
    text.paragraph(edit.detail.as_deref().unwrap_or_default(), Role::Quiet);
}

/// The way that is taken, and what becomes of RELRO.
pub fn way(text: &mut Text, fit: &Fit) {
    let (relro, role) = words::relro(fit.relro);
    text.parts(&[(&fit_words::chosen(fit), Role::Heading), (relro, role)]);
}

fn rooms(text: &mut Text, fit: &Fit, cells: usize, theme: Theme) {
    text.blank();
    if fit.rooms.is_empty() {
        text.labelled("room", "none is needed: it is written where it stands", Role::Plain);
        return;
    }
    let mut parts = vec![
        Cell::fixed("room", Role::Heading, PLACE),
        Cell::fixed("needs", Role::Quiet, 7).right(),
        Cell::fixed("has", Role::Quiet, 7).right(),
    ];
    if cells >= WIDE {
        parts.extend([Cell::fixed("bytes", Role::Quiet, 2 + BAR + 15), Cell::rest("which", Role::Quiet, 1)]);
    } else {
        parts.push(Cell::rest("bytes", Role::Quiet, 1));
    }
    text.line(owned(line(parts, cells, theme)));
    for room in &fit.rooms {
        text.line(owned(room_line(room, cells, theme)));
    }
}

fn room_line<'a>(room: &'a Room, cells: usize, theme: Theme) -> Line<'a> {
    let (enough, role) = words::enough(room);
    let need = room.need.map_or_else(|| "-".to_owned(), grouped);
    let mut parts = vec![
        Cell::fixed(fit_words::place(room.place), Role::Plain, PLACE),
        Cell::fixed(need, Role::Plain, 7).right(),
        Cell::fixed(grouped(room.room), Role::Plain, 7).right(),
    ];
    if cells >= 60 {
        parts.push(Cell::fixed(bar(room), role, BAR));
    }
    if cells >= WIDE {
        parts.push(Cell::fixed(enough, role, 15));
        parts.push(Cell::rest(room.detail.as_str(), Role::Quiet, 1));
    } else {
        parts.push(Cell::rest(enough, role, 1));
    }
    line(parts, cells, theme)
}

/// How much of the need there is room for.
fn bar(room: &Room) -> String {
    let Some(need) = room.need else { return String::new() };
    let filled = match need {
        0 => BAR,
        _ => (u128::from(room.room.min(need)) * BAR as u128 / u128::from(need)) as usize,
    };
    format!("{}{}", "━".repeat(filled), "·".repeat(BAR.saturating_sub(filled)))
}

fn ways(text: &mut Text, fit: &Fit) {
    text.blank();
    text.heading("ways weighed, from the least to the most invasive");
    for way in &fit.considered {
        let (verdict, role) = words::verdict(way.verdict);
        let why = fit_words::why(way);
        let name = fit_words::strategy(way.strategy);
        let what = if why.is_empty() { name.to_owned() } else { format!("{name}: {why}") };
        let shown = if role == Role::Quiet { Role::Quiet } else { Role::Plain };
        text.marked(&format!("{verdict:<12}"), role, &what, shown);
    }
}

fn besides(text: &mut Text, fit: &Fit) {
    if fit.consequences.is_empty() {
        return;
    }
    text.blank();
    text.heading("what it does to the file besides");
    for consequence in &fit.consequences {
        text.hanging("· ", consequence, Role::Plain);
    }
}

/// What every room is made of, where its line has no place for that.
fn particulars(text: &mut Text, fit: &Fit) {
    if fit.rooms.is_empty() {
        return;
    }
    text.blank();
    text.heading("the room in particular");
    for room in &fit.rooms {
        let place = format!("{:<PLACE$} ", fit_words::place(room.place));
        text.marked(&place, Role::Quiet, &room.detail, Role::Plain);
    }
}

/// A line that borrows nothing.
fn owned(line: Line<'_>) -> Line<'static> {
    let spans = line.spans.into_iter().map(|span| Span::styled(span.content.into_owned(), span.style));
    Line::from(spans.collect::<Vec<_>>())
}
