//! The program headers of the second file: which of their fields follow from what was asked.
//!
//! A segment is the old one that says the same, or that leads to the same sections; then each field is held against it. New
//! segments are explained as long as they make nothing executable: what they load is held against the files elsewhere.

use super::claims::Claims;
use super::object::Object;
use super::wishes::Wishes;
use crate::engine::binary::elf::Segment;
use crate::engine::compare::regions_elf::has_bytes;
use goblin::elf::program_header::{PF_X, PT_GNU_STACK, PT_LOAD, PT_NOTE, PT_PHDR};

/// The fields as they are held against the old ones: type, flags, offset, virtual address, physical address, size in the file,
/// size in memory, alignment.
type Held = [bool; 8];

/// Where the fields stand in a program header of 64 and of 32 bits (gABI 5, "Program Header"), and how wide they are.
const PLACES_64: [(u64, u64); 8] = [(0, 4), (4, 4), (8, 8), (16, 8), (24, 8), (32, 8), (40, 8), (48, 8)];
const PLACES_32: [(u64, u64); 8] = [(0, 4), (24, 4), (4, 4), (8, 4), (12, 4), (16, 4), (20, 4), (28, 4)];

/// Says which fields of `new`'s program headers are explained. Whether every old segment is still there.
pub fn segments(old: &Object<'_>, new: &Object<'_>, wishes: &Wishes, claims: &mut Claims) -> bool {
    let movers = wishes.movers();
    let places = if new.tables.is_64 { PLACES_64 } else { PLACES_32 };
    let (base, entry) = (new.tables.header.e_phoff, u64::from(new.tables.header.e_phentsize));
    for (number, segment) in new.tables.segments.iter().enumerate() {
        let start = base + number as u64 * entry;
        for ((at, width), is_held) in places.into_iter().zip(fields_held(old, new, segment)) {
            if is_held {
                claims.add(start + at, width, &movers);
            } else if segment.p_type == PT_GNU_STACK && (at, width) == places[1] {
                claims.add(start + at, width, &stack(old, segment, wishes));
            }
        }
    }
    let mut all_kept = true;
    for (number, segment) in old.tables.segments.iter().enumerate() {
        let count =
            |object: &Object<'_>| object.tables.segments.iter().filter(|one| one.p_type == segment.p_type).count();
        if count(new) < count(old) {
            all_kept = false;
            claims.revoke(base + number as u64 * entry, entry);
        }
    }
    all_kept
}

/// Who asked for the flags of the `PT_GNU_STACK` segment.
fn stack(old: &Object<'_>, segment: &Segment, wishes: &Wishes) -> Vec<usize> {
    let before = old.tables.segments.iter().find(|one| one.p_type == PT_GNU_STACK);
    match before {
        Some(before) if (before.p_flags ^ segment.p_flags) == PF_X => wishes.stack(segment.p_flags & PF_X != 0),
        _ => Vec::new(),
    }
}

fn fields_held(old: &Object<'_>, new: &Object<'_>, segment: &Segment) -> Held {
    if old.tables.segments.contains(segment) {
        return [true; 8];
    }
    match segment.p_type {
        PT_LOAD => load_held(old, new, segment),
        PT_PHDR => table_held(old, new, segment),
        _ => leads_held(old, new, segment),
    }
}

/// `PT_PHDR` at the new place of the table.
fn table_held(old: &Object<'_>, new: &Object<'_>, segment: &Segment) -> Held {
    let Some(before) = old.tables.segments.iter().find(|one| one.p_type == PT_PHDR) else { return [false; 8] };
    let header = &new.tables.header;
    let size = new.tables.segments.len() as u64 * u64::from(header.e_phentsize);
    let is_there = segment.p_offset == header.e_phoff;
    let is_mapped = new.tables.file_offset(segment.p_vaddr).is_some_and(|(at, _)| at == header.e_phoff);
    [
        true,
        segment.p_flags == before.p_flags,
        is_there,
        is_mapped,
        segment.p_paddr == segment.p_vaddr,
        segment.p_filesz == size,
        segment.p_memsz == size,
        segment.p_align == before.p_align,
    ]
}

