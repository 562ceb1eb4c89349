//! The filters: which rows of a list hold the typed text. Worked out when the text or the list changes.

use super::panel::{Focus, Panel};
use super::state::State;
use super::{fits, lenses};
use crate::views::rows;

/// The filter's text of whatever has the focus.
pub fn query_mut(state: &mut State) -> &mut String {
    let panel = state.panel();
    match state.focus {
        Focus::Artifacts => &mut state.artifacts.query,
        Focus::Panel => &mut state.cursors[panel.index()].query,
    }
}

/// Lays the tree out anew and works out all filters again.
pub fn refresh(state: &mut State) {
    let mut tree = std::mem::take(&mut state.tree);
    let report = state.artifact().and_then(|artifact| artifact.report.clone());
    tree.rebuild(report.as_deref(), !state.cursor(Panel::Tree).query.is_empty());
    state.tree = tree;
    state.lens_rows = lenses::rows(report.as_deref());
    fits::refresh(state);

    let query = state.artifacts.query.to_lowercase();
    state.artifacts.shown = (!query.is_empty()).then(|| {
        let holds = |name: &str| name.to_lowercase().contains(&query);
        let artifacts = state.snapshot.artifacts.iter().enumerate();
        artifacts.filter(|(_, artifact)| holds(&artifact.name)).map(|(row, _)| row).collect()
    });

    for panel in Panel::ALL {
        refresh_panel(state, panel);
    }
}

/// Works the filter of one panel out again.
pub fn refresh_panel(state: &mut State, panel: Panel) {
    let query = state.cursor(panel).query.to_lowercase();
    let shown = (!query.is_empty()).then(|| matching(state, panel, &query));
    state.cursors[panel.index()].shown = shown;
}

fn matching(state: &State, panel: Panel, query: &str) -> Vec<usize> {
    let rows = rows::of(panel);
    let holds = |row: usize| rows.plain(state, row).to_lowercase().contains(query);
    match panel {
        Panel::Tree if !state.lenses => state.tree.matching(holds),
        _ => (0..rows.count(state)).filter(|&row| holds(row)).collect(),
    }
}

/// The same, to be read.
#[must_use]
pub fn query(state: &State) -> &str {
    match state.focus {
        Focus::Artifacts => &state.artifacts.query,
        Focus::Panel => &state.cursor(state.panel()).query,
    }
}
