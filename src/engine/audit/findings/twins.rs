//! WW017: two different libraries of one name, in a process or in a bundle.

use super::super::Audit;
use super::super::search_path::heeded;
use super::runpath::{directory, is_library_for};
use super::shipped::requesters;
use super::{finding, quoted};
use crate::engine::deps::{Edge, Graph, Node, NodeKind};
use crate::engine::report::audit::{ExternalLibrary, Finding, SearchRule, Severity, Tree};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Files up to this size are compared byte by byte, in bytes.
const COMPARED: u64 = 16 << 20;

/// WW017 for every name that two different files bear.
pub(super) fn twins(audit: &Audit) -> Vec<Finding> {
    let mut found: BTreeMap<String, Finding> = BTreeMap::new();
    let tree = audit.report.slices.first().and_then(|slice| slice.tree.as_ref());
    if let (Some(graph), Some(tree)) = (&audit.graph, tree) {
        for (name, ids) in loaded_twice(graph) {
            found.entry(name.clone()).or_insert_with(|| both_loaded(audit, graph, tree, &name, &ids));
        }
        for (name, one) in passed_over(audit, graph) {
            found.entry(name).or_insert(one);
        }
    }
    for (name, one) in bundled_twice(audit) {
        found.entry(name).or_insert(one);
    }
    found.into_values().collect()
}

/// The names, of files or by SONAME, that several loaded files bear, with the numbers of their nodes.
fn loaded_twice(graph: &Graph) -> Vec<(String, Vec<usize>)> {
    let mut names: BTreeMap<String, BTreeSet<usize>> = BTreeMap::new();
    for (id, node) in graph.nodes.iter().enumerate().filter(|(_, node)| node.kind == NodeKind::Library) {
        let file = node.path.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        let soname =
            node.loaded().and_then(|slice| slice.soname.as_ref()).map(|name| leaf(&name.to_text()).to_string());
        for name in file.into_iter().chain(soname) {
            names.entry(name).or_default().insert(id);
        }
    }
    let mut told = BTreeSet::new();
    let several = names.into_iter().filter(|(_, ids)| {
        let files: BTreeSet<Option<&PathBuf>> =
            ids.iter().filter_map(|id| graph.nodes.get(*id)).map(|node| node.realpath.as_ref()).collect();
        // A file name and a SONAME often differ in the version only; that is the same story.
        files.len() > 1 && told.insert(ids.clone())
    });
    several.map(|(name, ids)| (name, ids.into_iter().collect())).collect()
}

fn both_loaded(audit: &Audit, graph: &Graph, tree: &Tree, name: &str, ids: &[usize]) -> Finding {
    let line = |id: &usize| {
        let node = graph.nodes.get(*id)?;
        let soname = node.loaded().and_then(|slice| slice.soname.as_ref());
        let soname = soname.map(|soname| format!(", SONAME {soname}")).unwrap_or_default();
        let asked: BTreeSet<&str> =
            tree.edges.iter().filter(|edge| edge.to == *id).map(|edge| edge.needed.as_str()).collect();
        let asked: Vec<&str> = asked.into_iter().collect();
        let by = requesters(tree, *id).join(", ");
        Some(format!("{}{soname}: needed by {by} as {}", node.path.as_deref()?.display(), asked.join(", ")))
    };
    let mut evidence: Vec<String> = ids.iter().filter_map(line).collect();
    evidence.push("both are loaded into one process: their functions and their variables are there twice".to_string());
    let title = format!("{} different files are loaded as {name}", ids.len());
    finding("WW017", Severity::Warning, title, evidence, advice(audit, name))
}

