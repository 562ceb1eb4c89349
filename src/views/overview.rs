//! The overview: the artifact in short, a fact a row.

use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::{dlopen, load, words};
use crate::app::state::State;
use crate::engine::report::audit::{ArtifactReport, SliceReport};
use crate::engine::stage::ArtifactSnapshot;
use ratatui::text::Line;
use std::borrow::Cow;

/// The panel.
#[derive(Debug)]
pub struct Overview;

struct Fact<'a> {
    label: &'a str,
    value: Cow<'a, str>,
    role: Role,
}

impl Rows for Overview {
    fn count(&self, state: &State) -> usize {
        facts(state).len()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let Some(fact) = facts(state).into_iter().nth(index) else { return Line::default() };
        let is_path = fact.value.starts_with('/');
        let value = Cell::rest(fact.value, fact.role, 1);
        line(vec![Cell::fixed(fact.label, Role::Quiet, 12), if is_path { value.path() } else { value }], cells, theme)
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_default()
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        if let Some(fact) = facts(state).into_iter().nth(index) {
            text.labelled(fact.label, &fact.value, fact.role);
        }
        text.into_lines()
    }

    fn has_detail(&self) -> bool {
        false
    }

    fn copied(&self, state: &State, index: usize) -> String {
        facts(state).into_iter().nth(index).map_or_else(String::new, |fact| fact.value.into_owned())
    }
}

/// The facts in the order of the panel.
fn facts(state: &State) -> Vec<Fact<'_>> {
    let Some(artifact) = state.artifact() else { return Vec::new() };
    let mut facts = Facts(Vec::with_capacity(32));
    facts.add("path", artifact.path.to_string_lossy(), Role::Plain);
    match artifact.report.as_deref() {
        None => facts.add("kind", words::kind(artifact.kind), Role::Plain),
        Some(report) => of_report(&mut facts, report),
    }
    of_staging(&mut facts, artifact);
    of_loading(&mut facts, artifact);
    if let Some(report) = artifact.report.as_deref() {
        for slice in &report.slices {
            of_slice(&mut facts, slice);
        }
    }
    for note in &state.snapshot.notes {
        facts.add("note", note.as_str(), Role::Quiet);
    }
    facts.0
}

struct Facts<'a>(Vec<Fact<'a>>);

impl<'a> Facts<'a> {
    fn add(&mut self, label: &'a str, value: impl Into<Cow<'a, str>>, role: Role) {
        self.0.push(Fact { label, value: value.into(), role });
    }
}

fn of_report<'a>(facts: &mut Facts<'a>, report: &'a ArtifactReport) {
    if let Some(container) = &report.container {
        let member = report.member.as_deref().unwrap_or_default();
        facts.add("container", format!("{}: {member}", container.display()), Role::Plain);
    }
    let size = report.size.map_or_else(|| "absent".to_owned(), words::bytes);
    let what = format!("{}, {}, {size}", words::kind(report.kind), words::format_and_arch(report));
    facts.add("kind", what, Role::Plain);
    if let Some(error) = &report.error {
        facts.add("unreadable", error.message.as_str(), Role::Bad);
        if let Some(offset) = error.offset {
            facts.add("at", format!("offset {offset:#x}"), Role::Plain);
        }
        if let Some(expected) = &error.expected {
            facts.add("expected", expected.as_str(), Role::Plain);
        }
        return;
    }
    if let Some(hash) = &report.sha256 {
        facts.add("sha256", hash.as_str(), Role::Plain);
    }
    let (findings, role) = words::findings(report);
    facts.add("findings", findings, role);
    of_policy(facts, report);
    of_patch(facts, report);
    if let Some(entry) = &report.entry_points {
        let expected = entry.expected.as_deref().unwrap_or("no name known");
        let (found, role) =
            if entry.found.is_empty() { ("none".to_owned(), Role::Bad) } else { (entry.found.join(", "), Role::Plain) };
        facts.add("entry point", format!("{found} (expected: {expected})"), role);
    }
    of_names(facts, report);
}

fn of_policy<'a>(facts: &mut Facts<'a>, report: &'a ArtifactReport) {
    if let Some(policy) = &report.policy {
        let mut text = policy.tag.clone();
        if policy.symbol_tag != policy.tag {
            text.push_str(&format!("; by symbols alone {}", policy.symbol_tag));
        }
        facts.add("tag", text, Role::Strong);
        if let Some(requested) = &policy.requested {
            facts.add("asked for", requested.as_str(), Role::Plain);
        }
    }
    if let Some(libraries) = &report.external_libs {
        let names: Vec<&str> = libraries.iter().map(|library| library.name.as_str()).collect();
        let text = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        facts.add("external", text, if names.is_empty() { Role::Good } else { Role::Warning });
    }
}

