//! What a file keeps when its bytes are replaced: owner, mode, and extended attributes where the system lets us.

use crate::engine::{Error, Result};
use rustix::fs::{Gid, Uid, fchown, fgetxattr, flistxattr, fremovexattr, fsetxattr};
use std::ffi::OsString;
use std::fs::{File, Permissions};
use std::io::ErrorKind;
use std::os::unix::ffi::OsStringExt;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;

/// The largest list of names and the largest value that Linux has, in bytes (xattr(7)).
const LARGEST: usize = 64 * 1024;

/// A file's owner, mode and extended attributes.
#[derive(Debug, Clone)]
pub struct Attributes {
    uid: u32,
    gid: u32,
    mode: u32,
    extended: Vec<(OsString, Vec<u8>)>,
}

impl Attributes {
    /// Those of `file`, called `path` in errors.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn of(file: &File, path: &Path) -> Result<Self> {
        let metadata = file.metadata().map_err(Error::io("look at", path))?;
        let mode = metadata.permissions().mode() & 0o7777;
        Ok(Self { uid: metadata.uid(), gid: metadata.gid(), mode, extended: extended(file) })
    }

    /// Gives `file` the owner, if that is another than it has.
    ///
    /// # Errors
    /// [`Error::Io`], also when we may not.
    pub fn give_owner(&self, file: &File, path: &Path) -> Result<()> {
        let metadata = file.metadata().map_err(Error::io("look at", path))?;
        if (metadata.uid(), metadata.gid()) == (self.uid, self.gid) {
            return Ok(());
        }
        fchown(file, Some(Uid::from_raw(self.uid)), Some(Gid::from_raw(self.gid)))
            .map_err(|error| Error::io("keep the owner of", path)(error.into()))
    }

    /// Gives `file` the extended attributes and the mode; last of all, since writing takes some of both away.
    ///
    /// # Errors
    /// [`Error::Io`] when the mode can't be kept where there are modes.
    pub fn give(&self, file: &File, path: &Path) -> Result<()> {
        let now = extended(file);
        for (name, _) in now.iter().filter(|(name, _)| !self.extended.iter().any(|(kept, _)| kept == name)) {
            let _ = fremovexattr(file, name);
        }
        for (name, value) in self.extended.iter().filter(|kept| !now.contains(kept)) {
            let _ = fsetxattr(file, name, value, rustix::fs::XattrFlags::empty());
        }
        self.give_mode(file, path)
    }

    /// Gives `file` the mode.
    ///
    /// # Errors
    /// As [`Attributes::give`].
    pub fn give_mode(&self, file: &File, path: &Path) -> Result<()> {
        set_mode(file, path, self.mode)
    }
}

/// Gives `file` the permission bits `mode`, if it has others.
///
/// # Errors
/// [`Error::Io`]; not where the filesystem knows no modes (FAT).
pub fn set_mode(file: &File, path: &Path, mode: u32) -> Result<()> {
    let now = file.metadata().map_err(Error::io("look at", path))?.permissions().mode() & 0o7777;
    if now == mode {
        return Ok(());
    }
    match file.set_permissions(Permissions::from_mode(mode)) {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => Ok(()),
        set => set.map_err(Error::io("keep the mode of", path)),
    }
}

/// The extended attributes that can be read, in the system's order.
fn extended(file: &File) -> Vec<(OsString, Vec<u8>)> {
    let mut buffer = vec![0; LARGEST];
    let names = match flistxattr(file, buffer.as_mut_slice()) {
        Ok(length) => buffer.get(..length).unwrap_or_default().to_vec(),
        Err(_) => return Vec::new(),
    };
    let mut found = Vec::new();
    for name in names.split(|&byte| byte == 0).filter(|name| !name.is_empty()) {
        let name = OsString::from_vec(name.to_vec());
        if let Ok(length) = fgetxattr(file, &name, buffer.as_mut_slice()) {
            found.push((name, buffer.get(..length).unwrap_or_default().to_vec()));
        }
    }
    found
}
