//! Carrying actions out and taking them back: the only module that changes files outside the journal.
//!
//! Nothing is ever overwritten. Going back heeds what others did meanwhile: a newer file of cargo's stays where it is, and
//! ours is kept aside and named.

use super::effect::Action;
use super::places::{Places, private_of};
use crate::engine::file::{Identity, reflink_or_copy};
use crate::engine::repair::Editor;
use crate::engine::{Context, Error, Result};
use rustix::io::Errno;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

/// Why an action was not carried out.
#[derive(Debug)]
pub enum Obstacle {
    /// The kernel won't do it this way here; the step is to be planned again.
    Kernel(KernelRefusal),
    /// It went wrong.
    Failed(Error),
}

/// What a kernel refuses in a way that planning can heed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KernelRefusal {
    /// A rename across filesystems (EXDEV).
    OtherFilesystem,
    /// A hard link (EPERM, EOPNOTSUPP, EMLINK).
    NoHardLinks,
    /// A symbolic link (EPERM, EOPNOTSUPP).
    NoSymlinks,
}

impl From<Error> for Obstacle {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

/// How an edit is taken back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditUndo {
    /// By a new clone of the clean bytes: the session goes on.
    Clone,
    /// Not at all: the edited file itself goes away with the rest of the session.
    Drop,
}

/// What taking an action back came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TakenBack {
    /// It was undone.
    Done,
    /// There was nothing to undo.
    Nothing,
    /// Something newer was in the place; our file now has this name.
    KeptAside(PathBuf),
}

/// Applies actions and takes them back.
#[derive(Clone, Copy)]
pub struct Hands<'a> {
    /// Where the session may write.
    pub places: &'a Places,
    /// The editor of binaries.
    pub editor: &'a dyn Editor,
    /// Progress and cancellation.
    pub context: &'a Context,
}

/// The identity that the journal keeps with `action`: of what it starts from, or, where a name is displaced, of the file that
/// has it.
///
/// # Errors
/// When the system can't say.
pub fn identity_before(action: &Action) -> Result<Option<Identity>> {
    match action {
        Action::Rename { displaces: Some(kept), .. } => Identity::of(kept),
        _ => Identity::of(action.path()),
    }
}

