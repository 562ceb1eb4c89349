//! The segments and sections of a Mach-O image, what kind of bytes they hold, and the function or symbol that a byte lies in.

use super::symbols::Symbols;
use crate::engine::Result;
use crate::engine::binary::macho::{Image, Section, Segment};
use crate::engine::compare::content::shown;
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::{MOST_TOLD, Told};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::sync::Arc;

/// `S_ATTR_PURE_INSTRUCTIONS`.
const PURE_INSTRUCTIONS: u32 = 0x8000_0000;
/// `S_ATTR_SOME_INSTRUCTIONS`.
const SOME_INSTRUCTIONS: u32 = 0x400;
/// `S_ATTR_DEBUG`.
const DEBUG: u32 = 0x0200_0000;
/// `S_ZEROFILL`, `S_GB_ZEROFILL`, `S_THREAD_LOCAL_ZEROFILL`: no bytes in the file.
const ZEROFILL: [u32; 3] = [0x1, 0xc, 0x12];
/// `S_CSTRING_LITERALS`.
const STRINGS: u32 = 0x2;
/// `S_NON_LAZY_SYMBOL_POINTERS`, `S_LAZY_SYMBOL_POINTERS`, `S_THREAD_LOCAL_VARIABLE_POINTERS`.
const POINTERS: [u32; 3] = [0x6, 0x7, 0x14];
/// `S_SYMBOL_STUBS`.
const STUBS: u32 = 0x8;

/// What is needed to tell the bytes of a section.
#[derive(Debug)]
struct Place {
    class: Class,
    prefix: String,
    address: u64,
    /// Where it begins in the file.
    offset: u64,
    /// In sections of pointers or stubs: the first of its indirect symbols, and the bytes of one.
    indirect: Option<(u64, u64)>,
    symbols: Arc<Symbols>,
}

/// Adds the segments of `image`, their sections, and the room behind the last load command.
pub(super) fn sections(
    image: &Image<'_>,
    segments: &[Segment],
    symbols: &Arc<Symbols>,
    prefix: &str,
    layout: &mut Layout,
) {
    let start = image.place.offset;
    let mut first = image.place.size;
    for segment in segments {
        let at = start.saturating_add(segment.offset);
        layout.region(Layer::Segment, Class::Padding, at, segment.file_size, format!("{prefix}{}", segment.name));
        if segment.offset > 0 && segment.file_size > 0 {
            first = first.min(segment.offset);
        }
        for section in &segment.sections {
            if section.offset == 0 || section.size == 0 || ZEROFILL.contains(&(section.flags & 0xff)) {
                continue;
            }
            first = first.min(section.offset);
            let (at, class, name) = (start.saturating_add(section.offset), class(section), &section.name);
            layout.loaded(at, section.size, section.address);
            match class {
                Class::String => layout.strings(Layer::Section, at, section.size, format!("{prefix}{name}")),
                _ => {
                    layout.region(Layer::Section, class, at, section.size, format!("{prefix}{name}"));
                    let of = Place {
                        class,
                        prefix: prefix.to_owned(),
                        address: section.address,
                        offset: at,
                        indirect: indirect(image, section),
                        symbols: Arc::clone(symbols),
                    };
                    layout.on_demand(at, section.size, Box::new(Told { of, tell: told }));
                }
            }
        }
    }
    let commands = image.commands.iter().map(|command| command.record.as_bytes().len() as u64).sum::<u64>();
    let behind = image.header_size + commands;
    if let Some(room) = first.checked_sub(behind) {
        layout.region(Layer::Table, Class::Padding, start + behind, room, format!("{prefix}header pad"));
    }
}

fn indirect(image: &Image<'_>, section: &Section) -> Option<(u64, u64)> {
    let [first, stub] = section.reserved;
    match section.flags & 0xff {
        kind if POINTERS.contains(&kind) => Some((u64::from(first), if image.is_64 { 8 } else { 4 })),
        STUBS if stub > 0 => Some((u64::from(first), u64::from(stub))),
        _ => None,
    }
}

/// What kind of bytes a section holds.
fn class(section: &Section) -> Class {
    let (segment, name) = section.name.split_once(',').unwrap_or_default();
    match section.flags & 0xff {
        _ if section.flags & DEBUG != 0 || segment == "__DWARF" => Class::Debug,
        _ if ["__unwind_info", "__eh_frame", "__gcc_except_tab", "__compact_unwind"].contains(&name) => Class::Unwind,
        _ if section.flags & (PURE_INSTRUCTIONS | SOME_INSTRUCTIONS) != 0 => Class::Code,
        STRINGS => Class::String,
        kind if POINTERS.contains(&kind) => Class::Import,
        _ => Class::Data,
    }
}

/// The bytes `start..end` by the functions, symbols or pointers that they belong to.
fn told(of: &Place, source: &dyn ReadAt, start: u64, end: u64) -> Result<Vec<Item>> {
    let (mut items, mut at) = (Vec::new(), start);
    while at < end && items.len() < MOST_TOLD {
        let into = at - of.offset;
        let (name, next) = match of.indirect {
            Some((first, size)) => {
                let number = into / size;
                let symbol = of.symbols.indirect_name(source, first.saturating_add(number));
                let symbol = symbol.unwrap_or_else(|_| "no known symbol".into());
                let what = if of.class == Class::Code { "stub of" } else { "pointer to" };
                (
                    Some(format!("{}{what} {symbol}", of.prefix)),
                    of.offset.saturating_add((number + 1).saturating_mul(size)),
                )
            }
            None => within(of, source, of.address.saturating_add(into)),
        };
        let stop = next.min(end).max(at + 1);
        // Bytes of no symbol are told by their address.
        if let Some(name) = name {
            items.push(Item::new(of.class, at, stop - at, name, shown(source, at, stop - at)?));
        }
        at = stop;
    }
    Ok(items)
}

/// What `address` lies in, in words, and where in the file the next symbol begins.
fn within(of: &Place, source: &dyn ReadAt, address: u64) -> (Option<String>, u64) {
    let Place { class, prefix, .. } = of;
    // Unwind tables and debug information belong to no symbol of their own.
    let found = match class {
        Class::Code | Class::Data => of.symbols.at(source, address, of.address),
        _ => None,
    };
    let Some(found) = found else {
        let words = (*class == Class::Code).then(|| format!("{prefix}code at address {address:#x}"));
        return (words, u64::MAX);
    };
    let next = of.offset.saturating_add(found.next.saturating_sub(of.address));
    let into = match address - found.start {
        0 => String::new(),
        into => format!("+{into:#x}"),
    };
    let words = match (class, found.name) {
        (Class::Code, Some(name)) => Some(format!("{prefix}code in {name}{into}")),
        (Class::Code, None) => Some(format!("{prefix}code in the function at {:#x}{into}", found.start)),
        (_, Some(name)) => Some(format!("{prefix}data of {name}{into}")),
        (_, None) => None,
    };
    (words, next)
}
