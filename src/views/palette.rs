//! All keys, filtered by what is typed; Enter runs the chosen line, and a line that can't be run says why.

use super::fit::width;
use super::frame::{border, corner, lines, list};
use super::layout::{Screen, inside};
use super::row::{Cell, line};
use super::theme::{Role, Theme};
use crate::app::availability::availability;
use crate::app::keymap;
use crate::app::state::{Palette, State};
use ratatui::Frame;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;
use ratatui::widgets::Clear;

/// Draws the help.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen, state: &State, open: &Palette, theme: Theme) {
    let area = screen.palette();
    frame.render_widget(Clear, area);
    let entries = keymap::matching(&open.cursor.query);
    let title = Line::from(theme.span(" keys ", Role::Heading));
    frame.render_widget(border(true, theme).title_top(title).title_bottom(corner(&open.cursor, entries.len())), area);
    let inner = padded(inside(area));
    let prompt =
        Line::from(vec![theme.span("filter: ", Role::Quiet), theme.span(open.cursor.query.clone(), Role::Strong)]);
    let cursor = inner.x + 8 + width(&open.cursor.query) as u16;
    frame.set_cursor_position(Position { x: cursor.min(inner.right().saturating_sub(1)), y: inner.y });
    lines(frame, inner, vec![prompt]);
    // The query filters the entries themselves; the cursor then counts what is left.
    list(frame, padded(screen.palette_rows()), &open.cursor, entries.len(), true, theme, |row, cells| {
        entries.get(row).map_or_else(Line::default, |binding| entry(state, binding, theme, cells))
    });
    let why = open.cursor.chosen(entries.len()).and_then(|row| entries.get(row)).map(|binding| {
        match availability(state, binding.action) {
            Ok(()) => Line::from(theme.span("Enter runs it", Role::Quiet)),
            Err(reason) => Line::from(theme.span(format!("not now: {reason}"), Role::Warning)),
        }
    });
    let last = Rect { y: inner.bottom().saturating_sub(1), height: 1, ..inner };
    lines(frame, last, vec![why.unwrap_or_else(|| Line::from(theme.span("no key does that", Role::Quiet)))]);
}

/// With a column of air on both sides.
const fn padded(area: Rect) -> Rect {
    Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area }
}

fn entry(state: &State, binding: &keymap::Binding, theme: Theme, cells: usize) -> Line<'static> {
    let can = availability(state, binding.action).is_ok();
    let room = if cells < 60 { 10 } else { 14 };
    let keys = Cell::fixed(keymap::keys(binding), if can { Role::Key } else { Role::Quiet }, room);
    let help = Cell::rest(binding.help, if can { Role::Plain } else { Role::Quiet }, 1);
    let mut parts = vec![keys, help];
    if cells >= 60 {
        parts.push(Cell::fixed(if can { binding.group.title() } else { "not now" }, Role::Quiet, 8).right());
    }
    line(parts, cells, theme)
}
