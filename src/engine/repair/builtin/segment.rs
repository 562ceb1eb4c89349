//! The writes of an edit with a new or grown segment: its pieces, and everything that has to follow them.

use super::encode::Encode;
use super::layout::{Content, Layout, Piece};
use super::plan::{Edit, dynamic_in_place, dynamic_values, lost};
use super::room::{HeaderRoom, meets};
use super::symbols;
use crate::engine::binary::elf::{Section, Segment};
use crate::engine::file::ReadAt;
use crate::engine::repair::Patch;
use crate::engine::repair::facts::{Facts, Stop, extent};
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_REL, DT_RELA, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERNEED, DT_VERSYM,
};
use goblin::elf::program_header::{
    PF_R, PF_W, PT_DYNAMIC, PT_GNU_PROPERTY, PT_GNU_RELRO, PT_INTERP, PT_LOAD, PT_NOTE, PT_PHDR,
};

/// `DT_RELR` (gABI): packed relative relocations.
const DT_RELR: u64 = 36;

/// What the layout costs, in one clause.
pub(super) fn describe(facts: &Facts, layout: &Layout) -> String {
    let mut text = match layout.grown {
        Some(number) => format!("last segment (program header {number}) grown to {} bytes", layout.end - layout.offset),
        None => format!("appended segment of {} bytes", layout.end - layout.offset),
    };
    let relro = facts.tables.segments.iter().find(|segment| segment.p_type == PT_GNU_RELRO);
    let in_relro = relro.is_some_and(|relro| {
        facts.dynamic_address >= relro.p_vaddr && facts.dynamic_address - relro.p_vaddr < relro.p_memsz
    });
    match (in_relro, layout.piece(Content::Dynamic)) {
        (true, Some(_)) => text.push_str("; .dynamic leaves RELRO"),
        (true, None) => text.push_str("; .dynamic stays in RELRO"),
        (false, _) => {}
    }
    match &layout.header {
        Some(HeaderRoom::PhdrEntry(_)) => text.push_str("; its program header takes PT_PHDR's place"),
        Some(HeaderRoom::Moved) => text.push_str("; the program headers move there: strip may break the file"),
        Some(HeaderRoom::Behind(sections)) if !sections.is_empty() => {
            let names: Vec<String> = sections.iter().map(|number| facts.section_name(*number)).collect();
            text.push_str("; makes way for its program header: ");
            text.push_str(&names.join(", "));
        }
        _ => {}
    }
    text
}

/// All writes of `edit` with `layout`.
pub(super) fn patches(source: &dyn ReadAt, edit: &Edit<'_>, layout: &Layout) -> Result<Vec<Patch>, Stop> {
    let mut moved = Edit {
        facts: edit.facts,
        entries: edit.entries.clone(),
        strings: edit.strings.clone(),
        versions: edit.versions.clone(),
    };
    for (tag, value, entry) in &mut moved.entries {
        let new = match *tag {
            DT_STRTAB => layout.piece(Content::Strings).map(|piece| piece.address),
            DT_HASH | DT_GNU_HASH | DT_SYMTAB | DT_REL | DT_RELA | DT_RELR | DT_JMPREL | DT_VERSYM | DT_VERDEF
            | DT_VERNEED => layout.moved_address(*value),
            _ => None,
        };
        if let Some(new) = new.filter(|new| new != value) {
            *value = new;
            entry.meaning = Some(format!("{}: its new address {new:#x}", tag_name(*tag)));
        }
    }
    let segments = segments(source, edit.facts, layout)?;
    let mut patches = Vec::new();
    for piece in &layout.pieces {
        patches.push(piece_patch(source, &moved, piece, &segments)?);
    }
    let free = |patch: &&Patch| layout.moved_offset(patch.offset).is_none();
    patches.extend(moved.versions.iter().filter(free).cloned());
    if layout.piece(Content::Dynamic).is_none() {
        patches.extend(dynamic_in_place(&moved));
    }
    patches.extend(header_patches(edit.facts, layout, &segments));
    patches.extend(section_patches(edit.facts, layout));
    patches.extend(symbols::patches(edit.facts, source, &|number| distance(edit.facts, layout, number))?);
    Ok(patches)
}

