//! The structure of an ELF file: hardening, notes, versions, segments, sections, dynamic entries, dynamic symbols.

use super::{Facts, MOST_SYMBOLS};
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::elf::{Details, StringTable, Symbols, Tables, VersionTable, hardening};
use crate::engine::binary::record::Record;
use crate::engine::compare::regions_elf::{notes, section_names, segment_type, tag_name};
use crate::engine::file::ReadAt;
use goblin::elf::dynamic::{DT_FLAGS, DT_FLAGS_1, DT_NEEDED, DT_NULL, DT_RPATH, DT_RUNPATH, DT_SONAME, DT_VERSYM};
use goblin::elf::program_header::PT_NOTE;
use goblin::elf::section_header::{SHT_NOTE, SHT_SYMTAB, sht_to_str};
use goblin::elf::sym::{Sym, bind_to_str, type_to_str, visibility_to_str};
use scroll::Pread;

/// The flags of sections, by bit (gABI 4, "Section Header"), as `readelf` writes them.
const SECTION_FLAGS: [(u64, char); 11] = [
    (0x1, 'W'),
    (0x2, 'A'),
    (0x4, 'X'),
    (0x10, 'M'),
    (0x20, 'S'),
    (0x40, 'I'),
    (0x80, 'L'),
    (0x200, 'G'),
    (0x400, 'T'),
    (0x800, 'C'),
    (0x20_0000, 'R'),
];
/// `DF_*` of `DT_FLAGS`.
const FLAGS: [(u64, &str); 5] = [(1, "ORIGIN"), (2, "SYMBOLIC"), (4, "TEXTREL"), (8, "BIND_NOW"), (16, "STATIC_TLS")];
/// `DF_1_*` of `DT_FLAGS_1`.
const FLAGS_1: [(u64, &str); 7] = [
    (0x1, "NOW"),
    (0x2, "GLOBAL"),
    (0x8, "NODELETE"),
    (0x20, "INITFIRST"),
    (0x40, "NOOPEN"),
    (0x80, "ORIGIN"),
    (0x800_0000, "PIE"),
];
/// Properties that every linked object must have for the process to have them: the note's word, bit, name.
const FEATURES: [(&str, u64, &str); 4] = [
    ("GNU_PROPERTY_X86_FEATURE_1_AND", 1, "hardening IBT"),
    ("GNU_PROPERTY_X86_FEATURE_1_AND", 2, "hardening SHSTK"),
    ("GNU_PROPERTY_AARCH64_FEATURE_1_AND", 1, "hardening BTI"),
    ("GNU_PROPERTY_AARCH64_FEATURE_1_AND", 2, "hardening PAC"),
];

/// Adds the structure of an ELF file.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a table lies outside of the file.
pub(super) fn add(facts: &mut Facts, source: &dyn ReadAt, details: &Details) -> Result<()> {
    let tables = &details.tables;
    let found = hardening(tables);
    facts.add("RELRO", &found.relro);
    facts.add("immediate binding", found.now);
    facts.add("executable stack", found.execstack);
    facts.add("position-independent", found.pie);
    facts.add("text relocations", found.textrel);
    if let Some(id) = &details.build_id {
        facts.add("build-id", id.iter().map(|byte| format!("{byte:02x}")).collect::<String>());
    }
    for need in &details.version_needs {
        let names: Vec<_> = need.versions.iter().map(|version| version.name.to_text()).collect();
        facts.add(format!("versions of {}", need.library), names.join(", "));
    }
    let defined: Vec<_> = details.version_definitions.iter().map(|name| name.to_text()).collect();
    if !defined.is_empty() {
        facts.add("versions defined", defined.join(", "));
    }
    facts.add("entry point", format!("{:#x}", tables.header.e_entry));
    segments(facts, tables);
    let names = section_names(source, tables);
    for (section, name) in tables.sections.iter().zip(&names).filter(|(section, _)| section.sh_size > 0) {
        let flags: String =
            SECTION_FLAGS.iter().filter(|(bit, _)| section.sh_flags & bit != 0).map(|(_, letter)| letter).collect();
        let more = format!(", {} {flags}", sht_to_str(section.sh_type));
        let place = (section.sh_addr, section.sh_offset, section.sh_size);
        facts.place(format!("section {name}"), place, more.trim_end());
        if section.sh_type == SHT_SYMTAB {
            facts.add(format!("symbols of {name}"), section.sh_size / tables.symbol_size().max(1));
        }
    }
    dynamic(facts, tables);
    notes_of(facts, source, tables)?;
    symbols(facts, source, tables)
}

