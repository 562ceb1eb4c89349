//! The requests: what was asked for holds in the result, and what it names otherwise has not changed.

use super::state::State;
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::repair::EditRequest;
use crate::engine::repair::names::Names;
use std::collections::BTreeSet;

/// What `after` names otherwise than `requests` on `before` want it.
pub(super) fn changes(before: &State<'_>, after: &State<'_>, requests: &[EditRequest]) -> Result<Vec<String>> {
    let wanted = Names::asked(&before.facts, before.source, requests)?.after(requests);
    let found = Names::asked(&after.facts, after.source, requests)?;
    let mut faults = Vec::new();
    let mut compare = |what: &str, is_so: bool, found: String, wanted: String| {
        if !is_so {
            faults.push(format!("{what} is {found}, not {wanted}"));
        }
    };
    compare("SONAME", found.sonames == wanted.sonames, list(&found.sonames), list(&wanted.sonames));
    // A library that was needed twice may be needed once: the loader takes it once.
    let is_so = once(&found.needed) == once(&wanted.needed);
    compare("NEEDED", is_so, list(&found.needed), list(&wanted.needed));
    let paths = |names: &Names| {
        let entries = names
            .run_paths
            .iter()
            .map(|(is_rpath, text)| format!("{} {text}", if *is_rpath { "DT_RPATH" } else { "DT_RUNPATH" }));
        entries.collect::<Vec<_>>().join(", ")
    };
    compare("the search path", found.run_paths == wanted.run_paths, paths(&found), paths(&wanted));
    let is_so = found.versions == wanted.versions;
    compare("the libraries that versions are asked of", is_so, list(&found.versions), list(&wanted.versions));
    let is_so = found.interpreter == wanted.interpreter;
    compare("the interpreter", is_so, format!("{:?}", found.interpreter), format!("{:?}", wanted.interpreter));
    let is_so = found.exec_stack == wanted.exec_stack;
    compare("PT_GNU_STACK", is_so, format!("{:?}", found.exec_stack), format!("{:?}", wanted.exec_stack));
    let is_so = found.no_default_lib == wanted.no_default_lib;
    compare("DF_1_NODEFLIB", is_so, found.no_default_lib.to_string(), wanted.no_default_lib.to_string());
    let is_so = found.has_debug_entry == wanted.has_debug_entry;
    compare("DT_DEBUG", is_so, found.has_debug_entry.to_string(), wanted.has_debug_entry.to_string());
    compare("EI_OSABI", found.os_abi == wanted.os_abi, found.os_abi.to_string(), wanted.os_abi.to_string());
    let sorted = |names: &Names| {
        let mut names = names.unversioned.clone();
        names.sort();
        names
    };
    let is_so = sorted(&found) == sorted(&wanted);
    compare("what has no version", is_so, list(&sorted(&found)), list(&sorted(&wanted)));
    Ok(faults)
}

/// `names` without those that stand there earlier.
fn once(names: &[Name]) -> Vec<&Name> {
    let mut seen = BTreeSet::new();
    names.iter().filter(|name| seen.insert(*name)).collect()
}

fn list(names: &[Name]) -> String {
    if names.is_empty() {
        return "none".to_owned();
    }
    names.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
