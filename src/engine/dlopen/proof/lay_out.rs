//! The bundle in a scratch folder: hard links where the filesystem makes them, else copies; gone at the end.

use super::LoadProof;
use crate::engine::file::{below, reflink_or_copy};
use crate::engine::{Context, Error, Result};
use std::path::{Path, PathBuf};

/// A bundle that is laid out. Dropped, it is removed too, without a word.
pub(super) struct LaidOut {
    /// The folder, resolved: the loader shows paths as they really are.
    pub scratch: PathBuf,
    /// The bundle in it.
    pub bundle: PathBuf,
    /// The child's empty working directory.
    pub empty: PathBuf,
    /// Where both sides write what they say.
    pub said: PathBuf,
}

impl LaidOut {
    /// Lays `proof`'s bundle out.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Refused`] when something lies at the scratch path, or a place in the bundle can't be;
    /// [`Error::Io`].
    pub fn make(proof: &LoadProof<'_>, context: &Context) -> Result<Self> {
        let scratch = proof.scratch;
        if scratch.symlink_metadata().is_ok() {
            return Err(Error::Refused {
                path: scratch.to_path_buf(),
                reason: "something lies where the bundle is to be laid out".to_owned(),
                way_out: "move it away".to_owned(),
            });
        }
        std::fs::create_dir_all(scratch).map_err(Error::io("create", scratch))?;
        let scratch = scratch.canonicalize().map_err(Error::io("resolve", scratch))?;
        let laid_out =
            Self { bundle: scratch.join("bundle"), empty: scratch.join("empty"), said: scratch.join("said"), scratch };
        for directory in [&laid_out.bundle, &laid_out.empty, &laid_out.said] {
            std::fs::create_dir(directory).map_err(Error::io("create", directory))?;
        }
        for file in proof.files {
            context.advance(0)?;
            let to = below(&laid_out.bundle, &file.at);
            place(&file.from, &to, context)?;
        }
        Ok(laid_out)
    }

    /// The path of the place `at` in the bundle.
    pub fn path(&self, at: &str) -> PathBuf {
        below(&self.bundle, at)
    }

    /// Removes the folder.
    ///
    /// # Errors
    /// [`Error::Io`] when something of it stays.
    pub fn remove(self) -> Result<()> {
        std::fs::remove_dir_all(&self.scratch).map_err(Error::io("remove", &self.scratch))
    }
}

impl Drop for LaidOut {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.scratch);
    }
}

fn place(from: &Path, to: &Path, context: &Context) -> Result<()> {
    if let Some(directory) = to.parent() {
        std::fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    }
    // A symbolic link in the bundle would lead to where the build is hidden.
    let real = from.canonicalize().map_err(Error::io("resolve", from))?;
    match std::fs::hard_link(&real, to) {
        Ok(()) => Ok(()),
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Error::io("create", to)(error)),
        Err(_) => reflink_or_copy(&real, to, context).map(|_| ()),
    }
}
