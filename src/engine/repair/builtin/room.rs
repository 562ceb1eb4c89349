//! Where room is: for one more program header, behind the string table, and in the segment that an earlier edit made.
//!
//! The header table should stay where it is: `strip` writes it there again. So the sections behind it make way.

use crate::engine::Result;
use crate::engine::binary::elf::{Section, Segment};
use crate::engine::file::ReadAt;
use crate::engine::repair::facts::{Facts, extent};
use goblin::elf::dynamic::{DT_REL, DT_RELA, DT_RELASZ, DT_RELSZ};
use goblin::elf::header::ET_DYN;
use goblin::elf::program_header::{PF_X, PT_GNU_PROPERTY, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_NOTE, PT_NULL, PT_PHDR};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE, SHT_DYNSYM, SHT_GNU_HASH, SHT_GNU_VERDEF, SHT_GNU_VERNEED, SHT_GNU_VERSYM,
    SHT_HASH, SHT_NOTE, SHT_REL, SHT_RELA, SHT_STRTAB,
};

/// `SHT_RELR` (gABI): relative relocations, packed.
const SHT_RELR: u32 = 19;
/// The most bytes of other things (a section table) that the segment of an earlier edit may grow over.
const OVERGROWN: u64 = 64 * 1024;

/// Where the program header of a new segment comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HeaderRoom {
    /// This entry is unused (`PT_NULL`).
    Unused(usize),
    /// The table grows at its place; the sections with these numbers make way, in the file's order.
    Behind(Vec<usize>),
    /// This entry, `PT_PHDR`, which a shared library does not need.
    PhdrEntry(usize),
    /// Nowhere at its place: the table moves into the new segment.
    Moved,
}

/// Whether only dynamic entries, program and section headers lead to `section`, so that it can move.
pub(super) fn movable(facts: &Facts, section: &Section) -> bool {
    let flags = section.sh_flags;
    if flags & u64::from(SHF_ALLOC) == 0 || flags & u64::from(SHF_WRITE | SHF_EXECINSTR) != 0 {
        return false;
    }
    let is_interpreter = || {
        let mut segments = facts.tables.segments.iter();
        segments.any(|segment| segment.p_type == PT_INTERP && segment.p_offset == section.sh_offset)
    };
    matches!(
        section.sh_type,
        SHT_NOTE
            | SHT_HASH
            | SHT_GNU_HASH
            | SHT_DYNSYM
            | SHT_STRTAB
            | SHT_GNU_VERSYM
            | SHT_GNU_VERNEED
            | SHT_GNU_VERDEF
            | SHT_REL
            | SHT_RELA
            | SHT_RELR
    ) || is_interpreter()
}

/// Chooses where one more program header comes from.
pub(super) fn header_room(facts: &Facts) -> HeaderRoom {
    let segments = &facts.tables.segments;
    if let Some(unused) = segments.iter().position(|segment| segment.p_type == PT_NULL) {
        return HeaderRoom::Unused(unused);
    }
    let has_interpreter = segments.iter().any(|segment| segment.p_type == PT_INTERP);
    let is_library = facts.tables.header.e_type == ET_DYN && !has_interpreter;
    let phdr = segments.iter().position(|segment| segment.p_type == PT_PHDR).filter(|_| is_library);
    if let Some(phdr) = phdr {
        return HeaderRoom::PhdrEntry(phdr);
    }
    behind(facts).map_or(HeaderRoom::Moved, HeaderRoom::Behind)
}

/// The sections that must make way for one more program header behind the table; `None` when something there can't.
fn behind(facts: &Facts) -> Option<Vec<usize>> {
    let tables = &facts.tables;
    if tables.sections.is_empty() {
        // Without section headers nobody knows what stands there.
        return None;
    }
    let (first, start) = facts.header_table();
    let needed = start.checked_add(facts.header_entry())?;
    if needed > facts.size || meets(facts.section_table(), (start, needed)) {
        return None;
    }
    let mut loads = facts.loads();
    if let Some(load) = loads.find(|load| meets(file_range(load), (first, start)))
        && file_range(load).1 < needed
    {
        return None;
    }
    let mut end = needed;
    loop {
        let mut moved = Vec::new();
        let mut reach = end;
        for (number, section) in tables.sections.iter().enumerate() {
            let Some(range) = extent(section).filter(|range| meets(*range, (start, end))) else { continue };
            if range.0 < start || !movable(facts, section) {
                return None;
            }
            moved.push((range.0, number));
            reach = reach.max(range.1);
        }
        for segment in &tables.segments {
            match segment.p_type {
                PT_LOAD | PT_PHDR | PT_GNU_STACK => {}
                _ if !meets(file_range(segment), (start, end)) => {}
                PT_NOTE | PT_INTERP | PT_GNU_PROPERTY if segment.p_offset >= start => {
                    reach = reach.max(file_range(segment).1);
                }
                _ => return None,
            }
        }
        for (tag, size) in [(DT_RELA, DT_RELASZ), (DT_REL, DT_RELSZ)] {
            let (Some(address), Some(size)) = (tables.dynamic_value(tag), tables.dynamic_value(size)) else { continue };
            let Some((offset, _)) = tables.file_offset(address) else { continue };
            let range = (offset, offset.saturating_add(size));
            if meets(range, (start, end)) {
                reach = reach.max(range.1);
            }
        }
        if reach == end {
            moved.sort_unstable();
            let numbers: Vec<usize> = moved.into_iter().map(|(_, number)| number).collect();
            // In another order they could not stay together in the order of their headers.
            return numbers.is_sorted().then_some(numbers);
        }
        end = reach;
    }
}

