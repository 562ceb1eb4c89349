//! The writes of an edit: what goes where it is, what goes to a new place, and everything that has to follow.

use super::encode::Encode;
use super::entries::{dynamic_in_place, dynamic_values};
use super::headers::{sections, segments};
use super::layout::{Content, Layout, Piece};
use super::placement::Placement;
use super::plan::Edit;
use super::room::{HeaderRoom, meets};
use super::symbols;
use crate::engine::Error;
use crate::engine::binary::elf::{Section, Segment, Tables};
use crate::engine::file::ReadAt;
use crate::engine::repair::Patch;
use crate::engine::repair::facts::{Facts, Stop, extent};
use goblin::elf::dynamic::{
    DT_GNU_HASH, DT_HASH, DT_JMPREL, DT_PLTGOT, DT_REL, DT_RELA, DT_STRTAB, DT_SYMTAB, DT_VERDEF, DT_VERNEED, DT_VERSYM,
};
use goblin::elf::header::EI_OSABI;
use goblin::elf::program_header::{
    PT_DYNAMIC, PT_GNU_PROPERTY, PT_GNU_RELRO, PT_GNU_STACK, PT_INTERP, PT_LOAD, PT_NOTE, PT_NULL, PT_PHDR,
};

/// `DT_RELR` (gABI): packed relative relocations.
const DT_RELR: u64 = 36;

/// What an edit makes of a file.
pub(super) struct Outcome {
    /// The writes, by offset, none on another.
    pub patches: Vec<Patch>,
    /// The program headers as they shall be.
    pub segments: Vec<Segment>,
    /// The section headers as they shall be.
    pub sections: Vec<Section>,
}

