//! The plan of one edit: in place where it fits, else with a new or grown segment; as writes with their meaning.

use super::changes::{self, Entry, Value};
use super::encode::Encode;
use super::layout::{Demand, Layout};
use super::strings::NewStrings;
use super::{room, segment};
use crate::engine::Error;
use crate::engine::file::ReadAt;
use crate::engine::repair::facts::{Facts, Stop, refuse};
use crate::engine::repair::names::Names;
use crate::engine::repair::{EditPlan, EditRequest, Patch};
use goblin::elf::dynamic::{DT_FLAGS_1, DT_NULL, DT_STRSZ};
use goblin::elf::header::ET_DYN;
use goblin::elf::program_header::PT_INTERP;

/// `DT_MIPS_RLD_MAP_REL`: relative to the entry itself.
const DT_MIPS_RLD_MAP_REL: u64 = 0x7000_0035;
/// `DF_1_PIE` of `DT_FLAGS_1`.
const DF_1_PIE: u64 = 0x0800_0000;

/// An edit with its strings resolved.
pub(super) struct Edit<'a> {
    /// The file as it is.
    pub facts: &'a Facts,
    /// The dynamic entries as they shall be: tag, value, and what is known of each.
    pub entries: Vec<(u64, u64, Entry)>,
    /// The strings.
    pub strings: NewStrings<'a>,
    /// Four-byte writes into `.gnu.version_r`: offset, value, meaning.
    pub versions: Vec<Patch>,
}

/// Plans `requests` on `source`.
pub(super) fn plan(source: &dyn ReadAt, facts: &Facts, requests: &[EditRequest]) -> Result<EditPlan, Stop> {
    let names = Names::of(facts, source)?;
    let requests = names.effective(requests)?;
    if requests.is_empty() {
        return Ok(EditPlan::nothing(facts.size));
    }
    let mut plan = EditPlan { requests, layout: "in place".to_owned(), ..EditPlan::nothing(facts.size) };
    if relocates_itself(facts, &names) {
        return Err(refuse(
            "it is a loader or a static-pie program: its own start code reads the dynamic section, and stops at an \
             RPATH or at tables that moved",
            "link it again with what it shall have",
        ));
    }
    let edit = resolve(source, facts, &names, &plan.requests)?;
    let spare = facts.tables.dynamic_nulls.saturating_sub(1);
    let old = facts.tables.dynamic.len() as u64;
    let dynamic_moves = edit.entries.len() as u64 > old + spare;
    let added = edit.strings.added().len() as u64;
    let strings_move = added > 0 && room::behind_strings(facts, source, added)? < added;
    if dynamic_moves || strings_move {
        let demand = Demand {
            strings: strings_move.then(|| edit.strings.size()),
            dynamic: dynamic_moves.then_some(edit.entries.len() as u64),
            strings_size: edit.strings.size(),
        };
        let layout = Layout::of(facts, demand)?;
        plan.layout = segment::describe(facts, &layout);
        plan.size_after = Some(facts.size.max(layout.end));
        plan.patches = segment::patches(source, &edit, &layout)?;
    } else {
        plan.patches = in_place(&edit);
    }
    plan.patches.sort_by_key(|patch| patch.offset);
    plan.writes = plan.patches.iter().map(|patch| patch.bytes.len() as u64).sum();
    Ok(plan)
}

fn resolve<'a>(
    source: &dyn ReadAt,
    facts: &'a Facts,
    names: &Names,
    requests: &[EditRequest],
) -> Result<Edit<'a>, Stop> {
    let encode = Encode::like(&facts.tables);
    let mut strings = NewStrings::new(&facts.strings);
    let mut entries = Vec::new();
    for entry in changes::entries(facts, source, requests)? {
        let value = match &entry.value {
            Value::Kept(value) => *value,
            Value::Text(name) => strings.index_of(name),
        };
        entries.push((entry.tag, value, entry));
    }
    let mut versions = Vec::new();
    for (record, name) in facts.versions.iter().zip(names.after(requests).versions) {
        if record.library != name {
            let index = u32::try_from(strings.index_of(&name))
                .map_err(|_| refuse("its string table would outgrow 4 GiB", "link it with shorter names"))?;
            versions.push(Patch {
                offset: record.offset,
                bytes: encode.word(index),
                meaning: format!("symbol versions of {} → {name}", record.library),
            });
        }
    }
    for (tag, value, entry) in &mut entries {
        if *tag == DT_STRSZ && *value != strings.size() {
            *value = strings.size();
            entry.meaning = Some(format!("STRSZ: {}", strings.size()));
        }
    }
    Ok(Edit { facts, entries, strings, versions })
}

