//! The ELF header and the section headers of the second file: which of their fields follow from what was asked.
//!
//! A field is explained when its new value says of the same section what the old one said, at the section's new place; or
//! when a request names it. That the section's bytes are the same there is held against the files elsewhere.

use super::claims::Claims;
use super::object::{Object, is_movable};
use super::wishes::Wishes;
use crate::engine::binary::elf::Section;
use goblin::elf::header::EI_OSABI;
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_INFO_LINK, SHT_DYNAMIC, SHT_GNU_VERNEED, SHT_NOBITS, SHT_REL, SHT_RELA, SHT_STRTAB,
};

/// No section is aligned to more than this because it was moved.
const LARGEST_ALIGNMENT: u64 = 65_536;

/// The fields of a section header in their order, with their widths; 0 is the width of an address (gABI 4, "Sections").
const WIDTHS: [u64; 10] = [4, 4, 0, 0, 0, 0, 4, 4, 0, 0];

/// Says which fields of `new`'s ELF header are explained.
pub fn file_header(old: &Object<'_>, new: &Object<'_>, wishes: &Wishes, are_segments_kept: bool, claims: &mut Claims) {
    let (room, word) = (wishes.movers(), new.word());
    if let Some(abi) = new.tables.header.e_ident.get(EI_OSABI) {
        claims.add(EI_OSABI as u64, 1, &wishes.os_abi(*abi));
    }
    // gABI 4: e_entry stands at 24, then e_phoff and e_shoff, then e_flags.
    claims.add(24 + word, 2 * word, &room);
    // Behind e_flags, e_ehsize and e_phentsize: e_phnum, e_shentsize, e_shnum, e_shstrndx.
    let counts = 24 + 3 * word + 8;
    if are_segments_kept && new.tables.segments.len() >= old.tables.segments.len() {
        claims.add(counts, 2, &room);
    }
    if new.is_twin(usize::from(new.tables.header.e_shstrndx), old, usize::from(old.tables.header.e_shstrndx)) {
        claims.add(counts + 6, 2, &room);
    }
}

/// Says which fields of `new`'s section headers are explained.
pub fn section_headers(old: &Object<'_>, new: &Object<'_>, wishes: &Wishes, claims: &mut Claims) {
    let movers = wishes.movers();
    let (base, entry) = (new.tables.header.e_shoff, u64::from(new.tables.header.e_shentsize));
    for (number, section) in new.tables.sections.iter().enumerate() {
        let Some((old_number, before)) = old.twin(new, number) else { continue };
        let held = fields_held((old, before), (new, number, section));
        debug_assert!(old.section(old_number).is_some());
        let mut at = base + number as u64 * entry;
        for (width, is_held) in WIDTHS.into_iter().zip(held) {
            let width = if width == 0 { new.word() } else { width };
            if is_held {
                claims.add(at, width, &movers);
            }
            at += width;
        }
    }
}

/// Of each field, whether it says what it said before, or follows from the section's new place.
fn fields_held(
    (old, before): (&Object<'_>, &Section),
    (new, number, after): (&Object<'_>, usize, &Section),
) -> [bool; 10] {
    let name = new.names.get(number).cloned().unwrap_or_default();
    let is_loaded = after.sh_flags & u64::from(SHF_ALLOC) != 0;
    let has_moved = after.sh_offset != before.sh_offset;
    let is_mapped =
        || after.sh_size == 0 || new.tables.file_offset(after.sh_addr).is_some_and(|(at, _)| at == after.sh_offset);
    let links =
        |old_link: u32, link: u32| old_link == 0 && link == 0 || new.is_twin(link as usize, old, old_link as usize);
    let has_info_link = matches!(after.sh_type, SHT_REL | SHT_RELA) && after.sh_flags & u64::from(SHF_INFO_LINK) != 0;
    let grows = matches!(after.sh_type, SHT_DYNAMIC | SHT_GNU_VERNEED)
        || name.as_bytes() == b".interp"
        || (after.sh_type == SHT_STRTAB && is_loaded);
    let aligned = after.sh_addralign.is_power_of_two()
        && after.sh_addralign <= LARGEST_ALIGNMENT
        && after.sh_addr.checked_rem(after.sh_addralign) == Some(0);
    [
        true,
        before.sh_type == after.sh_type,
        before.sh_flags == after.sh_flags,
        before.sh_addr == after.sh_addr || (has_moved && is_movable(after, &name) && is_mapped()),
        !has_moved || after.sh_type == SHT_NOBITS || !is_loaded || is_mapped(),
        before.sh_size == after.sh_size || grows,
        links(before.sh_link, after.sh_link),
        before.sh_info == after.sh_info || (has_info_link && links(before.sh_info, after.sh_info)),
        before.sh_addralign == after.sh_addralign || (has_moved && is_movable(after, &name) && aligned),
        before.sh_entsize == after.sh_entsize,
    ]
}
