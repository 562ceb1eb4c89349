//! `wheelwright/plan/1`: the effects of every step.

use super::edits::LoggedEdit;
use super::fit::Fit;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The pipeline's steps, in their order.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Step {
    /// Bring the artifact to our private place.
    Stage,
    /// Look at its dependencies and its policy.
    Audit,
    /// Copy external libraries into the bundle.
    Graft,
    /// Say what the patch step will edit.
    Predict,
    /// Give cargo its own clean bytes again.
    CopyBack,
    /// Edit names and search paths.
    Patch,
    /// Read every edit again and resolve the bundle.
    Verify,
    /// Put unedited files back and lay the bundle out.
    Finalize,
}

impl Step {
    /// All steps in order.
    pub const ALL: [Self; 8] = [
        Self::Stage,
        Self::Audit,
        Self::Graft,
        Self::Predict,
        Self::CopyBack,
        Self::Patch,
        Self::Verify,
        Self::Finalize,
    ];

    /// Its name as people read it: `copy back`.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Stage => "stage",
            Self::Audit => "audit",
            Self::Graft => "graft",
            Self::Predict => "predict",
            Self::CopyBack => "copy back",
            Self::Patch => "patch",
            Self::Verify => "verify",
            Self::Finalize => "finalize",
        }
    }
}

/// The whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlanDocument {
    /// Always `wheelwright/plan/1`.
    pub schema: String,
    /// The steps in order.
    pub steps: Vec<PlannedStep>,
}

/// One step with its effects.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedStep {
    /// The step.
    pub step: Step,
    /// What it will do, in order.
    pub effects: Vec<PlannedEffect>,
    /// Why it can't be taken for some artifacts, if it can't.
    pub refusals: Vec<Refusal>,
    /// What there is to say about it besides: an artifact whose format has no editor yet.
    pub notes: Vec<String>,
}

/// One effect, in words and figures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedEffect {
    /// `mkdir`, `rename`, `link`, `reflink_or_copy`, `unlink`, `symlink`, `write_file`, `set_mode`, `edit`.
    pub kind: String,
    /// The artifact (its path) that it serves; null for what serves several.
    #[serde(serialize_with = "super::lossy::option")]
    pub artifact: Option<PathBuf>,
    /// The path that is changed or read from.
    #[serde(serialize_with = "super::lossy::path")]
    pub path: PathBuf,
    /// The path that comes into being, for effects with two.
    #[serde(serialize_with = "super::lossy::option")]
    pub to: Option<PathBuf>,
    /// What exactly: the edits, the symlink's target.
    pub detail: Option<String>,
    /// The most bytes that it can read.
    pub reads: u64,
    /// The most bytes that it can write.
    pub writes: u64,
    /// Why it is done.
    pub why: String,
    /// For an edit: the room there is, the ways that were weighed, the layout before and after; null where not known.
    pub fit: Option<Fit>,
    /// For an edit: what is asked of the file and is not there yet; null for other effects.
    pub edits: Option<Vec<LoggedEdit>>,
}

/// A step that can't be taken for an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Refusal {
    /// The artifact's path.
    #[serde(serialize_with = "super::lossy::path")]
    pub artifact: PathBuf,
    /// Why not.
    pub reason: String,
    /// What the user can do.
    pub way_out: String,
}
