//! The export directory of a PE file: its fields, the tables of addresses, names and ordinals.

use super::named;
use crate::engine::Result;
use crate::engine::binary::pe::{Headers, directory};
use crate::engine::binary::record::Record;
use crate::engine::binary::{Endian, Name};
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::{Each, Fields, Records};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::sync::Arc;

/// At most this many exports are looked at.
const MOST_EXPORTS: u64 = 65_536;
/// `IMAGE_EXPORT_DIRECTORY`.
const FIELDS: [(&str, u64); 11] = [
    ("Characteristics", 4),
    ("TimeDateStamp", 4),
    ("MajorVersion", 2),
    ("MinorVersion", 2),
    ("Name", 4),
    ("Base", 4),
    ("NumberOfFunctions", 4),
    ("NumberOfNames", 4),
    ("AddressOfFunctions", 4),
    ("AddressOfNames", 4),
    ("AddressOfNameOrdinals", 4),
];

/// The tables of the export directory.
#[derive(Debug)]
pub(crate) struct Exports {
    headers: Arc<Headers>,
    base: u64,
    /// Where the addresses, name pointers and ordinals begin in the file, and how many there are.
    functions: (u64, u64),
    names: (u64, u64),
    ordinals: (u64, u64),
    /// The directory's own range of addresses: an address within is that of a forwarder's name.
    own: (u64, u64),
}

impl Exports {
    /// The tables; `None` where the file exports nothing.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when the directory lies in no section.
    pub(crate) fn read(source: &dyn ReadAt, headers: &Arc<Headers>) -> Result<Option<Self>> {
        let Some(table) = headers.directory(directory::EXPORT) else { return Ok(None) };
        let record = headers.record(source, table.address, 40, "the export directory")?;
        let word = |at| record.word(at).map(u64::from);
        let (functions, names) = (word(20)?.min(MOST_EXPORTS), word(24)?.min(MOST_EXPORTS));
        let place = |address: u64, count: u64, width: u64| match headers.file_offset(address) {
            Some((place, rest)) => (place, count.min(rest / width)),
            None => (0, 0),
        };
        Ok(Some(Self {
            headers: Arc::clone(headers),
            base: word(16)?,
            functions: place(word(28)?, functions, 4),
            names: place(word(32)?, names, 4),
            ordinals: place(word(36)?, names, 2),
            own: (table.address, table.address.saturating_add(table.size)),
        }))
    }

    /// How many functions are exported, by name or number.
    pub(crate) const fn count(&self) -> u64 {
        self.functions.1
    }

    /// How many names there are.
    pub(crate) const fn names(&self) -> u64 {
        self.names.1
    }

    /// The exported name number `number`, and where it stands in the file.
    pub(crate) fn name(&self, source: &dyn ReadAt, number: u64) -> Result<(u64, Name)> {
        let at = self.names.0.saturating_add(number.saturating_mul(4));
        let address = u64::from(Record::read(source, at, 4, Endian::Little)?.word(0)?);
        let name = self.headers.name(source, address, "an exported name")?;
        Ok((self.headers.file_offset(address).map_or(0, |place| place.0), name))
    }

    /// The place in the table of addresses that belongs to name number `number`.
    pub(crate) fn index(&self, source: &dyn ReadAt, number: u64) -> Result<u64> {
        let at = self.ordinals.0.saturating_add(number.saturating_mul(2));
        Record::read(source, at, 2, Endian::Little)?.half(0).map(u64::from)
    }

    /// The address in place `index` of the table, relative to the image's base.
    pub(crate) fn address(&self, source: &dyn ReadAt, index: u64) -> Result<u64> {
        let at = self.functions.0.saturating_add(index.saturating_mul(4));
        Record::read(source, at, 4, Endian::Little)?.word(0).map(u64::from)
    }

    /// The ordinal of place `index` of the table of addresses.
    pub(crate) const fn ordinal(&self, index: u64) -> u64 {
        self.base.saturating_add(index)
    }

