//! The effects of every step: what was done, what comes next, what it reads and writes at most, and why.

use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::steps::{Mark, mark};
use super::text::Text;
use super::theme::{Role, Theme};
use super::{load, words};
use crate::app::state::State;
use crate::engine::binary::Format;
use crate::engine::report::fit_words;
use crate::engine::report::plan::{PlannedEffect, Step};
use crate::engine::stage::SnapshotStep;
use ratatui::text::Line;

/// The panel.
#[derive(Debug)]
pub struct Plan;

enum Row<'a> {
    Step(&'a SnapshotStep),
    Effect(&'a SnapshotStep, &'a PlannedEffect),
}

fn steps(state: &State) -> &[SnapshotStep] {
    state.artifact().map_or(&[], |artifact| artifact.steps.as_slice())
}

/// Row `index`, found by skipping whole steps.
fn nth(state: &State, mut index: usize) -> Option<Row<'_>> {
    for step in steps(state) {
        if index == 0 {
            return Some(Row::Step(step));
        }
        index -= 1;
        if let Some(effect) = step.effects.get(index) {
            return Some(Row::Effect(step, effect));
        }
        index -= step.effects.len();
    }
    None
}

impl Rows for Plan {
    fn count(&self, state: &State) -> usize {
        steps(state).iter().map(|step| step.effects.len() + 1).sum()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        match nth(state, index) {
            Some(Row::Step(step)) => step_row(state, step, theme, cells),
            Some(Row::Effect(step, effect)) => effect_row(step, effect, theme, cells),
            None => Line::default(),
        }
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, _cells: usize) -> Vec<Line<'a>> {
        let mut lines = Vec::new();
        if let Some(text) = no_editor(state) {
            lines.push(Line::from(theme.span(text, Role::Warning)));
        }
        let steps = steps(state);
        if !steps.is_empty() {
            let (reads, writes) = sums(steps);
            let text =
                format!("all steps: read at most {}, write at most {}", words::bytes(reads), words::bytes(writes));
            lines.push(Line::from(theme.span(text, Role::Quiet)));
        }
        lines
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| "nothing is planned for this file".into())
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        match nth(state, index) {
            Some(Row::Step(step)) => about_step(&mut text, state, step),
            Some(Row::Effect(_, effect)) => about_effect(&mut text, effect),
            None => {}
        }
        text.into_lines()
    }

    fn copied(&self, state: &State, index: usize) -> String {
        match nth(state, index) {
            Some(Row::Effect(_, effect)) => effect.path.display().to_string(),
            Some(Row::Step(step)) => cost(step),
            None => String::new(),
        }
    }
}

fn sums<'a>(steps: impl IntoIterator<Item = &'a SnapshotStep>) -> (u64, u64) {
    let effects = steps.into_iter().flat_map(|step| &step.effects);
    effects.fold((0, 0), |(reads, writes), effect| {
        (u64::saturating_add(reads, effect.reads), u64::saturating_add(writes, effect.writes))
    })
}

fn step_row<'a>(state: &State, step: &'a SnapshotStep, theme: Theme, cells: usize) -> Line<'a> {
    let at = mark(state, step.step);
    let (sign, role) = at.sign();
    let title = if at == Mark::Next { Role::Next } else { Role::Strong };
    let summary = match (&step.refusal, step.effects.len()) {
        (Some(refusal), _) if !step.done => format!("refused: {}", refusal.reason),
        (_, 0) => without_effects(state, step),
        (_, count) => {
            format!("{}, {}", words::counted(count, "effect", "effects"), writes(step))
        }
    };
    let summary_role = if at == Mark::Refused { Role::Bad } else { Role::Quiet };
    line(
        vec![
            Cell::fixed(sign, role, 1),
            Cell::fixed(step.step.title(), title, 9),
            Cell::rest(summary, summary_role, 1),
        ],
        cells,
        theme,
    )
}

fn effect_row<'a>(step: &'a SnapshotStep, effect: &'a PlannedEffect, theme: Theme, cells: usize) -> Line<'a> {
    let sign = if step.done { ("✓", Role::Good) } else { ("·", Role::Quiet) };
    let kind = words::effect(&effect.kind);
    let target = if cells < 64 { short_target(effect) } else { target(effect) };
    let target = Cell::rest(target, Role::Plain, 1).path();
    let mut parts = vec![
        Cell::fixed("", Role::Plain, 0),
        Cell::fixed(sign.0, sign.1, 1),
        Cell::fixed(kind, Role::Plain, if cells < 48 { 7 } else { 15 }),
        target,
    ];
    if cells >= 48 {
        let writes = if effect.writes == 0 { String::new() } else { format!("≤ {}", words::bytes(effect.writes)) };
        parts.push(Cell::fixed(writes, Role::Quiet, 10).right());
    }
    line(parts, cells, theme)
}

/// What the effect is about, on one line: the detail of an edit, else the file that comes into being.
fn target(effect: &PlannedEffect) -> String {
    match (&effect.detail, &effect.to) {
        (Some(detail), None) => detail.clone(),
        (_, Some(to)) => to.to_string_lossy().into_owned(),
        (None, None) => effect.path.to_string_lossy().into_owned(),
    }
}

/// The same without directories.
fn short_target(effect: &PlannedEffect) -> String {
    match (&effect.detail, &effect.to) {
        (Some(detail), None) => detail.clone(),
        (_, to) => {
            let path = to.as_ref().unwrap_or(&effect.path);
            path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
        }
    }
}

