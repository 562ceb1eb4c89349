//! What protects a running program: RELRO covers what it covered, nothing is writable and executable that was not.

use super::loads::name;
use super::state::State;
use crate::engine::repair::{EditPlan, EditRequest};
use crate::engine::report::fit::RelroFate;
use goblin::elf::program_header::{PF_W, PF_X, PT_DYNAMIC, PT_GNU_RELRO, PT_LOAD};

/// The smallest page of any machine that we know: a part of one is never protected.
const LEAST_PAGE: u64 = 0x1000;

/// What RELRO of `after` no longer covers, though `plan` does not say so.
pub(super) fn relro(before: &State<'_>, after: &State<'_>, plan: &EditPlan) -> Vec<String> {
    let mut faults = Vec::new();
    let Some((start, end)) = range(before) else { return faults };
    let Some((new_start, new_end)) = range(after) else { return vec!["PT_GNU_RELRO is gone".to_owned()] };
    if new_start > start || new_end < end {
        faults.push(format!("it covers {new_start:#x} to {new_end:#x}, and covered {start:#x} to {end:#x}"));
    }
    let kept = plan.fit.as_ref().is_none_or(|fit| fit.relro != RelroFate::Lost);
    if kept && covers_dynamic(before) && !covers_dynamic(after) {
        faults.push("it does not cover .dynamic any more".to_owned());
    }
    faults
}

/// The addresses that `PT_GNU_RELRO` covers.
fn range(state: &State<'_>) -> Option<(u64, u64)> {
    let relro = state.segment(PT_GNU_RELRO)?;
    Some((relro.p_vaddr, relro.p_vaddr.saturating_add(relro.p_memsz)))
}

/// Whether the loader protects all of `.dynamic`: whole pages only (`_dl_protect_relro`).
fn covers_dynamic(state: &State<'_>) -> bool {
    let (Some((start, end)), Some(dynamic)) = (range(state), state.segment(PT_DYNAMIC)) else { return false };
    let end = end / LEAST_PAGE * LEAST_PAGE;
    start <= dynamic.p_vaddr && dynamic.p_vaddr.saturating_add(dynamic.p_memsz) <= end
}

/// The segments of `state` that are writable and executable.
pub(super) fn faults(state: &State<'_>) -> Vec<String> {
    let both = |load: &&&crate::engine::binary::elf::Segment| load.p_flags & (PF_W | PF_X) == PF_W | PF_X;
    let loads = state.tables().segments.iter().filter(|segment| segment.p_type == PT_LOAD);
    loads
        .collect::<Vec<_>>()
        .iter()
        .filter(both)
        .map(|load| format!("{} is writable and executable", name(load)))
        .collect()
}

/// Where the hardening of `after` is worse than `plan` says.
pub(super) fn changes(before: &State<'_>, after: &State<'_>, plan: &EditPlan) -> Vec<String> {
    let (old, new) = (before.hardening(), after.hardening());
    let mut faults = Vec::new();
    let asks_stack = plan.requests.iter().any(|request| matches!(request, EditRequest::SetExecStack(_)));
    if !asks_stack && old.execstack != new.execstack {
        faults.push("it asks for another stack".to_owned());
    }
    let lost = plan.fit.as_ref().is_some_and(|fit| fit.relro == RelroFate::Lost);
    // An edit may put back what another tool took out.
    let mended = old.relro == "lost" && new.relro != "none";
    if old.relro != new.relro && !mended && !(lost && new.relro == "lost") {
        faults.push(format!("RELRO is {}, and was {}", new.relro, old.relro));
    }
    for (what, was, is) in [("NOW", old.now, new.now), ("PIE", old.pie, new.pie), ("TEXTREL", old.textrel, new.textrel)]
    {
        if was != is {
            faults.push(format!("{what} is {is}, and was {was}"));
        }
    }
    faults
}
