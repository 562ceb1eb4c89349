//! The headers of a PE file by field: DOS header and stub, Rich header, COFF and optional header, data directories, sections.

use super::checksum;
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::pe::{DIRECTORY_NAMES, Headers};
use crate::engine::binary::record::Record;
use crate::engine::compare::item::Item;
use crate::engine::compare::layout::{Layer, Layout};
use crate::engine::compare::tell::{Fields, Told, text};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;

/// `IMAGE_DOS_HEADER`; the reserved words at 28 and 40 are told as bytes.
const DOS: [(&str, u64); 14] = [
    ("e_magic", 2),
    ("e_cblp", 2),
    ("e_cp", 2),
    ("e_crlc", 2),
    ("e_cparhdr", 2),
    ("e_minalloc", 2),
    ("e_maxalloc", 2),
    ("e_ss", 2),
    ("e_sp", 2),
    ("e_csum", 2),
    ("e_ip", 2),
    ("e_cs", 2),
    ("e_lfarlc", 2),
    ("e_ovno", 2),
];
/// `IMAGE_FILE_HEADER`, behind the signature.
const COFF: [(&str, u64); 8] = [
    ("Signature", 4),
    ("Machine", 2),
    ("NumberOfSections", 2),
    ("TimeDateStamp", 4),
    ("PointerToSymbolTable", 4),
    ("NumberOfSymbols", 4),
    ("SizeOfOptionalHeader", 2),
    ("Characteristics", 2),
];
/// `IMAGE_OPTIONAL_HEADER` up to the base of code.
const OPTIONAL_HEAD: [(&str, u64); 8] = [
    ("Magic", 2),
    ("MajorLinkerVersion", 1),
    ("MinorLinkerVersion", 1),
    ("SizeOfCode", 4),
    ("SizeOfInitializedData", 4),
    ("SizeOfUninitializedData", 4),
    ("AddressOfEntryPoint", 4),
    ("BaseOfCode", 4),
];
/// From the image base on; 0 stands for the width of an address. The checksum is told on demand.
const OPTIONAL_MIDDLE: [(&str, u64); 12] = [
    ("ImageBase", 0),
    ("SectionAlignment", 4),
    ("FileAlignment", 4),
    ("MajorOperatingSystemVersion", 2),
    ("MinorOperatingSystemVersion", 2),
    ("MajorImageVersion", 2),
    ("MinorImageVersion", 2),
    ("MajorSubsystemVersion", 2),
    ("MinorSubsystemVersion", 2),
    ("Win32VersionValue", 4),
    ("SizeOfImage", 4),
    ("SizeOfHeaders", 4),
];
/// Behind the checksum.
const OPTIONAL_TAIL: [(&str, u64); 8] = [
    ("Subsystem", 2),
    ("DllCharacteristics", 2),
    ("SizeOfStackReserve", 0),
    ("SizeOfStackCommit", 0),
    ("SizeOfHeapReserve", 0),
    ("SizeOfHeapCommit", 0),
    ("LoaderFlags", 4),
    ("NumberOfRvaAndSizes", 4),
];
const SECTION: [(&str, u64); 9] = [
    ("VirtualSize", 4),
    ("VirtualAddress", 4),
    ("SizeOfRawData", 4),
    ("PointerToRawData", 4),
    ("PointerToRelocations", 4),
    ("PointerToLinenumbers", 4),
    ("NumberOfRelocations", 2),
    ("NumberOfLinenumbers", 2),
    ("Characteristics", 4),
];
/// `IMAGE_DLLCHARACTERISTICS_*`.
const DLL_CHARACTERISTICS: [(u64, &str); 11] = [
    (0x20, "HIGH_ENTROPY_VA"),
    (0x40, "DYNAMIC_BASE"),
    (0x80, "FORCE_INTEGRITY"),
    (0x100, "NX_COMPAT"),
    (0x200, "NO_ISOLATION"),
    (0x400, "NO_SEH"),
    (0x800, "NO_BIND"),
    (0x1000, "APPCONTAINER"),
    (0x2000, "WDM_DRIVER"),
    (0x4000, "GUARD_CF"),
    (0x8000, "TERMINAL_SERVER_AWARE"),
];
/// `IMAGE_FILE_*`.
const FILE_CHARACTERISTICS: [(u64, &str); 10] = [
    (0x1, "RELOCS_STRIPPED"),
    (0x2, "EXECUTABLE_IMAGE"),
    (0x4, "LINE_NUMS_STRIPPED"),
    (0x8, "LOCAL_SYMS_STRIPPED"),
    (0x20, "LARGE_ADDRESS_AWARE"),
    (0x100, "32BIT_MACHINE"),
    (0x200, "DEBUG_STRIPPED"),
    (0x400, "REMOVABLE_RUN_FROM_SWAP"),
    (0x1000, "SYSTEM"),
    (0x2000, "DLL"),
];
/// `IMAGE_SCN_*`, those of images.
const SECTION_CHARACTERISTICS: [(u64, &str); 9] = [
    (0x20, "code"),
    (0x40, "initialized data"),
    (0x80, "uninitialized data"),
    (0x0200_0000, "discardable"),
    (0x0400_0000, "not cached"),
    (0x1000_0000, "shared"),
    (0x2000_0000, "execute"),
    (0x4000_0000, "read"),
    (0x8000_0000, "write"),
];

