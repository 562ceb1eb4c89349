//! What lies where in a PE file: headers by field, sections, the tables that the data directories name, certificates.
//!
//! A directory that is damaged within is a region still; what of it can be read is told.

mod checksum;
mod debug;
mod exports;
mod functions;
mod headers;
mod imports;
mod resources;
mod tables;

pub(super) use debug::codeview;
pub(super) use exports::Exports;
pub(super) use headers::{dll_characteristics, file_characteristics, section_characteristics, subsystem};
pub(super) use imports::functions as imported;

use super::item::Item;
use super::layout::{Layer, Layout};
use super::tell::Fields;
use crate::engine::binary::Endian;
use crate::engine::binary::pe::{DIRECTORY_NAMES, Headers, Section, directory};
use crate::engine::binary::record::Record;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use crate::engine::{Error, Result};
use functions::Functions;
use std::sync::Arc;

/// More certificates than this are taken as damage.
const MOST_CERTIFICATES: usize = 64;
/// `IMAGE_SCN_CNT_CODE` and `IMAGE_SCN_MEM_EXECUTE`.
const CODE: u32 = 0x2000_0020;
/// The classes of the data directories.
const CLASSES: [Class; 16] = [
    Class::Export,
    Class::Import,
    Class::Data,
    Class::Unwind,
    Class::Signature,
    Class::Relocation,
    Class::Debug,
    Class::Other,
    Class::Other,
    Class::Data,
    Class::Data,
    Class::Import,
    Class::Import,
    Class::Import,
    Class::Other,
    Class::Other,
];

/// The layout of the PE file `source`.
///
/// # Errors
/// [`Error::Malformed`] when the headers lie outside of the file.
pub fn layout(source: &dyn ReadAt) -> Result<Layout> {
    let headers = Headers::read(source)?;
    let mut layout = Layout::default();
    headers::headers(source, &headers, &mut layout)?;
    for ((number, found), class) in headers.directories.iter().enumerate().zip(CLASSES) {
        let place = match number {
            directory::CERTIFICATES => Some(found.address),
            _ => headers.file_offset(found.address).map(|place| place.0),
        };
        if let Some((place, name)) = place.filter(|_| found.address != 0).zip(DIRECTORY_NAMES.get(number)) {
            layout.region(Layer::Table, class, place, found.size, *name);
        }
    }
    let headers = Arc::new(headers);
    let functions = Arc::new(Functions::of(source, &headers));
    sections(source.size(), &headers, &functions, &mut layout);
    functions.tables(&mut layout);
    let told = [
        imports::imports(source, &headers, &mut layout),
        exports::exports(source, &headers, &mut layout),
        tables::relocations(&headers, &mut layout),
        tables::exceptions(&headers, &functions, &mut layout),
        tables::thread_local(source, &headers, &mut layout),
        tables::load_config(source, &headers, &mut layout),
        debug::debug(source, &headers, &mut layout),
        resources::resources(source, &headers, &mut layout),
        certificates(source, &headers, &mut layout),
    ];
    for result in told {
        match result {
            Ok(()) | Err(Error::Malformed { .. }) => {}
            Err(other) => return Err(other),
        }
    }
    Ok(layout.ordered())
}

fn sections(size: u64, headers: &Arc<Headers>, functions: &Arc<Functions>, layout: &mut Layout) {
    let mut end = headers.sections_offset + headers.sections.len() as u64 * 40;
    for section in headers.sections.iter().filter(|section| section.file_size > 0) {
        let (at, name) = (section.offset, section.name.to_text());
        // The file holds whole units of FileAlignment; what is behind the section's length in memory is not loaded.
        let length = if section.size == 0 { section.file_size } else { section.file_size.min(section.size) };
        let class = class(section);
        layout.region(Layer::Section, class, at, length, name.as_ref());
        let padding = section.file_size - length;
        layout.region(Layer::Section, Class::Padding, at.saturating_add(length), padding, format!("padding of {name}"));
        layout.loaded(at, length, headers.image_base.saturating_add(section.address));
        if class == Class::Code {
            layout.on_demand(at, length, functions::teller(functions, section));
        }
        end = end.max(at.saturating_add(section.file_size));
    }
    layout.region(Layer::Segment, Class::Other, end, size.saturating_sub(end), "overlay");
}

fn class(section: &Section) -> Class {
    match section.name.to_text().as_ref() {
        _ if section.characteristics & CODE != 0 => Class::Code,
        ".pdata" | ".xdata" | ".eh_frame" | "/4" => Class::Unwind,
        ".reloc" => Class::Relocation,
        ".edata" => Class::Export,
        ".idata" | ".didat" => Class::Import,
        ".buildid" => Class::Debug,
        name if name.starts_with(".debug") => Class::Debug,
        _ => Class::Data,
    }
}

/// The attribute certificates: each a header, and a signature of which nothing is told but that it is one.
fn certificates(source: &dyn ReadAt, headers: &Headers, layout: &mut Layout) -> Result<()> {
    let Some(table) = headers.directory(directory::CERTIFICATES) else { return Ok(()) };
    let end = table.address.saturating_add(table.size);
    let mut at = table.address;
    for number in 0..MOST_CERTIFICATES {
        if at >= end {
            break;
        }
        let record = Record::read(source, at, 8, Endian::Little)?;
        let mut items = Vec::new();
        let title = format!("certificate {number}");
        let told = Fields { class: Class::Signature, title: &title, say: |_, _| None };
        told.tell(&record, 0, &[("dwLength", 4), ("wRevision", 2), ("wCertificateType", 2)], &mut items)?;
        items.into_iter().for_each(|item| layout.add_item(item));
        let length = u64::from(record.word(0)?).max(8);
        let rest = at.saturating_add(8);
        layout.region(Layer::Table, Class::Signature, rest, (length - 8).min(end.saturating_sub(rest)), title);
        at = at.saturating_add(length.next_multiple_of(8));
    }
    Ok(())
}

/// An item of a name with the NUL behind it.
fn named(class: Class, offset: u64, what: impl Into<String>, text: &crate::engine::binary::Name) -> Item {
    Item::new(class, offset, text.as_bytes().len() as u64 + 1, what, text.to_string())
}
