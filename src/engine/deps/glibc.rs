//! Where glibc looks for a library: ld.so(8), and `elf/dl-load.c` where the manual is silent.
//!
//! Not followed: `LD_AUDIT`, `DT_AUXILIARY` and `DT_FILTER`, `/etc/ld.so.preload`, the legacy `tls/` and platform
//! subdirectories of glibc before 2.37, and what a program under `AT_SECURE` ignores.

use super::graph::Node;
use super::lists::{self, EmptyEntry, List};
use super::process::{Process, chain, run_path};
use super::search::{At, Place};
use super::tokens::{Tokens, as_path, expand};
use crate::engine::binary::{Name, RunPathTag, Slice};
use crate::engine::report::audit::SearchRule;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

const FLAGS_1: u64 = 0x6fff_fffb;
const NO_DEFAULT_LIBRARIES: u64 = 0x800;

/// Everywhere that glibc looks for `name`, its tokens filled in, on behalf of node `requester`, in its order.
pub(super) fn places(process: &Process<'_>, nodes: &[Node], requester: usize, name: &Name) -> Vec<Place> {
    let Some(node) = nodes.get(requester) else { return Vec::new() };
    if name.as_bytes().contains(&b'/') {
        return vec![path_place(process, name)];
    }
    let Some(slice) = node.loaded() else { return Vec::new() };
    let mut places = Vec::new();
    let runpath = run_path(slice, RunPathTag::Runpath);
    if runpath.is_none() {
        for ancestor in chain(nodes, requester) {
            places.extend(rpath_places(process, ancestor));
        }
    }
    if let (Some(variable), Some(root)) = (&process.inputs.ld_library_path, nodes.first()) {
        let list = list(process, root, SearchRule::LdLibraryPath, None, b":;");
        places.extend(lists::places(variable.as_bytes(), list));
    }
    if let Some(text) = runpath {
        let owner = node.name.to_text();
        places.extend(lists::places(text.as_bytes(), list(process, node, SearchRule::Runpath, Some(&owner), b":")));
    }
    let defaults = if has_no_default_libraries(slice) { Defaults::Left } else { Defaults::Searched };
    places.extend(cache_place(process, name, defaults));
    if defaults == Defaults::Searched {
        let directories = process.defaults.iter();
        places.extend(directories.map(|path| Place::new(SearchRule::Default, At::Directory(path.clone()))));
    }
    places.extend(process.added_places(|path| At::Directory(path.to_path_buf())));
    places
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

/// The DT_RPATH of one object, none where it has a DT_RUNPATH: the loader then forgets the other.
fn rpath_places(process: &Process<'_>, node: &Node) -> Vec<Place> {
    let slice = node.loaded().filter(|slice| run_path(slice, RunPathTag::Runpath).is_none());
    let Some(text) = slice.and_then(|slice| run_path(slice, RunPathTag::Rpath)) else { return Vec::new() };
    let owner = node.name.to_text();
    lists::places(text.as_bytes(), list(process, node, SearchRule::Rpath, Some(&owner), b":"))
}

/// A NEEDED name with the tokens of its requester filled in, as ld.so does before anything else; `None` where one of them
/// has no value.
pub(super) fn filled_in(process: &Process<'_>, node: &Node, name: &Name) -> Option<Name> {
    expand(name.as_bytes(), tokens(process, &node.directory)).map(Name::new)
}

/// A NEEDED name with a slash is a path.
fn path_place(process: &Process<'_>, name: &Name) -> Place {
    let path = as_path(name.as_bytes());
    let rule = if path.is_absolute() { SearchRule::Absolute } else { SearchRule::Relative };
    Place::new(rule, At::File(process.inputs.current_directory.join(path)))
}

fn cache_place(process: &Process<'_>, name: &Name, defaults: Defaults) -> Option<Place> {
    let cache = process.cache.as_ref()?;
    let entry = cache.lookup(name.as_bytes(), process.machine?.cache_flags, process.hwcaps)?;
    if defaults == Defaults::Left && process.defaults.iter().any(|directory| entry.path.starts_with(directory)) {
        return None;
    }
    let at = At::File(entry.path.clone());
    Some(Place { hwcaps: entry.hwcaps.clone(), ..Place::new(SearchRule::LdSoCache, at) })
}

fn list<'a>(
    process: &'a Process<'_>,
    node: &'a Node,
    rule: SearchRule,
    owner: Option<&'a str>,
    separators: &'a [u8],
) -> List<'a> {
    List {
        rule,
        owner,
        separators,
        empty: EmptyEntry::WorkingDirectory,
        tokens: tokens(process, &node.directory),
        current_directory: &process.inputs.current_directory,
    }
}

fn tokens<'a>(process: &'a Process<'_>, origin: &'a Path) -> Tokens<'a> {
    Tokens {
        origin,
        library: process.library.as_deref(),
        platform: process.machine.and_then(|machine| machine.platform),
    }
}
