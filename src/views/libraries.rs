//! The libraries that would be bundled: where from, what they will be called, what tag they force.

use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::state::State;
use crate::engine::report::audit::{ArtifactReport, ExternalLibrary};
use ratatui::text::Line;

/// The panel.
#[derive(Debug)]
pub struct Libraries;

fn libraries(state: &State) -> &[ExternalLibrary] {
    state.report().and_then(|report| report.external_libs.as_deref()).unwrap_or_default()
}

impl Rows for Libraries {
    fn count(&self, state: &State) -> usize {
        libraries(state).len()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let Some(library) = libraries(state).get(index) else { return Line::default() };
        let missing = library.realpath.is_none();
        let name = Cell::rest(library.name.as_str(), if missing { Role::Bad } else { Role::Plain }, 2).path();
        let grafted = library.grafted_name.as_deref().unwrap_or("MISSING");
        let grafted = Cell::rest(format!("→ {grafted}"), if missing { Role::Bad } else { Role::Strong }, 3).path();
        let tag = library.symbol_ceiling.as_deref().unwrap_or(if missing { "" } else { "no tag" });
        let tag = Cell::fixed(tag, Role::Quiet, 14);
        let parts = match cells {
            0..56 => vec![name, grafted],
            56..90 => vec![name, grafted, tag],
            _ => {
                let file = library.realpath.as_ref().map(|path| path.to_string_lossy()).unwrap_or_default();
                vec![name, grafted, tag, Cell::rest(file, Role::Quiet, 3).path()]
            }
        };
        line(parts, cells, theme)
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, _cells: usize) -> Vec<Line<'a>> {
        let count = libraries(state).len();
        if count == 0 {
            return Vec::new();
        }
        let place = state.report().and_then(|report| report.names.as_ref()).map(|names| names.libs_dir.as_str());
        let text = format!(
            "{} for {}",
            words::counted(count, "external library", "external libraries"),
            place.unwrap_or("the libs directory")
        );
        vec![Line::from(theme.span(text, Role::Strong))]
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| match state.report().and_then(|report| report.external_libs.as_ref()) {
            Some(_) => "nothing external: what it needs is on every machine of its tag".into(),
            None => "the repair tool's lens has nothing to say about this file".into(),
        })
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        if let (Some(report), Some(library)) = (state.report(), libraries(state).get(index)) {
            about(&mut text, report, library);
        }
        text.into_lines()
    }

    fn copied(&self, state: &State, index: usize) -> String {
        libraries(state).get(index).map_or_else(String::new, |library| match &library.realpath {
            Some(path) => path.display().to_string(),
            None => library.name.clone(),
        })
    }
}

fn about(text: &mut Text, report: &ArtifactReport, library: &ExternalLibrary) {
    text.labelled("needed as", &library.name, Role::Strong);
    if !library.aliases.is_empty() {
        text.labelled("also as", &library.aliases.join(", "), Role::Plain);
    }
    match &library.realpath {
        Some(path) => text.labelled("comes from", &path.to_string_lossy(), Role::Plain),
        None => text.labelled("comes from", "found nowhere; the tree shows where it was sought", Role::Bad),
    }
    if let Some(name) = &library.grafted_name {
        let place = report.names.as_ref().map_or_else(String::new, |names| format!("{}/", names.libs_dir));
        text.labelled("becomes", &format!("{place}{name}"), Role::Strong);
    }
    let tag = library.symbol_ceiling.as_deref();
    if library.realpath.is_some() {
        text.labelled("oldest tag", tag.unwrap_or("none: no policy has all of its symbol versions"), Role::Plain);
    }
    if let Some(owner) = &library.owner {
        text.labelled("owner", &words::owner(owner), Role::Plain);
    }
    for difference in report.lens_differences.iter().flatten().filter(|difference| difference.name == library.name) {
        text.labelled("lenses", &difference.why, Role::Warning);
    }
}
