//! WW003, a needed library that is nowhere on the search, and WW029, one that may be missing and is.

use super::shipped::requesters;
use super::{finding, quoted};
use crate::engine::binary::{Format, is_suffixed};
use crate::engine::report::audit::{
    ArtifactReport, Candidate, Finding, FoundBy, NodeRole, Rejection, SearchRule, Severity, Tree, TreeEdge, TreeNode,
};
use std::collections::BTreeMap;

/// WW003 for every library that is found nowhere, or by a linked path only. Missing grafted names of an artifact that is
/// `already_repaired` are that finding's; how to mend what is in `explained` is said by WW010.
pub(super) fn missing_libraries(
    report: &ArtifactReport,
    already_repaired: bool,
    explained: &[Finding],
) -> Vec<Finding> {
    let mut found: BTreeMap<String, Finding> = BTreeMap::new();
    for tree in report.slices.iter().filter_map(|slice| slice.tree.as_ref()) {
        for node in &tree.nodes {
            if already_repaired && is_suffixed(node.name.as_bytes()) {
                continue;
            }
            let edges: Vec<&TreeEdge> = tree.edges.iter().filter(|edge| edge.to == node.id).collect();
            let one = if node.role == NodeRole::Missing {
                absent(report, tree, node, &edges, explained)
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

fn absent(
    report: &ArtifactReport,
    tree: &Tree,
    node: &TreeNode,
    edges: &[&TreeEdge],
    explained: &[Finding],
) -> Option<Finding> {
    // A weak need may stay unmet: the file loads without it.
    let edge = edges.iter().find(|edge| !edge.weak)?;
    let in_crate = report.lens_differences.iter().flatten().find(|one| one.name == node.name);
    let found_there = in_crate.and_then(|one| one.lddtree.as_ref());
    let mut evidence = vec![needed_by(tree, node)];
    evidence.extend(searched(edge));
    if let Some(path) = found_there {
        evidence.push(format!("lddtree finds {}, which no loader will", path.display()));
    }
    let is_explained =
        explained.iter().any(|one| one.title.strip_prefix(&node.name).is_some_and(|rest| rest.starts_with(' ')));
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
    if is_explained {
        fix = vec!["# it is there, and a search path that is not inherited leads to it: WW010 says what to do".into()];
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
    let mut evidence = vec![needed_by(tree, node)];
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

fn needed_by(tree: &Tree, node: &TreeNode) -> String {
    format!("needed by {}", requesters(tree, node.id).join(", "))
}

/// WW029 for every library that is missing and that every requester can do without. What is missing of `LD_PRELOAD` and of
/// an ELF filter's auxiliaries is no need of the file.
pub(super) fn weak_libraries(report: &ArtifactReport) -> Vec<Finding> {
    let (binding, fix) = match report.format {
        Some(Format::MachO) => ("linked weakly", "# or link it without -weak-l, so that its absence shows at once"),
        Some(Format::Pe) => ("delay-loaded", "# or link it without /DELAYLOAD, so that its absence shows at once"),
        _ => return Vec::new(),
    };
    let mut found: BTreeMap<String, Finding> = BTreeMap::new();
    for tree in report.slices.iter().filter_map(|slice| slice.tree.as_ref()) {
        for node in tree.nodes.iter().filter(|node| node.role == NodeRole::Missing) {
            let edges: Vec<&TreeEdge> = tree.edges.iter().filter(|edge| edge.to == node.id).collect();
            let Some(edge) = edges.first().filter(|_| edges.iter().all(|edge| edge.weak)) else { continue };
            let mut evidence = vec![format!("{}, {binding}", needed_by(tree, node))];
            evidence.extend(searched(edge));
            let title = format!("{} is {binding} and found nowhere", node.name);
            let fix = vec![
                format!(
                    "# {} loads, and fails when it calls into {}; if that is meant, nothing is to be mended",
                    report.name, node.name
                ),
                format!("# else let it be bundled: wheelwright audit --ld-path DIRECTORY {}", quoted(&report.path)),
                fix.to_string(),
            ];
            let one = finding("WW029", Severity::Warning, title, evidence, fix);
            found.entry(node.name.clone()).or_insert(one);
        }
    }
    found.into_values().collect()
}

/// Where the library was sought, in the loader's order.
fn searched(edge: &TreeEdge) -> Vec<String> {
    if edge.candidates.is_empty() && edge.found_by.is_none() {
        // Where a load tries very many files, the later ones are counted and not listed.
        let said = edge.gave_up.clone().or_else(|| edge.note.clone());
        let nowhere = || "there was nowhere to look: no search path and no default directory".to_string();
        return vec![said.unwrap_or_else(nowhere)];
    }
    let line = |(number, candidate): (usize, &Candidate)| format!("sought {}: {}", number + 1, sought(candidate));
    edge.candidates.iter().enumerate().map(line).collect()
}

/// One place that was tried: `RUNPATH /opt/lib: /opt/lib/liba.so: no such file`.
pub(super) fn sought(candidate: &Candidate) -> String {
    let entry = candidate.entry.as_ref().map(|entry| format!(" {entry}")).unwrap_or_default();
    let path = candidate.path.display();
    let owner = candidate.owner.as_ref().map(|owner| format!(" of {owner}")).unwrap_or_default();
    format!("{}{owner}{entry}: {path}: {}", rule(candidate.rule), rejection(candidate.rejected))
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
