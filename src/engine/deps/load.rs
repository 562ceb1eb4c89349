//! One load: from the artifact breadth first over everything that is asked for, as ld.so, musl, dyld or the Windows loader
//! goes, keeping for every request what found the library and what was tried before.
//!
//! Where each loader looks stands in `glibc`, `musl`, `dyld` and `windows`; whether a file will do, in `candidate`; what is
//! in the process already, in `loaded`.

use super::bounds::Bounds;
use super::candidate::Judge;
use super::graph::{Edge, Graph, Node, NodeKind};
use super::host::narrow;
use super::inputs::{Libc, LoaderInputs};
use super::load_notes::{self, OwnSearches};
use super::loaded::{Loaded, present};
use super::objects::{Looked, Objects};
use super::preload::preloads;
use super::process::Process;
use super::search::{Group, Outcome, Request, search};
use super::sysroot::View;
use super::{dyld, glibc, musl, versions, windows};
use crate::engine::binary::elf::FilterKind;
use crate::engine::binary::{Arch, Format, Name, Needed, NeededBinding, Slice};
use crate::engine::report::audit::{FoundBy, SearchRule};
use crate::engine::{Context, Result};
use goblin::elf::dynamic::DT_NEEDED;
use std::collections::VecDeque;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Where a load begins: an object that is not searched for.
#[derive(Debug)]
pub(super) struct Start {
    /// The object.
    pub(super) node: Node,
    /// The machine of its slice.
    pub(super) arch: Arch,
    /// Device and inode of its file.
    pub(super) inode: (u64, u64),
}

/// Loads what `artifact` asks for, into a process of its own or into that of the program `host`.
pub(super) fn load(
    objects: &Objects,
    artifact: Start,
    host: Option<Start>,
    inputs: &LoaderInputs,
    context: &Context,
) -> Result<Graph> {
    let mut load = begin(objects, host.as_ref().unwrap_or(&artifact), inputs);
    let judge = load.judge;
    let mut graph = match host {
        None => {
            load.run(artifact, context)?;
            load.loaded.graph
        }
        Some(host) => {
            load.run(host, context)?;
            let number = load.open(artifact, context)?;
            narrow(load.loaded.graph, number)
        }
    };
    if judge == Judge::Elf(Libc::Glibc) {
        versions::mark_unanswered(&mut graph);
    }
    Ok(graph)
}

/// A process that nothing is loaded into yet; it will begin with `main`.
fn begin<'a>(objects: &'a Objects, main: &Start, inputs: &'a LoaderInputs) -> Load<'a> {
    let judge = match main.node.binary.as_deref() {
        Some(binary) if binary.format != Format::Elf => Judge::Other(binary.format),
        binary => Judge::Elf(binary.map_or(Libc::Glibc, |binary| inputs.libc_of(binary))),
    };
    let arch = main.arch.clone();
    let process = match judge {
        Judge::Elf(libc) => {
            let named = main.node.loaded().and_then(|slice| slice.interpreter.as_ref());
            Process::elf(inputs, objects, &arch, (libc, named))
        }
        Judge::Other(_) => Process::other(inputs),
    };
    Load {
        objects,
        process,
        judge,
        arch,
        loaded: Loaded::new(judge),
        interpreter: None,
        queue: VecDeque::new(),
        own_searches: OwnSearches::default(),
        bounds: Bounds::default(),
    }
}

/// One load under way.
struct Load<'a> {
    objects: &'a Objects,
    process: Process<'a>,
    judge: Judge,
    arch: Arch,
    loaded: Loaded,
    /// The interpreter, as long as nobody has asked for it.
    interpreter: Option<PathBuf>,
    /// The objects whose requests are still to be made.
    queue: VecDeque<usize>,
    /// What searches have come to, so that none is made twice.
    own_searches: OwnSearches,
    bounds: Bounds,
}

/// What `slice` asks for, in its order; only glibc heeds filters.
fn requests(slice: &Slice, judge: Judge) -> Vec<(Needed, Option<FilterKind>)> {
    let plain = || slice.needed.iter().map(|needed| (needed.clone(), None));
    let details = slice.elf.as_ref().filter(|details| judge == Judge::Elf(Libc::Glibc) && !details.filters.is_empty());
    let Some(details) = details else { return plain().collect() };
    let filter = |(kind, name): &(FilterKind, Name)| {
        let binding = if *kind == FilterKind::Auxiliary { NeededBinding::Weak } else { NeededBinding::Required };
        (Needed { name: name.clone(), binding }, Some(*kind))
    };
    let (mut needed, mut filters) = (plain(), details.filters.iter().map(filter));
    let next = |tag: u64| match tag {
        DT_NEEDED => needed.next(),
        tag => FilterKind::of_tag(tag).and_then(|_| filters.next()),
    };
    details.tables.dynamic.iter().map(|entry| entry.d_tag).filter_map(next).collect()
}

