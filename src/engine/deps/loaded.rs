//! What is in the process so far: the objects, and the names and files that they answer to.

use super::candidate::Judge;
use super::graph::{Graph, Node, NodeKind};
use super::inputs::Libc;
use super::search::Found;
use super::windows;
use crate::engine::binary::{Format, Name};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// The objects loaded so far.
#[derive(Debug, Clone)]
pub(super) struct Loaded {
    judge: Judge,
    /// The graph as far as it is known.
    pub(super) graph: Graph,
    /// Every name that a loaded object answers to; the first to bear it wins.
    names: HashMap<Vec<u8>, usize>,
    inodes: HashMap<(u64, u64), usize>,
    /// The nodes of what was not found.
    missing: HashMap<Vec<u8>, usize>,
}

impl Loaded {
    /// An empty process.
    pub(super) fn new(judge: Judge) -> Self {
        Self { judge, graph: Graph::default(), names: HashMap::new(), inodes: HashMap::new(), missing: HashMap::new() }
    }

    /// The objects.
    pub(super) fn nodes(&self) -> &[Node] {
        &self.graph.nodes
    }

    /// The object that answers to `name`.
    pub(super) fn answering(&self, name: &Name) -> Option<usize> {
        self.names.get(&self.key(name)).copied()
    }

    /// Whether node `id` is the file `inode`.
    pub(super) fn is_file(&self, id: usize, inode: (u64, u64)) -> bool {
        self.inodes.get(&inode) == Some(&id)
    }

    /// The number of what was not searched for: the artifact, or the program that hosts it.
    pub(super) fn add_root(&mut self, node: Node, inode: (u64, u64)) -> usize {
        let id = self.add(node);
        self.inodes.entry(inode).or_insert(id);
        self.answer_to_soname(id);
        id
    }

    /// The node of the interpreter, which answers to its path and to its file name.
    pub(super) fn add_interpreter(&mut self, node: Node, path: &Path) -> usize {
        let id = self.add(node);
        if let Some(file) = path.file_name() {
            self.names.entry(file.as_bytes().to_vec()).or_insert(id);
        }
        self.names.entry(path.as_os_str().as_bytes().to_vec()).or_insert(id);
        id
    }

    /// The node of a library that a search found: a new one, or that of the same file under another name.
    pub(super) fn add_found(&mut self, from: Option<usize>, name: &Name, found: Found) -> usize {
        let key = self.key(name);
        if let Some(&id) = self.inodes.get(&found.object.inode) {
            self.names.entry(key).or_insert(id);
            return id;
        }
        let node = present(NodeKind::Library, name.clone(), (found.path, found.realpath), from);
        let id = self.add(Node { binary: Some(found.binary), slice: found.slice, ..node });
        self.inodes.insert(found.object.inode, id);
        // musl compares a name with those that a search found, and a path was not searched for.
        if self.judge != Judge::Elf(Libc::Musl) || !name.as_bytes().contains(&b'/') {
            self.names.entry(key).or_insert(id);
        }
        self.answer_to_soname(id);
        id
    }

    /// The node of a library that is found nowhere.
    pub(super) fn add_absent(&mut self, from: usize, name: &Name) -> usize {
        let key = self.key(name);
        if let Some(&id) = self.missing.get(&key) {
            return id;
        }
        let kind = match self.judge {
            Judge::Other(Format::Pe) => windows::known_by_name(name.as_bytes()),
            _ => None,
        };
        let kind = kind.unwrap_or(NodeKind::Missing);
        let id = self.add(Node { name: name.clone(), ..absent(kind, Some(from)) });
        self.missing.insert(key, id);
        id
    }

    /// The node of what a name alone says is there.
    pub(super) fn add_named(&mut self, name: &Name, from: usize, kind: NodeKind) -> usize {
        let id = self.add(Node { name: name.clone(), ..absent(kind, Some(from)) });
        self.names.insert(self.key(name), id);
        id
    }

    /// Forgets every answer but the interpreter's, of which there is one for all namespaces (dlmopen(3)).
    pub(super) fn begin_namespace(&mut self) {
        let nodes = &self.graph.nodes;
        let is_interpreter = |id: &usize| nodes.get(*id).is_some_and(|node| node.kind == NodeKind::Interpreter);
        self.names.retain(|_, id| is_interpreter(id));
        self.inodes.retain(|_, id| is_interpreter(id));
    }

    /// The node of an interpreter that is not there.
    pub(super) fn add_missing_interpreter(&mut self, name: Name) {
        self.add(Node { name, ..absent(NodeKind::Missing, None) });
    }

    fn add(&mut self, node: Node) -> usize {
        self.graph.nodes.push(node);
        self.graph.nodes.len() - 1
    }

    /// musl does not look at a SONAME.
    fn answer_to_soname(&mut self, id: usize) {
        let soname = self.graph.nodes.get(id).and_then(|node| node.loaded()?.soname.clone());
        if let Some(soname) = soname.filter(|_| self.judge != Judge::Elf(Libc::Musl)) {
            self.names.entry(self.key(&soname)).or_insert(id);
        }
    }

    /// `name` as names are compared: Windows knows no case.
    fn key(&self, name: &Name) -> Vec<u8> {
        match self.judge {
            Judge::Other(Format::Pe) => name.as_bytes().to_ascii_lowercase(),
            _ => name.as_bytes().to_vec(),
        }
    }
}

/// A node of a file that is there: its path and its real path, both of this machine.
pub(super) fn present(
    kind: NodeKind,
    name: Name,
    (path, realpath): (PathBuf, Option<PathBuf>),
    requester: Option<usize>,
) -> Node {
    let directory = path.parent().unwrap_or(Path::new("/")).to_path_buf();
    Node { kind, name, path: Some(path), realpath, directory, binary: None, slice: 0, requester }
}

/// A node without a file.
pub(super) fn absent(kind: NodeKind, requester: Option<usize>) -> Node {
    Node {
        kind,
        name: Name::default(),
        path: None,
        realpath: None,
        directory: PathBuf::from("/"),
        binary: None,
        slice: 0,
        requester,
    }
}
