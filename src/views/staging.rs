//! The state machine with the present state lit, and the files behind it: paths, inodes, other names, related files.

use super::row::{Cell, line};
use super::rows::Rows;
use super::text::Text;
use super::theme::{Role, Theme};
use super::{load, words};
use crate::app::action::Action;
use crate::app::keymap;
use crate::app::state::State;
use crate::engine::report::audit::{RelatedFile, StagingReport, StagingState};
use crate::engine::stage::ArtifactSnapshot;
use ratatui::text::{Line, Span};
use std::path::Path;

/// The panel.
#[derive(Debug)]
pub struct Staging;

/// A fact about the files.
struct Fact<'a> {
    label: &'static str,
    value: String,
    role: Role,
    related: Option<&'a RelatedFile>,
}

impl Rows for Staging {
    fn count(&self, state: &State) -> usize {
        facts(state).len()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let Some(fact) = facts(state).into_iter().nth(index) else { return Line::default() };
        let value = Cell::rest(fact.value, fact.role, 1).path();
        line(vec![Cell::fixed(fact.label, Role::Quiet, 12), value], cells, theme)
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, cells: usize) -> Vec<Line<'a>> {
        let Some(artifact) = state.artifact() else { return Vec::new() };
        let mut lines = machine(&artifact.staging, theme, cells);
        let mut text = Text::new(cells, theme);
        text.paragraph(meaning(&artifact.staging), Role::Plain);
        lines.extend(text.into_lines());
        lines
    }

    fn empty(&self, _state: &State) -> String {
        "no artifact is chosen".into()
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        let Some(fact) = facts(state).into_iter().nth(index) else { return text.into_lines() };
        text.labelled(fact.label, &fact.value, fact.role);
        if let Some(related) = fact.related {
            text.labelled("is", role_of(&related.role), Role::Plain);
            text.labelled("tied by", &related.tie.replace('_', " "), Role::Plain);
            text.labelled("device", &device(related.device), Role::Plain);
            text.labelled("inode", &format!("{}, links {}", related.inode, related.links), Role::Plain);
            text.labelled("size", &format!("{} bytes", words::grouped(related.size)), Role::Plain);
            let (word, role) = if related.repaired { ("looks repaired", Role::Warning) } else { ("no", Role::Plain) };
            text.labelled("repaired", word, role);
        }
        text.into_lines()
    }

    fn copied(&self, state: &State, index: usize) -> String {
        facts(state).into_iter().nth(index).map_or_else(String::new, |fact| match fact.related {
            Some(related) => related.path.display().to_string(),
            None => fact.value,
        })
    }
}

/// The state machine, drawn for the room there is.
fn machine(staging: &StagingReport, theme: Theme, cells: usize) -> Vec<Line<'static>> {
    let box_of = |state: StagingState, word: &str| -> Span<'static> {
        if staging.state == state {
            theme.span(format!("[{word}]"), Role::Next)
        } else {
            theme.span(format!(" {word} "), Role::Quiet)
        }
    };
    let edge = |text: &'static str| theme.span(text, Role::Quiet);
    let patched = if staging.edited { "patched" } else { "copied back" };
    let (by_rename, by_copy, back, back_up) = match cells {
        68.. => ("── stage, by rename ──▸", " └─ stage, by copy ───▸", "── copy back ──▸", "── copy back ──┘"),
        48..68 => ("─rename▸", " └─copy▸", "back▸", "back┘"),
        _ => ("▸", "▸", "▸", "┘"),
    };
    vec![
        Line::from(vec![
            box_of(StagingState::NotStaged, "not staged"),
            edge(by_rename),
            box_of(StagingState::Renamed, "renamed "),
            edge(back),
            box_of(StagingState::Patched, patched),
        ]),
        Line::from(vec![
            Span::raw(" ".repeat(12)),
            edge(by_copy),
            box_of(StagingState::Mirrored, "mirrored"),
            edge(back_up),
        ]),
    ]
}