/// What there is to say of a step that has no effects: nothing is planned behind a refused one.
fn without_effects(state: &State, step: &SnapshotStep) -> String {
    let before = steps(state).iter().take_while(|other| other.step < step.step);
    match before.filter(|other| !other.done && other.refusal.is_some()).last() {
        Some(refused) if !step.done => format!("not planned, because {} is refused", refused.step.title()),
        _ => nothing(step.step).to_owned(),
    }
}

/// What a step without effects does.
const fn nothing(step: Step) -> &'static str {
    match step {
        Step::Audit => "looks at dependencies and policy; changes nothing",
        Step::Predict => "says what the patch step will edit; changes nothing",
        Step::Verify => "reads every edit again and resolves the bundle; changes nothing",
        Step::Graft => "no library to copy",
        Step::CopyBack => "not needed: no edit is planned",
        Step::Patch => "nothing to edit",
        Step::Stage | Step::Finalize => "nothing to do",
    }
}

/// What a step does and costs, in one sentence.
fn cost(step: &SnapshotStep) -> String {
    let title = step.step.title();
    if let Some(refusal) = &step.refusal {
        return format!("{title} is refused: {}; {}", refusal.reason, refusal.way_out);
    }
    // A directory is made for the sake of what follows.
    let main = step.effects.iter().find(|effect| effect.kind != "mkdir").or(step.effects.first());
    let Some(first) = main else { return format!("{title}: {}", nothing(step.step)) };
    let more = match step.effects.len() - 1 {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let name = first.to.as_ref().unwrap_or(&first.path).file_name().unwrap_or_default().to_string_lossy();
    format!("{title} ({}): {} {name}{more}", writes(step), words::effect(&first.kind))
}

/// The most that a step writes.
fn writes(step: &SnapshotStep) -> String {
    match sums([step]).1 {
        0 => "writes nothing".into(),
        count => format!("writes ≤ {}", words::bytes(count)),
    }
}

/// What the chosen artifact's next step will do, for the foot.
#[must_use]
pub fn next_step(state: &State) -> String {
    let Some(artifact) = state.artifact() else { return String::new() };
    let Some(next) = artifact.next else { return "all steps of this artifact are taken".into() };
    match artifact.steps.iter().find(|step| step.step == next) {
        Some(step) => cost(step),
        None => format!("next: {}", next.title()),
    }
}

/// For formats that no editor knows yet.
#[must_use]
pub fn no_editor(state: &State) -> Option<String> {
    match state.report()?.format? {
        Format::Elf => None,
        format => Some(format!("{} can be staged and finalized; editing it is not offered yet", words::format(format))),
    }
}

fn about_step(text: &mut Text, state: &State, step: &SnapshotStep) {
    let word = match mark(state, step.step) {
        Mark::Done => ("done", Role::Good),
        Mark::Next => ("next", Role::Next),
        Mark::Planned => ("planned", Role::Plain),
        Mark::Refused => ("refused", Role::Bad),
    };
    text.labelled(step.step.title(), word.0, word.1);
    if let Some(refusal) = &step.refusal {
        text.labelled("why", &refusal.reason, Role::Bad);
        text.labelled("way out", &refusal.way_out, Role::Plain);
    }
    let load = state.report().and_then(|report| report.load.as_ref()).filter(|_| step.step == Step::Verify);
    for (place, (said, role)) in load.into_iter().flat_map(load::facts).enumerate() {
        text.labelled(if place == 0 { "load proof" } else { "" }, &said, role);
    }
    if step.effects.is_empty() {
        text.labelled("effects", &without_effects(state, step), Role::Plain);
        about_notes(text, step);
        return;
    }
    let (reads, writes) = sums([step]);
    text.labelled("reads", &format!("at most {} ({} bytes)", words::bytes(reads), words::grouped(reads)), Role::Plain);
    text.labelled(
        "writes",
        &format!("at most {} ({} bytes)", words::bytes(writes), words::grouped(writes)),
        Role::Plain,
    );
    for (place, effect) in step.effects.iter().enumerate() {
        let what = format!("{}: {}", words::effect(&effect.kind), effect.why);
        text.labelled(if place == 0 { "why" } else { "" }, &what, Role::Plain);
    }
    about_notes(text, step);
}

fn about_notes(text: &mut Text, step: &SnapshotStep) {
    for note in &step.notes {
        text.labelled("note", note, Role::Warning);
    }
}

fn about_effect(text: &mut Text, effect: &PlannedEffect) {
    text.labelled("effect", words::effect(&effect.kind), Role::Strong);
    text.labelled("why", &effect.why, Role::Plain);
    text.labelled("path", &effect.path.to_string_lossy(), Role::Plain);
    if let Some(to) = &effect.to {
        text.labelled("to", &to.to_string_lossy(), Role::Plain);
    }
    if let Some(detail) = &effect.detail {
        text.labelled("what", detail, Role::Plain);
    }
    if let Some(fit) = &effect.fit {
        text.labelled("fits", &fit_words::chosen(fit), Role::Strong);
        let (relro, role) = words::relro(fit.relro);
        text.labelled("RELRO", relro, role);
    }
    let cost = format!("reads at most {}, writes at most {}", words::bytes(effect.reads), words::bytes(effect.writes));
    text.labelled("cost", &cost, Role::Plain);
}
