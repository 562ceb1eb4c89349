//! What every panel is to the rest: a list of rows that is asked by range, and one chosen row in detail.

use super::text;
use super::theme::Theme;
use super::{bytes, cpu, dlopen, findings, lenses, libraries, log, overview, plan, policy, rpath, staging, symbols};
use crate::app::features::TerminalFeatures;
use crate::app::panel::Panel;
use crate::app::state::State;
use ratatui::text::Line;

/// A panel's content.
pub trait Rows: Sync {
    /// How many rows there are, filter or not.
    fn count(&self, state: &State) -> usize;

    /// Row `index` in `cells` cells.
    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a>;

    /// A few lines above the rows.
    fn head<'a>(&self, _state: &'a State, _theme: Theme, _cells: usize) -> Vec<Line<'a>> {
        Vec::new()
    }

    /// Why there are no rows.
    fn empty(&self, state: &State) -> String;

    /// Everything about row `index`.
    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>>;

    /// Whether the panel has a lower part for the detail.
    fn has_detail(&self) -> bool {
        true
    }

    /// The detail's share of what rows and detail have, as a fraction.
    fn detail_share(&self) -> (u16, u16) {
        (2, 5)
    }

    /// What the lower part shows, in so many cells and lines, while there is no row; `None` for nothing.
    fn floor(&self, _state: &State, _theme: Theme, _size: (usize, usize)) -> Option<Vec<Line<'static>>> {
        None
    }

    /// Lines `from..from + height` of the lower part for the chosen row `index`.
    fn lower(
        &self,
        state: &State,
        index: usize,
        theme: Theme,
        (cells, height): (usize, usize),
        from: u64,
    ) -> Vec<Line<'static>> {
        let from = usize::try_from(from).unwrap_or(usize::MAX);
        self.detail(state, index, theme, cells).into_iter().skip(from).take(height).collect()
    }

    /// How many lines the lower part has in all for the chosen row `index`.
    fn lower_length(&self, state: &State, index: usize, cells: usize) -> u64 {
        self.detail(state, index, PLAIN, cells).len() as u64
    }

    /// What copying row `index` gives.
    fn copied(&self, state: &State, index: usize) -> String {
        self.plain(state, index)
    }

    /// Row `index` as text, for filters.
    fn plain(&self, state: &State, index: usize) -> String {
        let text = text::plain(&[self.row(state, index, PLAIN, 400)]);
        text.split_whitespace().collect::<Vec<_>>().join(" ")
    }
}

/// A theme for text that nobody sees as drawn.
pub const PLAIN: Theme = Theme::new(TerminalFeatures { color: false, unicode: true });

/// The content of `panel`.
#[must_use]
pub fn of(panel: Panel) -> &'static dyn Rows {
    match panel {
        Panel::Overview => &overview::Overview,
        Panel::Tree => &lenses::Tree,
        Panel::Libraries => &libraries::Libraries,
        Panel::Policy => &policy::Policy,
        Panel::Rpath => &rpath::Rpath,
        Panel::Plan => &plan::Plan,
        Panel::Staging => &staging::Staging,
        Panel::Bytes => &bytes::Bytes,
        Panel::Findings => &findings::Findings,
        Panel::Symbols => &symbols::Symbols,
        Panel::Cpu => &cpu::Cpu,
        Panel::Dlopen => &dlopen::Dlopen,
        Panel::Log => &log::Log,
    }
}

/// Why nothing is known of the chosen artifact; `None` when something is.
#[must_use]
pub fn nothing_known(state: &State) -> Option<String> {
    let Some(artifact) = state.artifact() else {
        return Some(match state.snapshot.artifacts.is_empty() {
            true => "no artifact was found here".into(),
            false => "the filter hides every artifact".into(),
        });
    };
    let Some(report) = &artifact.report else { return Some("not audited yet".into()) };
    let error = report.error.as_ref()?;
    let mut text = error.message.clone();
    if let Some(offset) = error.offset {
        text.push_str(&format!(" (at offset {offset:#x})"));
    }
    Some(text)
}
