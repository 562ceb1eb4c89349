//! What there is to say of an answer beside what found it: that it comes from the order of loading, or stands in for others.
//!
//! A name that was loaded before is taken without a search. Whether the requester's own search would have found it is known
//! from the same search made for another, or is tried now; nothing of that is recorded as a candidate.

use super::graph::Node;
use super::search::{Found, Group};
use crate::engine::binary::Name;
use crate::engine::binary::elf::FilterKind;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What a search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Own {
    /// Device and inode.
    pub(super) inode: (u64, u64),
    /// The path.
    pub(super) path: PathBuf,
}

/// What the searches of one load have come to. Lists are known by their address, since each is made once and kept; places
/// that were made for one search only are those of the name itself.
#[derive(Debug, Default)]
pub(super) struct OwnSearches {
    known: HashMap<(Vec<usize>, Name), Option<Own>>,
}

impl OwnSearches {
    /// What the search of `places` for `name` found, if it was made.
    pub(super) fn known(&self, name: &Name, places: &[Group]) -> Option<Option<Own>> {
        self.known.get(&(addresses(places), name.clone())).cloned()
    }

    /// Keeps what it found.
    pub(super) fn remember(&mut self, name: &Name, places: &[Group], found: Option<&Found>) -> Option<Own> {
        let own = found.map(|found| Own { inode: found.object.inode, path: found.path.clone() });
        self.known.insert((addresses(places), name.clone()), own.clone());
        own
    }
}

/// The lists among `places`. Those with nothing but the name to go by (the cache, a path) are the same for each requester.
fn addresses(places: &[Group]) -> Vec<usize> {
    places.iter().filter(|group| Arc::strong_count(group) > 1).map(|group| group.as_ptr().addr()).collect()
}

/// Why node `to` answers to `name` although the requester's own search comes to `own`.
pub(super) fn by_order(name: &Name, nodes: &[Node], to: usize, own: Option<&Path>) -> String {
    let requester = nodes.get(to).and_then(|node| nodes.get(node.requester?));
    let loaded = match requester {
        Some(requester) => format!("{name} was loaded before, for {}", requester.name),
        None => format!("{name} is in the process from the beginning"),
    };
    match own {
        Some(path) => {
            format!("works only by load order: {loaded}; the search of this object would find {}", path.display())
        }
        None => format!("works only by load order: {loaded}; the search of this object would not find it"),
    }
}

/// What is not said of a search, because this load has tried so many files.
pub(super) fn unrecorded(count: usize) -> Option<String> {
    (count > 0).then(|| format!("{count} more files were tried than are listed"))
}

/// What an object that stands in for `of` is to it.
pub(super) fn filter(kind: FilterKind, of: Option<&Node>) -> String {
    let of = of.map(|node| node.name.to_text()).unwrap_or_default();
    match kind {
        FilterKind::Filter => format!("DT_FILTER: its symbols are taken for those of {of}"),
        FilterKind::Auxiliary => {
            format!("DT_AUXILIARY: its symbols come before those of {of}; nothing is said if it is missing")
        }
    }
}