fn piece_patch(source: &dyn ReadAt, edit: &Edit<'_>, piece: &Piece, segments: &[Segment]) -> Result<Patch, Stop> {
    let encode = Encode::like(&edit.facts.tables);
    let (bytes, meaning) = match piece.content {
        Content::Headers => {
            let bytes = segments.iter().flat_map(|segment| encode.segment(segment)).collect();
            (bytes, "program headers".to_owned())
        }
        Content::Strings => {
            let meaning = format!(".dynstr, old strings and {} new ones", edit.strings.count());
            (edit.strings.bytes(), meaning)
        }
        Content::Dynamic => {
            let values = dynamic_values(edit, piece.address, piece.length / edit.facts.dynamic_entry());
            let bytes = values.iter().flat_map(|(tag, value, _)| encode.dynamic(*tag, *value)).collect();
            let news: Vec<&str> = edit.entries.iter().filter_map(|entry| entry.2.meaning.as_deref()).collect();
            (bytes, format!(".dynamic: {}", news.join("; ")))
        }
        Content::Copy { offset, .. } => {
            let mut bytes = source.bytes(offset, piece.length)?;
            for patch in &edit.versions {
                let at = patch.offset.checked_sub(offset).and_then(|at| usize::try_from(at).ok());
                if let Some(place) = at.and_then(|at| bytes.get_mut(at..at + patch.bytes.len())) {
                    place.copy_from_slice(&patch.bytes);
                }
            }
            let range = (offset, offset + piece.length);
            let sections = edit.facts.tables.sections.iter().enumerate();
            let names: Vec<String> = sections
                .filter(|(_, section)| extent(section).is_some_and(|extent| meets(extent, range)))
                .map(|(number, _)| edit.facts.section_name(number))
                .collect();
            (bytes, format!("{} at the new place", names.join(", ")))
        }
    };
    Ok(Patch { offset: piece.offset, bytes, meaning })
}

