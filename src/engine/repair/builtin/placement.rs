//! Where everything of an edit goes: into the file as it is, into the RELRO padding, into a segment.

use super::changes::Entry;
use super::layout::{Content, Layout, Piece};
use super::padding::Padding;
use crate::engine::repair::Insertion;
use crate::engine::report::fit::Strategy;

/// Where everything goes.
#[derive(Debug, Clone)]
pub(super) struct Placement {
    /// The way.
    pub strategy: Strategy,
    /// The dynamic entries, without those that were given up.
    pub entries: Vec<Valued>,
    /// Why the entries that were given up could be.
    pub given_up: Vec<String>,
    /// What is inserted first.
    pub insertion: Option<Insertion>,
    /// What goes into the RELRO padding.
    pub padding: Option<Filled>,
    /// What goes into a new or grown segment.
    pub segment: Option<Layout>,
}

/// A dynamic entry with its tag and value.
pub(super) type Valued = (u64, u64, Entry);

/// The RELRO padding with what goes into it.
#[derive(Debug, Clone)]
pub(super) struct Filled {
    /// The padding.
    pub padding: Padding,
    /// What goes into it, in the order of their places.
    pub pieces: Vec<Piece>,
    /// Bytes of it that are taken.
    pub taken: u64,
}

impl Placement {
    /// The new place of `content`, if it moves.
    pub fn piece(&self, content: Content) -> Option<&Piece> {
        let filled = self.padding.iter().flat_map(|filled| &filled.pieces);
        let segment = self.segment.iter().flat_map(|layout| &layout.pieces);
        filled.chain(segment).find(|piece| piece.content == content)
    }
}
