//! What is wrong with the file that a search came to: WW015, it lacks a symbol version that is needed; WW016, before it, or
//! instead of it, stood a file for another machine.

use super::super::Audit;
use super::missing::sought;
use super::shipped::is_of_system;
use super::{finding, quoted};
use crate::engine::binary::{Format, RunPathTag};
use crate::engine::deps::{Graph, Libc, guess_libc};
use crate::engine::report::audit::{
    Candidate, Finding, Rejection, SearchRule, Severity, StagingReport, Tree, TreeEdge,
};
use crate::engine::report::words;
use std::collections::BTreeMap;
use std::path::Path;

/// WW015 for every library that lacks a version which some object needs of it. musl compares no versions when it loads.
pub(super) fn missing_versions(audit: &Audit) -> Vec<Finding> {
    if audit.binary.as_ref().is_some_and(|binary| guess_libc(binary) == Libc::Musl) {
        return Vec::new();
    }
    let mut found = BTreeMap::new();
    for tree in audit.report.slices.iter().filter_map(|slice| slice.tree.as_ref()) {
        let mut lacking: BTreeMap<usize, Vec<&TreeEdge>> = BTreeMap::new();
        for edge in tree.edges.iter().filter(|edge| !edge.versions_missing.is_empty()) {
            lacking.entry(edge.to).or_default().push(edge);
        }
        for (id, edges) in lacking {
            let Some(node) = tree.nodes.get(id) else { continue };
            found.entry(node.name.clone()).or_insert_with(|| version_of(audit, tree, id, &edges));
        }
    }
    found.into_values().flatten().collect()
}

fn version_of(audit: &Audit, tree: &Tree, id: usize, edges: &[&TreeEdge]) -> Option<Finding> {
    let node = tree.nodes.get(id)?;
    let path = node.path.as_deref()?;
    let mut versions: Vec<&str> = edges.iter().flat_map(|edge| &edge.versions_missing).map(String::as_str).collect();
    versions.sort_unstable();
    versions.dedup();
    let mut evidence = Vec::new();
    for edge in edges {
        let asker = tree.nodes.get(edge.from)?;
        let file = asker.path.as_deref().unwrap_or(&audit.report.path).display();
        evidence.push(format!("{file} needs {} of {}", edge.versions_missing.join(", "), edge.needed));
        let by = edge.found_by.as_ref().map(words::found_by).unwrap_or_default();
        evidence.push(format!("{} is answered by {} ({by})", edge.needed, path.display()));
    }
    let offered = audit.graph.as_ref().and_then(|graph| graph.nodes.get(id)?.loaded()?.elf.as_ref());
    if let Some(details) = offered {
        let names: Vec<String> = details.version_definitions.iter().map(|name| name.to_text().into_owned()).collect();
        // libc has some forty; the newest tell how old it is.
        let last = names.get(names.len().saturating_sub(8)..).unwrap_or_default();
        let more = if last.len() < names.len() { "..., " } else { "" };
        evidence.push(format!("{} has {more}{}", path.display(), last.join(", ")));
    }
    evidence.dedup();
    let mut fix = if versions.iter().all(|version| version.starts_with("GLIBC_")) {
        vec![
            "# the C library here is older than the one that the file was linked with: run it on a newer system,"
                .into(),
            "# or build on a machine as old as the oldest that is to load it".into(),
        ]
    } else {
        vec![
            format!(
                "# install a {} that has {}, or let it be found before {}:",
                node.name,
                versions.join(", "),
                path.display()
            ),
            format!("# LD_LIBRARY_PATH=DIRECTORY wheelwright audit {}", quoted(&audit.report.path)),
            "# or link against the library that is found here".into(),
        ]
    };
    fix.push(format!("# wheelwright tree --all {}", quoted(&audit.report.path)));
    let title = format!("{} lacks {}", node.name, versions.join(", "));
    Some(finding("WW015", Severity::Error, title, evidence, fix))
}

/// WW016 for every library for which the search met a file of another machine or class.
pub(super) fn wrong_files(audit: &Audit, staging: &StagingReport) -> Vec<Finding> {
    let mut found: BTreeMap<String, Finding> = BTreeMap::new();
    for tree in audit.report.slices.iter().filter_map(|slice| slice.tree.as_ref()) {
        for edge in &tree.edges {
            let refused: Vec<&Candidate> = edge.candidates.iter().filter(|one| is_other(one.rejected)).collect();
            if !refused.is_empty() {
                let one = || wrong_file(audit, staging, tree, edge, &refused);
                found.entry(edge.needed.clone()).or_insert_with(one);
            }
        }
    }
    found.into_values().collect()
}

