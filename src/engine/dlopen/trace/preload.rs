//! What was preloaded: the loader's log words it as something that the program needs.

use super::program;
use super::rules;
use super::starts::Seen;
use crate::engine::report::audit::SearchRule;
use crate::engine::report::trace::{LoadCause, LoadResult, TracedProcess};
use std::os::unix::ffi::OsStrExt;

/// Tells what was preloaded from what the program needs: it comes first, and the program does not name it, or `LD_PRELOAD`
/// does.
pub(super) fn tell(process: &mut TracedProcess, seen: &Seen) {
    let listed: Vec<&[u8]> = match &seen.preload {
        Some(value) => {
            value.as_bytes().split(|byte| matches!(byte, b':' | b' ')).filter(|name| !name.is_empty()).collect()
        }
        None => Vec::new(),
    };
    // A program that was over too soon may have called itself by its path.
    let called_path = process.program.as_deref().filter(|path| path.is_absolute());
    let binary = seen.program.as_deref().or(called_path).and_then(program::binary_of);
    let needed: Vec<&[u8]> = binary
        .iter()
        .flat_map(|binary| &binary.slices)
        .flat_map(|slice| &slice.needed)
        .map(|needed| needed.name.as_bytes())
        .collect();
    // A name with a token is written as what it stands for.
    let is_plain = !needed.is_empty() && !needed.iter().any(|name| name.contains(&b'$'));
    let called = process.program.clone();
    let mut listed = listed.into_iter().peekable();
    for load in &mut process.loads {
        if load.cause != LoadCause::Needed || load.asked_by != called || load.namespace != 0 {
            continue;
        }
        let name = load.name.as_bytes();
        let is_listed = listed.clone().any(|other| other == name);
        if !is_listed && (!is_plain || needed.contains(&name)) {
            break;
        }
        if is_listed {
            listed.find(|other| *other == name);
        }
        load.cause = LoadCause::Preload;
        if load.result == LoadResult::Loaded {
            load.found_by = Some(rules::plain(SearchRule::LdPreload));
        }
    }
}
