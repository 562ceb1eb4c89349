//! Where musl looks for a library (musl `ldso/dynlink.c`: `load_library`, `fixup_rpath`, `path_open`).
//!
//! The variable comes first; DT_RPATH and DT_RUNPATH are one thing and both inherited; then the system path, one file for
//! the whole machine. Only `$ORIGIN` is known: any other `$` drops the whole run path.

use super::graph::Node;
use super::lists::{self, EmptyEntry, List};
use super::process::{Process, chain, run_path};
use super::search::{At, Place};
use super::tokens::{Tokens, as_path, expand};
use crate::engine::binary::{Name, RunPathTag};
use crate::engine::file::{ReadAt, Windows};
use crate::engine::report::audit::SearchRule;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// A larger file is no list of directories.
const LARGEST_PATH_FILE: u64 = 1 << 20;

/// Whether musl answers `name` itself: libc and the libraries that it contains.
pub(super) fn is_own_name(name: &[u8]) -> bool {
    const RESERVED: [&[u8]; 7] = [b"c.", b"pthread.", b"rt.", b"m.", b"dl.", b"util.", b"xnet."];
    name.strip_prefix(b"lib").is_some_and(|rest| RESERVED.iter().any(|reserved| rest.starts_with(reserved)))
}

/// Everywhere that musl looks for `name` on behalf of node `requester`, in its order.
pub(super) fn places(process: &Process<'_>, nodes: &[Node], requester: usize, name: &Name) -> Vec<Place> {
    let inputs = process.inputs;
    if name.as_bytes().contains(&b'/') {
        let path = as_path(name.as_bytes());
        let rule = if path.is_absolute() { SearchRule::Absolute } else { SearchRule::Relative };
        return vec![Place::new(rule, At::File(inputs.current_directory.join(path)))];
    }
    let mut places = Vec::new();
    if let Some(variable) = &inputs.ld_library_path {
        places.extend(plain(process, SearchRule::LdLibraryPath, variable.as_bytes()));
    }
    for node in chain(nodes, requester) {
        places.extend(run_path_places(process, node));
    }
    places.extend(system_places(process));
    places.extend(process.added_places(|path| At::Directory(path.to_path_buf())));
    places
}

fn run_path_places(process: &Process<'_>, node: &Node) -> Vec<Place> {
    let tagged = [(RunPathTag::Runpath, SearchRule::Runpath), (RunPathTag::Rpath, SearchRule::Rpath)];
    let found = tagged.iter().find_map(|(tag, rule)| Some((run_path(node.loaded()?, *tag)?, *rule)));
    let Some((text, rule)) = found else { return Vec::new() };
    let owner = node.name.to_text();
    let mut list = plain_list(process, rule);
    list.owner = Some(&owner);
    list.tokens.origin = &node.directory;
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
    let file = process.machine.map(|machine| format!("/etc/ld-musl-{}.path", machine.musl));
    match file.and_then(|file| read_path_file(Path::new(&file))) {
        Some(text) => plain(process, SearchRule::MuslPath, &text),
        None => plain(process, SearchRule::Default, b"/lib:/usr/local/lib:/usr/lib"),
    }
}

fn read_path_file(path: &Path) -> Option<Vec<u8>> {
    let windows = Windows::open(path).ok()?;
    windows.bytes(0, windows.size().min(LARGEST_PATH_FILE)).ok()
}

/// A list in which nothing is filled in.
fn plain(process: &Process<'_>, rule: SearchRule, text: &[u8]) -> Vec<Place> {
    // Tokens are known in run paths only; here a `$` is a letter of the directory's name.
    let directories = text.split(|byte| b":\n".contains(byte)).filter(|entry| !entry.is_empty());
    let place = |entry: &[u8]| {
        let directory = process.inputs.current_directory.join(as_path(entry));
        Place::entry(rule, String::from_utf8_lossy(entry), None, At::Directory(directory))
    };
    directories.map(place).collect()
}

fn plain_list<'a>(process: &'a Process<'_>, rule: SearchRule) -> List<'a> {
    List {
        rule,
        owner: None,
        separators: b":\n",
        empty: EmptyEntry::Nothing,
        tokens: Tokens { origin: &process.inputs.current_directory, library: None, platform: None },
        current_directory: &process.inputs.current_directory,
    }
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
