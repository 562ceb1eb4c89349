//! The padding behind the bytes of the RELRO segment: memory that the loader maps, writes zeros to and protects anyhow.
//!
//! lld and mold give RELRO a segment of its own and fill its last page up in memory only. What is put there keeps its
//! protection, and no address changes. The file has to hold the bytes: where it has none to spare, one page is inserted.

use super::room::{claims, file_range, first_claim};
use crate::engine::Result;
use crate::engine::binary::elf::{Section, Segment};
use crate::engine::file::ReadAt;
use crate::engine::repair::Insertion;
use crate::engine::repair::facts::Facts;
use goblin::elf::program_header::{PT_GNU_RELRO, PT_LOAD};
use goblin::elf::section_header::{SHF_ALLOC, SHF_TLS, SHT_NOBITS};

/// The smallest page of any machine: a segment shares at most this much of another's.
const PAGE: u64 = 4096;
/// With a larger alignment too much would be inserted.
const MOST_INSERTED: u64 = 2 << 20;

/// The padding of one file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Padding {
    /// The number of the `PT_LOAD` that RELRO covers to its end.
    pub segment: usize,
    /// The number of `PT_GNU_RELRO`.
    pub relro: usize,
    /// Where the segment's bytes end in the file.
    pub offset: u64,
    /// The address there.
    pub address: u64,
    /// Bytes of padding in memory.
    pub room: u64,
    /// Bytes that the file has free there.
    pub free: u64,
    /// What to insert where these are too few; `None` when the segments behind are aligned too coarsely.
    pub insertion: Option<Insertion>,
    /// The number of the section that stands for the padding (`.relro_padding`).
    pub section: Option<usize>,
}

/// Why a file has no padding to use.
pub(super) type NoPadding = &'static str;

/// Finds the padding.
pub(super) fn find(facts: &Facts, source: &dyn ReadAt) -> Result<std::result::Result<Padding, NoPadding>> {
    let segments = &facts.tables.segments;
    let Some((relro_number, relro)) = segments.iter().enumerate().find(|(_, segment)| segment.p_type == PT_GNU_RELRO)
    else {
        return Ok(Err("the file has no RELRO"));
    };
    if facts.tables.sections.is_empty() {
        return Ok(Err("without section headers nobody knows what the memory behind RELRO's bytes is for"));
    }
    let Some(relro_end) = relro.p_vaddr.checked_add(relro.p_memsz) else {
        return Ok(Err("RELRO reaches the end of the address space"));
    };
    let begins = |load: &&(usize, &Segment)| {
        load.1.p_type == PT_LOAD
            && load.1.p_vaddr <= relro.p_vaddr
            && relro.p_vaddr - load.1.p_vaddr < load.1.p_memsz.max(1)
    };
    let numbered: Vec<(usize, &Segment)> = segments.iter().enumerate().collect();
    let Some(&(number, load)) = numbered.iter().find(begins) else {
        return Ok(Err("no segment loads what RELRO covers"));
    };
    // lld before its 17th version lets RELRO run on to the page's end, past its segment.
    if load.p_vaddr.checked_add(load.p_memsz).is_none_or(|load_end| load_end > relro_end) {
        return Ok(Err("RELRO shares its segment with data behind it, so that it has no padding"));
    }
    let met = |other: &Segment| {
        let page = other.p_vaddr - other.p_vaddr % PAGE;
        other.p_type == PT_LOAD && other.p_vaddr > load.p_vaddr && page < relro_end
    };
    if segments.iter().any(met) {
        return Ok(Err("another segment reaches into the pages that RELRO covers"));
    }
    let (Some(end), Some(address)) =
        (load.p_offset.checked_add(load.p_filesz), load.p_vaddr.checked_add(load.p_filesz))
    else {
        return Ok(Err("the RELRO segment reaches the end of the address space"));
    };
    let room = relro_end.saturating_sub(address);
    let in_padding = |section: &Section| {
        section.sh_flags & u64::from(SHF_ALLOC) != 0
            && section.sh_flags & u64::from(SHF_TLS) == 0
            && section.sh_type == SHT_NOBITS
            && section.sh_size > 0
            && section.sh_addr < address.saturating_add(room)
            && address < section.sh_addr.saturating_add(section.sh_size)
    };
    let inside: Vec<usize> =
        facts.tables.sections.iter().enumerate().filter(|(_, section)| in_padding(section)).map(|(at, _)| at).collect();
    if inside.iter().any(|&at| facts.section_name(at) != ".relro_padding") {
        return Ok(Err("the memory behind RELRO's bytes is in use (.bss.rel.ro)"));
    }
    let free = free_bytes(facts, source, end, room)?;
    Ok(Ok(Padding {
        segment: number,
        relro: relro_number,
        offset: end,
        address,
        room,
        free,
        insertion: insertion(facts, end),
        section: inside.first().copied(),
    }))
}

/// How many of the `wanted` bytes at `end` of the file nobody has a claim on.
fn free_bytes(facts: &Facts, source: &dyn ReadAt, end: u64, wanted: u64) -> Result<u64> {
    let segments = facts.tables.segments.iter().map(file_range);
    let limit = first_claim(claims(facts).chain(segments), end, end.saturating_add(wanted));
    // Behind the last byte of the file there is room as well, but then a page of it is as good as an insertion.
    let room = limit.min(facts.size).saturating_sub(end);
    let bytes = source.bytes(end, room)?;
    Ok(bytes.iter().take_while(|byte| **byte == 0).count() as u64)
}

/// The insertion at `end` that keeps every segment behind it congruent to its address.
fn insertion(facts: &Facts, end: u64) -> Option<Insertion> {
    let behind = facts.loads().filter(|load| load.p_offset >= end && load.p_filesz > 0);
    let length = behind.map(|load| load.p_align.max(1)).fold(4096_u64, u64::max);
    let segments = facts.tables.segments.iter().map(file_range);
    let is_between = claims(facts).chain(segments).all(|(start, stop)| stop <= end || end <= start);
    let headers = facts.tables.header.e_phoff < end;
    (length.is_power_of_two() && length <= MOST_INSERTED && is_between && headers)
        .then_some(Insertion { offset: end, length })
}

impl Padding {
    /// Whether something of this file that stands at `offset`, with `address` if it is loaded, moves up with an insertion.
    pub fn moves(&self, facts: &Facts, offset: u64, address: Option<u64>) -> bool {
        let Some(load) = facts.tables.segments.get(self.segment) else { return false };
        let of_segment = address
            .is_some_and(|address| load.p_vaddr <= address && address < load.p_vaddr.saturating_add(load.p_memsz));
        offset >= self.offset && !of_segment
    }
}
