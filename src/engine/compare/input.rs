//! One of the files that are compared.

use crate::engine::Result;
use crate::engine::file::{ReadAt, Windows};
use std::path::{Path, PathBuf};

/// An open file, and where it comes from.
#[derive(Debug)]
pub struct Input {
    /// Its path, as it is told.
    pub path: PathBuf,
    /// The wheel that it lies in, if so.
    pub container: Option<PathBuf>,
    /// Its name in the wheel.
    pub member: Option<String>,
    /// Its bytes.
    pub file: Windows,
}

impl Input {
    /// Opens the file `path`.
    ///
    /// # Errors
    /// [`crate::engine::Error::Io`] when it can't be opened, [`crate::engine::Error::Refused`] when it is not a regular file.
    pub fn open(path: &Path) -> Result<Self> {
        Ok(Self { path: path.to_path_buf(), container: None, member: None, file: Windows::open(path)? })
    }

    /// Its size in bytes.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.file.size()
    }
}
