//! What lies where in an ELF file: headers by field, dynamic entries with their strings, needed versions, sections.

use super::layout::{Layer, Layout};
use crate::engine::Result;
use crate::engine::binary::elf::{Details, Section, StringTable, Tables};
use crate::engine::binary::record::{Record, name_at};
use crate::engine::binary::{Endian, Name};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use goblin::elf::dynamic::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_VERNEED, DT_VERNEEDNUM, tag_to_str};
use goblin::elf::program_header::{PT_INTERP, pt_to_str};
use goblin::elf::section_header::{
    SHF_ALLOC, SHF_EXECINSTR, SHT_DYNAMIC, SHT_DYNSYM, SHT_GNU_HASH, SHT_GNU_VERDEF, SHT_GNU_VERNEED, SHT_GNU_VERSYM,
    SHT_HASH, SHT_NOBITS, SHT_NOTE, SHT_NULL, SHT_REL, SHT_RELA, SHT_STRTAB, SHT_SYMTAB,
};

/// `SHT_RELR` (gABI): relative relocations, packed.
const SHT_RELR: u32 = 19;

/// Fields of more records than this are not told one by one; their region still is.
const MOST_RECORDS: usize = 4096;
/// The names and widths of the header's fields behind `e_ident`; 0 stands for the width of an address.
const HEADER_FIELDS: [(&str, u64); 13] = [
    ("e_type", 2),
    ("e_machine", 2),
    ("e_version", 4),
    ("e_entry", 0),
    ("e_phoff", 0),
    ("e_shoff", 0),
    ("e_flags", 4),
    ("e_ehsize", 2),
    ("e_phentsize", 2),
    ("e_phnum", 2),
    ("e_shentsize", 2),
    ("e_shnum", 2),
    ("e_shstrndx", 2),
];
const SEGMENT_FIELDS_64: [(&str, u64); 8] = [
    ("p_type", 4),
    ("p_flags", 4),
    ("p_offset", 0),
    ("p_vaddr", 0),
    ("p_paddr", 0),
    ("p_filesz", 0),
    ("p_memsz", 0),
    ("p_align", 0),
];
const SEGMENT_FIELDS_32: [(&str, u64); 8] = [
    ("p_type", 4),
    ("p_offset", 0),
    ("p_vaddr", 0),
    ("p_paddr", 0),
    ("p_filesz", 0),
    ("p_memsz", 0),
    ("p_flags", 4),
    ("p_align", 0),
];
const SECTION_FIELDS: [(&str, u64); 10] = [
    ("sh_name", 4),
    ("sh_type", 4),
    ("sh_flags", 0),
    ("sh_addr", 0),
    ("sh_offset", 0),
    ("sh_size", 0),
    ("sh_link", 4),
    ("sh_info", 4),
    ("sh_addralign", 0),
    ("sh_entsize", 0),
];

/// The layout of the ELF file `source`, whose tables are `details`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the version records lie outside of the file.
pub fn layout(source: &dyn ReadAt, details: &Details) -> Result<Layout> {
    let tables = &details.tables;
    let names = section_names(source, tables);
    let mut layout = Layout::default();
    headers(source, tables, &names, &mut layout)?;
    for (number, segment) in tables.segments.iter().enumerate() {
        let name = format!("segment {number} ({})", segment_type(segment.p_type));
        if segment.p_type == PT_INTERP {
            let path = name_at(source, segment.p_offset, segment.p_offset.saturating_add(segment.p_filesz));
            let path = path.map(|path| path.to_string()).unwrap_or_default();
            layout.item(Class::Interpreter, segment.p_offset, segment.p_filesz, "interpreter", path);
        }
        layout.region(Layer::Segment, Class::Padding, segment.p_offset, segment.p_filesz, name);
    }
    for (section, name) in tables.sections.iter().zip(&names).filter(|(section, _)| has_bytes(section)) {
        let (offset, size) = (section.sh_offset, section.sh_size);
        match section.sh_type {
            SHT_STRTAB => layout.strings(Layer::Section, offset, size, name.to_text()),
            _ => layout.region(Layer::Section, class(section, &name.to_text()), offset, size, name.to_text()),
        }
    }
    let strings = StringTable::of(source, tables)?;
    if tables.sections.is_empty() {
        if let Some((offset, size)) = strings.range {
            layout.strings(Layer::Section, offset, size, "dynamic string table");
        }
        if let Some((offset, size)) = tables.dynamic_range {
            layout.region(Layer::Section, Class::Dynamic, offset, size, "dynamic section");
        }
    }
    dynamic_entries(tables, &strings, &mut layout);
    needed_versions(source, tables, &strings, &mut layout)?;
    Ok(layout.ordered())
}

