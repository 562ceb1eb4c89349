//! The loader's lens: follows what ld.so, musl, dyld or the Windows loader would do with an artifact, breadth first, and
//! keeps for every request what found the library and what was tried before.
//!
//! Nothing is run and nothing written. Roles (what the repair makes of a library) are given by others.

use super::candidate::Judge;
use super::graph::{Edge, Graph, Node, NodeKind};
use super::inputs::{Libc, LoaderInputs, Placed, guess_libc};
use super::objects::{Looked, Objects};
use super::process::Process;
use super::search::{Found, Outcome, Request, search};
use super::tokens::as_path;
use super::{dyld, glibc, musl, versions, windows};
use crate::engine::binary::{Arch, Binary, Format, Name, Needed, NeededBinding, ObjectKind};
use crate::engine::report::audit::{FoundBy, SearchRule};
use crate::engine::{Context, Error, Result};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Resolves dependencies, and keeps what it has read for the next artifact.
#[derive(Debug, Default)]
pub struct Loader {
    objects: Objects,
}

/// The dependencies of the first slice of `artifact`; for one artifact alone.
///
/// # Errors
/// As [`Loader::resolve`].
pub fn resolve(artifact: &Placed<'_>, inputs: &LoaderInputs, context: &Context) -> Result<Graph> {
    Loader::default().resolve(artifact, 0, inputs, context)
}

impl Loader {
    /// The dependencies of slice number `slice` of `artifact`. A library that is not found is a node of its own.
    ///
    /// # Errors
    /// When the artifact itself can't be read or has no such slice; [`Error::Cancelled`].
    pub fn resolve(
        &self,
        artifact: &Placed<'_>,
        slice: usize,
        inputs: &LoaderInputs,
        context: &Context,
    ) -> Result<Graph> {
        let (inode, binary) = self.objects.artifact(artifact.read_from)?;
        let Some(arch) = binary.slices.get(slice).map(|slice| slice.arch.clone()) else {
            let expected = format!("a slice of number {slice}, found {}", binary.slices.len());
            return Err(Error::malformed(artifact.read_from, 0, expected));
        };
        let judge = match binary.format {
            Format::Elf => Judge::Elf(inputs.libc.unwrap_or_else(|| guess_libc(&binary))),
            format => Judge::Other(format),
        };
        let process = match judge {
            Judge::Elf(libc) => Process::elf(inputs, &self.objects, &arch, libc),
            Judge::Other(_) => Process::other(inputs),
        };
        let root = root_node(artifact.loaded_as, binary, slice, &inputs.current_directory);
        let mut load = Load {
            objects: &self.objects,
            process,
            judge,
            arch,
            graph: Graph::default(),
            names: HashMap::new(),
            inodes: HashMap::from([(inode, 0)]),
            missing: HashMap::new(),
            interpreter: None,
        };
        load.begin(root);
        load.preload();
        let mut next = 0;
        while next < load.graph.nodes.len() {
            context.advance(1)?;
            load.request_all(next);
            next += 1;
        }
        load.end();
        Ok(load.graph)
    }
}

/// One load under way.
struct Load<'a> {
    objects: &'a Objects,
    process: Process<'a>,
    judge: Judge,
    arch: Arch,
    graph: Graph,
    /// Every name that a loaded object answers to; the first to bear it wins.
    names: HashMap<Vec<u8>, usize>,
    inodes: HashMap<(u64, u64), usize>,
    /// The nodes of what was not found.
    missing: HashMap<Vec<u8>, usize>,
    /// The interpreter, as long as nobody has asked for it.
    interpreter: Option<PathBuf>,
}

