//! The external libraries of an artifact: those that a repair would bundle, and the names they get in the bundle.
//!
//! For ELF by maturin's rules over the lddtree lens: every library of the tree, also behind an allowed one, that is neither a
//! dynamic linker, nor the C library, nor allowed by the policy. Which name of a file is the first and which are aliases is
//! chosen by rule here; in maturin it follows the order of a hash map.

use super::demands::{is_dynamic_linker, is_libpython};
use super::exclude::{Pattern, is_excluded};
use super::policy::Policy;
use crate::engine::binary::{self, Format};
use crate::engine::deps::{CrateLibrary, CrateTree, Graph, Node, NodeKind, known_by_name};
use crate::engine::file::Windows;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::{Path, PathBuf};

/// A library that would be bundled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct External {
    /// The needed name by which it is known: the file's SONAME if it is asked for by that, else the first by alphabet.
    pub name: String,
    /// Other needed names that lead to the same file, sorted.
    pub aliases: Vec<String>,
    /// The file, symbolic links resolved; `None` when it was found nowhere.
    pub realpath: Option<PathBuf>,
    /// Its own needed names.
    pub needed: Vec<String>,
    /// Its search path as the lens has it: of lddtree only the directories that exist, with tokens filled in.
    pub rpath: Vec<String>,
}

/// The external libraries of an ELF artifact by the list of `policy`, sorted by name.
///
/// What `exclude` fits is left out, with what only it needs. libpython is never bundled.
#[must_use]
pub fn of_elf(tree: &CrateTree, policy: &Policy, exclude: &[Pattern]) -> Vec<External> {
    let wanted = |library: &&CrateLibrary| {
        let name = library.name.as_str();
        !(is_dynamic_linker(name)
            || name.starts_with("libc.")
            || is_libpython(name)
            || policy.allowed.contains(name)
            || tree.interpreter_name() == Some(name))
    };
    let libraries = reachable(tree, exclude).into_iter().filter(wanted).map(|library| External {
        name: library.name.clone(),
        aliases: Vec::new(),
        realpath: library.realpath.clone(),
        needed: library.needed.clone(),
        rpath: library.rpath.clone(),
    });
    merge(libraries.collect())
}

/// The libraries of the tree, without excluded ones and what only they need.
fn reachable<'a>(tree: &'a CrateTree, exclude: &[Pattern]) -> Vec<&'a CrateLibrary> {
    let mut seen = BTreeSet::new();
    let mut queue: VecDeque<&String> = tree.needed.iter().collect();
    let mut found = BTreeMap::new();
    while let Some(name) = queue.pop_front() {
        let Some(library) = tree.libraries.get(name).filter(|_| seen.insert(name)) else { continue };
        if !is_excluded(exclude, name, Some(&library.path), library.realpath.as_deref()) {
            found.insert(name, library);
            queue.extend(&library.needed);
        }
    }
    found.into_values().collect()
}

/// The external libraries of a Mach-O or PE artifact, by the loader's lens, sorted by name: what is neither part of the
/// system nor Python, reached through libraries that are external themselves.
#[must_use]
pub fn of_graph(graph: &Graph, format: Format, exclude: &[Pattern]) -> Vec<External> {
    let mut seen = BTreeSet::from([0]);
    let mut queue = VecDeque::from([0]);
    let mut found = Vec::new();
    while let Some(at) = queue.pop_front() {
        for edge in graph.edges.iter().filter(|edge| edge.from == at) {
            let Some(node) = graph.nodes.get(edge.to).filter(|_| seen.insert(edge.to)) else { continue };
            let name = node.name.to_text();
            if !is_external(node, format) || is_excluded(exclude, &name, node.path.as_deref(), node.realpath.as_deref())
            {
                continue;
            }
            queue.push_back(edge.to);
            let slice = node.loaded();
            let needed = slice.into_iter().flat_map(|slice| &slice.needed);
            let rpath = slice.into_iter().flat_map(|slice| &slice.run_paths);
            found.push(External {
                name: name.into_owned(),
                aliases: Vec::new(),
                realpath: node.realpath.clone(),
                needed: needed.map(|needed| needed.name.to_text().into_owned()).collect(),
                rpath: rpath.map(|path| path.text.to_text().into_owned()).collect(),
            });
        }
    }
    merge(found)
}

