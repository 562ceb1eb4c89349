//! A file as it will be after an edit, read before anything is written: the plan laid over the source.

use crate::engine::file::ReadAt;
use crate::engine::repair::{EditPlan, Insertion, Patch};
use crate::engine::{Error, Result};
use std::path::Path;

/// The file behind a source as a plan will make it.
pub struct Overlay<'a> {
    source: &'a dyn ReadAt,
    insertion: Insertion,
    /// By offset.
    patches: Vec<&'a Patch>,
    size: u64,
}

impl<'a> Overlay<'a> {
    /// `source` with the insertion and the patches of `plan`.
    #[must_use]
    pub fn new(source: &'a dyn ReadAt, plan: &'a EditPlan) -> Self {
        let insertion = plan.insertion.unwrap_or(Insertion { offset: source.size(), length: 0 });
        let mut overlay = Self::inserted(source, insertion);
        overlay.patches.extend(&plan.patches);
        overlay.patches.sort_by_key(|patch| patch.offset);
        overlay.size = plan.size_after.unwrap_or(overlay.size);
        overlay
    }

    /// `source` with `insertion` alone.
    #[must_use]
    pub fn inserted(source: &'a dyn ReadAt, insertion: Insertion) -> Self {
        Self { source, insertion, patches: Vec::new(), size: source.size().saturating_add(insertion.length) }
    }

    /// What stands at `offset` before the patches: the source's bytes, the insertion's zeros, zeros behind the old end.
    fn read_base(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let Insertion { offset: start, length } = self.insertion;
        let end = self.source.size().saturating_add(length);
        let within = |place: u64| place.saturating_sub(offset).min(buffer.len() as u64) as usize;
        let (zeros, behind, over) = (within(start), within(start.saturating_add(length)), within(end));
        if let Some(part) = buffer.get_mut(zeros..behind) {
            part.fill(0);
        }
        if let Some(part) = buffer.get_mut(over.max(behind)..) {
            part.fill(0);
        }
        if let Some(part) = buffer.get_mut(..zeros.min(over)).filter(|part| !part.is_empty()) {
            self.source.read_at(offset, part)?;
        }
        if let Some(part) = buffer.get_mut(behind..over).filter(|part| !part.is_empty()) {
            self.source.read_at(offset.saturating_add(behind as u64).saturating_sub(length), part)?;
        }
        Ok(())
    }
}

impl ReadAt for Overlay<'_> {
    fn path(&self) -> &Path {
        self.source.path()
    }

    fn size(&self) -> u64 {
        self.size
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let end = offset.checked_add(buffer.len() as u64).filter(|end| *end <= self.size).ok_or_else(|| {
            Error::malformed(self.path(), offset, format!("{} bytes, but the file ends before", buffer.len()))
        })?;
        self.read_base(offset, buffer)?;
        let end_of = |patch: &Patch| patch.offset.saturating_add(patch.bytes.len() as u64);
        let first = self.patches.partition_point(|patch| end_of(patch) <= offset);
        for patch in self.patches.iter().skip(first).take_while(|patch| patch.offset < end) {
            let skipped = offset.saturating_sub(patch.offset) as usize;
            let start = patch.offset.saturating_sub(offset) as usize;
            let bytes = patch.bytes.get(skipped..).unwrap_or_default();
            let place = buffer.get_mut(start..).unwrap_or_default();
            place.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    fn patch(offset: u64, bytes: &[u8]) -> Patch {
        Patch { offset, bytes: bytes.to_vec(), meaning: String::new() }
    }

    #[test]
    fn every_window_shows_the_edited_bytes() {
        let bytes: Vec<u8> = (1..=30).collect();
        let source = MemoryBytes::new("lib.so".into(), bytes.clone());
        for start in [0, 5, 30] {
            let mut plan = EditPlan::nothing(30);
            plan.insertion = Some(Insertion { offset: start, length: 4 });
            plan.patches = vec![patch(38, b"end"), patch(6, b"abc"), patch(9, b"de"), patch(33, b"x")];
            plan.size_after = Some(41);
            let mut wanted = bytes.clone();
            wanted.splice(start as usize..start as usize, [0; 4]);
            wanted.resize(41, 0);
            for patch in &plan.patches {
                let place = patch.offset as usize;
                wanted[place..place + patch.bytes.len()].copy_from_slice(&patch.bytes);
            }
            let overlay = Overlay::new(&source, &plan);
            for offset in 0..=41_u64 {
                for length in 0..=41 - offset {
                    let read = overlay.bytes(offset, length).unwrap();
                    assert_eq!(
                        read,
                        wanted[offset as usize..(offset + length) as usize],
                        "{start}: {offset}, {length}"
                    );
                }
            }
            assert!(overlay.bytes(40, 2).is_err() && overlay.bytes(u64::MAX, 2).is_err());
        }
    }

    #[test]
    fn a_plan_of_unknown_size_shows_the_source() {
        let source = MemoryBytes::new("lib.so".into(), vec![7; 9]);
        let plan = EditPlan { size_after: None, ..EditPlan::nothing(9) };
        let overlay = Overlay::new(&source, &plan);
        assert_eq!((overlay.size(), overlay.bytes(0, 9).unwrap()), (9, vec![7; 9]));
    }

    #[test]
    fn every_window_shows_the_spliced_bytes() {
        let bytes: Vec<u8> = (1..=40).collect();
        let source = MemoryBytes::new("lib.so".into(), bytes.clone());
        for start in [0, 7, 40] {
            let insertion = Insertion { offset: start, length: 5 };
            let mut wanted = bytes.clone();
            wanted.splice(start as usize..start as usize, [0; 5]);
            let shifted = Overlay::inserted(&source, insertion);
            for offset in 0..45_u64 {
                for length in 0..=45 - offset {
                    let read = shifted.bytes(offset, length).unwrap();
                    assert_eq!(read, wanted[offset as usize..(offset + length) as usize], "{offset}, {length}");
                }
            }
        }
    }
}
