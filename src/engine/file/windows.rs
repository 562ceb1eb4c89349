//! Reading a file at offsets, a window at a time, so that a file that shrinks under us is an error and not a signal.

use crate::engine::{Error, Result};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

/// Random access to a file's bytes. Offsets and sizes are in bytes.
pub trait ReadAt: Send + Sync {
    /// The file's path, for errors.
    fn path(&self) -> &Path;

    /// The file's size when it was opened.
    fn size(&self) -> u64;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the file ends before `buffer` is full, [`Error::Io`] when the system refuses.
    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()>;

    /// The `length` bytes at `offset`. Nothing is allocated before the range is known to lie in the file.
    ///
    /// # Errors
    /// As [`ReadAt::read_at`].
    fn bytes(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let mut buffer = vec![0; length_within(self, offset, length)?];
        self.read_at(offset, &mut buffer)?;
        Ok(buffer)
    }
}

/// `length` as a number of bytes in memory, if as many lie in the file at `offset`.
fn length_within(source: &(impl ReadAt + ?Sized), offset: u64, length: u64) -> Result<usize> {
    let end = offset.checked_add(length).filter(|&end| end <= source.size());
    match (end, usize::try_from(length)) {
        (Some(_), Ok(length)) => Ok(length),
        _ => {
            let expected = format!("{length} bytes, but the file ends at {:#x}", source.size());
            Err(Error::malformed(source.path(), offset, expected))
        }
    }
}

const WINDOW: u64 = 8 * 1024;
const KEPT: usize = 32;

/// A file opened read-only and read in windows of 8 KiB, of which the last 32 are kept.
#[derive(Debug)]
pub struct Windows {
    path: PathBuf,
    file: File,
    size: u64,
    kept: Mutex<Vec<(u64, Vec<u8>)>>,
}

impl Windows {
    /// Opens `path` for reading.
    ///
    /// # Errors
    /// [`Error::Io`] when it can't be opened, [`Error::Refused`] when it is not a regular file.
    pub fn open(path: &Path) -> Result<Self> {
        let metadata = std::fs::metadata(path).map_err(Error::io("open", path))?;
        if !metadata.is_file() {
            return Err(Error::Refused {
                path: path.to_path_buf(),
                reason: "is not a regular file".into(),
                way_out: "name a file".into(),
            });
        }
        let file = File::open(path).map_err(Error::io("open", path))?;
        let size = file.metadata().map_err(Error::io("look at", path))?.len();
        Ok(Self { path: path.to_path_buf(), file, size, kept: Mutex::new(Vec::new()) })
    }

    /// The open `file`, to be called `path` in errors.
    ///
    /// # Errors
    /// [`Error::Io`] when its size can't be read.
    pub fn of(file: File, path: &Path) -> Result<Self> {
        let size = file.metadata().map_err(Error::io("look at", path))?.len();
        Ok(Self { path: path.to_path_buf(), file, size, kept: Mutex::new(Vec::new()) })
    }

    /// The open file, for what needs its descriptor.
    #[must_use]
    pub fn file(&self) -> &File {
        &self.file
    }

    /// The same into new memory, which is not cleared before.
    fn read_fresh(&self, mut offset: u64, length: usize) -> Result<Vec<u8>> {
        let mut bytes = Vec::with_capacity(length);
        while bytes.len() < length {
            match pread(&self.file, spare_capacity(&mut bytes), offset) {
                Ok(0) => {
                    let expected = format!("{length} bytes, but the file ends before");
                    return Err(Error::malformed(&self.path, offset, expected));
                }
                Ok(read) => offset += read as u64,
                Err(Errno::INTR) => {}
                Err(error) => return Err(Error::io("read", &self.path)(error.into())),
            }
        }
        bytes.truncate(length);
        Ok(bytes)
    }

    /// Fills `buffer` from `offset` on with what the file holds now, whatever was kept of it.
    ///
    /// # Errors
    /// As [`ReadAt::read_at`].
    pub fn read_direct(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(buffer, offset).map_err(|error| {
            if error.kind() == std::io::ErrorKind::UnexpectedEof {
                Error::malformed(&self.path, offset, format!("{} bytes, but the file ends before", buffer.len()))
            } else {
                Error::io("read", &self.path)(error)
            }
        })
    }
}

impl ReadAt for Windows {
    fn path(&self) -> &Path {
        &self.path
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn bytes(&self, offset: u64, length: u64) -> Result<Vec<u8>> {
        let room = length_within(self, offset, length)?;
        if length > WINDOW {
            return self.read_fresh(offset, room);
        }
        let mut buffer = vec![0; room];
        self.read_at(offset, &mut buffer)?;
        Ok(buffer)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let window = offset / WINDOW;
        let length = buffer.len() as u64;
        let ends_in_window =
            offset.checked_add(length).is_some_and(|end| end <= (window + 1) * WINDOW && end <= self.size);
        if !ends_in_window {
            return self.read_direct(offset, buffer);
        }
        let start = (offset - window * WINDOW) as usize;
        let range = start..start + buffer.len();
        let mut kept = self.kept.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if let Some(at) = kept.iter().position(|(number, _)| *number == window) {
            let entry = kept.remove(at);
            if let Some(bytes) = entry.1.get(range.clone()) {
                buffer.copy_from_slice(bytes);
            }
            kept.push(entry);
            return Ok(());
        }
        let bytes = self.read_fresh(window * WINDOW, WINDOW.min(self.size - window * WINDOW) as usize)?;
        if let Some(bytes) = bytes.get(range) {
            buffer.copy_from_slice(bytes);
        }
        if kept.len() == KEPT {
            kept.remove(0);
        }
        kept.push((window, bytes));
        Ok(())
    }
}

/// Bytes that are already in memory, read as if they were a file.
#[derive(Debug, Clone)]
pub struct MemoryBytes {
    path: PathBuf,
    bytes: Vec<u8>,
}

impl MemoryBytes {
    /// `bytes`, to be called `path` in errors.
    #[must_use]
    pub fn new(path: PathBuf, bytes: Vec<u8>) -> Self {
        Self { path, bytes }
    }
}

impl ReadAt for MemoryBytes {
    fn path(&self) -> &Path {
        &self.path
    }

    fn size(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let found = usize::try_from(offset).ok().and_then(|start| self.bytes.get(start..)?.get(..buffer.len()));
        match found {
            Some(bytes) => {
                buffer.copy_from_slice(bytes);
                Ok(())
            }
            None => {
                Err(Error::malformed(&self.path, offset, format!("{} bytes, but the file ends before", buffer.len())))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_read_what_the_file_holds_at_every_seam() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let content: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let windows = Windows::open(&path).unwrap();
        for (offset, length) in [(0, 10), (65_530, 12), (65_536, 65_536), (131_072, 68_928), (199_999, 1), (5, 0)] {
            let bytes = windows.bytes(offset, length).unwrap();
            assert_eq!(bytes, content[offset as usize..(offset + length) as usize]);
        }
        assert!(windows.bytes(199_999, 2).is_err());
        assert!(windows.bytes(u64::MAX, 2).is_err());
    }

    #[test]
    fn a_file_that_shrinks_is_an_error() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        std::fs::write(&path, vec![1; 100_000]).unwrap();
        let windows = Windows::open(&path).unwrap();
        File::create(&path).unwrap();
        assert!(matches!(windows.bytes(70_000, 100), Err(Error::Malformed { .. })));
    }
}