impl Hands<'_> {
    /// Carries `action` out; `before` is what [`identity_before`] said when the step was planned.
    ///
    /// # Errors
    /// [`Obstacle::Kernel`] when it must be planned differently; [`Obstacle::Failed`] with [`Error::Changed`] when a file is
    /// no longer the planned one, [`Error::Refused`] for an edit outside of our own files, [`Error::Io`].
    pub fn apply(&self, action: &Action, before: Option<&Identity>) -> Result<(), Obstacle> {
        match (before, identity_before(action)?) {
            (Some(before), Some(now)) if !now.unchanged_since(before) => {
                return Err(changed(action.path(), "it is another file than when the step was planned").into());
            }
            (Some(_), None) => return Err(changed(action.path(), "it is gone").into()),
            _ => {}
        }
        match action {
            Action::Mkdir { path } => Ok(std::fs::create_dir(path).map_err(Error::io("create", path))?),
            Action::Rename { from, to, displaces: None } => {
                rename_without_replacing(from, to).map_err(|errno| match errno {
                    Errno::XDEV => Obstacle::Kernel(KernelRefusal::OtherFilesystem),
                    Errno::EXIST => changed(to, "something is there now").into(),
                    other => Error::io("rename", from)(other.into()).into(),
                })
            }
            Action::Rename { from, to, displaces: Some(kept) } => {
                let gives_way = Identity::of(to)?;
                if !is_inode(kept, before)?
                    || gives_way.is_some_and(|file| !before.is_some_and(|one| file.same_inode(one)))
                {
                    return Err(changed(kept, "it no longer names the file that gives way").into());
                }
                Ok(std::fs::rename(from, to).map_err(Error::io("rename", from))?)
            }
            Action::Link { from, to } => std::fs::hard_link(from, to).map_err(|error| match errno(&error) {
                Some(Errno::PERM | Errno::OPNOTSUPP | Errno::MLINK | Errno::XDEV) => {
                    Obstacle::Kernel(KernelRefusal::NoHardLinks)
                }
                Some(Errno::EXIST) => changed(to, "something is there now").into(),
                _ => Error::io("link", to)(error).into(),
            }),
            Action::ReflinkOrCopy { from, to, .. } => {
                reflink_or_copy(from, to, self.context)?;
                Ok(())
            }
            Action::Unlink { path, trash } => {
                rename_without_replacing(path, trash).map_err(|errno| Error::io("remove", path)(errno.into()).into())
            }
            Action::Symlink { path, target } => {
                std::os::unix::fs::symlink(target, path).map_err(|error| match errno(&error) {
                    Some(Errno::PERM | Errno::OPNOTSUPP) => Obstacle::Kernel(KernelRefusal::NoSymlinks),
                    _ => Error::io("link", path)(error).into(),
                })
            }
            Action::SetMode { path, mode } => {
                self.own_file(path)?;
                let mode = std::fs::Permissions::from_mode(*mode);
                Ok(std::fs::set_permissions(path, mode).map_err(Error::io("set the mode of", path))?)
            }
            Action::Edit { path, plan, .. } => {
                self.own_file(path)?;
                match plan {
                    Some(plan) => Ok(self.editor.apply(path, plan, self.context)?),
                    None => Err(refused(path, "the edit has no plan", "plan the step again").into()),
                }
            }
        }
    }

    /// Takes `action` back, whether it was carried out whole, in part or not at all.
    ///
    /// # Errors
    /// [`Error::Io`] when the system refuses; taking back can then be tried again.
    pub fn take_back(&self, action: &Action, before: Option<&Identity>, edits: EditUndo) -> Result<TakenBack> {
        match action {
            // When everything goes, clean bytes that are at their own path stay there.
            Action::Rename { from, to, displaces: None } | Action::Link { from, to }
                if edits == EditUndo::Drop && self.places.in_staging(from) && !self.places.in_staging(to) =>
            {
                Ok(TakenBack::Nothing)
            }
            Action::Mkdir { path } => match std::fs::remove_dir(path) {
                Ok(()) => Ok(TakenBack::Done),
                // Others' files in it are a reason to leave it, not an error.
                Err(_) => Ok(TakenBack::Nothing),
            },
            Action::Rename { from, to, displaces: None } => self.rename_back(from, to, before),
            Action::Rename { from, to, displaces: Some(kept) } => {
                // The file that gave way is there again when this was taken back before.
                if Identity::of(from)?.is_some() || Identity::of(to)?.is_none() || is_inode(to, before)? {
                    return Ok(TakenBack::Nothing);
                }
                std::fs::rename(to, from).map_err(Error::io("rename", to))?;
                if is_inode(kept, before)? {
                    match std::fs::hard_link(kept, to) {
                        // Without hard links the name had been given up before, and comes back with that action.
                        Err(error) if matches!(errno(&error), Some(Errno::PERM | Errno::OPNOTSUPP)) => {}
                        linked => linked.map_err(Error::io("link", to))?,
                    }
                }
                Ok(TakenBack::Done)
            }
            Action::Link { from, to } => {
                if is_inode(from, before)? && is_inode(to, before)? {
                    remove(to)
                } else {
                    Ok(TakenBack::Nothing)
                }
            }
            Action::ReflinkOrCopy { to, .. } => {
                if self.places.in_staging(to) && Identity::of(to)?.is_some() {
                    remove(to)
                } else {
                    Ok(TakenBack::Nothing)
                }
            }
            Action::Unlink { path, trash } => {
                if Identity::of(trash)?.is_none() {
                    return Ok(TakenBack::Nothing);
                }
                self.rename_back(path, trash, Identity::of(trash)?.as_ref())
            }
            Action::Symlink { path, target } => match std::fs::read_link(path) {
                Ok(found) if found == *target => remove(path),
                _ => Ok(TakenBack::Nothing),
            },
            Action::SetMode { .. } => Ok(TakenBack::Nothing),
            Action::Edit { path, clean, .. } => match edits {
                EditUndo::Drop => self.drop_private(path),
                EditUndo::Clone => self.clone_again(path, clean),
            },
        }
    }

    fn rename_back(&self, from: &Path, to: &Path, before: Option<&Identity>) -> Result<TakenBack> {
        if !is_inode(to, before)? {
            return Ok(TakenBack::Nothing);
        }
        match Identity::of(from)? {
            None => match rename_without_replacing(to, from) {
                Ok(()) => Ok(TakenBack::Done),
                Err(Errno::EXIST) => self.rename_back(from, to, before),
                Err(errno) => Err(Error::io("rename", to)(errno.into())),
            },
            Some(there) if before.is_some_and(|before| there.same_inode(before)) => remove(to),
            // Clean bytes at their own path are where they shall be.
            Some(_) if self.places.in_staging(from) && !self.places.in_staging(to) => Ok(TakenBack::Nothing),
            Some(_) => self.keep_aside(to).map(TakenBack::KeptAside),
        }
    }

    /// Moves `path`, whose place is taken, where it is out of the way and can be found.
    fn keep_aside(&self, path: &Path) -> Result<PathBuf> {
        let directory = self.places.kept();
        std::fs::create_dir_all(&directory).map_err(Error::io("create", &directory))?;
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        for number in 1_u32.. {
            let kept = directory.join(format!("{name}.{number}"));
            match rename_without_replacing(path, &kept) {
                Ok(()) => return Ok(kept),
                Err(Errno::EXIST) => {}
                Err(errno) => return Err(Error::io("keep aside", path)(errno.into())),
            }
        }
        Err(refused(path, "no free name to keep it under", "empty the folder of kept files"))
    }

    /// Makes `path`, which an edit changed, a copy of `clean` again.
    fn clone_again(&self, path: &Path, clean: &Path) -> Result<TakenBack> {
        let private = private_of(path);
        let now = Identity::of(path)?;
        // An edit of such a file is refused, so that there is none to undo.
        if !self.places.in_staging(path) || now.is_some_and(|now| !now.is_file() || now.links != 1) {
            return Ok(TakenBack::Nothing);
        }
        self.drop_private(path)?;
        if Identity::of(clean)?.is_none() {
            // There is nothing left that the edit could be undone to.
            return if now.is_some() { remove(path) } else { Ok(TakenBack::Nothing) };
        }
        match reflink_or_copy(clean, &private, self.context) {
            // The edited copy is what fills the disk, and the clean bytes are elsewhere.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::StorageFull && now.is_some() => {
                remove(path)?;
                reflink_or_copy(clean, &private, self.context)?;
            }
            other => {
                other?;
            }
        }
        std::fs::rename(&private, path).map_err(Error::io("rename", &private))?;
        Ok(TakenBack::Done)
    }

    fn drop_private(&self, path: &Path) -> Result<TakenBack> {
        let private = private_of(path);
        if self.places.in_staging(&private) && Identity::of(&private)?.is_some() {
            remove(&private)
        } else {
            Ok(TakenBack::Nothing)
        }
    }

    /// Refuses to touch a file that is not ours alone.
    fn own_file(&self, path: &Path) -> Result<()> {
        if !self.places.in_staging(path) {
            return Err(refused(path, "lies outside staging", "stage it first"));
        }
        match Identity::of(path)? {
            Some(identity) if !identity.is_file() => Err(refused(path, "is not a regular file", "stage it again")),
            Some(identity) if identity.links != 1 => Err(refused(
                path,
                &format!("has {} names, and an edit would reach all of them", identity.links),
                "take the copy-back step first",
            )),
            Some(_) => Ok(()),
            None => Err(changed(path, "it is gone")),
        }
    }
}

