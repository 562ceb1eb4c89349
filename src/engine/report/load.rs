//! Of `wheelwright/run/1` and `wheelwright/audit/1`: whether an artifact loads, out of the bundle as it will be in the wheel.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What came of loading an artifact in a process of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoadReport {
    /// The artifact's path.
    #[serde(serialize_with = "super::lossy::path")]
    pub artifact: PathBuf,
    /// The verdict.
    pub verdict: LoadVerdict,
    /// The verdict in one sentence: what failed, or why it was not tried.
    pub why: String,
    /// Who loaded it: `dlopen`, or `import` and the interpreter's path.
    pub loaded_by: Option<String>,
    /// How the build was kept out of reach: `mount namespace`, or `trace only` where the kernel allows none.
    pub build_hidden_by: Option<String>,
    /// Every library that came into the process, in the order in which it came; the loading program's own left out.
    pub libraries: Vec<LoadedLibrary>,
    /// What was opened besides, to try a remedy.
    pub opened: Vec<OpenedProbe>,
    /// What Python said once the file was loaded, if it is an extension whose start failed: that is no failure of the load.
    pub started: Option<String>,
}

/// Whether an artifact loads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadVerdict {
    /// It loads, all symbols bound, and every library is of the bundle or one that the tag takes for granted.
    Loads,
    /// It loads, and some library came from elsewhere.
    LoadsFromElsewhere,
    /// It does not load.
    Fails,
    /// It was not tried.
    NotTried,
}

impl LoadVerdict {
    /// The verdict in words, to which the report's `why` is added.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Loads => "loads",
            Self::LoadsFromElsewhere => "loads, but not from the bundle alone",
            Self::Fails => "does not load",
            Self::NotTried => "not loaded",
        }
    }
}

/// A library that came into the process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LoadedLibrary {
    /// The name that was asked for.
    pub name: String,
    /// The file; one of the bundle is written `bundle:labext.libs/libgreet-47542e49.so.1`.
    pub path: String,
    /// Who asked for it, by file name.
    pub asked_by: Option<String>,
    /// Whose it is.
    pub from: super::dlopen::FoundIn,
}

/// A name that was opened as the artifact would open it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenedProbe {
    /// The name.
    pub name: String,
    /// The file that answered; null where opening failed.
    pub path: Option<String>,
    /// The loader's words where it failed.
    pub error: Option<String>,
}
