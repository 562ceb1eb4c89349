//! Of `wheelwright audit --symbols`: who binds how many symbols, and what stays unbound, in a few lines.

use super::output::{Output, Tone};
use crate::engine::report::audit::{SliceReport, Tree};
use crate::engine::report::symbols::{BindingState, ObjectSymbols, SymbolBinding, SymbolsReport};
use crate::engine::report::words::counted;
use color_eyre::Result;
use std::collections::BTreeMap;

/// How many symbols of one kind are shown without `-v`.
const SHOWN: usize = 10;

/// Prints what a slice tells of its symbols, if that was asked for.
///
/// # Errors
/// When the output can't be written.
pub(super) fn print(slice: &SliceReport, verbose: bool, output: &mut Output) -> Result<()> {
    let Some(report) = &slice.symbols else { return Ok(()) };
    for (number, line) in providers(report, slice.tree.as_ref()).iter().enumerate() {
        row(if number == 0 { "symbols" } else { "" }, line, output)?;
    }
    for object in &report.objects {
        if let Some(error) = &object.error {
            row("unreadable", &output.tone(Tone::Bad, format_args!("{}: {error}", object.name)), output)?;
        }
        let bad = |symbol: &&SymbolBinding| symbol.state == BindingState::Unbound;
        listed("unbound", object, &bad, (Tone::Bad, verbose), output)?;
        if verbose {
            listed("not bound", object, &|symbol| symbol.to.is_none() && !bad(symbol), (Tone::Faint, true), output)?;
            listed("bound", object, &|symbol| symbol.to.is_some(), (Tone::Faint, true), output)?;
        }
    }
    Ok(())
}

/// The artifact's symbols by who defines them, in load order, and the others by their state.
fn providers(report: &SymbolsReport, tree: Option<&Tree>) -> Vec<String> {
    let Some(root) = report.objects.first() else { return Vec::new() };
    let mut by = BTreeMap::new();
    for to in root.symbols.iter().filter_map(|symbol| symbol.to) {
        *by.entry(to).or_insert(0) += 1;
    }
    let name = |id: usize| tree.and_then(|tree| tree.nodes.get(id)).map_or("?", |node| node.name.as_str());
    let mut lines: Vec<String> = by.into_iter().map(|(id, count)| format!("{count:>5}  {}", name(id))).collect();
    let others = [
        (root.python, "Python's own, defined by the interpreter"),
        (root.weak_unbound, "weak, defined by nobody"),
        (root.unused, "defined by nobody, and asked for by no relocation"),
    ];
    lines.extend(others.iter().filter(|other| other.0 > 0).map(|(count, what)| format!("{count:>5}  {what}")));
    let unbound: Vec<usize> = report.objects.iter().map(|object| object.unbound).filter(|count| *count > 0).collect();
    if !unbound.is_empty() {
        let total: usize = unbound.iter().sum();
        lines.push(format!("{total:>5}  unbound, in {}", counted(unbound.len(), "object", "objects")));
    } else if lines.is_empty() {
        lines.push("none are undefined".to_owned());
    }
    lines
}

fn listed(
    label: &str,
    object: &ObjectSymbols,
    which: &dyn Fn(&&SymbolBinding) -> bool,
    (tone, all): (Tone, bool),
    output: &mut Output,
) -> Result<()> {
    let found: Vec<_> = object.symbols.iter().filter(which).collect();
    let shown = if all { found.len() } else { SHOWN.min(found.len()) };
    for symbol in found.iter().take(shown) {
        let version = symbol.version.as_ref().map(|version| format!("@{version}")).unwrap_or_default();
        let note = symbol.note.as_ref().map(|note| format!(": {note}")).unwrap_or_default();
        let name = output.tone(tone, format_args!("{}{version}", symbol.name));
        row(label, &format!("{name} of {}{note}", object.name), output)?;
    }
    if shown < found.len() {
        row("", &output.tone(Tone::Faint, format_args!("… {} more with -v", found.len() - shown)), output)?;
    }
    Ok(())
}

fn row(name: &str, value: &str, output: &mut Output) -> Result<()> {
    output.line(format_args!("  {name:<13} {value}"))
}
