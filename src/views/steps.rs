//! The step line: which steps the chosen artifact has behind it, which comes next, and the keys that take them.

use super::frame::lines;
use super::layout::Screen;
use super::load;
use super::theme::{Role, Theme};
use crate::app::keymap::{BINDINGS, Context, Group};
use crate::app::state::State;
use crate::engine::report::plan::Step;
use ratatui::Frame;
use ratatui::text::{Line, Span};

/// How far a step is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mark {
    /// Taken.
    Done,
    /// The one that comes next.
    Next,
    /// Planned.
    Planned,
    /// Can't be taken.
    Refused,
}

impl Mark {
    /// Its sign and how it looks.
    #[must_use]
    pub const fn sign(self) -> (&'static str, Role) {
        match self {
            Self::Done => ("✓", Role::Good),
            Self::Next => ("▸", Role::Next),
            Self::Planned => ("·", Role::Quiet),
            Self::Refused => ("!", Role::Bad),
        }
    }
}

/// How far `step` of the chosen artifact is.
#[must_use]
pub fn mark(state: &State, step: Step) -> Mark {
    let Some(artifact) = state.artifact() else { return Mark::Planned };
    let refused = artifact.steps.iter().any(|taken| taken.step == step && !taken.done && taken.refusal.is_some());
    if artifact.done.is_some_and(|done| step <= done) {
        Mark::Done
    } else if refused {
        Mark::Refused
    } else if artifact.next == Some(step) {
        Mark::Next
    } else {
        Mark::Planned
    }
}

/// Draws the step line, as wide as there is room.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen, state: &State, theme: Theme) {
    let cells = usize::from(screen.steps.width);
    if cells == 0 {
        return;
    }
    let hints = hints(theme);
    let spaced = steps(state, theme, "── ", true);
    let mut line = if spaced.width() + 2 + hints.width() <= cells {
        pushed(spaced, hints, cells)
    } else {
        // What came of the load gives way before the steps do.
        let tighter = [("── ", true), (" ", true), (" ", false)];
        let mut forms = tighter.into_iter().map(|(between, proof)| steps(state, theme, between, proof));
        forms.find(|line| line.width() <= cells).unwrap_or_else(|| short(state, theme))
    };
    line.style = theme.style(Role::Plain);
    lines(frame, screen.steps, vec![line]);
}

/// The steps with their signs; with `proof`, what came of the load stands behind verify.
fn steps(state: &State, theme: Theme, between: &'static str, proof: bool) -> Line<'static> {
    let load = state.report().and_then(|report| report.load.as_ref()).filter(|_| proof);
    let mut proved = false;
    let mut spans = Vec::new();
    for step in Step::ALL {
        let (sign, role) = mark(state, step).sign();
        let word = if role == Role::Good { Role::Plain } else { role };
        if !spans.is_empty() {
            // A word stands off from the line behind it, as a sign does not.
            let air = if proved && between.starts_with('─') { " " } else { "" };
            spans.push(theme.span(format!("{air}{between}"), Role::Quiet));
        }
        spans.push(theme.span(step.title(), word));
        spans.push(Span::raw(" "));
        spans.push(theme.span(sign, role));
        let load = load.filter(|_| step == Step::Verify);
        proved = load.is_some();
        if let Some(load) = load {
            spans.push(theme.span(format!(" {}", load::word(load.verdict)), load::role(load.verdict)));
        }
    }
    Line::from(spans)
}

/// For narrow terminals: the next step and its number.
fn short(state: &State, theme: Theme) -> Line<'static> {
    let next = state.artifact().and_then(|artifact| artifact.next);
    let Some(place) = next.and_then(|next| Step::ALL.iter().position(|step| *step == next)) else {
        return Line::from(theme.span("all steps taken", Role::Good));
    };
    let step = Step::ALL.get(place).map_or("", |step| step.title());
    Line::from(vec![
        theme.span("next ", Role::Quiet),
        theme.span(step, Role::Next),
        theme.span(format!(", step {} of {}", place + 1, Step::ALL.len()), Role::Quiet),
    ])
}

fn hints(theme: Theme) -> Line<'static> {
    let mut spans = Vec::new();
    let shown = |binding: &&crate::app::keymap::Binding| {
        binding.context == Context::Main && binding.group == Group::Steps && !binding.hint.is_empty()
    };
    for binding in BINDINGS.iter().filter(shown) {
        let Some(key) = binding.keys.first() else { continue };
        if !spans.is_empty() {
            spans.push(Span::raw("  "));
        }
        spans.push(theme.span(key.label(), Role::Key));
        spans.push(theme.span(format!(" {}", binding.hint), Role::Quiet));
    }
    Line::from(spans)
}

/// `right` at the end of a line that begins with `left`.
#[must_use]
pub fn pushed<'a>(mut left: Line<'a>, right: Line<'a>, cells: usize) -> Line<'a> {
    let used = left.width() + right.width();
    left.spans.push(Span::raw(" ".repeat(cells.saturating_sub(used))));
    left.spans.extend(right.spans);
    left
}
