//! The program and section headers as they are after an edit.

use super::layout::{Content, Piece};
use super::placement::Placement;
use super::plan::Edit;
use super::room::HeaderRoom;
use super::write::lost;
use crate::engine::binary::elf::{Section, Segment};
use crate::engine::file::ReadAt;
use crate::engine::repair::ExecStack;
use crate::engine::repair::facts::{Facts, Stop};
use goblin::elf::program_header::{
    PF_R, PF_W, PF_X, PT_DYNAMIC, PT_GNU_PROPERTY, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_NOTE, PT_PHDR,
};
use goblin::elf::section_header::SHT_GNU_VERNEED;

/// The program headers as they shall be.
pub(super) fn segments(source: &dyn ReadAt, edit: &Edit<'_>, placement: &Placement) -> Result<Vec<Segment>, Stop> {
    let facts = edit.facts;
    let mut segments = facts.tables.segments.clone();
    let (dynamic, interpreter) = (placement.piece(Content::Dynamic), placement.piece(Content::Interpreter));
    for segment in &mut segments {
        match (segment.p_type, placement.segment.as_ref()) {
            (PT_DYNAMIC, _) => place(segment, dynamic),
            (PT_INTERP, _) if interpreter.is_some() => place(segment, interpreter),
            (PT_NOTE | PT_INTERP | PT_GNU_PROPERTY, Some(layout)) => {
                if let Some(offset) = layout.moved_offset(segment.p_offset) {
                    let shift = layout.moved_address(segment.p_vaddr).unwrap_or(segment.p_vaddr);
                    segment.p_paddr = segment.p_paddr.wrapping_add(shift.wrapping_sub(segment.p_vaddr));
                    (segment.p_offset, segment.p_vaddr) = (offset, shift);
                }
            }
            (PT_GNU_STACK, _) => match edit.exec_stack {
                Some(ExecStack::Asked) => segment.p_flags |= PF_X,
                Some(ExecStack::NotAsked) => segment.p_flags &= !PF_X,
                None => {}
            },
            _ => {}
        }
    }
    if let Some(filled) = &placement.padding {
        let padding = &filled.padding;
        for number in [padding.segment, padding.relro] {
            let segment = segments.get_mut(number).ok_or_else(|| lost(source, "the segment of RELRO"))?;
            // PT_GNU_RELRO tells of memory; its bytes end where those of the segment do.
            if segment.p_offset.saturating_add(segment.p_filesz) == padding.offset {
                segment.p_filesz = segment.p_filesz.saturating_add(filled.taken);
                segment.p_memsz = segment.p_memsz.max(segment.p_filesz);
            }
        }
    }
    let Some(layout) = &placement.segment else { return Ok(segments) };
    let size = layout.end - layout.offset;
    let holds_dynamic = layout.piece(Content::Dynamic).is_some();
    if let Some(number) = layout.grown {
        let own = segments.get_mut(number).ok_or_else(|| lost(source, "the segment that is to grow"))?;
        (own.p_filesz, own.p_memsz) = (size, size);
        if holds_dynamic {
            own.p_flags |= PF_W;
        }
        return Ok(segments);
    }
    match layout.header {
        Some(HeaderRoom::Unused(number) | HeaderRoom::PhdrEntry(number)) if number < segments.len() => {
            segments.remove(number);
        }
        _ => {}
    }
    let new = Segment {
        p_type: PT_LOAD,
        p_flags: if holds_dynamic { PF_R | PF_W } else { PF_R },
        p_offset: layout.offset,
        p_vaddr: layout.address,
        p_paddr: layout.address,
        p_filesz: size,
        p_memsz: size,
        p_align: layout.align,
    };
    let last = segments.iter().rposition(|segment| segment.p_type == PT_LOAD);
    segments.insert(last.map_or(0, |last| last + 1), new);
    let length = segments.len() as u64 * facts.header_entry();
    if let Some(table) = segments.iter_mut().find(|segment| segment.p_type == PT_PHDR) {
        (table.p_filesz, table.p_memsz) = (length, length);
        if let Some(piece) = layout.piece(Content::Headers) {
            (table.p_offset, table.p_vaddr, table.p_paddr) = (piece.offset, piece.address, piece.address);
        }
    }
    Ok(segments)
}

fn place(segment: &mut Segment, piece: Option<&Piece>) {
    if let Some(piece) = piece {
        (segment.p_offset, segment.p_vaddr, segment.p_paddr) = (piece.offset, piece.address, piece.address);
        (segment.p_filesz, segment.p_memsz) = (piece.length, piece.length);
    }
}

/// The section headers as they shall be.
pub(super) fn sections(edit: &Edit<'_>, placement: &Placement) -> Vec<Section> {
    let facts = edit.facts;
    let mut sections = facts.tables.sections.clone();
    for (number, section) in sections.iter_mut().enumerate() {
        if let Some(piece) = whole_piece(facts, placement, number) {
            (section.sh_offset, section.sh_addr, section.sh_size) = (piece.offset, piece.address, piece.length);
            continue;
        }
        if Some(number) == facts.strings_section() {
            section.sh_size = edit.strings.size();
        }
        if section.sh_type == SHT_GNU_VERNEED
            && let Some(left) = edit.records_left
        {
            // The number of records (LSB, "Symbol Version Requirements").
            section.sh_info = left as u32;
        }
        if let Some(filled) = placement.padding.as_ref().filter(|filled| filled.padding.section == Some(number)) {
            section.sh_addr = section.sh_addr.saturating_add(filled.taken);
            // mold gives it an offset that says nothing: checkers look there for zeros.
            section.sh_offset = filled.padding.offset.saturating_add(filled.taken);
            section.sh_size = section.sh_size.saturating_sub(filled.taken);
        }
        // The old string table can lie within a run that is copied; it is not a part of that run.
        if let Some(layout) = &placement.segment
            && section.sh_type != 0
            && let (Some(offset), Some(address)) =
                (layout.moved_offset(section.sh_offset), layout.moved_address(section.sh_addr))
        {
            (section.sh_offset, section.sh_addr) = (offset, address);
        }
    }
    sections
}

/// The piece that section `number` is the whole of.
fn whole_piece<'a>(facts: &Facts, placement: &'a Placement, number: usize) -> Option<&'a Piece> {
    let content = if Some(number) == facts.strings_section() {
        Content::Strings
    } else if Some(number) == facts.dynamic_section() {
        Content::Dynamic
    } else if Some(number) == facts.interpreter_section() {
        Content::Interpreter
    } else {
        return None;
    };
    placement.piece(content)
}
