//! The files that a wheel would hold of an artifact: itself and the libraries that a repair would bundle, each parsed and
//! with those who need it. What a finding looks at when it judges files rather than the search for them.

use super::super::Audit;
use super::quoted;
use crate::engine::binary::Slice;
use crate::engine::report::audit::{NodeRole, StagingReport, Tree};
use std::path::Path;

/// One file of the wheel to be.
#[derive(Debug, Clone, Copy)]
pub(super) struct Shipped<'a> {
    /// Its number in the tree; 0 is the artifact.
    pub(super) node: usize,
    /// Where it lies.
    pub(super) path: &'a Path,
    /// The part of it that is loaded.
    pub(super) slice: &'a Slice,
    tree: Option<&'a Tree>,
}

/// The artifact, and every library of its first slice's tree that a repair would bundle, in the loader's order.
pub(super) fn shipped(audit: &Audit) -> Vec<Shipped<'_>> {
    let first = audit.report.slices.first();
    let tree = first.and_then(|slice| slice.tree.as_ref());
    let own = audit.binary.as_ref().and_then(|binary| binary.slices.first());
    let own = own.map(|slice| Shipped { node: 0, path: &audit.report.path, slice, tree });
    let bundled = tree.into_iter().flat_map(|tree| &tree.nodes).filter(|node| node.role == NodeRole::External);
    let libraries = bundled.filter_map(|node| {
        let loaded = audit.graph.as_ref()?.nodes.get(node.id)?;
        Some(Shipped { node: node.id, path: loaded.path.as_deref()?, slice: loaded.loaded()?, tree })
    });
    own.into_iter().chain(libraries).collect()
}

impl Shipped<'_> {
    /// The file and who needs it: `/opt/libdeep.so.2 (needed by libgreet.so.1)`.
    pub(super) fn named(&self) -> String {
        let path = self.path.display();
        match self.tree.filter(|_| self.node != 0) {
            Some(tree) => format!("{path} (needed by {})", requesters(tree, self.node).join(", ")),
            None => path.to_string(),
        }
    }

    /// Whether the file may be edited where it lies: neither an output that cargo keeps nor a file of the system.
    pub(super) fn may_be_edited(&self, staging: &StagingReport) -> bool {
        if self.node == 0 { staging.cargo_output.is_none() } else { !is_of_system(self.path) }
    }

    /// The line that edits the file with `patchelf`; a sentence where the file should be left as it is.
    pub(super) fn patchelf(&self, options: &str, staging: &StagingReport) -> Option<String> {
        let line = format!("patchelf {options} {}", quoted(self.path));
        match (self.may_be_edited(staging), self.node) {
            (true, _) => Some(line),
            // What is edited in cargo's cache comes back in the next build.
            (false, 0) => None,
            (false, _) => Some(format!("# on a copy that you link instead of the system's: {line}")),
        }
    }
}

/// Whether `path` lies where a system's packages are installed.
pub(super) fn is_of_system(path: &Path) -> bool {
    ["/lib", "/lib32", "/lib64", "/libx32", "/usr/lib", "/usr/lib32", "/usr/lib64", "/usr/libx32"]
        .iter()
        .any(|root| path.starts_with(root))
}

/// The names of the objects that ask for node `id`, sorted.
pub(super) fn requesters(tree: &Tree, id: usize) -> Vec<&str> {
    let asking = tree.edges.iter().filter(|edge| edge.to == id).filter_map(|edge| tree.nodes.get(edge.from));
    let mut names: Vec<&str> = asking.map(|node| node.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    names
}
