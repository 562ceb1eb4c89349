//! Where musl looks for a library (musl `ldso/dynlink.c`: `load_library`, `fixup_rpath`, `path_open`).
//!
//! The variable comes first; DT_RPATH and DT_RUNPATH are one thing and both inherited; then the system path, one file for
//! the whole machine. Only `$ORIGIN` is known: any other `$` drops the whole run path.

use super::graph::Node;
use super::lists::{self, EmptyEntry, List};
use super::process::{Process, run_path};
use super::search::{At, Group, Place};
use super::sysroot::View;
use super::tokens::{Tokens, as_path, expand};
use crate::engine::binary::{Name, RunPathTag};
use crate::engine::file::{ReadAt, Windows};
use crate::engine::report::audit::SearchRule;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A larger file is no list of directories.
const LARGEST_PATH_FILE: u64 = 1 << 20;

/// Whether musl answers `name` itself: libc and the libraries that it contains.
pub(super) fn is_own_name(name: &[u8]) -> bool {
    const RESERVED: [&[u8]; 7] = [b"c.", b"pthread.", b"rt.", b"m.", b"dl.", b"util.", b"xnet."];
    name.strip_prefix(b"lib").is_some_and(|rest| RESERVED.iter().any(|reserved| rest.starts_with(reserved)))
}

/// Everywhere that musl looks for `name` on behalf of node `requester`, in its order; without one, for a preloaded library.
pub(super) fn places(process: &Process<'_>, nodes: &[Node], requester: Option<usize>, name: &Name) -> Vec<Group> {
    let inputs = process.inputs;
    if name.as_bytes().contains(&b'/') {
        let path = as_path(name.as_bytes());
        let rule = if path.is_absolute() { SearchRule::Absolute } else { SearchRule::Relative };
        let (view, path) = process.absolute(path);
        return vec![Arc::new([Place::new(rule, At::File(path)).seen_by(view)])];
    }
    let mut groups = Vec::new();
    if let Some(variable) = &inputs.ld_library_path {
        let make = || plain(process, SearchRule::LdLibraryPath, View::Host, variable.as_bytes());
        groups.push(process.lists.variable(make));
    }
    let bears = |node: &Node| node.loaded().is_some_and(|slice| !slice.run_paths.is_empty());
    let mut next = requester;
    while let Some(id) = next.and_then(|from| process.lists.bearer(nodes, from, bears)) {
        let Some(node) = nodes.get(id) else { break };
        next = node.requester;
        if id == 0 && requester.is_some_and(|requester| process.is_opened(requester)) {
            groups.push(process.lists.main_rpath(|| run_path_places(process, node, Some(SearchRule::MainRpath))));
        } else {
            groups.push(process.lists.run_path(id, RunPathTag::Rpath, || run_path_places(process, node, None)));
        }
    }
    groups.push(process.lists.defaults(|| system_places(process)));
    groups.push(process.added_places(|path| At::Directory(path.to_path_buf())));
    groups
}

/// The run path of `node`, by the rule of its tag or by the given one.
fn run_path_places(process: &Process<'_>, node: &Node, rule: Option<SearchRule>) -> Vec<Place> {
    let tagged = [(RunPathTag::Runpath, SearchRule::Runpath), (RunPathTag::Rpath, SearchRule::Rpath)];
    let found = tagged.into_iter().find_map(|(tag, rule)| Some((run_path(node.loaded()?, tag)?, rule)));
    let Some((text, by_tag)) = found else { return Vec::new() };
    let rule = rule.unwrap_or(by_tag);
    let owner = node.name.to_text().into();
    let (origin, directory) = process.root.view(&node.directory);
    let list = List {
        rule,
        owner: Some(&owner),
        written_by: View::Process,
        separators: b":\n",
        empty: EmptyEntry::Nothing,
        tokens: Tokens { origin: &directory, library: None, platform: None },
        origin,
        current_directory: process.working(),
        root: &process.root,
    };
    let known = expand(text.as_bytes(), list.tokens).is_some_and(|_| only_origin(text.as_bytes()));
    if known { lists::places(text.as_bytes(), list) } else { Vec::new() }
}

/// Whether every `$` of `text` begins `$ORIGIN` or `${ORIGIN}`.
fn only_origin(text: &[u8]) -> bool {
    let mut parts = text.split(|&byte| byte == b'$').skip(1);
    parts.all(|part| part.starts_with(b"ORIGIN") || part.starts_with(b"{ORIGIN}"))
}

/// The directories of `/etc/ld-musl-<arch>.path`, else the built-in ones.
fn system_places(process: &Process<'_>) -> Vec<Place> {
    if let Some(directories) = &process.inputs.default_directories {
        let place = |path: &std::path::PathBuf| Place::new(SearchRule::Default, At::Directory(path.clone()));
        return directories.iter().map(place).collect();
    }
    match path_file(process).and_then(|file| read_path_file(process, &file)) {
        Some(text) => plain(process, SearchRule::MuslPath, View::Process, &text),
        None => plain(process, SearchRule::Default, View::Process, b"/lib:/usr/local/lib:/usr/lib"),
    }
}

/// `etc/ld-musl-<arch>.path` beside the directory of the loader: musl goes by the name that the program gives it, so that
/// `/opt/musl/lib/ld-musl-x86_64.so.1` has its file in `/opt/musl/etc`.
fn path_file(process: &Process<'_>) -> Option<PathBuf> {
    let machine = process.machine?;
    let prefix = process.interpreter.as_deref().and_then(Path::parent).and_then(Path::parent);
    Some(prefix.unwrap_or(Path::new("/")).join("etc").join(format!("ld-musl-{}.path", machine.musl)))
}

fn read_path_file(process: &Process<'_>, path: &Path) -> Option<Vec<u8>> {
    let windows = Windows::open(&process.root.openable(View::Process, path).ok()?).ok()?;
    windows.bytes(0, windows.size().min(LARGEST_PATH_FILE)).ok()
}

/// A list in which nothing is filled in: tokens are known in run paths only, elsewhere a `$` is a letter.
fn plain(process: &Process<'_>, rule: SearchRule, written_by: View, text: &[u8]) -> Vec<Place> {
    let foreign = written_by == View::Host && process.root.is_sysroot();
    let entries = text.split(|byte| b":\n".contains(byte)).filter(|entry| !entry.is_empty());
    let place = |entry: &[u8]| {
        let path = as_path(entry);
        let (view, directory) =
            if foreign && path.is_absolute() { process.root.view(path) } else { process.absolute(path) };
        let place = Place::entry(rule, &String::from_utf8_lossy(entry), None, At::Directory(directory));
        (!foreign || view == View::Process).then(|| place.seen_by(view))
    };
    entries.filter_map(place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn musl_answers_the_names_of_its_own_parts() {
        for name in ["libc.so", "libc.so.6", "libc.musl-x86_64.so.1", "libm.so.6", "libpthread.so.0", "libdl.so.2"] {
            assert!(is_own_name(name.as_bytes()), "{name}");
        }
        for name in ["libcrypt.so.1", "libmd.so", "libz.so.1", "c.so", "librt-x.so"] {
            assert!(!is_own_name(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn an_unknown_token_drops_the_run_path() {
        assert!(only_origin(b"$ORIGIN/lib:${ORIGIN}/x:/plain"));
        assert!(!only_origin(b"$ORIGIN/lib:/usr/$LIB"));
    }
}