impl Load<'_> {
    fn begin(&mut self, root: Node) {
        let own_name = root.loaded().and_then(|slice| slice.soname.clone());
        let named = root.loaded().and_then(|slice| slice.interpreter.clone());
        // musl compares a name with those that a search found, and the artifact was not searched for.
        if let Some(soname) = own_name.filter(|_| self.judge != Judge::Elf(Libc::Musl)) {
            self.names.insert(self.key(&soname), 0);
        }
        if let Judge::Elf(libc) = self.judge {
            let usual = self.process.machine.map(|machine| match libc {
                Libc::Glibc => PathBuf::from(machine.glibc_interpreter),
                Libc::Musl => PathBuf::from(format!("/lib/ld-musl-{}.so.1", machine.musl)),
            });
            let path = named.map(|name| as_path(name.as_bytes()).to_path_buf()).or(usual);
            self.interpreter = path.filter(|path| path.is_file());
        }
        self.graph.nodes.push(root);
    }

    /// Loads the libraries of `LD_PRELOAD`, which come before all others. A missing one is passed over by ld.so.
    fn preload(&mut self) {
        let (Judge::Elf(_), Some(list)) = (self.judge, self.process.inputs.ld_preload.clone()) else { return };
        for name in list.as_bytes().split(|byte| b" :".contains(byte)).filter(|name| !name.is_empty()) {
            let asked = Needed { name: Name::new(name), binding: NeededBinding::Weak };
            let edge = self.request(0, &asked);
            let found_by = edge.found_by.map(|by| FoundBy {
                rule: SearchRule::LdPreload,
                entry: Some(asked.name.to_text().into_owned()),
                ..by
            });
            self.graph.edges.push(Edge { found_by, ..edge });
        }
    }

    /// Makes all requests of node `from`.
    fn request_all(&mut self, from: usize) {
        let Some(node) = self.graph.nodes.get(from) else { return };
        // ld.so has no dependencies, and those of a system library are not ours to follow.
        if !matches!(node.kind, NodeKind::Root | NodeKind::Library) {
            return;
        }
        let needed = node.loaded().map(|slice| slice.needed.clone()).unwrap_or_default();
        for asked in &needed {
            let edge = self.request(from, asked);
            self.graph.edges.push(edge);
        }
    }

    /// The interpreter is in the process even if nobody needs it by name.
    fn end(&mut self) {
        let named = self.graph.nodes.first().and_then(|root| root.loaded()?.interpreter.clone());
        let Some(name) = named else { return };
        match self.interpreter.take() {
            Some(path) => {
                self.add_interpreter(name, &path, None);
            }
            None if !self.graph.nodes.iter().any(|node| node.kind == NodeKind::Interpreter) => {
                if matches!(self.judge, Judge::Elf(_)) {
                    self.graph.nodes.push(Node { name, ..absent(NodeKind::Missing, None) });
                }
            }
            None => {}
        }
    }

    /// Makes the request of node `from` for `asked`.
    fn request(&mut self, from: usize, asked: &Needed) -> Edge {
        let name = &self.filled_in(from, &asked.name);
        if let Some(to) = self.already_loaded(from, name) {
            let by = FoundBy { rule: SearchRule::AlreadyLoaded, entry: None, owner: None, hwcaps: None };
            return self.edge(from, asked, to, Outcome::default(), Some(by));
        }
        if let Some(kind) = self.known_by_name(name) {
            let to = self.add_named(name, from, kind);
            return self.edge(from, asked, to, Outcome::default(), None);
        }
        let places = match self.judge {
            Judge::Elf(Libc::Glibc) => glibc::places(&self.process, &self.graph.nodes, from, name),
            Judge::Elf(Libc::Musl) => musl::places(&self.process, &self.graph.nodes, from, name),
            Judge::Other(Format::Pe) => windows::places(&self.process, &self.graph.nodes),
            Judge::Other(_) => dyld::places(&self.process, &self.graph.nodes, from, name),
        };
        let request = Request { name, arch: &self.arch, judge: self.judge, hwcaps: self.process.hwcaps };
        let mut outcome = search(self.objects, request, &places);
        match outcome.found.take() {
            Some(found) => {
                let by = found.by.clone();
                let to = self.add_found(from, name, found);
                self.edge(from, asked, to, outcome, Some(by))
            }
            None => {
                let to = self.add_absent(from, name);
                self.edge(from, asked, to, outcome, None)
            }
        }
    }

    fn edge(&self, from: usize, asked: &Needed, to: usize, outcome: Outcome, found_by: Option<FoundBy>) -> Edge {
        let ends = (self.graph.nodes.get(from), self.graph.nodes.get(to));
        let slices = match ends {
            (Some(from), Some(to)) => from.loaded().zip(to.loaded()),
            _ => None,
        };
        let versions_missing =
            slices.map(|(requester, found)| versions::missing(requester, &asked.name, found)).unwrap_or_default();
        Edge {
            from,
            needed: asked.name.clone(),
            to,
            found_by,
            candidates: outcome.candidates,
            versions_missing,
            binding: asked.binding,
            gave_up: outcome.gave_up,
        }
    }

    /// The name that is really sought: only glibc knows tokens there.
    fn filled_in(&self, from: usize, name: &Name) -> Name {
        let node = self.graph.nodes.get(from).filter(|_| self.judge == Judge::Elf(Libc::Glibc));
        node.and_then(|node| glibc::filled_in(&self.process, node, name)).unwrap_or_else(|| name.clone())
    }

    /// The loaded object that answers to `name`.
    fn already_loaded(&mut self, from: usize, name: &Name) -> Option<usize> {
        if let Some(path) = self.interpreter.clone() {
            let file = path.file_name().map(OsStrExt::as_bytes);
            let asked = name.as_bytes();
            let own = self.judge == Judge::Elf(Libc::Musl) && musl::is_own_name(asked);
            if own || file == Some(asked) || path.as_os_str().as_bytes() == asked {
                self.interpreter = None;
                return Some(self.add_interpreter(name.clone(), &path, Some(from)));
            }
        } else if self.judge == Judge::Elf(Libc::Musl) && musl::is_own_name(name.as_bytes()) {
            return self.graph.nodes.iter().position(|node| node.kind == NodeKind::Interpreter);
        }
        self.names.get(&self.key(name)).copied()
    }

    /// What a name alone says, in formats whose systems keep libraries that are no files.
    fn known_by_name(&self, name: &Name) -> Option<NodeKind> {
        match self.judge {
            Judge::Other(Format::Pe) => {
                windows::known_by_name(name.as_bytes()).filter(|kind| *kind == NodeKind::System)
            }
            Judge::Other(Format::MachO) => dyld::is_system_name(name.as_bytes()).then_some(NodeKind::System),
            _ => None,
        }
    }

    fn add_interpreter(&mut self, name: Name, path: &Path, requester: Option<usize>) -> usize {
        let binary = match self.objects.look(path) {
            Looked::Object(object) => object.binary.clone(),
            _ => None,
        };
        let node = present(NodeKind::Interpreter, name, path.to_path_buf(), requester);
        let id = self.add(Node { binary, ..node });
        if let Some(file) = path.file_name() {
            self.names.entry(file.as_bytes().to_vec()).or_insert(id);
        }
        self.names.entry(path.as_os_str().as_bytes().to_vec()).or_insert(id);
        id
    }

    /// The node of a library that a search found: a new one, or that of the same file under another name.
    fn add_found(&mut self, from: usize, name: &Name, found: Found) -> usize {
        if let Some(&id) = self.inodes.get(&found.object.inode) {
            self.names.entry(self.key(name)).or_insert(id);
            return id;
        }
        let node = present(NodeKind::Library, name.clone(), found.path, Some(from));
        let id = self.add(Node { binary: Some(found.binary), slice: found.slice, ..node });
        self.inodes.insert(found.object.inode, id);
        self.names.entry(self.key(name)).or_insert(id);
        let soname = self.graph.nodes.get(id).and_then(|node| node.loaded()?.soname.clone());
        if let Some(soname) = soname.filter(|_| self.judge != Judge::Elf(Libc::Musl)) {
            self.names.entry(self.key(&soname)).or_insert(id);
        }
        id
    }

    /// The node of a library that is found nowhere.
    fn add_absent(&mut self, from: usize, name: &Name) -> usize {
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

    fn add_named(&mut self, name: &Name, from: usize, kind: NodeKind) -> usize {
        let id = self.add(Node { name: name.clone(), ..absent(kind, Some(from)) });
        self.names.insert(self.key(name), id);
        id
    }

    fn add(&mut self, node: Node) -> usize {
        self.graph.nodes.push(node);
        self.graph.nodes.len() - 1
    }

    /// `name` as names are compared: Windows knows no case.
    fn key(&self, name: &Name) -> Vec<u8> {
        match self.judge {
            Judge::Other(Format::Pe) => name.as_bytes().to_ascii_lowercase(),
            _ => name.as_bytes().to_vec(),
        }
    }
}

