//! Clean bytes against the staged file: what differs in structure, then the changed ranges, what each is, and both files'
//! bytes side by side.

use super::hex::{self, Form};
use super::row::{Cell, line};
use super::rows::{PLAIN, Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::state::{State, files_to_compare};
use crate::engine::report::diff::{DiffDocument, Run, RunKind, StructureChange};
use ratatui::text::Line;

/// The panel.
#[derive(Debug)]
pub struct Bytes;

enum Row<'a> {
    Run(&'a Run),
    Structure(&'a StructureChange),
}

fn diff(state: &State) -> Option<&DiffDocument> {
    state.compared()?.diff.as_deref()
}

fn nth(state: &State, index: usize) -> Option<Row<'_>> {
    let diff = diff(state)?;
    match diff.structure.get(index) {
        Some(change) => Some(Row::Structure(change)),
        None => diff.runs.get(index - diff.structure.len()).map(Row::Run),
    }
}

/// The most lines of bytes that a page takes.
const PAGE_LINES: u64 = 256;

impl Rows for Bytes {
    fn count(&self, state: &State) -> usize {
        diff(state).map_or(0, |diff| diff.runs.len() + diff.structure.len())
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        match nth(state, index) {
            Some(Row::Run(run)) => run_row(run, theme, cells),
            Some(Row::Structure(change)) => {
                let text = format!("{}  {}", change.what, before_and_after(change));
                line(vec![Cell::fixed("structure", Role::Quiet, 10), Cell::rest(text, Role::Plain, 1)], cells, theme)
            }
            None => Line::default(),
        }
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, _cells: usize) -> Vec<Line<'a>> {
        let Some(diff) = diff(state) else { return Vec::new() };
        let text = if diff.equal {
            format!("equal to the last of {} bytes", words::grouped(diff.bytes_compared + diff.bytes_skipped))
        } else {
            let total = usize::try_from(diff.runs_total).unwrap_or(usize::MAX);
            let listed = match diff.runs.len() {
                listed if listed < total => format!(", {listed} of them listed"),
                _ => String::new(),
            };
            format!(
                "{}{listed}, {} compared",
                words::counted(total, "changed range", "changed ranges"),
                words::bytes(diff.bytes_compared)
            )
        };
        vec![Line::from(theme.span(text, Role::Strong))]
    }

    fn empty(&self, state: &State) -> String {
        let Some(artifact) = state.artifact() else { return nothing_known(state).unwrap_or_default() };
        if let Err(reason) = files_to_compare(artifact) {
            return reason.into();
        }
        match state.compared() {
            Some(compared) if compared.problem.is_some() => compared.problem.clone().unwrap_or_default(),
            Some(compared) if compared.diff.is_some() => "both files are equal to the last byte".into(),
            _ => "being compared".into(),
        }
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        match nth(state, index) {
            Some(Row::Run(run)) => {
                about_run(&mut text, run);
                let lines = run.len.div_ceil(Form::for_width(cells).bytes as u64).saturating_add(4);
                text.blank();
                for line in bytes(state, theme, cells, lines.min(PAGE_LINES), 0) {
                    text.line(line);
                }
            }
            Some(Row::Structure(change)) => {
                text.labelled("what", &change.what, Role::Strong);
                text.labelled("before", change.before.as_deref().unwrap_or("not there"), Role::Plain);
                text.labelled("after", change.after.as_deref().unwrap_or("no longer there"), Role::Changed);
            }
            None => {}
        }
        text.into_lines()
    }

    fn lower(
        &self,
        state: &State,
        index: usize,
        theme: Theme,
        (cells, height): (usize, usize),
        _from: u64,
    ) -> Vec<Line<'static>> {
        let Some(Row::Run(run)) = nth(state, index) else { return self.detail(state, index, theme, cells) };
        let mut text = Text::new(cells, theme);
        if let Some(meaning) = &run.meaning {
            text.hanging("", meaning, Role::Plain);
        }
        let mut lines = text.into_lines();
        lines.extend(bytes(state, theme, cells, height as u64, state.detail_scroll));
        lines.truncate(height);
        lines
    }

    fn lower_length(&self, state: &State, index: usize, cells: usize) -> u64 {
        match nth(state, index) {
            // As far as the range reaches, at sixteen bytes a step; the window's other lines come along.
            Some(Row::Run(run)) => (run.len / 16).saturating_add(u64::MAX / 4).min(run.len / 16 + 64),
            _ => self.detail(state, index, PLAIN, cells).len() as u64,
        }
    }

    fn copied(&self, state: &State, index: usize) -> String {
        match nth(state, index) {
            Some(Row::Run(run)) => format!("{:#x}+{}", run.offset, run.len),
            Some(Row::Structure(change)) => format!("{}: {}", change.what, before_and_after(change)),
            None => String::new(),
        }
    }
}

fn run_row<'a>(run: &'a Run, theme: Theme, cells: usize) -> Line<'a> {
    let offset = Cell::fixed(format!("{:#010x}", run.offset), Role::Plain, 10);
    let length = Cell::fixed(words::bytes(run.len), Role::Quiet, 8).right();
    let (kind, role) = kind(run.kind);
    let kind = Cell::fixed(kind, role, 8);
    let region = run.region.as_deref().unwrap_or_default();
    let meaning = run.meaning.as_deref().unwrap_or_default();
    let parts = if cells < 110 {
        // The meaning names the region, or there is none.
        let what = if meaning.is_empty() { region } else { meaning };
        vec![offset, length, kind, Cell::rest(what, Role::Plain, 1)]
    } else {
        vec![offset, length, kind, Cell::fixed(region, Role::Quiet, 18), Cell::rest(meaning, Role::Plain, 1)]
    };
    line(parts, cells, theme)
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

fn about_run(text: &mut Text, run: &Run) {
    let (word, role) = kind(run.kind);
    text.labelled(word, &format!("{} bytes at {:#x} ({})", words::grouped(run.len), run.offset, run.offset), role);
    if let Some(region) = &run.region {
        text.labelled("region", region, Role::Plain);
    }
    if let Some(meaning) = &run.meaning {
        text.labelled("meaning", meaning, Role::Plain);
    }
}

/// A title and `lines` lines of bytes from the chosen range on, `scroll` sixteens further.
fn bytes(state: &State, theme: Theme, cells: usize, lines: u64, scroll: u64) -> Vec<Line<'static>> {
    let (Some(compared), Some(start)) = (state.compared(), state.hex_position()) else { return Vec::new() };
    let Some(window) = &compared.hex else {
        let why = compared.problem.clone().unwrap_or_else(|| "being read".into());
        return vec![Line::from(theme.span(why, Role::Quiet))];
    };
    let form = Form::for_width(cells);
    // The state's position already holds the panel's own scrolling.
    let start = start.saturating_add(scroll.saturating_sub(state.detail_scroll).saturating_mul(16));
    let last = window.clean.len().max(window.staged.len()) as u64;
    let end = window.offset.saturating_add(last);
    let offsets = (0..lines).map(|number| start.saturating_add(number * form.bytes as u64));
    let mut shown = vec![hex::title(form, theme)];
    shown.extend(offsets.take_while(|at| *at < end).map(|at| hex::line(window, at, form, theme)));
    shown
}
