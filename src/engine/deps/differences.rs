//! Where the two lenses find different files, and why (finding WW009).
//!
//! The reason is read from what the loader's lens recorded and from where the crate found its file; the crate itself keeps
//! no reasons. Its habits: RUNPATH before `LD_LIBRARY_PATH`, no inherited RPATH, no cache but `ld.so.conf`, no hwcaps, no
//! `$LIB`, `$ORIGIN` from the real path, one name one file, last request first.

use super::graph::{Edge, Graph, Node, NodeKind};
use super::lddtree::{CrateLibrary, CrateTree};
use super::tokens::has_token;
use crate::engine::binary::Name;
use crate::engine::report::audit::{FoundBy, LensDifference, SearchRule};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// The needed names on which the lenses disagree, by name. Names that both find nowhere, system libraries that are no files
/// and the interpreter, which the loader has before it looks, are no differences.
#[must_use]
pub fn differences(loader: &Graph, crate_tree: &CrateTree) -> Vec<LensDifference> {
    let mut requests: BTreeMap<String, Vec<&Edge>> = BTreeMap::new();
    for edge in &loader.edges {
        requests.entry(edge.needed.to_text().into_owned()).or_default().push(edge);
    }
    let names: BTreeSet<&String> = requests.keys().chain(crate_tree.libraries.keys()).collect();
    let of_name = |name: &String| {
        let edges = requests.get(name).map(Vec::as_slice).unwrap_or_default();
        difference(loader, crate_tree, name, edges)
    };
    names.into_iter().filter_map(of_name).collect()
}

fn difference(loader: &Graph, crate_tree: &CrateTree, name: &str, edges: &[&Edge]) -> Option<LensDifference> {
    let library = crate_tree.libraries.get(name);
    let in_crate = library.and_then(|library| library.realpath.clone());
    let answers: Vec<(&Edge, &Node)> =
        edges.iter().filter_map(|edge| Some((*edge, loader.nodes.get(edge.to)?))).collect();
    let exempt = [NodeKind::Interpreter, NodeKind::System, NodeKind::Libpython];
    if answers.iter().any(|(_, node)| exempt.contains(&node.kind)) || crate_tree.interpreter_name() == Some(name) {
        return None;
    }
    // With several requesters the one that the lenses differ on counts.
    let differs = |(_, node): &&(&Edge, &Node)| node.realpath != in_crate;
    let (in_loader, why) = match answers.iter().find(differs) {
        Some((edge, node)) => (node.path.clone(), why(loader, crate_tree, edge, node, library)),
        None if answers.is_empty() && in_crate.is_some() => (None, only_in_crate(loader, name)),
        None => return None,
    };
    let lddtree = library.filter(|library| library.realpath.is_some()).map(|library| library.path.clone());
    Some(LensDifference { name: name.to_string(), loader: in_loader, lddtree, why })
}

/// Why the crate lists a name that no object of the loader's graph asks for.
fn only_in_crate(loader: &Graph, name: &str) -> String {
    let missing = loader.nodes.iter().any(|node| node.kind == NodeKind::Missing);
    if missing {
        format!("{name} is needed by a library that only lddtree finds")
    } else {
        format!("{name} is needed by a file that lddtree takes and the loader does not")
    }
}

fn why(loader: &Graph, crate_tree: &CrateTree, edge: &Edge, node: &Node, library: Option<&CrateLibrary>) -> String {
    if library.is_none() {
        return format!("it is needed by {}, which only the loader finds", text_of(requester(loader, edge)));
    }
    let library = library.filter(|library| library.realpath.is_some());
    match (&edge.found_by, library) {
        (Some(by), None) => not_in_crate(loader, crate_tree, edge, by),
        (Some(by), Some(library)) => both(loader, crate_tree, edge, node, by, library),
        (None, Some(library)) => not_in_loader(loader, edge, library),
        (None, None) => "neither lens finds it".to_string(),
    }
}

