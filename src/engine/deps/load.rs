//! One load: from the artifact breadth first over everything that is asked for, as ld.so, musl, dyld or the Windows loader
//! goes, keeping for every request what found the library and what was tried before.
//!
//! Where each loader looks stands in `glibc`, `musl`, `dyld` and `windows`; whether a file will do, in `candidate`.

use super::candidate::Judge;
use super::graph::{Edge, Graph, Node, NodeKind};
use super::inputs::{Libc, LoaderInputs, guess_libc};
use super::objects::{Looked, Objects};
use super::process::Process;
use super::search::{Found, Outcome, Request, search};
use super::tokens::as_path;
use super::{dyld, glibc, musl, versions, windows};
use crate::engine::binary::{Arch, Format, Name, Needed, NeededBinding};
use crate::engine::report::audit::{FoundBy, SearchRule};
use crate::engine::{Context, Result};
use std::collections::HashMap;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Loads what `root` asks for. `arch` and `inode` are those of the root's slice and of its file.
pub(super) fn load(
    objects: &Objects,
    root: Node,
    (arch, inode): (Arch, (u64, u64)),
    inputs: &LoaderInputs,
    context: &Context,
) -> Result<Graph> {
    let judge = match root.binary.as_deref() {
        Some(binary) if binary.format != Format::Elf => Judge::Other(binary.format),
        binary => Judge::Elf(inputs.libc.or(binary.map(guess_libc)).unwrap_or(Libc::Glibc)),
    };
    let process = match judge {
        Judge::Elf(libc) => Process::elf(inputs, objects, &arch, libc),
        Judge::Other(_) => Process::other(inputs),
    };
    let mut load = Load {
        objects,
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
    if judge == Judge::Elf(Libc::Glibc) {
        versions::mark_unanswered(&mut load.graph);
    }
    Ok(load.graph)
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
            (Some(from), Some(to)) if self.judge == Judge::Elf(Libc::Glibc) => from.loaded().zip(to.loaded()),
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
            note: None,
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
pub(super) fn present(kind: NodeKind, name: Name, path: PathBuf, requester: Option<usize>) -> Node {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary::{Binary, Endian, ObjectKind, RunPath, RunPathTag, Slice};
    use crate::engine::report::audit::{NodeRole, Rejection};
    use std::sync::Arc;

    fn graph_of(format: Format, needed: &[(&str, NeededBinding)], run_paths: &[&str], inputs: &LoaderInputs) -> Graph {
        let arch = Arch { name: "arm64".into(), bits: 64, endian: Endian::Little, machine: 0x0100_000c, flags: 0 };
        let needed = needed.iter().map(|(name, binding)| Needed { name: (*name).into(), binding: *binding });
        let paths = run_paths.iter().map(|text| RunPath { tag: RunPathTag::LcRpath, text: (*text).into() });
        let slice = Slice {
            offset: 0,
            size: 0,
            arch: arch.clone(),
            kind: ObjectKind::SharedLibrary,
            soname: None,
            needed: needed.collect(),
            interpreter: None,
            run_paths: paths.collect(),
            elf: None,
        };
        let binary = Arc::new(Binary { format, size: 0, slices: vec![slice] });
        let root = present(NodeKind::Root, "ext".into(), inputs.current_directory.join("ext"), None);
        let root = Node { binary: Some(binary), ..root };
        load(&Objects::default(), root, (arch, (0, 0)), inputs, &Context::new()).unwrap()
    }

    #[test]
    fn install_names_are_sought_by_their_anchors() {
        let directory = tempfile::tempdir().unwrap();
        let mut inputs = LoaderInputs::new(directory.path().to_path_buf());
        inputs.linked_paths = vec!["/linked".into()];
        std::fs::write(directory.path().join("libtext.dylib"), "no library").unwrap();
        let required = NeededBinding::Required;
        let needed = [
            ("/usr/lib/libSystem.B.dylib", required),
            ("@rpath/libx.dylib", NeededBinding::Weak),
            ("@loader_path/libtext.dylib", required),
            ("@rpath/libx.dylib", required),
        ];
        let graph = graph_of(Format::MachO, &needed, &["@loader_path/../lib", "/opt/lib"], &inputs);
        let tree = graph.to_tree(&|_| NodeRole::External);
        let roles: Vec<NodeRole> = tree.nodes.iter().map(|node| node.role).collect();
        assert_eq!(roles, [NodeRole::Root, NodeRole::System, NodeRole::Missing, NodeRole::Missing]);
        assert_eq!(tree.edges.iter().map(|edge| edge.to).collect::<Vec<_>>(), [1, 2, 3, 2]);
        assert_eq!(tree.edges.iter().map(|edge| edge.weak).collect::<Vec<_>>(), [false, true, false, false]);
        let tried = |edge: usize| -> Vec<(SearchRule, PathBuf, Rejection)> {
            let candidates = tree.edges[edge].candidates.iter();
            candidates.map(|tried| (tried.rule, tried.path.clone(), tried.rejected)).collect()
        };
        let missing = Rejection::Missing;
        let expected = [
            (SearchRule::Rpath, directory.path().join("../lib/libx.dylib"), missing),
            (SearchRule::Rpath, PathBuf::from("/opt/lib/libx.dylib"), missing),
            (SearchRule::LinkedPath, PathBuf::from("/linked/libx.dylib"), missing),
        ];
        assert_eq!(tried(1), expected);
        let beside = (SearchRule::LoaderPath, directory.path().join("libtext.dylib"), Rejection::NotALibrary);
        assert_eq!(tried(2).first(), Some(&beside));
    }

    #[test]
    fn dlls_are_sought_beside_the_artifact_in_any_case() {
        let directory = tempfile::tempdir().unwrap();
        let inputs = LoaderInputs::new(directory.path().to_path_buf());
        std::fs::write(directory.path().join("ZLIB1.dll"), "no library").unwrap();
        let names = ["KERNEL32.dll", "python312.dll", "zlib1.DLL", "kernel32.DLL", "other.dll"];
        let needed: Vec<_> = names.iter().map(|name| (*name, NeededBinding::Required)).collect();
        let graph = graph_of(Format::Pe, &needed, &[], &inputs);
        let kinds: Vec<NodeKind> = graph.nodes.iter().map(|node| node.kind).collect();
        use NodeKind::{Libpython, Missing, Root, System};
        assert_eq!(kinds, [Root, System, Libpython, Missing, Missing]);
        assert_eq!(graph.edges.iter().map(|edge| edge.to).collect::<Vec<_>>(), [1, 2, 3, 1, 4]);
        let refused: Vec<_> = graph.edges[2].candidates.iter().map(|tried| (&tried.path, tried.rejected)).collect();
        assert_eq!(refused, [(&directory.path().join("ZLIB1.dll"), Rejection::NotALibrary)]);
    }
}
