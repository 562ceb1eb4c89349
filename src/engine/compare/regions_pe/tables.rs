//! The smaller tables of a PE file: base relocations, exception directory, thread-local storage, load configuration.

use super::functions::Functions;
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::pe::{Headers, directory};
use crate::engine::binary::record::Record;
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::Layout;
use crate::engine::compare::tell::{Fields, MOST_TOLD, Records, Told};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::sync::{Arc, OnceLock};

/// More pages of base relocations than this are taken as damage.
const MOST_PAGES: usize = 1 << 18;
/// `IMAGE_TLS_DIRECTORY`; 0 stands for the width of an address.
const THREAD_LOCAL: [(&str, u64); 6] = [
    ("StartAddressOfRawData", 0),
    ("EndAddressOfRawData", 0),
    ("AddressOfIndex", 0),
    ("AddressOfCallBacks", 0),
    ("SizeOfZeroFill", 4),
    ("Characteristics", 4),
];
/// `IMAGE_LOAD_CONFIG_DIRECTORY` up to the guard flags.
const LOAD_CONFIG: [(&str, u64); 25] = [
    ("Size", 4),
    ("TimeDateStamp", 4),
    ("MajorVersion", 2),
    ("MinorVersion", 2),
    ("GlobalFlagsClear", 4),
    ("GlobalFlagsSet", 4),
    ("CriticalSectionDefaultTimeout", 4),
    ("DeCommitFreeBlockThreshold", 0),
    ("DeCommitTotalFreeThreshold", 0),
    ("LockPrefixTable", 0),
    ("MaximumAllocationSize", 0),
    ("VirtualMemoryThreshold", 0),
    ("ProcessAffinityMask", 0),
    ("ProcessHeapFlags", 4),
    ("CSDVersion", 2),
    ("DependentLoadFlags", 2),
    ("EditList", 0),
    ("SecurityCookie", 0),
    ("SEHandlerTable", 0),
    ("SEHandlerCount", 0),
    ("GuardCFCheckFunctionPointer", 0),
    ("GuardCFDispatchFunctionPointer", 0),
    ("GuardCFFunctionTable", 0),
    ("GuardCFFunctionCount", 0),
    ("GuardFlags", 4),
];

/// A page's block of base relocations: where it stands in the file, its length, the page.
type Block = (u64, u64, u64);

/// The base relocations, whose blocks are found at the first question.
#[derive(Debug)]
struct Relocations {
    start: u64,
    size: u64,
    base: u64,
    blocks: OnceLock<Vec<Block>>,
}

/// Adds the base relocations to `layout`.
///
/// # Errors
/// None but those of reading.
pub(super) fn relocations(headers: &Headers, layout: &mut Layout) -> Result<()> {
    let Some(table) = headers.directory(directory::BASE_RELOCATION) else { return Ok(()) };
    let Some((start, rest)) = headers.file_offset(table.address) else { return Ok(()) };
    let size = table.size.min(rest);
    let of = Relocations { start, size, base: headers.image_base, blocks: OnceLock::new() };
    layout.on_demand(start, size, Box::new(Told { of, tell: relocated }));
    Ok(())
}

fn blocks(of: &Relocations, source: &dyn ReadAt) -> Vec<Block> {
    let (mut found, mut at) = (Vec::new(), of.start);
    while at.saturating_add(8) <= of.start.saturating_add(of.size) && found.len() < MOST_PAGES {
        let Ok(record) = Record::read(source, at, 8, Endian::Little) else { break };
        let (Ok(page), Ok(size)) = (record.word(0), record.word(4)) else { break };
        if size < 8 {
            break;
        }
        found.push((at, u64::from(size), u64::from(page)));
        at = at.saturating_add(u64::from(size));
    }
    found
}

fn relocated(of: &Relocations, source: &dyn ReadAt, start: u64, end: u64) -> Result<Vec<Item>> {
    let blocks = of.blocks.get_or_init(|| blocks(of, source));
    let mut items = Vec::new();
    let first = blocks.partition_point(|(at, ..)| *at <= start).saturating_sub(1);
    for (at, size, page) in blocks.iter().skip(first).take_while(|(at, ..)| *at < end) {
        let title = format!("base relocations of page {:#x}", of.base.saturating_add(*page));
        if start < at + 8 {
            let told = Fields { class: Class::Relocation, title: &title, say: |_, _| None };
            let record = Record::read(source, *at, 8, Endian::Little)?;
            told.tell(&record, 0, &[("PageRVA", 4), ("BlockSize", 4)], &mut items)?;
        }
        let from = start.max(at + 8);
        let (from, to) = (from - (from - at) % 2, end.min(at + size));
        let mut entry = from;
        while entry < to && items.len() < MOST_TOLD {
            let word = Record::read(source, entry, 2, Endian::Little)?.half(0)?;
            let address = of.base.saturating_add(*page).saturating_add(u64::from(word & 0xfff));
            let value = match kind(word >> 12) {
                "ABSOLUTE" => "ABSOLUTE (padding)".to_owned(),
                name => format!("{name} at {address:#x}"),
            };
            items.push(Item::new(
                Class::Relocation,
                entry,
                2,
                format!("{title}, entry {}", (entry - at - 8) / 2),
                value,
            ));
            entry += 2;
        }
    }
    items.retain(|item| item.start < end && item.end > start);
    Ok(items)
}

