//! Symbol versions: asked of libraries that are needed, under the hash of their name; each number that a symbol has stands
//! for what it stood for.
//!
//! glibc stops where `.gnu.version_r` names a library that is not loaded (`dl-version.c`, "needed != NULL").

use super::plan::Laid;
use super::state::State;
use crate::engine::binary::Name;
use crate::engine::binary::elf::{HIDDEN, NumberedVersion, VersionTable};
use crate::engine::repair::{EditRequest, dynamic_symbols};
use crate::engine::{Error, Result};
use goblin::elf::dynamic::{DT_NEEDED, DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM, DT_VERSYM};
use std::collections::BTreeSet;

/// `VER_NDX_GLOBAL`: any version.
const GLOBAL: u16 = 1;
/// Numbers of `.gnu.version` that are read at once.
const CHUNK: u64 = 16 << 10;
/// With more symbols their versions are not looked at one by one unless a request changes some.
const MOST_SYMBOLS: u64 = 1 << 20;

/// What is wrong with the versions of `state`.
pub(super) fn faults(state: &State<'_>) -> Result<Vec<String>> {
    let tables = state.tables();
    let mut faults = Vec::new();
    let versions = VersionTable::read(state.source, tables)?;
    let mut libraries = BTreeSet::new();
    for (_, version) in versions.iter() {
        if version.hash != hash(version.name.as_bytes()) {
            faults.push(format!("the hash of version {} is not that of its name", version.name));
        }
        libraries.extend(version.library.clone());
    }
    let needed = needed(state)?;
    for library in &state.facts.records.needs {
        libraries.insert(library.library.clone());
    }
    for library in libraries.iter().filter(|library| !needed.contains(library)) {
        faults.push(format!("versions are asked of {library}, which is not needed"));
    }
    let count = tables.dynamic_value(DT_VERNEEDNUM).unwrap_or(0);
    if state.facts.records.needs.len() as u64 != count {
        faults.push(format!("DT_VERNEEDNUM is {count}, and there are {} records", state.facts.records.needs.len()));
    }
    for (table, number, name) in [(DT_VERNEED, DT_VERNEEDNUM, "VERNEED"), (DT_VERDEF, DT_VERDEFNUM, "VERDEF")] {
        if tables.dynamic_value(table).is_some() != tables.dynamic_value(number).is_some() {
            faults.push(format!("DT_{name} and DT_{name}NUM do not go together"));
        }
    }
    Ok(faults)
}

/// Which versions of `before` are others in `after`, besides what `requests` ask for.
pub(super) fn changes(
    before: &State<'_>,
    after: &State<'_>,
    laid: &Laid<'_>,
    requests: &[EditRequest],
) -> Result<Vec<String>> {
    let mut faults = Vec::new();
    let old = VersionTable::read(before.source, before.tables())?;
    let new = VersionTable::read(after.source, after.tables())?;
    let numbers: BTreeSet<u16> = old.iter().chain(new.iter()).map(|(number, _)| number).collect();
    for number in numbers {
        let wanted = old.get(number).and_then(|version| requested(version, requests));
        if wanted.as_ref() != new.get(number) {
            faults.push(format!("version {number} stands for something else"));
        }
    }
    let frees =
        |request: &EditRequest| matches!(request, EditRequest::RemoveNeeded(_) | EditRequest::ClearSymbolVersion(_));
    let place = |state: &State<'_>, length| {
        state.tables().dynamic_value(DT_VERSYM).and_then(|address| state.place(address, length))
    };
    let Some(count) = dynamic_symbols::count(&before.facts, before.source)?
        .filter(|_| before.tables().dynamic_value(DT_VERSYM).is_some())
    else {
        if before.tables().dynamic_value(DT_VERSYM).is_some() != after.tables().dynamic_value(DT_VERSYM).is_some() {
            faults.push("DT_VERSYM is gone, or is new".to_owned());
        }
        return Ok(faults);
    };
    let length = count.saturating_mul(2);
    let (was, is) = match (place(before, length), place(after, length)) {
        (Some(was), Some(is)) => (was, is),
        (None, _) => return Ok(faults),
        (Some(_), None) => {
            faults.push("DT_VERSYM leads nowhere".to_owned());
            return Ok(faults);
        }
    };
    if !requests.iter().any(frees) {
        if !laid.same(before, after, was, is, length)? {
            faults.push("symbols have other versions".to_owned());
        }
        return Ok(faults);
    }
    if count > MOST_SYMBOLS {
        return Ok(faults);
    }
    let mut at = 0;
    while at < length {
        let part = CHUNK.min(length - at);
        let (one, other) = (before.source.bytes(was + at, part)?, after.source.bytes(is + at, part)?);
        for index in (0..part as usize).step_by(2) {
            let (had, has) = (before.facts.number(&one, index, 2) as u16, after.facts.number(&other, index, 2) as u16);
            // A request frees symbols of their version, and changes none to another.
            if had != has && has != GLOBAL {
                faults.push(format!("a symbol of version {had} has version {has}"));
            }
            let unknown = |table: &VersionTable, number: u16| number & !HIDDEN > GLOBAL && table.get(number).is_none();
            if unknown(&new, has) && !unknown(&old, had) {
                faults.push(format!("a symbol has version {has}, which stands for nothing"));
            }
        }
        at += part;
    }
    Ok(faults)
}

/// `version` as `requests` want it; `None` when they remove it.
fn requested(version: &NumberedVersion, requests: &[EditRequest]) -> Option<NumberedVersion> {
    let mut version = version.clone();
    let Some(library) = version.library.clone() else { return Some(version) };
    for request in requests {
        match request {
            EditRequest::RemoveNeeded(name) if *name == library => return None,
            EditRequest::ReplaceNeeded { from, to } if *from == library => version.library = Some(to.clone()),
            _ => {}
        }
    }
    Some(version)
}

/// The names that `state` needs, its own included: a file may ask versions of itself.
fn needed(state: &State<'_>) -> Result<BTreeSet<Name>> {
    let entries = state.tables().dynamic.iter().filter(|entry| entry.d_tag == DT_NEEDED);
    entries.map(|entry| state.facts.string(state.source, entry.d_val)).collect::<Result<_, Error>>()
}

/// The hash of a version's name (gABI 5, "Hash Table").
fn hash(name: &[u8]) -> u32 {
    name.iter().fold(0_u32, |hash, byte| {
        let sum = (hash << 4).wrapping_add(u32::from(*byte));
        let high = sum & 0xf000_0000;
        (sum ^ (high >> 24)) & !high
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_c_library() {
        assert_eq!(hash(b"GLIBC_2.2.5"), 0x0969_1a75);
        assert_eq!(hash(b"GLIBC_2.34"), 0x0696_91b4);
    }
}
