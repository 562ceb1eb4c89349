//! What a remedy changes, in words: one plan of the bundle set against another.

use super::Case;
use crate::engine::project::ArtifactId;
use crate::engine::repair::{EditRequest, Graft, Repair, describe_request};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

/// What `repairs` do that the plain ones don't, an item each.
pub(super) fn between(case: &Case<'_>, repairs: &[(ArtifactId, Repair)]) -> Vec<String> {
    let mut changes = Vec::new();
    for (id, repair) in repairs {
        let Some((_, name, plain)) = case.plain.iter().find(|(other, _, _)| other == id) else { continue };
        let before = requests(plain.artifact_edit.iter().flat_map(|plan| &plan.requests));
        let after = requests(repair.artifact_edit.iter().flat_map(|plan| &plan.requests));
        changes.extend(after.difference(&before).map(|request| format!("{name}: {request}")));
        // A need whose name the file has already is no edit any more.
        changes.extend(before.difference(&after).map(|request| format!("{name}: not any more {request}")));
    }
    let (before, after) =
        (grafts(case.plain.iter().map(|(_, _, repair)| repair)), grafts(repairs.iter().map(|(_, one)| one)));
    let libs = &case.artifact.names.libs_dir;
    for (realpath, graft) in &after {
        let place = format!("{libs}/{}", graft.name);
        match before.get(realpath) {
            None => changes.push(format!("{place}: grafted from {}", realpath.display())),
            Some(old) if old.name != graft.name => {
                changes.push(format!("{place}: under this name instead of {}", old.name))
            }
            Some(_) => {}
        }
        let old = before.get(realpath).map(|graft| requests(graft.edit.requests.iter())).unwrap_or_default();
        let new = requests(graft.edit.requests.iter());
        changes.extend(new.difference(&old).map(|request| format!("{place}: {request}")));
        // What it keeps: the SONAME that a graft loses otherwise.
        changes.extend(old.difference(&new).map(|request| format!("{place}: not any more {request}")));
    }
    changes
}

/// The graft of the library that the case is about.
pub(super) fn graft_of<'a>(case: &Case<'_>, repairs: &'a [(ArtifactId, Repair)]) -> Option<&'a Graft> {
    repairs.iter().flat_map(|(_, repair)| &repair.grafts).find(|graft| graft.realpath == case.library)
}

fn requests<'a>(requests: impl Iterator<Item = &'a EditRequest>) -> BTreeSet<String> {
    requests.map(describe_request).collect()
}

fn grafts<'a>(repairs: impl Iterator<Item = &'a Repair>) -> BTreeMap<&'a Path, &'a Graft> {
    repairs.flat_map(|repair| &repair.grafts).map(|graft| (graft.realpath.as_path(), graft)).collect()
}
