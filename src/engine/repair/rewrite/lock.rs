//! Who edits a file: one process at a time, which holds a lock on the file itself while its undo log or its copy is there.

use crate::engine::file::Identity;
use crate::engine::{Error, Result};
use std::fs::{File, TryLockError};
use std::path::Path;

/// A file opened for reading that no other of our processes edits meanwhile; dropping lets go.
#[derive(Debug)]
pub struct FileLock {
    /// The open file.
    pub file: File,
    /// What it was when the lock was taken.
    pub identity: Identity,
}

impl FileLock {
    /// Takes the lock of the file `path`.
    ///
    /// # Errors
    /// [`Error::Locked`] while another process holds it, [`Error::Refused`] when it is no regular file, [`Error::Io`].
    pub fn take(path: &Path) -> Result<Self> {
        let named = std::fs::metadata(path).map_err(Error::io("open", path))?;
        if !named.is_file() {
            return Err(Error::Refused {
                path: path.to_path_buf(),
                reason: "is not a regular file".into(),
                way_out: "name a file".into(),
            });
        }
        let file = File::open(path).map_err(Error::io("open", path))?;
        lock(&file, path)?;
        let metadata = file.metadata().map_err(Error::io("look at", path))?;
        let identity = Identity::from_metadata(&metadata);
        let lock = Self { file, identity };
        lock.still_named(path)?;
        Ok(lock)
    }

    /// Whether `path` still names the file, with the bytes that it had when the lock was taken.
    ///
    /// # Errors
    /// [`Error::Changed`] when it does not.
    pub fn still_the_same(&self, path: &Path) -> Result<()> {
        match Identity::of(path)? {
            Some(now) if now.unchanged_since(&self.identity) => Ok(()),
            _ => Err(changed(path)),
        }
    }

    fn still_named(&self, path: &Path) -> Result<()> {
        match Identity::of(path)? {
            Some(now) if now.same_inode(&self.identity) => Ok(()),
            _ => Err(changed(path)),
        }
    }
}

impl Drop for FileLock {
    fn drop(&mut self) {
        // Said, not left to the closing: a child that is just being made holds the same open file.
        let _ = self.file.unlock();
    }
}

fn changed(path: &Path) -> Error {
    Error::Changed { path: path.to_path_buf(), what: "another program wrote or replaced it meanwhile".to_owned() }
}

/// Takes the lock of an open file.
///
/// # Errors
/// [`Error::Locked`] while another process holds it. A filesystem without locks is no error.
pub fn lock(file: &File, path: &Path) -> Result<()> {
    match file.try_lock() {
        Err(TryLockError::WouldBlock) => Err(Error::Locked { path: path.to_path_buf() }),
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
    }
}
