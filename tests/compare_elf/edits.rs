//! Edits of patchelf and of our own editor, which move sections: every differing byte has a meaning, and the right region.

use crate::library::{built, compared, run};
use crate::oracle::{self, Place};
use crate::{Outcome, Test};
use std::path::Path;
use std::process::Command;
use wheelwright::engine::report::diff::{AlignedBy, DiffDocument, RunKind};

pub const TESTS: &[Test] = &[
    ("edits::patchelf_sets_a_long_run_path", long_run_path),
    ("edits::patchelf_replaces_a_needed_library", replaced),
    ("edits::patchelf_sets_the_soname", soname),
    ("edits::patchelf_adds_a_needed_library", added),
    ("edits::patchelf_edits_a_rust_library", rust_library),
    ("edits::our_editor_sets_a_run_path", ours),
    ("edits::a_stripped_file", stripped),
];

const LONG: &str = "/a/very/long/run/path/that/does/not/fit/where/the/old/one/stands:/b";

/// Holds the comparison of `a` and `b`, and of `b` and `a`, against `readelf` and a loop over the bytes; that of `a` and `b`.
fn judged(a: &Path, b: &Path) -> Result<DiffDocument, String> {
    let (old, new) = (oracle::places(a)?, oracle::places(b)?);
    for by in [Some(AlignedBy::Offset), None] {
        judge(&compared(b, a, by), (b, &new), (a, &old));
        judge(&compared(a, b, by), (a, &old), (b, &new));
    }
    Ok(compared(a, b, None))
}

fn judge(document: &DiffDocument, (a, old): (&Path, &[Place]), (b, new): (&Path, &[Place])) {
    let (a, b) = (std::fs::read(a).unwrap(), std::fs::read(b).unwrap());
    let mut counted = [0; 3];
    for run in &document.runs {
        let meaning = run.meaning.as_deref().unwrap_or_default();
        let said = format!("{run:?}");
        assert!(!meaning.is_empty() && meaning.chars().count() < 900, "{said}");
        let places = if run.kind == RunKind::Inserted { new } else { old };
        let region = run.region.as_deref().unwrap_or_default();
        for offset in [run.offset, run.offset + run.len - 1] {
            match oracle::at(places, offset) {
                Some(place) => assert_eq!(region, place.name, "{said}"),
                None => assert!(!places.iter().any(|place| place.name == region), "{said}"),
            }
        }
        counted[run.kind as usize] += run.len;
        if run.kind == RunKind::Changed {
            for byte in 0..run.len {
                assert_ne!(a[(run.offset + byte) as usize], b[(run.other_offset + byte) as usize], "{said}");
            }
        }
    }
    let bytes = document.bytes;
    assert_eq!(counted, [bytes.changed, bytes.inserted, bytes.removed], "the runs are all that differs");
    assert_eq!(b.len() as i64 - a.len() as i64, bytes.inserted.cast_signed() - bytes.removed.cast_signed());
    if document.aligned_by == AlignedBy::Offset {
        let differing = a.iter().zip(&b).filter(|(one, other)| one != other).count();
        assert_eq!(counted[0], differing as u64);
    }
}

/// The meanings of all runs, one a line.
fn meanings(document: &DiffDocument) -> String {
    document.runs.iter().filter_map(|run| run.meaning.clone()).collect::<Vec<_>>().join("\n")
}

#[track_caller]
fn says(document: &DiffDocument, parts: &[&str]) {
    let said = meanings(document);
    for part in parts {
        assert!(said.contains(part), "{part:?} is not in\n{said}");
    }
}

/// What patchelf makes of the library by `arguments`, judged; `Err` when there is no patchelf or `readelf`.
fn by_patchelf(library: &Path, arguments: &[&str]) -> Result<DiffDocument, String> {
    let edited = library.with_extension("edited");
    let output = Command::new("patchelf").args(arguments).arg("--output").args([&edited, library]).output();
    let output = output.map_err(|error| format!("patchelf can't be run: {error}"))?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    judged(library, &edited)
}

fn long_run_path() -> Outcome {
    let (_directory, library) = built();
    let document = by_patchelf(&library, &["--set-rpath", LONG])?;
    says(
        &document,
        &[
            &format!("DT_RUNPATH /x \u{2192} DT_RUNPATH {LONG}"),
            "vacated: .dynstr moved to 0x",
            "filled with 0x",
            &format!("new RUNPATH: \"{LONG}\""),
            "ELF header e_phnum: 0x",
            "(PT_LOAD) p_",
            "DT_STRSZ 0x",
        ],
    );
    Ok(())
}

fn replaced() -> Outcome {
    let (_directory, library) = built();
    let document = by_patchelf(&library, &["--replace-needed", "libone.so.1", "libone-0123456789abcdef.so.1"])?;
    says(
        &document,
        &["DT_NEEDED libone.so.1 \u{2192} DT_NEEDED libone-0123456789abcdef.so.1", "\"libone-0123456789abcdef.so.1\""],
    );
    Ok(())
}

fn soname() -> Outcome {
    let (_directory, library) = built();
    let document = by_patchelf(&library, &["--set-soname", "libanother-longer-name.so.9"])?;
    let entry = "DT_SONAME libwhole.so.1 \u{2192} DT_SONAME libanother-longer-name.so.9";
    says(&document, &[entry, "SONAME: \"libanother-longer-name.so.9\""]);
    // A name that fits is written where the old one stands.
    let document = by_patchelf(&library, &["--set-soname", "libshort.so.1"])?;
    says(&document, &["SONAME"]);
    Ok(())
}

fn added() -> Outcome {
    let (_directory, library) = built();
    let document = by_patchelf(&library, &["--add-needed", "libextra.so.1"])?;
    says(&document, &["DT_NEEDED libextra.so.1", "\"libextra.so.1\""]);
    Ok(())
}

fn rust_library() -> Outcome {
    let directory = tempfile::tempdir().unwrap();
    let library = directory.path().join("liblabext.so");
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lab/built/liblabext.so");
    std::fs::copy(built, &library).unwrap();
    let document = by_patchelf(&library, &["--set-rpath", LONG])?;
    says(&document, &[LONG]);
    Ok(())
}

fn ours() -> Outcome {
    let (_directory, library) = built();
    let edited = library.with_extension("edited");
    std::fs::copy(&library, &edited).unwrap();
    run(Command::new(env!("CARGO_BIN_EXE_wheelwright")).args(["elf", "--set-rpath", LONG]).arg(&edited));
    let document = judged(&library, &edited)?;
    says(&document, &[&format!("RUNPATH: \"/x\" \u{2192} \"{LONG}\""), "DT_STRTAB 0x", ".dynstr, moved here from 0x"]);
    Ok(())
}

fn stripped() -> Outcome {
    let (_directory, library) = built();
    let bare = library.with_extension("bare");
    let status = Command::new("strip").arg("-o").args([&bare, &library]).status();
    assert!(status.map_err(|error| format!("strip can't be run: {error}"))?.success());
    let document = judged(&library, &bare)?;
    says(&document, &[".symtab, which is gone; gone symbol 0", "e_shnum: 0x"]);
    Ok(())
}
