//! The load commands of a Mach-O image, told by field (`mach-o/loader.h`).

use crate::engine::binary::macho::{Command, Image, command_name, kind};
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::{Fields, text as text_of};
use crate::engine::report::diff::Class;
use crate::engine::{Error, Result};

/// The fields of more load commands or sections than this are not told one by one.
const MOST_RECORDS: usize = 4096;
/// `loader.h`, behind `cmd` and `cmdsize`.
const SEGMENT_64: [(&str, u64); 9] = [
    ("segname", 16),
    ("vmaddr", 8),
    ("vmsize", 8),
    ("fileoff", 8),
    ("filesize", 8),
    ("maxprot", 4),
    ("initprot", 4),
    ("nsects", 4),
    ("flags", 4),
];
const SEGMENT_32: [(&str, u64); 9] = [
    ("segname", 16),
    ("vmaddr", 4),
    ("vmsize", 4),
    ("fileoff", 4),
    ("filesize", 4),
    ("maxprot", 4),
    ("initprot", 4),
    ("nsects", 4),
    ("flags", 4),
];
const SECTION_64: [(&str, u64); 12] = [
    ("sectname", 16),
    ("segname", 16),
    ("addr", 8),
    ("size", 8),
    ("offset", 4),
    ("align", 4),
    ("reloff", 4),
    ("nreloc", 4),
    ("flags", 4),
    ("reserved1", 4),
    ("reserved2", 4),
    ("reserved3", 4),
];
const SECTION_32: [(&str, u64); 11] = [
    ("sectname", 16),
    ("segname", 16),
    ("addr", 4),
    ("size", 4),
    ("offset", 4),
    ("align", 4),
    ("reloff", 4),
    ("nreloc", 4),
    ("flags", 4),
    ("reserved1", 4),
    ("reserved2", 4),
];
const DYLIB: [(&str, u64); 4] =
    [("name offset", 4), ("timestamp", 4), ("current version", 4), ("compatibility version", 4)];
const SYMTAB: [(&str, u64); 4] = [("symoff", 4), ("nsyms", 4), ("stroff", 4), ("strsize", 4)];
const DYSYMTAB: [(&str, u64); 18] = [
    ("ilocalsym", 4),
    ("nlocalsym", 4),
    ("iextdefsym", 4),
    ("nextdefsym", 4),
    ("iundefsym", 4),
    ("nundefsym", 4),
    ("tocoff", 4),
    ("ntoc", 4),
    ("modtaboff", 4),
    ("nmodtab", 4),
    ("extrefsymoff", 4),
    ("nextrefsyms", 4),
    ("indirectsymoff", 4),
    ("nindirectsyms", 4),
    ("extreloff", 4),
    ("nextrel", 4),
    ("locreloff", 4),
    ("nlocrel", 4),
];
const DYLD_INFO: [(&str, u64); 10] = [
    ("rebase_off", 4),
    ("rebase_size", 4),
    ("bind_off", 4),
    ("bind_size", 4),
    ("weak_bind_off", 4),
    ("weak_bind_size", 4),
    ("lazy_bind_off", 4),
    ("lazy_bind_size", 4),
    ("export_off", 4),
    ("export_size", 4),
];
const BUILD_VERSION: [(&str, u64); 4] = [("platform", 4), ("minos", 4), ("sdk", 4), ("ntools", 4)];
const NOTE: [(&str, u64); 3] = [("data_owner", 16), ("offset", 8), ("size", 8)];
const FILESET_ENTRY: [(&str, u64); 4] = [("vmaddr", 8), ("fileoff", 8), ("name offset", 4), ("reserved", 4)];

/// Adds the load commands of `image` to `layout`: a region each, and an item for each field.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a command is shorter than its fields.
pub(super) fn commands(image: &Image<'_>, prefix: &str, layout: &mut Layout) -> Result<()> {
    let mut told = 0;
    for (number, command) in image.commands.iter().enumerate() {
        let (at, size) = (command.record.offset(), command.record.as_bytes().len() as u64);
        let kind = command_name(command.kind);
        let region = format!("{prefix}load command {number} ({kind})");
        layout.region(Layer::Table, Class::LoadCommand, at, size, region);
        if told >= MOST_RECORDS {
            continue;
        }
        let mut items = Vec::new();
        match told_of(command, number, prefix, &mut items) {
            // What stands before the damage is told, the rest by its bytes.
            Ok(()) | Err(Error::Malformed { .. }) => {}
            Err(other) => return Err(other),
        }
        told += items.len() / 8 + 1;
        items.into_iter().for_each(|item| layout.add_item(item));
    }
    Ok(())
}

