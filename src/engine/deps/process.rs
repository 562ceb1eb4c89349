//! The process that an artifact would be loaded into: what the rules of every loader ask besides the objects themselves.
//!
//! Lists of directories are made once and kept, since thousands of requests may walk the same ones.

use super::cache::LoaderCache;
use super::conf;
use super::graph::Node;
use super::inputs::{Libc, LoaderInputs};
use super::ldso::GlibcVersion;
use super::machine::Machine;
use super::objects::Objects;
use super::processor;
use super::search::{At, Group, Place};
use super::subdirectories::Subdirectories;
use super::sysroot::{Root, View};
use super::tokens::as_path;
use crate::engine::binary::{Arch, Name, RunPathTag, Slice};
use crate::engine::report::audit::SearchRule;
use std::cell::{OnceCell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What stays the same over one load.
#[derive(Debug)]
pub(super) struct Process<'a> {
    /// What the caller said.
    pub(super) inputs: &'a LoaderInputs,
    /// Its root directory.
    pub(super) root: Root,
    /// Its working directory.
    pub(super) working: (View, PathBuf),
    /// The loader, where it is there; a path of the process.
    pub(super) interpreter: Option<PathBuf>,
    /// The ELF machine; `None` for another format or an unknown machine.
    pub(super) machine: Option<&'static Machine>,
    /// The default directories of glibc.
    pub(super) defaults: Vec<PathBuf>,
    /// What `$LIB` means to glibc.
    pub(super) library: Option<String>,
    /// What `$PLATFORM` means to glibc.
    pub(super) platform: Option<String>,
    /// glibc's cache.
    pub(super) cache: Option<Arc<LoaderCache>>,
    /// The directories that stand in for a cache which a sysroot does not have.
    pub(super) conf: Vec<PathBuf>,
    /// What glibc looks into before a directory itself.
    pub(super) subdirectories: Subdirectories,
    /// The number of the artifact: 0, or that of what a program with nodes before it opens.
    pub(super) artifact: usize,
    /// From which node on objects were opened by the program, which is node 0; `None` where nothing was, or by whom is not
    /// known.
    pub(super) opened_from: Option<usize>,
    /// The lists that were made.
    pub(super) lists: Lists,
}

/// The lists of one load, each made when it is first asked for.
#[derive(Debug, Default)]
pub(super) struct Lists {
    run_paths: RefCell<BTreeMap<(usize, RunPathTag), Group>>,
    main_rpath: OnceCell<Group>,
    variable: OnceCell<Group>,
    defaults: OnceCell<Group>,
    added: OnceCell<Group>,
    /// For a node the nearest one up its chain, itself included, that has a DT_RPATH.
    bearers: RefCell<HashMap<usize, Option<usize>>>,
}

impl Lists {
    /// The list of `tag` that stands in node `id`.
    pub(super) fn run_path(&self, id: usize, tag: RunPathTag, make: impl FnOnce() -> Vec<Place>) -> Group {
        if let Some(known) = self.run_paths.borrow().get(&(id, tag)) {
            return Arc::clone(known);
        }
        let made: Group = make().into();
        self.run_paths.borrow_mut().insert((id, tag), Arc::clone(&made));
        made
    }

    /// The DT_RPATH of the program, for those that it is no requester of.
    pub(super) fn main_rpath(&self, make: impl FnOnce() -> Vec<Place>) -> Group {
        Arc::clone(self.main_rpath.get_or_init(|| make().into()))
    }

    /// The list of the variable.
    pub(super) fn variable(&self, make: impl FnOnce() -> Vec<Place>) -> Group {
        Arc::clone(self.variable.get_or_init(|| make().into()))
    }

    /// The list of the default directories.
    pub(super) fn defaults(&self, make: impl FnOnce() -> Vec<Place>) -> Group {
        Arc::clone(self.defaults.get_or_init(|| make().into()))
    }

    /// Of the chain of `from`, itself first, the nearest node that `bears` a list. Long chains are walked once.
    pub(super) fn bearer(&self, nodes: &[Node], from: usize, bears: impl Fn(&Node) -> bool) -> Option<usize> {
        let mut known = self.bearers.borrow_mut();
        let (mut walked, mut here) = (Vec::new(), Some(from));
        let found = loop {
            let Some((id, node)) = here.and_then(|id| Some((id, nodes.get(id)?))) else { break None };
            if let Some(found) = known.get(&id) {
                break *found;
            }
            walked.push(id);
            if bears(node) {
                break Some(id);
            }
            here = node.requester;
        };
        known.extend(walked.into_iter().map(|id| (id, found)));
        found
    }
}

