//! Cargo's own lock of a build directory, held while our effects run, so that no build runs beside them.

use crate::engine::{Context, Error, Result};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Held locks; dropping releases them.
#[derive(Debug, Default)]
pub struct CargoLocks {
    files: Vec<File>,
}

impl CargoLocks {
    /// Waits for the locks of `directories` (`<target>/<profile>`), in order; directories that cargo has not locked yet or
    /// that are gone are passed over.
    ///
    /// # Errors
    /// [`Error::Cancelled`] while waiting for a running build, [`Error::Io`].
    pub fn take(directories: &[PathBuf], context: &Context) -> Result<Self> {
        let mut files = Vec::new();
        for directory in directories {
            let path = directory.join(".cargo-lock");
            if let Some(file) = open(&path)? {
                wait(&file, &path, context)?;
                files.push(file);
            }
        }
        Ok(Self { files })
    }
}

impl Drop for CargoLocks {
    fn drop(&mut self) {
        for file in &self.files {
            // Said, not left to the closing: a child that is just being made holds the same open file.
            let _ = file.unlock();
        }
    }
}

fn open(path: &Path) -> Result<Option<File>> {
    match OpenOptions::new().read(true).write(true).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) => match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory => Ok(None),
            // In a read-only tree a lock can be held just as well.
            ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem => {
                File::open(path).map(Some).map_err(Error::io("open", path))
            }
            _ => Err(Error::io("open", path)(error)),
        },
    }
}

fn wait(file: &File, path: &Path, context: &Context) -> Result<()> {
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(()),
            Err(std::fs::TryLockError::WouldBlock) => {
                context.advance(0)?;
                std::thread::sleep(Duration::from_millis(20));
            }
            // A filesystem without locks: cargo goes on without one as well.
            Err(std::fs::TryLockError::Error(error)) if error.kind() == std::io::ErrorKind::Unsupported => {
                return Ok(());
            }
            Err(std::fs::TryLockError::Error(error)) => return Err(Error::io("lock", path)(error)),
        }
    }
}