fn requester<'a>(loader: &'a Graph, edge: &Edge) -> Option<&'a Node> {
    loader.nodes.get(edge.from)
}

fn text_of(node: Option<&Node>) -> String {
    node.map(|node| node.name.to_text().into_owned()).unwrap_or_default()
}

/// Whether the answer of `edge` lies in a directory of that name.
fn is_below(loader: &Graph, edge: &Edge, directory: &str) -> bool {
    let path = loader.nodes.get(edge.to).and_then(|node| node.path.as_deref());
    path.is_some_and(|path| path.iter().any(|part| part == directory))
}

/// Directories that the crate has put below the sysroot, and puts there again when it searches.
fn doubled_sysroot(crate_tree: &CrateTree, by: &FoundBy) -> Option<String> {
    let sysroot = crate_tree.sysroot.as_deref().filter(|path| *path != Path::new("/"))?;
    let doubled = match by.rule {
        SearchRule::LdSoConf | SearchRule::LdSoCache | SearchRule::MuslPath | SearchRule::Default => true,
        SearchRule::Rpath | SearchRule::Runpath => by.entry.as_deref().is_some_and(|entry| entry.starts_with('/')),
        _ => false,
    };
    doubled.then(|| {
        format!(
            "lddtree puts the sysroot {} twice before the directories of run paths and of ld.so.conf; below it, it finds what \
             lies in /lib, /lib64, /usr/lib and /usr/lib64 only",
            sysroot.display()
        )
    })
}

/// What about the loader's find the crate can't follow, if anything.
fn beyond_the_crate(loader: &Graph, crate_tree: &CrateTree, edge: &Edge, by: &FoundBy) -> Option<String> {
    let asked_by = text_of(requester(loader, edge));
    let entry = by.entry.as_deref().unwrap_or_default();
    if has_token(edge.needed.as_bytes()) {
        return Some("the loader fills in the token of the needed name; lddtree takes it as it stands".into());
    }
    if let Some(level) = &by.hwcaps {
        let directory =
            if is_below(loader, edge, "glibc-hwcaps") { format!("glibc-hwcaps/{level}") } else { level.clone() };
        return Some(format!("the loader takes the copy in {directory}; lddtree knows no such subdirectories"));
    }
    if entry.contains("$LIB") || entry.contains("${LIB}") || entry.contains("PLATFORM}") || entry.contains("$PLATFORM")
    {
        return Some(format!("the loader fills in the token of {entry}; lddtree knows $ORIGIN only"));
    }
    if let Some(reason) = doubled_sysroot(crate_tree, by) {
        return Some(reason);
    }
    match by.rule {
        SearchRule::AlreadyLoaded => {
            Some("an object that was loaded before answers to the name; lddtree searches anew for every name".into())
        }
        SearchRule::LdPreload => Some("LD_PRELOAD; lddtree does not read it".into()),
        SearchRule::Rpath if by.owner.as_deref().is_some_and(|owner| owner != asked_by) => {
            let owner = by.owner.as_deref().unwrap_or_default();
            Some(format!("{asked_by} inherits the RPATH of {owner}; lddtree lets nobody inherit"))
        }
        SearchRule::LdSoCache => {
            Some("the loader finds it in ld.so.cache; lddtree reads ld.so.conf and the trusted directories only".into())
        }
        SearchRule::LdPath => Some("a directory given by --ld-path; lddtree was not told of it".into()),
        SearchRule::LdLibraryPath => {
            Some("the loader searches LD_LIBRARY_PATH before RUNPATH; lddtree searches RUNPATH first".into())
        }
        SearchRule::Rpath | SearchRule::Runpath if !entry.starts_with('/') && !entry.contains("ORIGIN") => {
            let meant = if entry.is_empty() { "empty entry" } else { "relative entry" };
            Some(format!("the loader takes the {meant} of the run path from the working directory"))
        }
        _ => None,
    }
}

