//! The resources of a PE file: the tree of directories by type, name and language, and where each resource lies.

use crate::engine::Result;
use crate::engine::binary::pe::{Headers, directory};
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::Fields;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::collections::HashSet;

/// More entries than this are not told one by one.
const MOST_ENTRIES: usize = 4096;
/// Type, name and language; deeper trees are damage.
const DEEPEST: usize = 4;
/// `IMAGE_RESOURCE_DIRECTORY`.
const DIRECTORY: [(&str, u64); 6] = [
    ("Characteristics", 4),
    ("TimeDateStamp", 4),
    ("MajorVersion", 2),
    ("MinorVersion", 2),
    ("NumberOfNamedEntries", 2),
    ("NumberOfIdEntries", 2),
];
/// `IMAGE_RESOURCE_DATA_ENTRY`.
const DATA: [(&str, u64); 4] = [("OffsetToData", 4), ("Size", 4), ("CodePage", 4), ("Reserved", 4)];
/// The bit that says: a name, or a further directory.
const HIGH: u32 = 1 << 31;

/// Adds the resources to `layout`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a directory lies in no section.
pub(super) fn resources(source: &dyn ReadAt, headers: &Headers, layout: &mut Layout) -> Result<()> {
    let Some(table) = headers.directory(directory::RESOURCE) else { return Ok(()) };
    let (mut items, mut told, mut visited) = (Vec::new(), 0, HashSet::new());
    let mut open = vec![(0_u64, Vec::<String>::new())];
    while let Some((offset, path)) = open.pop() {
        if !visited.insert(offset) || told >= MOST_ENTRIES || path.len() >= DEEPEST {
            continue;
        }
        let record = headers.record(source, table.address + offset, 16, "a resource directory")?;
        let title = match path.is_empty() {
            true => "resource directory".to_owned(),
            false => format!("resource directory {}", path.join("/")),
        };
        let class = Class::Data;
        Fields { class, title: &title, say: |_, _| None }.tell(&record, 0, &DIRECTORY, &mut items)?;
        let count = u64::from(record.half(12)?) + u64::from(record.half(14)?);
        for number in 0..count.min(MOST_ENTRIES as u64) {
            told += 1;
            let at = table.address + offset + 16 + number * 8;
            let entry = headers.record(source, at, 8, "a resource directory entry")?;
            let (name, place) = (entry.word(0)?, entry.word(4)?);
            let mut below = path.clone();
            below.push(match name & HIGH {
                0 if path.is_empty() => kind(name),
                0 => name.to_string(),
                _ => text(source, headers, table.address + u64::from(name & !HIGH), &mut items)?,
            });
            let title = format!("resource {}", below.join("/"));
            let told = Fields { class, title: &title, say: |_, _| None };
            told.tell(&entry, 0, &[("Name", 4), ("Offset", 4)], &mut items)?;
            if place & HIGH != 0 {
                open.push((u64::from(place & !HIGH), below));
                continue;
            }
            let data = headers.record(source, table.address + u64::from(place), 16, "a resource's place")?;
            told.tell(&data, 0, &DATA, &mut items)?;
            if let Some((start, rest)) = headers.file_offset(u64::from(data.word(0)?)) {
                layout.region(Layer::Table, class, start, u64::from(data.word(4)?).min(rest), title);
            }
        }
    }
    items.into_iter().for_each(|item| layout.add_item(item));
    Ok(())
}

/// The name at `address`: its length in characters, and UTF-16.
fn text(source: &dyn ReadAt, headers: &Headers, address: u64, items: &mut Vec<Item>) -> Result<String> {
    let length = u64::from(headers.record(source, address, 2, "a resource's name")?.half(0)?);
    let record = headers.record(source, address, 2 + length * 2, "a resource's name")?;
    let mut units = Vec::new();
    for number in 0..length {
        units.push(record.half(2 + number * 2)?);
    }
    let name = String::from_utf16_lossy(&units);
    let size = record.as_bytes().len() as u64;
    items.push(Item::new(Class::Data, record.offset(), size, "name of a resource", name.as_str()));
    Ok(name)
}

/// `RT_*`.
fn kind(number: u32) -> String {
    match number {
        1 => "CURSOR".into(),
        2 => "BITMAP".into(),
        3 => "ICON".into(),
        4 => "MENU".into(),
        5 => "DIALOG".into(),
        6 => "STRING".into(),
        9 => "ACCELERATOR".into(),
        10 => "RCDATA".into(),
        12 => "GROUP_CURSOR".into(),
        14 => "GROUP_ICON".into(),
        16 => "VERSION".into(),
        24 => "MANIFEST".into(),
        other => other.to_string(),
    }
}
