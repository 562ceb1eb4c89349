//! Where a path of the process lies on this machine: there, or below the sysroot that stands for the process's `/`.
//!
//! Below a sysroot every symbolic link is followed as after chroot(2): an absolute one begins at the sysroot again, and `..`
//! does not lead out of it. Paths of this machine (the artifact, linked paths, `--ld-path`) stay what they are.

use super::inputs::LoaderInputs;
use super::overlay::Overlay;
use std::cell::RefCell;
use std::collections::HashMap;
use std::ffi::OsString;
use std::io::{Error, ErrorKind, Result};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

/// Linux gives up after as many symbolic links (path_resolution(7)).
const MOST_LINKS: usize = 40;

/// Whose `/` a path begins at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(super) enum View {
    /// The process's.
    Process,
    /// This machine's.
    Host,
}

/// The root directory of the process.
#[derive(Debug, Default)]
pub(super) struct Root {
    /// The sysroot as it was given, and its real path; `None` where the process sees this machine.
    sysroot: Option<(PathBuf, PathBuf)>,
    /// Directories of the process whose real path was found out.
    directories: RefCell<HashMap<PathBuf, Option<PathBuf>>>,
    /// What the process sees besides, and what it does not see.
    overlay: Option<Arc<Overlay>>,
}

impl Root {
    /// The root of a process that sees `sysroot`, or this machine.
    pub(super) fn new(sysroot: Option<&Path>) -> Self {
        let given = sysroot.filter(|path| *path != Path::new("/"));
        let sysroot = given.map(|path| (path.to_path_buf(), std::fs::canonicalize(path).unwrap_or(path.to_path_buf())));
        let sysroot = sysroot.filter(|(_, real)| real != Path::new("/"));
        Self { sysroot, directories: RefCell::default(), overlay: None }
    }

    /// The root of the process that `inputs` describe.
    pub(super) fn of(inputs: &LoaderInputs) -> Self {
        Self { overlay: inputs.overlay.clone(), ..Self::new(inputs.sysroot.as_deref()) }
    }

    /// What the process sees besides what there is.
    pub(super) fn overlay(&self) -> Option<&Overlay> {
        self.overlay.as_deref()
    }

    /// Whether the process sees another tree than this machine.
    pub(super) fn is_sysroot(&self) -> bool {
        self.sysroot.is_some()
    }

    /// How the process knows the absolute path `host` of this machine.
    pub(super) fn view(&self, host: &Path) -> (View, PathBuf) {
        let Some((given, real)) = &self.sysroot else { return (View::Process, host.to_path_buf()) };
        match host.strip_prefix(given).or_else(|_| host.strip_prefix(real)) {
            Ok(inside) => (View::Process, Path::new("/").join(inside)),
            Err(_) => (View::Host, host.to_path_buf()),
        }
    }

    /// The path of this machine under which `path` is spoken of: below the sysroot, `..` kept where it stays inside.
    pub(super) fn shown(&self, view: View, path: &Path) -> PathBuf {
        match &self.sysroot {
            Some((given, _)) if view == View::Process => given.join(below_root(path)),
            _ => path.to_path_buf(),
        }
    }

    /// As [`Root::shown`] for a file that is there: where a symbolic link would lead this machine elsewhere than the process,
    /// its real path.
    pub(super) fn shown_file(&self, view: View, path: &Path) -> PathBuf {
        let shown = self.shown(view, path);
        if self.sysroot.is_none() || view == View::Host {
            return shown;
        }
        match self.real(view, path) {
            Ok(real) if std::fs::canonicalize(&shown).ok().as_ref() != Some(&real) => real,
            _ => shown,
        }
    }

    /// The path by which this machine opens what the process calls `path`.
    ///
    /// # Errors
    /// When nothing is there, or a symbolic link leads in circles.
    pub(super) fn openable(&self, view: View, path: &Path) -> Result<PathBuf> {
        if self.sysroot.is_some() && view == View::Process {
            return self.real(view, path);
        }
        match &self.overlay {
            Some(overlay) => overlaid(overlay, path, || Ok(path.to_path_buf())),
            None => Ok(path.to_path_buf()),
        }
    }

    /// The real path, on this machine, of what the process calls `path`.
    ///
    /// # Errors
    /// As [`Root::openable`].
    pub(super) fn real(&self, view: View, path: &Path) -> Result<PathBuf> {
        let real = || match &self.sysroot {
            Some((_, real)) if view == View::Process => self.below(real, path),
            _ => std::fs::canonicalize(path),
        };
        match &self.overlay {
            Some(overlay) => overlaid(overlay, path, real),
            None => real(),
        }
    }

    /// Whether the process sees a directory at `path`.
    pub(super) fn is_directory(&self, view: View, path: &Path) -> bool {
        let overlaid = |path: &Path| self.overlay.as_ref().is_some_and(|overlay| overlay.is_directory(path));
        self.openable(view, path).is_ok_and(|path| overlaid(&path) || path.is_dir())
    }

    fn below(&self, root: &Path, path: &Path) -> Result<PathBuf> {
        let (Some(parent), Some(file)) = (path.parent(), path.file_name()) else { return walk(root, path) };
        // Many files are sought in few directories.
        let known = self.directories.borrow().get(parent).cloned();
        let directory = known.unwrap_or_else(|| {
            let found = walk(root, parent).ok();
            self.directories.borrow_mut().insert(parent.to_path_buf(), found.clone());
            found
        });
        let directory = directory.ok_or(Error::from(ErrorKind::NotFound))?;
        let inside = directory.strip_prefix(root).unwrap_or(Path::new(""));
        match std::fs::symlink_metadata(directory.join(file)) {
            Ok(metadata) if !metadata.is_symlink() => Ok(directory.join(file)),
            Ok(_) => walk(root, &inside.join(file)),
            Err(error) => Err(error),
        }
    }
}