fn not_in_crate(loader: &Graph, crate_tree: &CrateTree, edge: &Edge, by: &FoundBy) -> String {
    if by.rule == SearchRule::LdLibraryPath {
        return "the loader finds it by LD_LIBRARY_PATH, in an entry that lddtree does not read so".into();
    }
    let beyond = || beyond_the_crate(loader, crate_tree, edge, by);
    if let Some(reason) = beyond().or_else(|| through_link(requester(loader, edge))) {
        return reason;
    }
    if several_ask(crate_tree, &edge.needed) {
        return SEVERAL.into();
    }
    let asked_by = text_of(requester(loader, edge));
    format!("the loader finds it for {asked_by}; lddtree looks elsewhere or can't parse the file")
}

fn not_in_loader(loader: &Graph, edge: &Edge, library: &CrateLibrary) -> String {
    if let Some(message) = &edge.gave_up {
        return format!("the loader gives up at {message}; lddtree passes that file over");
    }
    if let Some(reason) = through_link(requester(loader, edge)) {
        return reason;
    }
    let directory = library.path.parent().unwrap_or(Path::new("/"));
    let in_run_path = requester(loader, edge).and_then(Node::loaded).is_some_and(|slice| !slice.run_paths.is_empty());
    let asked_by = text_of(requester(loader, edge));
    if is_trusted(directory) {
        return format!(
            "{} is neither in ld.so.cache nor a default directory of this loader, or {asked_by} forbids them (NODEFLIB); \
             lddtree always searches it",
            directory.display()
        );
    }
    if edge.candidates.iter().any(|candidate| candidate.path == library.path) {
        return "the loader refuses that file; lddtree takes it".into();
    }
    if in_run_path {
        format!("lddtree reads the run path of {asked_by} in another way than the loader")
    } else {
        format!(
            "{} is not on the search path of {asked_by}; lddtree keeps one find for all requesters",
            directory.display()
        )
    }
}

fn both(
    loader: &Graph,
    crate_tree: &CrateTree,
    edge: &Edge,
    node: &Node,
    by: &FoundBy,
    library: &CrateLibrary,
) -> String {
    let several = several_ask(crate_tree, &edge.needed);
    // Had the requester an entry that leads elsewhere, the loader would not have come to the cache.
    if several && matches!(by.rule, SearchRule::LdSoCache | SearchRule::Default) {
        return SEVERAL.into();
    }
    let beyond = || beyond_the_crate(loader, crate_tree, edge, by);
    if let Some(reason) = beyond().or_else(|| through_link(requester(loader, edge))) {
        return reason;
    }
    if several {
        return SEVERAL.into();
    }
    let here = node.path.as_deref().and_then(Path::parent).unwrap_or(Path::new("/"));
    let there = library.path.parent().unwrap_or(Path::new("/"));
    format!("the loader comes to {} first, lddtree to {}", here.display(), there.display())
}

const SEVERAL: &str = "several objects need it and don't all find it alike; the loader keeps what the first of them \
                       finds, lddtree what the last does";

fn several_ask(crate_tree: &CrateTree, name: &Name) -> bool {
    let name = name.to_text();
    let asks = |needed: &[String]| needed.iter().any(|needed| *needed == name);
    let libraries = crate_tree.libraries.values().filter(|library| asks(&library.needed)).count();
    libraries + usize::from(asks(&crate_tree.needed)) > 1
}

/// `$ORIGIN` of a library that was loaded through a symbolic link.
fn through_link(node: Option<&Node>) -> Option<String> {
    let node = node?;
    let (path, real) = (node.path.as_deref()?, node.realpath.as_deref()?);
    let uses_origin = node.loaded()?.run_paths.iter().any(|path| path.text.to_text().contains("ORIGIN"));
    let origin = std::fs::canonicalize(path.parent()?).ok()?;
    (uses_origin && real.parent() != Some(&origin) && node.directory == path.parent()?).then(|| {
        format!(
            "{} was loaded through a symbolic link: the loader takes $ORIGIN from the link's directory, lddtree from the \
             file's",
            node.name
        )
    })
}