/// The names of all sections; a name that can't be read is empty.
pub fn section_names(source: &dyn ReadAt, tables: &Tables) -> Vec<Name> {
    // gABI SHN_XINDEX: the number stands in the first header's sh_link.
    let number = match tables.header.e_shstrndx {
        0xffff => tables.sections.first().map_or(0, |section| section.sh_link as usize),
        number => usize::from(number),
    };
    let table = tables.sections.get(number).filter(|table| has_bytes(table));
    let name = |section: &Section| {
        let table = table?;
        let end = table.sh_offset.saturating_add(table.sh_size);
        name_at(source, table.sh_offset.saturating_add(section.sh_name as u64), end).ok()
    };
    tables.sections.iter().map(|section| name(section).unwrap_or_default()).collect()
}

/// What kind of bytes the section called `name` holds.
fn class(section: &Section, name: &str) -> Class {
    match section.sh_type {
        SHT_DYNAMIC => Class::Dynamic,
        SHT_DYNSYM | SHT_SYMTAB => Class::Symbol,
        SHT_HASH | SHT_GNU_HASH => Class::Hash,
        SHT_REL | SHT_RELA | SHT_RELR => Class::Relocation,
        SHT_GNU_VERSYM | SHT_GNU_VERNEED | SHT_GNU_VERDEF => Class::Version,
        SHT_NOTE if name == ".note.gnu.build-id" => Class::BuildId,
        SHT_NOTE => Class::Note,
        _ if name == ".interp" => Class::Interpreter,
        _ if section.sh_flags & u64::from(SHF_EXECINSTR) != 0 => Class::Code,
        _ if name.starts_with(".eh_frame") || name == ".gcc_except_table" => Class::Unwind,
        _ if name.starts_with(".debug_") || name.starts_with(".zdebug_") => Class::Debug,
        _ if section.sh_flags & u64::from(SHF_ALLOC) != 0 => Class::Data,
        _ => Class::Other,
    }
}

/// Whether the section has bytes in the file.
pub fn has_bytes(section: &Section) -> bool {
    section.sh_type != SHT_NOBITS && section.sh_type != SHT_NULL && section.sh_size > 0
}

/// The segment type's name, or its number.
pub fn segment_type(kind: u32) -> String {
    match pt_to_str(kind) {
        "UNKNOWN_PT" => format!("type {kind:#x}"),
        name => name.to_owned(),
    }
}

fn headers(source: &dyn ReadAt, tables: &Tables, names: &[Name], layout: &mut Layout) -> Result<()> {
    let header = &tables.header;
    let size = u64::from(header.e_ehsize).min(source.size());
    layout.region(Layer::Table, Class::Header, 0, size, "ELF header");
    let ident: String = header.e_ident.iter().map(|byte| format!("{byte:02x}")).collect();
    layout.item(Class::Header, 0, 16, "ELF header e_ident", ident);
    fields(source, tables, 16, (Class::Header, "ELF header"), &HEADER_FIELDS, layout)?;
    let segment_fields = if tables.is_64 { &SEGMENT_FIELDS_64 } else { &SEGMENT_FIELDS_32 };
    let entry = u64::from(header.e_phentsize);
    layout.region(
        Layer::Table,
        Class::ProgramHeader,
        header.e_phoff,
        tables.segments.len() as u64 * entry,
        "program headers",
    );
    for (number, segment) in tables.segments.iter().enumerate().take(MOST_RECORDS) {
        let name = format!("program header {number} ({})", segment_type(segment.p_type));
        fields(
            source,
            tables,
            header.e_phoff + number as u64 * entry,
            (Class::ProgramHeader, &name),
            segment_fields,
            layout,
        )?;
    }
    let entry = u64::from(header.e_shentsize);
    layout.region(
        Layer::Table,
        Class::SectionHeader,
        header.e_shoff,
        tables.sections.len() as u64 * entry,
        "section headers",
    );
    for (number, name) in names.iter().enumerate().take(MOST_RECORDS) {
        let name = format!("section header {number} ({name})");
        fields(
            source,
            tables,
            header.e_shoff + number as u64 * entry,
            (Class::SectionHeader, &name),
            &SECTION_FIELDS,
            layout,
        )?;
    }
    Ok(())
}