/// Whether a node of a Mach-O or PE graph would be bundled (delocate's and maturin's rules).
#[must_use]
pub fn is_external(node: &Node, format: Format) -> bool {
    match node.kind {
        NodeKind::Missing => true,
        NodeKind::Library => {
            let path = node.realpath.as_deref().or(node.path.as_deref()).unwrap_or(Path::new(""));
            match format {
                Format::MachO => !is_apple_system(path) && !is_apple_python(path),
                // Also a Python DLL or a runtime of the compiler that was found as a file.
                Format::Pe => !is_windows_system(path) && known_by_name(node.name.as_bytes()).is_none(),
                Format::Elf => true,
            }
        }
        NodeKind::Root | NodeKind::Interpreter | NodeKind::System | NodeKind::Libpython => false,
    }
}

fn is_apple_system(path: &Path) -> bool {
    path.starts_with("/usr/lib") || path.starts_with("/System")
}

fn is_apple_python(path: &Path) -> bool {
    let framework = path
        .components()
        .any(|part| matches!(part.as_os_str().to_str(), Some("Python.framework" | "PythonT.framework")));
    framework || path.file_name().and_then(|name| name.to_str()).is_some_and(|name| name.starts_with("libpython3"))
}

fn is_windows_system(path: &Path) -> bool {
    let parts: Vec<String> = path.components().map(|part| part.as_os_str().to_string_lossy().to_lowercase()).collect();
    parts.windows(2).any(|pair| match pair {
        [windows, folder] => {
            windows == "windows" && matches!(folder.as_str(), "system32" | "syswow64" | "winsxs" | "sysarm32")
        }
        _ => false,
    })
}

/// Makes one of the names that lead to the same file; also of a library that several slices need.
#[must_use]
pub fn merge(libraries: Vec<External>) -> Vec<External> {
    let mut by_file: BTreeMap<(Option<PathBuf>, Option<String>), Vec<External>> = BTreeMap::new();
    for library in libraries {
        // What was found nowhere is one library a name.
        let name = library.realpath.is_none().then(|| library.name.clone());
        by_file.entry((library.realpath.clone(), name)).or_default().push(library);
    }
    let mut merged: Vec<External> = by_file.into_values().filter_map(merge_names).collect();
    merged.sort_by(|one, other| one.name.cmp(&other.name));
    merged
}

fn merge_names(mut names: Vec<External>) -> Option<External> {
    names.sort_by(|one, other| one.name.cmp(&other.name));
    let soname =
        if names.len() > 1 { names.first().and_then(|first| soname(first.realpath.as_deref()?)) } else { None };
    let chosen = names.iter().position(|library| Some(&library.name) == soname.as_ref()).unwrap_or(0);
    if names.is_empty() {
        return None;
    }
    let mut library = names.remove(chosen);
    library.aliases = names.into_iter().map(|other| other.name).filter(|name| *name != library.name).collect();
    library.aliases.dedup();
    Some(library)
}

/// The file's own name for itself; `None` also where it can't be read: the names are then sorted only.
fn soname(path: &Path) -> Option<String> {
    let binary = binary::read(&Windows::open(path).ok()?).ok()?;
    Some(binary.slices.first()?.soname.as_ref()?.to_text().into_owned())
}

/// The name that a library gets in the bundle: the first eight hex digits of its SHA-256 before the first dot of the
/// needed name's last part. A name that has them already is kept (maturin's and auditwheel's rule).
#[must_use]
pub fn grafted_name(name: &str, sha256_hex: &str) -> String {
    let leaf = name.rsplit('/').next().unwrap_or(name);
    let hash = sha256_hex.get(..8).unwrap_or(sha256_hex);
    match leaf.split_once('.') {
        Some((stem, _)) if stem.ends_with(&format!("-{hash}")) => leaf.to_string(),
        Some((stem, rest)) => format!("{stem}-{hash}.{rest}"),
        None => format!("{leaf}-{hash}"),
    }
}

#[cfg(test)]
mod tests {
    use super::super::policy::{Family, policies};
    use super::*;

    const HASH: &str = "47542e49aabbccdd";

    fn tree(rows: &[(&str, Option<&str>, &[&str])], needed: &[&str]) -> CrateTree {
        let library = |(name, realpath, needed): &(&str, Option<&str>, &[&str])| {
            let library = CrateLibrary {
                name: (*name).to_string(),
                path: PathBuf::from(realpath.unwrap_or(name)),
                realpath: realpath.map(PathBuf::from),
                needed: needed.iter().map(|name| (*name).to_string()).collect(),
                rpath: Vec::new(),
            };
            ((*name).to_string(), library)
        };
        CrateTree {
            format: Format::Elf,
            interpreter: Some("/lib64/ld-linux-x86-64.so.2".into()),
            needed: needed.iter().map(|name| (*name).to_string()).collect(),
            rpath: Vec::new(),
            libraries: rows.iter().map(library).collect(),
            sysroot: None,
        }
    }

