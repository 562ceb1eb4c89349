//! The one interface that all editors of binaries stand behind: first a plan as data, then its application.

use super::rewrite::{Write, check_size, open_planned};
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::report::fit::Fit;
use crate::engine::{Context, Result};
use std::path::Path;

/// One thing that a file shall have afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EditRequest {
    /// Its SONAME is this.
    SetSoname(Name),
    /// Its search path is this `DT_RPATH`, and there is no `DT_RUNPATH`.
    SetRpath(Name),
    /// Its search path is this `DT_RUNPATH`, and there is no `DT_RPATH`.
    SetRunpath(Name),
    /// Its search path ends with these entries too, under the tag that it has; `DT_RUNPATH` if it has none.
    AppendRunPath(Name),
    /// It has neither `DT_RPATH` nor `DT_RUNPATH`.
    RemoveRunPaths,
    /// Wherever it needs the first name it needs the second (NEEDED and `.gnu.version_r`).
    ReplaceNeeded {
        /// The name that it has.
        from: Name,
        /// The name that it shall have.
        to: Name,
    },
    /// It needs this, before all others if it did not yet.
    AddNeeded(Name),
    /// It does not need this, neither by NEEDED nor by symbol versions; symbols of such a version are looked for without one.
    RemoveNeeded(Name),
    /// Its interpreter is this.
    SetInterpreter(Name),
    /// Whether it asks for an executable stack.
    SetExecStack(ExecStack),
    /// The loader's default directories are not searched for what it needs (`DF_1_NODEFLIB`).
    NoDefaultLib,
    /// It has a `DT_DEBUG`, by which debuggers find the list of loaded libraries.
    AddDebugEntry,
    /// Its `EI_OSABI` is this.
    SetOsAbi(u8),
    /// The undefined symbols of this name are looked for without a version.
    ClearSymbolVersion(Name),
}

/// Whether a file asks for an executable stack (`PT_GNU_STACK`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExecStack {
    /// It does.
    Asked,
    /// It does not.
    NotAsked,
}

/// Zeros that come to stand in a file before anything is written; what stood there moves up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Insertion {
    /// Where, in bytes from the file's start.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// Bytes to be written at an offset of the edited file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Patch {
    /// Where, in bytes from the file's start after the plan's insertion; may lie behind its end.
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
    /// What is inserted first, if anything.
    pub insertion: Option<Insertion>,
    /// The writes, by offset, none on another; empty when the editor can't say (patchelf) or there is nothing to do.
    pub patches: Vec<Patch>,
    /// The file's size before, in bytes: the plan is for this file only.
    pub size_before: u64,
    /// The file's size after; `None` when the editor can't say.
    pub size_after: Option<u64>,
    /// The way in which room is made, and what it costs the file: "in place", "layout unknown".
    pub layout: String,
    /// Room, ways and layouts; `None` when the editor can't say or there is nothing to do.
    pub fit: Option<Fit>,
    /// The most bytes that applying reads, without `shifted`.
    pub reads: u64,
    /// The most bytes that applying writes, without `shifted`.
    pub writes: u64,
    /// The bytes behind the insertion, which are read and written once more where the filesystem can't insert; else 0.
    pub shifted: u64,
}

impl EditPlan {
    /// The plan for a file of `size` bytes that has everything already.
    #[must_use]
    pub fn nothing(size: u64) -> Self {
        Self {
            requests: Vec::new(),
            insertion: None,
            patches: Vec::new(),
            size_before: size,
            size_after: Some(size),
            layout: "nothing to change".to_owned(),
            fit: None,
            reads: 0,
            writes: 0,
            shifted: 0,
        }
    }

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

    /// Carries `plan` out as [`Editor::apply`] does, but has its insertion and its patches written by `write`. An editor
    /// whose plans hold no patches is never asked.
    ///
    /// # Errors
    /// As [`Editor::apply`], and what `write` returns.
    fn apply_by(&self, path: &Path, plan: &EditPlan, write: Write<'_>) -> Result<()> {
        let file = open_planned(path, plan)?;
        write(&file)?;
        check_size(&file, path, plan).map(|_| ())
    }
}
