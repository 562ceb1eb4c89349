//! The dynamic entries of an edit as values, and the writes of those that change where they are.

use super::encode::Encode;
use super::plan::Edit;
use crate::engine::repair::Patch;
use goblin::elf::dynamic::DT_NULL;

/// `DT_MIPS_RLD_MAP_REL`: relative to the entry itself.
const DT_MIPS_RLD_MAP_REL: u64 = 0x7000_0035;

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
        let meaning = entry.meaning.clone().unwrap_or_else(|| format!("dynamic entry {}, moved", number + 1));
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
