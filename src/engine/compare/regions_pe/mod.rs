//! What lies where in a PE file: headers by field, data directories, imports, sections.

use super::layout::{Layer, Layout};
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::pe::{DIRECTORY_NAMES, Headers, ImportTable, directory, imports};
use crate::engine::binary::record::Record;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;

/// The COFF header's fields behind the signature: name and width.
const COFF_FIELDS: [(&str, u64); 7] = [
    ("Machine", 2),
    ("NumberOfSections", 2),
    ("TimeDateStamp", 4),
    ("PointerToSymbolTable", 4),
    ("NumberOfSymbols", 4),
    ("SizeOfOptionalHeader", 2),
    ("Characteristics", 2),
];
/// The optional header's fields that edits touch: name, place in the header, width; the same in PE32 and PE32+.
const OPTIONAL_FIELDS: [(&str, u64, u64); 8] = [
    ("SizeOfCode", 4, 4),
    ("SizeOfInitializedData", 8, 4),
    ("AddressOfEntryPoint", 16, 4),
    ("SizeOfImage", 56, 4),
    ("SizeOfHeaders", 60, 4),
    ("CheckSum", 64, 4),
    ("Subsystem", 68, 2),
    ("DllCharacteristics", 70, 2),
];
const SECTION_FIELDS: [(&str, u64); 9] = [
    ("VirtualSize", 4),
    ("VirtualAddress", 4),
    ("SizeOfRawData", 4),
    ("PointerToRawData", 4),
    ("PointerToRelocations", 4),
    ("PointerToLinenumbers", 4),
    ("NumberOfRelocations", 2),
    ("NumberOfLinenumbers", 2),
    ("Characteristics", 4),
];

/// The layout of the PE file `source`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table lies outside of the file.
pub fn layout(source: &dyn ReadAt) -> Result<Layout> {
    let headers = Headers::read(source)?;
    let mut layout = Layout::default();
    layout.region(Layer::Table, Class::Header, 0, headers.signature, "DOS header");
    layout.region(
        Layer::Table,
        Class::Header,
        headers.signature,
        headers.sections_offset - headers.signature,
        "PE headers",
    );
    fields(source, headers.signature + 4, (Class::Header, "PE header"), &COFF_FIELDS, &mut layout)?;
    for (field, at, size) in OPTIONAL_FIELDS {
        fields(source, headers.optional + at, (Class::Header, "optional header"), &[(field, size)], &mut layout)?;
    }
    for (number, (found, name)) in headers.directories.iter().zip(DIRECTORY_NAMES).enumerate() {
        let value = format!("{:#x} bytes at {:#x}", found.size, found.address);
        layout.item(
            Class::Directory,
            headers.directories_offset + number as u64 * 8,
            8,
            format!("data directory, {name}"),
            value,
        );
        let place = match number {
            directory::CERTIFICATES => Some(found.address),
            _ => headers.file_offset(found.address).map(|place| place.0),
        };
        if let Some(place) = place.filter(|_| found.address != 0) {
            layout.region(Layer::Table, Class::Directory, place, found.size, name);
        }
    }
    let table_size = headers.sections.len() as u64 * 40;
    layout.region(Layer::Table, Class::SectionHeader, headers.sections_offset, table_size, "section headers");
    for (number, section) in headers.sections.iter().enumerate() {
        let (at, name) = (headers.sections_offset + number as u64 * 40, section.name.to_text());
        layout.item(Class::SectionHeader, at, 8, format!("section header {number} Name"), name.as_ref());
        let title = format!("section header {number} ({name})");
        fields(source, at + 8, (Class::SectionHeader, &title), &SECTION_FIELDS, &mut layout)?;
        layout.region(Layer::Section, Class::Data, section.offset, section.file_size, name);
    }
    for (number, import) in imports(source, &headers)?.iter().enumerate() {
        let (what, size) = match import.table {
            ImportTable::Import => ("import", 20),
            ImportTable::DelayImport => ("delay-load import", 32),
        };
        let name = import.name.to_text();
        layout.item(Class::Import, import.descriptor, size, format!("{what} {number}"), name.as_ref());
        let length = import.name.as_bytes().len() as u64 + 1;
        layout.region(Layer::Table, Class::Import, import.name_offset, length, "import names");
        layout.item(Class::Import, import.name_offset, length, format!("name of {what} {number}"), name);
    }
    Ok(layout.ordered())
}

fn fields(
    source: &dyn ReadAt,
    offset: u64,
    (class, name): (Class, &str),
    fields: &[(&str, u64)],
    layout: &mut Layout,
) -> Result<()> {
    let total = fields.iter().map(|(_, size)| size).sum();
    let record = Record::read(source, offset, total, Endian::Little)?;
    let mut at = 0;
    for (field, size) in fields {
        let value = if *size == 2 { u32::from(record.half(at)?) } else { record.word(at)? };
        layout.item(class, offset + at, *size, format!("{name} {field}"), format!("{value:#x}"));
        at += size;
    }
    Ok(())
}
