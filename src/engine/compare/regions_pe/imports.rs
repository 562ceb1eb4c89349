//! Imports and delay-load imports of a PE file: descriptors by field, the tables of names and addresses, names with hints.

use super::named;
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::pe::{self, Headers, Import, ImportTable};
use crate::engine::binary::record::{Record, name_at};
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::{Fields, Records};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::sync::Arc;

/// At most this many imported functions are looked at.
const MOST_IMPORTS: usize = 1 << 14;
/// `IMAGE_IMPORT_DESCRIPTOR`.
const DESCRIPTOR: [(&str, u64); 5] =
    [("OriginalFirstThunk", 4), ("TimeDateStamp", 4), ("ForwarderChain", 4), ("Name", 4), ("FirstThunk", 4)];
/// `ImgDelayDescr`.
const DELAY: [(&str, u64); 8] = [
    ("Attributes", 4),
    ("DllName", 4),
    ("ModuleHandle", 4),
    ("ImportAddressTable", 4),
    ("ImportNameTable", 4),
    ("BoundImportAddressTable", 4),
    ("UnloadInformationTable", 4),
    ("TimeDateStamp", 4),
];

/// An import by name or number, and where the file says so.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Function {
    /// The function's name, or `ordinal 5`.
    pub(crate) name: String,
    /// Where its hint and name stand in the file.
    place: Option<u64>,
}

/// Adds both import tables to `layout`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table lies in no section.
pub(super) fn imports(source: &dyn ReadAt, headers: &Arc<Headers>, layout: &mut Layout) -> Result<()> {
    let mut items = Vec::new();
    let mut room = MOST_IMPORTS;
    for (number, import) in pe::imports(source, headers)?.iter().enumerate() {
        let (what, fields): (_, &[_]) = match import.table {
            ImportTable::Import => ("import", &DESCRIPTOR),
            ImportTable::DelayImport => ("delay-load import", &DELAY),
        };
        let size = fields.iter().map(|(_, width)| width).sum();
        let record = Record::read(source, import.descriptor, size, Endian::Little)?;
        let title = format!("{what} {number} ({})", import.name);
        Fields { class: Class::Import, title: &title, say: |_, _| None }.tell(&record, 0, fields, &mut items)?;
        let length = import.name.as_bytes().len() as u64 + 1;
        layout.region(Layer::Table, Class::Import, import.name_offset, length, "import names");
        items.push(named(Class::Import, import.name_offset, format!("name of {what} {number}"), &import.name));
        let found = functions(source, headers, import, room)?;
        room -= found.len();
        let (lookup, address) = tables(source, headers, import)?;
        let width = if headers.is_plus { 8 } else { 4 };
        let length = (found.len() as u64 + 1) * width;
        for (place, what) in [(lookup, "import lookup table"), (address, "import address table")] {
            let Some((place, rest)) = place.and_then(|place| headers.file_offset(place)) else { continue };
            layout.region(Layer::Table, Class::Import, place, length.min(rest), what);
            // The delay-load address table holds addresses of code until the first call.
            if import.table == ImportTable::Import || what == "import lookup table" {
                let of = (Arc::clone(headers), import.name.to_string(), what);
                layout.table(place, length.min(rest), width, Box::new(Records { of, each: thunk }));
            }
        }
        for (number, function) in found.iter().enumerate() {
            let Some(place) = function.place else { continue };
            let hint = Record::read(source, place, 2, Endian::Little)?.half(0)?;
            let size = function.name.len() as u64 + 3;
            layout.region(Layer::Table, Class::Import, place, size, "hints and names");
            let title = format!("imported name {number} of {}", import.name);
            items.push(Item::new(Class::Import, place, 2, title.as_str(), hint.to_string()).field("hint"));
            items.push(Item::new(Class::Import, place + 2, size - 2, title, function.name.as_str()).field("name"));
        }
    }
    items.into_iter().for_each(|item| layout.add_item(item));
    Ok(())
}

/// Where the names and the addresses of an import stand, relative to the image's base.
fn tables(source: &dyn ReadAt, headers: &Headers, import: &Import) -> Result<(Option<u64>, Option<u64>)> {
    let (first, second) = match import.table {
        ImportTable::Import => (0, 16),
        ImportTable::DelayImport => (16, 12),
    };
    let record = Record::read(source, import.descriptor, 20, Endian::Little)?;
    let by_address = import.table == ImportTable::DelayImport && record.word(0)? & 1 == 0;
    let base = if by_address { headers.image_base } else { 0 };
    let at = |field| record.word(field).map(|at| (at != 0).then(|| u64::from(at).saturating_sub(base)));
    Ok((at(first)?, at(second)?))
}

/// The functions of `import`, at most `most`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when its descriptor lies outside of the file.
pub(crate) fn functions(source: &dyn ReadAt, headers: &Headers, import: &Import, most: usize) -> Result<Vec<Function>> {
    let (lookup, address) = tables(source, headers, import)?;
    let width = if headers.is_plus { 8 } else { 4 };
    let mut found = Vec::new();
    let Some(place) = lookup.or(address).and_then(|place| headers.file_offset(place)) else { return Ok(found) };
    while found.len() < most {
        let at = place.0.saturating_add(found.len() as u64 * width);
        match thunk_at(source, headers, at) {
            Ok(Some(function)) => found.push(function),
            _ => break,
        }
    }
    Ok(found)
}

/// What the thunk at `offset` imports; `None` at the end of the table.
fn thunk_at(source: &dyn ReadAt, headers: &Headers, offset: u64) -> Result<Option<Function>> {
    let width = if headers.is_plus { 8 } else { 4 };
    let record = Record::read(source, offset, width, Endian::Little)?;
    let (value, by_number) = match headers.is_plus {
        true => (record.long(0)?, record.long(0)? >> 63 != 0),
        false => (u64::from(record.word(0)?), record.word(0)? >> 31 != 0),
    };
    if value == 0 {
        return Ok(None);
    }
    if by_number {
        return Ok(Some(Function { name: format!("ordinal {}", value & 0xffff), place: None }));
    }
    let place = headers.record(source, value, 2, "an imported name")?.offset();
    let rest = headers.file_offset(value).map_or(0, |place| place.1);
    let name = name_at(source, place + 2, place.saturating_add(rest))?;
    Ok(Some(Function { name: name.to_string(), place: Some(place) }))
}

type Of = (Arc<Headers>, String, &'static str);

fn thunk(
    (headers, library, table): &Of,
    source: &dyn ReadAt,
    number: u64,
    at: u64,
    items: &mut Vec<Item>,
) -> Result<()> {
    let width = if headers.is_plus { 8 } else { 4 };
    let value = match thunk_at(source, headers, at) {
        Ok(Some(function)) => format!("{} from {library}", function.name),
        Ok(None) => format!("end of the imports from {library}"),
        Err(_) => return Ok(()),
    };
    items.push(Item::new(Class::Import, at, width, format!("{table}, entry {number}"), value));
    Ok(())
}
