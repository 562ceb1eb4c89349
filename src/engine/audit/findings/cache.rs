//! WW001, patched bytes in cargo's cache, and WW002, paths that share the artifact's inode.

use super::{finding, quoted};
use crate::engine::binary::is_suffixed;
use crate::engine::report::audit::{ArtifactReport, Finding, NodeRole, RelatedFile, Severity, StagingReport};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// Whether a search path entry leads into a wheel's directory of grafted libraries.
fn is_bundle_path(literal: &str) -> bool {
    let relative =
        literal.starts_with("$ORIGIN") || literal.starts_with("${ORIGIN}") || literal.starts_with("@loader_path");
    let last = literal.trim_end_matches('/').rsplit('/').next().unwrap_or_default();
    relative && (last.ends_with(".libs") || last.ends_with(".dylibs"))
}

/// WW001: the artifact was repaired already. Of a file that cargo did not make this is no fault as long as its libraries
/// are found, as in an installed wheel.
pub(super) fn already_repaired(report: &ArtifactReport, staging: &StagingReport) -> Option<Finding> {
    let mut evidence = Vec::new();
    let (mut suffixed, mut unresolved, mut bundle_path) = (false, false, false);
    for slice in &report.slices {
        for name in slice.needed.iter().filter(|name| is_suffixed(name.as_bytes())) {
            let is_missing = slice
                .tree
                .as_ref()
                .is_some_and(|tree| tree.nodes.iter().any(|node| node.name == *name && node.role == NodeRole::Missing));
            suffixed = true;
            unresolved |= is_missing;
            let state = if is_missing { "which is found nowhere" } else { "a name that only a repair gives" };
            evidence.push(format!("{} needs {name}, {state}", report.path.display()));
        }
        for entry in slice.rpath.entries.iter().filter(|entry| is_bundle_path(&entry.literal)) {
            bundle_path = true;
            unresolved |= entry.exists == Some(false);
            evidence.push(format!("{} has the search path {}", report.path.display(), entry.literal));
        }
    }
    let from_cargo = staging.cargo_output.is_some();
    if !from_cargo && !unresolved {
        return None;
    }
    // What maturin keeps of its own is meant to be patched; it is evidence only of what cargo keeps.
    let in_cache = |file: &&RelatedFile| file.repaired && file.role != "maturin_staged";
    let patched: Vec<&RelatedFile> = staging.related.iter().filter(in_cache).collect();
    evidence.extend(patched.iter().map(|file| format!("{} holds repaired bytes ({})", file.path.display(), file.role)));
    // A suffix alone may be a date or a version, if the library is found; a search path alone may be the linker's.
    if patched.is_empty() && !(suffixed && (unresolved || bundle_path)) {
        return None;
    }
    evidence.extend(staging.related.iter().map(inode_line));
    if let Some(own) = own_line(report, staging) {
        evidence.push(own);
    }
    if from_cargo && report.size.is_none() {
        evidence.push(format!("{} is gone, and cargo believes it fresh", report.path.display()));
    }
    let (title, fix) = if from_cargo {
        ("already repaired: patched bytes are in cargo's cache", rebuild(report, staging))
    } else {
        (
            "already repaired, and its libraries are not beside it",
            vec![
                "# take the file from before the repair, or put the wheel's directory of libraries back beside it"
                    .to_string(),
            ],
        )
    };
    Some(finding("WW001", Severity::Error, title.to_string(), evidence, fix))
}

/// Cargo knows a missing output in `deps/` and makes it anew; a missing one in the profile directory it only links again,
/// patched bytes and all.
pub(super) fn rebuild(report: &ArtifactReport, staging: &StagingReport) -> Vec<String> {
    let mut paths: BTreeSet<&Path> = BTreeSet::from([report.path.as_path()]);
    paths.extend(staging.cargo_output.as_deref());
    paths.extend(staging.related.iter().map(|file| file.path.as_path()));
    paths.extend(staging.aliases.iter().map(std::path::PathBuf::as_path));
    // A file that we hold in staging may be the only one with clean bytes.
    if let Some(staged) = &staging.staged {
        paths.remove(staged.as_path());
    }
    let words: Vec<String> = paths.into_iter().map(quoted).collect();
    vec![
        "# without its files cargo makes the artifact anew in the next build".to_string(),
        format!("rm -f {}", words.join(" ")),
    ]
}

/// WW002: an edit in place would reach other paths. Also without the cargo output, when what is left shares an inode.
pub(super) fn shared_inode(report: &ArtifactReport, staging: &StagingReport) -> Option<Finding> {
    staging.cargo_output.as_ref()?;
    let mut groups: BTreeMap<(u64, u64), (u64, BTreeSet<&Path>)> = BTreeMap::new();
    for file in &staging.related {
        groups.entry((file.device, file.inode)).or_insert((file.links, BTreeSet::new())).1.insert(&file.path);
    }
    if let (Some(device), Some(inode), Some(links)) = (staging.device, staging.inode, staging.links) {
        let group = groups.entry((device, inode)).or_insert((links, BTreeSet::new()));
        let own = staging.staged.as_deref().unwrap_or(&report.path);
        group.1.extend(staging.aliases.iter().map(std::path::PathBuf::as_path).chain([own]));
    }
    let mut evidence = Vec::new();
    for ((device, inode), (links, paths)) in groups {
        if paths.len() < 2 && links < 2 {
            continue;
        }
        evidence.extend(paths.iter().map(|path| line(path, device, inode, links)));
        let elsewhere = links.saturating_sub(paths.len() as u64);
        if elsewhere > 0 {
            evidence.push(format!("{elsewhere} more names of inode {inode} elsewhere"));
        }
    }
    if evidence.is_empty() {
        return None;
    }
    let fix = vec!["# nothing to mend here: wheelwright edits a copy and gives cargo its own inode back".to_string()];
    Some(finding("WW002", Severity::Note, "an edit in place would reach other paths".to_string(), evidence, fix))
}

fn line(path: &Path, device: u64, inode: u64, links: u64) -> String {
    format!("{}: device {device}, inode {inode}, links {links}", path.display())
}

fn inode_line(file: &RelatedFile) -> String {
    line(&file.path, file.device, file.inode, file.links)
}

fn own_line(report: &ArtifactReport, staging: &StagingReport) -> Option<String> {
    let path = staging.staged.as_deref().unwrap_or(&report.path);
    Some(line(path, staging.device?, staging.inode?, staging.links?))
}
