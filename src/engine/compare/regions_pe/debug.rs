//! The debug directory of a PE file: its entries by field, and the CodeView record that names the PDB and its GUID.

use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::pe::{Headers, directory};
use crate::engine::binary::record::Record;
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::Fields;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;

/// `IMAGE_DEBUG_DIRECTORY`.
const FIELDS: [(&str, u64); 8] = [
    ("Characteristics", 4),
    ("TimeDateStamp", 4),
    ("MajorVersion", 2),
    ("MinorVersion", 2),
    ("Type", 4),
    ("SizeOfData", 4),
    ("AddressOfRawData", 4),
    ("PointerToRawData", 4),
];
/// Bytes of an entry.
const ENTRY: u64 = 28;
/// More entries than this are taken as damage.
const MOST_ENTRIES: u64 = 256;

/// Adds the debug directory to `layout`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when it, or what it names, lies outside of the file.
pub(super) fn debug(source: &dyn ReadAt, headers: &Headers, layout: &mut Layout) -> Result<()> {
    let Some(table) = headers.directory(directory::DEBUG) else { return Ok(()) };
    for number in 0..(table.size / ENTRY).min(MOST_ENTRIES) {
        let record = headers.record(source, table.address + number * ENTRY, ENTRY, "a debug directory entry")?;
        let kind = kind(u64::from(record.word(12)?));
        let title = format!("debug directory entry {number} ({kind})");
        let mut items = Vec::new();
        let say = |field: &str, value: u64| (field == "Type").then(|| self::kind(value));
        Fields { class: Class::Debug, title: &title, say }.tell(&record, 0, &FIELDS, &mut items)?;
        let (size, place) = (u64::from(record.word(16)?), u64::from(record.word(24)?));
        if size > 0 && place > 0 {
            let class =
                if matches!(kind.as_str(), "CodeView" | "reproducible") { Class::BuildId } else { Class::Debug };
            layout.region(Layer::Table, class, place, size, format!("debug data, {kind}"));
            if kind == "CodeView" {
                record_items(source, (place, size), &mut items)?;
            }
        }
        items.into_iter().for_each(|item| layout.add_item(item));
    }
    Ok(())
}

/// The GUIDs with their age and the paths of the PDB files that the debug directory names.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the directory, or what it names, lies outside of the file.
pub(crate) fn codeview(source: &dyn ReadAt, headers: &Headers) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    let Some(table) = headers.directory(directory::DEBUG) else { return Ok(found) };
    for number in 0..(table.size / ENTRY).min(MOST_ENTRIES) {
        let record = headers.record(source, table.address + number * ENTRY, ENTRY, "a debug directory entry")?;
        let mut items = Vec::new();
        if record.word(12)? == 2 {
            record_items(source, (u64::from(record.word(24)?), u64::from(record.word(16)?)), &mut items)?;
        }
        if let [_, guid, age, path] = items.as_slice() {
            found.push((format!("{} {}", guid.value, age.value), path.value.clone()));
        }
    }
    Ok(found)
}

/// `CV_INFO_PDB70`: signature `RSDS`, GUID, age, path.
fn record_items(source: &dyn ReadAt, (place, size): (u64, u64), items: &mut Vec<Item>) -> Result<()> {
    let record = Record::read(source, place, size.min(4096), Endian::Little)?;
    if record.word(0)? != 0x5344_5352 {
        return Ok(());
    }
    let item = |at: u64, size: u64, field, value: String| {
        Item::new(Class::BuildId, place + at, size, "CodeView record", value).field(field)
    };
    let path = record.name(24, (record.as_bytes().len() as u64).saturating_sub(24))?;
    items.push(item(0, 4, "signature", "RSDS".into()));
    items.push(item(4, 16, "GUID", guid(&record)?));
    items.push(item(20, 4, "age", record.word(20)?.to_string()));
    items.push(item(24, path.as_bytes().len() as u64 + 1, "PDB path", path.to_string()));
    Ok(())
}

/// The GUID at 4, as it is written.
fn guid(record: &Record<'_>) -> Result<String> {
    let mut text = format!("{:08x}-{:04x}-{:04x}-", record.word(4)?, record.half(8)?, record.half(10)?);
    for at in 12..20 {
        if at == 14 {
            text.push('-');
        }
        text.push_str(&format!("{:02x}", record.byte(at)?));
    }
    Ok(text)
}

/// `IMAGE_DEBUG_TYPE_*`.
fn kind(number: u64) -> String {
    match number {
        1 => "COFF".into(),
        2 => "CodeView".into(),
        3 => "FPO".into(),
        4 => "MISC".into(),
        10 => "reserved".into(),
        12 => "VC feature".into(),
        13 => "POGO".into(),
        14 => "ILTCG".into(),
        16 => "reproducible".into(),
        20 => "extended DLL characteristics".into(),
        other => format!("type {other}"),
    }
}
