//! Single bytes: each is told by the field, the function, the variable or the string that it belongs to.

use crate::library::{built, compared, run, written};
use crate::oracle::{self, Place};
use crate::{Outcome, Test};
use std::path::Path;
use std::process::Command;
use wheelwright::engine::report::diff::{Class, Run};

pub const TESTS: &[Test] = &[
    ("bytes::a_byte_of_a_function_is_told_by_its_name", code),
    ("bytes::names_are_demangled", demangled),
    ("bytes::tables_are_told_by_entry_and_field", tables),
    ("bytes::a_file_without_section_headers_is_told_by_its_dynamic_section", sectionless),
    ("bytes::every_byte_of_a_file_has_a_meaning", every),
    ("bytes::unrelated_files_have_meanings_too", unrelated),
];

/// The run of `file` with the byte at `offset` turned over, by the other file's name `name`.
#[track_caller]
fn flipped(file: &Path, offset: u64, name: &str) -> Run {
    let mut bytes = std::fs::read(file).unwrap();
    bytes[offset as usize] ^= 0x41;
    let other = written(file.parent().unwrap(), name, &bytes);
    let document = compared(file, &other, None);
    let [run] = &document.runs[..] else { panic!("{:?}", document.runs) };
    assert_eq!((run.offset, run.len), (offset, 1));
    run.clone()
}

fn offset_of(places: &[Place], section: &str) -> u64 {
    places.iter().find(|place| place.name == section).unwrap_or_else(|| panic!("no {section}")).start
}

/// The offset of `address`, which lies in `section` of `file`.
fn offset_in(file: &Path, section: &str, address: u64) -> Result<u64, String> {
    let output = Command::new("readelf").args(["-SW"]).arg(file).output().map_err(|error| error.to_string())?;
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let line = text.lines().find(|line| line.split_whitespace().any(|word| word == section)).unwrap_or_default();
    let words: Vec<&str> = line.split(']').nth(1).unwrap_or_default().split_whitespace().collect();
    let hex = |index: usize| u64::from_str_radix(words[index], 16).unwrap();
    Ok(address - hex(2) + hex(3))
}

fn code() -> Outcome {
    let (_directory, library) = built();
    let told = |file: &Path, symbol: &str, section: &str, at: u64| -> Result<Run, String> {
        let (address, _) = oracle::symbol(&library, symbol)?;
        Ok(flipped(file, offset_in(&library, section, address + at)?, "flipped"))
    };
    for (symbol, section, class, kind) in
        [("known", ".text", Class::Code, "code in"), ("table", ".data", Class::Data, "data of")]
    {
        let (_, size) = oracle::symbol(&library, symbol)?;
        for at in [0, 1, size / 2, size - 1] {
            let run = told(&library, symbol, section, at)?;
            let meaning = run.meaning.unwrap();
            assert!(meaning.starts_with(&format!("{kind} {symbol} +{at:#x}: ")), "{meaning}");
            assert_eq!((run.class, run.region.as_deref()), (class, Some(section)));
        }
    }
    // `_fini` is assembler code, which says no size.
    let meaning = told(&library, "_fini", ".fini", 1)?.meaning.unwrap();
    assert!(meaning.starts_with("code in _fini +0x1: "), "{meaning}");
    // Without .symtab an exported function is still known, one that is not exported is an address.
    let bare = library.with_extension("bare");
    let status = Command::new("strip").arg("-o").args([&bare, &library]).status();
    assert!(status.map_err(|error| format!("strip can't be run: {error}"))?.success());
    let meaning = told(&bare, "known", ".text", 3)?.meaning.unwrap();
    assert!(meaning.starts_with("code in known +0x3: "), "{meaning}");
    let (address, _) = oracle::symbol(&library, "start")?;
    let meaning = told(&bare, "start", ".text", 0)?.meaning.unwrap();
    assert!(meaning.contains(&format!(" at address {address:#x}: ")), "{meaning}");
    Ok(())
}

fn demangled() -> Outcome {
    let (directory, _) = built();
    let source = "int _ZN3foo3barEi(int x) { return x * 3; }\n\
                  int mangled(int x) __asm__(\"_RNvCs1234_7mycrate3baz\");\nint mangled(int x) { return x * 5; }\n";
    let file = written(directory.path(), "names.c", source.as_bytes());
    let library = directory.path().join("libnames.so");
    run(Command::new("cc").args(["-shared", "-fPIC", "-O1", "-o"]).args([&library, &file]));
    for (symbol, name) in [("_ZN3foo3barEi", "foo::bar(int)"), ("_RNvCs1234_7mycrate3baz", "mycrate::baz")] {
        let (address, _) = oracle::symbol(&library, symbol)?;
        let meaning = flipped(&library, offset_in(&library, ".text", address + 1)?, "flipped").meaning.unwrap();
        assert!(meaning.starts_with(&format!("code in {name} +0x1: ")), "{meaning}");
    }
    Ok(())
}

