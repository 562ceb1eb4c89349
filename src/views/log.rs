//! What was done, the newest first.

use super::row::{Cell, line};
use super::rows::Rows;
use super::text::Text;
use super::theme::{Role, Theme};
use crate::app::state::State;
use crate::engine::stage::LogEntry;
use ratatui::text::Line;

/// The panel.
#[derive(Debug)]
pub struct Log;

fn nth(state: &State, index: usize) -> Option<(&LogEntry, &str)> {
    let log = &state.snapshot.log;
    let entry = log.get(log.len().checked_sub(index + 1)?)?;
    let artifact = entry.artifact.and_then(|id| state.snapshot.artifacts.get(id.0));
    Some((entry, artifact.map_or("session", |artifact| artifact.name.as_str())))
}

impl Rows for Log {
    fn count(&self, state: &State) -> usize {
        state.snapshot.log.len()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let Some((entry, name)) = nth(state, index) else { return Line::default() };
        let (word, role) = if entry.failed { ("failed", Role::Bad) } else { ("✓", Role::Good) };
        let mut parts = vec![Cell::fixed(word, role, 6), Cell::rest(entry.text.as_str(), Role::Plain, 1)];
        if cells >= 48 {
            parts.insert(1, Cell::fixed(name, Role::Quiet, 16).path());
        }
        line(parts, cells, theme)
    }

    fn empty(&self, _state: &State) -> String {
        "nothing was done yet".into()
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        if let Some((entry, name)) = nth(state, index) {
            text.labelled(name, &entry.text, if entry.failed { Role::Bad } else { Role::Plain });
        }
        text.into_lines()
    }

    fn has_detail(&self) -> bool {
        false
    }

    fn copied(&self, state: &State, index: usize) -> String {
        nth(state, index).map_or_else(String::new, |(entry, name)| format!("{name}: {}", entry.text))
    }
}
