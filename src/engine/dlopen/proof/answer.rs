//! What the load proof and its child say to each other: files of JSON in a folder that both know.

use crate::engine::report::dlopen::OpenedBy;
use crate::engine::report::load::OpenedProbe;
use crate::engine::{Error, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Files of the folder.
pub(super) const REQUEST: &str = "request.json";
pub(super) const HIDDEN: &str = "hidden.json";
pub(super) const ANSWER: &str = "answer.json";
pub(super) const TRACE: &str = "trace";
/// An answer longer than this is none.
const LONGEST: u64 = 16 << 20;

/// What the child is to do.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct Request {
    /// The folder under which everything of this proof lies.
    pub scratch: PathBuf,
    /// The bundle, below it.
    pub bundle: PathBuf,
    /// The empty working directory, below it.
    pub empty: PathBuf,
    /// The artifact's own path in the bundle.
    pub artifact: PathBuf,
    /// The module that is imported; `None` to open the file.
    pub module: Option<String>,
    /// Libraries that are opened first.
    pub preload: Vec<PathBuf>,
    /// Names that are opened afterwards.
    pub probes: Vec<RequestedProbe>,
    /// Directories to be hidden.
    pub hide: Vec<PathBuf>,
    /// Paths that must stay in reach.
    pub keep: Vec<PathBuf>,
    /// Whether the artifact is a program: its own loader says what it would load, and runs nothing of it.
    pub program: bool,
    /// The interpreter that loads; `None` for the child itself.
    pub python: Option<PathBuf>,
}

/// A name to be opened.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(super) struct RequestedProbe {
    pub name: String,
    pub by: OpenedBy,
}

/// How the build was hidden.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub(super) struct Hidden {
    /// How; `None` where there was nothing to hide.
    pub by: Option<String>,
    /// Directories that were left in reach, because something that is needed lies in them.
    pub left: Vec<PathBuf>,
}

/// What came of loading.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Answer {
    /// Whether the artifact's file is in the process.
    pub loaded: bool,
    /// The loader's words where it is not.
    pub error: Option<String>,
    /// Why nothing was tried.
    pub not_tried: Option<String>,
    /// What Python said once the file was loaded.
    pub started: Option<String>,
    /// The files that were in the process before.
    pub before: Vec<String>,
    /// Those that are afterwards.
    pub after: Vec<String>,
    /// What was opened, as far as it got.
    pub probes: Vec<OpenedProbe>,
    /// The probe that was last begun.
    pub opening: Option<String>,
}

/// Writes `value` to the file `name` of `folder`, so that a reader has all of it or nothing.
///
/// # Errors
/// [`Error::Io`] when the file can't be written.
pub(super) fn write<T: Serialize>(folder: &Path, name: &str, value: &T) -> Result<()> {
    let (path, fresh) = (folder.join(name), folder.join(format!("{name}.new")));
    let text = serde_json::to_vec(value).map_err(|error| Error::io("write", &path)(error.into()))?;
    std::fs::write(&fresh, text).map_err(Error::io("write", &fresh))?;
    std::fs::rename(&fresh, &path).map_err(Error::io("rename", &fresh))
}

/// The file `name` of `folder`; `None` where it is not there, too long or no such value: user code can write there too.
pub(super) fn read<T: DeserializeOwned>(folder: &Path, name: &str) -> Option<T> {
    let path = folder.join(name);
    let metadata = std::fs::symlink_metadata(&path).ok().filter(std::fs::Metadata::is_file)?;
    let text = (metadata.len() <= LONGEST).then(|| std::fs::read(&path).ok()).flatten()?;
    serde_json::from_slice(&text).ok()
}
