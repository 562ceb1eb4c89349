//! What was found: code, weight and title; evidence and fix of the chosen one.

use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::{plan, words};
use crate::app::state::State;
use crate::engine::report::audit::Finding;
use ratatui::text::Line;

/// The panel.
#[derive(Debug)]
pub struct Findings;

fn findings(state: &State) -> &[Finding] {
    state.report().map_or(&[], |report| report.findings.as_slice())
}

impl Rows for Findings {
    fn count(&self, state: &State) -> usize {
        findings(state).len()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let Some(finding) = findings(state).get(index) else { return Line::default() };
        let (word, role) = words::severity(finding.severity);
        line(
            vec![
                Cell::fixed(finding.code.as_str(), Role::Strong, 5),
                Cell::fixed(word, role, 7),
                Cell::rest(finding.title.as_str(), Role::Plain, 1),
            ],
            cells,
            theme,
        )
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, _cells: usize) -> Vec<Line<'a>> {
        plan::no_editor(state).map(|text| Line::from(theme.span(text, Role::Warning))).into_iter().collect()
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| "nothing was found wrong".into())
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        if let Some(finding) = findings(state).get(index) {
            about(&mut text, finding);
        }
        text.into_lines()
    }

    fn copied(&self, state: &State, index: usize) -> String {
        findings(state).get(index).map_or_else(String::new, |finding| match finding.fix.is_empty() {
            true => format!("{}: {}", finding.code, finding.title),
            false => finding.fix.join("\n"),
        })
    }
}

/// A finding in full.
pub fn about(text: &mut Text, finding: &Finding) {
    let (word, role) = words::severity(finding.severity);
    text.hanging(&format!("{} ", finding.code), &format!("{word}: {}", finding.title), role);
    if !finding.evidence.is_empty() {
        text.blank();
        text.heading("evidence");
        for line in &finding.evidence {
            text.hanging("· ", line, Role::Plain);
        }
    }
    if !finding.fix.is_empty() {
        text.blank();
        text.heading("fix");
        for line in &finding.fix {
            match line.strip_prefix('#') {
                Some(sentence) => text.hanging("· ", sentence.trim_start(), Role::Plain),
                None => text.hanging("    ", line, Role::Key),
            }
        }
    }
}