/// `IMAGE_REL_BASED_*`.
const fn kind(number: u16) -> &'static str {
    match number {
        0 => "ABSOLUTE",
        1 => "HIGH",
        2 => "LOW",
        3 => "HIGHLOW",
        4 => "HIGHADJ",
        5 => "ARM_MOV32",
        7 => "THUMB_MOV32",
        10 => "DIR64",
        _ => "of no known kind",
    }
}

/// Adds the entries of the exception directory to `layout`.
///
/// # Errors
/// None but those of reading.
pub(super) fn exceptions(headers: &Headers, functions: &Arc<Functions>, layout: &mut Layout) -> Result<()> {
    let Some(table) = headers.directory(directory::EXCEPTION) else { return Ok(()) };
    let Some((start, rest)) = headers.file_offset(table.address) else { return Ok(()) };
    if let Some(entry) = functions.unwind_entry() {
        let of = (Arc::clone(functions), headers.image_base);
        layout.table(start, table.size.min(rest), entry, Box::new(Records { of, each: unwound }));
    }
    Ok(())
}

type Unwound = (Arc<Functions>, u64);

fn unwound((of, base): &Unwound, source: &dyn ReadAt, number: u64, at: u64, items: &mut Vec<Item>) -> Result<()> {
    let entry = of.unwind_entry().unwrap_or(8);
    let record = Record::read(source, at, entry, Endian::Little)?;
    let address = u64::from(record.word(0)?);
    let known = of.at(source, address, 0).filter(|(_, start, _)| *start == address).and_then(|(name, ..)| name);
    let name = known.unwrap_or_else(|| format!("{:#x}", base.saturating_add(address)));
    let title = format!("unwind entry {number} (of {name})");
    let told = Fields { class: Class::Unwind, title: &title, say: |_, _| None };
    let long: &[_] = &[("BeginAddress", 4), ("EndAddress", 4), ("UnwindInfoAddress", 4)];
    let short: &[_] = &[("BeginAddress", 4), ("UnwindData", 4)];
    told.tell(&record, 0, if entry == 12 { long } else { short }, items)?;
    Ok(())
}

/// Adds the directory of thread-local storage to `layout`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when it lies in no section.
pub(super) fn thread_local(source: &dyn ReadAt, headers: &Headers, layout: &mut Layout) -> Result<()> {
    fields(source, headers, (directory::TLS, "TLS directory"), &THREAD_LOCAL, layout)
}

/// Adds the load configuration to `layout`, as far as it says itself that it reaches.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when it lies in no section.
pub(super) fn load_config(source: &dyn ReadAt, headers: &Headers, layout: &mut Layout) -> Result<()> {
    let mut known = LOAD_CONFIG;
    if !headers.is_plus {
        // In PE32 the flags stand before the mask.
        known.swap(12, 13);
    }
    fields(source, headers, (directory::LOAD_CONFIG, "load configuration"), &known, layout)
}

fn fields(
    source: &dyn ReadAt,
    headers: &Headers,
    (number, title): (usize, &str),
    fields: &[(&'static str, u64)],
    layout: &mut Layout,
) -> Result<()> {
    let Some(table) = headers.directory(number) else { return Ok(()) };
    let width = if headers.is_plus { 8 } else { 4 };
    let mut room = match number {
        directory::LOAD_CONFIG => u64::from(headers.record(source, table.address, 4, title)?.word(0)?),
        _ => u64::MAX,
    };
    let (mut items, mut known) = (Vec::new(), Vec::new());
    for (name, size) in fields {
        let size = if *size == 0 { width } else { *size };
        let Some(left) = room.checked_sub(size) else { break };
        room = left;
        known.push((*name, size));
    }
    let length = known.iter().map(|(_, size)| size).sum();
    let record = headers.record(source, table.address, length, title)?;
    Fields { class: Class::Data, title, say: |_, _| None }.tell(&record, 0, &known, &mut items)?;
    items.into_iter().for_each(|item| layout.add_item(item));
    Ok(())
}
