//! Clean bytes against the staged file: the whole file as a map, the verdict, what differs as a list, and both files' bytes
//! side by side.

use super::fit::width;
use super::hex::{self, Form};
use super::minimap;
use super::row::{Cell, line};
use super::rows::{PLAIN, Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::bytes::{PAGE_LINES, shows_bytes};
use crate::app::changes::{Changes, Common, Entry, Group, Order};
use crate::app::compared::Compared;
use crate::app::state::{State, files_to_compare};
use crate::engine::report::diff::{DiffDocument, Run, RunKind, StructureChange};
use ratatui::text::{Line, Span};

/// The panel.
#[derive(Debug)]
pub struct Bytes;

/// From this width on, a row says the region and the meaning in cells of their own.
const WIDE: usize = 100;
/// Below this height of the terminal, the orders are not named.
const ORDERS_FROM: u16 = 16;
/// The most lines of the lower part that say what the range is.
const MOST_WORDS: usize = 3;

/// One row and what it is of.
enum Item<'a> {
    Group(&'a Group),
    Run(&'a Run),
    Structure(&'a StructureChange),
}

fn shown(state: &State) -> Option<(&Compared, &DiffDocument)> {
    let compared = state.compared()?;
    Some((compared, compared.diff.as_deref()?))
}

fn nth(state: &State, index: usize) -> Option<(Item<'_>, &DiffDocument)> {
    let (compared, diff) = shown(state)?;
    let item = match *compared.changes.entries.get(index)? {
        Entry::Group(number) => Item::Group(compared.changes.groups.get(number)?),
        Entry::Run(number) => Item::Run(diff.runs.get(number)?),
        Entry::Structure(number) => Item::Structure(diff.structure.get(number)?),
    };
    Some((item, diff))
}

impl Rows for Bytes {
    fn count(&self, state: &State) -> usize {
        state.compared().map_or(0, |compared| compared.changes.entries.len())
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let grouped = matches!(state.order, Order::Meaning | Order::Effect);
        match nth(state, index) {
            Some((Item::Group(group), diff)) => group_row(group, diff, theme, cells),
            Some((Item::Run(run), diff)) => run_row(run, diff, grouped, theme, cells),
            Some((Item::Structure(change), _)) => structure_row(change, theme, cells),
            None => Line::default(),
        }
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, cells: usize) -> Vec<Line<'a>> {
        let Some((compared, diff)) = shown(state) else { return Vec::new() };
        let mut lines: Vec<Line<'a>> = minimap::line(state, theme, cells).into_iter().collect();
        let mut text = Text::new(cells, theme);
        let (verdict, role) = verdict(compared, diff);
        text.paragraph(&verdict, role);
        lines.extend(text.into_lines().into_iter().take(2));
        if state.size.height >= ORDERS_FROM {
            lines.push(orders(&compared.changes, diff, theme));
        }
        lines
    }

    fn empty(&self, state: &State) -> String {
        let Some(artifact) = state.artifact() else { return nothing_known(state).unwrap_or_default() };
        if let Err(reason) = files_to_compare(artifact) {
            return reason.into();
        }
        let problem = state.compared().and_then(|compared| compared.problem.clone());
        match (shown(state), problem) {
            (_, Some(problem)) => problem,
            (Some((_, diff)), None) if state.order == Order::Structure && !diff.equal => {
                "nothing differs in the structure".into()
            }
            (Some((compared, _)), None) if !compared.is_complete() => "nothing that differs was found so far".into(),
            (Some(_), None) => "both files are equal to the last byte".into(),
            (None, None) => "being compared".into(),
        }
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        match nth(state, index) {
            Some((Item::Run(run), diff)) => {
                about_run(&mut text, run, diff);
                text.blank();
                for line in bytes(state, theme, cells, PAGE_LINES) {
                    text.line(line);
                }
            }
            Some((Item::Group(group), diff)) => {
                let (what, role) = common(group, diff);
                text.paragraph(&what, role);
                text.labelled("ranges", &words::grouped(group.runs), Role::Plain);
                text.labelled("bytes", &words::grouped(group.bytes), Role::Plain);
            }
            Some((Item::Structure(change), _)) => {
                text.labelled("what", &change.what, Role::Strong);
                text.labelled("before", change.before.as_deref().unwrap_or("not there"), Role::Plain);
                text.labelled("after", change.after.as_deref().unwrap_or("no longer there"), Role::Changed);
            }
            None => {}
        }
        text.into_lines()
    }

    fn detail_share(&self) -> (u16, u16) {
        (3, 5)
    }

    fn floor(&self, state: &State, theme: Theme, (cells, height): (usize, usize)) -> Option<Vec<Line<'static>>> {
        shown(state)?;
        Some(bytes(state, theme, cells, height))
    }

    fn lower(
        &self,
        state: &State,
        index: usize,
        theme: Theme,
        (cells, height): (usize, usize),
        from: u64,
    ) -> Vec<Line<'static>> {
        if !shows_bytes(state) {
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            return self.detail(state, index, theme, cells).into_iter().skip(from).take(height).collect();
        }
        let mut text = Text::new(cells, theme);
        let is_here = state.compared().is_some_and(|compared| compared.open.is_none());
        if let Some((Item::Run(run), diff)) = nth(state, index).filter(|_| is_here) {
            if let Some(meaning) = &run.meaning {
                text.paragraph(meaning, Role::Plain);
            }
            if let Some((words, role)) = explained(run, diff) {
                text.paragraph(&words, role);
            }
        }
        let mut lines = text.into_lines();
        lines.truncate(MOST_WORDS.min(height / 3));
        lines.extend(bytes(state, theme, cells, height - lines.len()));
        lines
    }

    fn lower_length(&self, state: &State, index: usize, cells: usize) -> u64 {
        // Lines of bytes are scrolled by their places, not by a count.
        if shows_bytes(state) { 0 } else { self.detail(state, index, PLAIN, cells).len() as u64 }
    }

    fn copied(&self, state: &State, index: usize) -> String {
        match nth(state, index) {
            Some((Item::Run(run), _)) => format!("{:#x}+{}", run.offset, run.len),
            Some((Item::Structure(change), _)) => format!("{}: {}", change.what, before_and_after(change)),
            Some((Item::Group(group), diff)) => common(group, diff).0,
            None => String::new(),
        }
    }

    /// Rows may be a hundred thousand: what a filter looks for is put together without laying a line out.
    fn plain(&self, state: &State, index: usize) -> String {
        match nth(state, index) {
            Some((Item::Run(run), diff)) => {
                let region = run.region.as_deref().unwrap_or_default();
                let meaning = run.meaning.as_deref().unwrap_or_default();
                let by = explained(run, diff).map(|(words, _)| words).unwrap_or_default();
                let (kind, class) = (kind(run.kind).0, words::class(run.class));
                format!("{:#010x} {kind} {class} {region} {meaning} {by}", run.offset)
            }
            Some((Item::Structure(change), _)) => format!("{} {}", change.what, before_and_after(change)),
            Some((Item::Group(group), diff)) => common(group, diff).0,
            None => String::new(),
        }
    }
}

