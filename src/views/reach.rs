//! The page on one platform tag: what it would take to bear it.

use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::state::State;
use crate::engine::report::audit::{ReachDemand, ReachReport};
use ratatui::text::Line;

/// How many of the functions that use a symbol are named.
const FUNCTIONS: usize = 6;

/// The page's lines.
#[must_use]
pub fn page(state: &State, tag: &str, theme: Theme, cells: usize) -> Vec<Line<'static>> {
    let mut text = Text::new(cells, theme);
    let known = state.report().and_then(|report| report.policy.as_ref()?.reach.as_ref());
    match known.filter(|reach| reach.tag == tag) {
        Some(reach) => about(&mut text, reach),
        None if state.jobs.foremost().is_some() => text.paragraph("being worked out", Role::Quiet),
        None => text.paragraph("nothing could be worked out for this file", Role::Quiet),
    }
    text.into_lines()
}

fn about(text: &mut Text, reach: &ReachReport) {
    if reach.reached {
        text.paragraph(&format!("Nothing stands between this artifact and {}.", reach.tag), Role::Good);
        return;
    }
    let count = words::counted(reach.demands.len(), "thing stands", "things stand");
    text.paragraph(&format!("{count} between this artifact and {}.", reach.tag), Role::Strong);
    let mut file = None;
    for demand in &reach.demands {
        if file != Some(&demand.file) {
            file = Some(&demand.file);
            text.blank();
            text.heading(&demand.file.to_string_lossy());
        }
        one(text, demand);
    }
}

fn one(text: &mut Text, demand: &ReachDemand) {
    let symbol = match (&demand.symbol, &demand.version) {
        (Some(symbol), Some(version)) => format!("{symbol}@{version}"),
        (Some(one), None) | (None, Some(one)) => one.clone(),
        (None, None) => words::policy_rule(&demand.rule).to_owned(),
    };
    let library = demand.library.as_ref().map(|library| format!(" of {library}")).unwrap_or_default();
    text.hanging("· ", &format!("{symbol}{library}"), Role::Plain);
    if let Some(note) = &demand.note {
        text.hanging("    ", note, Role::Warning);
    }
    if let Some(older) = &demand.older_version {
        text.hanging("    ", &format!("the same symbol as {older} would do: link against it"), Role::Good);
    }
    match (&demand.functions, demand.functions_total) {
        (Some(functions), Some(total)) if !functions.is_empty() => {
            let shown = functions.get(..FUNCTIONS).unwrap_or(functions);
            let more = total.saturating_sub(shown.len() as u64);
            let more = if more > 0 { format!(" and {more} more") } else { String::new() };
            text.hanging("    ", &format!("used by {}{more}", shown.join(", ")), Role::Quiet);
        }
        (Some(_), _) => text.hanging("    ", "no code was found that uses it", Role::Quiet),
        (None, _) => {}
    }
}
