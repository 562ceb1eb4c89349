//! How an edit fits, as the document that screen and command line show.

use super::layout::Content;
use super::placement::Placement;
use super::plan::Edit;
use super::room::{HeaderRoom, header_room, own_segment};
use super::weigh::{Weighed, interpreter_room};
use super::write::{Outcome, made_way, segment_name};
use crate::engine::Result;
use crate::engine::binary::elf::{Section, Segment};
use crate::engine::file::ReadAt;
use crate::engine::repair::facts::{Facts, extent};
use crate::engine::report::fit::{Fit, Inserted, RelroFate, Room, RoomPlace, Shape, ShapePart, Strategy};
use crate::engine::report::fit_words;
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_DYNAMIC, PT_GNU_RELRO, PT_LOAD, PT_NULL};
use goblin::elf::section_header::{SHF_ALLOC, SHF_EXECINSTR, SHF_WRITE};

/// Fewer bytes than this behind the last table, segment and section are taken as padding.
const FILL: u64 = 64;

/// The document of `edit`, of which `outcome` comes and after which the file is `size` bytes long.
pub(super) fn describe(
    source: &dyn ReadAt,
    edit: &Edit<'_>,
    weighed: &Weighed,
    placement: &Placement,
    outcome: &Outcome,
    size: u64,
) -> Result<Fit> {
    let facts = edit.facts;
    let header = &facts.tables.header;
    let mut before = shape(facts, &facts.tables.segments, &facts.tables.sections, facts.size);
    before.tables = tables(facts, &facts.tables.segments, header.e_phoff, header.e_shoff);
    let mut after = shape(facts, &outcome.segments, &outcome.sections, size);
    let headers_at = placement.piece(Content::Headers).map_or(header.e_phoff, |piece| piece.offset);
    let shift = placement.insertion.filter(|zeros| zeros.offset <= header.e_shoff).map_or(0, |zeros| zeros.length);
    after.tables = tables(facts, &outcome.segments, headers_at, header.e_shoff.saturating_add(shift));
    let relro = match (facts.dynamic_in_relro(), covered(&outcome.segments)) {
        (false, _) => RelroFate::None,
        (true, true) => RelroFate::Kept,
        (true, false) => RelroFate::Lost,
    };
    Ok(Fit {
        strategy: placement.strategy,
        rooms: rooms(edit, weighed, placement),
        considered: weighed.considered.clone(),
        consequences: consequences(source, edit, placement, relro, size)?,
        relro,
        inserted: placement.insertion.map(|zeros| Inserted { offset: zeros.offset, length: zeros.length }),
        before,
        after,
    })
}

/// The way and its cost in one clause, for where there is no room for the document.
pub(super) fn in_words(fit: &Fit) -> String {
    let mut clauses = vec![fit_words::strategy(fit.strategy).to_owned()];
    clauses.extend(fit.consequences.iter().cloned());
    clauses.join("; ")
}

