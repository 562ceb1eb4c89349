//! The writes that an edit makes into the version tables: libraries renamed in `.gnu.version_r` or taken out of it, symbols
//! whose version is no longer asked for.
//!
//! A NEEDED that goes or changes while `.gnu.version_r` still names it makes ld.so stop (`dl-version.c`, "needed != NULL").

use super::encode::Encode;
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::repair::dynamic_symbols;
use crate::engine::repair::facts::{Facts, Stop, refuse};
use crate::engine::repair::records::Need;
use crate::engine::repair::{EditRequest, Patch};
use goblin::elf::dynamic::DT_VERSYM;
use std::collections::BTreeSet;

/// `VER_NDX_GLOBAL`: any version.
const GLOBAL: u16 = 1;
/// The hidden bit of a version's number.
const HIDDEN: u16 = 0x8000;

/// What becomes of the version tables.
#[derive(Debug, Clone, Default)]
pub(super) struct VersionEdit {
    /// The writes whose bytes are known, at the tables' places as they are.
    pub writes: Vec<Patch>,
    /// The records that name another library.
    pub renamed: Vec<Renamed>,
    /// The records that are taken out: their offsets.
    pub removed: Vec<u64>,
    /// How many records there are afterwards, where that changes.
    pub left: Option<u64>,
}

/// A record of `.gnu.version_r` that names another library afterwards.
#[derive(Debug, Clone)]
pub(super) struct Renamed {
    /// Where the record stands.
    pub record: u64,
    /// Where it will stand.
    pub place: u64,
    /// The library that it names.
    pub from: Name,
    /// The library that it shall name.
    pub to: Name,
}

impl VersionEdit {
    /// Adds a write, into an earlier one where it lies in that.
    pub fn write(&mut self, patch: Patch) {
        let inside = |old: &&mut Patch| {
            let start = patch.offset.checked_sub(old.offset);
            start.is_some_and(|start| start + patch.bytes.len() as u64 <= old.bytes.len() as u64)
        };
        match self.writes.iter_mut().find(inside) {
            Some(old) => {
                let start = (patch.offset - old.offset) as usize;
                if let Some(place) = old.bytes.get_mut(start..start + patch.bytes.len()) {
                    place.copy_from_slice(&patch.bytes);
                }
                old.meaning = format!("{}; {}", old.meaning, patch.meaning);
            }
            None => self.writes.push(patch),
        }
    }
}

/// Works out what `requests` do to the version tables.
pub(super) fn edit(facts: &Facts, source: &dyn ReadAt, requests: &[EditRequest]) -> Result<VersionEdit, Stop> {
    let mut edit = VersionEdit::default();
    let mut kept: Vec<&Need> = Vec::new();
    let mut gone = BTreeSet::new();
    for need in &facts.records.needs {
        let library = &need.library;
        let is_removed = |request: &EditRequest| matches!(request, EditRequest::RemoveNeeded(name) if name == library);
        let renamed = requests.iter().find_map(|request| match request {
            EditRequest::ReplaceNeeded { from, to } if from == library => Some(to),
            _ => None,
        });
        if requests.iter().any(is_removed) {
            gone.extend(need.versions.iter().map(|version| version.number & !HIDDEN));
            edit.removed.push(need.offset);
        } else {
            kept.push(need);
            let first = kept.len() == 1;
            let place = facts.records.needs.first().filter(|_| first).map_or(need.offset, |head| head.offset);
            let from = library.clone();
            edit.renamed.extend(renamed.map(|to| Renamed { record: need.offset, place, from, to: to.clone() }));
        }
    }
    if !edit.removed.is_empty() {
        edit.left = Some(kept.len() as u64);
        edit.writes.extend(chain(facts, &kept)?);
    }
    for version in kept.iter().flat_map(|need| &need.versions) {
        gone.remove(&(version.number & !HIDDEN));
    }
    let cleared: Vec<&Name> = requests
        .iter()
        .filter_map(|request| match request {
            EditRequest::ClearSymbolVersion(name) => Some(name),
            _ => None,
        })
        .collect();
    for symbol in versioned(facts, source, &gone, &cleared)? {
        edit.writes.push(Patch {
            offset: symbol.offset,
            bytes: Encode::like(&facts.tables).half(GLOBAL),
            meaning: format!("symbol {}: any version will do", symbol.name),
        });
    }
    Ok(edit)
}

