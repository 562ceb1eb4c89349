//! Copying a file to a new name: by sharing its blocks where the filesystem can, else byte by byte with holes kept.

use crate::engine::{Context, Error, Result};
use std::fs::{File, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::Path;

/// How a copy was made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CopyMethod {
    /// The new file shares the old one's blocks; no data was moved.
    Reflink,
    /// The data was read and written.
    Copy,
}

/// Makes `to`, which must not exist, a copy of `from` with the same permission bits.
///
/// # Errors
/// [`Error::Io`] when `to` exists or the system refuses, [`Error::Cancelled`]; nothing is left at `to` then.
pub fn reflink_or_copy(from: &Path, to: &Path, context: &Context) -> Result<CopyMethod> {
    match reflink_copy::reflink(from, to) {
        Ok(()) => {
            let mode = std::fs::metadata(from).map_err(Error::io("look at", from));
            let kept = mode.and_then(|mode| keeps_mode(std::fs::set_permissions(to, mode.permissions()), to));
            if kept.is_err() {
                let _ = std::fs::remove_file(to);
            }
            kept.map(|()| CopyMethod::Reflink)
        }
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => Err(Error::io("create", to)(error)),
        Err(_) => copy_sparse(from, to, context).map(|()| CopyMethod::Copy),
    }
}

/// Copies `from` to `to`, which must not exist; what is a hole in `from` is a hole in `to`.
///
/// # Errors
/// As [`reflink_or_copy`].
pub fn copy_sparse(from: &Path, to: &Path, context: &Context) -> Result<()> {
    let source = File::open(from).map_err(Error::io("open", from))?;
    let metadata = source.metadata().map_err(Error::io("look at", from))?;
    let target = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(metadata.permissions().mode())
        .open(to)
        .map_err(Error::io("create", to))?;
    let copied = copy_data(&source, from, &target, to, metadata.len(), context).and_then(|()| {
        // The mode given to open() went through the umask.
        keeps_mode(target.set_permissions(metadata.permissions()), to)
    });
    if copied.is_err() {
        let _ = std::fs::remove_file(to);
    }
    copied
}

/// A filesystem that knows no modes (FAT) says so with EPERM; the copy is none the worse there.
fn keeps_mode(set: std::io::Result<()>, to: &Path) -> Result<()> {
    match set {
        Err(error) if matches!(error.kind(), ErrorKind::PermissionDenied | ErrorKind::Unsupported) => Ok(()),
        other => other.map_err(Error::io("set the mode of", to)),
    }
}

/// Makes `target` share the blocks of `source`, whatever it held; `None`, and nothing changed, where the filesystem can't.
#[must_use]
pub fn clone_data(source: &File, target: &File) -> Option<()> {
    #[cfg(target_os = "linux")]
    {
        rustix::fs::ioctl_ficlone(target, source).ok()
    }
    #[cfg(not(target_os = "linux"))]
    {
        let _ = (source, target);
        None
    }
}

/// Copies the first `size` bytes of `source` into the empty file `target`; what is a hole stays one. Counts on `context`.
///
/// # Errors
/// [`Error::Changed`] when `source` is shorter, [`Error::Io`], [`Error::Cancelled`].
pub fn copy_data(source: &File, from: &Path, target: &File, to: &Path, size: u64, context: &Context) -> Result<()> {
    target.set_len(size).map_err(Error::io("size", to))?;
    let mut buffer = vec![0; 1 << 20];
    let mut offset = 0;
    while offset < size {
        let (start, end) = next_data(source, offset, size);
        let mut position = start;
        while position < end {
            let wanted = usize::try_from(end - position).map_or(buffer.len(), |rest| rest.min(buffer.len()));
            let window = buffer.get_mut(..wanted).unwrap_or_default();
            let count = source.read_at(window, position).map_err(Error::io("read", from))?;
            if count == 0 {
                return Err(Error::Changed {
                    path: from.to_path_buf(),
                    what: format!("it ended at {position} of {size} bytes"),
                });
            }
            target.write_all_at(window.get(..count).unwrap_or_default(), position).map_err(Error::io("write", to))?;
            position += count as u64;
            context.advance(count as u64)?;
        }
        offset = end.max(offset + 1);
    }
    Ok(())
}

/// The next stretch of data at or after `offset`; everything is data where the filesystem can't tell.
fn next_data(source: &File, offset: u64, size: u64) -> (u64, u64) {
    use rustix::fs::SeekFrom;
    match rustix::fs::seek(source, SeekFrom::Data(offset)) {
        Ok(start) => {
            let end = rustix::fs::seek(source, SeekFrom::Hole(start)).unwrap_or(size);
            (start, end.min(size).max(start))
        }
        Err(rustix::io::Errno::NXIO) => (size, size),
        Err(_) => (offset, size),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::MetadataExt;

    #[test]
    fn a_copy_keeps_bytes_mode_and_holes() {
        let directory = tempfile::tempdir().unwrap();
        let from = directory.path().join("from");
        let file = File::create(&from).unwrap();
        file.set_len(64 << 20).unwrap();
        file.write_all_at(b"head", 0).unwrap();
        file.write_all_at(b"tail", (64 << 20) - 4).unwrap();
        file.set_permissions(std::fs::Permissions::from_mode(0o751)).unwrap();
        let to = directory.path().join("to");
        copy_sparse(&from, &to, &Context::new()).unwrap();
        assert_eq!(std::fs::read(&from).unwrap(), std::fs::read(&to).unwrap());
        let metadata = std::fs::metadata(&to).unwrap();
        assert_eq!(metadata.mode() & 0o777, 0o751);
        assert!(metadata.blocks() <= file.metadata().unwrap().blocks() + 16);
        assert!(copy_sparse(&from, &to, &Context::new()).is_err(), "an existing target is never overwritten");
    }

    #[test]
    fn a_cancelled_copy_leaves_nothing() {
        let directory = tempfile::tempdir().unwrap();
        let from = directory.path().join("from");
        std::fs::write(&from, "some bytes").unwrap();
        let context = Context::new();
        context.cancel();
        let to = directory.path().join("to");
        assert!(matches!(copy_sparse(&from, &to, &context), Err(Error::Cancelled)));
        assert!(!to.exists());
    }
}
