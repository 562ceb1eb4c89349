//! One name that is opened, in full: the verdict, here and in the bundle side by side, what can be done, the evidence.

use super::dlopen::verdict;
use super::fit::{width, wrap};
use super::load;
use super::text::Text;
use super::theme::{Role, Theme};
use crate::engine::report::dlopen::{Confidence, NameEvidence, OpenedBy, OpenedName, Opening, OpeningOutcome, Remedy};
use crate::engine::report::opened_words;
use crate::engine::report::words;
use ratatui::text::{Line, Span};

/// From this width on, the two openings stand side by side.
const SIDE_BY_SIDE: usize = 72;

/// Stands before the chosen remedy.
const CHOSEN: &str = "▸ ";

/// Writes everything about `name`, with remedy number `chosen` in full.
pub fn about(text: &mut Text, name: &OpenedName, chosen: Option<usize>, (cells, theme): (usize, Theme)) {
    let (word, role) = verdict(name.verdict);
    text.labelled("name", &name.name, Role::Strong);
    text.labelled("verdict", &format!("{word}: {}", opened_words::meaning(name.verdict)), role);
    if !name.why.is_empty() {
        text.labelled("why", &name.why, Role::Plain);
    }
    if let Some(grafted) = &name.grafted {
        let why = format!("needed as {} by {}", grafted.needed_as, grafted.because_of.join(", "));
        text.labelled("grafted as", &format!("{} ({why})", grafted.name), Role::Warning);
    }
    let sure = matches!(name.confidence, Confidence::Declared | Confidence::Passed);
    text.labelled("how sure", opened_words::how_sure(name.confidence), if sure { Role::Plain } else { Role::Quiet });
    if name.caller == OpenedBy::Python {
        text.labelled("opened by", opened_words::caller(name.caller), Role::Plain);
    }
    openings(text, name, cells, theme);
    remedies(text, &name.remedies, chosen);
    observed(text, name);
    evidence(text, &name.evidence);
    refused(text, "tried here, and refused", name.would_resolve.as_ref());
    refused(text, "tried in the bundle, and refused", name.in_bundle.as_ref());
}

/// Both openings, beside each other where there is room.
fn openings(text: &mut Text, name: &OpenedName, cells: usize, theme: Theme) {
    let here = ("here", name.would_resolve.as_ref());
    let bundle = ("in the bundle", name.in_bundle.as_ref());
    text.blank();
    if cells < SIDE_BY_SIDE {
        for (title, opening) in [here, bundle] {
            text.labelled(title, &opened_words::opening(opening), outcome_role(opening));
            for (line, role) in facts(opening) {
                text.labelled("", &line, role);
            }
        }
        return;
    }
    let room = (cells - 3) / 2;
    let (left, right) = (column(here, room), column(bundle, room));
    for place in 0..left.len().max(right.len()) {
        let cell = |column: &[(String, Role)]| column.get(place).cloned().unwrap_or((String::new(), Role::Plain));
        let ((left, left_role), (right, right_role)) = (cell(&left), cell(&right));
        let padding = " ".repeat(room.saturating_sub(width(&left)));
        text.line(Line::from(vec![
            theme.span(left, left_role),
            Span::raw(padding),
            theme.span(" │ ", Role::Frame),
            theme.span(right, right_role),
        ]));
    }
}

/// One opening in lines of at most `cells` cells.
fn column((title, opening): (&str, Option<&Opening>), cells: usize) -> Vec<(String, Role)> {
    let mut lines = vec![(title.to_owned(), Role::Heading)];
    let outcome = (opened_words::opening(opening), outcome_role(opening));
    for (line, role) in std::iter::once(outcome).chain(facts(opening)) {
        lines.extend(wrap(&line, cells).into_iter().map(|piece| (piece.to_owned(), role)));
    }
    lines
}

/// What there is to say of an opening besides its outcome.
fn facts(opening: Option<&Opening>) -> Vec<(String, Role)> {
    let Some(opening) = opening else { return Vec::new() };
    let mut facts = Vec::new();
    facts.extend(opening.path.clone().map(|path| (path, Role::Plain)));
    facts.extend(opened_words::by_rule(opening).map(|rule| (format!("by {rule}"), Role::Quiet)));
    facts.extend(opening.missing.iter().map(|missing| (format!("needs {missing}, which is not found"), Role::Bad)));
    facts.extend(opening.note.clone().map(|note| (note, Role::Quiet)));
    if !opening.candidates.is_empty() {
        let places = words::counted(opening.candidates.len(), "place was", "places were");
        facts.push((format!("{places} tried before, see below"), Role::Quiet));
    }
    facts
}