/// The names of `asked` that no symbol with a version has.
pub(in crate::engine::repair) fn unversioned(facts: &Facts, source: &dyn ReadAt, asked: &[&Name]) -> Result<Vec<Name>> {
    if asked.is_empty() {
        return Ok(Vec::new());
    }
    let versioned: BTreeSet<Name> =
        versioned(facts, source, &BTreeSet::new(), asked)?.into_iter().map(|symbol| symbol.name).collect();
    Ok(asked.iter().filter(|name| !versioned.contains(**name)).map(|name| (*name).clone()).collect())
}

/// A symbol with a version.
struct Versioned {
    /// Where its number stands in `.gnu.version`, in the file.
    offset: u64,
    name: Name,
}

/// The dynamic symbols whose version's number is in `numbers`, or whose name is in `names` and that have a version.
fn versioned(facts: &Facts, source: &dyn ReadAt, numbers: &BTreeSet<u16>, names: &[&Name]) -> Result<Vec<Versioned>> {
    let place = facts.tables.dynamic_value(DT_VERSYM).and_then(|address| facts.tables.file_offset(address));
    let (Some((offset, rest)), false) = (place, numbers.is_empty() && names.is_empty()) else { return Ok(Vec::new()) };
    let count = dynamic_symbols::count(facts, source)?.unwrap_or(0).min(rest / 2);
    let table = source.bytes(offset, count * 2)?;
    let (mut found, mut damaged) = (Vec::new(), None);
    dynamic_symbols::each(facts, source, count, &mut |number, symbol| {
        let version = facts.number(&table, number as usize * 2, 2) as u16 & !HIDDEN;
        if version <= GLOBAL {
            return;
        }
        match facts.string(source, dynamic_symbols::name(facts, symbol)) {
            Ok(name) if numbers.contains(&version) || names.contains(&&name) => {
                found.push(Versioned { offset: offset + number * 2, name });
            }
            Ok(_) => {}
            Err(error) => damaged = Some(error),
        }
    })?;
    damaged.map_or(Ok(found), Err)
}

/// The writes that make `kept` the chain of records, which begins where it began.
fn chain(facts: &Facts, kept: &[&Need]) -> Result<Vec<Patch>, Stop> {
    let (Some(head), Some(first)) = (facts.records.needs.first(), kept.first()) else { return Ok(Vec::new()) };
    let encode = Encode::like(&facts.tables);
    let backwards = || refuse("its version records do not follow each other", "link it again without the library");
    let distance = |from: u64, to: u64| to.checked_sub(from).and_then(|bytes| u32::try_from(bytes).ok());
    let mut writes = Vec::new();
    for (number, need) in kept.iter().enumerate() {
        let place = if number == 0 { head.offset } else { need.offset };
        let next = match kept.get(number + 1) {
            Some(next) => distance(place, next.offset).ok_or_else(backwards)?,
            None => 0,
        };
        let aux = distance(place, need.offset.saturating_add(u64::from(need.aux))).ok_or_else(backwards)?;
        let mut bytes = need.bytes.clone();
        if number == 0 && head.offset != first.offset {
            // vn_version, vn_cnt and vn_file move to the first place; vn_aux counts from there.
            bytes.truncate(8);
            bytes.extend([encode.word(aux), encode.word(next)].concat());
        } else {
            bytes.truncate(12);
            bytes.extend(encode.word(next));
        }
        if number == 0 || bytes != need.bytes {
            writes.push(Patch { offset: place, bytes, meaning: "record of .gnu.version_r: its new links".to_owned() });
        }
    }
    Ok(writes)
}
