//! WW013, an executable stack, and WW014, text relocations: of the artifact and of every library that would be bundled.

use super::super::Audit;
use super::finding;
use super::shipped::{Shipped, shipped};
use crate::engine::binary::elf;
use crate::engine::binary::elf::Details;
use crate::engine::report::audit::{Finding, Severity, StagingReport};
use goblin::elf::dynamic::DT_TEXTREL;
use goblin::elf::program_header::{PF_R, PF_W, PF_X, PT_GNU_STACK, PT_LOAD};

/// Machines on which glibc gives no executable stack to a file without `PT_GNU_STACK` (its `sysdeps/*/stackinfo.h`).
const SAFE_BY_DEFAULT: [&str; 5] = ["aarch64", "aarch64_be", "loongarch64", "ppc64", "ppc64le"];

/// WW013: a file asks for an executable stack, or leaves it to a default that gives one.
pub(super) fn executable_stack(audit: &Audit, staging: &StagingReport) -> Option<Finding> {
    let mut asking = Vec::new();
    let mut evidence = Vec::new();
    for file in shipped(audit) {
        let Some(details) = file.slice.elf.as_ref().filter(|details| elf::hardening(details).execstack) else {
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
    let relocated = |file: &Shipped<'_>| file.slice.elf.as_ref().is_some_and(|details| elf::hardening(details).textrel);
    let files: Vec<Shipped<'_>> = shipped(audit).into_iter().filter(relocated).collect();
    let title = title(&files, "has text relocations", "files have text relocations")?;
    let line = |file: &Shipped<'_>| {
        let said = file.slice.elf.as_ref().map(said_by).unwrap_or_default();
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

/// Which dynamic entry says that there are text relocations, and the segments that they may be in.
fn said_by(details: &Details) -> String {
    let tables = &details.tables;
    let entry = if tables.dynamic_value(DT_TEXTREL).is_some() { "DT_TEXTREL" } else { "DF_TEXTREL in DT_FLAGS" };
    let read_only = tables.segments.iter().filter(|segment| segment.p_type == PT_LOAD && segment.p_flags & PF_W == 0);
    let places: Vec<String> = read_only
        .map(|segment| {
            let end = segment.p_vaddr.saturating_add(segment.p_memsz);
            format!("{:#x}..{end:#x} ({})", segment.p_vaddr, flags(segment.p_flags))
        })
        .collect();
    format!("{entry}; the loader has to write to segments that are mapped read-only: {}", places.join(", "))
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
