//! Who binds the undefined symbols of the objects of a dependency graph, if the loader bound them all at once
//! (`LD_BIND_NOW`, `ldd -r`).
//!
//! [`bind`] goes over every loaded object. What the loader takes stands in `rules`, where it looks in `scope`, why nothing
//! was taken in `reason`, and which names are Python's in [`python`]. Names are looked up one by one through the libraries'
//! hash tables, so that a big library costs what is asked of it. What copy relocations look for is left out: the symbol is
//! defined in the program then.

mod pages;
pub mod python;
mod reason;
mod rules;
mod scope;

use crate::engine::binary::ObjectKind;
use crate::engine::binary::elf::{UndefinedSymbol, Use};
use crate::engine::deps::{Graph, Libc, Node};
use crate::engine::file::ReadAt;
use crate::engine::report::symbols::{BindingState, ObjectSymbols, SymbolBinding, SymbolsReport};
use crate::engine::{Context, Error, Result};
use scope::{Outcome, Reference, Scope};
use std::collections::BTreeSet;

/// After how many symbols the context is asked.
const STRIDE: usize = 256;
/// Said of a symbol that the loader never looks up.
const UNUSED: &str = "no relocation asks for it";

/// Binds the undefined symbols of all objects of `graph`, whose artifact is read from `root`, by the rules of `libc`.
///
/// `before` are objects that are in scope before the artifact, in their load order: the nodes of the program that loads it
/// (`--host`). Without them, Python's own names are taken as Python's when the artifact is a library. `None` for an artifact
/// that is no ELF file. An object that can't be read has the error in its row.
///
/// # Errors
/// [`Error::Cancelled`].
pub fn bind(
    graph: &Graph,
    root: &dyn ReadAt,
    libc: Libc,
    before: &[&Node],
    context: &Context,
) -> Result<Option<SymbolsReport>> {
    let Some(artifact) = graph.nodes.first().and_then(Node::loaded).filter(|slice| slice.elf.is_some()) else {
        return Ok(None);
    };
    let brings_python = before.is_empty() && artifact.kind != ObjectKind::Executable;
    let sources = scope::sources(graph, before);
    let mut scope = Scope::open(graph, root, &sources, before, libc);
    let mut report = SymbolsReport::default();
    for member in scope.checked() {
        context.advance(1)?;
        let mut object = Checked { scope: &mut scope, graph, member, brings_python, context }.run()?;
        object.error = scope.error(member);
        report.objects.push(object);
    }
    Ok(Some(report))
}

/// One object whose references are looked up.
struct Checked<'s, 'a> {
    scope: &'s mut Scope<'a>,
    graph: &'a Graph,
    member: usize,
    brings_python: bool,
    context: &'s Context,
}

impl Checked<'_, '_> {
    fn run(&mut self) -> Result<ObjectSymbols> {
        let (node, name) = self.scope.node_of(self.member);
        let mut object = ObjectSymbols { node: node.unwrap_or(0), name, ..ObjectSymbols::default() };
        let is_root = node == Some(0);
        let symbols = self.scope.undefined(self.member);
        // What a relocation wants decides among definitions only behind a program, which may offer stubs.
        let all = symbols.iter().filter(|_| is_root).map(|symbol| symbol.index).collect();
        let uses = self.scope.relocated(self.member, &all);
        let mut unbound = Vec::new();
        for (number, symbol) in symbols.into_iter().enumerate() {
            if number % STRIDE == 0 && self.context.is_cancelled() {
                return Err(Error::Cancelled);
            }
            let usage = uses.get(&symbol.index).copied();
            let reference = self.scope.reference(self.member, &symbol, usage.unwrap_or(Use::Call));
            match self.scope.look_up(self.member, &reference) {
                Outcome::Found(definer) => {
                    object.bound += 1;
                    if is_root {
                        let (to, _) = self.scope.node_of(definer);
                        let note = match usage {
                            Some(_) => reason::of_bound(self.scope, definer, &reference, to),
                            None => Some(UNUSED.to_owned()),
                        };
                        object.symbols.push(binding(&symbol, &reference, BindingState::Bound, to, note));
                    }
                }
                outcome => unbound.push((symbol, reference, outcome)),
            }
        }
        self.add_unbound(&mut object, unbound, is_root);
        let order = |one: &SymbolBinding, other: &SymbolBinding| {
            (one.state, &one.name, &one.version).cmp(&(other.state, &other.name, &other.version))
        };
        object.symbols.sort_by(order);
        Ok(object)
    }

    fn add_unbound(
        &mut self,
        object: &mut ObjectSymbols,
        unbound: Vec<(UndefinedSymbol, Reference, Outcome)>,
        all: bool,
    ) {
        let is_python = |symbol: &UndefinedSymbol| self.brings_python && python::is_python(symbol.name.as_bytes());
        let doubtful = unbound.iter().map(|found| &found.0).filter(|symbol| !symbol.weak && !is_python(symbol));
        let doubtful: BTreeSet<u64> = doubtful.map(|symbol| symbol.index).collect();
        let asked_for = self.scope.relocated(self.member, &doubtful);
        for (symbol, reference, outcome) in unbound {
            let (state, count) = if is_python(&symbol) {
                (BindingState::Python, &mut object.python)
            } else if symbol.weak && !matches!(outcome, Outcome::Aborts(_)) {
                (BindingState::WeakUnbound, &mut object.weak_unbound)
            } else if symbol.weak || asked_for.contains_key(&symbol.index) {
                (BindingState::Unbound, &mut object.unbound)
            } else {
                (BindingState::Unused, &mut object.unused)
            };
            *count += 1;
            if all || state == BindingState::Unbound {
                let note = match state {
                    BindingState::Python => None,
                    BindingState::Unused => Some(UNUSED.to_owned()),
                    _ => reason::of_unbound(self.scope, self.graph, &reference, &outcome),
                };
                object.symbols.push(binding(&symbol, &reference, state, None, note));
            }
        }
    }
}

fn binding(
    symbol: &UndefinedSymbol,
    reference: &Reference,
    state: BindingState,
    to: Option<usize>,
    note: Option<String>,
) -> SymbolBinding {
    let version = reference.version.as_ref().map(|version| version.name.to_text().into_owned());
    SymbolBinding { name: symbol.name.to_text().into_owned(), version, weak: symbol.weak, state, to, note }
}