fn segments(facts: &mut Facts, tables: &Tables) {
    for segment in &tables.segments {
        let flag = |bit, letter| if segment.p_flags & bit == 0 { "" } else { letter };
        let value = format!(
            "{}{}{}, offset {:#x}, address {:#x}, size {:#x}, in memory {:#x}",
            flag(4, "R"),
            flag(2, "W"),
            flag(1, "X"),
            segment.p_offset,
            segment.p_vaddr,
            segment.p_filesz,
            segment.p_memsz
        );
        // Not by its number, which a new header before it changes.
        facts.add(format!("segment {}", segment_type(segment.p_type)), value.trim_start_matches(", "));
    }
}

/// The entries but those that are told by name elsewhere.
fn dynamic(facts: &mut Facts, tables: &Tables) {
    let told = [DT_NULL, DT_NEEDED, DT_SONAME, DT_RPATH, DT_RUNPATH];
    for entry in tables.dynamic.iter().filter(|entry| !told.contains(&entry.d_tag)) {
        let known: &[_] = match entry.d_tag {
            DT_FLAGS => &FLAGS,
            DT_FLAGS_1 => &FLAGS_1,
            _ => &[],
        };
        let names: Vec<_> = known.iter().filter(|(bit, _)| entry.d_val & bit != 0).map(|(_, name)| *name).collect();
        let names = if names.is_empty() { String::new() } else { format!(" ({})", names.join(", ")) };
        facts.add(format!("dynamic {}", tag_name(entry.d_tag)), format!("{:#x}{names}", entry.d_val));
    }
}

fn notes_of(facts: &mut Facts, source: &dyn ReadAt, tables: &Tables) -> Result<()> {
    let sections = tables.sections.iter().filter(|section| section.sh_type == SHT_NOTE);
    let mut places: Vec<_> =
        sections.map(|section| (section.sh_offset, section.sh_size, section.sh_addralign)).collect();
    if places.is_empty() {
        let segments = tables.segments.iter().filter(|segment| segment.p_type == PT_NOTE);
        places.extend(segments.map(|segment| (segment.p_offset, segment.p_filesz, segment.p_align)));
    }
    for place in places {
        for (name, value) in notes::said(source, tables, place)? {
            if name == "note GNU NT_GNU_BUILD_ID" {
                continue;
            }
            for (word, bit, feature) in FEATURES {
                let behind = value.split(", ").find_map(|property| property.strip_prefix(word)?.strip_prefix(" 0x"));
                if let Some(bits) = behind.and_then(|text| u64::from_str_radix(text, 16).ok()) {
                    facts.add(feature, bits & bit != 0);
                }
            }
            facts.add(name, value);
        }
    }
    Ok(())
}

/// The dynamic symbols: defined ones with their place, undefined ones with whom they are bound to.
fn symbols(facts: &mut Facts, source: &dyn ReadAt, tables: &Tables) -> Result<()> {
    let Some((offset, count)) = Symbols::open(source, tables)?.table()? else { return Ok(()) };
    facts.add("dynamic symbols", count);
    if count > MOST_SYMBOLS {
        facts.add("symbols compared", format!("none by name: there are more than {MOST_SYMBOLS}"));
        return Ok(());
    }
    let (strings, versions) = (StringTable::of(source, tables)?, VersionTable::read(source, tables)?);
    let endian = if tables.is_big { Endian::Big } else { Endian::Little };
    let place = tables.dynamic_value(DT_VERSYM).and_then(|address| tables.file_offset(address));
    let numbers = place.and_then(|(at, rest)| Record::read(source, at, (count * 2).min(rest), endian).ok());
    let size = tables.symbol_size();
    let table = source.bytes(offset, count.saturating_mul(size))?;
    for number in 1..count {
        let at = usize::try_from(number * size).unwrap_or(usize::MAX);
        let Ok(symbol) = table.pread_with::<Sym>(at, tables.context()) else { break };
        let name = strings.get(symbol.st_name as u64)?;
        let version = numbers.as_ref().and_then(|numbers| versions.get(numbers.half(number * 2).ok()?));
        let version = version.map(|version| match &version.library {
            Some(library) => format!(", version {} of {library}", version.name),
            None => format!(", version {}", version.name),
        });
        let place = match symbol.st_shndx {
            0 => "undefined".to_owned(),
            _ => format!("address {:#x}, size {:#x}", symbol.st_value, symbol.st_size),
        };
        let value = format!(
            "{place}, {} {} {}{}",
            type_to_str(symbol.st_type()),
            bind_to_str(symbol.st_bind()),
            visibility_to_str(symbol.st_other & 3),
            version.unwrap_or_default()
        );
        facts.add(format!("symbol {name}"), value);
    }
    Ok(())
}