    /// What place `index` of the table of addresses says.
    pub(crate) fn said(&self, source: &dyn ReadAt, index: u64) -> Result<String> {
        let address = self.address(source, index)?;
        if address >= self.own.0 && address < self.own.1 {
            return Ok(format!("forwarded to {}", self.headers.name(source, address, "a forwarder")?));
        }
        Ok(format!("address {:#x}", self.headers.image_base.saturating_add(address)))
    }
}

/// Adds the export directory to `layout`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when it lies in no section.
pub(super) fn exports(source: &dyn ReadAt, headers: &Arc<Headers>, layout: &mut Layout) -> Result<()> {
    let Some(table) = headers.directory(directory::EXPORT) else { return Ok(()) };
    let record = headers.record(source, table.address, 40, "the export directory")?;
    let mut items = Vec::new();
    let say = |field: &str, value: u64| field.starts_with("NumberOf").then(|| value.to_string());
    let told = Fields { class: Class::Export, title: "export directory", say };
    told.tell(&record, 0, &FIELDS, &mut items)?;
    let own = u64::from(record.word(12)?);
    if own != 0
        && let Ok(name) = headers.name(source, own, "the file's own name")
    {
        let place = headers.file_offset(own).map_or(0, |place| place.0);
        layout.region(
            Layer::Table,
            Class::Export,
            place,
            name.as_bytes().len() as u64 + 1,
            "export directory, own name",
        );
        items.push(named(Class::Export, place, "the file's own name", &name));
    }
    items.into_iter().for_each(|item| layout.add_item(item));
    let Some(exports) = Exports::read(source, headers)? else { return Ok(()) };
    let exports = Arc::new(exports);
    let each: [TableOf; 3] = [
        (exports.functions, 4, "export address table", address),
        (exports.names, 4, "export name pointers", pointer),
        (exports.ordinals, 2, "export ordinals", ordinal),
    ];
    for ((place, count), width, name, each) in each {
        layout.region(Layer::Table, Class::Export, place, count * width, name);
        layout.table(place, count * width, width, Box::new(Records { of: Arc::clone(&exports), each }));
    }
    names(source, &exports, layout)
}

/// The names stand one behind another, mostly in the order of the pointers.
fn names(source: &dyn ReadAt, exports: &Exports, layout: &mut Layout) -> Result<()> {
    let Some(last) = exports.names.1.checked_sub(1) else { return Ok(()) };
    let ((start, _), (end, name)) = (exports.name(source, 0)?, exports.name(source, last)?);
    if end >= start {
        let size = end - start + name.as_bytes().len() as u64 + 1;
        layout.strings_of(Layer::Table, Class::Export, start, size, "export names");
    }
    Ok(())
}

type Of = Arc<Exports>;
/// Where a table begins and its length in entries, the bytes of an entry, its name, and how an entry is told.
type TableOf = ((u64, u64), u64, &'static str, Each<Of>);

fn address(exports: &Of, source: &dyn ReadAt, number: u64, offset: u64, items: &mut Vec<Item>) -> Result<()> {
    // The names of few exports are searched for the one that means this place.
    let mut name = String::new();
    for candidate in 0..exports.names.1.min(4096) {
        if exports.index(source, candidate)? == number {
            name = format!(" ({})", exports.name(source, candidate)?.1);
            break;
        }
    }
    let title = format!("export {}{name}", exports.ordinal(number));
    items.push(Item::new(Class::Export, offset, 4, title, exports.said(source, number)?));
    Ok(())
}

fn pointer(exports: &Of, source: &dyn ReadAt, number: u64, offset: u64, items: &mut Vec<Item>) -> Result<()> {
    let (_, name) = exports.name(source, number)?;
    items.push(Item::new(Class::Export, offset, 4, format!("name of export {number}"), name.to_string()));
    Ok(())
}

fn ordinal(exports: &Of, source: &dyn ReadAt, number: u64, offset: u64, items: &mut Vec<Item>) -> Result<()> {
    let value = exports.ordinal(exports.index(source, number)?);
    let name = exports.name(source, number)?.1;
    items.push(Item::new(Class::Export, offset, 2, format!("ordinal of export {number} ({name})"), value.to_string()));
    Ok(())
}