/// Whether no loader relocates the file: then it does so itself, and asserts what its dynamic section holds (glibc's
/// `elf_get_dynamic_info`); and some kernels don't clear the `.bss` of an interpreter with a segment behind it.
fn relocates_itself(facts: &Facts, names: &Names) -> bool {
    let tables = &facts.tables;
    let has_interpreter = tables.segments.iter().any(|segment| segment.p_type == PT_INTERP);
    let is_pie = tables.dynamic_value(DT_FLAGS_1).is_some_and(|flags| flags & DF_1_PIE != 0);
    // An entry point alone says nothing: old GNU ld gave one to every library.
    let is_loader = tables.header.e_entry != 0
        && names.needed.is_empty()
        && names.sonames.iter().any(|name| {
            ["ld-", "ld.so", "ld64.", "libc."].iter().any(|start| name.as_bytes().starts_with(start.as_bytes()))
        });
    tables.header.e_type == ET_DYN && !has_interpreter && (is_pie || is_loader)
}

/// The values of the dynamic section when it lies at `address`, `DT_NULL`s and all, for `room` entries.
pub(super) fn dynamic_values(edit: &Edit<'_>, address: u64, room: u64) -> Vec<(u64, u64, String)> {
    let size = edit.facts.dynamic_entry();
    let mut values = Vec::new();
    for (number, (tag, value, entry)) in (0_u64..).zip(&edit.entries) {
        let mut value = *value;
        if let (DT_MIPS_RLD_MAP_REL, Some(old)) = (*tag, entry.old) {
            let before = edit.facts.dynamic_address.wrapping_add(old as u64 * size);
            value = value.wrapping_add(before).wrapping_sub(address.wrapping_add(number * size));
        }
        let meaning = entry.meaning.clone().unwrap_or_else(|| format!("dynamic entry {}, moved up", number + 1));
        values.push((*tag, value, meaning));
    }
    while (values.len() as u64) < room {
        values.push((DT_NULL, 0, "end of the dynamic entries".to_owned()));
    }
    values
}

/// The writes of the dynamic entries that change where they are.
pub(super) fn dynamic_in_place(edit: &Edit<'_>) -> Vec<Patch> {
    let (facts, encode) = (edit.facts, Encode::like(&edit.facts.tables));
    let old = &facts.tables.dynamic;
    let room = old.len().max(edit.entries.len()) as u64;
    let values = dynamic_values(edit, facts.dynamic_address, room);
    let mut patches = Vec::new();
    for (number, (tag, value, meaning)) in values.into_iter().enumerate() {
        let before = old.get(number).map_or((DT_NULL, 0), |entry| (entry.d_tag, entry.d_val));
        if before != (tag, value) {
            let offset = facts.dynamic.0 + number as u64 * facts.dynamic_entry();
            patches.push(Patch { offset, bytes: encode.dynamic(tag, value), meaning });
        }
    }
    patches
}

fn in_place(edit: &Edit<'_>) -> Vec<Patch> {
    let facts = edit.facts;
    let mut patches = dynamic_in_place(edit);
    patches.extend(edit.versions.iter().cloned());
    if !edit.strings.added().is_empty() {
        patches.push(Patch {
            offset: facts.strings_offset + facts.strings.len() as u64,
            bytes: edit.strings.added().to_vec(),
            meaning: format!(".dynstr, {} new strings", edit.strings.count()),
        });
        if let Some((number, section)) =
            facts.strings_section().and_then(|number| Some((number, facts.tables.sections.get(number)?)))
        {
            let mut section = section.clone();
            section.sh_size = edit.strings.size();
            patches.push(segment::section_patch(facts, number, &section));
        }
    }
    patches
}

/// An error for what can't be: a table that was read and is gone.
pub(super) fn lost(source: &dyn ReadAt, what: &str) -> Error {
    Error::malformed(source.path(), 0, what)
}
