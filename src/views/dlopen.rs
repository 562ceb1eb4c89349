//! What the artifact may open at run time: a name a row, with the verdict and where the bundle has it.

use super::opening;
use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::jobs::Request;
use crate::app::opened;
use crate::app::state::State;
use crate::engine::audit::Question;
use crate::engine::report::dlopen::{DlopenReport, ObservedOpening, OpenedName, OpenedVerdict, OpeningOutcome};
use crate::engine::report::opened_words;
use crate::engine::report::trace::LoadResult;
use ratatui::text::Line;

/// The panel.
#[derive(Debug)]
pub struct Dlopen;

/// From this width on, a row says how sure it is.
const SURE: usize = 44;
/// From this width on, it says where the bundle has the library.
const PLACE: usize = 72;
/// From this width on, it says what helps.
const REMEDY: usize = 110;

/// Cells of the longest remedy's name.
const REMEDY_CELLS: usize = 27;

enum Row<'a> {
    /// A name of the candidates.
    Name(&'a OpenedName),
    /// What only a run has shown.
    Unforeseen(&'a ObservedOpening),
}

fn nth(state: &State, index: usize) -> Option<Row<'_>> {
    let names = opened::names(state);
    match names.get(index) {
        Some(name) => Some(Row::Name(name)),
        None => opened::unforeseen(state).get(index - names.len()).map(Row::Unforeseen),
    }
}

impl Rows for Dlopen {
    fn count(&self, state: &State) -> usize {
        opened::names(state).len() + opened::unforeseen(state).len()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let parts = match nth(state, index) {
            Some(Row::Name(name)) => name_cells(name, cells),
            Some(Row::Unforeseen(run)) => unforeseen_cells(run, cells),
            None => return Line::default(),
        };
        line(parts, cells, theme)
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, cells: usize) -> Vec<Line<'a>> {
        let Some(report) = opened::report(state) else { return Vec::new() };
        let mut text = Text::new(cells, theme);
        let imports = report.imports.iter().map(|import| import.name.as_str());
        text.paragraph(&opened_words::imports(imports, report.calls.as_ref().map(Vec::len)), Role::Strong);
        calls(&mut text, report, cells);
        traced(&mut text, report);
        if report.left_out > 0 {
            text.paragraph(&format!("{} more names are not listed", words::grouped(report.left_out)), Role::Warning);
        }
        for note in &report.notes {
            text.paragraph(note, Role::Quiet);
        }
        text.into_lines()
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| nothing_opened(state))
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        match nth(state, index) {
            Some(Row::Name(name)) => {
                opening::about(&mut text, name, opened::chosen_remedy(state, name), (cells, theme));
            }
            Some(Row::Unforeseen(run)) => about_unforeseen(&mut text, run),
            None => {}
        }
        text.into_lines()
    }

    fn detail_share(&self) -> (u16, u16) {
        (3, 5)
    }

    fn copied(&self, state: &State, index: usize) -> String {
        match nth(state, index) {
            Some(Row::Name(name)) => {
                let remedy = opened::chosen_remedy(state, name).and_then(|place| name.remedies.get(place));
                let lines = remedy.map(|remedy| remedy.lines.join("\n")).filter(|lines| !lines.is_empty());
                lines.unwrap_or_else(|| name.name.clone())
            }
            Some(Row::Unforeseen(run)) => run.name.clone(),
            None => String::new(),
        }
    }
}

fn name_cells(name: &OpenedName, cells: usize) -> Vec<Cell<'_>> {
    let (word, role) = verdict(name.verdict);
    let mut parts = vec![Cell::fixed(word, role, 8), Cell::rest(name.name.as_str(), Role::Strong, 3).path()];
    let fate = opened_words::fate(name.observed.as_deref());
    if cells >= SURE && (fate.is_none() || cells >= PLACE) {
        parts.push(Cell::fixed(opened_words::confidence(name.confidence), Role::Quiet, 10));
    }
    if cells >= SURE
        && let Some(fate) = fate
    {
        let role = if fate.contains("FAILED") { Role::Bad } else { Role::Plain };
        parts.push(Cell::fixed(fate, role, 14));
    }
    if cells >= PLACE {
        parts.push(Cell::rest(place(name), Role::Quiet, 4).path());
    }
    if cells >= REMEDY {
        let remedy = name.remedy.map(opened_words::remedy).unwrap_or_default();
        parts.push(Cell::fixed(remedy, Role::Good, REMEDY_CELLS));
    }
    parts
}

