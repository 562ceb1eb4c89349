//! The dynamic section: that it ends, lies where it is looked for, and says what it said besides what was requested.

use super::state::State;
use crate::engine::binary::elf::Tables;
use goblin::elf::dynamic::{
    DF_BIND_NOW, DF_SYMBOLIC, DF_TEXTREL, DT_BIND_NOW, DT_DEBUG, DT_FLAGS, DT_FLAGS_1, DT_GNU_HASH, DT_HASH, DT_JMPREL,
    DT_NEEDED, DT_REL, DT_RELA, DT_RELACOUNT, DT_RELCOUNT, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_STRSZ, DT_STRTAB,
    DT_SYMBOLIC, DT_SYMTAB, DT_TEXTREL, DT_VERDEF, DT_VERNEED, DT_VERNEEDNUM, DT_VERSYM,
};
use goblin::elf::program_header::{PF_W, PT_DYNAMIC};

/// `DT_RELR` (gABI): packed relative relocations.
pub(super) const DT_RELR: u64 = 36;
/// `DT_MIPS_RLD_MAP_REL`: relative to the entry itself.
const DT_MIPS_RLD_MAP_REL: u64 = 0x7000_0035;
/// `DF_1_NOW` of `DT_FLAGS_1`.
const DF_1_NOW: u64 = 1;
/// `DF_1_NODEFLIB` of `DT_FLAGS_1`, which can be requested.
const DF_1_NODEFLIB: u64 = 0x800;

/// The tags that requests change, or whose tables can move; each is checked elsewhere.
const CHECKED_ELSEWHERE: [u64; 17] = [
    DT_NEEDED,
    DT_SONAME,
    DT_RPATH,
    DT_RUNPATH,
    DT_STRTAB,
    DT_STRSZ,
    DT_HASH,
    DT_GNU_HASH,
    DT_SYMTAB,
    DT_REL,
    DT_RELA,
    DT_RELR,
    DT_JMPREL,
    DT_VERSYM,
    DT_VERDEF,
    DT_VERNEED,
    DT_VERNEEDNUM,
];
/// The tags that flags say as well, or that are only a hint or a place for the loader to write to.
const SAID_TWICE: [u64; 8] =
    [DT_FLAGS, DT_FLAGS_1, DT_BIND_NOW, DT_SYMBOLIC, DT_TEXTREL, DT_RELACOUNT, DT_RELCOUNT, DT_DEBUG];

/// What is wrong with the dynamic section of `state`.
pub(super) fn faults(state: &State<'_>) -> Vec<String> {
    let tables = state.tables();
    let mut faults = Vec::new();
    let mut found = tables.segments.iter().filter(|segment| segment.p_type == PT_DYNAMIC);
    let Some(segment) = found.next() else { return vec!["there is no PT_DYNAMIC".to_owned()] };
    if found.next().is_some() {
        faults.push("there are two PT_DYNAMIC".to_owned());
    }
    if tables.dynamic_nulls == 0 {
        faults.push("no DT_NULL ends the dynamic section".to_owned());
    }
    if segment.p_vaddr % (if tables.is_64 { 8 } else { 4 }) != 0 {
        faults.push("the dynamic section is not aligned".to_owned());
    }
    if segment.p_memsz < segment.p_filesz {
        faults.push("PT_DYNAMIC has more bytes than memory".to_owned());
    }
    // glibc relocates the entries where they are unless the segment's own flags say that they are read-only; DT_DEBUG is
    // written to.
    let load = state.load_of(segment.p_vaddr, segment.p_memsz);
    if segment.p_flags & PF_W != 0 && load.is_some_and(|load| load.p_flags & PF_W == 0) {
        faults.push("the dynamic section is writable by its own header only".to_owned());
    }
    faults
}

/// Which entries of `after` are not those of `before`, besides the ones that requests and moved tables change.
pub(super) fn changes(before: &State<'_>, after: &State<'_>) -> Vec<String> {
    let mut faults = Vec::new();
    let (old, new) = (others(before), others(after));
    for (tag, value) in &old {
        if !new.contains(&(*tag, *value)) {
            faults.push(format!("the entry {tag:#x} of value {value:#x} is gone"));
        }
    }
    for (tag, value) in &new {
        if !old.contains(&(*tag, *value)) {
            faults.push(format!("an entry {tag:#x} of value {value:#x} is new"));
        }
    }
    if old.len() != new.len() && faults.is_empty() {
        faults.push("an entry is there more or less often than before".to_owned());
    }
    if flags(before.tables()) != flags(after.tables()) {
        faults.push(format!("the flags say {:x?}, not {:x?}", flags(after.tables()), flags(before.tables())));
    }
    for tag in [DT_RELACOUNT, DT_RELCOUNT] {
        let new = after.tables().dynamic_value(tag);
        if new.is_some() && new != before.tables().dynamic_value(tag) {
            faults.push("another number of relative relocations".to_owned());
        }
    }
    if before.tables().dynamic_value(DT_DEBUG).is_some() && after.tables().dynamic_value(DT_DEBUG).is_none() {
        faults.push("DT_DEBUG is gone".to_owned());
    }
    faults
}

/// The entries that an edit leaves as they are, sorted.
fn others(state: &State<'_>) -> Vec<(u64, u64)> {
    let size = state.facts.dynamic_entry();
    let mut entries: Vec<(u64, u64)> = (0_u64..)
        .zip(&state.tables().dynamic)
        .filter(|(_, entry)| !CHECKED_ELSEWHERE.contains(&entry.d_tag) && !SAID_TWICE.contains(&entry.d_tag))
        .map(|(number, entry)| {
            let here = state.facts.dynamic_address.wrapping_add(number * size);
            let base = if entry.d_tag == DT_MIPS_RLD_MAP_REL { here } else { 0 };
            (entry.d_tag, entry.d_val.wrapping_add(base))
        })
        .collect();
    entries.sort_unstable();
    entries
}

/// What all entries of flags say together (glibc's `elf_get_dynamic_info`), without what requests change.
fn flags(tables: &Tables) -> (u64, u64) {
    let mut flags = tables.dynamic_value(DT_FLAGS).unwrap_or(0);
    let mut more = tables.dynamic_value(DT_FLAGS_1).unwrap_or(0) & !DF_1_NODEFLIB;
    for (tag, flag) in [(DT_SYMBOLIC, DF_SYMBOLIC), (DT_TEXTREL, DF_TEXTREL), (DT_BIND_NOW, DF_BIND_NOW)] {
        if tables.dynamic_value(tag).is_some() {
            flags |= flag;
        }
    }
    if flags & DF_BIND_NOW != 0 {
        more |= DF_1_NOW;
    }
    if more & DF_1_NOW != 0 {
        flags |= DF_BIND_NOW;
    }
    (flags, more)
}