/// A node of a file that is there.
fn present(kind: NodeKind, name: Name, path: PathBuf, requester: Option<usize>) -> Node {
    let directory = path.parent().unwrap_or(Path::new("/")).to_path_buf();
    let realpath = std::fs::canonicalize(&path).ok();
    Node { kind, name, path: Some(path), realpath, directory, binary: None, slice: 0, requester }
}

/// A node without a file.
fn absent(kind: NodeKind, requester: Option<usize>) -> Node {
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

/// The artifact's node. The kernel starts a program by its real path, so that `$ORIGIN` is the directory of the file and
/// not of a symbolic link to it; a library keeps the path that it is loaded by.
fn root_node(loaded_as: &Path, binary: Arc<Binary>, slice: usize, current_directory: &Path) -> Node {
    let path = current_directory.join(loaded_as);
    let file = path.file_name().unwrap_or(path.as_os_str());
    let name = Name::new(file.as_bytes());
    let mut node = present(NodeKind::Root, name, path.clone(), None);
    // The file may be away in staging; its directory says then where it really lies.
    let from_directory = || Some(std::fs::canonicalize(path.parent()?).ok()?.join(file));
    node.realpath = node.realpath.or_else(from_directory);
    let is_program = binary.slices.get(slice).is_some_and(|slice| slice.kind == ObjectKind::Executable);
    if let Some(real) = node.realpath.as_ref().and_then(|path| path.parent()).filter(|_| is_program) {
        node.directory = real.to_path_buf();
    }
    Node { binary: Some(binary), slice, ..node }
}