/// What was found, as far as the comparison has come.
fn verdict(compared: &Compared, diff: &DiffDocument) -> (String, Role) {
    let total = usize::try_from(diff.runs_total).unwrap_or(usize::MAX);
    let ranges = words::counted(total, "range", "ranges");
    if !compared.is_complete() {
        let done = diff.bytes_compared.saturating_add(diff.bytes_skipped);
        let all = diff.a_size.max(diff.b_size);
        let so_far = format!("{ranges} so far, {} of {} compared", words::bytes(done.min(all)), words::bytes(all));
        return match &compared.problem {
            Some(problem) => (format!("{so_far}; {problem}"), Role::Warning),
            None => (so_far, Role::Strong),
        };
    }
    let mut text = diff.verdict.clone();
    if diff.runs.len() < total {
        text.push_str(&format!(" ({} of {ranges} listed)", words::grouped(diff.runs.len() as u64)));
    }
    (text, if diff.unexplained.is_some_and(|count| count > 0) { Role::Bad } else { Role::Strong })
}

/// The orders, the chosen one in brackets.
fn orders<'a>(changes: &Changes, diff: &DiffDocument, theme: Theme) -> Line<'a> {
    let mut spans = vec![theme.span("by ", Role::Quiet)];
    for order in Order::ALL {
        let (name, count) = match order {
            Order::Address => ("address", Some(diff.runs.len())),
            Order::Meaning => ("meaning", Some(diff.by_class.len())),
            Order::Effect => ("effect", diff.edits.as_ref().map(Vec::len)),
            Order::Structure => ("structure", Some(diff.structure.len())),
        };
        if order != Order::Address {
            spans.push(Span::raw("  "));
        }
        let count = count.map_or_else(String::new, |count| format!(" {}", words::grouped(count as u64)));
        let name = format!("{name}{count}");
        spans.push(match order == changes.order {
            true => theme.span(format!("[{name}]"), Role::Heading),
            false => theme.span(name, Role::Quiet),
        });
    }
    Line::from(spans)
}

fn group_row<'a>(group: &Group, diff: &DiffDocument, theme: Theme, cells: usize) -> Line<'a> {
    let (what, role) = common(group, diff);
    let runs = usize::try_from(group.runs).unwrap_or(usize::MAX);
    let mut total = words::counted(runs, "range", "ranges");
    if cells >= WIDE / 2 {
        total.push_str(&format!(", {}", words::bytes(group.bytes)));
    }
    let room = width(&total).max(9);
    line(vec![Cell::rest(what, role, 1), Cell::fixed(total, Role::Quiet, room).right()], cells, theme)
}

