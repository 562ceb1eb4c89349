//! Why a reference stays unbound, and what there is to say of one that is bound.

use super::rules;
use super::scope::{Outcome, Reference, Scope};
use crate::engine::binary::elf::Definition;
use crate::engine::deps::{Graph, NodeKind};
use std::collections::BTreeSet;

/// How many libraries a note names.
const MOST_NAMED: usize = 3;

/// What there is to say of a reference that member `definer`, node `to` of the graph, binds.
pub(super) fn of_bound(scope: &Scope<'_>, definer: usize, reference: &Reference, to: Option<usize>) -> Option<String> {
    let name = || scope.node_of(definer).1;
    let version = reference.version.as_ref().filter(|version| scope.warns(definer, version));
    match (to, version) {
        (None, _) => Some(format!("{}, which the host has loaded, defines it", name())),
        (_, Some(_)) => Some(format!("{} defines no versions; the loader warns of it", name())),
        _ => None,
    }
}

/// Why nobody binds the reference.
pub(super) fn of_unbound(
    scope: &mut Scope<'_>,
    graph: &Graph,
    reference: &Reference,
    outcome: &Outcome,
) -> Option<String> {
    if let Outcome::Aborts(member) = outcome {
        let name = scope.node_of(*member).1;
        return Some(format!("the loader stops: a version is asked of {name}, which has no version table at all"));
    }
    let mut reasons = Vec::new();
    let asked = reference.version.as_ref().and_then(|version| version.library.as_ref());
    for member in 0..scope.len() {
        let mut definitions = scope.definitions(member, &reference.name);
        definitions.retain(|definition| !definition.is_stub);
        if !definitions.is_empty() && reasons.len() < MOST_NAMED {
            reasons.push(of_member(scope, member, &definitions, reference));
        }
    }
    let absent = |name: &_| graph.nodes.iter().any(|node| node.kind == NodeKind::Missing && node.name == *name);
    match asked {
        Some(library) if absent(library) => reasons.push(format!("{library}, which should define it, was not found")),
        Some(library) if reasons.is_empty() => reasons.push(format!("{library}, which should define it, does not")),
        None if reasons.is_empty() => {
            let missing = graph.nodes.iter().filter(|node| node.kind == NodeKind::Missing);
            let missing: Vec<_> = missing.take(MOST_NAMED).map(|node| node.name.to_text()).collect();
            if !missing.is_empty() {
                reasons.push(format!("not found, and may define it: {}", missing.join(", ")));
            }
        }
        _ => {}
    }
    (!reasons.is_empty()).then(|| reasons.join("; "))
}

/// Why what one member has does not do.
fn of_member(scope: &Scope<'_>, member: usize, definitions: &[Definition], reference: &Reference) -> String {
    let name = scope.node_of(member).1;
    if !scope.has_hash(member) {
        return format!("{name} has it, but no hash table, without which no loader finds it");
    }
    let visible: Vec<&Definition> = definitions.iter().filter(|definition| rules::is_visible(definition)).collect();
    if visible.is_empty() {
        return format!("hidden in {name}");
    }
    let versions: BTreeSet<_> = visible
        .iter()
        .filter_map(|definition| scope.version_name(member, definition))
        .map(|name| name.to_text())
        .collect();
    let versions: Vec<_> = versions.into_iter().collect();
    match (&reference.version, versions.as_slice()) {
        (_, []) => format!("{name} has it without a value that a loader takes"),
        (Some(_), _) => format!("{name} has it as {} only", versions.join(" and ")),
        (None, _) => {
            format!("{name} has it as {}, none of which an unversioned reference takes", versions.join(" and "))
        }
    }
}
