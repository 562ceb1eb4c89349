//! The new or grown segment of an edit: which pieces go into it, in which order, and to which addresses.
//!
//! Within a segment `strip` writes sections in the order of their headers, so the pieces are put in that order too.

use super::room::{HeaderRoom, Own, file_range, growing_segment, header_room, meets};
use crate::engine::binary::elf::{Segment, largest_page};
use crate::engine::repair::facts::{Facts, Stop, extent, refuse};
use goblin::elf::header::ET_DYN;
use goblin::elf::program_header::PT_INTERP;

/// Free `DT_NULL` entries that a moved dynamic section is given, so that the next edit finds room.
pub(super) const SPARE: u64 = 3;
/// A program whose header table moves grows over the distance of its segments in memory, as a hole; at most by this.
const MOST_GROWTH: u64 = 64 << 30;
/// Bytes that a segment begins with if its first piece has a program header of its own. llvm-strip takes the first of two
/// segments with one offset for the outer one, and gives the other a place that the kernel does not map.
const LEAD: u64 = 16;

/// What a piece of the segment holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Content {
    /// The program header table.
    Headers,
    /// A run of sections as they were, from this file offset and address.
    Copy { offset: u64, address: u64 },
    /// The dynamic string table.
    Strings,
    /// The dynamic section.
    Dynamic,
    /// The interpreter's name.
    Interpreter,
}

/// One piece of the segment, at its new place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Piece {
    /// What it holds.
    pub content: Content,
    /// Its file offset.
    pub offset: u64,
    /// Its virtual address.
    pub address: u64,
    /// Its length in bytes.
    pub length: u64,
    pub(super) align: u64,
    pub(super) order: usize,
}

/// The segment and what is in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Layout {
    /// The grown segment's number; `None` for a new one.
    pub grown: Option<usize>,
    /// Where a new segment's program header comes from; `None` for a grown segment.
    pub header: Option<HeaderRoom>,
    /// The pieces, in the order of their places.
    pub pieces: Vec<Piece>,
    /// Where the segment begins in the file.
    pub offset: u64,
    /// Its virtual address.
    pub address: u64,
    /// Where it ends in the file.
    pub end: u64,
    /// Its alignment.
    pub align: u64,
}

/// What must go into the segment.
#[derive(Debug, Clone, Copy)]
pub(super) struct Demand {
    /// The new string table's length in bytes, if it moves.
    pub strings: Option<u64>,
    /// The number of dynamic entries without `DT_NULL`, if the dynamic section moves.
    pub dynamic: Option<u64>,
    /// The new string table's length, whether it must move or not.
    pub strings_size: u64,
    /// The interpreter's length with its NUL, if it moves.
    pub interpreter: Option<u64>,
    /// The alignment of a new segment in bytes, if it was asked for.
    pub page_size: Option<u64>,
}

impl Layout {
    /// The layout for `demand`.
    pub fn of(facts: &Facts, demand: Demand) -> Result<Self, Stop> {
        match growing_segment(facts, demand.interpreter.is_some()) {
            Some(own) => Self::grow(facts, own, demand),
            None => Self::append(facts, demand),
        }
    }

    /// The piece that holds `content`'s kind.
    pub fn piece(&self, content: Content) -> Option<&Piece> {
        self.pieces.iter().find(|piece| piece.content == content)
    }

    /// The new address of what stood at `address`, if it moves along.
    pub fn moved_address(&self, address: u64) -> Option<u64> {
        self.pieces.iter().find_map(|piece| match piece.content {
            Content::Copy { address: old, .. } => {
                address.checked_sub(old).filter(|into| *into < piece.length).map(|into| piece.address + into)
            }
            _ => None,
        })
    }

    /// The new file offset of what stood at `offset`, if it moves along.
    pub fn moved_offset(&self, offset: u64) -> Option<u64> {
        self.pieces.iter().find_map(|piece| match piece.content {
            Content::Copy { offset: old, .. } => {
                offset.checked_sub(old).filter(|into| *into < piece.length).map(|into| piece.offset + into)
            }
            _ => None,
        })
    }