/// All writes of `edit`, placed as `placement` says. `source` and the edit's facts are those after the insertion; `before`
/// are the tables as the file has them.
pub(super) fn result(
    source: &dyn ReadAt,
    edit: &Edit<'_>,
    placement: &Placement,
    before: &Tables,
) -> Result<Outcome, Stop> {
    let facts = edit.facts;
    let mut edit = Edit { entries: placement.entries.clone(), ..edit.clone() };
    let segment = placement.segment.as_ref();
    for (tag, value, entry) in &mut edit.entries {
        let new = match *tag {
            DT_STRTAB => placement.piece(Content::Strings).map(|piece| piece.address),
            DT_HASH | DT_GNU_HASH | DT_SYMTAB | DT_REL | DT_RELA | DT_RELR | DT_JMPREL | DT_VERSYM | DT_VERDEF
            | DT_VERNEED => segment.and_then(|layout| layout.moved_address(*value)),
            _ => None,
        };
        if let Some(new) = new.filter(|new| new != value) {
            *value = new;
            entry.meaning = Some(format!("{}: its new address {new:#x}", tag_name(*tag)));
        }
    }
    let new_segments = segments(source, &edit, placement)?;
    let new_sections = sections(&edit, placement);
    let mut patches = Vec::new();
    let padded = placement.padding.iter().flat_map(|filled| &filled.pieces);
    for piece in padded.chain(segment.iter().flat_map(|layout| &layout.pieces)) {
        patches.push(piece_patch(source, &edit, piece, &new_segments)?);
    }
    let free = |patch: &&Patch| segment.is_none_or(|layout| layout.moved_offset(patch.offset).is_none());
    patches.extend(edit.versions.iter().filter(free).cloned());
    if placement.piece(Content::Dynamic).is_none() {
        patches.extend(dynamic_in_place(&edit));
    }
    if placement.piece(Content::Strings).is_none() {
        patches.extend(strings_in_place(&edit));
    }
    patches.extend(interpreter_in_place(&edit, placement));
    patches.extend(header_patches(&edit, placement, before, &new_segments));
    patches.extend(vacated(facts, placement, new_segments.len()));
    patches.extend(section_patches(facts, before, &new_sections));
    let distance = |number: usize| {
        let (old, new) = (facts.tables.sections.get(number)?, new_sections.get(number)?);
        let distance = new.sh_addr.wrapping_sub(old.sh_addr);
        (old.sh_type != 0 && distance != 0).then_some(distance)
    };
    patches.extend(symbols::patches(facts, source, &distance)?);
    patches.extend(first_of_got(source, &edit, placement)?);
    patches.sort_by_key(|patch| patch.offset);
    Ok(Outcome { patches, segments: new_segments, sections: new_sections })
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
            (edit.strings.bytes().to_vec(), meaning)
        }
        Content::Interpreter => (edit.interpreter.clone().unwrap_or_default(), interpreter_meaning(edit)),
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
            if let Some((at, name)) = interpreter_place(edit)
                && let Some(at) = at.checked_sub(offset).and_then(|at| usize::try_from(at).ok())
                && let Some(place) = bytes.get_mut(at..at + name.len())
            {
                place.copy_from_slice(&name);
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

fn interpreter_meaning(edit: &Edit<'_>) -> String {
    let name = edit.interpreter.as_deref().unwrap_or_default();
    let new = String::from_utf8_lossy(name.strip_suffix(b"\0").unwrap_or(name)).into_owned();
    match &edit.facts.interpreter {
        Some(old) => format!("interpreter: {} → {new}", old.name),
        None => format!("interpreter: {new}"),
    }
}

/// The interpreter's bytes where they stand now, filled up with NULs, and where that is.
fn interpreter_place(edit: &Edit<'_>) -> Option<(u64, Vec<u8>)> {
    let mut name = edit.interpreter.clone()?;
    let segment = edit.facts.tables.segments.get(edit.facts.interpreter.as_ref()?.segment)?;
    let room = usize::try_from(segment.p_filesz).ok()?;
    (name.len() <= room).then(|| {
        // The kernel wants a NUL at the end of the segment (binfmt_elf).
        name.resize(room, 0);
        (segment.p_offset, name)
    })
}

fn interpreter_in_place(edit: &Edit<'_>, placement: &Placement) -> Option<Patch> {
    if placement.piece(Content::Interpreter).is_some() {
        return None;
    }
    let (offset, bytes) = interpreter_place(edit)?;
    let copied = placement.segment.as_ref().is_some_and(|layout| layout.moved_offset(offset).is_some());
    (!copied).then(|| Patch { offset, bytes, meaning: interpreter_meaning(edit) })
}

fn strings_in_place(edit: &Edit<'_>) -> Vec<Patch> {
    let start = edit.facts.strings_offset;
    let changed = edit.strings.changed().map(|(at, bytes)| Patch {
        offset: start + at,
        bytes: bytes.to_vec(),
        meaning: ".dynstr, where nobody refers to any more".to_owned(),
    });
    let mut patches: Vec<Patch> = changed.collect();
    if !edit.strings.added().is_empty() {
        patches.push(Patch {
            offset: start + edit.facts.strings.len() as u64,
            bytes: edit.strings.added().to_vec(),
            meaning: format!(".dynstr, {} new strings", edit.strings.count()),
        });
    }
    patches
}

/// The writes of the ELF header, and of the program headers at their old place.
fn header_patches(edit: &Edit<'_>, placement: &Placement, before: &Tables, segments: &[Segment]) -> Vec<Patch> {
    let facts = edit.facts;
    let (header, encode) = (&facts.tables.header, Encode::like(&facts.tables));
    let mut patches = Vec::new();
    let mut write = |offset: u64, bytes: Vec<u8>, meaning: String| patches.push(Patch { offset, bytes, meaning });
    if let Some(abi) = edit.os_abi {
        write(EI_OSABI as u64, vec![abi], format!("ELF header: OS ABI {abi}"));
    }
    // gABI: e_phoff stands at 32 (64-bit) or 28, e_shoff behind it, e_phnum at 56 or 44.
    let (offset_at, width, count_at) = if facts.tables.is_64 { (32, 8, 56) } else { (28, 4, 44) };
    if header.e_shoff != before.header.e_shoff {
        write(offset_at + width, encode.address(header.e_shoff), "ELF header: place of the section headers".into());
    }
    if segments.len() != before.segments.len() {
        write(count_at, encode.half(segments.len() as u16), format!("ELF header: {} program headers", segments.len()));
    }
    if let Some(piece) = placement.piece(Content::Headers) {
        write(offset_at, encode.address(piece.offset), "ELF header: place of the program headers".into());
        return patches;
    }
    for (number, segment) in segments.iter().enumerate() {
        if before.segments.get(number) != Some(segment) {
            let offset = header.e_phoff + number as u64 * facts.header_entry();
            write(
                offset,
                encode.segment(segment),
                format!("program header {number}: {}", segment_name(segment.p_type)),
            );
        }
    }
    patches
}

/// Zeros where sections made way, behind the program headers: the next edit can tell that nobody needs that place.
fn vacated(facts: &Facts, placement: &Placement, headers: usize) -> Vec<Patch> {
    let Some(HeaderRoom::Behind(sections)) = placement.segment.as_ref().and_then(|layout| layout.header.as_ref())
    else {
        return Vec::new();
    };
    let end = facts.tables.header.e_phoff + headers as u64 * facts.header_entry();
    let ranges = sections.iter().filter_map(|number| Some((*number, extent(facts.tables.sections.get(*number)?)?)));
    let left = ranges.map(|(number, (from, to))| (number, from.max(end), to)).filter(|(_, from, to)| from < to);
    left.map(|(number, from, to)| Patch {
        offset: from,
        bytes: vec![0; (to - from) as usize],
        meaning: format!("where {} stood: zeros", facts.section_name(number)),
    })
    .collect()
}

/// The writes of the section headers that changed.
fn section_patches(facts: &Facts, before: &Tables, sections: &[Section]) -> Vec<Patch> {
    let size = u64::from(facts.tables.header.e_shentsize);
    let changed =
        sections.iter().enumerate().filter(|(number, section)| before.sections.get(*number) != Some(*section));
    changed
        .map(|(number, section)| Patch {
            offset: facts.tables.header.e_shoff + number as u64 * size,
            bytes: Encode::like(&facts.tables).section(section),
            meaning: format!("section header {number}: {}", facts.section_name(number)),
        })
        .collect()
}

/// The first word of the GOT, where it tells where .dynamic is (psABIs; only ld.so's own start reads it).
fn first_of_got(source: &dyn ReadAt, edit: &Edit<'_>, placement: &Placement) -> Result<Option<Patch>, Stop> {
    let facts = edit.facts;
    let Some(piece) = placement.piece(Content::Dynamic) else { return Ok(None) };
    let place = facts.tables.dynamic_value(DT_PLTGOT).and_then(|address| facts.tables.file_offset(address));
    let width = if facts.tables.is_64 { 8 } else { 4 };
    let Some((offset, _)) = place.filter(|(_, rest)| *rest >= width) else { return Ok(None) };
    let found = facts.number(&source.bytes(offset, width)?, 0, width as usize);
    let taken = placement.segment.as_ref().and_then(|layout| layout.moved_offset(offset)).is_some();
    Ok((found == facts.dynamic_address && found != 0 && !taken).then(|| Patch {
        offset,
        bytes: Encode::like(&facts.tables).address(piece.address),
        meaning: "first word of the GOT: the address of .dynamic".to_owned(),
    }))
}

/// An error for what can't be: a table that was read and is gone.
pub(super) fn lost(source: &dyn ReadAt, what: &str) -> Error {
    Error::malformed(source.path(), 0, what)
}

/// What makes way for the header of a new segment, by name.
pub(super) fn made_way(facts: &Facts, layout: &Layout) -> Vec<String> {
    match &layout.header {
        Some(HeaderRoom::Behind(sections)) => sections.iter().map(|number| facts.section_name(*number)).collect(),
        _ => Vec::new(),
    }
}

/// The name of a program header's type.
pub(super) fn segment_name(kind: u32) -> &'static str {
    match kind {
        PT_NULL => "NULL",
        PT_LOAD => "LOAD",
        PT_DYNAMIC => "DYNAMIC",
        PT_INTERP => "INTERP",
        PT_NOTE => "NOTE",
        PT_PHDR => "PHDR",
        PT_GNU_PROPERTY => "GNU_PROPERTY",
        PT_GNU_RELRO => "GNU_RELRO",
        PT_GNU_STACK => "GNU_STACK",
        goblin::elf::program_header::PT_GNU_EH_FRAME => "GNU_EH_FRAME",
        goblin::elf::program_header::PT_TLS => "TLS",
        _ => "other",
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
