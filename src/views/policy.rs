//! Every platform tag, whether it holds, and the library, symbol and version that rule it out.

use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::state::State;
use crate::engine::report::audit::{PolicyReason, PolicyReport};
use ratatui::text::{Line, Span};

/// The panel.
#[derive(Debug)]
pub struct Policy;

fn policy(state: &State) -> Option<&PolicyReport> {
    state.report()?.policy.as_ref()
}

fn reasons(state: &State) -> &[PolicyReason] {
    policy(state).map_or(&[], |policy| policy.reasons.as_slice())
}

impl Rows for Policy {
    fn count(&self, state: &State) -> usize {
        reasons(state).len()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let reasons = reasons(state);
        let Some(reason) = reasons.get(index) else { return Line::default() };
        let repeated = index.checked_sub(1).and_then(|above| reasons.get(above)).is_some_and(|r| r.tag == reason.tag);
        let shown = state.cursor(crate::app::panel::Panel::Policy).query.is_empty();
        let tag = if repeated && shown { "" } else { reason.tag.as_str() };
        let verdict = match (reason.ok, repeated && shown) {
            (true, _) => Cell::fixed("holds", Role::Good, 9),
            (false, true) => Cell::fixed("", Role::Plain, 9),
            (false, false) => Cell::fixed("ruled out", Role::Bad, 9),
        };
        let tag = Cell::fixed(tag, if reason.ok { Role::Strong } else { Role::Plain }, 14);
        line(vec![tag, verdict, Cell::rest(short(reason), Role::Plain, 1)], cells, theme)
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, _cells: usize) -> Vec<Line<'a>> {
        let Some(policy) = policy(state) else { return Vec::new() };
        let said = |label: &'static str, tag: &'a str| -> Vec<Span<'a>> {
            vec![theme.span(label, Role::Quiet), theme.span(tag, Role::Strong)]
        };
        let mut lines = vec![Line::from(said("tag ", &policy.tag))];
        if policy.symbol_tag != policy.tag {
            lines.push(Line::from(said("by its own symbols alone ", &policy.symbol_tag)));
        }
        if let Some(requested) = &policy.requested {
            let holds = policy.reasons.iter().any(|reason| reason.ok && reason.tag == *requested);
            let (word, role) = if holds { ("it holds", Role::Good) } else { ("it is ruled out", Role::Bad) };
            let mut spans = said("asked for ", requested);
            spans.extend([theme.span(": ", Role::Quiet), theme.span(word, role)]);
            lines.push(Line::from(spans));
        }
        lines
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| "platform policies are for ELF artifacts".into())
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        let Some(reason) = reasons(state).get(index) else { return text.into_lines() };
        let (word, role) = if reason.ok { ("holds", Role::Good) } else { ("ruled out", Role::Bad) };
        text.labelled(word, &reason.tag, role);
        if let Some(rule) = &reason.rule {
            text.labelled("rule", words::policy_rule(rule), Role::Plain);
        }
        if let Some(library) = &reason.library {
            text.labelled("library", library, Role::Plain);
        }
        if let Some(symbol) = &reason.symbol {
            text.labelled("symbol", symbol, Role::Plain);
        }
        if let Some(version) = &reason.version {
            text.labelled("version", version, Role::Plain);
        }
        if let Some(file) = &reason.file {
            text.labelled("in the file", &file.to_string_lossy(), Role::Plain);
        }
        text.into_lines()
    }
}

/// What rules the tag out, on one line.
fn short(reason: &PolicyReason) -> String {
    let library = reason.library.as_deref();
    let symbol = match (&reason.symbol, &reason.version) {
        (Some(symbol), Some(version)) => Some(format!("{symbol}@{version}")),
        (None, Some(one)) | (Some(one), None) => Some(one.clone()),
        (None, None) => None,
    };
    match (symbol, library) {
        (Some(symbol), Some(library)) => format!("{symbol} of {library}"),
        (Some(only), None) => only,
        (None, Some(library)) => match reason.rule.as_deref() {
            Some("library") => format!("{library} is not on its list"),
            Some("blacklist") => format!("{library} is on its black list"),
            _ => library.to_owned(),
        },
        (None, None) => reason.rule.as_deref().map_or("", words::policy_rule).to_owned(),
    }
}