fn of_patch<'a>(facts: &mut Facts<'a>, report: &'a ArtifactReport) {
    let patch = &report.will_patch;
    let role = words::will_patch(patch.repair).1;
    facts.add(
        "will patch",
        format!("repair: {}; editable: {}", words::answer(patch.repair), words::answer(patch.editable)),
        role,
    );
    let rule = &patch.maturin_rule;
    let text = format!("repair: {}; editable: {}", words::answer(rule.repair), words::answer(rule.editable));
    facts.add("maturin says", text, Role::Quiet);
    for edit in &patch.edits {
        facts.add("edit", edit.as_str(), Role::Plain);
    }
}

fn of_names<'a>(facts: &mut Facts<'a>, report: &'a ArtifactReport) {
    if let Some(names) = &report.names {
        let place = [names.artifact_dir.as_str(), names.file_name.as_str()];
        let place: Vec<&str> = place.into_iter().filter(|part| !part.is_empty()).collect();
        facts.add("in the wheel", place.join("/"), Role::Plain);
        facts.add("libraries", format!("{}/", names.libs_dir), Role::Plain);
        if !names.defaulted.is_empty() {
            facts.add("by default", names.defaulted.join(", "), Role::Quiet);
        }
    }
    for path in &report.linked_paths.paths {
        facts.add("linked path", path.to_string_lossy(), Role::Plain);
    }
    if let Some(source) = &report.linked_paths.source {
        facts.add("from", source.replace('_', " "), Role::Quiet);
    }
}

fn of_staging<'a>(facts: &mut Facts<'a>, artifact: &'a ArtifactSnapshot) {
    let (state, role) = words::staging(&artifact.staging);
    facts.add("staging", state, role);
    if let Some(staged) = &artifact.staging.staged {
        facts.add("staged at", staged.to_string_lossy(), Role::Plain);
    }
}

/// Whether it loads, and what of that which it opens is lost.
fn of_loading<'a>(facts: &mut Facts<'a>, artifact: &'a ArtifactSnapshot) {
    let Some(report) = artifact.report.as_deref() else { return };
    if let Some(load) = &report.load {
        let (text, role) = load::verdict(load);
        facts.add("load proof", text, role);
        if let Some(why) = load::why(load) {
            facts.add("", why, role);
        }
    }
    let names = report.dlopen.iter().flat_map(|opened| opened.candidates.iter().flatten());
    let mut verdicts: Vec<_> = names.map(|name| name.verdict).collect();
    verdicts.sort();
    let counts: Vec<String> = verdicts
        .chunk_by(|one, other| one == other)
        .filter_map(|same| same.first().map(|verdict| format!("{} {}", same.len(), dlopen::verdict(*verdict).0)))
        .collect();
    if !counts.is_empty() {
        let bad = verdicts.iter().any(|verdict| dlopen::verdict(*verdict).1 == Role::Bad);
        facts.add("opens", counts.join(", "), if bad { Role::Bad } else { Role::Plain });
    }
}

fn of_slice<'a>(facts: &mut Facts<'a>, slice: &'a SliceReport) {
    facts.add("slice", slice.arch.as_str(), Role::Heading);
    if let Some(name) = &slice.soname {
        facts.add("own name", name.as_str(), Role::Plain);
    }
    for (place, needed) in slice.needed.iter().enumerate() {
        facts.add(if place == 0 { "needs" } else { "" }, needed.as_str(), Role::Plain);
    }
    if let Some(interpreter) = &slice.interpreter {
        facts.add("interpreter", interpreter.as_str(), Role::Plain);
    }
    let tag = slice.rpath.tag.map_or("search path", words::run_path_tag);
    let entries: Vec<&str> = slice.rpath.entries.iter().map(|entry| entry.literal.as_str()).collect();
    facts.add(tag, if entries.is_empty() { "none".to_owned() } else { entries.join(":") }, Role::Plain);
    if let Some(hardening) = &slice.hardening {
        let yes = |yes: bool, word: &'static str, no: &'static str| if yes { word } else { no };
        let text = format!(
            "RELRO {}, {}, {}, {}{}",
            hardening.relro,
            yes(hardening.now, "BIND_NOW", "lazy binding"),
            yes(hardening.nx, "NX", "executable stack"),
            yes(hardening.pie, "PIE", "fixed address"),
            yes(hardening.textrel, ", text relocations", ""),
        );
        let bad = hardening.execstack || hardening.textrel;
        facts.add("hardening", text, if bad { Role::Warning } else { Role::Plain });
    }
}