/// The items of a load command.
fn told_of(command: &Command<'_>, number: usize, prefix: &str, items: &mut Vec<Item>) -> Result<()> {
    let (at, size) = (command.record.offset(), command.record.as_bytes().len() as u64);
    let kind = command_name(command.kind);
    let title = match command.kind {
        kind::LC_SEGMENT | kind::LC_SEGMENT_64 => {
            format!("{prefix}load command {number} ({kind} {})", command.record.name(8, 16)?)
        }
        _ => format!("{prefix}load command {number} ({kind})"),
    };
    items.push(Item::new(Class::LoadCommand, at, 4, title.as_str(), kind).field("cmd"));
    items.push(Item::new(Class::LoadCommand, at + 4, 4, title.as_str(), format!("{size:#x}")).field("cmdsize"));
    let end = fields(command, prefix, &title, items)?;
    let rest = command.record.as_bytes().get(usize::try_from(end).unwrap_or(usize::MAX)..).unwrap_or_default();
    if !rest.is_empty() {
        let text: String = rest.iter().take(64).map(|byte| format!("{byte:02x}")).collect();
        items.push(
            Item::new(Class::LoadCommand, at + end, rest.len() as u64, title.as_str(), text).field("what follows"),
        );
    }
    Ok(())
}

/// The fields behind `cmd` and `cmdsize`; answers where the last one ends.
fn fields(command: &Command<'_>, prefix: &str, title: &str, items: &mut Vec<Item>) -> Result<u64> {
    let record = &command.record;
    let told = Fields { class: Class::LoadCommand, title, say };
    let is_library = command.library()?.is_some();
    match command.kind {
        kind::LC_SEGMENT_64 => {
            let at = told.tell(record, 8, &SEGMENT_64, items)?;
            sections(command, prefix, at, (80, &SECTION_64), items)
        }
        kind::LC_SEGMENT => {
            let at = told.tell(record, 8, &SEGMENT_32, items)?;
            sections(command, prefix, at, (68, &SECTION_32), items)
        }
        _ if is_library => {
            let at = told.tell(record, 8, &DYLIB, items)?;
            // A dylib_use_command has its flags before the name.
            let at =
                if u64::from(record.word(8)?) >= at + 4 { told.tell(record, at, &[("flags", 4)], items)? } else { at };
            text(command, title, "name", at, items)
        }
        kind::LC_RPATH => text(command, title, "path", told.tell(record, 8, &[("path offset", 4)], items)?, items),
        kind::LC_LOAD_DYLINKER
        | kind::LC_ID_DYLINKER
        | kind::LC_DYLD_ENVIRONMENT
        | kind::LC_SUB_CLIENT
        | kind::LC_SUB_FRAMEWORK
        | kind::LC_SUB_LIBRARY
        | kind::LC_SUB_UMBRELLA => {
            text(command, title, "name", told.tell(record, 8, &[("name offset", 4)], items)?, items)
        }
        kind::LC_SYMTAB => told.tell(record, 8, &SYMTAB, items),
        kind::LC_DYSYMTAB => told.tell(record, 8, &DYSYMTAB, items),
        kind::LC_DYLD_INFO | kind::LC_DYLD_INFO_ONLY => told.tell(record, 8, &DYLD_INFO, items),
        kind::LC_CODE_SIGNATURE
        | kind::LC_DATA_IN_CODE
        | kind::LC_DYLD_CHAINED_FIXUPS
        | kind::LC_DYLD_EXPORTS_TRIE
        | kind::LC_DYLIB_CODE_SIGN_DRS
        | kind::LC_FUNCTION_STARTS
        | kind::LC_LINKER_OPTIMIZATION_HINT
        | kind::LC_SEGMENT_SPLIT_INFO => told.tell(record, 8, &[("dataoff", 4), ("datasize", 4)], items),
        kind::LC_UUID => {
            let uuid = record.part(8, 16)?.as_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
            items.push(Item::new(Class::BuildId, record.offset() + 8, 16, title, uuid).field("uuid"));
            Ok(24)
        }
        kind::LC_BUILD_VERSION => {
            let mut at = told.tell(record, 8, &BUILD_VERSION, items)?;
            for _ in 0..record.word(20)?.min(64) {
                at = told.tell(record, at, &[("tool", 4), ("tool version", 4)], items)?;
            }
            Ok(at)
        }
        kind::LC_VERSION_MIN_MACOSX
        | kind::LC_VERSION_MIN_IPHONEOS
        | kind::LC_VERSION_MIN_TVOS
        | kind::LC_VERSION_MIN_WATCHOS => told.tell(record, 8, &[("minos", 4), ("sdk", 4)], items),
        kind::LC_SOURCE_VERSION => told.tell(record, 8, &[("source version", 8)], items),
        kind::LC_MAIN => told.tell(record, 8, &[("entryoff", 8), ("stacksize", 8)], items),
        kind::LC_ENCRYPTION_INFO | kind::LC_ENCRYPTION_INFO_64 => {
            told.tell(record, 8, &[("cryptoff", 4), ("cryptsize", 4), ("cryptid", 4)], items)
        }
        kind::LC_NOTE => told.tell(record, 8, &NOTE, items),
        kind::LC_TWOLEVEL_HINTS => told.tell(record, 8, &[("offset", 4), ("nhints", 4)], items),
        kind::LC_PREBIND_CKSUM => {
            let told = Fields { class: Class::Checksum, ..told };
            told.tell(record, 8, &[("cksum", 4)], items)
        }
        kind::LC_FILESET_ENTRY => {
            let at = told.tell(record, 8, &FILESET_ENTRY, items)?;
            let start = u64::from(record.word(24)?).max(at);
            named(command, title, "entry_id", start, items)
        }
        _ => Ok(8),
    }
}

