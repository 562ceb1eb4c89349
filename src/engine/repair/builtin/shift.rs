//! What is known of a file, as it is after a plan's insertion: every offset behind it counted on.

use super::padding::Padding;
use crate::engine::repair::Insertion;
use crate::engine::repair::facts::Facts;
use goblin::elf::section_header::SHF_ALLOC;

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
    for need in &mut after.records.needs {
        shift(&mut need.offset, None);
    }
    shift(&mut after.tables.header.e_shoff, None);
    shift(&mut after.strings_offset, None);
    shift(&mut after.dynamic.0, Some(facts.dynamic_address));
    after.tables.dynamic_range = Some(after.dynamic);
    after.size = facts.size.saturating_add(insertion.length);
    after
}
