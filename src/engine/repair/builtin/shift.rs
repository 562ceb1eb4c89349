//! A file as it is after a plan's insertion: every offset behind it counted on, every byte read where it will stand.

use super::padding::Padding;
use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::repair::Insertion;
use crate::engine::repair::facts::Facts;
use goblin::elf::section_header::SHF_ALLOC;
use std::path::Path;

/// The facts of the file after `insertion` into `padding`.
pub(super) fn facts(facts: &Facts, padding: &Padding, insertion: Insertion) -> Facts {
    let mut after = facts.clone();
    let shift = |offset: &mut u64, address: Option<u64>| {
        if padding.moves(facts, *offset, address) {
            *offset = offset.saturating_add(insertion.length);
        }
    };
    for segment in &mut after.tables.segments {
        // What has no bytes has no place (PT_GNU_STACK).
        if segment.p_filesz > 0 || segment.p_offset > 0 {
            shift(&mut segment.p_offset, Some(segment.p_vaddr));
        }
    }
    for section in &mut after.tables.sections {
        let is_loaded = section.sh_flags & u64::from(SHF_ALLOC) != 0;
        shift(&mut section.sh_offset, is_loaded.then_some(section.sh_addr));
    }
    for version in &mut after.versions {
        shift(&mut version.offset, None);
    }
    shift(&mut after.tables.header.e_shoff, None);
    shift(&mut after.strings_offset, None);
    shift(&mut after.dynamic.0, Some(facts.dynamic_address));
    after.tables.dynamic_range = Some(after.dynamic);
    after.size = facts.size.saturating_add(insertion.length);
    after
}

/// A file read as it is after an insertion.
pub(super) struct Shifted<'a> {
    /// The file as it is.
    pub source: &'a dyn ReadAt,
    /// The insertion.
    pub insertion: Insertion,
}

impl ReadAt for Shifted<'_> {
    fn path(&self) -> &Path {
        self.source.path()
    }

    fn size(&self) -> u64 {
        self.source.size().saturating_add(self.insertion.length)
    }

    fn read_at(&self, offset: u64, buffer: &mut [u8]) -> Result<()> {
        let Insertion { offset: start, length } = self.insertion;
        let within = |from: u64| from.min(buffer.len() as u64) as usize;
        let zeros = within(start.saturating_sub(offset));
        let behind = within(start.saturating_add(length).saturating_sub(offset));
        if let Some(part) = buffer.get_mut(..zeros).filter(|part| !part.is_empty()) {
            self.source.read_at(offset, part)?;
        }
        if let Some(part) = buffer.get_mut(zeros..behind) {
            part.fill(0);
        }
        if let Some(part) = buffer.get_mut(behind..).filter(|part| !part.is_empty()) {
            self.source.read_at(offset.saturating_add(behind as u64).saturating_sub(length), part)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    #[test]
    fn every_window_shows_the_spliced_bytes() {
        let bytes: Vec<u8> = (1..=40).collect();
        let source = MemoryBytes::new("lib.so".into(), bytes.clone());
        for start in [0, 7, 40] {
            let insertion = Insertion { offset: start, length: 5 };
            let mut wanted = bytes.clone();
            wanted.splice(start as usize..start as usize, [0; 5]);
            let shifted = Shifted { source: &source, insertion };
            for offset in 0..45_u64 {
                for length in 0..=45 - offset {
                    let read = shifted.bytes(offset, length).unwrap();
                    assert_eq!(read, wanted[offset as usize..(offset + length) as usize], "{offset}, {length}");
                }
            }
        }
    }
}
