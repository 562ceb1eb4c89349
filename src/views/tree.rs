//! The dependency tree by the loader's lens: what is needed, what found it, and where it was sought.

use super::fit::{Cut, fit, width};
use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::action::Action;
use crate::app::keymap::BINDINGS;
use crate::app::state::State;
use crate::app::tree::{Branch, TreeRow, resolve};
use crate::engine::report::audit::{ArtifactReport, NodeRole, TreeEdge, TreeNode};
use ratatui::text::Line;

/// The tree, branch by branch.
#[derive(Debug)]
pub struct Branches;

impl Rows for Branches {
    fn count(&self, state: &State) -> usize {
        state.tree.rows.len()
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let (Some(report), Some(row)) = (state.report(), state.tree.rows.get(index)) else { return Line::default() };
        let Some((node, edge)) = resolve(report, row) else { return Line::default() };
        let (word, role) = words::node_role(node.role);
        let found = found(report, row, node, edge);
        let mut parts = match cells {
            0..48 => vec![Cell::rest("", Role::Plain, 1), Cell::fixed(word, role, 9)],
            48..60 => {
                vec![Cell::rest("", Role::Plain, 5), Cell::fixed(word, role, 9), Cell::rest(found, Role::Quiet, 4)]
            }
            60..96 => {
                vec![Cell::rest("", Role::Plain, 4), Cell::fixed(word, role, 9), Cell::rest(found, Role::Quiet, 5)]
            }
            _ => vec![
                Cell::rest("", Role::Plain, 4),
                Cell::fixed(word, role, 9),
                Cell::rest(found, Role::Quiet, 5),
                Cell::rest(beside(report, node), Role::Quiet, 3),
            ],
        };
        // The name's room is known only once the other cells are laid out: it is the first cell's.
        let guides = guides(row);
        let room = first_room(&parts, cells).saturating_sub(width(&guides));
        let name_role = if node.role == NodeRole::Missing { Role::Bad } else { Role::Plain };
        let name = fit(&node.name, room, Cut::Middle).into_owned();
        let padding = " ".repeat(room - width(&name).min(room));
        parts.remove(0);
        let rest = line(parts, cells.saturating_sub(width(&guides) + room + 2), theme);
        let mut spans = vec![theme.span(guides, Role::Quiet), theme.span(name, name_role), padding.into(), "  ".into()];
        spans.extend(rest.spans);
        Line::from(spans)
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, _cells: usize) -> Vec<Line<'a>> {
        let differences = state.report().and_then(|report| report.lens_differences.as_ref()).map_or(0, Vec::len);
        if differences == 0 {
            return Vec::new();
        }
        let libraries = words::counted(differences, "library", "libraries");
        let text = format!("the two lenses disagree on {libraries}; {} shows them side by side", lenses_key());
        vec![Line::from(theme.span(text, Role::Warning))]
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| "its dependencies were not resolved".into())
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        let (Some(report), Some(row)) = (state.report(), state.tree.rows.get(index)) else {
            return text.into_lines();
        };
        if let Some((node, edge)) = resolve(report, row) {
            about_node(&mut text, report, node);
            if let Some(edge) = edge {
                about_search(&mut text, report, row, node, edge);
            }
        }
        text.into_lines()
    }

    fn copied(&self, state: &State, index: usize) -> String {
        let row = state.report().zip(state.tree.rows.get(index)).and_then(|(report, row)| resolve(report, row));
        row.map_or_else(String::new, |(node, _)| match &node.path {
            Some(path) => path.display().to_string(),
            None => node.name.clone(),
        })
    }

    fn plain(&self, state: &State, index: usize) -> String {
        let row = state.report().zip(state.tree.rows.get(index)).and_then(|(report, row)| resolve(report, row));
        row.map_or_else(String::new, |(node, _)| format!("{} {}", node.name, words::node_role(node.role).0))
    }
}

