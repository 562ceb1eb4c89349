//! One loaded object as the binding sees it: what it asks for, and what it offers.

use super::matching::{HIDDEN, Reference};
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::binary::elf::{Definition, Details, Symbols, UndefinedSymbol};
use crate::engine::deps::{Graph, Node, NodeKind};
use crate::engine::file::Windows;
use std::collections::HashMap;
use std::path::Path;

/// `DT_SYMBOLIC`.
const SYMBOLIC: u64 = 16;
/// `DT_FLAGS` with `DF_SYMBOLIC`.
const FLAGS: (u64, u64) = (30, 2);

/// One loaded object.
pub(super) struct Object<'a> {
    /// Its number in its graph.
    pub(super) node: usize,
    /// The name it was asked for by.
    pub(super) name: Name,
    /// Whether it looks for its symbols in itself first.
    pub(super) is_symbolic: bool,
    source: Windows,
    details: &'a Details,
    /// The names of the versions that it offers, by index.
    offered: HashMap<u16, Name>,
}

/// The ELF objects of `graph` in load order. The bytes of node 0 are at `artifact` where that is given. What has become
/// unreadable since it was resolved is an error.
pub(super) fn loaded<'a>(graph: &'a Graph, artifact: Option<&Path>) -> Result<Vec<Object<'a>>> {
    let mut objects = Vec::new();
    for (id, node) in graph.nodes.iter().enumerate() {
        let is_file = matches!(node.kind, NodeKind::Root | NodeKind::Library | NodeKind::Interpreter);
        let path = if id == 0 { artifact.or(node.path.as_deref()) } else { node.path.as_deref() };
        if let Some(path) = path.filter(|_| is_file)
            && let Some(details) = node.loaded().and_then(|slice| slice.elf.as_ref())
        {
            objects.push(Object::open(id, node, details, path)?);
        }
    }
    Ok(objects)
}

impl<'a> Object<'a> {
    fn open(id: usize, node: &Node, details: &'a Details, path: &Path) -> Result<Self> {
        let source = Windows::open(path)?;
        let offered = Symbols::open(&source, details)?.offered_versions()?.into_iter().collect();
        let value = |tag| details.tables.dynamic_value(tag);
        let is_symbolic = value(SYMBOLIC).is_some() || value(FLAGS.0).is_some_and(|flags| flags & FLAGS.1 != 0);
        Ok(Self { node: id, name: node.name.clone(), is_symbolic, source, details, offered })
    }

    fn symbols(&self) -> Result<Symbols<'_>> {
        Symbols::open(&self.source, self.details)
    }

    /// Its undefined symbols, in the table's order.
    pub(super) fn undefined(&self) -> Result<Vec<UndefinedSymbol>> {
        self.symbols()?.undefined()
    }

    /// What `symbol` asks for.
    pub(super) fn reference(&self, symbol: &UndefinedSymbol) -> Reference {
        let needed = self.details.version_needs.iter().flat_map(|need| &need.versions);
        let version = symbol.version.and_then(|index| {
            let named = needed.clone().find(|version| version.index == index).map(|version| version.name.clone());
            // A reference can also bear a version that the object itself defines.
            named.or_else(|| self.offered.get(&index).cloned())
        });
        Reference { name: symbol.name.clone(), version }
    }

    /// Its definitions of `name`.
    pub(super) fn definitions(&self, name: &Name) -> Result<Vec<Definition>> {
        self.symbols()?.definitions(name.as_bytes())
    }

    /// The name of the version that an entry of `.gnu.version` means; `None` for the base version, which has none.
    pub(super) fn version_name(&self, entry: u16) -> Option<&Name> {
        self.offered.get(&(entry & !HIDDEN))
    }

    /// Why it does not answer `reference` although it has the name; `None` where it has not.
    pub(super) fn why_not(&self, reference: &Reference) -> Result<Option<String>> {
        let definitions = self.definitions(&reference.name)?;
        if definitions.is_empty() {
            return Ok(None);
        }
        if definitions.iter().all(|one| !one.bindable) {
            return Ok(Some(format!("{} has it for itself only (hidden)", self.name)));
        }
        let named = definitions.iter().filter_map(|one| self.version_name(one.version?));
        let mut versions: Vec<String> = named.map(|name| name.to_text().into_owned()).collect();
        versions.sort();
        versions.dedup();
        Ok((!versions.is_empty()).then(|| format!("{} has it as {} only", self.name, versions.join(", "))))
    }
}
