//! The whole file on one line: where nothing differs, where something does and how much of it, where nothing was compared
//! yet, and where the user looks.

use super::layout::Screen;
use super::theme::{Role, Theme};
use super::words;
use crate::app::bytes;
use crate::app::compared::Compared;
use crate::app::panel::Panel;
use crate::app::state::State;
use crate::engine::report::diff::{DiffDocument, Map};
use ratatui::layout::Position;
use ratatui::text::{Line, Span};
use std::ops::Range;

/// The line; `None` where nothing is compared.
#[must_use]
pub fn line(state: &State, theme: Theme, cells: usize) -> Option<Line<'static>> {
    let compared = state.compared()?;
    let diff = compared.diff.as_deref()?;
    let size = words::bytes(diff.a_size.max(diff.b_size));
    let columns = columns(&diff.map, cells.saturating_sub(size.len() + 1));
    let here = compared.part(bytes::place(state));
    let mut spans: Vec<Span<'static>> = Vec::with_capacity(columns + 1);
    for column in 0..columns {
        let parts = parts(&diff.map, column, columns);
        let (mark, role) = if parts.contains(&here) { ("▾", Role::Next) } else { shown(compared, diff, parts) };
        spans.push(theme.span(mark, role));
    }
    spans.push(theme.span(format!(" {size}"), Role::Quiet));
    Some(Line::from(spans))
}

/// The part of the map that is drawn at a place of the screen.
#[must_use]
pub fn part_at(state: &State, screen: &Screen, at: Position) -> Option<usize> {
    if state.panel() != Panel::Bytes || !screen.summary.contains(at) || at.y != screen.summary.y {
        return None;
    }
    let diff = state.compared()?.diff.as_deref()?;
    let size = words::bytes(diff.a_size.max(diff.b_size));
    let columns = columns(&diff.map, usize::from(screen.summary.width).saturating_sub(size.len() + 1));
    let column = usize::from(at.x - screen.summary.x);
    (column < columns).then(|| parts(&diff.map, column, columns).start)
}

/// How many cells the map takes: one for each part, or for several.
fn columns(map: &Map, cells: usize) -> usize {
    map.differing.len().min(cells)
}

fn parts(map: &Map, column: usize, columns: usize) -> Range<usize> {
    let count = map.differing.len();
    column * count / columns.max(1)..(column + 1) * count / columns.max(1)
}

fn shown(compared: &Compared, diff: &DiffDocument, parts: Range<usize>) -> (&'static str, Role) {
    let map = &diff.map;
    let differing: u64 = map.differing.get(parts.clone()).unwrap_or_default().iter().sum();
    let pending = map.pending.get(parts.clone()).unwrap_or_default().contains(&true);
    let room = map.unit.saturating_mul(parts.len() as u64).max(1);
    let unexplained = &compared.changes.unexplained;
    let first = unexplained.partition_point(|part| *part < parts.start);
    let role = match unexplained.get(first) {
        Some(part) if parts.contains(part) => Role::Bad,
        _ => Role::Changed,
    };
    match differing {
        0 if pending => ("░", Role::Quiet),
        0 => ("·", Role::Quiet),
        some if some < room / 16 => ("▂", role),
        some if some < room / 2 => ("▅", role),
        _ => ("█", role),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture::{self, PATCHED};
    use crate::views::text::plain;
    use std::sync::Arc;

    #[test]
    fn parts_share_the_cells_and_every_part_has_one() {
        for (count, cells) in [(256, 100), (256, 256), (10, 40), (256, 1), (255, 254), (1, 1)] {
            let map = Map { unit: 8, differing: vec![0; count], pending: Vec::new() };
            let columns = columns(&map, cells);
            let all: Vec<usize> = (0..columns).flat_map(|column| parts(&map, column, columns)).collect();
            assert_eq!(all, (0..count).collect::<Vec<_>>());
        }
    }

    #[test]
    fn shares_and_what_is_not_compared_yet_have_their_own_marks() {
        let mut state = fixture::showing(PATCHED, Panel::Bytes, 120, 40);
        let compared = state.compared.as_mut().unwrap();
        let mut diff = (**compared.diff.as_ref().unwrap()).clone();
        diff.map = Map {
            unit: 100_000,
            differing: vec![0, 1, 20_000, 90_000, 0, 0],
            pending: vec![false, false, false, true, true, true],
        };
        compared.diff = Some(Arc::new(diff));
        let text = plain(&[line(&state, fixture_theme(), 60).unwrap()]);
        assert_eq!(text, "▾▂▅█░░ 533 KiB\n");
        assert!(line(&state, fixture_theme(), 3).unwrap().width() < 20);
    }

    fn fixture_theme() -> Theme {
        Theme::new(fixture::RICH)
    }
}
