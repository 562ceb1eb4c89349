//! WW013, an executable stack, and WW014, text relocations: of the artifact and of every library that would be bundled.

use super::super::Audit;
use super::finding;
use super::shipped::{Shipped, shipped};
use crate::engine::binary::elf;
use crate::engine::binary::elf::{Details, Segment};
use crate::engine::file::{ReadAt, Windows};
use crate::engine::report::audit::{Finding, Severity, StagingReport};
use crate::engine::report::words;
use goblin::elf::dynamic::{DT_JMPREL, DT_PLTREL, DT_PLTRELSZ, DT_REL, DT_RELA, DT_RELASZ, DT_RELSZ, DT_TEXTREL};
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_LOAD};
use std::path::Path;

/// Machines on which glibc gives no executable stack to a file without `PT_GNU_STACK` (its `sysdeps/*/stackinfo.h`).
const SAFE_BY_DEFAULT: [&str; 5] = ["aarch64", "aarch64_be", "loongarch64", "ppc64", "ppc64le"];

/// Of a larger relocation table only the beginning is looked at; in bytes.
const MOST_RELOCATIONS: u64 = 16 << 20;

/// WW013: a file asks for an executable stack, or leaves it to a default that gives one.
pub(super) fn executable_stack(audit: &Audit, staging: &StagingReport) -> Option<Finding> {
    let mut asking = Vec::new();
    let mut evidence = Vec::new();
    for file in shipped(audit) {
        let Some(details) = file.slice.elf.as_ref().filter(|details| elf::hardening(&details.tables).execstack) else {
            continue;
        };
        let segment = details.tables.segments.iter().enumerate().find(|(_, segment)| segment.p_type == PT_GNU_STACK);
        match segment {
            Some((number, segment)) => {
                let flags = flags(segment.p_flags);
                evidence
                    .push(format!("{}: program header {number}, PT_GNU_STACK, has the flags {flags}", file.named()));
            }
            None if SAFE_BY_DEFAULT.contains(&file.slice.arch.name.as_str()) => continue,
            None => evidence.push(format!(
                "{}: there is no PT_GNU_STACK header, and then the loader makes the stack executable on {}",
                file.named(),
                file.slice.arch.name
            )),
        }
        asking.push(file);
    }
    let title = title(&asking, "asks for an executable stack", "files ask for an executable stack")?;
    let mut fix: Vec<String> = asking.iter().filter_map(|file| file.patchelf("--clear-execstack", staging)).collect();
    if !fix.is_empty() {
        fix.insert(0, "# hardly any code needs it; take the flag away:".to_string());
    }
    fix.push(
        "# or mend the cause: an assembler file without a .note.GNU-stack section, or a nested function in C;".into(),
    );
    fix.push("# where the code does not need it, link with -Wl,-z,noexecstack; for cargo:".into());
    fix.push("# RUSTFLAGS='-C link-arg=-Wl,-z,noexecstack' cargo build --release".into());
    Some(finding("WW013", Severity::Warning, title, evidence, fix))
}

/// WW014: a file has relocations in segments that are not to be written.
pub(super) fn text_relocations(audit: &Audit) -> Option<Finding> {
    let relocated =
        |file: &Shipped<'_>| file.slice.elf.as_ref().is_some_and(|details| elf::hardening(&details.tables).textrel);
    let files: Vec<Shipped<'_>> = shipped(audit).into_iter().filter(relocated).collect();
    let title = title(&files, "has text relocations", "files have text relocations")?;
    let line = |file: &Shipped<'_>| {
        let said = file.slice.elf.as_ref().map(|details| said_by(details, file.path)).unwrap_or_default();
        format!("{}: {said}", file.named())
    };
    let fix = vec![
        "# compile every object of the file as position-independent code: CFLAGS=-fPIC, for cargo".to_string(),
        "# RUSTFLAGS='-C relocation-model=pic' cargo build --release".to_string(),
        "# -Wl,-z,text makes the linker name the object that is not; assembler files need @PLT and @GOTPCREL"
            .to_string(),
    ];
    Some(finding("WW014", Severity::Warning, title, files.iter().map(line).collect(), fix))
}