fn rooms(edit: &Edit<'_>, weighed: &Weighed, placement: &Placement) -> Vec<Room> {
    let facts = edit.facts;
    let entry = facts.dynamic_entry();
    let mut rooms = Vec::new();
    let new = (edit.entries.len() as u64).saturating_sub(facts.tables.dynamic.len() as u64);
    let spare = facts.tables.dynamic_nulls.saturating_sub(1);
    if new > 0 {
        rooms.push(Room {
            place: RoomPlace::SpareEntries,
            need: Some(new * entry),
            room: spare * entry,
            detail: format!("{spare} spare entries behind .dynamic's last"),
        });
        let names = weighed.redundant.join("; ");
        rooms.push(Room {
            place: RoomPlace::RedundantEntries,
            need: Some(new.saturating_sub(spare) * entry).filter(|need| *need > 0),
            room: weighed.redundant.len() as u64 * entry,
            detail: if names.is_empty() { "no entry says what another says".to_owned() } else { names },
        });
    }
    let (length, added) = (edit.strings.length(), edit.strings.added().len() as u64);
    if length > 0 {
        rooms.push(Room {
            place: RoomPlace::UnusedStrings,
            need: Some(length),
            room: edit.strings.unused(),
            detail: format!("bytes of .dynstr ({} in all) that nobody refers to", facts.strings.len()),
        });
        if added > 0 {
            rooms.push(Room {
                place: RoomPlace::StringSlack,
                need: Some(added),
                room: weighed.slack,
                detail: "unused bytes behind .dynstr".to_owned(),
            });
        }
    }
    if let Some(name) = &edit.interpreter {
        rooms.push(Room {
            place: RoomPlace::Interpreter,
            need: Some(name.len() as u64),
            room: interpreter_room(facts),
            detail: "the interpreter's name with its NUL, where it stands".to_owned(),
        });
    }
    if weighed.wanted_in_padding > 0 {
        let (room, detail) = match &weighed.padding {
            Ok(padding) => {
                (padding.room, format!("from {:#x} on; the file has {} bytes there", padding.address, padding.free))
            }
            Err(why) => (0, (*why).to_owned()),
        };
        rooms.push(Room { place: RoomPlace::RelroPadding, need: Some(weighed.wanted_in_padding), room, detail });
        let need = placement.segment.as_ref().filter(|layout| layout.grown.is_none()).map(|_| facts.header_entry());
        let (room, detail) = header_words(facts);
        rooms.push(Room { place: RoomPlace::ProgramHeaders, need, room, detail });
    }
    if let Some(layout) = placement.segment.as_ref().filter(|layout| layout.grown.is_some()) {
        let room = own_segment(facts).map_or(0, |own| facts.size.saturating_sub(own.from));
        rooms.push(Room {
            place: RoomPlace::OwnSegment,
            need: Some(layout.pieces.iter().map(|piece| piece.length).sum()),
            room,
            detail: "the last segment, which an earlier edit made; it grows".to_owned(),
        });
    }
    rooms
}

fn header_words(facts: &Facts) -> (u64, String) {
    let entry = facts.header_entry();
    match header_room(facts) {
        HeaderRoom::Unused(number) => (entry, format!("program header {number} is unused")),
        HeaderRoom::PhdrEntry(_) => (entry, "PT_PHDR, which no loader of a library reads".to_owned()),
        HeaderRoom::Behind(sections) if sections.is_empty() => (entry, "behind the program headers".to_owned()),
        HeaderRoom::Behind(sections) => {
            let names: Vec<String> = sections.iter().map(|number| facts.section_name(*number)).collect();
            (entry, format!("behind the program headers, if these make way: {}", names.join(", ")))
        }
        HeaderRoom::Moved => (0, "what stands behind the program headers can't move: they would have to".to_owned()),
    }
}

fn consequences(
    source: &dyn ReadAt,
    edit: &Edit<'_>,
    placement: &Placement,
    relro: RelroFate,
    size: u64,
) -> Result<Vec<String>> {
    let facts = edit.facts;
    let mut said = Vec::new();
    said.extend(placement.given_up.iter().map(|why| format!("gives up {why}")));
    if let Some(insertion) = placement.insertion {
        said.push(format!("{} bytes are inserted into the file at {:#x}", insertion.length, insertion.offset));
    }
    if let Some(layout) = &placement.segment {
        let length = layout.end - layout.offset;
        said.push(match layout.grown {
            Some(number) => format!("the last segment (program header {number}) grows to {length} bytes"),
            None => format!("a segment of {length} bytes is appended"),
        });
        match layout.header.as_ref().filter(|_| layout.grown.is_none()) {
            Some(HeaderRoom::PhdrEntry(_)) => said.push("its program header takes PT_PHDR's place".to_owned()),
            Some(HeaderRoom::Moved) => {
                said.push("the program headers move there: strip may break the file".to_owned());
            }
            Some(HeaderRoom::Behind(sections)) if !sections.is_empty() => {
                said.push(format!("for its program header these make way: {}", made_way(facts, layout).join(", ")));
            }
            _ => {}
        }
        let own_end = own_end(facts);
        let foreign = facts.size.saturating_sub(own_end);
        if layout.grown.is_none() && foreign >= FILL {
            let bytes = source.bytes(own_end, foreign.min(4096))?;
            if bytes.iter().any(|byte| *byte != 0) {
                said.push(format!("{foreign} bytes that were appended to the file no longer end it"));
            }
        }
    }
    match relro {
        RelroFate::Lost => said.push(".dynamic leaves RELRO: it stays writable while the program runs".to_owned()),
        RelroFate::Kept if placement.strategy != Strategy::InPlace => said.push(".dynamic stays in RELRO".to_owned()),
        _ => {}
    }
    if size > facts.size {
        said.push(format!("the file grows by {} bytes", size - facts.size));
    }
    Ok(said)
}