/// Adds the headers to `layout`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when they don't lie in the file.
pub(super) fn headers(source: &dyn ReadAt, headers: &Headers, layout: &mut Layout) -> Result<()> {
    let mut items = Vec::new();
    dos(source, headers, layout, &mut items)?;
    let coff = Record::read(source, headers.signature, 24, Endian::Little)?;
    let told = Fields { class: Class::Header, title: "PE header", say };
    told.tell(&coff, 0, &COFF, &mut items)?;
    let size = headers.sections_offset - headers.signature;
    layout.region(Layer::Table, Class::Header, headers.signature, size, "PE headers");
    optional(source, headers, layout, &mut items)?;
    for (number, name) in DIRECTORY_NAMES.iter().enumerate().take(headers.directories.len()) {
        let at = headers.directories_offset + number as u64 * 8;
        let title = format!("data directory, {name}");
        let record = Record::read(source, at, 8, Endian::Little)?;
        let told = Fields { class: Class::Directory, title: &title, say };
        told.tell(&record, 0, &[("VirtualAddress", 4), ("Size", 4)], &mut items)?;
    }
    let size = headers.sections.len() as u64 * 40;
    layout.region(Layer::Table, Class::SectionHeader, headers.sections_offset, size, "section headers");
    for (number, section) in headers.sections.iter().enumerate() {
        let at = headers.sections_offset + number as u64 * 40;
        let record = Record::read(source, at, 40, Endian::Little)?;
        let title = format!("section header {number} ({})", section.name);
        items.push(Item::new(Class::SectionHeader, at, 8, title.as_str(), text(&record, 0, 8)?).field("Name"));
        let say: fn(&str, u64) -> Option<String> =
            |field, value| (field == "Characteristics").then(|| section_characteristics(value));
        Fields { class: Class::SectionHeader, title: &title, say }.tell(&record, 8, &SECTION, &mut items)?;
    }
    items.into_iter().for_each(|item| layout.add_item(item));
    Ok(())
}

fn dos(source: &dyn ReadAt, headers: &Headers, layout: &mut Layout, items: &mut Vec<Item>) -> Result<()> {
    let record = Record::read(source, 0, 64, Endian::Little)?;
    let told = Fields { class: Class::Header, title: "DOS header", say };
    told.tell(&record, 0, &DOS, items)?;
    told.tell(&record, 36, &[("e_oemid", 2), ("e_oeminfo", 2)], items)?;
    told.tell(&record, 60, &[("e_lfanew", 4)], items)?;
    layout.region(Layer::Table, Class::Header, 0, headers.signature.min(64), "DOS header");
    let Some(length) = headers.signature.checked_sub(64) else { return Ok(()) };
    layout.region(Layer::Table, Class::Header, 64, length, "DOS stub");
    // What Microsoft's linker says of the tools: at multiples of 8, masked by the word behind "Rich".
    let stub = Record::read(source, 64, length.min(4096), Endian::Little)?;
    let words = stub.as_bytes().len() as u64 / 4;
    let Some(end) = (0..words).find(|at| stub.word(at * 4).is_ok_and(|word| word == 0x6863_6952)) else {
        return Ok(());
    };
    let Ok(key) = stub.word((end + 1) * 4) else { return Ok(()) };
    let masked = |at: u64| stub.word(at * 4).map(|word| word ^ key);
    let Some(start) = (0..end).find(|at| masked(*at).is_ok_and(|word| word == 0x536e_6144)) else { return Ok(()) };
    layout.region(Layer::Table, Class::Header, 64 + start * 4, (end + 2 - start) * 4, "Rich header");
    items.push(Item::new(Class::Header, 64 + start * 4, 16, "Rich header", "begin").field("DanS"));
    for (number, at) in (start + 4..end.saturating_sub(1)).step_by(2).enumerate() {
        let (tool, count) = (masked(at)?, masked(at + 1)?);
        let value = format!("tool {:#x}, build {}, {count} objects", tool >> 16, tool & 0xffff);
        items.push(Item::new(Class::Header, 64 + at * 4, 8, format!("Rich header entry {number}"), value));
    }
    items.push(Item::new(Class::Header, 64 + end * 4, 8, "Rich header", format!("{key:#x}")).field("checksum"));
    Ok(())
}