/// What the state means for the files.
const fn meaning(staging: &StagingReport) -> &'static str {
    match (staging.state, staging.edited) {
        (StagingState::NotStaged, _) => "untouched, at its own path",
        (StagingState::Renamed, _) => {
            "moved to staging; its own path is empty for the moment; finalize renames it back"
        }
        (StagingState::Mirrored, _) => "copied to staging; the original stays where it is; finalize drops the copy",
        (StagingState::Patched, false) => {
            "its own path holds the clean bytes; the staged copy is ours, and not edited yet"
        }
        (StagingState::Patched, true) => "its own path holds the clean bytes; the staged copy is edited",
    }
}

fn facts(state: &State) -> Vec<Fact<'_>> {
    let Some(artifact) = state.artifact() else { return Vec::new() };
    let staging = &artifact.staging;
    let mut facts = Vec::with_capacity(16 + staging.aliases.len() + staging.related.len());
    let mut add = |label, value: String, role| facts.push(Fact { label, value, role, related: None });
    files(state, artifact, &mut add);
    let number = |number: Option<u64>| number.map_or_else(|| "not known".to_owned(), |number| number.to_string());
    add("device", staging.device.map_or_else(|| "not known".to_owned(), device), Role::Plain);
    add("inode", number(staging.inode), Role::Plain);
    add("links", number(staging.links), Role::Plain);
    let load = artifact.report.as_deref().and_then(|report| report.load.as_ref());
    for (place, (value, role)) in load.into_iter().flat_map(load::facts).enumerate() {
        add(if place == 0 { "load proof" } else { "" }, value, role);
    }
    for (place, alias) in staging.aliases.iter().enumerate() {
        add(if place == 0 { "also named" } else { "" }, alias.display().to_string(), Role::Plain);
    }
    if staging.aliases_elsewhere > 0 {
        let names = usize::try_from(staging.aliases_elsewhere).unwrap_or(usize::MAX);
        add("elsewhere", words::counted(names, "more name", "more names"), Role::Warning);
    }
    for related in &staging.related {
        facts.push(Fact {
            label: "related",
            value: related.path.display().to_string(),
            role: if related.repaired { Role::Warning } else { Role::Plain },
            related: Some(related),
        });
    }
    facts
}

/// Both paths, each with its hash where one was asked for.
fn files(state: &State, artifact: &ArtifactSnapshot, add: &mut impl FnMut(&'static str, String, Role)) {
    let hash_key =
        keymap::BINDINGS.iter().find(|binding| binding.action == Action::Hash).map_or_else(String::new, keymap::keys);
    let hash = |path: &Path, add: &mut dyn FnMut(&'static str, String, Role)| match state.hashes.get(path) {
        Some(hash) => add("sha256", hash.clone(), Role::Good),
        None => add("sha256", format!("not computed; {hash_key} computes it"), Role::Quiet),
    };
    let staging = &artifact.staging;
    let (label, path) = match &staging.cargo_output {
        Some(path) => ("cargo output", path),
        None => ("own path", &artifact.path),
    };
    let empty = staging.state == StagingState::Renamed;
    add(label, path.display().to_string(), if empty { Role::Quiet } else { Role::Plain });
    if !empty {
        hash(path, add);
    }
    match &staging.staged {
        Some(staged) => {
            add("staged", staged.display().to_string(), Role::Plain);
            hash(staged, add);
        }
        None => add("staged", "no file".into(), Role::Quiet),
    }
}

fn role_of(role: &str) -> &str {
    match role {
        "deps" => "cargo's copy in deps/",
        "maturin_staged" => "the file that maturin staged",
        "build_dir" => "cargo's copy in the build directory",
        other => other,
    }
}

/// A device number as stat(1) writes it: major and minor (Linux's gnu_dev_major and gnu_dev_minor).
fn device(device: u64) -> String {
    let major = ((device >> 8) & 0xfff) | ((device >> 32) & !0xfff);
    let minor = (device & 0xff) | ((device >> 12) & !0xff);
    format!("{device} ({major}:{minor})")
}
