//! `wheelwright/tree/1`: one dependency tree.

use super::audit::Tree;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeDocument {
    /// Always `wheelwright/tree/1`.
    pub schema: String,
    /// The artifact.
    #[serde(serialize_with = "super::lossy::path")]
    pub path: PathBuf,
    /// Through whose eyes: `loader` or `lddtree`.
    pub lens: String,
    /// The tree of the artifact's first slice.
    pub tree: Tree,
}
