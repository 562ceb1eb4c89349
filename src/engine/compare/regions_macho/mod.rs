//! What lies where in a Mach-O file: the table of architectures, headers and load commands by field, sections, the parts of
//! `__LINKEDIT`, the signature.
//!
//! An image of a universal file is told with its architecture before each name. Tables that can be long are told on demand.

mod commands;
mod fixups;
mod linkedit;
mod opcodes;
mod sections;
pub(super) mod signature;
mod symbols;
mod trie;

pub(super) use commands::{platform, protection, version};

use super::layout::{Layer, Layout};
use super::tell::Fields;
use crate::engine::binary::Endian;
use crate::engine::binary::macho::{Image, arch, places, segments};
use crate::engine::binary::record::Record;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use crate::engine::{Error, Result};
use std::sync::Arc;
use symbols::Symbols;

/// `mach_header`, and what `mach_header_64` has more.
const HEADER: [(&str, u64); 8] = [
    ("magic", 4),
    ("cputype", 4),
    ("cpusubtype", 4),
    ("filetype", 4),
    ("ncmds", 4),
    ("sizeofcmds", 4),
    ("flags", 4),
    ("reserved", 4),
];
/// `fat_arch`.
const ARCHITECTURE: [(&str, u64); 5] = [("cputype", 4), ("cpusubtype", 4), ("offset", 4), ("size", 4), ("align", 4)];
/// `fat_arch_64`.
const ARCHITECTURE_64: [(&str, u64); 6] =
    [("cputype", 4), ("cpusubtype", 4), ("offset", 8), ("size", 8), ("align", 4), ("reserved", 4)];

/// The layout of the Mach-O file `source`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a load command lies outside of its image.
pub fn layout(source: &dyn ReadAt) -> Result<Layout> {
    let places = places(source)?;
    let mut layout = Layout::default();
    let thin = places.first().is_some_and(|place| place.offset == 0);
    if !thin {
        universal(source, places.len(), &mut layout)?;
    }
    for place in places {
        let read = Image::read(source, place)?;
        let prefix = if thin { String::new() } else { format!("{}: ", arch(&read).name) };
        if !thin {
            layout.region(Layer::Segment, Class::Padding, place.offset, place.size, format!("{prefix}image"));
        }
        image(source, &read, &prefix, &mut layout)?;
    }
    Ok(layout.ordered())
}

/// The table of architectures, in whichever of the four ways it is written (`mach-o/fat.h`).
fn universal(source: &dyn ReadAt, count: usize, layout: &mut Layout) -> Result<()> {
    let magic = Record::read(source, 0, 4, Endian::Big)?.word(0)?;
    let (endian, is_64) = match magic {
        0xcafe_babe => (Endian::Big, false),
        0xcafe_babf => (Endian::Big, true),
        0xbfba_feca => (Endian::Little, true),
        _ => (Endian::Little, false),
    };
    let fields: &[_] = if is_64 { &ARCHITECTURE_64 } else { &ARCHITECTURE };
    let entry = if is_64 { 32 } else { 20 };
    let table = Record::read(source, 0, 8 + entry * count as u64, endian)?;
    layout.region(Layer::Table, Class::Header, 0, table.as_bytes().len() as u64, "universal header");
    let mut items = Vec::new();
    let told = Fields { class: Class::Header, title: "universal header", say: |_, _| None };
    told.tell(&table, 0, &[("magic", 4), ("nfat_arch", 4)], &mut items)?;
    for number in 0..count {
        let title = format!("architecture {number}");
        Fields { title: &title, ..told }.tell(&table, 8 + number as u64 * entry, fields, &mut items)?;
    }
    items.into_iter().for_each(|item| layout.add_item(item));
    Ok(())
}

fn image(source: &dyn ReadAt, image: &Image<'_>, prefix: &str, layout: &mut Layout) -> Result<()> {
    let start = image.place.offset;
    layout.region(Layer::Table, Class::Header, start, image.header_size, format!("{prefix}Mach-O header"));
    let header = image.record(source, 0, image.header_size)?;
    let (title, mut items) = (format!("{prefix}header"), Vec::new());
    let told = Fields { class: Class::Header, title: &title, say: |_, _| None };
    told.tell(&header, 0, HEADER.get(..if image.is_64 { 8 } else { 7 }).unwrap_or_default(), &mut items)?;
    items.into_iter().for_each(|item| layout.add_item(item));
    commands::commands(image, prefix, layout)?;
    // Of a damaged image what can be told is told.
    let segments = readable(segments(image))?;
    // The address at which the header itself is mapped: function starts and exported addresses count from it.
    let text = segments.iter().find(|segment| segment.offset == 0 && segment.file_size > 0);
    let base = text.map_or(0, |segment| segment.address);
    let symbols = Arc::new(Symbols::of(image, base));
    sections::sections(image, &segments, &symbols, prefix, layout);
    linkedit::linkedit(source, image, &symbols, prefix, layout)
}

/// What was read; nothing where the file is damaged.
fn readable<T: Default>(result: Result<T>) -> Result<T> {
    match result {
        Err(Error::Malformed { .. }) => Ok(T::default()),
        other => other,
    }
}
