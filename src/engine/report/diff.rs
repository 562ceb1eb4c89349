//! `wheelwright/diff/1`: what differs between two files, in bytes and in meaning.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiffDocument {
    /// Always `wheelwright/diff/1`.
    pub schema: String,
    /// The first file.
    #[serde(serialize_with = "super::lossy::path")]
    pub a: PathBuf,
    /// The second file.
    #[serde(serialize_with = "super::lossy::path")]
    pub b: PathBuf,
    /// Whether they are equal to the last byte.
    pub equal: bool,
    /// Bytes of the first file that were compared.
    pub bytes_compared: u64,
    /// Bytes that needed no reading.
    pub bytes_skipped: u64,
    /// How many runs there are, listed or not.
    pub runs_total: u64,
    /// The runs, by offset.
    pub runs: Vec<Run>,
    /// What differs in the structure.
    pub structure: Vec<StructureChange>,
}

/// One stretch of differing bytes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Where it begins: in the first file, but for an inserted run in the second.
    pub offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// What happened there.
    pub kind: RunKind,
    /// The part of the file it lies in: `.dynamic`, `program headers`.
    pub region: Option<String>,
    /// What the bytes are, old and new.
    pub meaning: Option<String>,
}

/// What happened to a run of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// Other bytes in the same place.
    Changed,
    /// Bytes of the second file that the first has not.
    Inserted,
    /// Bytes of the first file that the second has not.
    Removed,
}

/// One difference in structure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StructureChange {
    /// What: `NEEDED 1`, `RPATH`, `segment 4`.
    pub what: String,
    /// Before; null when it was not there.
    pub before: Option<String>,
    /// After; null when it is no longer there.
    pub after: Option<String>,
}
