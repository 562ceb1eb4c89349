//! A load that the loader is in the middle of: one opening, or the program's own start.

use std::collections::BTreeSet;

/// A load that is not complete: that of the program, or of what was opened.
#[derive(Debug, Clone, Default)]
pub(super) struct Frame {
    /// What was opened, by its number; `None` for the program itself.
    pub(super) root: Option<usize>,
    /// The objects that were mapped for it: only they ask for more in it.
    pub(super) mapped: BTreeSet<Vec<u8>>,
    /// All is mapped, and constructors run: the load can't fail any more, and they may open more.
    pub(super) has_begun: bool,
    /// The last request of this frame.
    pub(super) last: Option<usize>,
    /// The loader's error.
    pub(super) error: Option<String>,
}
