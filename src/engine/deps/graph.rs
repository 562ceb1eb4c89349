//! The dependency graph as the loader's lens finds it, and its form in the documents.

use crate::engine::binary::{Binary, Name, NeededBinding, Slice};
use crate::engine::report::audit::{Candidate, FoundBy, NodeRole, Tree, TreeEdge, TreeNode};
use std::path::PathBuf;
use std::sync::Arc;

/// What a node stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum NodeKind {
    /// The artifact; node 0.
    Root,
    /// A library that was found.
    Library,
    /// The program interpreter, which is in the process before any library.
    Interpreter,
    /// A part of the operating system that is not sought as a file (Mach-O, PE).
    System,
    /// A Python DLL that the host program brings (PE) and that is not there to be looked at.
    Libpython,
    /// Found nowhere.
    Missing,
}

/// One object.
#[derive(Debug, Clone)]
pub struct Node {
    /// What it stands for.
    pub kind: NodeKind,
    /// The name by which it was asked for first; the file name for the artifact.
    pub name: Name,
    /// The path that it was found under, absolute, symbolic links not followed.
    pub path: Option<PathBuf>,
    /// That path with symbolic links resolved.
    pub realpath: Option<PathBuf>,
    /// The directory that `$ORIGIN` and `@loader_path` stand for in it.
    pub directory: PathBuf,
    /// Its parsed form, where it was found.
    pub binary: Option<Arc<Binary>>,
    /// The number of the slice that is loaded.
    pub slice: usize,
    /// The node that asked for it first.
    pub requester: Option<usize>,
}

impl Node {
    /// The slice that is loaded.
    #[must_use]
    pub fn loaded(&self) -> Option<&Slice> {
        self.binary.as_ref()?.slices.get(self.slice)
    }
}

/// One request of one object.
#[derive(Debug, Clone)]
pub struct Edge {
    /// The node that asks.
    pub from: usize,
    /// The name it asks for.
    pub needed: Name,
    /// The node that answers.
    pub to: usize,
    /// What found it; `None` for what is missing, and for system libraries that are no files.
    pub found_by: Option<FoundBy>,
    /// The files that were tried before, in order.
    pub candidates: Vec<Candidate>,
    /// Needed symbol versions that the found library lacks.
    pub versions_missing: Vec<String>,
    /// How much the requester insists on it.
    pub binding: NeededBinding,
    /// What there is to say about the answer: "works only by load order: ...".
    pub note: Option<String>,
    /// What the loader says, when a file on the way made it give up the search.
    pub gave_up: Option<String>,
}

/// A dependency graph: nodes in the order in which the loader meets them, edges in the order of the requests.
#[derive(Debug, Clone, Default)]
pub struct Graph {
    /// The objects; node 0 is the artifact.
    pub nodes: Vec<Node>,
    /// The requests.
    pub edges: Vec<Edge>,
}

impl Graph {
    /// The document's form. `role_of_library` is asked for every library that was found as a file; the other roles follow
    /// from the node.
    #[must_use]
    pub fn to_tree(&self, role_of_library: &dyn Fn(&Node) -> NodeRole) -> Tree {
        let nodes = self.nodes.iter().enumerate().map(|(id, node)| TreeNode {
            id,
            name: node.name.to_text().into_owned(),
            path: node.path.clone(),
            realpath: node.realpath.clone(),
            arch: node.loaded().map(|slice| slice.arch.name.clone()),
            owner: None,
            role: match node.kind {
                NodeKind::Root => NodeRole::Root,
                NodeKind::Library => role_of_library(node),
                NodeKind::Interpreter => NodeRole::Interpreter,
                NodeKind::System => NodeRole::System,
                NodeKind::Libpython => NodeRole::Libpython,
                NodeKind::Missing => NodeRole::Missing,
            },
        });
        let edges = self.edges.iter().map(|edge| TreeEdge {
            from: edge.from,
            needed: edge.needed.to_text().into_owned(),
            to: edge.to,
            found_by: edge.found_by.clone(),
            candidates: edge.candidates.clone(),
            versions_missing: edge.versions_missing.clone(),
            weak: matches!(edge.binding, NeededBinding::Weak | NeededBinding::Delayed),
            note: edge.note.clone(),
            gave_up: edge.gave_up.clone(),
        });
        Tree { nodes: nodes.collect(), edges: edges.collect() }
    }
}
