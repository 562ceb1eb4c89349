//! The tree panel's two faces: the tree itself, and the two lenses side by side with the reason of every difference.

use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::tree::Branches;
use crate::app::lenses::{LensRow, Verdict};
use crate::app::state::State;
use ratatui::text::Line;
use std::borrow::Cow;
use std::path::Path;

/// The panel.
#[derive(Debug)]
pub struct Tree;

fn face(state: &State) -> &'static dyn Rows {
    if state.lenses { &SideBySide } else { &Branches }
}

impl Rows for Tree {
    fn count(&self, state: &State) -> usize {
        face(state).count(state)
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        face(state).row(state, index, theme, cells)
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, cells: usize) -> Vec<Line<'a>> {
        face(state).head(state, theme, cells)
    }

    fn empty(&self, state: &State) -> String {
        face(state).empty(state)
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        face(state).detail(state, index, theme, cells)
    }

    fn copied(&self, state: &State, index: usize) -> String {
        face(state).copied(state, index)
    }

    fn plain(&self, state: &State, index: usize) -> String {
        face(state).plain(state, index)
    }
}

/// Needed names, and where each lens finds them.
#[derive(Debug)]
struct SideBySide;

impl Rows for SideBySide {
    fn count(&self, state: &State) -> usize {
        state.lens_rows.len()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let Some(row) = state.lens_rows.get(index) else { return Line::default() };
        let (word, role) = verdict(row.verdict);
        let name = Cell::rest(row.name.as_str(), Role::Plain, 3).path();
        let word = Cell::fixed(word, role, 12);
        let directory = |path: &'a Option<std::path::PathBuf>| match path {
            Some(path) => Cell::rest(directory_of(path), Role::Quiet, 4).path(),
            None => Cell::rest("not found", Role::Bad, 4),
        };
        let parts = match cells {
            0..60 => vec![name, word],
            _ => vec![name, word, directory(&row.loader), directory(&row.lddtree)],
        };
        line(parts, cells, theme)
    }

    fn head<'a>(&self, _state: &'a State, theme: Theme, cells: usize) -> Vec<Line<'a>> {
        if cells < 60 {
            return Vec::new();
        }
        let parts = vec![
            Cell::rest("needed", Role::Quiet, 3),
            Cell::fixed("", Role::Quiet, 12),
            Cell::rest("the loader finds it in", Role::Quiet, 4),
            Cell::rest("the repair tool (lddtree) in", Role::Quiet, 4),
        ];
        vec![line(parts, cells, theme)]
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| {
            match state.report().and_then(|report| report.lens_differences.as_ref()) {
                Some(_) => "it needs nothing".into(),
                None => "only the loader's lens has looked at this file".into(),
            }
        })
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        if let Some(row) = state.lens_rows.get(index) {
            about(&mut text, row);
        }
        text.into_lines()
    }
}

fn about(text: &mut Text, row: &LensRow) {
    let (word, role) = verdict(row.verdict);
    text.labelled("needed", &row.name, Role::Strong);
    text.labelled("verdict", word, role);
    let path = |path: &Option<std::path::PathBuf>| match path {
        Some(path) => (path.to_string_lossy().into_owned(), Role::Plain),
        None => ("found nowhere".to_owned(), Role::Bad),
    };
    let (loader, role) = path(&row.loader);
    text.labelled("the loader", &loader, role);
    if let Some(found_by) = &row.found_by {
        text.labelled("found by", found_by, Role::Plain);
    }
    let (lddtree, role) = path(&row.lddtree);
    text.labelled("lddtree", &lddtree, role);
    if let Some(why) = &row.why {
        text.labelled("why", why, Role::Warning);
    }
}

const fn verdict(verdict: Verdict) -> (&'static str, Role) {
    match verdict {
        Verdict::OtherFile => ("other file", Role::Bad),
        Verdict::LoaderOnly => ("loader only", Role::Warning),
        Verdict::RepairToolOnly => ("lddtree only", Role::Warning),
        Verdict::Same => ("same", Role::Good),
    }
}

fn directory_of(path: &Path) -> Cow<'_, str> {
    path.parent().unwrap_or(path).to_string_lossy()
}