impl Load<'_> {
    /// Loads a whole process, which begins with `main`.
    fn run(&mut self, main: Start, context: &Context) -> Result<()> {
        self.interpreter = self.process.interpreter.clone();
        let id = self.loaded.add_root(main.node, main.inode);
        self.queue.push_back(id);
        self.preload();
        self.walk(context)?;
        self.end();
        Ok(())
    }

    /// Loads `artifact` into the running process, as dlopen(3) does with a path. Its number.
    fn open(&mut self, artifact: Start, context: &Context) -> Result<usize> {
        // musl makes the program the requester of what is opened; glibc forgets who called.
        let requester = (self.judge == Judge::Elf(Libc::Musl)).then_some(0);
        let id = self.loaded.add_root(Node { requester, ..artifact.node }, artifact.inode);
        self.process.artifact = id;
        self.process.opened_from = Some(id);
        self.queue.push_back(id);
        self.walk(context)?;
        Ok(id)
    }

    fn walk(&mut self, context: &Context) -> Result<()> {
        while let Some(id) = self.queue.pop_front() {
            context.advance(1)?;
            self.request_all(id);
        }
        Ok(())
    }

    /// Loads what comes before all other libraries. A missing one is passed over by ld.so.
    fn preload(&mut self) {
        let Judge::Elf(libc) = self.judge else { return };
        for preload in preloads(&self.process, libc) {
            let asked = Needed { name: preload.name, binding: NeededBinding::Weak };
            let edge = self.request(0, &asked, Asked::BeforeAll);
            let entry = Some(asked.name.to_text().into_owned());
            let by = |by| FoundBy { rule: SearchRule::LdPreload, entry, ..by };
            let note = preload.file.map(|file| format!("named in {file}"));
            self.loaded.graph.edges.push(Edge { found_by: edge.found_by.map(by), note, ..edge });
        }
    }

    /// Makes all requests of node `from`.
    fn request_all(&mut self, from: usize) {
        let Some(node) = self.loaded.nodes().get(from) else { return };
        // ld.so has no dependencies, and those of a system library are not ours to follow.
        if !matches!(node.kind, NodeKind::Root | NodeKind::Library) {
            return;
        }
        let requests = node.loaded().map(|slice| requests(slice, self.judge)).unwrap_or_default();
        let mut filters = Vec::new();
        for (asked, filter) in &requests {
            let edge = self.request(from, asked, Asked::ByNode);
            if let Some(kind) = filter {
                filters.push(edge.to);
                let note = load_notes::filter(*kind, self.loaded.nodes().get(from));
                self.loaded.graph.edges.push(Edge { note: Some(note), ..edge });
            } else {
                self.loaded.graph.edges.push(edge);
            }
        }
        // What stands in for an object comes before it, and makes its own requests before all that still wait.
        for id in filters.into_iter().rev() {
            if let Some(place) = self.queue.iter().position(|waiting| *waiting == id) {
                self.queue.remove(place);
                self.queue.push_front(id);
            }
        }
    }

    /// The interpreter is in the process even if nobody needs it by name.
    fn end(&mut self) {
        let named = self.loaded.nodes().first().and_then(|root| root.loaded()?.interpreter.clone());
        let Some(name) = named else { return };
        match self.interpreter.take() {
            Some(path) => {
                self.add_interpreter(name, &path, None);
            }
            None if !self.loaded.nodes().iter().any(|node| node.kind == NodeKind::Interpreter) => {
                if matches!(self.judge, Judge::Elf(_)) {
                    self.loaded.add_missing_interpreter(name);
                }
            }
            None => {}
        }
    }

    /// Makes the request of node `from` for `asked`.
    fn request(&mut self, from: usize, asked: &Needed, how: Asked) -> Edge {
        let name = &self.filled_in(from, &asked.name);
        if let Some(to) = self.already_loaded(from, name) {
            let by = FoundBy { rule: SearchRule::AlreadyLoaded, entry: None, owner: None, hwcaps: None };
            let note = if how == Asked::ByNode { self.order_note(from, name, to) } else { None };
            return Edge { note, ..self.edge(from, asked, to, Outcome::default(), Some(by)) };
        }
        if let Some(kind) = self.known_by_name(name) {
            let to = self.loaded.add_named(name, from, kind);
            return self.edge(from, asked, to, Outcome::default(), None);
        }
        let request = self.searched(name);
        let places = self.places(from, name, how);
        let mut outcome = search(self.objects, request, &places);
        self.own_searches.remember(name, &places, outcome.found.as_ref());
        match outcome.found.take() {
            Some(found) => {
                let by = found.by.clone();
                let count = self.loaded.nodes().len();
                let to = self.loaded.add_found(Some(from), name, found);
                if to == count {
                    self.queue.push_back(to);
                }
                self.edge(from, asked, to, outcome, Some(by))
            }
            None => {
                let to = self.loaded.add_absent(from, name);
                self.edge(from, asked, to, outcome, None)
            }
        }
    }

    fn searched<'b>(&'b self, name: &'b Name) -> Request<'b> {
        Request {
            name,
            root: &self.process.root,
            arch: &self.arch,
            judge: self.judge,
            subdirectories: &self.process.subdirectories,
            bounds: &self.bounds,
        }
    }

    /// What there is to say of node `to` that answers to `name`, where the search of node `from` would not have found it.
    fn order_note(&mut self, from: usize, name: &Name, to: usize) -> Option<String> {
        let node = self.loaded.nodes().get(to)?;
        if !matches!(self.judge, Judge::Elf(_)) || node.kind == NodeKind::Interpreter {
            return None;
        }
        let places = self.places(from, name, Asked::ByNode);
        let own = match self.own_searches.known(name, &places) {
            Some(own) => own,
            None => {
                let found = search(self.objects, self.searched(name), &places).found;
                self.own_searches.remember(name, &places, found.as_ref())
            }
        };
        let by_order = match &own {
            Some(own) if self.loaded.is_file(to, own.inode) => return None,
            own => load_notes::by_order(name, self.loaded.nodes(), to, own.as_ref().map(|own| own.path.as_path())),
        };
        Some(by_order)
    }

    /// Everywhere that the loader looks for `name` on behalf of node `from`.
    fn places(&self, from: usize, name: &Name, how: Asked) -> Vec<Group> {
        let nodes = self.loaded.nodes();
        match self.judge {
            Judge::Elf(Libc::Glibc) => glibc::places(&self.process, nodes, Some(from), name),
            // To musl nobody has asked for a preloaded library.
            Judge::Elf(Libc::Musl) => musl::places(&self.process, nodes, (how == Asked::ByNode).then_some(from), name),
            Judge::Other(Format::Pe) => windows::places(&self.process, nodes),
            Judge::Other(_) => dyld::places(&self.process, nodes, from, name),
        }
    }

    fn edge(&self, from: usize, asked: &Needed, to: usize, outcome: Outcome, found_by: Option<FoundBy>) -> Edge {
        let ends = (self.loaded.graph.nodes.get(from), self.loaded.graph.nodes.get(to));
        let slices = match ends {
            (Some(from), Some(to)) if self.judge == Judge::Elf(Libc::Glibc) => from.loaded().zip(to.loaded()),
            _ => None,
        };
        let versions_missing = slices
            .map(|(asking, found)| versions::missing(asking, &asked.name, found, &self.bounds))
            .unwrap_or_default();
        Edge {
            from,
            needed: asked.name.clone(),
            to,
            found_by,
            candidates: outcome.candidates,
            versions_missing,
            binding: asked.binding,
            note: load_notes::unrecorded(outcome.unrecorded),
            gave_up: outcome.gave_up,
        }
    }

    /// The name that is really sought: only glibc knows tokens there.
    fn filled_in(&self, from: usize, name: &Name) -> Name {
        let node = self.loaded.graph.nodes.get(from).filter(|_| self.judge == Judge::Elf(Libc::Glibc));
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
            return self.loaded.graph.nodes.iter().position(|node| node.kind == NodeKind::Interpreter);
        }
        self.loaded.answering(name)
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
        let root = &self.process.root;
        let binary = match self.objects.look_from(root, View::Process, path) {
            Looked::Object(object) => object.binary.clone(),
            _ => None,
        };
        let paths = (root.shown_file(View::Process, path), root.real(View::Process, path).ok());
        let node = present(NodeKind::Interpreter, name, paths, requester);
        self.loaded.add_interpreter(Node { binary, ..node }, path)
    }
}

/// Who asks for a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Asked {
    /// The object that needs it.
    ByNode,
    /// A list of libraries to load before all others.
    BeforeAll,
}

mod open;
#[cfg(test)]
mod tests;

pub(super) use open::{Before, open};