fn optional(source: &dyn ReadAt, headers: &Headers, layout: &mut Layout, items: &mut Vec<Item>) -> Result<()> {
    let size = headers.directories_offset - headers.optional;
    let record = Record::read(source, headers.optional, size, Endian::Little)?;
    let told = Fields { class: Class::Header, title: "optional header", say };
    let address = if headers.is_plus { 8 } else { 4 };
    let wide = |fields: &[(&'static str, u64)]| -> Vec<(&'static str, u64)> {
        fields.iter().map(|(name, width)| (*name, if *width == 0 { address } else { *width })).collect()
    };
    let mut at = told.tell(&record, 0, &OPTIONAL_HEAD, items)?;
    if !headers.is_plus {
        at = told.tell(&record, at, &[("BaseOfData", 4)], items)?;
    }
    let at = told.tell(&record, at, &wide(&OPTIONAL_MIDDLE), items)?;
    let place = headers.optional + at;
    layout.region(Layer::Table, Class::Checksum, place, 4, "PE headers, CheckSum");
    layout.on_demand(place, 4, Box::new(Told { of: place, tell: checksum::told }));
    told.tell(&record, at + 4, &wide(&OPTIONAL_TAIL), items)?;
    Ok(())
}

/// The values that are not said in hex alone.
fn say(field: &str, value: u64) -> Option<String> {
    Some(match field {
        "DllCharacteristics" => dll_characteristics(value),
        "Characteristics" => file_characteristics(value),
        "Subsystem" => subsystem(value),
        "NumberOfSections"
        | "NumberOfSymbols"
        | "NumberOfRvaAndSizes"
        | "MajorLinkerVersion"
        | "MinorLinkerVersion"
        | "MajorOperatingSystemVersion"
        | "MinorOperatingSystemVersion"
        | "MajorImageVersion"
        | "MinorImageVersion"
        | "MajorSubsystemVersion"
        | "MinorSubsystemVersion" => value.to_string(),
        _ => return None,
    })
}

/// `DllCharacteristics` with the names of its flags.
pub(crate) fn dll_characteristics(value: u64) -> String {
    flags(value, &DLL_CHARACTERISTICS)
}

/// `Characteristics` of a file with the names of its flags.
pub(crate) fn file_characteristics(value: u64) -> String {
    flags(value, &FILE_CHARACTERISTICS)
}

/// `Characteristics` of a section with the names of its flags.
pub(crate) fn section_characteristics(value: u64) -> String {
    flags(value, &SECTION_CHARACTERISTICS)
}

fn flags(value: u64, known: &[(u64, &str)]) -> String {
    let names: Vec<_> = known.iter().filter(|(bit, _)| value & bit != 0).map(|(_, name)| *name).collect();
    if names.is_empty() { format!("{value:#x}") } else { format!("{value:#x} ({})", names.join(", ")) }
}

/// `IMAGE_SUBSYSTEM_*`.
pub(crate) fn subsystem(value: u64) -> String {
    match value {
        1 => "native".into(),
        2 => "Windows GUI".into(),
        3 => "Windows console".into(),
        7 => "POSIX console".into(),
        9 => "Windows CE GUI".into(),
        10 => "EFI application".into(),
        11 => "EFI boot service driver".into(),
        12 => "EFI runtime driver".into(),
        other => other.to_string(),
    }
}
