//! The one interface that all editors of binaries stand behind: first a plan as data, then its application.

use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};
use std::path::Path;

/// One thing that a file shall have afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditRequest {
    /// Its SONAME is this.
    SetSoname(Name),
    /// Its search path is this `DT_RPATH`, and there is no `DT_RUNPATH`.
    SetRpath(Name),
    /// It has neither `DT_RPATH` nor `DT_RUNPATH`.
    RemoveRunPaths,
    /// Wherever it needs the first name it needs the second (NEEDED and `.gnu.version_r`).
    ReplaceNeeded {
        /// The name that it has.
        from: Name,
        /// The name that it shall have.
        to: Name,
    },
}

/// Bytes to be written at an offset of the edited file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Where, in bytes from the file's start; may lie behind its end.
    pub offset: u64,
    /// What.
    pub bytes: Vec<u8>,
    /// What it is, in words: "NEEDED 1: libgreet.so.1 → libgreet-47542e49.so.1".
    pub meaning: String,
}

/// What an editor will do to one file, worked out beforehand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditPlan {
    /// The requests that change something; one whose value is already there is left out. Empty: nothing to do.
    pub requests: Vec<EditRequest>,
    /// The writes; empty when the editor can't say (patchelf) or there is nothing to do.
    pub patches: Vec<Patch>,
    /// The file's size before, in bytes: the plan is for this file only.
    pub size_before: u64,
    /// The file's size after; `None` when the editor can't say.
    pub size_after: Option<u64>,
    /// The way in which room is made, and what it costs the file: "in place", "layout unknown".
    pub layout: String,
    /// The most bytes that applying reads.
    pub reads: u64,
    /// The most bytes that applying writes.
    pub writes: u64,
}

impl EditPlan {
    /// Whether applying it changes anything.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.requests.is_empty()
    }
}

/// Why an edit can't be made. Nothing was changed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}; {way_out}")]
pub struct EditRefusal {
    /// Why not.
    pub reason: String,
    /// What the user can do instead.
    pub way_out: String,
    /// Bytes that the edit needs, where room is what is missing.
    pub need: Option<u64>,
    /// Bytes that there are.
    pub room: Option<u64>,
}

/// An editor of one format.
pub trait Editor: Send + Sync {
    /// Its name on the command line.
    fn name(&self) -> &'static str;

    /// Works out how to fulfil `requests` on the file behind `source`. Reads headers and tables only; changes nothing.
    ///
    /// # Errors
    /// [`crate::engine::Error`] when the file can't be read. A file that can't be edited so is the inner [`EditRefusal`].
    fn plan(&self, source: &dyn ReadAt, requests: &[EditRequest]) -> Result<Result<EditPlan, EditRefusal>>;

    /// Carries `plan` out on the file `path`, which nobody else has a name of, and reads the result again.
    ///
    /// # Errors
    /// When the file is not the planned one, the system refuses, or the result is not what the plan says.
    fn apply(&self, path: &Path, plan: &EditPlan, context: &Context) -> Result<()>;
}
