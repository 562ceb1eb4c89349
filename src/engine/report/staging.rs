//! Of `wheelwright/audit/1`: where an artifact's files are, and in which state.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The state of an artifact's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StagingState {
    /// Untouched, at its own path.
    NotStaged,
    /// Moved to staging; its own path is empty for the moment.
    Renamed,
    /// Copied to staging; the original stays.
    Mirrored,
    /// Its own path holds clean bytes, the staged file is free to be edited.
    Patched,
}

/// Where an artifact's files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StagingReport {
    /// The state.
    pub state: StagingState,
    /// Whether the staged file's bytes differ from cargo's output by an edit of ours.
    pub edited: bool,
    /// Cargo's own path; null for a file that cargo did not make.
    #[serde(serialize_with = "super::lossy::option")]
    pub cargo_output: Option<PathBuf>,
    /// The staged file; null while there is none.
    #[serde(serialize_with = "super::lossy::option")]
    pub staged: Option<PathBuf>,
    /// Device number of the file that now holds the clean bytes.
    pub device: Option<u64>,
    /// Its inode number.
    pub inode: Option<u64>,
    /// Its hard links.
    pub links: Option<u64>,
    /// Other paths of that inode which were found.
    #[serde(serialize_with = "super::lossy::list")]
    pub aliases: Vec<PathBuf>,
    /// How many more names the link count says there are.
    pub aliases_elsewhere: u64,
    /// Files that other tools or cargo keep of the same artifact, whether or not they share the inode.
    pub related: Vec<RelatedFile>,
}

/// A file that belongs to an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelatedFile {
    /// Its path.
    #[serde(serialize_with = "super::lossy::path")]
    pub path: PathBuf,
    /// What it is: `deps`, `maturin_staged`, `build_dir`.
    pub role: String,
    /// How it was tied to the artifact: `inode`, `build_id`, `name`.
    pub tie: String,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Hard links.
    pub links: u64,
    /// Size in bytes.
    pub size: u64,
    /// Whether it looks repaired: hash-suffixed NEEDED, and an RPATH into `*.libs`.
    pub repaired: bool,
}
