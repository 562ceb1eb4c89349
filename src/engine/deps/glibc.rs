//! Where glibc looks for a library: ld.so(8), and `elf/dl-load.c` where the manual is silent.
//!
//! The order of the lists is `_dl_map_object`'s, how each is read `fillin_rpath`'s; the cache is `elf/dl-cache.c`. What depends
//! on the version is left to `subdirectories` (`elf/dl-hwcaps.c`).
//!
//! Not followed: `LD_AUDIT`, `LD_PREFER_MAP_32BIT_EXEC` and other tunables, and what a program under `AT_SECURE` ignores.

use super::graph::Node;
use super::lists::{self, EmptyEntry, List};
use super::process::{Process, run_path};
use super::search::{At, Group, Place};
use super::sysroot::View;
use super::tokens::{Tokens, as_path, expand};
use crate::engine::binary::{Name, RunPathTag, Slice};
use crate::engine::report::audit::SearchRule;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const FLAGS_1: u64 = 0x6fff_fffb;
const NO_DEFAULT_LIBRARIES: u64 = 0x800;

/// Everywhere that glibc looks for `name`, its tokens filled in, on behalf of node `requester`, in its order; without one, for
/// code that has no search path of its own.
pub(super) fn places(process: &Process<'_>, nodes: &[Node], requester: Option<usize>, name: &Name) -> Vec<Group> {
    if name.as_bytes().contains(&b'/') {
        return vec![Arc::new([path_place(process, name)])];
    }
    let asking = requester.and_then(|id| Some((id, nodes.get(id)?)));
    if requester.is_some() && asking.and_then(|(_, node)| node.loaded()).is_none() {
        return Vec::new();
    }
    let mut groups = Vec::new();
    let runpath = asking.and_then(|(id, node)| Some((id, node, run_path(node.loaded()?, RunPathTag::Runpath)?)));
    if runpath.is_none() {
        groups.extend(rpaths(process, nodes, requester));
    }
    if let (Some(variable), Some(main)) = (&process.inputs.ld_library_path, nodes.first()) {
        groups.push(process.lists.variable(|| Reading::variable(process, main).places(variable.as_bytes())));
    }
    if let Some((id, node, text)) = runpath {
        let make = || Reading::run_path(process, node, SearchRule::Runpath).places(text.as_bytes());
        groups.push(process.lists.run_path(id, RunPathTag::Runpath, make));
    }
    let leaves = asking.and_then(|(_, node)| node.loaded()).is_some_and(has_no_default_libraries);
    let defaults = if leaves { Defaults::Left } else { Defaults::Searched };
    groups.extend(cache_place(process, name, defaults).map(|place| -> Group { Arc::new([place]) }));
    groups.push(conf_places(process, defaults).into());
    if defaults == Defaults::Searched {
        let directory = |path: &PathBuf| Place::new(SearchRule::Default, At::Directory(path.clone()));
        groups.push(process.lists.defaults(|| process.defaults.iter().map(directory).collect()));
    }
    groups.push(process.added_places(|path| At::Directory(path.to_path_buf())));
    groups
}

/// Whether the default directories count for a requester (`DF_1_NODEFLIB`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Defaults {
    Searched,
    Left,
}

fn has_no_default_libraries(slice: &Slice) -> bool {
    let flags = slice.elf.as_ref().and_then(|details| details.tables.dynamic_value(FLAGS_1));
    flags.unwrap_or(0) & NO_DEFAULT_LIBRARIES != 0
}

/// The DT_RPATH lists of `requester` and of those that it was loaded for, up to the root.
fn rpaths(process: &Process<'_>, nodes: &[Node], requester: Option<usize>) -> Vec<Group> {
    let mut groups = Vec::new();
    let mut next = requester;
    while let Some(id) = next.and_then(|from| process.lists.bearer(nodes, from, |node| rpath(node).is_some())) {
        let Some(node) = nodes.get(id) else { break };
        let text = rpath(node).map(Name::as_bytes).unwrap_or_default();
        let make = || Reading::run_path(process, node, SearchRule::Rpath).places(text);
        groups.push(process.lists.run_path(id, RunPathTag::Rpath, make));
        next = node.requester;
    }
    // The chain of what was opened at run time ends there; the program's own list comes after it (`_dl_map_object`).
    if let Some((main, text)) = nodes.first().and_then(|main| Some((main, rpath(main)?.as_bytes())))
        && requester.map_or(process.opened_from.is_some(), |id| process.is_opened(id))
    {
        let make = || Reading::run_path(process, main, SearchRule::MainRpath).places(text);
        groups.push(process.lists.main_rpath(make));
    }
    groups
}

