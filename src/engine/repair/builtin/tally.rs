//! Counting what planning reads, so that a plan can say what applying it costs.

use crate::engine::Result;
use crate::engine::file::ReadAt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// A file whose reads are counted.
pub(super) struct Tally<'a> {
    source: &'a dyn ReadAt,
    bytes: AtomicU64,
}

impl<'a> Tally<'a> {
    /// Counts the reads of `source`, from none on.
    pub fn of(source: &'a dyn ReadAt) -> Self {
        Self { source, bytes: AtomicU64::new(0) }
    }

    /// The bytes read so far.
    pub fn bytes_read(&self) -> u64 {
        self.bytes.load(Ordering::Relaxed)
    }
}

impl ReadAt for Tally<'_> {
    fn path(&self) -> &Path {
        self.source.path()
    }

    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.bytes.fetch_add(buffer.len() as u64, Ordering::Relaxed);
        self.source.read_at(offset, buffer)
    }
}