/// Whether the file is a library, for something else than this process.
fn is_other(rejection: Rejection) -> bool {
    matches!(rejection, Rejection::WrongArch | Rejection::WrongClass | Rejection::WrongEndian | Rejection::WrongAbi)
}

fn wrong_file(audit: &Audit, staging: &StagingReport, tree: &Tree, edge: &TreeEdge, refused: &[&Candidate]) -> Finding {
    let asker = tree.nodes.get(edge.from).map(|node| node.name.as_str()).unwrap_or_default();
    let mut evidence = vec![format!("{} is needed by {asker}", edge.needed)];
    evidence.extend(refused.iter().map(|candidate| sought(candidate)));
    let answer = tree.nodes.get(edge.to).and_then(|node| node.path.as_deref());
    evidence.push(match (answer, &edge.gave_up) {
        (Some(path), _) => {
            let by = edge.found_by.as_ref().map(words::found_by).unwrap_or_default();
            format!("the loader goes on and takes {} ({by})", path.display())
        }
        (None, Some(message)) => format!("the loader gives up: {message}"),
        (None, None) => "the loader goes on and finds no other".to_string(),
    });
    let mut fix = Vec::new();
    for candidate in refused {
        fix.extend(way_around(audit, staging, tree, candidate));
    }
    fix.dedup();
    let title = match refused {
        [one] => format!("{}: the file that is found first is {}", edge.needed, kind(one.rejected)),
        more => format!("{}: {} files that are found first are for another machine", edge.needed, more.len()),
    };
    finding("WW016", Severity::Warning, title, evidence, fix)
}

fn kind(rejection: Rejection) -> &'static str {
    match rejection {
        Rejection::WrongClass => "of the other word size",
        Rejection::WrongEndian => "of the other byte order",
        Rejection::WrongAbi => "for another ABI",
        _ => "for another machine",
    }
}

/// How to keep the loader from `candidate`.
fn way_around(audit: &Audit, staging: &StagingReport, tree: &Tree, candidate: &Candidate) -> Vec<String> {
    let directory = candidate.path.parent().unwrap_or(Path::new("/"));
    let entry = candidate.entry.as_deref();
    match candidate.rule {
        SearchRule::LdLibraryPath => {
            vec![format!(
                "# leave {} out of LD_LIBRARY_PATH, or put the right directory before it",
                directory.display()
            )]
        }
        SearchRule::Rpath | SearchRule::Runpath => {
            let owner = candidate.owner.as_deref().unwrap_or_default();
            let sentence =
                format!("# leave the entry {} out of the search path of {owner}:", entry.unwrap_or_default());
            let line = entry.and_then(|entry| without_entry(audit, staging, tree, owner, entry));
            vec![sentence, line.unwrap_or_else(|| "# it is a -rpath of the linker's command line".to_string())]
        }
        _ => vec![format!("# take {} away, or let a right one be found before it", candidate.path.display())],
    }
}

/// The line that takes `entry` out of the run path of the object called `owner`; `None` where others are found by it or
/// the file is not to be edited.
fn without_entry(audit: &Audit, staging: &StagingReport, tree: &Tree, owner: &str, entry: &str) -> Option<String> {
    let serves = |edge: &&TreeEdge| {
        let by = edge.found_by.as_ref();
        by.is_some_and(|by| by.entry.as_deref() == Some(entry) && by.owner.as_deref() == Some(owner))
    };
    if audit.report.format != Some(Format::Elf) || tree.edges.iter().any(|edge| serves(&edge)) {
        return None;
    }
    let node = tree.nodes.iter().find(|node| node.name == owner)?;
    let path = node.path.as_deref()?;
    let edited_here = if node.id == 0 { staging.cargo_output.is_none() } else { !is_of_system(path) };
    edited_here.then(|| set_run_path(audit.graph.as_ref()?, node.id, path, |kept| *kept != entry)).flatten()
}

/// The line that leaves those entries of the run path of node `id` that `keep` says.
pub(super) fn set_run_path(graph: &Graph, id: usize, path: &Path, keep: impl Fn(&&str) -> bool) -> Option<String> {
    let run_path = super::super::search_path::heeded(graph.nodes.get(id)?.loaded()?)?;
    let text = run_path.text.to_text();
    let kept: Vec<&str> = text.split(':').filter(keep).collect();
    if kept.is_empty() {
        return Some(format!("patchelf --remove-rpath {}", quoted(path)));
    }
    let force = if run_path.tag == RunPathTag::Rpath { "--force-rpath " } else { "" };
    Some(format!("patchelf {force}--set-rpath {} {}", quoted(Path::new(&kept.join(":"))), quoted(path)))
}
