//! The dynamic section of the second file, entry by entry: which say what the old ones said, which what was asked for.
//!
//! Entries that only stand elsewhere are known by what they say. An entry that is gone without a request leaves the place
//! where it stood unexplained; so does a needed name that stands in another order.

use super::claims::Claims;
use super::object::Object;
use super::wishes::Wishes;
use crate::engine::binary::Name;
use crate::engine::binary::elf::DynamicEntry;
use goblin::elf::dynamic::{
    DF_1_NODEFLIB, DT_DEBUG, DT_FINI_ARRAY, DT_FLAGS_1, DT_GNU_HASH, DT_HASH, DT_INIT_ARRAY, DT_JMPREL, DT_NEEDED,
    DT_PLTGOT, DT_PREINIT_ARRAY, DT_REL, DT_RELA, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB, DT_SYMTAB,
    DT_VERDEF, DT_VERNEED, DT_VERNEEDNUM, DT_VERSYM,
};

/// Entries whose value is an address that moves with its section.
const ADDRESSES: [u64; 15] = [
    DT_STRTAB,
    DT_SYMTAB,
    DT_HASH,
    DT_GNU_HASH,
    DT_REL,
    DT_RELA,
    DT_JMPREL,
    DT_VERSYM,
    DT_VERNEED,
    DT_VERDEF,
    DT_PLTGOT,
    DT_INIT_ARRAY,
    DT_FINI_ARRAY,
    DT_PREINIT_ARRAY,
    DT_RELR,
];
/// `DT_RELR` (gABI): relative relocations, packed.
const DT_RELR: u64 = 36;

/// An entry by what it says, not by where its string stands.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Said {
    Text(u64, Name),
    Value(u64, u64),
}

impl Said {
    fn of(object: &Object<'_>, entry: &DynamicEntry) -> Self {
        let text = match entry.d_tag {
            DT_NEEDED | DT_SONAME | DT_RPATH | DT_RUNPATH => object.string(entry.d_val),
            _ => None,
        };
        text.map_or(Self::Value(entry.d_tag, entry.d_val), |text| Self::Text(entry.d_tag, text))
    }
}

/// Says which entries of `new`'s dynamic section are explained.
pub fn entries(old: &Object<'_>, new: &Object<'_>, wishes: &Wishes, claims: &mut Claims) {
    let Some((base, size)) = new.tables.dynamic_range else { return };
    let width = 2 * new.word();
    let movers = wishes.movers();
    let before: Vec<Said> = old.tables.dynamic.iter().map(|entry| Said::of(old, entry)).collect();
    let mut is_found = vec![false; before.len()];
    let mut last_needed = 0;
    for (number, entry) in new.tables.dynamic.iter().enumerate() {
        let start = base + number as u64 * width;
        let said = Said::of(new, entry);
        let kept = before.iter().zip(&is_found).position(|(one, found)| !found && *one == said);
        let causes = match kept {
            Some(place) => {
                if let Some(found) = is_found.get_mut(place) {
                    *found = true;
                }
                let is_needed = entry.d_tag == DT_NEEDED;
                let is_in_order = !is_needed || place >= last_needed;
                if is_needed {
                    last_needed = last_needed.max(place);
                }
                if is_in_order { movers.clone() } else { Vec::new() }
            }
            None => asked(old, new, wishes, entry, &said, &before, &mut is_found),
        };
        claims.add(start, width, &causes);
    }
    let used = new.tables.dynamic.len() as u64 * width;
    // What stands behind the last entry ends the list.
    if let Some(rest) = size.checked_sub(used) {
        claims.add(base + used, (new.tables.dynamic_nulls * width).min(rest), &movers);
    }
    for (number, said) in before.iter().enumerate().filter(|(number, _)| is_found.get(*number) == Some(&false)) {
        if !is_excused(said, wishes) {
            claims.revoke(base + number as u64 * width, width);
        }
    }
}

/// Who asked for `entry`, which the old file has not so.
fn asked(
    old: &Object<'_>,
    new: &Object<'_>,
    wishes: &Wishes,
    entry: &DynamicEntry,
    said: &Said,
    before: &[Said],
    is_found: &mut [bool],
) -> Vec<usize> {
    // The old entry of the same tag gives way to this one.
    let mut take = || {
        let place = before
            .iter()
            .zip(is_found.iter())
            .position(|(one, found)| !found && matches!(one, Said::Value(tag, _) if *tag == entry.d_tag));
        if let Some(found) = place.and_then(|place| is_found.get_mut(place)) {
            *found = true;
        }
        place.and_then(|place| before.get(place)).and_then(|one| match one {
            Said::Value(_, value) => Some(*value),
            Said::Text(..) => None,
        })
    };
    match (entry.d_tag, said) {
        (DT_NEEDED, Said::Text(_, name)) => wishes.needed(name),
        (DT_SONAME, Said::Text(_, name)) => wishes.soname(name),
        (DT_RPATH | DT_RUNPATH, Said::Text(tag, text)) => wishes.run_path(Some(*tag == DT_RUNPATH), text),
        (DT_STRSZ, _) => {
            let is_size =
                new.section_of(new.tables.dynamic_value(DT_STRTAB).unwrap_or(0)).is_some_and(|(number, into)| {
                    into == 0 && new.section(number).is_some_and(|section| section.sh_size == entry.d_val)
                });
            if take().is_some() && is_size { wishes.room() } else { Vec::new() }
        }
        (DT_VERNEEDNUM, _) => {
            take();
            wishes.removals()
        }
        (DT_FLAGS_1, _) => {
            let was = take().unwrap_or(0);
            if entry.d_val == was | DF_1_NODEFLIB { wishes.no_default_lib() } else { Vec::new() }
        }
        (DT_DEBUG, _) => wishes.debug_entry(),
        (tag, _) if ADDRESSES.contains(&tag) => {
            let follows = take().is_some_and(|was| follows(old, new, was, entry.d_val));
            if follows { wishes.movers() } else { Vec::new() }
        }
        _ => Vec::new(),
    }
}

/// Whether address `is` leads into the same section of `new` as `was` of `old`, equally far.
pub fn follows(old: &Object<'_>, new: &Object<'_>, was: u64, is: u64) -> bool {
    match (old.section_of(was), new.section_of(is)) {
        (Some((before, into)), Some((after, also_into))) => into == also_into && new.is_twin(after, old, before),
        _ => false,
    }
}

/// Whether a request explains that the old entry is gone.
fn is_excused(said: &Said, wishes: &Wishes) -> bool {
    let causes = match said {
        Said::Text(DT_NEEDED, name) => wishes.released(name),
        Said::Text(DT_SONAME, _) => wishes.sonames(),
        Said::Text(..) => wishes.run_paths(),
        Said::Value(DT_VERNEED | DT_VERNEEDNUM | DT_VERSYM, _) => wishes.removals(),
        Said::Value(..) => Vec::new(),
    };
    !causes.is_empty()
}
