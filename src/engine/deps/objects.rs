//! The files that a search has read: each is parsed once, however many requests and artifacts meet it.
//!
//! A file is known by its inode, size and modification time, so that one that was edited in between is read again.

use super::cache::LoaderCache;
use super::ldso::LdSo;
use super::sysroot::{Root, View};
use crate::engine::Result;
use crate::engine::binary::{self, Binary};
use crate::engine::file::{Identity, ReadAt, Windows};
use std::collections::HashMap;
use std::io::ErrorKind;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

/// Enough of a file's beginning to judge its ELF header.
const HEAD: u64 = 64;

/// What an inode held when it was read: device, inode, size, modification time.
type Key = (u64, u64, u64, i64, i64);

/// A file that could be opened.
#[derive(Debug)]
pub(super) struct Object {
    /// Device and inode.
    pub(super) inode: (u64, u64),
    /// Its first bytes, 64 at most.
    pub(super) head: Vec<u8>,
    /// Its parsed form; `None` when it is no native file or a damaged one.
    pub(super) binary: Option<Arc<Binary>>,
}

/// What looking at a path yields.
#[derive(Debug)]
pub(super) enum Looked {
    /// Nothing is there.
    Missing,
    /// Something is there that may not be opened.
    Unreadable,
    /// Something is there that can't be opened: symbolic links in a circle, a fault of the disk.
    Broken,
    /// A directory, a device: opened, and never a library.
    NotAFile,
    /// A file.
    Object(Arc<Object>),
}

impl Looked {
    /// What an error of the system says.
    pub(super) fn failed(error: &std::io::Error) -> Self {
        match error.kind() {
            ErrorKind::NotFound | ErrorKind::NotADirectory | ErrorKind::InvalidFilename => Self::Missing,
            ErrorKind::PermissionDenied => Self::Unreadable,
            _ => Self::Broken,
        }
    }
}

/// The objects and caches read so far.
#[derive(Debug, Default)]
pub(super) struct Objects {
    objects: Mutex<HashMap<Key, Arc<Object>>>,
    caches: Mutex<HashMap<Key, Option<Arc<LoaderCache>>>>,
    loaders: Mutex<HashMap<Key, Arc<LdSo>>>,
}

impl Objects {
    /// Looks at what the process of `root` calls `path`.
    pub(super) fn look_from(&self, root: &Root, view: View, path: &Path) -> Looked {
        match root.openable(view, path) {
            Ok(path) => match root.overlay().and_then(|overlay| overlay.file(&path)) {
                Some(object) => Looked::Object(object),
                None => self.look(&path),
            },
            Err(error) => Looked::failed(&error),
        }
    }

    /// Looks at `path`, symbolic links followed.
    pub(super) fn look(&self, path: &Path) -> Looked {
        let metadata = match std::fs::metadata(path) {
            Ok(metadata) => metadata,
            Err(error) => return Looked::failed(&error),
        };
        if !metadata.is_file() {
            return Looked::NotAFile;
        }
        let identity = Identity::from_metadata(&metadata);
        let key = key_of(&identity);
        if let Some(object) = self.objects.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Looked::Object(Arc::clone(object));
        }
        let Ok(windows) = Windows::open(path) else { return Looked::Unreadable };
        let Ok(head) = windows.bytes(0, windows.size().min(HEAD)) else { return Looked::Unreadable };
        let object = Arc::new(Object {
            inode: (identity.device, identity.inode),
            head,
            binary: binary::read(&windows).ok().filter(|binary| !binary.slices.is_empty()).map(Arc::new),
        });
        self.objects.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&object));
        Looked::Object(object)
    }

    /// Reads the artifact `path`, whose faults the user wants to hear of.
    ///
    /// # Errors
    /// As [`Windows::open`] and [`binary::read`].
    pub(super) fn artifact(&self, path: &Path) -> Result<((u64, u64), Arc<Binary>)> {
        if let Looked::Object(object) = self.look(path)
            && let Some(binary) = &object.binary
        {
            return Ok((object.inode, Arc::clone(binary)));
        }
        let windows = Windows::open(path)?;
        let binary = binary::read(&windows)?;
        let inode = Identity::of(path)?.map_or((0, 0), |identity| (identity.device, identity.inode));
        Ok((inode, Arc::new(binary)))
    }

    /// The loader's cache `path`; `None` when there is none that can be read.
    pub(super) fn cache(&self, path: &Path) -> Option<Arc<LoaderCache>> {
        let key = key_of(&Identity::from_metadata(&std::fs::metadata(path).ok()?));
        let mut caches = self.caches.lock().unwrap_or_else(PoisonError::into_inner);
        caches.entry(key).or_insert_with(|| LoaderCache::read(path).ok().map(Arc::new)).clone()
    }

    /// What the loader `path` says of itself; nothing of one that is not there.
    pub(super) fn loader(&self, path: &Path) -> Arc<LdSo> {
        let Ok(metadata) = std::fs::metadata(path) else { return Arc::default() };
        let key = key_of(&Identity::from_metadata(&metadata));
        if let Some(known) = self.loaders.lock().unwrap_or_else(PoisonError::into_inner).get(&key) {
            return Arc::clone(known);
        }
        let read = Arc::new(LdSo::read(path, self));
        self.loaders.lock().unwrap_or_else(PoisonError::into_inner).insert(key, Arc::clone(&read));
        read
    }
}

fn key_of(identity: &Identity) -> Key {
    (identity.device, identity.inode, identity.size, identity.mtime_seconds, identity.mtime_nanoseconds)
}