/// Requests that a library loaded before answers, though the requester's own RUNPATH leads to a different file.
fn passed_over(audit: &Audit, graph: &Graph) -> Vec<(String, Finding)> {
    let Some(arch) = graph.nodes.first().and_then(Node::loaded).map(|slice| &slice.arch) else { return Vec::new() };
    let answered = graph.edges.iter().filter(|edge| {
        edge.found_by.as_ref().is_some_and(|by| by.rule == SearchRule::AlreadyLoaded)
            && graph.nodes.get(edge.to).is_some_and(|node| node.kind == NodeKind::Library)
    });
    let sysroot = audit.sysroot.as_deref();
    let one = |edge: &Edge| {
        let (asker, answer) = (graph.nodes.get(edge.from)?, graph.nodes.get(edge.to)?);
        let name = edge.needed.to_text().into_owned();
        let run_path = heeded(asker.loaded()?)?;
        let text = run_path.text.to_text();
        let loaded = answer.path.as_deref()?;
        if name.contains('/') {
            return None;
        }
        // Most find what they get: that takes no look into the file.
        let places =
            text.split(':').filter_map(|entry| Some((entry, directory(graph, edge.from, entry, sysroot)?.join(&name))));
        let (entry, file, real) = places
            .filter_map(|(entry, file)| std::fs::canonicalize(&file).ok().map(|real| (entry, file, real)))
            .find(|(_, file, real)| Some(real) == answer.realpath.as_ref() || is_library_for(file, arch))?;
        if Some(&real) == answer.realpath.as_ref() || same_content(&file, loaded) {
            return None;
        }
        let evidence = vec![
            format!("{} needs {name}, and its own search path ({entry}) leads to {}", asker.name, file.display()),
            match answer.requester.and_then(|first| graph.nodes.get(first)) {
                Some(first) => format!("it gets {}, which was loaded before for {}", loaded.display(), first.name),
                None => format!("it gets {}, which was loaded before", loaded.display()),
            },
        ];
        let title = format!("{} gets another {name} than it would find", asker.name);
        Some((name.clone(), finding("WW017", Severity::Warning, title, evidence, advice(audit, &name))))
    };
    answered.filter_map(one).collect()
}

/// Libraries from different places that would be bundled under one name.
fn bundled_twice(audit: &Audit) -> Vec<(String, Finding)> {
    let mut names: BTreeMap<&str, Vec<&ExternalLibrary>> = BTreeMap::new();
    for library in audit.report.external_libs.iter().flatten().filter(|library| library.realpath.is_some()) {
        let own = std::iter::once(&library.name).chain(&library.aliases).map(|name| leaf(name));
        for name in own.collect::<BTreeSet<_>>() {
            names.entry(name).or_default().push(library);
        }
    }
    let several = names.into_iter().filter(|(_, libraries)| libraries.len() > 1);
    let one = |(name, libraries): (&str, Vec<&ExternalLibrary>)| {
        let line = |library: &&ExternalLibrary| {
            let path = library.realpath.as_deref().unwrap_or(Path::new("")).display();
            let grafted = library.grafted_name.as_deref().unwrap_or("a name unknown");
            format!("{path}, needed as {}, would be bundled as {grafted}", library.name)
        };
        let title = format!("{} different files would be bundled for {name}", libraries.len());
        let evidence = libraries.iter().map(line).collect();
        (name.to_string(), finding("WW017", Severity::Warning, title, evidence, advice(audit, name)))
    };
    several.map(one).collect()
}

fn advice(audit: &Audit, name: &str) -> Vec<String> {
    vec![
        format!(
            "# let all of them need one {name}: build them against the same copy, or take the others off the search path;"
        ),
        "# for a file that is needed by its path: patchelf --replace-needed OTHER ONE FILE".to_string(),
        format!("# wheelwright tree --all {}", quoted(&audit.report.path)),
    ]
}

fn leaf(name: &str) -> &str {
    name.rsplit('/').next().unwrap_or(name)
}

/// Whether two files are copies of one library: the same build-id, or the same bytes.
fn same_content(one: &Path, other: &Path) -> bool {
    use crate::engine::binary;
    use crate::engine::file::Windows;
    let build_id = |path: &Path| {
        let binary = binary::read(&Windows::open(path).ok()?).ok()?;
        binary.slices.into_iter().next()?.elf?.build_id
    };
    match (build_id(one), build_id(other)) {
        (Some(first), Some(second)) => first == second,
        _ => {
            let size = |path: &Path| std::fs::metadata(path).ok().map(|metadata| metadata.len());
            let sizes = (size(one), size(other));
            sizes.0.is_some_and(|size| size <= COMPARED)
                && sizes.0 == sizes.1
                && std::fs::read(one).ok().is_some_and(|bytes| std::fs::read(other).ok() == Some(bytes))
        }
    }
}
