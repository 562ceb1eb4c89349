//! A dependency tree drawn with branches: name, role and what found it in columns, the path last, since it may be long.

use super::output::{Output, Tone};
use crate::engine::report::audit::{FoundBy, NodeRole, Tree, TreeEdge};
use crate::engine::report::words;
use color_eyre::Result;
use std::collections::BTreeSet;
use std::path::Path;
use unicode_width::UnicodeWidthStr;

/// How deep a tree is drawn: a deeper one is a chain that no screen holds.
const DEEPEST: usize = 32;

/// Prints `tree` of the artifact at `path`. Each library's needs are shown where it is met first, or everywhere with `all`;
/// `verbose` also shows the places that were tried for libraries that were found, notes, and the search path's entry.
///
/// # Errors
/// When the output can't be written.
pub fn print(path: &Path, tree: &Tree, all: bool, verbose: bool, output: &mut Output) -> Result<()> {
    let mut drawing = Drawing { tree, all, verbose, shown: BTreeSet::new(), rows: Vec::new() };
    drawing.needs_of(0, "", 0);
    // A name or an entry of thousands of letters stands out of its column.
    let widest = |widths: &mut dyn Iterator<Item = usize>| widths.filter(|width| *width <= WIDEST).max().unwrap_or(0);
    let name_width = widest(&mut drawing.rows.iter().map(Row::name_width));
    let how_width = widest(&mut drawing.rows.iter().map(|row| row.how.width()));
    output.line(output.tone(Tone::Strong, path.display()))?;
    for row in &drawing.rows {
        if let Some(text) = &row.aside {
            output.line(format_args!("{}{}", row.branch, output.tone(Tone::Faint, text)))?;
            continue;
        }
        let gap = name_width.saturating_sub(row.name_width());
        let role = output.tone(tone(row.role), format_args!("{:<11}", words::node_role(row.role)));
        let how = format!("{}{:how_gap$}", row.how, "", how_gap = how_width.saturating_sub(row.how.width()));
        let text = format!("{}{}{:gap$}  {role}  {how}  {}", row.branch, row.name, "", row.rest);
        output.line(text.trim_end())?;
    }
    Ok(())
}

/// No column is made wider than this, in cells.
const WIDEST: usize = 400;

fn tone(role: NodeRole) -> Tone {
    match role {
        NodeRole::Missing | NodeRole::Libpython => Tone::Bad,
        NodeRole::External => Tone::Warning,
        _ => Tone::Faint,
    }
}

struct Row {
    branch: String,
    name: String,
    role: NodeRole,
    how: String,
    rest: String,
    /// A place that was tried or a note, instead of all that.
    aside: Option<String>,
}

impl Row {
    fn name_width(&self) -> usize {
        if self.aside.is_some() { 0 } else { self.branch.width() + self.name.width() }
    }
}

struct Drawing<'a> {
    tree: &'a Tree,
    all: bool,
    verbose: bool,
    /// Nodes whose needs were shown.
    shown: BTreeSet<usize>,
    rows: Vec<Row>,
}

impl Drawing<'_> {
    fn needs_of(&mut self, node: usize, indent: &str, depth: usize) {
        self.shown.insert(node);
        let edges: Vec<&TreeEdge> = self.tree.edges.iter().filter(|edge| edge.from == node).collect();
        for (number, edge) in edges.iter().enumerate() {
            let last = number + 1 == edges.len();
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let below = format!("{indent}{below}");
            self.edge(edge, format!("{indent}{branch}"), &below);
            let again = self.shown.contains(&edge.to);
            // A cycle is followed once even with --all: its inner needs stand above.
            if (!again || self.all) && depth < DEEPEST && !(again && self.is_above(edge.to, node)) {
                self.needs_of(edge.to, &below, depth + 1);
            }
        }
    }

    fn is_above(&self, wanted: usize, from: usize) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![wanted]);
        while let Some(node) = open.pop() {
            if node == from {
                return true;
            }
            if seen.insert(node) {
                open.extend(self.tree.edges.iter().filter(|edge| edge.from == node).map(|edge| edge.to));
            }
        }
        false
    }

    fn edge(&mut self, edge: &TreeEdge, branch: String, below: &str) {
        let Some(to) = self.tree.nodes.get(edge.to) else { return };
        let mut rest: Vec<String> = to.path.iter().map(|path| path.display().to_string()).collect();
        rest.extend(to.owner.iter().map(|owner| format!("owner {}", words::owner(owner))));
        if edge.weak {
            rest.push("(optional)".to_owned());
        }
        if !edge.versions_missing.is_empty() {
            rest.push(format!("(lacks {})", edge.versions_missing.join(", ")));
        }
        self.rows.push(Row {
            branch,
            name: edge.needed.clone(),
            role: to.role,
            how: edge.found_by.as_ref().map(|found| self.how(found)).unwrap_or_default(),
            rest: rest.join("  "),
            aside: None,
        });
        if to.role != NodeRole::Missing && !self.verbose {
            return;
        }
        for candidate in &edge.candidates {
            let (path, rule) = (candidate.path.display(), words::rule(candidate.rule));
            self.aside(to.role, below, format!("tried {path}  ({rule}: {})", words::rejection(candidate.rejected)));
        }
        if let Some(message) = &edge.gave_up {
            self.aside(to.role, below, format!("the loader gives up: {message}"));
        }
        if let Some(note) = &edge.note {
            self.aside(to.role, below, note.clone());
        }
    }

    /// A row of text below a library.
    fn aside(&mut self, role: NodeRole, below: &str, text: String) {
        self.rows.push(Row {
            branch: format!("{below}  "),
            name: String::new(),
            role,
            how: String::new(),
            rest: String::new(),
            aside: Some(text),
        });
    }

    /// The rule and whose it is; its entry, which may be long and shows in the path, only when asked for more.
    fn how(&self, found: &FoundBy) -> String {
        if self.verbose {
            return words::found_by(found);
        }
        words::found_by(&FoundBy { entry: None, ..found.clone() })
    }
}
