//! Lists of directories as they stand in run paths and variables: split, tokens filled in, made absolute.

use super::search::{At, Place};
use super::sysroot::{Root, View};
use super::tokens::{Tokens, as_path, begins_with_origin, expand};
use crate::engine::report::audit::SearchRule;
use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What an empty entry means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EmptyEntry {
    /// The working directory (glibc).
    WorkingDirectory,
    /// Nothing (musl).
    Nothing,
}

/// How one list is read.
#[derive(Debug, Clone, Copy)]
pub(super) struct List<'a> {
    /// The rule that it belongs to.
    pub(super) rule: SearchRule,
    /// The object that it stands in, if it stands in one.
    pub(super) owner: Option<&'a Arc<str>>,
    /// Who wrote it: a list of this machine (a variable) says nothing to a process in a sysroot but what lies there.
    pub(super) written_by: View,
    /// The bytes that separate entries.
    pub(super) separators: &'a [u8],
    /// What an empty entry means.
    pub(super) empty: EmptyEntry,
    /// The values of the tokens.
    pub(super) tokens: Tokens<'a>,
    /// Whose path the value of `$ORIGIN` is.
    pub(super) origin: View,
    /// The working directory.
    pub(super) current_directory: (View, &'a Path),
    /// The root of the process.
    pub(super) root: &'a Root,
}

/// The places of the list `text`, in order, each directory once. An empty list has none.
pub(super) fn places(text: &[u8], list: List<'_>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    if text.is_empty() {
        return places;
    }
    let mut known: HashSet<(View, PathBuf)> = HashSet::new();
    for entry in text.split(|byte| list.separators.contains(byte)) {
        let Some((view, directory)) = directory(entry, list) else { continue };
        if known.insert((view, directory.clone())) {
            let literal = String::from_utf8_lossy(entry);
            let at = At::Directory(directory);
            places.push(Place::entry(list.rule, &literal, list.owner.cloned(), at).seen_by(view));
        }
    }
    places
}

/// The absolute directory of one entry; `None` for one that the loader drops.
fn directory(entry: &[u8], list: List<'_>) -> Option<(View, PathBuf)> {
    let (here, working) = list.current_directory;
    if entry.is_empty() {
        return (list.empty == EmptyEntry::WorkingDirectory).then(|| (here, working.to_path_buf()));
    }
    let expanded = expand(entry, list.tokens).filter(|expanded| !expanded.is_empty())?;
    let kept = expanded.iter().rposition(|&byte| byte != b'/').map_or(1, |last| last + 1);
    let path = as_path(expanded.get(..kept)?);
    if begins_with_origin(entry) {
        return Some((list.origin, working.join(path)));
    }
    let foreign = list.written_by == View::Host && list.root.is_sysroot();
    let seen = match (path.is_absolute(), foreign) {
        (false, _) => (here, working.join(path)),
        (true, false) => (View::Process, path.to_path_buf()),
        (true, true) => list.root.view(path),
    };
    Some(seen).filter(|(view, _)| !foreign || *view == View::Process)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(text: &str, empty: EmptyEntry) -> Vec<String> {
        let tokens = Tokens { origin: Path::new("/o"), library: Some("lib64"), platform: None };
        let list = List {
            rule: SearchRule::Runpath,
            owner: None,
            written_by: View::Process,
            separators: b":;",
            empty,
            tokens,
            origin: View::Process,
            current_directory: (View::Process, Path::new("/cwd")),
            root: &Root::default(),
        };
        let text_of = |place: Place| match place.at {
            At::Directory(path) => path.display().to_string(),
            other => panic!("{other:?}"),
        };
        places(text.as_bytes(), list).into_iter().map(text_of).collect()
    }

    #[test]
    fn in_a_sysroot_a_list_of_this_machine_counts_only_where_it_leads_there() {
        let tokens = Tokens { origin: Path::new("/o"), library: Some("lib64"), platform: None };
        let root = Root::new(Some(Path::new("/sys")));
        let list = List {
            rule: SearchRule::LdLibraryPath,
            owner: None,
            written_by: View::Host,
            separators: b":;",
            empty: EmptyEntry::WorkingDirectory,
            tokens,
            origin: View::Host,
            current_directory: (View::Host, Path::new("/cwd")),
            root: &root,
        };
        let seen = |list| -> Vec<(View, At)> {
            let text = b"/sys/usr/lib:/usr/lib:$ORIGIN/x:rel";
            places(text, list).into_iter().map(|place| (place.view, place.at)).collect()
        };
        let at = |path: &str| At::Directory(path.into());
        let (process, host) = (View::Process, View::Host);
        assert_eq!(seen(list), [(process, at("/usr/lib")), (host, at("/o/x"))]);
        let of_run_path = seen(List { written_by: process, ..list });
        let inside = [(process, at("/sys/usr/lib")), (process, at("/usr/lib"))];
        assert_eq!(of_run_path.get(..2), Some(inside.as_slice()));
        assert_eq!(of_run_path.get(2..), Some([(host, at("/o/x")), (host, at("/cwd/rel"))].as_slice()));
    }

    #[test]
    fn lists_are_read_as_the_loader_reads_them() {
        use EmptyEntry::{Nothing, WorkingDirectory};
        assert!(directories("", WorkingDirectory).is_empty());
        assert_eq!(directories(":/a", WorkingDirectory), ["/cwd", "/a"]);
        assert_eq!(directories(":/a::", Nothing), ["/a"]);
        assert_eq!(directories("/a//;/:/a:rel/x/", WorkingDirectory), ["/a", "/", "/cwd/rel/x"]);
        assert_eq!(directories("$ORIGIN/../l:$PLATFORM/x:$LIB", WorkingDirectory), ["/o/../l", "/cwd/lib64"]);
    }
}
