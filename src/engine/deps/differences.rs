//! Where the two lenses find different files, and why (finding WW009).
//!
//! The reason is read from what the loader's lens recorded and from where the crate found its file; the crate itself keeps
//! no reasons. Its habits: RUNPATH before `LD_LIBRARY_PATH`, no inherited RPATH, no cache but `ld.so.conf`, no hwcaps, no
//! `$LIB`, `$ORIGIN` from the real path, one name one file, last request first.

use super::graph::{Edge, Graph, Node, NodeKind};
use super::lddtree::{CrateLibrary, CrateTree};
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
    let library = library.filter(|library| library.realpath.is_some());
    match (&edge.found_by, library) {
        (Some(by), None) => not_in_crate(loader, edge, by),
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

/// What about the loader's find the crate can't follow, if anything.
fn beyond_the_crate(loader: &Graph, edge: &Edge, by: &FoundBy) -> Option<String> {
    let asked_by = text_of(requester(loader, edge));
    let entry = by.entry.as_deref().unwrap_or_default();
    if let Some(level) = &by.hwcaps {
        return Some(format!(
            "the loader takes the copy in glibc-hwcaps/{level}; lddtree knows no such subdirectories"
        ));
    }
    if entry.contains("$LIB") || entry.contains("${LIB}") || entry.contains("PLATFORM}") || entry.contains("$PLATFORM")
    {
        return Some(format!("the loader fills in the token of {entry}; lddtree knows $ORIGIN only"));
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

fn not_in_crate(loader: &Graph, edge: &Edge, by: &FoundBy) -> String {
    if by.rule == SearchRule::LdLibraryPath {
        return "the loader finds it by LD_LIBRARY_PATH, in an entry that lddtree does not read so".into();
    }
    beyond_the_crate(loader, edge, by).or_else(|| through_link(requester(loader, edge))).unwrap_or_else(|| {
        let asked_by = text_of(requester(loader, edge));
        format!("the loader finds it for {asked_by}; lddtree looks elsewhere or can't parse the file")
    })
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
    // Without a run path of the requester only a cache that is out of step explains a find in the cache.
    if let Some(reason) = beyond_the_crate(loader, edge, by) {
        return reason;
    }
    if let Some(reason) = through_link(requester(loader, edge)) {
        return reason;
    }
    let sought = |name: &Name| {
        let name = name.to_text();
        crate_tree.libraries.values().filter(|library| library.needed.iter().any(|needed| *needed == name)).count()
    };
    if sought(&edge.needed) > 1 {
        return "several objects need it from different directories; the loader keeps the first that was asked for, \
                lddtree the last"
            .into();
    }
    let here = node.path.as_deref().and_then(Path::parent).unwrap_or(Path::new("/"));
    let there = library.path.parent().unwrap_or(Path::new("/"));
    format!("the loader comes to {} first, lddtree to {}", here.display(), there.display())
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
