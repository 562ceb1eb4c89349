//! The segments that tell of parts of others: each in one `PT_LOAD`, all of before still there, with the same bytes.

use super::loads::name;
use super::plan::Laid;
use super::state::State;
use crate::engine::Result;
use crate::engine::binary::elf::Segment;
use crate::engine::repair::EditRequest;
use goblin::elf::header::ET_DYN;
use goblin::elf::program_header::{
    PF_X, PT_DYNAMIC, PT_GNU_PROPERTY, PT_GNU_RELRO, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_NOTE, PT_NULL, PT_PHDR,
    PT_TLS, pt_to_str,
};
use std::collections::BTreeMap;

/// The longest name of an interpreter with its NUL (`PATH_MAX`, binfmt_elf).
const LONGEST_INTERPRETER: u64 = 4096;

/// What is wrong with the segments of `state` besides its `PT_LOAD`s.
pub(super) fn faults(state: &State<'_>) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    for segment in &state.tables().segments {
        let number = seen.entry(segment.p_type).or_default();
        *number += 1;
        if matches!(segment.p_type, PT_LOAD | PT_NULL | PT_PHDR | PT_GNU_STACK) || segment.p_memsz == 0 {
            continue;
        }
        // Not by its address: what is wrong with it, and moves, is as wrong as before.
        let name = format!("{} {number}", pt_to_str(segment.p_type));
        // The zeros behind a TLS image are made for each thread; RELRO may end where its page does.
        let in_memory = match segment.p_type {
            PT_TLS | PT_GNU_RELRO => segment.p_filesz,
            _ => segment.p_memsz,
        };
        match state.place(segment.p_vaddr, segment.p_filesz) {
            Some(offset) if offset == segment.p_offset || segment.p_filesz == 0 => {}
            Some(_) => faults.push(format!("{name} takes its bytes from elsewhere than its PT_LOAD")),
            None => faults.push(format!("{name} does not lie in the bytes of a PT_LOAD")),
        }
        if state.load_of(segment.p_vaddr, in_memory).is_none() {
            faults.push(format!("{name} does not lie in the memory of a PT_LOAD"));
        }
        if segment.p_align > 1 && segment.p_type != PT_GNU_RELRO && segment.p_vaddr % segment.p_align != 0 {
            faults.push(format!("{name} is not aligned"));
        }
    }
    if let Some(interpreter) = state.segment(PT_INTERP) {
        let (length, start) = (interpreter.p_filesz, interpreter.p_offset);
        if !(2..=LONGEST_INTERPRETER).contains(&length) {
            faults.push("the length of PT_INTERP is none that the kernel takes".to_owned());
        } else if state.source.bytes(start.saturating_add(length - 1), 1)? != [0] {
            faults.push("PT_INTERP does not end with a NUL".to_owned());
        }
    }
    Ok(faults)
}

/// Which segments of `before` are not in `after` as they were.
pub(super) fn losses(
    before: &State<'_>,
    after: &State<'_>,
    laid: &Laid<'_>,
    requests: &[EditRequest],
) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let mut seen: BTreeMap<u32, usize> = BTreeMap::new();
    for old in before.tables().segments.iter().filter(|segment| !matches!(segment.p_type, PT_LOAD | PT_NULL)) {
        let number = seen.entry(old.p_type).or_default();
        let new = after.tables().segments.iter().filter(|segment| segment.p_type == old.p_type).nth(*number);
        *number += 1;
        match new {
            Some(new) => compare(before, after, laid, requests, (old, new), &mut faults)?,
            None if may_go(before, old) => {}
            None => faults.push(format!("{} is gone", name(old))),
        }
    }
    for (number, new) in after.tables().segments.iter().enumerate() {
        let earlier =
            after.tables().segments.iter().take(number).filter(|segment| segment.p_type == new.p_type).count();
        let is_new = seen.get(&new.p_type).copied().unwrap_or(0) <= earlier;
        if is_new && !matches!(new.p_type, PT_LOAD | PT_NULL) {
            faults.push(format!("{} is new", name(new)));
        }
    }
    Ok(faults)
}

/// Whether the file can do without `segment`: nothing in the loader needs the `PT_PHDR` of a library.
fn may_go(before: &State<'_>, segment: &Segment) -> bool {
    let is_library = before.tables().header.e_type == ET_DYN && before.segment(PT_INTERP).is_none();
    segment.p_type == PT_PHDR && is_library
}

fn compare(
    before: &State<'_>,
    after: &State<'_>,
    laid: &Laid<'_>,
    requests: &[EditRequest],
    (old, new): (&Segment, &Segment),
    faults: &mut Vec<String>,
) -> Result<()> {
    let name = name(old);
    let asks_stack = requests.iter().any(|request| matches!(request, EditRequest::SetExecStack(_)));
    let asks_interpreter = requests.iter().any(|request| matches!(request, EditRequest::SetInterpreter(_)));
    let free = if asks_stack && old.p_type == PT_GNU_STACK { PF_X } else { 0 };
    if old.p_flags & !free != new.p_flags & !free {
        faults.push(format!("the protection of {name} changed"));
    }
    let moves = matches!(old.p_type, PT_PHDR | PT_DYNAMIC | PT_INTERP | PT_NOTE | PT_GNU_PROPERTY);
    if !moves && old.p_vaddr != new.p_vaddr {
        faults.push(format!("{name} is at {:#x} now", new.p_vaddr));
    }
    if matches!(old.p_type, PT_PHDR | PT_DYNAMIC) || (old.p_type == PT_INTERP && asks_interpreter) {
        return Ok(());
    }
    // RELRO may be filled up with bytes; that it covers what it covered is a check of its own.
    if old.p_type == PT_GNU_RELRO {
        return Ok(());
    }
    if (old.p_filesz, old.p_memsz, old.p_align) != (new.p_filesz, new.p_memsz, new.p_align) {
        faults.push(format!("{name} has another length or alignment"));
        return Ok(());
    }
    // What did not lie in the file before is none of an edit's.
    let has_bytes = old.p_offset.checked_add(old.p_filesz).is_some_and(|end| end <= before.source.size());
    if has_bytes && old.p_filesz > 0 && !laid.same(before, after, old.p_offset, new.p_offset, old.p_filesz)? {
        faults.push(format!("{name} holds other bytes"));
    }
    Ok(())
}