fn tables() -> Outcome {
    let (_directory, library) = built();
    let places = oracle::places(&library)?;
    let number = |symbol: &str| -> Result<u64, String> {
        let text = run(Command::new("readelf").args(["--dyn-syms", "-W"]).arg(&library));
        let line = text.lines().find(|line| line.split('@').next().is_some_and(|line| line.ends_with(symbol)));
        let number = line.and_then(|line| line.trim_start().split(':').next()).and_then(|word| word.parse().ok());
        number.ok_or_else(|| format!("no {symbol} in {text}"))
    };
    let known = number(" known")?;
    for (section, at, class, expected) in [
        (".dynsym", known * 24 + 9, Class::Symbol, format!("symbol {known} known st_value: 0x")),
        (".dynsym", known * 24 + 4, Class::Symbol, format!("symbol {known} known st_info: 0x")),
        (".gnu.version", known * 2, Class::Version, format!("symbol {known} known version: 0x2 (V1) \u{2192} 0x43")),
        (".gnu.version_r", 8, Class::Version, "needed versions 0 vn_aux: 0x10 \u{2192} 0x51".into()),
        (".gnu.version_d", 8, Class::Version, "version definition 0 vd_hash: 0x".into()),
        (".rela.dyn", 1, Class::Relocation, "relocation 0 R_".into()),
        (".hash", 0, Class::Hash, "hash table nbucket: 0x".into()),
        (".hash", 8, Class::Hash, "hash bucket 0: symbol ".into()),
        (".gnu.hash", 16, Class::Hash, "hash filter 0: 0x".into()),
        (".note.gnu.build-id", 17, Class::BuildId, "note GNU NT_GNU_BUILD_ID: 00112233445566778899aabbccddeeff".into()),
        (".init_array", 0, Class::Data, "initializer 0: 0x".into()),
        (".got", 1, Class::Data, "GOT entry 0: 0x".into()),
        (".eh_frame_hdr", 8, Class::Unwind, "unwind header fde_count: 0x".into()),
        (".comment", 1, Class::Other, "\"GCC".into()),
        (".dynamic", 8, Class::Dynamic, "dynamic entry 0: DT_NEEDED libone.so.1 \u{2192} DT_NEEDED ".into()),
        ("ELF header", 48, Class::Header, "ELF header e_flags: 0x0 \u{2192} 0x41".into()),
        ("program headers", 8, Class::ProgramHeader, "program header 0 (PT_LOAD) p_offset: 0x0 \u{2192} 0x41".into()),
        (
            "section headers",
            64 + 48,
            Class::SectionHeader,
            "section header 1 (.note.gnu.build-id) sh_addralign: 0x".into(),
        ),
    ] {
        let found = flipped(&library, offset_of(&places, section) + at, "flipped");
        let meaning = found.meaning.unwrap_or_default();
        let expected = if section == ".comment" && !meaning.contains("GCC") { "\"" } else { &expected };
        assert!(meaning.starts_with(expected), "{section} +{at:#x}: {meaning} is not {expected}");
        assert_eq!((found.class, found.region.as_deref()), (class, Some(section)));
    }
    Ok(())
}

fn sectionless() -> Outcome {
    let (_directory, library) = built();
    let places = oracle::places(&library)?;
    let mut bytes = std::fs::read(&library).unwrap();
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    let bare = written(library.parent().unwrap(), "bare", &bytes);
    let (known, _) = oracle::symbol(&library, "known")?;
    let in_known = offset_in(&library, ".text", known + 2)?;
    for (section, at, region, expected) in [
        (".dynsym", 24 + 8, ".dynsym", "symbol 1 "),
        (".hash", 8, ".hash", "hash bucket 0: symbol "),
        (".rela.dyn", 1, ".rela.dyn", "relocation 0 R_"),
        (".gnu.version", 3, ".gnu.version", "symbol 1 "),
        (".gnu.version_r", 8, ".gnu.version_r", "needed versions 0 vn_aux: 0x10 \u{2192} 0x51"),
        (".gnu.version_d", 8, ".gnu.version_d", "version definition 0 vd_hash: 0x"),
        (".init_array", 0, ".init_array", "initializer 0: 0x"),
        (".dynstr", 1, ".dynstr", "\""),
        (".eh_frame_hdr", 8, ".eh_frame_hdr", "unwind header fde_count: 0x"),
        (".dynamic", 8, ".dynamic", "dynamic entry 0: DT_NEEDED libone.so.1"),
    ] {
        let found = flipped(&bare, offset_of(&places, section) + at, "flipped");
        let meaning = found.meaning.unwrap_or_default();
        assert!(meaning.starts_with(expected), "{section}: {meaning}");
        assert_eq!(found.region.as_deref(), Some(region), "{meaning}");
    }
    let found = flipped(&bare, in_known, "flipped");
    assert!(found.meaning.unwrap_or_default().starts_with("code in known +0x2: "));
    assert_eq!(found.class, Class::Code);
    Ok(())
}

fn every() -> Outcome {
    let (_directory, library) = built();
    let places = oracle::places(&library)?;
    let mut bytes = std::fs::read(&library).unwrap();
    // The headers stay, so that both files are readable.
    let start = offset_of(&places, ".note.gnu.build-id") as usize;
    let end = offset_of(&places, "section headers") as usize;
    for byte in bytes[start..end].iter_mut().step_by(3) {
        *byte ^= 0x55;
    }
    let other = written(library.parent().unwrap(), "other", &bytes);
    let document = compared(&library, &other, None);
    assert_eq!(document.runs.iter().map(|run| run.len).sum::<u64>(), (end - start).div_ceil(3) as u64);
    for run in &document.runs {
        assert!(run.meaning.as_ref().is_some_and(|meaning| !meaning.is_empty()), "{run:?}");
        match oracle::at(&places, run.offset) {
            Some(place) => assert_eq!(run.region.as_ref(), Some(&place.name), "{run:?}"),
            None => assert_eq!(run.class, Class::Padding, "{run:?}"),
        }
    }
    Ok(())
}

fn unrelated() -> Outcome {
    let (directory, library) = built();
    for other in [directory.path().join("libone.so.1"), std::env::current_exe().unwrap()] {
        for (a, b) in [(&library, &other), (&other, &library)] {
            let document = compared(a, b, None);
            let silent = document.runs.iter().find(|run| run.meaning.as_ref().is_none_or(String::is_empty));
            assert_eq!(silent, None);
        }
    }
    Ok(())
}
