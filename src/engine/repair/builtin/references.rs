//! Who refers to the dynamic string table: what nobody refers to can be written over.
//!
//! Where it can't be known who refers to it, everything counts as used.

use super::versions::VersionEdit;
use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::repair::dynamic_symbols;
use crate::engine::repair::facts::Facts;
use goblin::elf::dynamic::{
    DT_AUDIT, DT_CONFIG, DT_DEPAUDIT, DT_GNU_CONFLICT, DT_GNU_LIBLIST, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME,
};
use goblin::elf::header::{EI_OSABI, ELFOSABI_SOLARIS, EM_MIPS};
use goblin::elf::section_header::{SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_VERDEF, SHT_GNU_VERNEED};

/// `DT_AUXILIARY`, `DT_USED` and `DT_FILTER` (Solaris Linker and Libraries Guide; the outer two are glibc's too).
const DT_AUXILIARY: u64 = 0x7fff_fffd;
const DT_USED: u64 = 0x7fff_fffe;
const DT_FILTER: u64 = 0x7fff_ffff;
/// `DT_MIPS_IVERSION` (MIPS ABI supplement): a string.
const DT_MIPS_IVERSION: u64 = 0x7000_0004;
/// The dynamic tags whose value is an index into the dynamic strings.
pub(super) const STRING_TAGS: [u64; 11] = [
    DT_NEEDED,
    DT_SONAME,
    DT_RPATH,
    DT_RUNPATH,
    DT_AUXILIARY,
    DT_USED,
    DT_FILTER,
    DT_CONFIG,
    DT_DEPAUDIT,
    DT_AUDIT,
    DT_MIPS_IVERSION,
];
/// With more symbols nothing is written over: their references alone would take too much memory.
const MOST_SYMBOLS: u64 = 4 << 20;

/// The indexes into the string table that stay referred to when the dynamic entries with the numbers in `given_up` and the
/// version records that `versions` renames or removes no longer refer to theirs; sorted. `None`: that can't be known.
pub(super) fn kept(
    facts: &Facts,
    source: &dyn ReadAt,
    given_up: &[usize],
    versions: &VersionEdit,
) -> Result<Option<Vec<u32>>> {
    let tables = &facts.tables;
    let unknown_tables = !facts.records.complete
        || [DT_GNU_LIBLIST, DT_GNU_CONFLICT].iter().any(|&tag| tables.dynamic_value(tag).is_some());
    if unknown_tables || tables.header.e_ident.get(EI_OSABI) == Some(&ELFOSABI_SOLARIS) || shared_section(facts) {
        return Ok(None);
    }
    let Some(count) = dynamic_symbols::count(facts, source)?.filter(|count| *count <= MOST_SYMBOLS) else {
        return Ok(None);
    };
    // Index 0 is the empty string, always (gABI 4, "String Table").
    let mut kept: Vec<u32> = vec![0];
    let mut outside = false;
    let mut keep = |index: u64| match u32::try_from(index) {
        Ok(index) => kept.push(index),
        Err(_) => outside = true,
    };
    for (number, entry) in tables.dynamic.iter().enumerate() {
        let is_string = STRING_TAGS.contains(&entry.d_tag)
            && (entry.d_tag != DT_MIPS_IVERSION || tables.header.e_machine == EM_MIPS);
        if is_string && !given_up.contains(&number) {
            keep(entry.d_val);
        }
    }
    for record in &facts.records.needs {
        if versions.removed.contains(&record.offset) {
            continue;
        }
        if !versions.renamed.iter().any(|renamed| renamed.record == record.offset) {
            keep(u64::from(record.file));
        }
        record.versions.iter().for_each(|version| keep(u64::from(version.name)));
    }
    facts.records.definition_names.iter().for_each(|&name| keep(u64::from(name)));
    dynamic_symbols::each(facts, source, count, &mut |_, symbol| keep(dynamic_symbols::name(facts, symbol)))?;
    if outside {
        return Ok(None);
    }
    kept.sort_unstable();
    kept.dedup();
    Ok(Some(kept))
}

/// Whether a section that we don't know of takes its strings from the table.
fn shared_section(facts: &Facts) -> bool {
    let Some(strings) = facts.strings_section() else { return false };
    let known = [SHT_DYNSYM, SHT_DYNAMIC, SHT_GNU_VERDEF, SHT_GNU_VERNEED];
    let user = facts.tables.sections.iter().any(|section| {
        section.sh_link as usize == strings && section.sh_type != 0 && !known.contains(&section.sh_type)
    });
    user || usize::from(facts.tables.header.e_shstrndx) == strings
}
