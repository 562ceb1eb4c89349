//! Of `wheelwright/audit/1`: what it would take to bear a platform tag.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What stands between an artifact, with what would be bundled, and a tag.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReachReport {
    /// The tag.
    pub tag: String,
    /// Whether nothing stands between: bundling is done by the repair and does not count.
    pub reached: bool,
    /// What would have to go, by file, library, version and symbol.
    pub demands: Vec<ReachDemand>,
}

/// One thing that would have to go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReachDemand {
    /// As in the policy's reasons: `symbol_version`, `blacklist`, `library` (the C library of another
    /// family), `libpython`, `architecture`, `external_symbol_version`.
    pub rule: String,
    /// The file in which this stands: the artifact or a library that would be bundled.
    #[serde(serialize_with = "super::lossy::path")]
    pub file: PathBuf,
    /// The library concerned.
    pub library: Option<String>,
    /// The symbol concerned; null where a version is asked for without any symbol.
    pub symbol: Option<String>,
    /// The symbol version concerned.
    pub version: Option<String>,
    /// The newest version of the same symbol that the tag allows, where the library on this machine has one.
    pub older_version: Option<String>,
    /// What is to be known of the demand, in words: that it is weak, that no symbol is behind it, that the library is not here.
    pub note: Option<String>,
    /// The functions that use the symbol, demangled and sorted; null where the file doesn't tell.
    pub functions: Option<Vec<String>>,
    /// How many functions use it; null where the file doesn't tell.
    pub functions_total: Option<u64>,
}