type SectionFields = (u64, &'static [(&'static str, u64)]);

fn sections(
    command: &Command<'_>,
    prefix: &str,
    first: u64,
    (entry, fields): SectionFields,
    items: &mut Vec<Item>,
) -> Result<u64> {
    let record = &command.record;
    let room = (record.as_bytes().len() as u64).saturating_sub(first) / entry;
    // nsects stands before flags, at the end of the segment's own fields.
    let count = u64::from(record.word(first - 8)?).min(room);
    for number in 0..count.min(MOST_RECORDS as u64) {
        let at = first + number * entry;
        let title = format!("{prefix}section header {},{}", record.name(at + 16, 16)?, record.name(at, 16)?);
        Fields { class: Class::SectionHeader, title: &title, say }.tell(record, at, fields, items)?;
    }
    Ok(first + count * entry)
}

/// The string whose offset stands at 8 of the command, with the padding behind it.
fn text(command: &Command<'_>, title: &str, field: &'static str, at: u64, items: &mut Vec<Item>) -> Result<u64> {
    named(command, title, field, u64::from(command.record.word(8)?).max(at), items)
}

fn named(command: &Command<'_>, title: &str, field: &'static str, start: u64, items: &mut Vec<Item>) -> Result<u64> {
    let record = &command.record;
    let length = (record.as_bytes().len() as u64).saturating_sub(start);
    if length > 0 {
        let value = text_of(record, start, length)?;
        items.push(Item::new(Class::LoadCommand, record.offset() + start, length, title, value).field(field));
    }
    Ok(start + length)
}

/// The values that are not said in hex.
fn say(field: &str, value: u64) -> Option<String> {
    Some(match field {
        "maxprot" | "initprot" => protection(value),
        "current version" | "compatibility version" | "minos" | "sdk" | "tool version" => version(value),
        "source version" => format!(
            "{}.{}.{}.{}.{}",
            value >> 40,
            (value >> 30) & 0x3ff,
            (value >> 20) & 0x3ff,
            (value >> 10) & 0x3ff,
            value & 0x3ff
        ),
        "platform" => platform(value),
        "tool" => match value {
            1 => "clang".into(),
            2 => "swift".into(),
            3 => "ld".into(),
            4 => "lld".into(),
            other => other.to_string(),
        },
        "align" => format!("2^{value}"),
        "timestamp" | "nsects" | "nreloc" | "nsyms" | "ntools" | "nhints" | "nindirectsyms" | "nlocalsym"
        | "nextdefsym" | "nundefsym" | "ilocalsym" | "iextdefsym" | "iundefsym" => value.to_string(),
        _ => return None,
    })
}

/// `VM_PROT_*` as letters.
pub(crate) fn protection(value: u64) -> String {
    let letter = |bit, letter| if value & bit == 0 { '-' } else { letter };
    let rest = if value > 7 { format!(" ({value:#x})") } else { String::new() };
    format!("{}{}{}{rest}", letter(1, 'r'), letter(2, 'w'), letter(4, 'x'))
}

/// A version packed as `xxxx.yy.zz` nibbles.
pub(crate) fn version(value: u64) -> String {
    format!("{}.{}.{}", value >> 16, (value >> 8) & 0xff, value & 0xff)
}

/// `PLATFORM_*`.
pub(crate) fn platform(value: u64) -> String {
    match value {
        1 => "macOS".into(),
        2 => "iOS".into(),
        3 => "tvOS".into(),
        4 => "watchOS".into(),
        5 => "bridgeOS".into(),
        6 => "Mac Catalyst".into(),
        7 => "iOS simulator".into(),
        8 => "tvOS simulator".into(),
        9 => "watchOS simulator".into(),
        10 => "DriverKit".into(),
        11 => "visionOS".into(),
        12 => "visionOS simulator".into(),
        other => other.to_string(),
    }
}
