//! A library read by pages: looking up a name touches a few places far from one another, for which the usual windows are
//! too wide, and there may be hundreds of libraries open at once.

use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use std::collections::HashMap;
use std::fs::File;
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

/// Bytes of a page.
const PAGE: u64 = 4096;
/// Pages that all libraries of one job keep together: 16 MiB.
const KEPT_BY_ALL: usize = 4096;
/// Pages that one library keeps at least.
const KEPT_BY_ONE: usize = 8;

/// A file read in pages of 4 KiB.
#[derive(Debug)]
pub(super) struct Pages {
    path: PathBuf,
    file: File,
    size: u64,
    most: usize,
    kept: Mutex<HashMap<u64, Vec<u8>>>,
}

impl Pages {
    /// Opens `path`, one of `files` that are open at once.
    ///
    /// # Errors
    /// [`Error::Io`] when it can't be opened.
    pub(super) fn open(path: &Path, files: usize) -> Result<Self> {
        let file = File::open(path).map_err(Error::io("open", path))?;
        let size = file.metadata().map_err(Error::io("look at", path))?.len();
        let most = KEPT_BY_ALL.checked_div(files).unwrap_or(KEPT_BY_ALL).max(KEPT_BY_ONE);
        Ok(Self { path: path.to_path_buf(), file, size, most, kept: Mutex::new(HashMap::new()) })
    }

    fn read_direct(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.file.read_exact_at(buffer, offset).map_err(|error| match error.kind() {
            std::io::ErrorKind::UnexpectedEof => {
                Error::malformed(&self.path, offset, format!("{} bytes, but the file ends before", buffer.len()))
            }
            _ => Error::io("read", &self.path)(error),
        })
    }
}

impl ReadAt for Pages {
    fn path(&self) -> &Path {
        &self.path
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let page = offset / PAGE;
        let end = offset.checked_add(buffer.len() as u64).filter(|&end| end <= self.size);
        if end.is_none_or(|end| end > (page + 1).saturating_mul(PAGE)) {
            return self.read_direct(offset, buffer);
        }
        let start = (offset % PAGE) as usize;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if !kept.contains_key(&page) {
            // Lookups come in no order that a finer choice could use.
            if kept.len() >= self.most {
                kept.clear();
            }
            let mut bytes = vec![0; PAGE.min(self.size - page * PAGE) as usize];
            self.read_direct(page * PAGE, &mut bytes)?;
            kept.insert(page, bytes);
        }
        if let Some(bytes) = kept.get(&page).and_then(|bytes| bytes.get(start..start + buffer.len())) {
            buffer.copy_from_slice(bytes);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_read_what_the_file_holds_also_when_few_are_kept() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("a");
        let content: Vec<u8> = (0..100_000u32).map(|number| (number % 251) as u8).collect();
        std::fs::write(&path, &content).unwrap();
        let pages = Pages::open(&path, KEPT_BY_ALL).unwrap();
        for round in 0..3 {
            for offset in (0..99_900).step_by(977 + round) {
                assert_eq!(pages.bytes(offset, 100).unwrap(), content[offset as usize..offset as usize + 100]);
            }
        }
        assert!(pages.kept.lock().unwrap().len() <= KEPT_BY_ONE);
        assert!(pages.bytes(99_999, 2).is_err() && pages.bytes(u64::MAX, 1).is_err());
    }
}