/// What the first cell of `parts` gets of `cells`.
fn first_room(parts: &[Cell<'_>], cells: usize) -> usize {
    super::row::rooms(parts, cells).first().copied().unwrap_or(0)
}

fn lenses_key() -> String {
    let binding = BINDINGS.iter().find(|binding| binding.action == Action::Lenses);
    binding.and_then(|binding| binding.keys.first()).map_or_else(String::new, |key| key.label())
}

fn guides(row: &TreeRow) -> String {
    let mut text = String::new();
    for depth in 1..row.depth {
        let more = depth < 64 && row.guides & (1 << depth) != 0;
        text.push_str(if more { "│  " } else { "   " });
    }
    if row.depth > 0 {
        text.push_str(if row.last { "└─" } else { "├─" });
    }
    text.push_str(match row.branch {
        Branch::Folded => "▸ ",
        _ if row.depth > 0 => " ",
        _ => "",
    });
    text
}

fn found(report: &ArtifactReport, row: &TreeRow, node: &TreeNode, edge: Option<&TreeEdge>) -> String {
    let Some(edge) = edge else {
        let slice = report.slices.get(row.slice);
        return slice.map_or_else(String::new, |slice| slice.arch.clone());
    };
    if node.role == NodeRole::Missing {
        let places = words::counted(edge.candidates.len(), "place", "places");
        return format!("{places} searched");
    }
    let mut text = edge.found_by.as_ref().map_or_else(String::new, words::found_by);
    if row.branch == Branch::Elsewhere {
        text.push_str(", shown above");
    }
    text
}

/// The name in the bundle, or the owner.
fn beside(report: &ArtifactReport, node: &TreeNode) -> String {
    let grafted = report.external_libs.iter().flatten().find(|library| library.name == node.name);
    if let Some(name) = grafted.and_then(|library| library.grafted_name.clone()) {
        return name;
    }
    node.owner.as_ref().map_or_else(String::new, |owner| format!("owner {}", owner.package))
}

fn about_node(text: &mut Text, report: &ArtifactReport, node: &TreeNode) {
    let (word, role) = words::node_role(node.role);
    text.labelled(word, &node.name, role);
    if let Some(path) = &node.path {
        text.labelled("path", &path.to_string_lossy(), Role::Plain);
    }
    if let Some(real) = node.realpath.as_ref().filter(|real| node.path.as_ref() != Some(*real)) {
        text.labelled("really", &real.to_string_lossy(), Role::Plain);
    }
    let library = report.external_libs.iter().flatten().find(|library| library.name == node.name);
    if let Some(name) = library.and_then(|library| library.grafted_name.as_ref()) {
        text.labelled("grafted as", name, Role::Plain);
    }
    if let Some(owner) = &node.owner {
        text.labelled("owner", &words::owner(owner), Role::Plain);
    }
    for difference in report.lens_differences.iter().flatten().filter(|difference| difference.name == node.name) {
        text.labelled("lenses", &difference.why, Role::Warning);
    }
}

fn about_search(text: &mut Text, report: &ArtifactReport, row: &TreeRow, node: &TreeNode, edge: &TreeEdge) {
    let tree = report.slices.get(row.slice).and_then(|slice| slice.tree.as_ref());
    if let Some(from) = tree.and_then(|tree| tree.nodes.get(edge.from)) {
        let weak = if edge.weak { ", weakly" } else { "" };
        text.labelled("asked for by", &format!("{}{weak}", from.name), Role::Plain);
    }
    if let Some(found) = &edge.found_by {
        text.labelled("found by", &words::found_by(found), Role::Good);
    }
    if let Some(note) = &edge.note {
        text.labelled("note", note, Role::Warning);
    }
    if !edge.versions_missing.is_empty() {
        text.labelled("lacks", &edge.versions_missing.join(", "), Role::Bad);
    }
    if edge.candidates.is_empty() {
        return;
    }
    text.blank();
    text.heading(&format!("searched for {}, in the loader's order", edge.needed));
    for (place, candidate) in edge.candidates.iter().enumerate() {
        let owner = candidate.owner.as_ref().map(|owner| format!(" of {owner}")).unwrap_or_default();
        let entry = candidate.entry.as_ref().map(|entry| format!(" {entry}")).unwrap_or_default();
        let what = format!(
            "{}{owner}{entry} → {}: {}",
            words::rule(candidate.rule),
            candidate.path.display(),
            words::rejection(candidate.rejected)
        );
        text.hanging(&format!("{:>2} ", place + 1), &what, Role::Plain);
    }
    match (&edge.found_by, &node.path) {
        (Some(found), Some(path)) => {
            let what = format!("{} → {}: taken", words::rule(found.rule), path.display());
            text.hanging(&format!("{:>2} ", edge.candidates.len() + 1), &what, Role::Good);
        }
        _ => text.hanging("   ", "found nowhere", Role::Bad),
    }
    if let Some(message) = &edge.gave_up {
        text.labelled("gave up", message, Role::Bad);
    }
}