    fn names(found: &[External]) -> Vec<&str> {
        found.iter().map(|library| library.name.as_str()).collect()
    }

    #[test]
    fn grafted_names_follow_maturin() {
        for (name, grafted) in [
            ("libgreet.so.1", "libgreet-47542e49.so.1"),
            ("libgreet-47542e49.so.1", "libgreet-47542e49.so.1"),
            ("libgreet-00000000.so.1", "libgreet-00000000-47542e49.so.1"),
            ("/opt/lib/libstdc++.6.dylib", "libstdc++-47542e49.6.dylib"),
            ("@rpath/libfoo.dylib", "libfoo-47542e49.dylib"),
            ("libplain", "libplain-47542e49"),
        ] {
            assert_eq!(grafted_name(name, HASH), grafted);
        }
    }

    #[test]
    fn externals_are_what_the_policy_does_not_allow() {
        let policy = &policies(Family::Manylinux, "x86_64")[0];
        let tree = tree(
            &[
                ("libgreet.so.1", Some("/opt/libgreet.so.1"), &["libdeep.so.2", "libc.so.6"]),
                ("libdeep.so.2", None, &[]),
                ("libX11.so.6", Some("/usr/lib/libX11.so.6"), &["libxcb.so.1"]),
                ("libxcb.so.1", Some("/usr/lib/libxcb.so.1"), &[]),
                ("libc.so.6", Some("/lib/libc.so.6"), &["ld-linux-x86-64.so.2"]),
                ("ld-linux-x86-64.so.2", Some("/lib64/ld-linux-x86-64.so.2"), &[]),
                ("libpython3.so", Some("/usr/lib/libpython3.so"), &[]),
            ],
            &["libgreet.so.1", "libX11.so.6", "libpython3.so", "libc.so.6"],
        );
        let found = of_elf(&tree, policy, &[]);
        assert_eq!(names(&found), ["libdeep.so.2", "libgreet.so.1", "libxcb.so.1"]);
        assert_eq!(found[0].realpath, None);
        // With libgreet excluded nobody asks for libdeep any more.
        assert_eq!(names(&of_elf(&tree, policy, &[Pattern::new("libgreet*")])), ["libxcb.so.1"]);
        assert_eq!(names(&of_elf(&tree, policy, &[Pattern::new("/opt/*"), Pattern::new("libxcb.so.1")])), [""; 0]);
    }

    #[test]
    fn one_file_under_two_names_is_known_by_its_soname() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("libm.so");
        let source = directory.path().join("m.c");
        std::fs::write(&source, "int m(void) { return 1; }\n").unwrap();
        let mut compile = std::process::Command::new("cc");
        compile.args(["-shared", "-fPIC", "-Wl,-soname,libmine.so.2", "-o"]).arg(&file).arg(&source);
        assert!(compile.status().unwrap().success());
        let file = file.to_str().unwrap();
        let policy = &policies(Family::Manylinux, "x86_64")[0];
        let two = tree(
            &[("libalias.so", Some(file), &[]), ("libmine.so.2", Some(file), &[])],
            &["libalias.so", "libmine.so.2"],
        );
        let found = of_elf(&two, policy, &[]);
        assert_eq!(
            (names(&found), found[0].aliases.as_slice()),
            (vec!["libmine.so.2"], &["libalias.so".to_string()][..])
        );
        let strangers =
            tree(&[("libz9.so", Some(file), &[]), ("liba9.so", Some(file), &[])], &["libz9.so", "liba9.so"]);
        assert_eq!(names(&of_elf(&strangers, policy, &[])), ["liba9.so"]);
    }

    #[test]
    fn system_places_of_the_other_formats() {
        assert!(is_apple_system(Path::new("/usr/lib/libSystem.B.dylib")));
        assert!(!is_apple_system(Path::new("/usr/local/lib/libfoo.dylib")));
        assert!(!is_apple_system(Path::new("/opt/homebrew/lib/libfoo.dylib")));
        assert!(is_apple_python(Path::new("/Library/Frameworks/Python.framework/Versions/3.12/Python")));
        assert!(is_windows_system(Path::new("/mnt/c/Windows/System32/foo.dll")));
        assert!(!is_windows_system(Path::new("/mnt/c/tools/foo.dll")));
    }
}
