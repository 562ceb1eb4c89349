//! Who binds each undefined symbol: what nobody defines first, Python's own apart.

use super::row::{Cell, line};
use super::rows::{Rows, nothing_known};
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::state::State;
use crate::engine::report::audit::{BindingState, ObjectSymbols, SymbolBinding, SymbolsReport, Tree};
use ratatui::text::Line;

/// The panel.
#[derive(Debug)]
pub struct Symbols;

fn symbols(state: &State) -> Option<&SymbolsReport> {
    state.report()?.slices.first()?.symbols.as_ref()
}

fn tree(state: &State) -> Option<&Tree> {
    state.report()?.slices.first()?.tree.as_ref()
}

/// Row `index` of all objects' symbols, one object after the other.
fn at(state: &State, mut index: usize) -> Option<(&ObjectSymbols, &SymbolBinding)> {
    for object in &symbols(state)?.objects {
        match object.symbols.get(index) {
            Some(symbol) => return Some((object, symbol)),
            None => index -= object.symbols.len(),
        }
    }
    None
}

impl Rows for Symbols {
    fn count(&self, state: &State) -> usize {
        symbols(state).map_or(0, |symbols| symbols.objects.iter().map(|object| object.symbols.len()).sum())
    }

    fn row<'a>(&self, state: &'a State, index: usize, theme: Theme, cells: usize) -> Line<'a> {
        let Some((object, symbol)) = at(state, index) else { return Line::default() };
        let (word, role) = binding(symbol.state);
        let name = Cell::rest(versioned(symbol), Role::Plain, 4);
        let word = Cell::fixed(word, role, 8);
        let by = match provider(state, symbol) {
            Some(provider) => Cell::rest(provider, Role::Quiet, 3).path(),
            None if object.node == 0 => Cell::rest(symbol.note.as_deref().unwrap_or_default(), Role::Quiet, 3),
            None => Cell::rest(format!("wanted by {}", object.name), Role::Quiet, 3),
        };
        let parts = match cells {
            0..44 => vec![word, name],
            44..72 => vec![word, name, by.within(18)],
            _ => vec![word, name, by],
        };
        line(parts, cells, theme)
    }

    fn head<'a>(&self, state: &'a State, theme: Theme, _cells: usize) -> Vec<Line<'a>> {
        let Some(artifact) = symbols(state).and_then(|symbols| symbols.objects.first()) else { return Vec::new() };
        let mut lines = vec![Line::from(theme.span(
            format!(
                "{} bound, {} of Python, {} weak and free, {} unbound",
                artifact.bound, artifact.python, artifact.weak_unbound, artifact.unbound
            ),
            if artifact.unbound > 0 { Role::Bad } else { Role::Strong },
        ))];
        if let Some(error) = &artifact.error {
            lines.push(Line::from(theme.span(error.clone(), Role::Bad)));
        }
        let others = symbols(state).map_or(0, |symbols| symbols.objects.iter().skip(1).map(|o| o.unbound).sum());
        if others > 0 {
            let text = format!("its libraries leave {} unbound", words::counted(others, "symbol", "symbols"));
            lines.push(Line::from(theme.span(text, Role::Warning)));
        }
        lines
    }

    fn empty(&self, state: &State) -> String {
        nothing_known(state).unwrap_or_else(|| match symbols(state) {
            Some(_) => "it has no undefined symbol".into(),
            None if state.jobs.foremost().is_some() => "being bound".into(),
            None => "symbols are bound for ELF files; nothing was found out about this one".into(),
        })
    }

    fn detail(&self, state: &State, index: usize, theme: Theme, cells: usize) -> Vec<Line<'static>> {
        let mut text = Text::new(cells, theme);
        let Some((object, symbol)) = at(state, index) else { return text.into_lines() };
        let (word, role) = binding(symbol.state);
        text.labelled("symbol", &symbol.name, Role::Strong);
        if let Some(version) = &symbol.version {
            text.labelled("version", version, Role::Plain);
        }
        text.labelled("undefined in", &object.name, Role::Plain);
        let weak = if symbol.weak { ", weak" } else { "" };
        text.labelled("state", &format!("{word}{weak}: {}", meaning(symbol.state)), role);
        let node = symbol.to.and_then(|to| tree(state)?.nodes.get(to));
        if let Some(node) = node {
            text.labelled("bound to", &node.name, Role::Plain);
            if let Some(path) = &node.path {
                text.labelled("", &path.to_string_lossy(), Role::Quiet);
            }
        }
        if let Some(note) = &symbol.note {
            text.labelled("note", note, Role::Warning);
        }
        text.into_lines()
    }

    fn copied(&self, state: &State, index: usize) -> String {
        at(state, index).map_or_else(String::new, |(_, symbol)| versioned(symbol))
    }
}

fn versioned(symbol: &SymbolBinding) -> String {
    match &symbol.version {
        Some(version) => format!("{}@{version}", symbol.name),
        None => symbol.name.clone(),
    }
}

fn provider<'a>(state: &'a State, symbol: &SymbolBinding) -> Option<&'a str> {
    Some(tree(state)?.nodes.get(symbol.to?)?.name.as_str())
}

const fn binding(state: BindingState) -> (&'static str, Role) {
    match state {
        BindingState::Bound => ("bound", Role::Good),
        BindingState::Python => ("Python", Role::Quiet),
        BindingState::WeakUnbound => ("free", Role::Quiet),
        BindingState::Unused => ("unused", Role::Quiet),
        BindingState::Unbound => ("UNBOUND", Role::Bad),
    }
}

const fn meaning(state: BindingState) -> &'static str {
    match state {
        BindingState::Bound => "a library of the tree defines it",
        BindingState::Python => "the Python that loads the module defines it",
        BindingState::WeakUnbound => "nobody defines it, and it may stay undefined",
        BindingState::Unused => "nobody defines it, and no relocation asks for it",
        BindingState::Unbound => "nobody defines it: the load, or the first call, fails",
    }
}
