//! What is asked of a comparison besides its two files.

use super::explain::Logged;
use crate::engine::report::diff::AlignedBy;

/// Options of a comparison; those by default compare from the first byte on.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Question {
    /// Where the user looks, as an offset in the first file: from there on is compared first, then what lies before. Of more
    /// runs than are listed, those are listed that are found first.
    pub from: u64,
    /// By what the bytes are set against each other; chosen by what the files are when it is not said.
    pub alignment: Option<AlignedBy>,
    /// The edits that were logged between the two files; `None` when none are known.
    pub edits: Option<Vec<Logged>>,
}
