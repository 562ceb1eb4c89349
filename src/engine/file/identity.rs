//! Who a file is: device, inode, links, size and modification time, as one comparable value.

use crate::engine::{Error, Result};
use serde::{Deserialize, Serialize};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

/// A file's identity at one moment. Two equal identities are taken to be the same unchanged file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// Device number (`st_dev`).
    pub device: u64,
    /// Inode number (`st_ino`).
    pub inode: u64,
    /// Number of hard links (`st_nlink`).
    pub links: u64,
    /// Size in bytes.
    pub size: u64,
    /// Modification time, whole seconds since the epoch.
    pub mtime_seconds: i64,
    /// Modification time, nanoseconds within the second.
    pub mtime_nanoseconds: i64,
    /// File type and permission bits (`st_mode`).
    pub mode: u32,
}

impl Identity {
    /// The identity of what `path` names, symbolic links not followed; `None` if nothing is there.
    ///
    /// # Errors
    /// [`Error::Io`] when the system can't say.
    pub fn of(path: &Path) -> Result<Option<Self>> {
        match std::fs::symlink_metadata(path) {
            Ok(metadata) => Ok(Some(Self::from_metadata(&metadata))),
            Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
                Ok(None)
            }
            Err(error) => Err(Error::io("look at", path)(error)),
        }
    }

    /// The identity in `metadata`.
    #[must_use]
    pub fn from_metadata(metadata: &std::fs::Metadata) -> Self {
        Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            links: metadata.nlink(),
            size: metadata.size(),
            mtime_seconds: metadata.mtime(),
            mtime_nanoseconds: metadata.mtime_nsec(),
            mode: metadata.mode(),
        }
    }

    /// Whether both are names of one inode.
    #[must_use]
    pub fn same_inode(&self, other: &Self) -> bool {
        self.device == other.device && self.inode == other.inode
    }

    /// Whether this is still the file that `other` was: the inode, its size and its modification time.
    #[must_use]
    pub fn unchanged_since(&self, other: &Self) -> bool {
        self.same_inode(other)
            && self.size == other.size
            && self.mtime_seconds == other.mtime_seconds
            && self.mtime_nanoseconds == other.mtime_nanoseconds
    }

    /// Whether it is a directory.
    #[must_use]
    pub fn is_directory(&self) -> bool {
        self.mode & 0o170_000 == 0o040_000
    }

    /// Whether it is a symbolic link.
    #[must_use]
    pub fn is_symlink(&self) -> bool {
        self.mode & 0o170_000 == 0o120_000
    }

    /// Whether it is a regular file.
    #[must_use]
    pub fn is_file(&self) -> bool {
        self.mode & 0o170_000 == 0o100_000
    }
}