    fn grow(facts: &Facts, own: Own, demand: Demand) -> Result<Self, Stop> {
        let Some(segment) = facts.tables.segments.get(own.segment) else { return Self::append(facts, demand) };
        let strings = facts.strings_section().unwrap_or_default();
        let dynamic = facts.dynamic_section();
        let moves_interpreter = demand.interpreter.is_some();
        let leaves = |number: &usize| {
            Some(*number) == dynamic
                || *number == strings
                || (moves_interpreter && Some(*number) == facts.interpreter_section())
        };
        let first = if moves_interpreter { 0 } else { strings + 1 };
        let range = file_range(segment);
        let inside = |number: &usize| {
            facts.tables.sections.get(*number).and_then(extent).is_some_and(|extent| meets(extent, range))
        };
        let anew: Vec<usize> = (first..facts.tables.sections.len()).filter(inside).collect();
        let mut pieces = copies(facts, &anew.iter().copied().filter(|number| !leaves(number)).collect::<Vec<_>>());
        pieces.extend(demand.interpreter.map(|length| interpreter_piece(facts, length)));
        pieces.push(strings_piece(facts, demand.strings_size));
        if demand.dynamic.is_some() || dynamic.is_some_and(|dynamic| anew.contains(&dynamic)) {
            pieces.push(dynamic_piece(facts, demand.dynamic.unwrap_or(facts.tables.dynamic.len() as u64)));
        }
        let mut layout = Self {
            grown: Some(own.segment),
            header: None,
            pieces,
            offset: segment.p_offset,
            address: segment.p_vaddr,
            end: own.from,
            align: segment.p_align,
        };
        if layout.end == layout.offset && !layout.begins_with_strings() {
            layout.end = layout.end.saturating_add(LEAD);
        }
        layout.place()?;
        layout.check(facts)
    }

    fn begins_with_strings(&self) -> bool {
        let first = self.pieces.iter().min_by_key(|piece| piece.order);
        first.is_some_and(|piece| piece.content == Content::Strings)
    }

    fn append(facts: &Facts, demand: Demand) -> Result<Self, Stop> {
        let room = header_room(facts);
        let mut pieces = Vec::new();
        if room == HeaderRoom::Moved {
            let length = (facts.tables.segments.len() as u64 + 1) * facts.header_entry();
            pieces.push(Piece { content: Content::Headers, offset: 0, address: 0, length, align: 8, order: 0 });
        }
        let mut strings = demand.strings;
        if let HeaderRoom::Behind(sections) = &room {
            // The string table stands in the way itself: then it moves as a whole, not as a copy.
            let own = facts.strings_section();
            if own.is_some_and(|own| sections.contains(&own)) {
                strings = Some(demand.strings_size);
            }
            let leaves = |number: &usize| {
                Some(*number) == own || (demand.interpreter.is_some() && facts.interpreter_section() == Some(*number))
            };
            let others: Vec<usize> = sections.iter().copied().filter(|number| !leaves(number)).collect();
            pieces.extend(copies(facts, &others));
        }
        pieces.extend(demand.interpreter.map(|length| interpreter_piece(facts, length)));
        pieces.extend(strings.map(|length| strings_piece(facts, length)));
        pieces.extend(demand.dynamic.map(|count| dynamic_piece(facts, count)));
        let align = facts
            .loads()
            .map(|load| load.p_align)
            .filter(|align| align.is_power_of_two())
            .fold(demand.page_size.unwrap_or_else(|| largest_page(facts.tables.header.e_machine)), u64::max);
        let too_high = || refuse("its segments reach the end of the address space", "link it at a lower address");
        let top = facts.loads().try_fold(0_u64, |top, load| Some(top.max(load.p_vaddr.checked_add(load.p_memsz)?)));
        let top = top.and_then(|top| round_up(top, align)).ok_or_else(too_high)?;
        let offset = match first_load(facts).filter(|_| room == HeaderRoom::Moved && is_program(facts)) {
            // Kernels before 5.18 take the headers' address to be that of the first segment plus their offset.
            Some(first) => {
                let distance = top.saturating_sub(first.p_vaddr.saturating_sub(first.p_offset));
                round_up(facts.size, align).ok_or_else(too_high)?.max(distance)
            }
            None => round_up(facts.size, 64).ok_or_else(too_high)?,
        };
        let address = match first_load(facts).filter(|_| room == HeaderRoom::Moved && is_program(facts)) {
            Some(first) => first.p_vaddr.saturating_sub(first.p_offset).checked_add(offset),
            None => top.checked_add(offset % align),
        };
        let address = address.ok_or_else(too_high)?;
        let mut layout = Self { grown: None, header: Some(room), pieces, offset, address, end: offset, align };
        if !layout.begins_with_strings() {
            layout.end = offset.checked_add(LEAD).ok_or_else(too_high)?;
        }
        layout.place()?;
        layout.check(facts)
    }