/// Where the file ends as its own headers have it; what follows was appended by others.
fn own_end(facts: &Facts) -> u64 {
    let header = &facts.tables.header;
    let sections = facts.tables.sections.iter().filter_map(extent).map(|extent| extent.1);
    let segments = facts.tables.segments.iter().map(|segment| segment.p_offset.saturating_add(segment.p_filesz));
    let entries = (facts.tables.sections.len() as u64).saturating_mul(u64::from(header.e_shentsize));
    segments.chain(sections).chain([header.e_shoff.saturating_add(entries)]).max().unwrap_or(0)
}

fn covered(segments: &[Segment]) -> bool {
    let find = |kind: u32| segments.iter().find(|segment| segment.p_type == kind);
    match (find(PT_GNU_RELRO), find(PT_DYNAMIC)) {
        (Some(relro), Some(dynamic)) => {
            let end = relro.p_vaddr.saturating_add(relro.p_memsz);
            relro.p_vaddr <= dynamic.p_vaddr && dynamic.p_vaddr.saturating_add(dynamic.p_memsz) <= end
        }
        _ => false,
    }
}

fn shape(facts: &Facts, segments: &[Segment], sections: &[Section], size: u64) -> Shape {
    let flags = |set: &[(bool, char)]| set.iter().filter(|one| one.0).map(|one| one.1).collect::<String>();
    let segments = segments.iter().filter(|segment| segment.p_type != PT_NULL).map(|segment| ShapePart {
        name: segment_name(segment.p_type).to_owned(),
        flags: flags(&[
            (segment.p_flags & PF_R != 0, 'R'),
            (segment.p_flags & PF_W != 0, 'W'),
            (segment.p_flags & PF_X != 0, 'E'),
        ]),
        offset: segment.p_offset,
        size: segment.p_filesz,
        address: segment.p_vaddr,
        memory: segment.p_memsz,
    });
    let placed = sections.iter().enumerate().filter(|(_, section)| section.sh_type != 0);
    let sections = placed.map(|(number, section)| {
        let is_loaded = section.sh_flags & u64::from(SHF_ALLOC) != 0;
        ShapePart {
            name: facts.section_name(number),
            flags: flags(&[
                (is_loaded, 'A'),
                (section.sh_flags & u64::from(SHF_WRITE) != 0, 'W'),
                (section.sh_flags & u64::from(SHF_EXECINSTR) != 0, 'X'),
            ]),
            offset: section.sh_offset,
            size: extent(section).map_or(0, |extent| extent.1 - extent.0),
            address: if is_loaded { section.sh_addr } else { 0 },
            memory: if is_loaded { section.sh_size } else { 0 },
        }
    });
    Shape { size, tables: Vec::new(), segments: segments.collect(), sections: sections.collect() }
}

/// The headers, at the file offsets `program` and `sections`; a table that is mapped has an address.
fn tables(facts: &Facts, segments: &[Segment], program: u64, sections: u64) -> Vec<ShapePart> {
    let header = &facts.tables.header;
    let part = |name: &str, offset: u64, size: u64| {
        let maps = |segment: &&Segment| {
            segment.p_type == PT_LOAD
                && offset.checked_sub(segment.p_offset).is_some_and(|into| into < segment.p_filesz)
        };
        let loaded = segments.iter().find(maps);
        ShapePart {
            name: name.to_owned(),
            flags: String::new(),
            offset,
            size,
            address: loaded.map_or(0, |load| load.p_vaddr.saturating_add(offset - load.p_offset)),
            memory: loaded.map_or(0, |_| size),
        }
    };
    let entry = |count: usize, size: u16| (count as u64).saturating_mul(u64::from(size));
    let all = [
        part("ELF header", 0, u64::from(header.e_ehsize)),
        part("program headers", program, entry(segments.len(), header.e_phentsize)),
        part("section headers", sections, entry(facts.tables.sections.len(), header.e_shentsize)),
    ];
    all.into_iter().filter(|table| table.size > 0).collect()
}