fn common(group: &Group, diff: &DiffDocument) -> (String, Role) {
    match &group.common {
        Common::Class(class) => (words::class(*class).to_owned(), Role::Strong),
        Common::Edits(edits) => by_edits(edits, diff),
        Common::Unknown => ("no edits of this file are known".to_owned(), Role::Strong),
    }
}

/// What explains a range; `None` when no edits are known.
fn explained(run: &Run, diff: &DiffDocument) -> Option<(String, Role)> {
    run.explained_by.as_ref().map(|edits| by_edits(edits, diff))
}

fn by_edits(edits: &[usize], diff: &DiffDocument) -> (String, Role) {
    if edits.is_empty() {
        return ("explained by nothing".to_owned(), Role::Bad);
    }
    let words = edits.iter().filter_map(|edit| diff.edits.as_ref()?.get(*edit));
    let words: Vec<&str> = words.map(String::as_str).collect();
    (format!("explained by {}", words.join("; ")), Role::Good)
}

fn run_row<'a>(run: &'a Run, diff: &DiffDocument, grouped: bool, theme: Theme, cells: usize) -> Line<'a> {
    let indent = if grouped { "  " } else { "" };
    let digits = format!("{:x}", diff.a_size.max(diff.b_size)).len() + 2;
    let offset = Cell::fixed(format!("{indent}{:#0digits$x}", run.offset), Role::Plain, digits + indent.len());
    let length = Cell::fixed(words::bytes(run.len), Role::Quiet, 8).right();
    let (kind, role) = kind(run.kind);
    let kind = Cell::fixed(kind, role, 8);
    let region = run.region.as_deref().unwrap_or_default();
    let meaning = run.meaning.as_deref().unwrap_or_default();
    let unexplained = run.explained_by.as_ref().is_some_and(Vec::is_empty);
    let mut parts = vec![offset, length, kind];
    if unexplained {
        parts.push(Cell::fixed("unexplained", Role::Bad, 11));
    }
    if cells < WIDE {
        // The meaning names the region, or there is none.
        parts.push(Cell::rest(if meaning.is_empty() { region } else { meaning }, Role::Plain, 1));
    } else {
        parts.push(Cell::fixed(region, Role::Quiet, 18));
        parts.push(Cell::rest(meaning, Role::Plain, 1));
    }
    line(parts, cells, theme)
}

fn structure_row(change: &StructureChange, theme: Theme, cells: usize) -> Line<'_> {
    let what = Cell::rest(change.what.as_str(), Role::Strong, 2);
    let before = Cell::rest(change.before.as_deref().unwrap_or("not there"), side(&change.before, Role::Plain), 4);
    let after = Cell::rest(change.after.as_deref().unwrap_or("gone"), side(&change.after, Role::Changed), 4);
    line(vec![what, before, Cell::fixed("→", Role::Quiet, 1), after], cells, theme)
}

const fn side(value: &Option<String>, role: Role) -> Role {
    if value.is_some() { role } else { Role::Quiet }
}

const fn kind(kind: RunKind) -> (&'static str, Role) {
    match kind {
        RunKind::Changed => ("changed", Role::Changed),
        RunKind::Inserted => ("inserted", Role::Good),
        RunKind::Removed => ("removed", Role::Bad),
    }
}

fn before_and_after(change: &StructureChange) -> String {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{before} → {after}"),
        (Some(before), None) => format!("{before} is gone"),
        (None, Some(after)) => format!("new: {after}"),
        (None, None) => String::new(),
    }
}

fn about_run(text: &mut Text, run: &Run, diff: &DiffDocument) {
    let (word, role) = kind(run.kind);
    text.labelled(word, &format!("{} bytes at {:#x} ({})", words::grouped(run.len), run.offset, run.offset), role);
    if let Some(region) = &run.region {
        text.labelled("region", &format!("{region} ({})", words::class(run.class)), Role::Plain);
    }
    if let Some(meaning) = &run.meaning {
        text.labelled("meaning", meaning, Role::Plain);
    }
    if let Some((words, role)) = explained(run, diff) {
        text.labelled("cause", &words, role);
    }
}

/// A title and what is in sight of both files, `height` lines in all.
fn bytes(state: &State, theme: Theme, cells: usize, height: usize) -> Vec<Line<'static>> {
    let Some(compared) = state.compared() else { return Vec::new() };
    if let Some(why) = &compared.unread {
        return vec![Line::from(theme.span(why.clone(), Role::Bad))];
    }
    let form = Form::for_width(cells, compared);
    let rows = compared.rows(form.bytes as u64);
    let first = compared.first_line(crate::app::bytes::chosen(state), form.bytes as u64);
    let mut lines = vec![hex::title(form, theme)];
    lines.extend(rows.from(first).map(|row| hex::line(compared, &row, form, theme)).take(height.saturating_sub(1)));
    lines
}
