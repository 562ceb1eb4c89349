//! Symbol binding: which object of a dependency graph defines each undefined symbol, as a loader that binds everything at
//! once finds it (`LD_BIND_NOW`, what `ldd -r` tries).
//!
//! The graph comes from `deps`; the tables of each object from `binary`. Which versions fit together is in `matching`, which
//! names are Python's in `python`. Copy relocations and addresses that a program lends to functions change who owns a
//! symbol, not whether it is found, and are left out.

mod matching;
mod object;
pub mod python;

use crate::engine::binary::Name;
use crate::engine::binary::elf::UndefinedSymbol;
use crate::engine::deps::{Graph, Libc};
use crate::engine::report::symbols::{BindingState, ObjectSymbols, SymbolBinding, SymbolsReport};
use crate::engine::{Context, Result};
use matching::{Reference, Rules};
use object::Object;
use std::collections::HashMap;
use std::path::Path;

/// What a binding is told besides the graph.
#[derive(Debug, Clone, Copy)]
pub struct Circumstances<'a> {
    /// Where the artifact's bytes are now: its own path, or a staged file.
    pub artifact: &'a Path,
    /// Whose loader binds.
    pub libc: Libc,
    /// The load of the program that will load the artifact: its objects are asked first, as after dlopen(3).
    pub host: Option<&'a Graph>,
    /// Whether a name of Python's may stay undefined: the artifact is loaded by Python, and is no program itself.
    pub python_is_there: bool,
}

/// Who binds the undefined symbols of every object of `graph`. Of the artifact, node 0, every symbol is listed; of the others
/// those that stay unbound.
///
/// # Errors
/// When an object's tables can't be read; [`crate::engine::Error::Cancelled`].
pub fn bind(graph: &Graph, circumstances: &Circumstances<'_>, context: &Context) -> Result<SymbolsReport> {
    let host = circumstances.host.map(|graph| object::loaded(graph, None)).transpose()?.unwrap_or_default();
    let own = object::loaded(graph, Some(circumstances.artifact))?;
    let scope: Vec<&Object> = host.iter().chain(&own).collect();
    let rules = Rules { libc: circumstances.libc };
    let mut binder = Binder { scope, rules, known: HashMap::new() };
    let mut report = SymbolsReport::default();
    for object in &own {
        context.advance(0)?;
        report.objects.push(binder.bind_all(object, host.len(), circumstances.python_is_there, context)?);
    }
    Ok(report)
}

/// A name and the version that is asked for.
type Asked = (Name, Option<Name>);

/// The search through the objects, with what it found before.
struct Binder<'a> {
    scope: Vec<&'a Object<'a>>,
    rules: Rules,
    known: HashMap<Asked, Option<usize>>,
}

impl Binder<'_> {
    fn bind_all(&mut self, object: &Object, own: usize, python: bool, context: &Context) -> Result<ObjectSymbols> {
        let mut bound =
            ObjectSymbols { node: object.node, name: object.name.to_text().into_owned(), ..Default::default() };
        for symbol in object.undefined()? {
            context.advance(1)?;
            let reference = object.reference(&symbol);
            let found = self.find(object, &reference)?;
            // An object that the host brought is no node of the artifact's tree.
            let to =
                found.filter(|place| *place >= own).and_then(|place| self.scope.get(place)).map(|object| object.node);
            let state = match found {
                Some(_) => BindingState::Bound,
                None if symbol.weak => BindingState::WeakUnbound,
                None if python && python::is_python_name(symbol.name.as_bytes()) => BindingState::Python,
                None => BindingState::Unbound,
            };
            match state {
                BindingState::Bound => bound.bound += 1,
                BindingState::Python => bound.python += 1,
                BindingState::WeakUnbound => bound.weak_unbound += 1,
                BindingState::Unbound => bound.unbound += 1,
            }
            if object.node != 0 && state != BindingState::Unbound {
                continue;
            }
            bound.symbols.push(self.describe(&symbol, &reference, state, (found, to))?);
        }
        bound.symbols.sort_by(|one, other| {
            let key = |binding: &SymbolBinding| (binding.state, binding.name.clone(), binding.version.clone());
            key(one).cmp(&key(other))
        });
        Ok(bound)
    }

    /// The place in the scope of the object that defines `reference`, asked for by `object`.
    fn find(&mut self, object: &Object, reference: &Reference) -> Result<Option<usize>> {
        if object.is_symbolic
            && let Some(place) = self.scope.iter().position(|other| std::ptr::eq(*other, object))
            && self.rules.defines(object, reference)?
        {
            return Ok(Some(place));
        }
        let asked = (reference.name.clone(), reference.version.clone());
        if let Some(known) = self.known.get(&asked) {
            return Ok(*known);
        }
        let mut found = None;
        for (place, other) in self.scope.iter().enumerate() {
            if self.rules.defines(other, reference)? {
                found = Some(place);
                break;
            }
        }
        self.known.insert(asked, found);
        Ok(found)
    }

    fn describe(
        &self,
        symbol: &UndefinedSymbol,
        reference: &Reference,
        state: BindingState,
        (found, to): (Option<usize>, Option<usize>),
    ) -> Result<SymbolBinding> {
        let note = match (state, found, to) {
            (BindingState::Bound, Some(place), None) => {
                self.scope.get(place).map(|object| format!("{} defines it, which the host brings", object.name))
            }
            (BindingState::Unbound | BindingState::WeakUnbound, ..) => self.nearly(reference)?,
            _ => None,
        };
        let text = |name: &Name| name.to_text().into_owned();
        Ok(SymbolBinding {
            name: text(&symbol.name),
            version: reference.version.as_ref().map(text),
            weak: symbol.weak,
            state,
            to,
            note,
        })
    }

    /// The first object that has the name and yet does not define it for this reference, and why not.
    fn nearly(&self, reference: &Reference) -> Result<Option<String>> {
        for object in &self.scope {
            if let Some(why) = object.why_not(reference)? {
                return Ok(Some(why));
            }
        }
        Ok(None)
    }
}
