//! `wheelwright/run/1`: what was carried out.

use super::audit::StagingState;
use super::load::LoadReport;
use super::plan::{PlannedEffect, Refusal, Step};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunDocument {
    /// Always `wheelwright/run/1`.
    pub schema: String,
    /// The steps in order.
    pub steps: Vec<RunStep>,
    /// Every file that was touched.
    pub files: Vec<TouchedFile>,
    /// Whether each artifact loads out of the bundle, as far as the verify step was taken; `[]` where it was not.
    pub loads: Vec<LoadReport>,
    /// The artifacts' final states.
    pub states: Vec<FinalState>,
    /// The bundles' directories, one for each profile and triple; none where they were not laid out.
    #[serde(serialize_with = "super::lossy::list")]
    pub bundles: Vec<PathBuf>,
}

/// One step as it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunStep {
    /// The step.
    pub step: Step,
    /// Its effects.
    pub effects: Vec<RunEffect>,
    /// Why it could not be taken for some artifacts.
    pub refusals: Vec<Refusal>,
    /// What there is to say about it besides.
    pub notes: Vec<String>,
}

/// One effect as it went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RunEffect {
    /// The effect as planned.
    #[serde(flatten)]
    pub effect: PlannedEffect,
    /// Whether it was carried out.
    pub done: bool,
}

/// A file before and after.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TouchedFile {
    /// Its path.
    #[serde(serialize_with = "super::lossy::path")]
    pub path: PathBuf,
    /// SHA-256 before; null when it was not there.
    pub before: Option<String>,
    /// SHA-256 after; null when it is no longer there.
    pub after: Option<String>,
}

/// An artifact's final state.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FinalState {
    /// The artifact's path.
    #[serde(serialize_with = "super::lossy::path")]
    pub path: PathBuf,
    /// Its state.
    pub state: StagingState,
    /// Whether its staged file was edited.
    pub edited: bool,
}