/// Which dynamic entry says that there are text relocations, and where they are.
fn said_by(details: &Details, path: &Path) -> String {
    let tables = &details.tables;
    let entry = if tables.dynamic_value(DT_TEXTREL).is_some() { "DT_TEXTREL" } else { "DF_TEXTREL in DT_FLAGS" };
    let places = Windows::open(path).map(|windows| written_places(details, &windows)).unwrap_or_default();
    match places.as_slice() {
        // A staged file is away from its path, and some linkers say it without need.
        [] => format!("{entry}; the relocations themselves were not found"),
        [first, ..] => {
            let segment = read_only(details).find(|segment| holds(segment, *first));
            let flags = segment.map(|segment| flags(segment.p_flags)).unwrap_or_default();
            let count = words::counted(places.len(), "relocation writes", "relocations write");
            format!("{entry}: {count} to segments that are mapped read-only, the first at {first:#x} ({flags})")
        }
    }
}

/// The load segments that are not to be written.
fn read_only(details: &Details) -> impl Iterator<Item = &Segment> {
    details.tables.segments.iter().filter(|segment| segment.p_type == PT_LOAD && segment.p_flags & PF_W == 0)
}

fn holds(segment: &Segment, address: u64) -> bool {
    address.checked_sub(segment.p_vaddr).is_some_and(|into| into < segment.p_memsz)
}

/// The addresses in such segments that relocations write to, ascending (gABI chapter 5, `DT_RELA`, `DT_REL`, `DT_JMPREL`).
fn written_places(details: &Details, source: &dyn ReadAt) -> Vec<u64> {
    let tables = &details.tables;
    let word = if tables.is_64 { 8 } else { 4 };
    let jump = if tables.dynamic_value(DT_PLTREL) == Some(DT_RELA) { 3 } else { 2 };
    let mut places = Vec::new();
    for (table, size, words) in [(DT_RELA, DT_RELASZ, 3), (DT_REL, DT_RELSZ, 2), (DT_JMPREL, DT_PLTRELSZ, jump)] {
        let range = tables.dynamic_value(table).zip(tables.dynamic_value(size));
        let Some((address, size)) = range else { continue };
        let Some((offset, rest)) = tables.file_offset(address) else { continue };
        let Ok(bytes) = source.bytes(offset, size.min(rest).min(MOST_RELOCATIONS)) else { continue };
        let first_words = bytes.chunks_exact(word * words).filter_map(|entry| match (entry, tables.is_big) {
            (entry, false) if word == 8 => entry.first_chunk().map(|bytes| u64::from_le_bytes(*bytes)),
            (entry, true) if word == 8 => entry.first_chunk().map(|bytes| u64::from_be_bytes(*bytes)),
            (entry, false) => entry.first_chunk().map(|bytes| u64::from(u32::from_le_bytes(*bytes))),
            (entry, true) => entry.first_chunk().map(|bytes| u64::from(u32::from_be_bytes(*bytes))),
        });
        places.extend(first_words.filter(|place| read_only(details).any(|segment| holds(segment, *place))));
    }
    places.sort_unstable();
    places
}

fn title(files: &[Shipped<'_>], one: &str, many: &str) -> Option<String> {
    match files {
        [] => None,
        [file] => {
            let name = file.path.file_name().unwrap_or(file.path.as_os_str()).to_string_lossy();
            Some(format!("{name} {one}"))
        }
        more => Some(format!("{} {many}", more.len())),
    }
}

/// A segment's flags as `readelf` writes them.
fn flags(bits: u32) -> String {
    let letter = |bit, letter| if bits & bit == 0 { "" } else { letter };
    [letter(PF_R, "R"), letter(PF_W, "W"), letter(PF_X, "E")].concat()
}
