//! The segments that are mapped: order, alignment, overlap; and that all of before are still there.
//!
//! glibc's `_dl_map_object_from_fd` and Linux's `binfmt_elf` map each over what it shares pages with.

use super::plan::Laid;
use super::state::State;
use crate::engine::binary::elf::Segment;
use goblin::elf::program_header::{PF_W, PF_X, PT_DYNAMIC, PT_LOAD};

/// The smallest page of any machine that we know.
const LEAST_PAGE: u64 = 0x1000;

/// What is wrong with the `PT_LOAD`s of `state`.
pub(super) fn faults(state: &State<'_>) -> Vec<String> {
    let loads = state.loads();
    let limit = if state.tables().is_64 { u64::MAX } else { 1 << 32 };
    let mut faults = Vec::new();
    if loads.is_empty() {
        faults.push("there is no PT_LOAD".to_owned());
    }
    for load in &loads {
        let name = name(load);
        if load.p_align > 1 {
            if !load.p_align.is_power_of_two() {
                faults.push(format!("the alignment of {name} is no power of two"));
            } else if load.p_vaddr.wrapping_sub(load.p_offset) % load.p_align != 0 {
                faults.push(format!("the offset of {name} does not agree with its alignment"));
            }
        }
        if load.p_align < LEAST_PAGE {
            faults.push(format!("the alignment of {name} is less than a page"));
        }
        if load.p_filesz > load.p_memsz {
            faults.push(format!("{name} has more bytes than memory"));
        }
        if load.p_offset.checked_add(load.p_filesz).is_none_or(|end| end > state.source.size()) {
            faults.push(format!("{name} reaches beyond the file's end"));
        }
        if load.p_vaddr.checked_add(load.p_memsz).is_none_or(|end| end > limit) {
            faults.push(format!("{name} reaches beyond the end of the address space"));
        }
    }
    for pair in loads.windows(2) {
        if let [one, next] = pair
            && next.p_vaddr < one.p_vaddr
        {
            faults.push(format!("{} stands behind {}", name(next), name(one)));
        }
    }
    faults.extend(overlaps(&loads, state.page()));
    faults
}

fn overlaps(loads: &[&Segment], page: u64) -> Vec<String> {
    let mut faults = Vec::new();
    let mut by_address = loads.to_vec();
    by_address.sort_by_key(|load| load.p_vaddr);
    by_address.retain(|load| load.p_memsz > 0);
    let mut last: Option<&Segment> = None;
    for load in by_address {
        if let Some(below) = last {
            let end = below.p_vaddr.saturating_add(below.p_memsz);
            // Kernels with larger pages than a segment's alignment don't load it anyway.
            let page = page.min(below.p_align.min(load.p_align)).max(LEAST_PAGE);
            if load.p_vaddr < end {
                faults.push(format!("{} and {} overlap", name(below), name(load)));
            } else if load.p_vaddr / page == end.saturating_sub(1) / page {
                faults.push(format!("{} and {} share a page", name(below), name(load)));
            }
        }
        let ends_later =
            |below: &Segment| load.p_vaddr.saturating_add(load.p_memsz) > below.p_vaddr.saturating_add(below.p_memsz);
        if last.is_none_or(ends_later) {
            last = Some(load);
        }
    }
    let mut by_offset = loads.to_vec();
    by_offset.sort_by_key(|load| load.p_offset);
    by_offset.retain(|load| load.p_filesz > 0);
    for pair in by_offset.windows(2) {
        if let [below, load] = pair
            && load.p_offset < below.p_offset.saturating_add(below.p_filesz)
        {
            faults.push(format!("{} and {} share bytes of the file", name(below), name(load)));
        }
    }
    faults
}

/// Which `PT_LOAD`s of `before` are not in `after` as they were.
pub(super) fn losses(before: &State<'_>, after: &State<'_>, laid: &Laid<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let dynamic = after.segment(PT_DYNAMIC).map(|segment| segment.p_vaddr);
    let moved = dynamic != before.segment(PT_DYNAMIC).map(|segment| segment.p_vaddr);
    let mut left: Vec<&Segment> = after.loads();
    for old in before.loads() {
        let name = name(old);
        let Some(place) = left.iter().position(|load| load.p_vaddr == old.p_vaddr) else {
            faults.push(format!("{name} is gone"));
            continue;
        };
        let new = left.remove(place);
        if new.p_memsz < old.p_memsz || new.p_filesz < old.p_filesz {
            faults.push(format!("{name} became smaller"));
        }
        if old.p_filesz > 0 && Some(new.p_offset) != laid.start(old.p_offset, old.p_filesz) {
            faults.push(format!("{name} takes its bytes from elsewhere"));
        }
        if new.p_align != old.p_align {
            faults.push(format!("the alignment of {name} changed"));
        }
        let into = |address: u64| address.checked_sub(new.p_vaddr).is_some_and(|into| into < new.p_memsz);
        let may_gain = if moved && dynamic.is_some_and(into) { PF_W } else { 0 };
        if new.p_flags & !may_gain != old.p_flags & !may_gain || old.p_flags & !new.p_flags != 0 {
            faults.push(format!("the protection of {name} changed"));
        }
    }
    for new in left.iter().filter(|load| load.p_flags & PF_X != 0) {
        faults.push(format!("{} is new and executable", name(new)));
    }
    faults
}

/// A segment by its type and address, which an insertion does not change.
pub(super) fn name(segment: &Segment) -> String {
    let kind = match segment.p_type {
        PT_LOAD => "PT_LOAD".to_owned(),
        other => goblin::elf::program_header::pt_to_str(other).to_owned(),
    };
    format!("{kind} at {:#x}", segment.p_vaddr)
}
