//! The named parts of an ELF file: its header, the entries of its tables, its sections; without section headers its segments.

use super::parts::Parts;
use super::structure::machine;
use crate::engine::Result;
use crate::engine::binary::Binary;
use crate::engine::binary::elf::{StringTable, Tables};
use crate::engine::compare::regions_elf::{has_bytes, section_names, segment_type};
use crate::engine::file::ReadAt;
use goblin::elf::program_header::PT_LOAD;

/// Files with more parts than this are not aligned by them.
const MOST_PARTS: usize = 300_000;

/// The parts of both files, if they are for one machine: by section where both have sections, by segment otherwise.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a file is damaged, [`crate::engine::Error::Io`].
pub fn parts(a: (&dyn ReadAt, &Binary), b: (&dyn ReadAt, &Binary)) -> Result<Option<(Parts, Parts)>> {
    let (Some(old), Some(new)) = (tables(a.1), tables(b.1)) else { return Ok(None) };
    if machine(a.1) != machine(b.1) || old.sections.len().max(new.sections.len()) > MOST_PARTS / 2 {
        return Ok(None);
    }
    let by_sections = !old.sections.is_empty() && !new.sections.is_empty();
    Ok(Some((file(a.0, old, by_sections)?, file(b.0, new, by_sections)?)))
}

fn tables(binary: &Binary) -> Option<&Tables> {
    Some(&binary.slices.first()?.elf.as_ref()?.tables)
}

fn file(source: &dyn ReadAt, tables: &Tables, by_sections: bool) -> Result<Parts> {
    let mut parts = Parts::default();
    let header = &tables.header;
    parts.add("header", 0, u64::from(header.e_ehsize));
    let entry = u64::from(header.e_phentsize);
    for (number, segment) in tables.segments.iter().enumerate() {
        let also = format!("program header {}", segment_type(segment.p_type));
        let name = format!("{also} {:#x} {:#x}", segment.p_flags, segment.p_vaddr);
        parts.add_by_two_names(name, also, header.e_phoff.saturating_add(number as u64 * entry), entry);
    }
    let names = section_names(source, tables);
    let entry = u64::from(header.e_shentsize);
    for (number, (section, name)) in tables.sections.iter().zip(&names).enumerate() {
        let at = header.e_shoff.saturating_add(number as u64 * entry);
        // The names may lie in a damaged table: the type keeps unlike ones apart.
        let name = format!("{name} {:#x}", section.sh_type);
        parts.add(format!("section header {name}"), at, entry);
        if by_sections && has_bytes(section) {
            parts.add(format!("section {name}"), section.sh_offset, section.sh_size);
        }
    }
    if !by_sections {
        segments(source, tables, &mut parts)?;
    }
    Ok(parts)
}

/// What the segments tell where there are no sections. A loaded segment is the stretch that no finer part takes.
fn segments(source: &dyn ReadAt, tables: &Tables, parts: &mut Parts) -> Result<()> {
    if let Some((offset, size)) = StringTable::of(source, tables)?.range {
        parts.add("dynamic strings", offset, size);
    }
    for segment in tables.segments.iter().filter(|segment| segment.p_type != PT_LOAD) {
        parts.add(format!("segment {}", segment_type(segment.p_type)), segment.p_offset, segment.p_filesz);
    }
    let finer = std::mem::take(parts).ordered(source.size());
    let mut loaded = Parts::default();
    for segment in tables.segments.iter().filter(|segment| segment.p_type == PT_LOAD) {
        let name = format!("segment LOAD {:#x}", segment.p_flags);
        let end = segment.p_offset.saturating_add(segment.p_filesz).min(source.size());
        let mut at = segment.p_offset;
        let first = finer.partition_point(|part| part.end() <= at);
        for part in finer.iter().skip(first).take_while(|part| part.start < end) {
            loaded.add(name.clone(), at, part.start.saturating_sub(at));
            at = part.end();
        }
        loaded.add(name, at, end.saturating_sub(at));
    }
    finer.into_iter().for_each(|part| loaded.push(part));
    *parts = loaded;
    Ok(())
}