const fn outcome_role(opening: Option<&Opening>) -> Role {
    match opening {
        None => Role::Quiet,
        Some(opening) => match opening.outcome {
            OpeningOutcome::Found | OpeningOutcome::Loaded => Role::Good,
            OpeningOutcome::OnlyIfLoadedBefore | OpeningOutcome::Unknown => Role::Warning,
            OpeningOutcome::Missing | OpeningOutcome::Incomplete => Role::Bad,
        },
    }
}

/// All remedies with what speaks for or against each; the chosen one with what it changes and what came of trying it.
fn remedies(text: &mut Text, remedies: &[Remedy], chosen: Option<usize>) {
    if remedies.is_empty() {
        return;
    }
    text.blank();
    text.heading("remedies");
    for (place, remedy) in remedies.iter().enumerate() {
        let is_chosen = chosen == Some(place);
        let (mark, name) = if is_chosen { (CHOSEN, Role::Next) } else { ("  ", Role::Strong) };
        let mut says = vec![opened_words::helps(remedy.helps)];
        says.extend(remedy.adopted.then_some("adopted"));
        says.extend(remedy.tried.as_ref().map(|load| match opened_words::tried(load).1 {
            true => "tried: works",
            false => "tried: FAILS",
        }));
        text.marked(mark, Role::Next, &format!("{}: {}", opened_words::remedy(remedy.kind), says.join(", ")), name);
        let role = match remedy.helps {
            Some(true) => Role::Good,
            Some(false) => Role::Bad,
            None => Role::Warning,
        };
        text.hanging("    ", &remedy.why, role);
        if is_chosen {
            about_remedy(text, remedy);
        }
    }
}

/// The line in `detail` on which the chosen remedy stands.
#[must_use]
pub fn chosen_line(detail: &[Line<'_>]) -> Option<usize> {
    detail.iter().position(|line| line.spans.first().is_some_and(|span| span.content == CHOSEN))
}

fn about_remedy(text: &mut Text, remedy: &Remedy) {
    for change in &remedy.changes {
        text.hanging("    changes ", change, Role::Plain);
    }
    for line in &remedy.lines {
        text.hanging("      ", line, Role::Key);
    }
    if let Some(tried) = &remedy.tried {
        let (said, works) = opened_words::tried(tried);
        text.hanging("    tried   ", &said, if works { Role::Good } else { Role::Bad });
        let (said, role) = load::verdict(tried);
        text.hanging("            ", &said, role);
        for (line, role) in load::details(tried) {
            text.hanging("            ", &line, role);
        }
    }
}

/// What a traced run did with the name.
fn observed(text: &mut Text, name: &OpenedName) {
    let Some(runs) = &name.observed else { return };
    text.blank();
    text.heading("in the traced run");
    if runs.is_empty() {
        text.paragraph(
            "not seen: nobody asked, or it was loaded already, of which the loader says nothing",
            Role::Quiet,
        );
    }
    for run in runs {
        let role = if run.error.is_some() { Role::Bad } else { Role::Plain };
        let passed = if run.name == name.name { String::new() } else { format!("{}: ", run.name) };
        text.hanging("· ", &format!("{passed}{}", opened_words::observed(run)), role);
    }
}

fn evidence(text: &mut Text, evidence: &[NameEvidence]) {
    if evidence.is_empty() {
        return;
    }
    text.blank();
    text.heading("evidence");
    for seen in evidence {
        text.hanging("· ", &opened_words::seen(seen), Role::Plain);
        if let Some(detail) = &seen.detail {
            text.hanging("    ", detail, Role::Quiet);
        }
    }
}

/// The files that were tried in vain, with the reason of each refusal.
fn refused(text: &mut Text, heading: &str, opening: Option<&Opening>) {
    let Some(opening) = opening.filter(|opening| !opening.candidates.is_empty()) else { return };
    text.blank();
    text.heading(heading);
    for candidate in &opening.candidates {
        let reason = words::rejection(candidate.rejected);
        text.hanging("· ", &format!("{}: {reason}", candidate.path.display()), Role::Quiet);
    }
}
