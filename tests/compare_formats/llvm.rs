//! LLVM's dumps before and after a flip: the line that changed names the field that we name.

use crate::flips::Subject;
use std::path::Path;
use std::process::Command;

pub fn is_there(tool: &str) -> bool {
    Command::new(tool).arg("--version").output().is_ok_and(|output| output.status.success())
}

/// The lines that `tool` prints of `path`; `None` where it complains.
fn dump(tool: &str, arguments: &[&str], path: &Path) -> Option<Vec<String>> {
    let output = Command::new(tool).args(arguments).arg(path).output().unwrap();
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.success() && output.stderr.is_empty()).then(|| text.lines().skip(1).map(String::from).collect())
}

/// The one line that differs, with what stands before it.
fn changed<'a>(before: &'a [String], after: &[String]) -> Option<(usize, &'a str)> {
    let mut lines = before.iter().zip(after).enumerate().filter(|(_, (old, new))| old != new);
    let (number, (line, _)) = lines.next()?;
    (before.len() == after.len() && lines.next().is_none()).then_some((number, line.trim()))
}

pub fn macho_fields() {
    let subject = Subject::lab("liblabmac.dylib");
    let arguments = ["--macho", "--private-headers"];
    let before = dump("llvm-objdump", &arguments, &subject.write(&subject.bytes)).unwrap();
    let commands = u32::from_le_bytes(subject.bytes[20..24].try_into().unwrap()) as usize;
    let mut checked = 0;
    for offset in (32..32 + commands).step_by(3) {
        let edited = subject.with(&[(offset, &[subject.bytes[offset] ^ 0x02])]);
        let Some(after) = dump("llvm-objdump", &arguments, &subject.write(&edited)) else { continue };
        let Some((number, line)) = changed(&before, &after) else { continue };
        let block = before[..number].iter().rev().find_map(|line| line.strip_prefix("Load command ")).unwrap();
        // LLVM's words where they are not the header's own.
        let (field, value) = line.split_once(' ').unwrap();
        let field = match (field, value.trim()) {
            ("type" | "attributes", _) => "flags",
            ("current", _) => "current version",
            ("compatibility", _) => "compatibility version",
            ("time", _) => "timestamp",
            ("version", _) => "version",
            (field, _) => field,
        };
        let Some(run) = subject.flipped(offset, 0x02) else { continue };
        let (region, meaning) = (run.region.unwrap(), run.meaning.unwrap());
        assert!(region.starts_with(&format!("load command {block} (")), "{offset:#x}: {line}: {region}");
        assert!(meaning.contains(field), "{offset:#x}: {line}: {meaning}");
        checked += 1;
    }
    assert!(checked > 150, "only {checked} flips were told by LLVM");
}

pub fn pe_fields() {
    /// Fields that LLVM calls by other names than the format.
    const OTHER_NAMES: [(&str, &str); 8] = [
        ("SectionCount", "NumberOfSections"),
        ("SymbolCount", "NumberOfSymbols"),
        ("OptionalHeaderSize", "SizeOfOptionalHeader"),
        ("NumberOfRvaAndSize", "NumberOfRvaAndSizes"),
        ("RawDataSize", "SizeOfRawData"),
        ("RelocationCount", "NumberOfRelocations"),
        ("LineNumberCount", "NumberOfLinenumbers"),
        ("PointerToLineNumbers", "PointerToLinenumbers"),
    ];
    let subject = Subject::lab("labwin.dll");
    let arguments = ["--file-headers", "--sections"];
    let before = dump("llvm-readobj", &arguments, &subject.write(&subject.bytes)).unwrap();
    let mut checked = 0;
    for offset in 0x78..0x220 {
        let edited = subject.with(&[(offset, &[subject.bytes[offset] ^ 0x02])]);
        let Some(after) = dump("llvm-readobj", &arguments, &subject.write(&edited)) else { continue };
        let Some((_, line)) = changed(&before, &after) else { continue };
        let Some((field, _)) = line.split_once(':') else { continue };
        let Some(run) = subject.flipped(offset, 0x02) else { continue };
        let meaning = run.meaning.unwrap();
        let field = OTHER_NAMES.iter().find(|(llvm, _)| *llvm == field).map_or(field, |(_, own)| own);
        let is_told = match field.strip_suffix("RVA").or(field.strip_suffix("Size")) {
            // `ExportTableRVA`: a data directory.
            Some(table) if table.ends_with("Table") || meaning.starts_with("data directory") => {
                meaning.starts_with("data directory, ")
            }
            _ => meaning.contains(field),
        };
        assert!(is_told, "{offset:#x}: {line}: {meaning}");
        checked += 1;
    }
    assert!(checked > 100, "only {checked} flips were told by LLVM");
}