/// The DT_RPATH of one object, none where it has a DT_RUNPATH: the loader then forgets the other.
fn rpath(node: &Node) -> Option<&Name> {
    let slice = node.loaded().filter(|slice| run_path(slice, RunPathTag::Runpath).is_none());
    slice.and_then(|slice| run_path(slice, RunPathTag::Rpath))
}

/// A NEEDED name with the tokens of its requester filled in, as ld.so does before anything else; `None` where one of them
/// has no value.
pub(super) fn filled_in(process: &Process<'_>, node: &Node, name: &Name) -> Option<Name> {
    let (_, origin) = process.root.view(&node.directory);
    expand(name.as_bytes(), tokens(process, &origin)).map(Name::new)
}

/// A NEEDED name with a slash is a path.
fn path_place(process: &Process<'_>, name: &Name) -> Place {
    let path = as_path(name.as_bytes());
    let rule = if path.is_absolute() { SearchRule::Absolute } else { SearchRule::Relative };
    let (view, path) = process.absolute(path);
    Place::new(rule, At::File(path)).seen_by(view)
}

fn cache_place(process: &Process<'_>, name: &Name, defaults: Defaults) -> Option<Place> {
    let cache = process.cache.as_ref()?;
    let subdirectories = &process.subdirectories;
    let legacy = subdirectories.legacy.iter().filter_map(|legacy| legacy.bit).fold(0, |bits, bit| bits | 1 << bit);
    let flags = process.machine?.cache_flags;
    let entry = cache.lookup_by_legacy(name.as_bytes(), flags, &subdirectories.levels, legacy)?;
    if defaults == Defaults::Left && process.defaults.iter().any(|directory| entry.path.starts_with(directory)) {
        return None;
    }
    let at = At::File(entry.path.clone());
    Some(Place { hwcaps: entry.hwcaps.clone(), ..Place::new(SearchRule::LdSoCache, at) })
}

/// The directories of `ld.so.conf`, which stand in for a cache that is not there.
fn conf_places(process: &Process<'_>, defaults: Defaults) -> Vec<Place> {
    let left = |path: &&PathBuf| {
        defaults == Defaults::Searched || !process.defaults.iter().any(|directory| path.starts_with(directory))
    };
    let place = |path: &PathBuf| {
        Place::entry(SearchRule::LdSoConf, &path.display().to_string(), None, At::Directory(path.clone()))
    };
    process.conf.iter().filter(left).map(place).collect()
}

/// How a list is read that stands in one object, or is meant for all.
struct Reading<'a> {
    process: &'a Process<'a>,
    rule: SearchRule,
    owner: Option<Arc<str>>,
    written_by: View,
    separators: &'static [u8],
    origin: (View, PathBuf),
}

impl<'a> Reading<'a> {
    /// `LD_LIBRARY_PATH`, whose tokens are those of the `main` program.
    fn variable(process: &'a Process<'a>, main: &Node) -> Self {
        let origin = process.root.view(&main.directory);
        Self {
            process,
            rule: SearchRule::LdLibraryPath,
            owner: None,
            written_by: View::Host,
            separators: b":;",
            origin,
        }
    }

    /// A run path of `node`.
    fn run_path(process: &'a Process<'a>, node: &Node, rule: SearchRule) -> Self {
        let owner = Some(node.name.to_text().into());
        let origin = process.root.view(&node.directory);
        Self { process, rule, owner, written_by: View::Process, separators: b":", origin }
    }

    fn places(&self, text: &[u8]) -> Vec<Place> {
        let (origin, directory) = &self.origin;
        let list = List {
            rule: self.rule,
            owner: self.owner.as_ref(),
            written_by: self.written_by,
            separators: self.separators,
            empty: EmptyEntry::WorkingDirectory,
            tokens: tokens(self.process, directory),
            origin: *origin,
            current_directory: self.process.working(),
            root: &self.process.root,
        };
        lists::places(text, list)
    }
}

fn tokens<'a>(process: &'a Process<'_>, origin: &'a Path) -> Tokens<'a> {
    Tokens { origin, library: process.library.as_deref(), platform: process.platform.as_deref() }
}