fn is_trusted(directory: &Path) -> bool {
    ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib"].iter().any(|root| directory.starts_with(root))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary::{Format, NeededBinding};
    use std::path::PathBuf;

    fn node(kind: NodeKind, name: &str, path: Option<&str>) -> Node {
        let path = path.map(PathBuf::from);
        let directory = path.as_deref().and_then(Path::parent).unwrap_or(Path::new("/")).to_path_buf();
        Node {
            kind,
            name: name.into(),
            realpath: path.clone(),
            path,
            directory,
            binary: None,
            slice: 0,
            requester: None,
        }
    }

    /// `root` asks for `liba.so`, which the loader finds by `rule` and the crate at `in_crate`.
    fn reason(rule: Option<SearchRule>, owner: &str, hwcaps: Option<&str>, in_crate: Option<&str>) -> Option<String> {
        let found_by = rule.map(|rule| FoundBy {
            rule,
            entry: Some("/entry".into()),
            owner: Some(owner.into()),
            hwcaps: hwcaps.map(str::to_string),
        });
        let answer = match rule {
            Some(_) => node(NodeKind::Library, "liba.so", Some("/loader/liba.so")),
            None => node(NodeKind::Missing, "liba.so", None),
        };
        let edge = Edge {
            from: 0,
            needed: "liba.so".into(),
            to: 1,
            found_by,
            candidates: Vec::new(),
            versions_missing: Vec::new(),
            binding: NeededBinding::Required,
            note: None,
            gave_up: None,
        };
        let graph = Graph { nodes: vec![node(NodeKind::Root, "root", Some("/r/root")), answer], edges: vec![edge] };
        let library = CrateLibrary {
            name: "liba.so".into(),
            path: in_crate.unwrap_or("liba.so").into(),
            realpath: in_crate.map(PathBuf::from),
            needed: Vec::new(),
            rpath: Vec::new(),
        };
        let crate_tree = CrateTree {
            format: Format::Elf,
            interpreter: None,
            needed: vec!["liba.so".into()],
            rpath: Vec::new(),
            libraries: BTreeMap::from([("liba.so".to_string(), library)]),
            sysroot: None,
        };
        let found = differences(&graph, &crate_tree);
        assert!(found.len() <= 1 && found.iter().all(|found| found.name == "liba.so"));
        found.into_iter().next().map(|found| found.why)
    }

    #[test]
    fn each_habit_of_the_crate_has_its_reason() {
        use SearchRule::{AlreadyLoaded, LdLibraryPath, LdPath, LdSoCache, Rpath, Runpath};
        let table = [
            (Some(LdLibraryPath), "", None, Some("/run/liba.so"), "LD_LIBRARY_PATH before RUNPATH"),
            (Some(LdSoCache), "", None, None, "ld.so.cache"),
            (Some(Rpath), "other", None, None, "root inherits the RPATH of other"),
            (Some(Runpath), "root", Some("x86-64-v3"), Some("/plain/liba.so"), "the copy in x86-64-v3"),
            (Some(AlreadyLoaded), "", None, None, "loaded before"),
            (Some(LdPath), "", None, None, "--ld-path"),
            (Some(Runpath), "root", None, Some("/else/liba.so"), "the loader comes to /loader first, lddtree to /else"),
            (None, "", None, Some("/usr/lib/liba.so"), "neither in ld.so.cache nor a default directory"),
            (None, "", None, Some("/odd/liba.so"), "/odd is not on the search path of root"),
        ];
        for (rule, owner, hwcaps, in_crate, expected) in table {
            let why = reason(rule, owner, hwcaps, in_crate).unwrap_or_default();
            assert!(why.contains(expected), "{rule:?}: {why:?} lacks {expected:?}");
        }
    }

    #[test]
    fn the_same_file_and_nothing_at_all_are_no_differences() {
        assert_eq!(reason(Some(SearchRule::LinkedPath), "", None, Some("/loader/liba.so")), None);
        assert_eq!(reason(None, "", None, None), None);
    }
}
