//! The proof before the edit, and its confirmation after: every byte of the result that the proof looked at is read again.
//!
//! An edit in place leaves nothing of what was before to compare with. So the proof is made on the plan laid over the source;
//! what it read is remembered by its hash, and holds of the written file exactly if that reads the same.

use super::overlay::Overlay;
use super::{WAY_OUT, prove};
use crate::engine::file::ReadAt;
use crate::engine::repair::{EditPlan, EditRefusal};
use crate::engine::report::proof::Proof;
use crate::engine::{Error, Result};
use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::Path;
use std::sync::Mutex;

/// Bytes at the seams of an edit that are looked at besides.
const SEAM: u64 = 4096;

/// What an edit is expected to make of its file.
#[derive(Debug, Clone)]
pub struct Expected {
    proof: Proof,
    size: u64,
    /// Hashes by offset and length.
    read: BTreeMap<(u64, u64), u64>,
}

impl Expected {
    /// Proves `plan` on `source`, which is not yet edited.
    ///
    /// # Errors
    /// When `source` can't be read. A plan that does not pass is not an error: see [`Proof::failure`].
    pub fn of(source: &dyn ReadAt, plan: &EditPlan) -> Result<Self> {
        let overlay = Overlay::new(source, plan);
        let witness = Witness { source: &overlay, read: Mutex::default() };
        let proof = prove(source, &witness, plan)?;
        if let Some(insertion) = plan.insertion {
            // Whether all behind the insertion moved shows at both its ends.
            let behind = insertion.offset.saturating_add(insertion.length);
            for offset in [insertion.offset, behind, overlay.size().saturating_sub(SEAM)] {
                let length = SEAM.min(overlay.size().saturating_sub(offset));
                witness.bytes(offset, length)?;
            }
        }
        let read = witness.read.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner);
        Ok(Self { proof, size: overlay.size(), read })
    }

    /// The proof.
    #[must_use]
    pub fn proof(&self) -> &Proof {
        &self.proof
    }

    /// Why the edit is refused; `None` when it is proven.
    #[must_use]
    pub fn refusal(&self) -> Option<EditRefusal> {
        let reason = super::reason(self.proof.failure()?);
        Some(EditRefusal { reason, way_out: WAY_OUT.to_owned(), need: None, room: None })
    }

    /// Bytes that confirming reads.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.read.keys().fold(0, |sum, (_, length)| sum.saturating_add(*length))
    }

    /// Whether `after`, the edited file, is what was proven.
    ///
    /// # Errors
    /// [`Error::Refused`] when the proof failed already, [`Error::Changed`] when the file is another than was proven, and
    /// when it can't be read.
    pub fn confirm(&self, after: &dyn ReadAt) -> Result<()> {
        if let Some(EditRefusal { reason, way_out, .. }) = self.refusal() {
            return Err(Error::Refused { path: after.path().to_path_buf(), reason, way_out });
        }
        let changed = |what: String| Error::Changed { path: after.path().to_path_buf(), what };
        if after.size() != self.size {
            return Err(changed(format!("it has {} bytes after the edit, not {}", after.size(), self.size)));
        }
        for (&(offset, length), hash) in &self.read {
            if digest(&after.bytes(offset, length)?) != *hash {
                return Err(changed(format!(
                    "{length} bytes at {offset:#x} are not what the edit was to make of them"
                )));
            }
        }
        Ok(())
    }
}

/// A file whose reads are remembered.
struct Witness<'a> {
    source: &'a dyn ReadAt,
    read: Mutex<BTreeMap<(u64, u64), u64>>,
}

impl ReadAt for Witness<'_> {
    fn path(&self) -> &Path {
        self.source.path()
    }

    fn size(&self) -> u64 {
        self.source.size()
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        self.source.read_at(offset, buffer)?;
        let mut read = self.read.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        read.insert((offset, buffer.len() as u64), digest(buffer));
        Ok(())
    }
}

fn digest(bytes: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    bytes.hash(&mut hasher);
    hasher.finish()
}
