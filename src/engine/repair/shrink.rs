//! Shrinking a search path: only the directories stay in which a needed library is found.
//!
//! The rules are those that patchelf documents for `--shrink-rpath`. What a directory holds is asked of the caller, so that
//! the rules themselves need no disk; [`holds`] is the answer that the disk gives.

use crate::engine::binary::elf::Tables;
use crate::engine::binary::{Format, Name, sniff};
use crate::engine::file::Windows;
use goblin::elf::header::{EI_CLASS, EI_DATA, ET_DYN};
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// `text` with those entries only that are of use to a file that needs `needed`.
///
/// An entry stays when `holds` says that a needed library is in it that no earlier entry has, and when it begins with one of
/// `prefixes`, where there are any. An entry that is relative or has a `$` in it (`$ORIGIN`, `$LIB`) always stays: what it
/// leads to is known when the file is loaded, not before. Empty entries go.
#[must_use]
pub fn shrink(
    text: &Name,
    needed: &[Name],
    prefixes: Option<&[Name]>,
    mut holds: impl FnMut(&Name, &Name) -> bool,
) -> Name {
    // A name with a slash is a path, for which no directory is searched (ld.so(8)).
    let mut missing: Vec<&Name> = needed.iter().filter(|name| !name.as_bytes().contains(&b'/')).collect();
    let mut kept: Vec<&[u8]> = Vec::new();
    for entry in text.as_bytes().split(|byte| *byte == b':').filter(|entry| !entry.is_empty()) {
        if !entry.starts_with(b"/") || entry.contains(&b'$') {
            kept.push(entry);
            continue;
        }
        if prefixes.is_some_and(|prefixes| !prefixes.iter().any(|prefix| entry.starts_with(prefix.as_bytes()))) {
            continue;
        }
        let directory = Name::new(entry);
        let before = missing.len();
        missing.retain(|name| !holds(&directory, name));
        if missing.len() < before {
            kept.push(entry);
        }
    }
    Name::new(kept.join(&b':'))
}

/// Whether `directory` holds a library `name` that a process of the file with `tables` would load: a shared object of the
/// same class, byte order and machine. What can't be read is not there.
#[must_use]
pub fn holds(tables: &Tables, directory: &Name, name: &Name) -> bool {
    let path = Path::new(OsStr::from_bytes(directory.as_bytes())).join(OsStr::from_bytes(name.as_bytes()));
    let Ok(source) = Windows::open(&path) else { return false };
    if !matches!(sniff(&source), Ok(Some(Format::Elf))) {
        return false;
    }
    let Ok(found) = Tables::read(&source) else { return false };
    let ident = |at| found.header.e_ident.get(at) == tables.header.e_ident.get(at);
    ident(EI_CLASS)
        && ident(EI_DATA)
        && found.header.e_machine == tables.header.e_machine
        && found.header.e_type == ET_DYN
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Shrinks `text` for a file that needs liba.so and libb.so, of which `/a` holds the first and `/b` and `/all` both.
    fn shrunk(text: &str, prefixes: Option<&[&str]>) -> String {
        let prefixes: Option<Vec<Name>> = prefixes.map(|texts| texts.iter().copied().map(Name::from).collect());
        let needed = ["liba.so", "libb.so", "/a/libpath.so"].map(Name::from);
        let holds = |directory: &Name, name: &Name| match directory.to_text().trim_end_matches('/') {
            "/a" => *name == Name::from("liba.so"),
            "/b" | "/all" => true,
            _ => false,
        };
        shrink(&text.into(), &needed, prefixes.as_deref(), holds).to_text().into_owned()
    }

    #[test]
    fn the_first_directory_that_has_a_library_stays() {
        let table = [
            ("/a:/b", "/a:/b"),
            ("/b:/a", "/b"),
            ("/all:/b:/none", "/all"),
            ("/none:/b", "/b"),
            ("/none", ""),
            ("", ""),
            (":/a::/a/:", "/a"),
            ("/a//:/a", "/a//"),
        ];
        for (text, expected) in table {
            assert_eq!(shrunk(text, None), expected, "{text}");
        }
    }

    #[test]
    fn what_is_known_at_load_time_only_stays() {
        assert_eq!(shrunk("$ORIGIN:/b:../lib:/x/$LIB:/a", None), "$ORIGIN:/b:../lib:/x/$LIB");
        assert_eq!(shrunk("$ORIGIN/../lib:/b", Some(&["/nowhere"])), "$ORIGIN/../lib");
    }

    #[test]
    fn a_directory_without_an_allowed_prefix_goes_and_hides_nothing() {
        assert_eq!(shrunk("/all:/a:/b", Some(&["/a/", "/b"])), "/b");
        assert_eq!(shrunk("/all:/a:/b", Some(&["/al", "/b"])), "/all", "a prefix is of the text, not of the directory");
        assert_eq!(shrunk("/all:/a:/b", Some(&[])), "");
    }

    #[test]
    fn a_name_that_is_a_path_keeps_no_directory() {
        let holds = |_: &Name, _: &Name| true;
        assert_eq!(shrink(&"/a".into(), &["sub/liba.so".into()], None, holds), "".into());
    }
}
