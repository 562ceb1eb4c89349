//! The objects of a process, by path and by file.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Whether the files of a log can be looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Files {
    /// The log was written on this machine, just now.
    Here,
    /// The log may be from another machine: only its words count.
    Elsewhere,
}

/// What is in a process. A path may be there in several namespaces.
#[derive(Debug, Clone)]
pub(super) struct Objects {
    files: Files,
    paths: BTreeMap<PathBuf, Vec<u32>>,
    identities: BTreeMap<(u64, u64), PathBuf>,
}

impl Objects {
    pub(super) fn new(files: Files) -> Self {
        Self { files, paths: BTreeMap::new(), identities: BTreeMap::new() }
    }

    pub(super) fn files(&self) -> Files {
        self.files
    }

    pub(super) fn add(&mut self, path: &Path, namespace: u32) {
        self.paths.entry(path.to_path_buf()).or_default().push(namespace);
        if let Some(identity) = self.identity(path) {
            self.identities.insert(identity, path.to_path_buf());
        }
    }

    pub(super) fn remove(&mut self, path: &Path, namespace: u32) {
        let Some(namespaces) = self.paths.get_mut(path) else { return };
        namespaces.retain(|other| *other != namespace);
        if namespaces.is_empty() {
            self.paths.remove(path);
            if let Some(identity) = self.identity(path) {
                self.identities.remove(&identity);
            }
        }
    }

    /// Whether an object of just this path is there.
    pub(super) fn has(&self, path: &[u8]) -> bool {
        self.paths.contains_key(Path::new(OsStr::from_bytes(path)))
    }

    /// The object that is the file at `path`.
    pub(super) fn same_as(&self, path: &Path) -> Option<PathBuf> {
        if self.paths.contains_key(path) {
            return Some(path.to_path_buf());
        }
        self.identities.get(&self.identity(path)?).cloned()
    }

    /// Whether the file that a search found is the object that was opened. Where the files can't be asked, a library by
    /// another version of its name is taken for it.
    pub(super) fn may_be(&self, found: &Path, opened: &Path) -> bool {
        match self.files {
            Files::Here => {
                found == opened || self.identity(found).is_some_and(|one| self.identity(opened) == Some(one))
            }
            Files::Elsewhere => found == opened || stem(found).is_some_and(|one| stem(opened) == Some(one)),
        }
    }

    fn identity(&self, path: &Path) -> Option<(u64, u64)> {
        if self.files == Files::Elsewhere {
            return None;
        }
        std::fs::metadata(path).ok().map(|file| (file.dev(), file.ino()))
    }
}

/// What stands before `.so` in a file's name.
fn stem(path: &Path) -> Option<&[u8]> {
    let name = path.file_name()?.as_bytes();
    name.get(..memchr::memmem::find(name, b".so")?)
}
