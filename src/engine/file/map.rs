//! A file mapped into memory: one of the two places of the program with `unsafe`.

use super::ReadAt;
use crate::engine::{Error, Result};
use std::fs::File;
use std::path::{Path, PathBuf};

/// A read-only map of a file in our own staging, which no other program writes to.
#[derive(Debug)]
pub struct Mapped {
    path: PathBuf,
    map: memmap2::Mmap,
}

impl Mapped {
    /// Maps the staged file `path`.
    ///
    /// # Errors
    /// [`Error::Io`] when it can't be opened or mapped.
    #[expect(unsafe_code, reason = "mapping a file is unsafe by nature; the reason why it holds stands below")]
    pub fn staged(path: &Path) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        // SAFETY: the caller passes a file in our staging directory. Only this program writes there, and it edits by
        // replacing or under the session's lock while no map is alive, so the mapped bytes neither change nor shrink.
        let map = unsafe { memmap2::Mmap::map(&file) }.map_err(Error::io("map", path))?;
        Ok(Self { path: path.to_path_buf(), map })
    }

    /// All bytes of the file.
    #[must_use]
    pub fn as_slice(&self) -> &[u8] {
        &self.map
    }
}

impl ReadAt for Mapped {
    fn path(&self) -> &Path {
        &self.path
    }

    fn size(&self) -> u64 {
        self.map.len() as u64
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        match usize::try_from(offset).ok().and_then(|start| self.map.get(start..)?.get(..buffer.len())) {
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
