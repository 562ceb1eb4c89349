//! What a file says of opening libraries at run time: from its bytes alone, without running anything.
//!
//! Nothing here tells what comes of a name: that is worked out by others from what stands here.

mod imports;

pub use imports::imports;

use crate::engine::binary::Binary;
use crate::engine::file::ReadAt;
use crate::engine::project::{Artifact, Project};
use crate::engine::report::dlopen::DlopenReport;
use crate::engine::{Context, Result};
use std::path::{Path, PathBuf};

/// What evidence is looked for in, besides the file itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EvidenceOptions {
    /// Files of Python that lie in the wheel, and folders of them.
    pub python: Vec<PathBuf>,
    /// Of a file with more bytes of read-only data than this, the text is not searched; `None` for no such limit.
    pub most_text: Option<u64>,
}

/// What `binary`, read from `source` and called `path`, says of opening libraries: all that does not need a loader's eye.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table leads out of the file, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`].
pub fn collect(
    path: &Path,
    binary: &Binary,
    source: &dyn ReadAt,
    options: &EvidenceOptions,
    context: &Context,
) -> Result<DlopenReport> {
    let _ = (path, options);
    Ok(DlopenReport { imports: imports(binary, source, context)?, ..DlopenReport::default() })
}

/// Where the Python files lie that go into the wheel with `artifact`.
#[must_use]
pub fn python_sources(artifact: &Artifact, project: &Project) -> Vec<PathBuf> {
    let _ = (artifact, project);
    Vec::new()
}
