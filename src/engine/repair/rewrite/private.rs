//! A new file beside the one that it will replace: hidden, locked while its maker lives, removed unless it is swapped in.

use super::lock::lock;
use crate::engine::file::{Identity, private_beside};
use crate::engine::{Error, Result};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// How often a leftover may turn up again between its removal and our own file.
const TRIES: usize = 8;

/// A private file.
#[derive(Debug)]
pub struct Private {
    /// Where it is.
    pub path: PathBuf,
    /// It, open for reading and writing.
    pub file: File,
    /// Whether its name is not ours any more.
    let_go: bool,
}

impl Private {
    /// Makes an empty private file, readable by its owner only, beside `target`. A leftover of a killed process goes.
    ///
    /// # Errors
    /// [`Error::Locked`] while another process makes one for the same target, [`Error::Io`].
    pub fn beside(target: &Path) -> Result<Self> {
        let path = private_beside(target);
        for _ in 0..TRIES {
            match OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(&path) {
                Ok(file) => {
                    let mut private = Self { path: path.clone(), file, let_go: false };
                    // Between its making and its locking it looks like a leftover to others.
                    if lock(&private.file, target).is_ok() && private.is_there()? {
                        return Ok(private);
                    }
                    private.let_go = true;
                }
                Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                    if !sweep(target)? {
                        return Err(Error::Locked { path: target.to_path_buf() });
                    }
                }
                Err(error) => return Err(Error::io("make a file beside", target)(error)),
            }
        }
        Err(Error::Locked { path: target.to_path_buf() })
    }

    fn is_there(&self) -> Result<bool> {
        let ours = Identity::from_metadata(&self.file.metadata().map_err(Error::io("look at", &self.path))?);
        Ok(Identity::of(&self.path)?.is_some_and(|named| named.same_inode(&ours)))
    }

    /// Puts it in the place of `target`.
    ///
    /// # Errors
    /// [`Error::Io`]; it is removed then.
    pub fn swap_in(mut self, target: &Path) -> Result<()> {
        std::fs::rename(&self.path, target).map_err(Error::io("replace", target))?;
        self.let_go = true;
        Ok(())
    }
}

impl Drop for Private {
    fn drop(&mut self) {
        if !self.let_go {
            // The lock is still held, so that the name is ours; what can't be removed is a leftover for the next command.
            let _ = std::fs::remove_file(&self.path);
        }
        let _ = self.file.unlock();
    }
}

/// Removes the private file that a killed process left beside `target`; whether there was one, and it is gone.
///
/// # Errors
/// [`Error::Io`].
pub fn sweep(target: &Path) -> Result<bool> {
    let path = private_beside(target);
    match Identity::of(&path)? {
        Some(found) if found.is_file() => {}
        _ => return Ok(false),
    }
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(true),
        // Another user's, who alone can say whether it is still needed.
        Err(error) if error.kind() == ErrorKind::PermissionDenied => return Ok(false),
        Err(error) => return Err(Error::io("open", &path)(error)),
    };
    if lock(&file, &path).is_err() {
        return Ok(false);
    }
    // Its maker may have swapped it in before it let go of the lock: the name may be another's by now.
    let mut leftover = Private { path, file, let_go: true };
    leftover.let_go = !leftover.is_there()?;
    Ok(true)
}
