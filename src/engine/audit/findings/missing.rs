//! WW003: a needed library that is nowhere on the search.

use super::{finding, quoted};
use crate::engine::binary::is_suffixed;
use crate::engine::report::audit::{
    ArtifactReport, Candidate, Finding, FoundBy, NodeRole, Rejection, SearchRule, Severity, Tree, TreeEdge, TreeNode,
};
use std::collections::BTreeMap;

/// WW003 for every library that is found nowhere, or by a linked path only. Missing grafted names of an artifact that is
/// `already_repaired` are that finding's.
pub(super) fn missing_libraries(report: &ArtifactReport, already_repaired: bool) -> Vec<Finding> {
    let mut found: BTreeMap<String, Finding> = BTreeMap::new();
    for tree in report.slices.iter().filter_map(|slice| slice.tree.as_ref()) {
        for node in &tree.nodes {
            if already_repaired && is_suffixed(node.name.as_bytes()) {
                continue;
            }
            let edges: Vec<&TreeEdge> = tree.edges.iter().filter(|edge| edge.to == node.id).collect();
            let one = if node.role == NodeRole::Missing {
                absent(report, tree, node, &edges)
            } else {
                linked(report, tree, node, &edges)
            };
            if let Some(one) = one {
                found.entry(node.name.clone()).or_insert(one);
            }
        }
    }
    found.into_values().collect()
}

fn absent(report: &ArtifactReport, tree: &Tree, node: &TreeNode, edges: &[&TreeEdge]) -> Option<Finding> {
    // A weak need may stay unmet: the file loads without it.
    let edge = edges.iter().find(|edge| !edge.weak)?;
    let in_crate = report.lens_differences.iter().flatten().find(|one| one.name == node.name);
    let found_there = in_crate.and_then(|one| one.lddtree.as_ref());
    let mut evidence = vec![requesters(tree, edges)];
    evidence.extend(searched(edge));
    if let Some(path) = found_there {
        evidence.push(format!("lddtree finds {}, which no loader will", path.display()));
    }
    let mut fix = vec![
        format!("# install {}, or say where it lies:", node.name),
        format!("# wheelwright audit --ld-path DIRECTORY {}", quoted(&report.path)),
    ];
    if report.linked_paths.source.is_none() {
        fix.push(
            "# if a build script links it, build with `wheelwright build`, which keeps the script's linked paths"
                .into(),
        );
    }
    let severity = if found_there.is_some() { Severity::Note } else { Severity::Error };
    let title = match found_there {
        Some(_) => format!("{} is on no loader's search", node.name),
        None => format!("{} is found nowhere", node.name),
    };
    Some(finding("WW003", severity, title, evidence, fix))
}

/// A library that every requester finds by a linked path.
fn linked(report: &ArtifactReport, tree: &Tree, node: &TreeNode, edges: &[&TreeEdge]) -> Option<Finding> {
    let is_linked = |found: &FoundBy| found.rule == SearchRule::LinkedPath;
    let edge = edges.iter().find(|edge| edge.found_by.as_ref().is_some_and(is_linked))?;
    let mut evidence = vec![requesters(tree, edges)];
    evidence.extend(searched(edge));
    evidence.extend(node.path.as_ref().map(|path| format!("found in a linked path: {}", path.display())));
    let bundled = report.external_libs.iter().flatten();
    let will_be = bundled.clone().any(|library| library.name == node.name || library.aliases.contains(&node.name));
    let fix = if will_be {
        "# nothing to mend: a repair bundles it"
    } else {
        "# let it be bundled, or install it where a loader looks"
    };
    let title = format!("{} is found on the build machine only", node.name);
    Some(finding("WW003", Severity::Note, title, evidence, vec![fix.to_string()]))
}

fn requesters(tree: &Tree, edges: &[&TreeEdge]) -> String {
    let mut names: Vec<&str> =
        edges.iter().filter_map(|edge| tree.nodes.get(edge.from)).map(|node| node.name.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    format!("needed by {}", names.join(", "))
}

/// Where the library was sought, in the loader's order.
fn searched(edge: &TreeEdge) -> Vec<String> {
    if edge.candidates.is_empty() && edge.found_by.is_none() {
        // Where a load tries very many files, the later ones are counted and not listed.
        let said = edge.gave_up.clone().or_else(|| edge.note.clone());
        let nowhere = || "there was nowhere to look: no search path and no default directory".to_string();
        return vec![said.unwrap_or_else(nowhere)];
    }
    let line = |(number, candidate): (usize, &Candidate)| {
        let entry = candidate.entry.as_ref().map(|entry| format!(" {entry}")).unwrap_or_default();
        let path = candidate.path.display();
        format!("sought {}: {}{entry}: {path}: {}", number + 1, rule(candidate.rule), rejection(candidate.rejected))
    };
    edge.candidates.iter().enumerate().map(line).collect()
}

fn rule(rule: SearchRule) -> &'static str {
    match rule {
        SearchRule::AlreadyLoaded => "already loaded",
        SearchRule::Absolute => "absolute path",
        SearchRule::Relative => "relative path",
        SearchRule::LdPreload => "LD_PRELOAD",
        SearchRule::Rpath => "RPATH",
        SearchRule::MainRpath => "RPATH of the program",
        SearchRule::LdLibraryPath => "LD_LIBRARY_PATH",
        SearchRule::Runpath => "RUNPATH",
        SearchRule::LdSoCache => "ld.so.cache",
        SearchRule::LdSoConf => "ld.so.conf",
        SearchRule::MuslPath => "musl's path file",
        SearchRule::Default => "default directory",
        SearchRule::LoaderPath => "@loader_path",
        SearchRule::ExecutablePath => "@executable_path",
        SearchRule::DllDir => "DLL directory",
        SearchRule::LdPath => "--ld-path",
        SearchRule::LinkedPath => "linked path (build machine only)",
    }
}

fn rejection(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::Missing => "no such file",
        Rejection::WrongArch => "for another machine",
        Rejection::WrongClass => "of the other word size",
        Rejection::WrongEndian => "of the other byte order",
        Rejection::WrongAbi => "for another ABI",
        Rejection::Unreadable => "can't be read",
        Rejection::NotALibrary => "no library",
    }
}
