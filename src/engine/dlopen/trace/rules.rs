//! The rules as the loader names them in its log, in our own terms.

use crate::engine::report::audit::{FoundBy, SearchRule};
use crate::engine::report::trace::SearchedList;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Bytes of a log as a path.
pub(super) fn path(bytes: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(bytes))
}

/// Bytes of a log as text.
pub(super) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A rule alone.
pub(super) fn plain(rule: SearchRule) -> FoundBy {
    FoundBy { rule, entry: None, owner: None, hwcaps: None }
}

/// The list `directories` that the loader labels `label`. `is_main` says whether a file is the program, whose list counts
/// as its own for what it asks for itself.
pub(super) fn list(directories: &[u8], label: &[u8], is_main: impl Fn(&[u8]) -> bool) -> Option<SearchedList> {
    let of = |prefix: &[u8]| label.strip_prefix(prefix);
    let owned = |rule, file: &[u8]| {
        let name = path(file).file_name().map(|name| name.to_string_lossy().into_owned());
        FoundBy { owner: name.or_else(|| Some(text(file))), ..plain(rule) }
    };
    let rule = if label == b"LD_LIBRARY_PATH" {
        plain(SearchRule::LdLibraryPath)
    } else if label == b"system search path" {
        plain(SearchRule::Default)
    } else if let Some(file) = of(b"RPATH from file ") {
        owned(if is_main(file) { SearchRule::MainRpath } else { SearchRule::Rpath }, file)
    } else {
        owned(SearchRule::Runpath, of(b"RUNPATH from file ")?)
    };
    let named = directories.split(|byte| *byte == b':').filter(|directory| !directory.is_empty());
    Some(SearchedList { rule, directories: named.map(path).collect() })
}

/// The list that is the loader's cache.
pub(super) fn cache() -> SearchedList {
    SearchedList { rule: plain(SearchRule::LdSoCache), directories: Vec::new() }
}

/// `list` as what found the file at `found`.
pub(super) fn found_by(list: &SearchedList, found: &Path) -> FoundBy {
    let mut parts = found.iter().skip_while(|part| *part != "glibc-hwcaps");
    let level = parts.nth(1).map(|level| level.to_string_lossy().into_owned());
    FoundBy { hwcaps: level, ..list.rule.clone() }
}

/// Whether an object asks for the C library's own ends: libc itself, or the threads' library of glibc before 2.34.
pub(super) fn is_libc(asker: &[u8]) -> bool {
    let name = asker.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let starts = |prefix: &[u8]| name.starts_with(prefix);
    starts(b"libc.so.") || starts(b"libpthread.so.") || starts(b"libc-2.") || starts(b"libpthread-2.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn labels_are_rules() {
        let main = |file: &[u8]| file == b"./p";
        let rule = |label: &str| list(b"/a:/b", label.as_bytes(), main).map(|list| (list.rule.rule, list.rule.owner));
        let table = [
            ("LD_LIBRARY_PATH", Some((SearchRule::LdLibraryPath, None))),
            ("system search path", Some((SearchRule::Default, None))),
            ("RPATH from file ./p", Some((SearchRule::MainRpath, Some("p".to_string())))),
            ("RPATH from file /l/liba.so", Some((SearchRule::Rpath, Some("liba.so".to_string())))),
            ("RUNPATH from file ./p", Some((SearchRule::Runpath, Some("p".to_string())))),
            ("anything else", None),
        ];
        for (label, expected) in table {
            assert_eq!(rule(label), expected, "{label}");
        }
        let list = list(b"/a:/b", b"LD_LIBRARY_PATH", main).unwrap();
        assert_eq!(list.directories, [PathBuf::from("/a"), PathBuf::from("/b")]);
        let found = found_by(&list, Path::new("/a/glibc-hwcaps/x86-64-v3/liba.so"));
        assert_eq!(found.hwcaps.as_deref(), Some("x86-64-v3"));
        assert_eq!(found_by(&list, Path::new("/a/liba.so")).hwcaps, None);
    }

    #[test]
    fn libc_is_known_by_its_names() {
        for name in ["/lib/x86_64-linux-gnu/libc.so.6", "/lib64/libc-2.17.so", "/lib64/libpthread.so.0"] {
            assert!(is_libc(name.as_bytes()), "{name}");
        }
        for name in ["./libc", "/lib/libcrypto.so.3", "/lib/libpthread_x.so"] {
            assert!(!is_libc(name.as_bytes()), "{name}");
        }
    }
}
