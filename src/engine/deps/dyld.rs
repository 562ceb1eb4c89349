//! Where dyld looks for a dylib, as far as load commands say: dyld(1), "DYNAMIC LIBRARY LOADING".
//!
//! `DYLD_*` variables and the shared cache's contents are not followed; what lies under `/usr/lib` and `/System` is taken
//! for part of the system. Without a host the main program of an extension is unknown, and `@executable_path` is
//! the artifact's directory.

use super::graph::Node;
use super::process::{Process, chain};
use super::search::{At, Group, Place};
use super::sysroot::View;
use super::tokens::as_path;
use crate::engine::binary::{Name, RunPathTag};
use crate::engine::report::audit::SearchRule;
use std::path::{Path, PathBuf};

/// Whether the library is part of macOS and in no file on newer systems.
pub(super) fn is_system_name(name: &[u8]) -> bool {
    name.starts_with(b"/usr/lib/") || name.starts_with(b"/System/")
}

/// Everywhere that dyld looks for the install name `name` on behalf of node `requester`, in its order.
pub(super) fn places(process: &Process<'_>, nodes: &[Node], requester: usize, name: &Name) -> Vec<Group> {
    let (Some(node), Some(root)) = (nodes.get(requester), nodes.first()) else { return Vec::new() };
    let bytes = name.as_bytes();
    let entry = name.to_text();
    let mut places = Vec::new();
    if let Some(rest) = bytes.strip_prefix(b"@rpath/") {
        for (_, owner) in chain(nodes, requester) {
            places.extend(rpath_places(process, (owner, SearchRule::Rpath), root, rest));
        }
        if process.is_opened(requester) {
            places.extend(rpath_places(process, (root, SearchRule::MainRpath), root, rest));
        }
    } else if let Some(path) = anchored(bytes, b"@loader_path", &node.directory) {
        places.push(seen(process, Place::entry(SearchRule::LoaderPath, &entry, None, At::File(path))));
    } else if let Some(path) = anchored(bytes, b"@executable_path", &root.directory) {
        places.push(seen(process, Place::entry(SearchRule::ExecutablePath, &entry, None, At::File(path))));
    } else if as_path(bytes).is_absolute() {
        places.push(Place::new(SearchRule::Absolute, At::File(as_path(bytes).to_path_buf())));
    } else {
        let path = process.inputs.current_directory.join(as_path(bytes));
        places.push(seen(process, Place::new(SearchRule::Relative, At::File(path))));
    }
    let leaf = bytes.rsplit(|&byte| byte == b'/').next().unwrap_or(bytes);
    for place in process.added_places(|path| At::Directory(path.to_path_buf())).iter() {
        if let At::Directory(directory) = &place.at {
            places.push(Place { at: At::File(directory.join(as_path(leaf))), ..place.clone() });
        }
    }
    vec![places.into()]
}

/// Everywhere that dyld looks for `name` as dlopen(3) passes it. A name without a slash is sought in the run paths of the
/// caller and of the program, in the working directory, then in `/usr/local/lib` and `/usr/lib` (macOS's dlopen(3)). The
/// shared cache is not looked into.
pub(super) fn opening_places(
    process: &Process<'_>,
    nodes: &[Node],
    requester: Option<usize>,
    name: &Name,
) -> Vec<Group> {
    let bytes = name.as_bytes();
    let Some(root) = nodes.first() else { return Vec::new() };
    if bytes.contains(&b'/') {
        return places(process, nodes, requester.unwrap_or(0), name);
    }
    let mut found = Vec::new();
    for (_, owner) in requester.into_iter().flat_map(|id| chain(nodes, id)) {
        found.extend(rpath_places(process, (owner, SearchRule::Rpath), root, bytes));
    }
    if requester.is_none_or(|id| process.is_opened(id)) && process.opened_from.is_some() {
        found.extend(rpath_places(process, (root, SearchRule::MainRpath), root, bytes));
    }
    let here = process.inputs.current_directory.join(as_path(bytes));
    found.push(seen(process, Place::new(SearchRule::Relative, At::File(here))));
    for directory in ["/usr/local/lib", "/usr/lib"] {
        found.push(Place::new(SearchRule::Default, At::File(Path::new(directory).join(as_path(bytes)))));
    }
    vec![found.into(), process.added_places(|path| At::Directory(path.to_path_buf()))]
}

/// A place that an anchor gives is a path of this machine: it lies in the sysroot where its object does.
fn seen(process: &Process<'_>, place: Place) -> Place {
    let At::File(path) = &place.at else { return place };
    let (view, path) = process.root.view(path);
    Place { at: At::File(path), view, ..place }
}

/// The places that the LC_RPATH commands of `owner` give for the rest of an `@rpath` name.
fn rpath_places(process: &Process<'_>, (owner, rule): (&Node, SearchRule), root: &Node, rest: &[u8]) -> Vec<Place> {
    let Some(slice) = owner.loaded() else { return Vec::new() };
    let commands = slice.run_paths.iter().filter(|path| path.tag == RunPathTag::LcRpath);
    let place = |text: &Name| {
        let bytes = text.as_bytes();
        let at_anchor = anchored(bytes, b"@loader_path", &owner.directory)
            .or_else(|| anchored(bytes, b"@executable_path", &root.directory));
        let (view, directory) = match at_anchor {
            Some(directory) => process.root.view(&directory),
            None => (View::Process, as_path(bytes).to_path_buf()),
        };
        let at = At::File(directory.join(as_path(rest)));
        Place::entry(rule, &text.to_text(), Some(owner.name.to_text().into()), at).seen_by(view)
    };
    commands.map(|command| place(&command.text)).collect()
}

/// `text` with its leading `anchor` replaced by `directory`; `None` when it does not begin with that anchor.
fn anchored(text: &[u8], anchor: &[u8], directory: &Path) -> Option<PathBuf> {
    match text.strip_prefix(anchor)? {
        [] => Some(directory.to_path_buf()),
        [b'/', rest @ ..] => Some(directory.join(as_path(rest))),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_replaced_whole_or_not_at_all() {
        let at = |text: &str| anchored(text.as_bytes(), b"@loader_path", Path::new("/d"));
        assert_eq!(at("@loader_path/../x"), Some(PathBuf::from("/d/../x")));
        assert_eq!(at("@loader_path"), Some(PathBuf::from("/d")));
        assert_eq!(at("@loader_pathology/x"), None);
        assert_eq!(at("/abs"), None);
    }
}
