//! Which needed symbol versions the found library lacks (glibc `elf/dl-version.c`). musl looks at no version.
//!
//! A version is asked of the loaded object that answers to the name in the version record, whichever NEEDED entry brought
//! it. Usually both names are one; a tool that renames NEEDED entries only leaves a record that nobody answers, and ld.so
//! stops at an assertion.

use super::bounds::Bounds;
use super::graph::{Graph, NodeKind};
use crate::engine::binary::{Name, Slice};
use std::collections::HashSet;

const VERDEF: u64 = 0x6fff_fffc;

/// The versions that `requester` asks of `library` and `found` does not define, in the file's order. A library that
/// defines no versions at all is taken with a warning by ld.so, and a weak need is never missed.
pub(super) fn missing(requester: &Slice, library: &Name, found: &Slice, bounds: &Bounds) -> Vec<String> {
    let (Some(asking), Some(offering)) = (&requester.elf, &found.elf) else { return Vec::new() };
    if offering.tables.dynamic_value(VERDEF).is_none() {
        return Vec::new();
    }
    let needs = asking.version_needs.iter().filter(|need| need.library == *library);
    let mut versions = needs.flat_map(|need| &need.versions).filter(|version| !version.weak).peekable();
    if versions.peek().is_none() {
        return Vec::new();
    }
    // The base version, which has the library's own name, counts among the defined ones.
    let offered: HashSet<&Name> = offering.version_definitions.iter().chain(&found.soname).collect();
    let absent = versions.filter(|version| !offered.contains(&version.name));
    let texts = absent.map(|version| version.name.to_text().into_owned());
    texts.take_while(|text| bounds.may_take(size_of::<String>() + text.len())).collect()
}

/// Marks what makes ld.so stop: of each object the first version record that no loaded object answers to. All of its
/// versions are missing, on the edge whose library has the record's name for its SONAME, else on the object's first edge.
pub(super) fn mark_unanswered(graph: &mut Graph) {
    let answered: HashSet<Name> = graph.edges.iter().map(|edge| edge.needed.clone()).collect();
    let mut unanswered = Vec::new();
    for (from, node) in graph.nodes.iter().enumerate() {
        // The interpreter's own records are not checked.
        let checked = matches!(node.kind, NodeKind::Root | NodeKind::Library);
        let Some(details) = node.loaded().filter(|_| checked).and_then(|slice| slice.elf.as_ref()) else { continue };
        if let Some(need) = details.version_needs.iter().find(|need| !answered.contains(&need.library)) {
            unanswered.push((from, need.clone()));
        }
    }
    for (from, need) in unanswered {
        let soname = |to: usize| graph.nodes.get(to).and_then(|node| node.loaded()?.soname.as_ref());
        let named = graph.edges.iter().position(|edge| edge.from == from && soname(edge.to) == Some(&need.library));
        let place = named.or_else(|| graph.edges.iter().position(|edge| edge.from == from));
        let Some(edge) = place.and_then(|place| graph.edges.get_mut(place)) else { continue };
        edge.versions_missing.extend(need.versions.iter().map(|version| version.name.to_text().into_owned()));
        let note = format!("versions are asked of {}, a name that no loaded object has: ld.so stops", need.library);
        edge.note.get_or_insert(note);
    }
}