/// The program headers as they shall be.
fn segments(source: &dyn ReadAt, facts: &Facts, layout: &Layout) -> Result<Vec<Segment>, Stop> {
    let mut segments = facts.tables.segments.clone();
    let dynamic = layout.piece(Content::Dynamic);
    for segment in &mut segments {
        match segment.p_type {
            PT_NOTE | PT_INTERP | PT_GNU_PROPERTY => {
                if let Some(offset) = layout.moved_offset(segment.p_offset) {
                    let shift = layout.moved_address(segment.p_vaddr).unwrap_or(segment.p_vaddr);
                    segment.p_paddr = segment.p_paddr.wrapping_add(shift.wrapping_sub(segment.p_vaddr));
                    (segment.p_offset, segment.p_vaddr) = (offset, shift);
                }
            }
            PT_DYNAMIC => {
                if let Some(piece) = dynamic {
                    (segment.p_offset, segment.p_vaddr, segment.p_paddr) = (piece.offset, piece.address, piece.address);
                    (segment.p_filesz, segment.p_memsz) = (piece.length, piece.length);
                }
            }
            _ => {}
        }
    }
    let size = layout.end - layout.offset;
    if let Some(number) = layout.grown {
        let own = segments.get_mut(number).ok_or_else(|| lost(source, "the segment that is to grow"))?;
        (own.p_filesz, own.p_memsz) = (size, size);
        if dynamic.is_some() {
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
        p_flags: if dynamic.is_some() { PF_R | PF_W } else { PF_R },
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

/// The writes of the ELF header and of the program headers at their old place.
fn header_patches(facts: &Facts, layout: &Layout, segments: &[Segment]) -> Vec<Patch> {
    let (header, encode) = (&facts.tables.header, Encode::like(&facts.tables));
    let mut patches = Vec::new();
    // gABI: e_phoff stands at 32 (64-bit) or 28, e_phnum at 56 or 44.
    let (offset_at, count_at) = if facts.tables.is_64 { (32, 56) } else { (28, 44) };
    if segments.len() != facts.tables.segments.len() {
        let bytes = encode.half(segments.len() as u16);
        let meaning = format!("ELF header: {} program headers", segments.len());
        patches.push(Patch { offset: count_at, bytes, meaning });
    }
    if let Some(piece) = layout.piece(Content::Headers) {
        let bytes = encode.address(piece.offset);
        patches.push(Patch { offset: offset_at, bytes, meaning: "ELF header: place of the program headers".into() });
        return patches;
    }
    for (number, segment) in segments.iter().enumerate() {
        if facts.tables.segments.get(number) != Some(segment) {
            let offset = header.e_phoff + number as u64 * facts.header_entry();
            let meaning = format!("program header {number}: {}", segment_name(segment.p_type));
            patches.push(Patch { offset, bytes: encode.segment(segment), meaning });
        }
    }
    patches
}

/// The writes of the section headers that follow their sections.
fn section_patches(facts: &Facts, layout: &Layout) -> Vec<Patch> {
    let mut patches = Vec::new();
    for (number, old) in facts.tables.sections.iter().enumerate() {
        let mut section = old.clone();
        if let Some(piece) = whole_piece(facts, layout, number) {
            (section.sh_offset, section.sh_addr, section.sh_size) = (piece.offset, piece.address, piece.length);
        } else if let Some(distance) = distance(facts, layout, number) {
            section.sh_addr = section.sh_addr.wrapping_add(distance);
            section.sh_offset = layout.moved_offset(old.sh_offset).unwrap_or(old.sh_offset);
        }
        if section != *old {
            patches.push(section_patch(facts, number, &section));
        }
    }
    patches
}

/// The write of section header `number`.
pub(super) fn section_patch(facts: &Facts, number: usize, section: &Section) -> Patch {
    let size = u64::from(facts.tables.header.e_shentsize);
    Patch {
        offset: facts.tables.header.e_shoff + number as u64 * size,
        bytes: Encode::like(&facts.tables).section(section),
        meaning: format!("section header {number}: {}", facts.section_name(number)),
    }
}

/// The piece that section `number` is the whole of.
fn whole_piece<'a>(facts: &Facts, layout: &'a Layout, number: usize) -> Option<&'a Piece> {
    if Some(number) == facts.strings_section() {
        layout.piece(Content::Strings)
    } else if Some(number) == facts.dynamic_section() {
        layout.piece(Content::Dynamic)
    } else {
        None
    }
}

/// By how much the addresses of section `number` grow, if it moves.
fn distance(facts: &Facts, layout: &Layout, number: usize) -> Option<u64> {
    let section = facts.tables.sections.get(number).filter(|section| section.sh_type != 0)?;
    let new = match whole_piece(facts, layout, number) {
        Some(piece) => piece.address,
        None => {
            // The old string table can lie within a run that is copied; it is not a part of that run.
            layout.moved_offset(section.sh_offset)?;
            layout.moved_address(section.sh_addr)?
        }
    };
    Some(new.wrapping_sub(section.sh_addr)).filter(|distance| *distance != 0)
}

fn segment_name(kind: u32) -> &'static str {
    match kind {
        PT_LOAD => "LOAD",
        PT_DYNAMIC => "DYNAMIC",
        PT_INTERP => "INTERP",
        PT_NOTE => "NOTE",
        PT_PHDR => "PHDR",
        PT_GNU_PROPERTY => "GNU_PROPERTY",
        PT_GNU_RELRO => "GNU_RELRO",
        _ => "moved down",
    }
}

fn tag_name(tag: u64) -> &'static str {
    match tag {
        DT_STRTAB => "STRTAB",
        DT_HASH => "HASH",
        DT_GNU_HASH => "GNU_HASH",
        DT_SYMTAB => "SYMTAB",
        DT_REL => "REL",
        DT_RELA => "RELA",
        DT_RELR => "RELR",
        DT_JMPREL => "JMPREL",
        DT_VERSYM => "VERSYM",
        DT_VERDEF => "VERDEF",
        _ => "VERNEED",
    }
}
