//! The instructions beyond the architecture's baseline: by processor feature, with the functions that hold them.

use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::state::State;
use crate::engine::report::audit::{FeatureUse, InstructionsReport};
use ratatui::text::Line;

/// The panel.
#[derive(Debug)]
pub struct Cpu;

fn instructions(state: &State) -> Option<&InstructionsReport> {
    state.report()?.slices.first()?.instructions.as_ref()
}

fn feature(state: &State, index: usize) -> Option<&FeatureUse> {
    instructions(state)?.features.get(index)
}

impl Rows for Cpu {
    fn count(&self, state: &State) -> usize {
        instructions(state).map_or(0, |found| found.features.len())
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let Some(feature) = feature(state, index) else { return Line::default() };
        let count = words::grouped(feature.instructions);
        let functions = words::counted(feature.functions_total as usize, "function", "functions");
        let parts = vec![
            Cell::rest(feature.feature.as_str(), Role::Plain, 3),
            Cell::fixed(feature.level.as_deref().unwrap_or("no level"), Role::Quiet, 10),
            Cell::fixed(count, Role::Plain, 10).right(),
            Cell::rest(functions, Role::Quiet, 3),
        ];
        line(parts, cells, theme)
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, _cells: usize) -> Vec<Line<'a>> {
        let Some(found) = instructions(state) else { return Vec::new() };
        let decoded = words::bytes(found.bytes_decoded);
        let (text, role) = match (found.features.is_empty(), &found.level) {
            (true, _) => (format!("nothing beyond {} in {decoded} of code", found.baseline), Role::Good),
            (false, Some(level)) => (format!("contains instructions of {level}, in {decoded} of code"), Role::Warning),
            (false, None) => {
                (format!("contains instructions beyond {}, in {decoded} of code", found.baseline), Role::Warning)
            }
        };
        let mut lines = vec![Line::from(theme.span(text, role))];
        let marked = match &found.marked {
            Some(level) => format!("the file itself asks for {level}"),
            None => "the file itself asks for no level".to_owned(),
        };
        lines.push(Line::from(theme.span(marked, Role::Quiet)));
        lines
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| match instructions(state) {
            Some(_) => "every processor of the architecture has all of its instructions".into(),
            None if state.jobs.foremost().is_some() => "being decoded".into(),
            None => "the code of this architecture is not decoded".into(),
        })
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        let Some(feature) = feature(state, index) else { return text.into_lines() };
        text.labelled("feature", &feature.feature, Role::Strong);
        text.labelled("level", feature.level.as_deref().unwrap_or("in no level"), Role::Plain);
        text.paragraph(
            "That they are there does not say that they run: a program may ask the processor first.",
            Role::Quiet,
        );
        text.blank();
        let shown = feature.functions.len();
        let of = if (shown as u64) < feature.functions_total { "the first functions, by address" } else { "functions" };
        text.heading(of);
        for function in &feature.functions {
            let name = function.name.clone().unwrap_or_else(|| format!("function at {:#x}", function.address));
            text.hanging("  ", &format!("{name}: {}", words::grouped(function.instructions)), Role::Plain);
            text.hanging("    ", &format!("{:#x}  {}", function.first, function.example), Role::Quiet);
        }
        text.into_lines()
    }
}