/// Where the bundle has the library, or what becomes of it there.
fn place(name: &OpenedName) -> String {
    let found = name.in_bundle.as_ref();
    match (found.and_then(|opening| opening.path.as_ref()), &name.grafted, found) {
        (Some(path), ..) => path.clone(),
        (None, Some(grafted), _) => format!("there as {}", grafted.name),
        (None, None, Some(opening)) if opening.outcome == OpeningOutcome::Missing => "not found in the bundle".into(),
        (None, None, opening) => opened_words::opening(opening),
    }
}

fn unforeseen_cells(run: &ObservedOpening, cells: usize) -> Vec<Cell<'_>> {
    let mut parts =
        vec![Cell::fixed("opened", Role::Warning, 8), Cell::rest(run.name.as_str(), Role::Strong, 3).path()];
    if cells >= SURE {
        parts.push(Cell::fixed("unforeseen", Role::Warning, 10));
    }
    if cells >= PLACE {
        let failed = run.result == LoadResult::Failed;
        parts.push(Cell::fixed(opened_words::result(run.result), if failed { Role::Bad } else { Role::Plain }, 14));
        let path = run.path.as_ref().map(|path| path.to_string_lossy()).unwrap_or_default();
        parts.push(Cell::rest(path, Role::Quiet, 4).path());
    }
    if cells >= REMEDY {
        parts.push(Cell::fixed("", Role::Plain, REMEDY_CELLS));
    }
    parts
}

fn about_unforeseen(text: &mut Text, run: &ObservedOpening) {
    text.labelled("opened", &run.name, Role::Strong);
    text.labelled("why", "the traced run opened it for this file, and nothing in the file foresaw that", Role::Warning);
    text.labelled("in the run", &opened_words::observed(run), Role::Plain);
}

/// What the calls pass. That something is not known must not be overlooked.
fn calls(text: &mut Text, report: &DlopenReport, cells: usize) {
    let opens = report.imports.iter().any(|import| import.opens);
    match &report.calls {
        None if opens => text.paragraph("the code was not looked at: what its calls pass is not known", Role::Warning),
        None => {}
        Some(calls) => {
            for said in opened_words::calls(calls) {
                if said.ends_with("not known") {
                    text.paragraph(&said, Role::Warning);
                } else if cells >= PLACE {
                    text.paragraph(&said, Role::Quiet);
                }
            }
        }
    }
}

/// How the candidates fared in the run, where one was traced.
fn traced(text: &mut Text, report: &DlopenReport) {
    let Some(unforeseen) = &report.opened_unforeseen else { return };
    let names = report.candidates.as_deref().unwrap_or_default();
    let asked = names.iter().filter(|name| name.observed.as_ref().is_some_and(|runs| !runs.is_empty())).count();
    let said = format!(
        "traced run: {asked} of {} asked for, {} opened and not foreseen",
        words::counted(names.len(), "name", "names"),
        unforeseen.len()
    );
    text.paragraph(&said, if unforeseen.is_empty() { Role::Plain } else { Role::Warning });
}

fn nothing_opened(state: &State) -> String {
    let asked = state.artifact().map(|artifact| Request::LookInto(artifact.id, Question::Dlopen));
    let is_asked = asked.is_some_and(|request| state.jobs.holds(&request));
    let opens = |report: &DlopenReport| report.imports.iter().any(|import| import.opens);
    match opened::report(state) {
        Some(report) if report.candidates.is_some() && opens(report) => {
            "no name was found that it may open: names may be made at run time, or come from elsewhere".into()
        }
        Some(report) if report.candidates.is_some() => "it opens nothing: no text of it is a library's name".into(),
        _ if is_asked => "being looked for".into(),
        Some(_) => "the names that it may open were not looked for".into(),
        None => "nothing was found out about what this file opens".into(),
    }
}

/// The verdict's word and how it looks.
pub const fn verdict(verdict: OpenedVerdict) -> (&'static str, Role) {
    let role = match verdict {
        OpenedVerdict::Works => Role::Good,
        OpenedVerdict::SystemDependent | OpenedVerdict::ByLoadOrder => Role::Warning,
        OpenedVerdict::LostInBundle | OpenedVerdict::Renamed | OpenedVerdict::Missing => Role::Bad,
        OpenedVerdict::Unknown => Role::Plain,
    };
    (opened_words::verdict(verdict), role)
}