    /// Gives every piece its place, from `end` on.
    fn place(&mut self) -> Result<(), Stop> {
        self.pieces.sort_by_key(|piece| piece.order);
        let too_high = || refuse("its segments reach the end of the address space", "link it at a lower address");
        let mut at = self.end;
        for piece in &mut self.pieces {
            let address = self.address.checked_add(at - self.offset).ok_or_else(too_high)?;
            let wanted = match piece.content {
                Content::Copy { address, .. } => address % piece.align,
                _ => 0,
            };
            let gap = (wanted + piece.align - address % piece.align) % piece.align;
            piece.offset = at.checked_add(gap).ok_or_else(too_high)?;
            piece.address = address.checked_add(gap).ok_or_else(too_high)?;
            at = piece.offset.checked_add(piece.length).ok_or_else(too_high)?;
        }
        self.end = at;
        Ok(())
    }

    fn check(self, facts: &Facts) -> Result<Self, Stop> {
        let end = self.address.checked_add(self.end - self.offset);
        let limit = if facts.tables.is_64 { i64::MAX as u64 } else { u64::from(u32::MAX) };
        if end.is_none_or(|end| end > limit) || (!facts.tables.is_64 && self.end > limit) {
            return Err(refuse("its segments reach the end of the address space", "link it at a lower address"));
        }
        if self.end.saturating_sub(facts.size) > MOST_GROWTH {
            return Err(refuse("the file would grow by more than 64 GiB of holes", "link it with room for an RPATH"));
        }
        Ok(self)
    }
}

/// One piece for each run of sections that follow each other in the file and in the table.
fn copies(facts: &Facts, sections: &[usize]) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    let mut last = None;
    for &number in sections {
        let Some(section) = facts.tables.sections.get(number) else { continue };
        let Some((start, end)) = extent(section) else { continue };
        let align = section.sh_addralign.clamp(1, 4096).next_power_of_two();
        if let Some(piece) = pieces.last_mut()
            && let Content::Copy { offset, address } = piece.content
            && last == number.checked_sub(1)
            && start >= offset + piece.length
            && section.sh_addr.wrapping_sub(address) == start - offset
        {
            piece.length = end - offset;
            piece.align = piece.align.max(align);
        } else {
            let content = Content::Copy { offset: start, address: section.sh_addr };
            pieces.push(Piece { content, offset: 0, address: 0, length: end - start, align, order: number });
        }
        last = Some(number);
    }
    pieces
}

/// The string table as a piece of a segment.
pub(super) fn strings_piece(facts: &Facts, length: u64) -> Piece {
    let order = facts.strings_section().unwrap_or(usize::MAX - 1);
    Piece { content: Content::Strings, offset: 0, address: 0, length, align: 8, order }
}

/// The interpreter's name as a piece of a segment.
pub(super) fn interpreter_piece(facts: &Facts, length: u64) -> Piece {
    let order = facts.interpreter_section().unwrap_or_default();
    Piece { content: Content::Interpreter, offset: 0, address: 0, length, align: 1, order }
}

/// The dynamic section of `count` entries as a piece of a segment, with its `DT_NULL` and room for a few more.
pub(super) fn dynamic_piece(facts: &Facts, count: u64) -> Piece {
    let entry = facts.dynamic_entry();
    let room = facts.dynamic.1 / entry;
    let entries = if count < room { room } else { count + 1 + SPARE };
    let order = facts.dynamic_section().unwrap_or(usize::MAX);
    Piece { content: Content::Dynamic, offset: 0, address: 0, length: entries * entry, align: entry, order }
}

fn first_load(facts: &Facts) -> Option<&Segment> {
    facts.loads().next()
}

fn is_program(facts: &Facts) -> bool {
    facts.tables.header.e_type != ET_DYN || facts.tables.segments.iter().any(|segment| segment.p_type == PT_INTERP)
}

fn round_up(value: u64, align: u64) -> Option<u64> {
    value.checked_next_multiple_of(align.max(1))
}