impl<'a> Process<'a> {
    /// The process of an ELF file of machine `arch`, whose interpreter is `named`, if it names one.
    pub(super) fn elf(
        inputs: &'a LoaderInputs,
        objects: &Objects,
        arch: &Arch,
        (libc, named): (Libc, Option<&Name>),
    ) -> Self {
        let machine = Machine::of(arch);
        let process = Self { machine, ..Self::other(inputs) };
        let usual = || machine.map(|machine| machine.interpreter(libc));
        let interpreter = named.map(|name| as_path(name.as_bytes()).to_path_buf()).or_else(usual);
        let opened = |path: &PathBuf| process.root.openable(View::Process, path).ok().filter(|path| path.is_file());
        let opened_interpreter = interpreter.as_ref().and_then(opened);
        let process = Self { interpreter: interpreter.filter(|_| opened_interpreter.is_some()), ..process };
        if libc == Libc::Musl {
            return process;
        }
        let ldso = opened_interpreter.map(|path| objects.loader(&path)).unwrap_or_default();
        let of_machine = || machine.map(|machine| machine.default_directories(&process.root)).unwrap_or_default();
        let recognized = || Some(ldso.directories.clone()).filter(|directories| !directories.is_empty());
        let library = || machine.map(|machine| machine.library_token(&process.root));
        let cache = process.root.openable(View::Process, &inputs.cache_file).ok().and_then(|file| objects.cache(&file));
        let in_place = process.root.is_sysroot() && cache.is_none();
        let levels = processor::levels_of(arch, &inputs.hwcaps);
        let usual = machine.and_then(|machine| machine.platform);
        let platform = processor::platform(arch, &levels, inputs.maker, usual);
        let version = inputs.glibc.or(ldso.version);
        // A loader that does not tell its version is taken for a new one.
        let legacy = if version.is_some_and(|version| version < GlibcVersion::NO_LEGACY) {
            processor::legacy(arch, &levels, inputs.maker, platform.as_deref())
        } else {
            Vec::new()
        };
        let levels = if version.is_some_and(|version| version < GlibcVersion::HWCAPS) { Vec::new() } else { levels };
        Self {
            defaults: inputs.default_directories.clone().or_else(recognized).unwrap_or_else(of_machine),
            library: ldso.library.clone().or_else(library),
            platform,
            conf: if in_place { conf::directories(&process.root) } else { Vec::new() },
            cache,
            subdirectories: Subdirectories::new(levels, legacy),
            ..process
        }
    }

    /// The process of a Mach-O or PE file.
    pub(super) fn other(inputs: &'a LoaderInputs) -> Self {
        let root = Root::of(inputs);
        Self {
            inputs,
            working: root.view(&inputs.current_directory),
            root,
            interpreter: None,
            machine: None,
            defaults: Vec::new(),
            library: None,
            platform: None,
            cache: None,
            conf: Vec::new(),
            subdirectories: Subdirectories::default(),
            artifact: 0,
            opened_from: None,
            lists: Lists::default(),
        }
    }

    /// The working directory, borrowed.
    pub(super) fn working(&self) -> (View, &Path) {
        (self.working.0, &self.working.1)
    }

    /// `path` of the process: from its root, or from its working directory.
    pub(super) fn absolute(&self, path: &Path) -> (View, PathBuf) {
        let (here, working) = self.working();
        if path.is_absolute() { (View::Process, path.to_path_buf()) } else { (here, working.join(path)) }
    }

    /// The directories that no loader knows, which come last: those of the user, then the linked paths.
    pub(super) fn added_places(&self, at: fn(&Path) -> At) -> Group {
        let make = || {
            let extra = self.inputs.extra_paths.iter().map(|path| (SearchRule::LdPath, path));
            let linked = self.inputs.linked_paths.iter().map(|path| (SearchRule::LinkedPath, path));
            let place = |(rule, path): (SearchRule, &PathBuf)| {
                let (view, absolute) = self.root.view(&self.inputs.current_directory.join(path));
                Place::entry(rule, &path.display().to_string(), None, at(&absolute)).seen_by(view)
            };
            extra.chain(linked).map(place).collect()
        };
        Arc::clone(self.lists.added.get_or_init(make))
    }
}

impl Process<'_> {
    /// Whether node `id` was loaded for what a program opened, and not for the program.
    pub(super) fn is_opened(&self, id: usize) -> bool {
        self.opened_from.is_some_and(|first| id >= first)
    }
}

/// The objects from `requester` up to the root: each was asked for first by the next.
pub(super) fn chain(nodes: &[Node], requester: usize) -> impl Iterator<Item = (usize, &Node)> {
    let at = |id: usize| Some((id, nodes.get(id)?));
    // A requester always stands before what it asks for, so the chain gets shorter with every link.
    std::iter::successors(at(requester), move |(_, node)| node.requester.and_then(at))
}

/// The run path of `tag` that a loader sees: of several, the last one (glibc `elf/get-dynamic-info.h`).
pub(super) fn run_path(slice: &Slice, tag: RunPathTag) -> Option<&Name> {
    slice.run_paths.iter().rev().find(|path| path.tag == tag).map(|path| &path.text)
}
