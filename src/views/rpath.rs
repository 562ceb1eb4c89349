//! The search path: each entry literal, expanded, existing or not; and what the patch step makes of it.

use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::state::State;
use crate::engine::report::audit::{ArtifactReport, RpathEntry, RpathReport, SliceReport};
use ratatui::text::Line;

/// The panel.
#[derive(Debug)]
pub struct Rpath;

enum Row<'a> {
    Slice(&'a SliceReport),
    Entry(usize, &'a RpathEntry),
    After(&'a RpathReport),
    Later(usize, &'a RpathEntry),
    Edits(usize),
    Edit(&'a str),
}

/// All rows, lazily: a slice with its entries, then what the patch step will change.
fn all(report: &ArtifactReport) -> impl Iterator<Item = Row<'_>> {
    let slices = report.slices.iter().flat_map(|slice| {
        let entries = slice.rpath.entries.iter().enumerate();
        std::iter::once(Row::Slice(slice)).chain(entries.map(|(place, entry)| Row::Entry(place, entry)))
    });
    let after = report.will_patch.rpath.iter().flat_map(|rpath| {
        let entries = rpath.entries.iter().enumerate();
        std::iter::once(Row::After(rpath)).chain(entries.map(|(place, entry)| Row::Later(place, entry)))
    });
    let edits = &report.will_patch.edits;
    let heading = (!edits.is_empty()).then_some(Row::Edits(edits.len()));
    slices.chain(after).chain(heading).chain(edits.iter().map(|edit| Row::Edit(edit)))
}

fn nth(state: &State, index: usize) -> Option<Row<'_>> {
    all(state.report()?).nth(index)
}

impl Rows for Rpath {
    fn count(&self, state: &State) -> usize {
        state.report().map_or(0, |report| all(report).count())
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let Some(row) = nth(state, index) else { return Line::default() };
        match row {
            Row::Slice(slice) => heading(slice, theme),
            Row::After(rpath) => {
                let tag = rpath.tag.map_or("search path", words::run_path_tag);
                Line::from(theme.span(format!("{tag} after the patch step"), Role::Heading))
            }
            Row::Edits(count) => {
                let text = format!("by {}", words::counted(count, "edit", "edits"));
                Line::from(theme.span(text, Role::Quiet))
            }
            Row::Edit(edit) => {
                line(vec![Cell::fixed("", Role::Plain, 0), Cell::rest(edit, Role::Plain, 1)], cells, theme)
            }
            Row::Entry(place, entry) | Row::Later(place, entry) => {
                let (word, role) = existence(entry);
                let number = Cell::fixed(format!("{:>2}", place + 1), Role::Quiet, 2);
                let literal = Cell::rest(entry.literal.as_str(), Role::Plain, 2).path();
                let word = Cell::fixed(word, role, 9);
                if cells < 56 {
                    return line(vec![number, literal, word], cells, theme);
                }
                let expanded = entry.expanded.as_ref().map(|path| path.to_string_lossy()).unwrap_or_default();
                let expanded = Cell::rest(expanded, Role::Quiet, 3).path();
                line(vec![number, literal, word, expanded], cells, theme)
            }
        }
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| "no slice has a search path".into())
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        match nth(state, index) {
            Some(Row::Entry(place, entry) | Row::Later(place, entry)) => {
                text.labelled(&format!("entry {}", place + 1), &entry.literal, Role::Strong);
                match &entry.expanded {
                    Some(path) => text.labelled("expanded", &path.to_string_lossy(), Role::Plain),
                    None => text.labelled("expanded", "can't be told here", Role::Quiet),
                }
                let (word, role) = existence(entry);
                text.labelled("there", word, role);
                if let Some(note) = &entry.note {
                    text.labelled("note", note, Role::Warning);
                }
            }
            Some(Row::Slice(slice)) => {
                let entries: Vec<&str> = slice.rpath.entries.iter().map(|entry| entry.literal.as_str()).collect();
                let tag = slice.rpath.tag.map_or("search path", words::run_path_tag);
                let whole = if entries.is_empty() { "none".to_owned() } else { entries.join(":") };
                text.labelled(tag, &whole, Role::Plain);
                if let Some(tag) = slice.rpath.tag {
                    text.blank();
                    text.paragraph(meaning(tag), Role::Quiet);
                }
            }
            Some(Row::Edit(edit)) => text.labelled("edit", edit, Role::Plain),
            Some(Row::After(_) | Row::Edits(_)) => {
                text.paragraph("what the patch step will write into the staged file; the plan shows why", Role::Quiet);
            }
            None => {}
        }
        text.into_lines()
    }

    fn copied(&self, state: &State, index: usize) -> String {
        match nth(state, index) {
            Some(Row::Entry(_, entry) | Row::Later(_, entry)) => entry.literal.clone(),
            Some(Row::Edit(edit)) => edit.to_owned(),
            Some(Row::Slice(slice)) => {
                slice.rpath.entries.iter().map(|entry| entry.literal.as_str()).collect::<Vec<_>>().join(":")
            }
            Some(Row::After(rpath)) => {
                rpath.entries.iter().map(|entry| entry.literal.as_str()).collect::<Vec<_>>().join(":")
            }
            Some(Row::Edits(_)) | None => String::new(),
        }
    }
}

fn heading(slice: &SliceReport, theme: Theme) -> Line<'_> {
    let tag = slice.rpath.tag.map_or("no search path", words::run_path_tag);
    Line::from(vec![theme.span(tag, Role::Heading), theme.span(format!("  {}", slice.arch), Role::Quiet)])
}

const fn existence(entry: &RpathEntry) -> (&'static str, Role) {
    match entry.exists {
        Some(true) => ("exists", Role::Good),
        Some(false) => ("not there", Role::Warning),
        None => ("not known", Role::Quiet),
    }
}

/// When the loader reads it (ld.so(8), dyld(1)).
const fn meaning(tag: crate::engine::binary::RunPathTag) -> &'static str {
    use crate::engine::binary::RunPathTag;
    match tag {
        RunPathTag::Rpath => "DT_RPATH is searched before LD_LIBRARY_PATH, also for what the dependencies need",
        RunPathTag::Runpath => "DT_RUNPATH is searched after LD_LIBRARY_PATH, only for what this file itself needs",
        RunPathTag::LcRpath => "each LC_RPATH stands in for @rpath, also for what the dependencies need",
    }
}