/// What `overlay` makes of `path`, which leads to `real` without it.
fn overlaid(overlay: &Overlay, path: &Path, real: impl FnOnce() -> Result<PathBuf>) -> Result<PathBuf> {
    if let Some(known) = overlay.knows(path) {
        return Ok(known);
    }
    let real = real()?;
    if overlay.hides(&real) { Err(ErrorKind::NotFound.into()) } else { Ok(real) }
}

/// `path` without its root, and without any `..` that would lead above it.
fn below_root(path: &Path) -> PathBuf {
    let (mut kept, mut depth) = (PathBuf::new(), 0_usize);
    for component in path.components() {
        match component {
            Component::Normal(_) => depth += 1,
            Component::ParentDir if depth > 0 => depth -= 1,
            _ => continue,
        }
        kept.push(component);
    }
    kept
}

/// Follows `path` from `root`, link by link.
fn walk(root: &Path, path: &Path) -> Result<PathBuf> {
    let mut ahead: Vec<OsString> = Vec::new();
    let put = |ahead: &mut Vec<OsString>, path: &Path| {
        let parts = path.components().rev().filter(|part| matches!(part, Component::Normal(_) | Component::ParentDir));
        ahead.extend(parts.map(|part| part.as_os_str().to_os_string()));
    };
    put(&mut ahead, path);
    let (mut here, mut depth, mut links) = (root.to_path_buf(), 0_usize, 0_usize);
    while let Some(part) = ahead.pop() {
        if part == ".." {
            if depth > 0 {
                depth -= 1;
                here.pop();
            }
            continue;
        }
        let next = here.join(&part);
        if !std::fs::symlink_metadata(&next)?.is_symlink() {
            here = next;
            depth += 1;
            continue;
        }
        links += 1;
        if links > MOST_LINKS {
            return Err(rustix::io::Errno::LOOP.into());
        }
        let target = std::fs::read_link(&next)?;
        if target.is_absolute() {
            here = root.to_path_buf();
            depth = 0;
        }
        put(&mut ahead, &target);
    }
    Ok(here)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::symlink;

    /// A sysroot with `usr/lib/liba.so`, and links of every kind to it.
    fn tree() -> (tempfile::TempDir, PathBuf) {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap().join("root");
        std::fs::create_dir_all(root.join("usr/lib/deep")).unwrap();
        std::fs::write(root.join("usr/lib/liba.so"), "a").unwrap();
        std::fs::write(root.join("../outside"), "out").unwrap();
        symlink("/usr/lib", root.join("lib")).unwrap();
        symlink("usr/lib", root.join("lib64")).unwrap();
        symlink("../../../../../usr/lib/liba.so", root.join("usr/lib/libup.so")).unwrap();
        symlink("/lib/liba.so", root.join("usr/lib/libabs.so")).unwrap();
        symlink("../../../outside", root.join("usr/lib/libout.so")).unwrap();
        symlink("round.so", root.join("usr/lib/round.so")).unwrap();
        (directory, root)
    }

    #[test]
    fn links_stay_inside_the_sysroot() {
        let (_kept, path) = tree();
        let root = Root::new(Some(&path));
        let library = path.join("usr/lib/liba.so");
        for inside in [
            "/usr/lib/liba.so",
            "/lib/liba.so",
            "/lib64/liba.so",
            "/lib/libup.so",
            "/lib/libabs.so",
            "/../../usr/lib/liba.so",
            "/lib/deep/../liba.so",
        ] {
            assert_eq!(root.real(View::Process, Path::new(inside)).ok().as_ref(), Some(&library), "{inside}");
        }
        assert!(root.real(View::Process, Path::new("/lib/libout.so")).is_err(), "nothing of that name is inside");
        let round = root.real(View::Process, Path::new("/lib/round.so")).unwrap_err();
        assert_eq!(round.raw_os_error(), Some(rustix::io::Errno::LOOP.raw_os_error()));
        assert!(root.is_directory(View::Process, Path::new("/lib/deep")));
        assert!(!root.is_directory(View::Process, Path::new("/lib/liba.so")));
    }

    #[test]
    fn paths_are_shown_below_the_sysroot() {
        let (_kept, path) = tree();
        let root = Root::new(Some(&path));
        let shown =
            |inside: &str| root.shown_file(View::Process, Path::new(inside)).strip_prefix(&path).unwrap().to_path_buf();
        assert_eq!(shown("/lib64/liba.so"), Path::new("lib64/liba.so"), "a relative link is the same for this machine");
        assert_eq!(shown("/lib/liba.so"), Path::new("usr/lib/liba.so"), "an absolute one is not");
        assert_eq!(shown("/../lib64/../usr/lib/none.so"), Path::new("lib64/../usr/lib/none.so"));
        assert_eq!(root.view(&path.join("usr/lib")), (View::Process, PathBuf::from("/usr/lib")));
        assert_eq!(root.view(Path::new("/usr/lib")), (View::Host, PathBuf::from("/usr/lib")));
    }

    #[test]
    fn without_a_sysroot_nothing_changes() {
        for root in [Root::new(None), Root::new(Some(Path::new("/")))] {
            assert!(!root.is_sysroot());
            assert_eq!(root.view(Path::new("/a/b")), (View::Process, PathBuf::from("/a/b")));
            assert_eq!(root.shown_file(View::Process, Path::new("/a/../b")), Path::new("/a/../b"));
        }
    }
}