fn endian(tables: &Tables) -> Endian {
    if tables.is_big { Endian::Big } else { Endian::Little }
}

fn fields(
    source: &dyn ReadAt,
    tables: &Tables,
    offset: u64,
    (class, name): (Class, &str),
    fields: &[(&str, u64)],
    layout: &mut Layout,
) -> Result<()> {
    let address = if tables.is_64 { 8 } else { 4 };
    let width = |field: u64| if field == 0 { address } else { field };
    let total = fields.iter().map(|(_, size)| width(*size)).sum();
    let record = Record::read(source, offset, total, endian(tables))?;
    let mut at = 0;
    for (field, size) in fields {
        let size = width(*size);
        let value = match size {
            2 => u64::from(record.half(at)?),
            4 => u64::from(record.word(at)?),
            _ => record.long(at)?,
        };
        layout.item(class, offset + at, size, format!("{name} {field}"), format!("{value:#x}"));
        at += size;
    }
    Ok(())
}

fn dynamic_entries(tables: &Tables, strings: &StringTable<'_>, layout: &mut Layout) {
    let Some((offset, size)) = tables.dynamic_range else { return };
    let entry = if tables.is_64 { 16 } else { 8 };
    for number in 0..(size / entry).min(MOST_RECORDS as u64) {
        let value = match usize::try_from(number).ok().and_then(|number| tables.dynamic.get(number)) {
            // What stands behind the terminator is seen by nobody.
            None => "DT_NULL".to_owned(),
            Some(found) => match found.d_tag {
                DT_NEEDED | DT_SONAME | DT_RPATH | DT_RUNPATH => {
                    let text = strings.get(found.d_val).map(|name| name.to_string());
                    let text = text.unwrap_or_else(|_| format!("no string at {:#x}", found.d_val));
                    format!("{} {text}", tag_to_str(found.d_tag))
                }
                _ => format!("{} {:#x}", tag_name(found.d_tag), found.d_val),
            },
        };
        layout.item(Class::Dynamic, offset + number * entry, entry, format!("dynamic entry {number}"), value);
    }
}

fn tag_name(tag: u64) -> String {
    match tag_to_str(tag) {
        "UNKNOWN_TAG" => format!("tag {tag:#x}"),
        name => name.to_owned(),
    }
}

/// The records of `.gnu.version_r`, each an item.
fn needed_versions(source: &dyn ReadAt, tables: &Tables, strings: &StringTable<'_>, layout: &mut Layout) -> Result<()> {
    let place = tables.dynamic_value(DT_VERNEED).and_then(|address| tables.file_offset(address));
    let Some((mut at, _)) = place else { return Ok(()) };
    let mut records = 0;
    for _ in 0..tables.dynamic_value(DT_VERNEEDNUM).unwrap_or(0) {
        // Elf_Verneed: vn_version, vn_cnt, vn_file, vn_aux, vn_next.
        let record = Record::read(source, at, 16, endian(tables))?;
        let library = strings.get(u64::from(record.word(4)?))?;
        layout.item(Class::Version, at, 16, "needed versions", format!("{} of {library}", record.half(2)?));
        let mut aux = at.saturating_add(u64::from(record.word(8)?));
        for _ in 0..record.half(2)? {
            // Elf_Vernaux: vna_hash, vna_flags, vna_other, vna_name, vna_next.
            let entry = Record::read(source, aux, 16, endian(tables))?;
            let version = strings.get(u64::from(entry.word(8)?))?;
            let weak = if entry.half(4)? & 2 == 0 { "" } else { ", weak" };
            layout.item(Class::Version, aux, 16, "needed version", format!("{version} of {library}{weak}"));
            records += 1;
            match entry.word(12)? {
                0 => break,
                next => aux = aux.saturating_add(u64::from(next)),
            }
        }
        match record.word(12)? {
            0 => break,
            next => at = at.saturating_add(u64::from(next)),
        }
        records += 1;
        if records > MOST_RECORDS {
            break;
        }
    }
    Ok(())
}
