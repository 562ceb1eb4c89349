//! What a parsed file is after planned edits, without editing it: for the loader's lens on a bundle that is yet to be made.
//!
//! Followed is what that lens reads: names, run paths, the interpreter, the default directories. Executable stack, OS ABI, the
//! debug entry and versions of single symbols don't bear on where a library is found.

use super::EditRequest;
use super::names::DF_1_NODEFLIB;
use crate::engine::binary::elf::DynamicEntry;
use crate::engine::binary::{Binary, Name, Needed, NeededBinding, RunPath, RunPathTag, Slice};
use goblin::elf::dynamic::{DT_FLAGS_1, DT_NEEDED};

/// `binary` after `requests`, which don't contradict each other; ELF only, another format stays as it is.
#[must_use]
pub fn foresee(binary: &Binary, requests: &[EditRequest]) -> Binary {
    let mut after = binary.clone();
    for slice in after.slices.iter_mut().filter(|slice| slice.elf.is_some()) {
        change(slice, requests);
    }
    after
}

fn change(slice: &mut Slice, requests: &[EditRequest]) {
    let renamed = |name: &Name| {
        let found = requests.iter().find_map(|request| match request {
            EditRequest::ReplaceNeeded { from, to } if from == name => Some(to),
            _ => None,
        });
        found.unwrap_or(name).clone()
    };
    // All names change at once: two libraries can swap theirs.
    slice.needed.iter_mut().for_each(|needed| needed.name = renamed(&needed.name));
    if let Some(elf) = &mut slice.elf {
        elf.version_needs.iter_mut().for_each(|need| need.library = renamed(&need.library));
    }
    let mut added = Vec::new();
    for request in requests {
        match request {
            EditRequest::SetSoname(name) => slice.soname = Some(name.clone()),
            EditRequest::SetRpath(text) => slice.run_paths = vec![path(RunPathTag::Rpath, text.clone())],
            EditRequest::SetRunpath(text) => slice.run_paths = vec![path(RunPathTag::Runpath, text.clone())],
            EditRequest::AppendRunPath(text) => append(slice, text),
            EditRequest::RemoveRunPaths => slice.run_paths.clear(),
            EditRequest::AddNeeded(name) => added.push(name),
            EditRequest::RemoveNeeded(name) => remove(slice, name),
            EditRequest::SetInterpreter(name) => slice.interpreter = Some(name.clone()),
            EditRequest::NoDefaultLib => leave_defaults(slice),
            EditRequest::ReplaceNeeded { .. }
            | EditRequest::SetExecStack(_)
            | EditRequest::AddDebugEntry
            | EditRequest::SetOsAbi(_)
            | EditRequest::ClearSymbolVersion(_) => {}
        }
    }
    added.retain(|name| !slice.needed.iter().any(|needed| needed.name == **name));
    let new = added.iter().map(|name| Needed { name: (*name).clone(), binding: NeededBinding::Required });
    slice.needed.splice(0..0, new);
    // The order of the entries says where filters stand among them.
    if let Some(elf) = &mut slice.elf {
        let entries = added.iter().map(|_| DynamicEntry { d_tag: DT_NEEDED, d_val: 0 });
        elf.tables.dynamic.splice(0..0, entries);
    }
}

fn path(tag: RunPathTag, text: Name) -> RunPath {
    RunPath { tag, text }
}

/// The search path with `text` behind it, under the tag that it has; `DT_RUNPATH` where it has none.
fn append(slice: &mut Slice, text: &Name) {
    let of = |tag| slice.run_paths.iter().find(move |path| path.tag == tag);
    let Some(old) = of(RunPathTag::Runpath).or_else(|| of(RunPathTag::Rpath)) else {
        slice.run_paths = vec![path(RunPathTag::Runpath, text.clone())];
        return;
    };
    let colon: &[u8] = if old.text.as_bytes().is_empty() { b"" } else { b":" };
    let whole = Name::new([old.text.as_bytes(), colon, text.as_bytes()].concat());
    slice.run_paths = vec![path(old.tag, whole)];
}

fn remove(slice: &mut Slice, gone: &Name) {
    let kept: Vec<bool> = slice.needed.iter().map(|needed| needed.name != *gone).collect();
    slice.needed.retain(|needed| needed.name != *gone);
    if let Some(elf) = &mut slice.elf {
        elf.version_needs.retain(|need| need.library != *gone);
        let mut number = 0;
        elf.tables.dynamic.retain(|entry| {
            if entry.d_tag != DT_NEEDED {
                return true;
            }
            number += 1;
            kept.get(number - 1).copied().unwrap_or(true)
        });
    }
}

fn leave_defaults(slice: &mut Slice) {
    let Some(elf) = &mut slice.elf else { return };
    match elf.tables.dynamic.iter_mut().find(|entry| entry.d_tag == DT_FLAGS_1) {
        Some(flags) => flags.d_val |= DF_1_NODEFLIB,
        None => elf.tables.dynamic.push(DynamicEntry { d_tag: DT_FLAGS_1, d_val: DF_1_NODEFLIB }),
    }
}
