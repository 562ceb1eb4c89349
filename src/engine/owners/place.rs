//! Where a file really lies: its directory with every symbolic link resolved, so that a database which says
//! `/lib/x86_64-linux-gnu/libc.so.6` and a loader that found `/usr/lib/x86_64-linux-gnu/libc.so.6` mean the same file.
//!
//! Below a sysroot links are followed as after chroot(2). Paths are spoken of as seen from that root. Databases are read by
//! others.

use std::collections::HashMap;
use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// How many symbolic links one path may lead through; the kernel's own bound (path_resolution(7)).
const LINKS: usize = 40;
/// How many directories are remembered, so that a hostile database does not fill the memory.
const REMEMBERED: usize = 100_000;
/// Longer paths are none: `PATH_MAX` of Linux.
const LONGEST: usize = 4096;

/// A name in a directory whose path has no symbolic link in it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    /// The directory, seen from the root; absolute.
    pub(super) directory: PathBuf,
    /// The last component.
    pub(super) base: Vec<u8>,
}

/// The tree of files that the databases speak of.
#[derive(Debug)]
pub(super) struct Root {
    /// Its directory as it was given, and its real path; `None` for this machine's own root.
    sysroot: Option<(PathBuf, PathBuf)>,
    resolved: Mutex<HashMap<PathBuf, Option<PathBuf>>>,
}

impl Root {
    /// This machine's own root, or that of a sysroot.
    pub(super) fn new(sysroot: Option<&Path>) -> Self {
        let given = sysroot.map(|path| {
            let real = std::fs::canonicalize(path).unwrap_or_else(|_| path.to_path_buf());
            (path.to_path_buf(), real)
        });
        Self { sysroot: given.filter(|(_, real)| real != Path::new("/")), resolved: Mutex::default() }
    }

    /// `path` of this machine as seen from the root; `None` for what lies outside, and for a relative path.
    pub(super) fn inside(&self, path: &Path) -> Option<PathBuf> {
        let absolute = Some(path).filter(|path| path.is_absolute())?;
        match &self.sysroot {
            None => Some(absolute.to_path_buf()),
            Some((given, real)) => {
                let rest = absolute.strip_prefix(given).or_else(|_| absolute.strip_prefix(real)).ok()?;
                Some(Path::new("/").join(rest))
            }
        }
    }

    /// The path of this machine of `inside`, whose directories have no symbolic link in them.
    pub(super) fn outside(&self, inside: &Path) -> PathBuf {
        match &self.sysroot {
            None => inside.to_path_buf(),
            Some((_, real)) => real.join(inside.strip_prefix("/").unwrap_or(inside)),
        }
    }

    /// Where `path` (seen from the root) names something: its directory resolved, the last component as it is.
    pub(super) fn place(&self, path: &Path) -> Option<Place> {
        let base = path.file_name()?.as_bytes().to_vec();
        let parent = path.parent().unwrap_or(Path::new("/"));
        let directory = self.directory(parent).unwrap_or_else(|| parent.to_path_buf());
        Some(Place { directory, base })
    }

    /// Where the file behind `path` really lies; `None` when there is none.
    pub(super) fn real_place(&self, path: &Path) -> Option<Place> {
        let real = self.resolve(path)?;
        let base = real.file_name()?.as_bytes().to_vec();
        Some(Place { directory: real.parent().unwrap_or(Path::new("/")).to_path_buf(), base })
    }

    /// Whether `listed`, a directory as a database spells it, is the directory `real`.
    pub(super) fn is(&self, listed: &[u8], real: &Path) -> bool {
        let listed = Path::new(OsStr::from_bytes(if listed.is_empty() { b"/" } else { listed }));
        listed == real || self.directory(listed).is_some_and(|directory| directory == real)
    }

    /// `path` without symbolic links; remembered, since databases name one directory many times.
    pub(super) fn directory(&self, path: &Path) -> Option<PathBuf> {
        let resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner).get(path).cloned();
        resolved.unwrap_or_else(|| {
            let real = self.resolve(path);
            let mut resolved = self.resolved.lock().unwrap_or_else(PoisonError::into_inner);
            if resolved.len() >= REMEMBERED {
                resolved.clear();
            }
            resolved.insert(path.to_path_buf(), real.clone());
            real
        })
    }

    fn resolve(&self, path: &Path) -> Option<PathBuf> {
        let mut open = steps(path)?;
        let mut real = PathBuf::from("/");
        let mut links = 0;
        while let Some(step) = open.pop() {
            let Step::Into(name) = step else {
                real.pop();
                continue;
            };
            let next = real.join(OsStr::from_bytes(&name));
            match std::fs::read_link(self.outside(&next)) {
                Ok(target) => {
                    links += 1;
                    if target.is_absolute() {
                        real = PathBuf::from("/");
                    }
                    open.extend(steps(&target).filter(|_| links <= LINKS)?);
                }
                // EINVAL says that it is there and no symbolic link.
                Err(error) if error.kind() == std::io::ErrorKind::InvalidInput => real = next,
                Err(_) => return None,
            }
        }
        Some(real)
    }
}

enum Step {
    Into(Vec<u8>),
    Up,
}

/// The components of `path`, the last one first.
fn steps(path: &Path) -> Option<Vec<Step>> {
    if path.as_os_str().len() > LONGEST {
        return None;
    }
    let steps = path.components().rev().filter_map(|component| match component {
        Component::Normal(name) => Some(Step::Into(name.as_bytes().to_vec())),
        Component::ParentDir => Some(Step::Up),
        _ => None,
    });
    Some(steps.collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    fn place(directory: &str, base: &str) -> Option<Place> {
        Some(Place { directory: directory.into(), base: base.as_bytes().to_vec() })
    }

    #[test]
    fn links_stay_inside_the_sysroot() {
        let scratch = tempfile::tempdir().unwrap();
        let sysroot = scratch.path();
        std::fs::create_dir_all(sysroot.join("usr/lib/deep")).unwrap();
        std::fs::write(sysroot.join("usr/lib/libz.so.1.2"), "").unwrap();
        symlink("usr/lib", sysroot.join("lib")).unwrap();
        symlink("/usr/lib/libz.so.1.2", sysroot.join("usr/lib/libz.so.1")).unwrap();
        symlink("../../../../../lib/libz.so.1", sysroot.join("usr/lib/deep/up")).unwrap();
        symlink("loop", sysroot.join("usr/lib/loop")).unwrap();
        let root = Root::new(Some(sysroot));
        let cases = [
            ("lib/libz.so.1", place("/usr/lib", "libz.so.1"), place("/usr/lib", "libz.so.1.2")),
            ("usr/lib/deep/up", place("/usr/lib/deep", "up"), place("/usr/lib", "libz.so.1.2")),
            ("lib/loop", place("/usr/lib", "loop"), None),
            ("lib/none", place("/usr/lib", "none"), None),
            ("no/such", place("/no", "such"), None),
        ];
        for (path, name, real) in cases {
            let inside = root.inside(&sysroot.join(path)).unwrap();
            assert_eq!((root.place(&inside), root.real_place(&inside)), (name, real), "{path}");
        }
        assert!(root.is(b"/lib/deep/..", Path::new("/usr/lib")) && !root.is(b"/usr", Path::new("/usr/lib")));
        assert_eq!(root.inside(Path::new("/elsewhere/libz.so")), None);
        assert_eq!(Root::new(None).inside(Path::new("usr/lib")), None);
    }
}
