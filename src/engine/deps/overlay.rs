//! What a load shall see that is not there: the files of a bundle that is yet to be made, in directories that are nowhere;
//! and what it shall not see though it is there: the directories of the build. Nothing is written.
//!
//! Paths are compared without `.` and `..`. What stands in a virtual file is the caller's to say: its parsed form, changed as
//! planned edits will change the file.

use super::objects::Object;
use crate::engine::Result;
use crate::engine::binary::Binary;
use crate::engine::file::ReadAt;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Enough of a file's beginning to judge its header.
const HEAD: u64 = 64;

/// Files that are added to what a load sees, and directories that are taken from it.
#[derive(Debug, Default)]
pub struct Overlay {
    files: BTreeMap<PathBuf, Arc<Object>>,
    /// How many files were added, those included that another took the place of.
    added: u64,
    /// Real paths.
    out_of_reach: Vec<PathBuf>,
}

impl Overlay {
    /// An overlay without files, in which nothing below the directories `out_of_reach` is seen.
    #[must_use]
    pub fn new(out_of_reach: &[PathBuf]) -> Self {
        let real = |path: &PathBuf| std::fs::canonicalize(path).unwrap_or_else(|_| normal(path));
        Self { files: BTreeMap::new(), added: 0, out_of_reach: out_of_reach.iter().map(real).collect() }
    }

    /// Adds the file `path`, absolute, whose header is that of `source` and whose content is `binary`. What lies at that path
    /// is not seen.
    ///
    /// # Errors
    /// When `source` can't be read.
    pub fn add(&mut self, path: &Path, source: &dyn ReadAt, binary: Arc<Binary>) -> Result<()> {
        let head = source.bytes(0, source.size().min(HEAD))?;
        // No device has this number; no two of these files are the same one.
        let inode = (u64::MAX, self.added);
        self.added += 1;
        self.files.insert(normal(path), Arc::new(Object { inode, head, binary: Some(binary) }));
        Ok(())
    }

    /// The file at `path`, if it is one of these.
    pub(super) fn file(&self, path: &Path) -> Option<Arc<Object>> {
        self.files.get(&normal(path)).cloned()
    }

    /// The path, without `.` and `..`, of what these files make of `path`: one of them, or a directory of theirs.
    pub(super) fn knows(&self, path: &Path) -> Option<PathBuf> {
        let path = normal(path);
        (self.files.contains_key(&path) || self.has_below(&path)).then_some(path)
    }

    /// Whether one of these files lies below `path`.
    pub(super) fn is_directory(&self, path: &Path) -> bool {
        self.has_below(&normal(path))
    }

    /// The names of these files in `directory`.
    pub(super) fn names(&self, directory: &Path) -> Vec<OsString> {
        let directory = normal(directory);
        let here = self.files.keys().filter(|path| path.parent() == Some(&directory));
        here.filter_map(|path| path.file_name()).map(OsString::from).collect()
    }

    /// Whether what lies at `path` of this machine is not seen.
    pub(super) fn hides(&self, path: &Path) -> bool {
        let below = |path: &Path| self.out_of_reach.iter().any(|directory| path.starts_with(directory));
        !self.out_of_reach.is_empty() && std::fs::canonicalize(path).is_ok_and(|real| below(&real))
    }

    fn has_below(&self, directory: &Path) -> bool {
        // Whatever begins with a path's components sorts right behind it.
        let mut behind =
            self.files.range::<Path, _>((std::ops::Bound::Excluded(directory), std::ops::Bound::Unbounded));
        behind.next().is_some_and(|(path, _)| path.starts_with(directory))
    }
}

/// `path` without `.` and `..`, as if no symbolic link were on its way.
#[must_use]
pub fn normal(path: &Path) -> PathBuf {
    let mut kept = PathBuf::new();
    for component in path.components() {
        match component {
            Component::CurDir => {}
            Component::ParentDir => {
                kept.pop();
            }
            other => kept.push(other),
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary::Format;
    use crate::engine::file::Windows;

    #[test]
    fn files_and_their_directories_are_known_by_any_way_to_them() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "head").unwrap();
        let source = Windows::open(file.path()).unwrap();
        let binary = Arc::new(Binary { format: Format::Elf, size: 4, slices: Vec::new() });
        let mut overlay = Overlay::new(&[]);
        overlay.add(Path::new("/nowhere/x.libs/../x.libs/liba.so"), &source, Arc::clone(&binary)).unwrap();
        overlay.add(Path::new("/nowhere/x-y/libb.so"), &source, binary).unwrap();
        assert!(overlay.file(Path::new("/nowhere/x-y/../x.libs/./liba.so")).is_some());
        assert!(overlay.file(Path::new("/nowhere/x.libs")).is_none());
        assert!(!overlay.is_directory(Path::new("/nowhere/x")));
        assert!(overlay.is_directory(Path::new("/nowhere/x-y/..")));
        assert_eq!(overlay.knows(Path::new("/nowhere/x/../x-y")), Some(PathBuf::from("/nowhere/x-y")));
        assert_eq!(overlay.names(Path::new("/nowhere/x.libs/")), ["liba.so"]);
        // Two artifacts of a bundle bring the same library, then one a third.
        let binary = Arc::new(Binary { format: Format::Elf, size: 4, slices: Vec::new() });
        overlay.add(Path::new("/nowhere/x.libs/liba.so"), &source, Arc::clone(&binary)).unwrap();
        overlay.add(Path::new("/nowhere/x.libs/libc.so"), &source, binary).unwrap();
        let inode = |path: &str| overlay.file(Path::new(path)).unwrap().inode;
        let inodes = ["/nowhere/x-y/libb.so", "/nowhere/x.libs/liba.so", "/nowhere/x.libs/libc.so"].map(inode);
        assert_eq!(inodes.iter().collect::<std::collections::BTreeSet<_>>().len(), 3);
    }

    #[test]
    fn what_is_out_of_reach_is_hidden_behind_links_too() {
        let directory = tempfile::tempdir().unwrap();
        let (build, other) = (directory.path().join("build"), directory.path().join("other"));
        std::fs::create_dir(&build).unwrap();
        std::fs::create_dir(&other).unwrap();
        std::fs::write(build.join("liba.so"), "").unwrap();
        std::fs::write(other.join("libb.so"), "").unwrap();
        std::os::unix::fs::symlink(build.join("liba.so"), other.join("liba.so")).unwrap();
        let overlay = Overlay::new(std::slice::from_ref(&build));
        assert!(
            overlay.hides(&build.join("liba.so")) && overlay.hides(&other.join("liba.so")) && overlay.hides(&build)
        );
        assert!(!overlay.hides(&other.join("libb.so")) && !overlay.hides(&build.join("none.so")));
    }
}