/// How many unused bytes follow the string table in its segment.
pub(super) fn behind_strings(facts: &Facts, source: &dyn ReadAt, wanted: u64) -> Result<u64> {
    let end = facts.strings_offset + facts.strings.len() as u64;
    if facts.tables.sections.is_empty() || facts.strings_section().is_none() {
        return Ok(0);
    }
    let within = facts.loads().map(file_range).find(|range| range.0 <= facts.strings_offset && end <= range.1);
    let limit = within.map_or(end, |range| range.1);
    let segments = facts.tables.segments.iter().filter(|segment| segment.p_type != PT_LOAD).map(file_range);
    let limit = first_claim(claims(facts).chain(segments), end, limit);
    let room = limit.saturating_sub(end);
    if room < wanted {
        return Ok(room);
    }
    let bytes = source.bytes(end, wanted)?;
    Ok(if bytes.iter().all(|byte| *byte == 0) { room } else { 0 })
}

/// What has a claim on bytes of the file apart from segments: the headers, their tables and the sections.
pub(super) fn claims(facts: &Facts) -> impl Iterator<Item = (u64, u64)> {
    let headers = [(0, u64::from(facts.tables.header.e_ehsize)), facts.header_table(), facts.section_table()];
    facts.tables.sections.iter().filter_map(extent).chain(headers)
}

/// Where the first of `claims` on the bytes from `end` on begins; `limit` when that comes before.
pub(super) fn first_claim(claims: impl Iterator<Item = (u64, u64)>, end: u64, limit: u64) -> u64 {
    let behind = claims.filter(|(start, stop)| start < stop && *stop > end);
    behind.fold(limit, |limit, (start, _)| limit.min(start.max(end)))
}

/// A segment that an earlier edit appended and that can grow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Own {
    /// Its number.
    pub segment: usize,
    /// The file offset from which on it is written anew.
    pub from: u64,
}

/// The last segment, if it holds the strings and nothing behind them that can't move.
pub(super) fn own_segment(facts: &Facts) -> Option<Own> {
    let strings = facts.strings_section()?;
    let segments = &facts.tables.segments;
    let last = segments.iter().enumerate().filter(|(_, segment)| segment.p_type == PT_LOAD);
    let (number, segment) = last.max_by_key(|(_, segment)| segment.p_vaddr)?;
    let range = file_range(segment);
    let is_last_in_file = facts.loads().all(|load| file_range(load).1 <= range.1);
    let holds_strings = meets(range, (facts.strings_offset, facts.strings_offset + 1));
    let is_plain = segment.p_filesz == segment.p_memsz && segment.p_flags & PF_X == 0 && segment.p_offset > 0;
    if !is_last_in_file || !holds_strings || !is_plain || facts.size.checked_sub(range.1)? > OVERGROWN {
        return None;
    }
    let dynamic = facts.dynamic_section();
    let stays = |(index, section): (usize, &Section)| {
        let inside = extent(section).is_some_and(|extent| meets(extent, range));
        !inside || index == strings || Some(index) == dynamic || movable(facts, section)
    };
    if !facts.tables.sections.iter().enumerate().all(stays) {
        return None;
    }
    // Something else behind it (a section table that strip put there) is not overwritten.
    let from = if facts.size == range.1 { facts.strings_offset } else { facts.size };
    let tail = (from, facts.size);
    if meets(facts.section_table(), tail) || meets(facts.header_table(), tail) {
        return None;
    }
    let before = |(index, section): (usize, &Section)| {
        index >= strings || extent(section).is_none_or(|extent| !meets(extent, range) || extent.1 <= from)
    };
    facts.tables.sections.iter().enumerate().all(before).then_some(Own { segment: number, from })
}

/// The same for an edit that may move the interpreter's name: that stands before the strings, so that then all of the
/// segment is written anew.
pub(super) fn growing_segment(facts: &Facts, moves_interpreter: bool) -> Option<Own> {
    let own = own_segment(facts)?;
    if !moves_interpreter {
        return Some(own);
    }
    let range = file_range(facts.tables.segments.get(own.segment)?);
    let from = if facts.size == range.1 { range.0 } else { facts.size };
    (!meets(facts.header_table(), range)).then_some(Own { from, ..own })
}

/// The file range of a segment.
pub(super) fn file_range(segment: &Segment) -> (u64, u64) {
    (segment.p_offset, segment.p_offset.saturating_add(segment.p_filesz))
}

/// Whether two ranges share a byte.
pub(super) fn meets(one: (u64, u64), other: (u64, u64)) -> bool {
    one.0 < other.1 && other.0 < one.1
}