fn is_inode(path: &Path, before: Option<&Identity>) -> Result<bool> {
    Ok(match (Identity::of(path)?, before) {
        (Some(now), Some(before)) => now.same_inode(before),
        _ => false,
    })
}

fn remove(path: &Path) -> Result<TakenBack> {
    std::fs::remove_file(path).map_err(Error::io("remove", path))?;
    Ok(TakenBack::Done)
}

fn changed(path: &Path, what: &str) -> Error {
    Error::Changed { path: path.to_path_buf(), what: what.to_owned() }
}

fn refused(path: &Path, reason: &str, way_out: &str) -> Error {
    Error::Refused { path: path.to_path_buf(), reason: reason.to_owned(), way_out: way_out.to_owned() }
}

fn errno(error: &std::io::Error) -> Option<Errno> {
    error.raw_os_error().map(Errno::from_raw_os_error)
}

/// Renames without ever replacing what is at `to`.
fn rename_without_replacing(from: &Path, to: &Path) -> Result<(), Errno> {
    use rustix::fs::{CWD, RenameFlags, renameat_with};
    match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        Err(Errno::INVAL | Errno::NOSYS) => rename_without_the_flag(from, to),
        result => result,
    }
}

/// The same on a filesystem that can't do it at once: a link fails on an existing name just as well.
fn rename_without_the_flag(from: &Path, to: &Path) -> Result<(), Errno> {
    use rustix::fs::{AtFlags, CWD, linkat, unlinkat};
    match linkat(CWD, from, CWD, to, AtFlags::empty()) {
        // Without links either, looking first is what is left. Cargo's lock is held meanwhile.
        Err(Errno::PERM | Errno::OPNOTSUPP) => match std::fs::symlink_metadata(to) {
            Err(error) if error.kind() == ErrorKind::NotFound => rustix::fs::rename(from, to),
            Err(error) => Err(errno(&error).unwrap_or(Errno::IO)),
            Ok(_) => Err(Errno::EXIST),
        },
        Err(other) => Err(other),
        Ok(()) => unlinkat(CWD, from, AtFlags::empty()).inspect_err(|_| {
            // An action that failed has done nothing.
            let _ = unlinkat(CWD, to, AtFlags::empty());
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_rename_replaces_a_file_with_or_without_the_kernel_s_help() {
        for rename in [rename_without_replacing, rename_without_the_flag] {
            let directory = tempfile::tempdir().unwrap();
            let (one, two) = (directory.path().join("one"), directory.path().join("two"));
            std::fs::write(&one, "1").unwrap();
            std::fs::write(&two, "2").unwrap();
            assert_eq!(rename(&one, &two), Err(Errno::EXIST));
            assert_eq!((std::fs::read(&one).unwrap(), std::fs::read(&two).unwrap()), (b"1".to_vec(), b"2".to_vec()));
            std::fs::remove_file(&two).unwrap();
            rename(&one, &two).unwrap();
            assert!(!one.exists());
            assert_eq!(std::fs::read(&two).unwrap(), b"1");
        }
    }
}
