//! The chained fixups of a Mach-O image (`mach-o/fixup-chains.h`): header, starts of the chains, imports and their names.

use super::linkedit::name;
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::macho::Image;
use crate::engine::binary::record::{Record, name_at};
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::{Fields, Records};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;

/// `dyld_chained_fixups_header`.
const HEADER: [(&str, u64); 7] = [
    ("fixups_version", 4),
    ("starts_offset", 4),
    ("imports_offset", 4),
    ("symbols_offset", 4),
    ("imports_count", 4),
    ("imports_format", 4),
    ("symbols_format", 4),
];
/// `dyld_chained_starts_in_segment`, without the starts of its pages.
const STARTS: [(&str, u64); 6] = [
    ("size", 4),
    ("page_size", 2),
    ("pointer_format", 2),
    ("segment_offset", 8),
    ("max_valid_pointer", 4),
    ("page_count", 2),
];
/// More segments than this are taken as damage.
const MOST_SEGMENTS: u32 = 256;

/// What is needed to tell an import.
#[derive(Debug)]
struct Imports {
    prefix: String,
    format: u32,
    endian: Endian,
    names: u64,
    end: u64,
}

/// Adds the chained fixups `size` bytes long at `start` of the file to `layout`.
pub(super) fn fixups(
    source: &dyn ReadAt,
    image: &Image<'_>,
    (start, size): (u64, u64),
    prefix: &str,
    layout: &mut Layout,
) -> Result<()> {
    let (title, mut items) = (format!("{prefix}chained fixups"), Vec::new());
    let told = Fields { class: Class::Relocation, title: &title, say };
    let header = Record::read(source, start, 28, image.endian)?;
    told.tell(&header, 0, &HEADER, &mut items)?;
    let place = |at| header.word(at).map(|offset| start.saturating_add(u64::from(offset)));
    let (starts, imports, names) = (place(4)?, place(8)?, place(12)?);
    let (count, format) = (u64::from(header.word(16)?), header.word(20)?);
    let entry = match format {
        1 => 4,
        2 => 8,
        _ => 16,
    };
    let end = start.saturating_add(size);
    let of = Imports { prefix: prefix.to_owned(), format, endian: image.endian, names, end };
    let bytes = (count * entry).min(end.saturating_sub(imports));
    layout.region(Layer::Table, Class::Import, imports, bytes, format!("{prefix}chained fixups, imports"));
    layout.table(imports, bytes, entry, Box::new(Records { of, each: import }));
    if header.word(24)? == 0 {
        let length = end.saturating_sub(names);
        let name = format!("{prefix}chained fixups, names of imports");
        layout.strings_of(Layer::Table, Class::Import, names, length, name);
    }
    let segments = Record::read(source, starts, 4, image.endian)?.word(0)?.min(MOST_SEGMENTS);
    let head = Record::read(source, starts, 4 + u64::from(segments) * 4, image.endian)?;
    told.tell(&head, 0, &[("seg_count", 4)], &mut items)?;
    for number in 0..u64::from(segments) {
        let title = format!("{prefix}chained fixups of segment {number}");
        let told = Fields { title: &title, ..told };
        let offset = head.word(4 + number * 4)?;
        told.tell(&head, 4 + number * 4, &[("seg_info_offset", 4)], &mut items)?;
        if offset == 0 {
            continue;
        }
        let at = starts.saturating_add(u64::from(offset));
        let record = Record::read(source, at, 22.min(end.saturating_sub(at)), image.endian)?;
        told.tell(&record, 0, &STARTS, &mut items)?;
        let pages = u64::from(record.half(20)?) * 2;
        let of = (prefix.to_owned(), number, image.endian);
        layout.table(at + 22, pages, 2, Box::new(Records { of, each: page }));
    }
    items.into_iter().for_each(|item| layout.add_item(item));
    Ok(())
}

fn import(of: &Imports, source: &dyn ReadAt, number: u64, offset: u64, items: &mut Vec<Item>) -> Result<()> {
    let (length, library, weak, at) = match of.format {
        1 | 2 => {
            let word = Record::read(source, offset, 4, of.endian)?.word(0)?;
            (if of.format == 1 { 4 } else { 8 }, word & 0xff, word & 0x100 != 0, u64::from(word >> 9))
        }
        _ => {
            let record = Record::read(source, offset, 16, of.endian)?;
            let word = record.word(0)?;
            (16, word & 0xffff, word & 0x1_0000 != 0, u64::from(record.word(4)?))
        }
    };
    let text = match name_at(source, of.names.saturating_add(at), of.end) {
        Ok(text) => name(text.as_bytes()),
        Err(_) => "a name outside of the names".into(),
    };
    let weak = if weak { ", weak" } else { "" };
    let addend = match of.format {
        2 => format!(", addend {:#x}", Record::read(source, offset + 4, 4, of.endian)?.word(0)?),
        3 => format!(", addend {:#x}", Record::read(source, offset + 8, 8, of.endian)?.long(0)?),
        _ => String::new(),
    };
    let value = format!("{text} of library {library}{weak}{addend}");
    items.push(Item::new(Class::Import, offset, length, format!("{}import {number}", of.prefix), value));
    Ok(())
}

type Page = (String, u64, Endian);

fn page(
    (prefix, segment, endian): &Page,
    source: &dyn ReadAt,
    number: u64,
    at: u64,
    items: &mut Vec<Item>,
) -> Result<()> {
    let value = match Record::read(source, at, 2, *endian)?.half(0)? {
        0xffff => "no fixups".to_owned(),
        offset => format!("chain from {offset:#x} on"),
    };
    let name = format!("{prefix}chained fixups of segment {segment}, page {number}");
    items.push(Item::new(Class::Relocation, at, 2, name, value));
    Ok(())
}

fn say(field: &str, value: u64) -> Option<String> {
    ["imports_count", "imports_format", "seg_count", "page_count", "pointer_format"]
        .contains(&field)
        .then(|| value.to_string())
}
