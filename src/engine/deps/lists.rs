//! Lists of directories as they stand in run paths and variables: split, tokens filled in, made absolute.

use super::search::{At, Place};
use super::tokens::{Tokens, as_path, expand};
use crate::engine::report::audit::SearchRule;
use std::path::{Path, PathBuf};

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
    pub(super) owner: Option<&'a str>,
    /// The bytes that separate entries.
    pub(super) separators: &'a [u8],
    /// What an empty entry means.
    pub(super) empty: EmptyEntry,
    /// The values of the tokens.
    pub(super) tokens: Tokens<'a>,
    /// The working directory.
    pub(super) current_directory: &'a Path,
}

/// The places of the list `text`, in order, each directory once. An empty list has none.
pub(super) fn places(text: &[u8], list: List<'_>) -> Vec<Place> {
    let mut places: Vec<Place> = Vec::new();
    if text.is_empty() {
        return places;
    }
    for entry in text.split(|byte| list.separators.contains(byte)) {
        let Some(directory) = directory(entry, list) else { continue };
        let at = At::Directory(directory);
        if !places.iter().any(|place| place.at == at) {
            let literal = String::from_utf8_lossy(entry);
            places.push(Place::entry(list.rule, literal, list.owner.map(str::to_string), at));
        }
    }
    places
}

/// The absolute directory of one entry; `None` for one that the loader drops.
fn directory(entry: &[u8], list: List<'_>) -> Option<PathBuf> {
    if entry.is_empty() {
        return (list.empty == EmptyEntry::WorkingDirectory).then(|| list.current_directory.to_path_buf());
    }
    let expanded = expand(entry, list.tokens).filter(|expanded| !expanded.is_empty())?;
    let kept = expanded.iter().rposition(|&byte| byte != b'/').map_or(1, |last| last + 1);
    Some(list.current_directory.join(as_path(expanded.get(..kept)?)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn directories(text: &str, empty: EmptyEntry) -> Vec<String> {
        let tokens = Tokens { origin: Path::new("/o"), library: Some("lib64"), platform: None };
        let list = List {
            rule: SearchRule::Runpath,
            owner: None,
            separators: b":;",
            empty,
            tokens,
            current_directory: Path::new("/cwd"),
        };
        let text_of = |place: Place| match place.at {
            At::Directory(path) => path.display().to_string(),
            other => panic!("{other:?}"),
        };
        places(text.as_bytes(), list).into_iter().map(text_of).collect()
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