/// A segment that leads to sections: `PT_DYNAMIC`, `PT_INTERP`, `PT_NOTE`, `PT_GNU_RELRO` and their like.
fn leads_held(old: &Object<'_>, new: &Object<'_>, segment: &Segment) -> Held {
    let of_type = |one: &&Segment| one.p_type == segment.p_type;
    // The section that it begins with, and the old segment in which that section stood.
    let first = new.tables.sections.iter().position(|one| has_bytes(one) && one.sh_offset == segment.p_offset);
    let first = first.and_then(|number| Some((new.section(number)?, old.twin(new, number)?.1)));
    let old_home = first.and_then(|(_, was)| {
        old.tables
            .segments
            .iter()
            .filter(of_type)
            .find(|one| one.p_offset <= was.sh_offset && was.sh_offset < one.p_offset.saturating_add(one.p_filesz))
    });
    let alone = old.tables.segments.iter().filter(of_type).count() == 1;
    let only = || old.tables.segments.iter().find(of_type).filter(|_| alone);
    let Some(before) = old_home.or_else(only) else { return [false; 8] };
    let is_led = first
        .is_some_and(|(now, was)| was.sh_offset == before.p_offset || (segment.p_type == PT_NOTE && now.sh_size > 0));
    let end = segment.p_offset.saturating_add(segment.p_filesz);
    let ends = is_led
        && new.tables.sections.iter().any(|one| has_bytes(one) && one.sh_offset.saturating_add(one.sh_size) == end);
    let alignment = first.map(|(now, _)| now.sh_addralign);
    [
        true,
        segment.p_flags == before.p_flags,
        is_led || segment.p_offset == before.p_offset,
        segment.p_vaddr == before.p_vaddr || (is_led && first.is_some_and(|(now, _)| now.sh_addr == segment.p_vaddr)),
        segment.p_paddr == before.p_paddr || segment.p_paddr == segment.p_vaddr,
        segment.p_filesz == before.p_filesz || ends,
        segment.p_memsz == before.p_memsz || (ends && segment.p_memsz == segment.p_filesz),
        segment.p_align == before.p_align || (is_led && Some(segment.p_align) == alignment),
    ]
}

/// A `PT_LOAD`: an old one with another place or end, or a new one.
fn load_held(old: &Object<'_>, new: &Object<'_>, segment: &Segment) -> Held {
    let reach = |one: &Segment| one.p_vaddr.saturating_add(one.p_memsz);
    let overlaps =
        |one: &&Segment| one.p_type == PT_LOAD && one.p_vaddr < reach(segment) && segment.p_vaddr < reach(one);
    let end = segment.p_offset.saturating_add(segment.p_filesz);
    let header = &new.tables.header;
    let table_end = header.e_phoff.saturating_add(new.tables.segments.len() as u64 * u64::from(header.e_phentsize));
    let sections = new.tables.sections.iter().filter(|one| has_bytes(one));
    let is_edge = |place: u64| {
        place == table_end
            || sections.clone().any(|one| one.sh_offset == place || one.sh_offset.saturating_add(one.sh_size) == place)
    };
    let before: Vec<&Segment> = old.tables.segments.iter().filter(overlaps).collect();
    if before.is_empty() {
        // What it loads stands beside everything that was loaded before.
        return [true, segment.p_flags & PF_X == 0, true, true, true, true, true, true];
    }
    let same = |get: fn(&Segment) -> u64| before.iter().any(|one| get(one) == get(segment));
    // Of one segment a part can be split off: it still loads the same sections to the same addresses.
    let is_faithful = before.iter().any(|one| one.p_flags == segment.p_flags);
    let starts_at_file = segment.p_offset == 0 || is_edge(segment.p_offset);
    // A segment that holds sections that were moved can grow; what it holds more is held against the files elsewhere.
    let has_moved = sections.clone().any(|one| {
        let is_within = segment.p_offset <= one.sh_offset && one.sh_offset < end;
        is_within && !old.tables.sections.iter().any(|was| was.sh_offset == one.sh_offset && was.sh_size == one.sh_size)
    });
    let grows = segment.p_flags & PF_X == 0
        && has_moved
        && segment.p_filesz == segment.p_memsz
        && before.iter().all(|one| reach(one) <= reach(segment));
    let file_end =
        grows || before.iter().any(|one| reach(one) == reach(segment)) || is_edge(end) || end >= new.source.size();
    [
        true,
        is_faithful,
        same(|one| one.p_offset) || starts_at_file || same(|one| one.p_vaddr),
        same(|one| one.p_vaddr) || starts_at_file,
        segment.p_paddr == segment.p_vaddr || same(|one| one.p_paddr),
        same(|one| one.p_filesz) || file_end,
        same(|one| one.p_memsz) || file_end,
        same(|one| one.p_align)
            || segment.p_vaddr.wrapping_sub(segment.p_offset).checked_rem(segment.p_align) == Some(0),
    ]
}
