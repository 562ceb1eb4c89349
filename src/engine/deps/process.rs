//! The process that an artifact would be loaded into: what the rules of every loader ask besides the objects themselves.

use super::graph::Node;
use super::inputs::{Libc, LoaderInputs};
use super::machine::Machine;
use super::objects::Objects;
use super::search::{At, Place};
use crate::engine::binary::{Arch, Name, RunPathTag, Slice};
use crate::engine::report::audit::SearchRule;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::cache::LoaderCache;

/// What stays the same over one load.
#[derive(Debug)]
pub(super) struct Process<'a> {
    /// What the caller said.
    pub(super) inputs: &'a LoaderInputs,
    /// The ELF machine; `None` for another format or an unknown machine.
    pub(super) machine: Option<&'static Machine>,
    /// The default directories of glibc.
    pub(super) defaults: Vec<PathBuf>,
    /// What `$LIB` means to glibc.
    pub(super) library: Option<String>,
    /// glibc's cache.
    pub(super) cache: Option<Arc<LoaderCache>>,
    /// The glibc-hwcaps subdirectories that count.
    pub(super) hwcaps: &'a [String],
}

impl<'a> Process<'a> {
    /// The process of an ELF file of machine `arch`.
    pub(super) fn elf(inputs: &'a LoaderInputs, objects: &Objects, arch: &Arch, libc: Libc) -> Self {
        let machine = Machine::of(arch);
        let glibc = libc == Libc::Glibc;
        let of_machine = || machine.filter(|_| glibc).map(Machine::default_directories).unwrap_or_default();
        let defaults = inputs.default_directories.clone().unwrap_or_else(of_machine);
        let hwcaps = if glibc && arch.name == "x86_64" { inputs.hwcaps.as_slice() } else { &[] };
        Self {
            inputs,
            machine,
            defaults,
            library: machine.filter(|_| glibc).map(Machine::library_token),
            cache: if glibc { objects.cache(&inputs.cache_file) } else { None },
            hwcaps,
        }
    }

    /// The process of a Mach-O or PE file.
    pub(super) fn other(inputs: &'a LoaderInputs) -> Self {
        Self { inputs, machine: None, defaults: Vec::new(), library: None, cache: None, hwcaps: &[] }
    }

    /// The directories that no loader knows, which come last: those of the user, then the linked paths.
    pub(super) fn added_places(&self, at: fn(&Path) -> At) -> Vec<Place> {
        let extra = self.inputs.extra_paths.iter().map(|path| (SearchRule::LdPath, path));
        let linked = self.inputs.linked_paths.iter().map(|path| (SearchRule::LinkedPath, path));
        let place = |(rule, path): (SearchRule, &PathBuf)| {
            let absolute = self.inputs.current_directory.join(path);
            Place::entry(rule, path.display().to_string(), None, at(&absolute))
        };
        extra.chain(linked).map(place).collect()
    }
}

/// The objects from `requester` up to the root: each was asked for first by the next.
pub(super) fn chain(nodes: &[Node], requester: usize) -> impl Iterator<Item = &Node> {
    let first = nodes.get(requester);
    // A requester always stands before what it asks for, so the chain gets shorter with every link.
    std::iter::successors(first, |node| node.requester.and_then(|above| nodes.get(above)))
}

/// The run path of `tag` that a loader sees: of several, the last one (glibc `elf/get-dynamic-info.h`).
pub(super) fn run_path(slice: &Slice, tag: RunPathTag) -> Option<&Name> {
    slice.run_paths.iter().rev().find(|path| path.tag == tag).map(|path| &path.text)
}
