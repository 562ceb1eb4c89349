//! The comparison of files: its runs against a naive comparison of every byte, and its words on edits of real files.

#[path = "support/laws.rs"]
mod laws;

use laws::{asked, assert_replays, compared};
use proptest::prelude::*;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::binary;
use wheelwright::engine::compare::compare;
use wheelwright::engine::file::Windows;
use wheelwright::engine::report::diff::{AlignedBy, DiffDocument, RunKind};
use wheelwright::engine::{Context, Error};

/// The runs as a loop over single bytes finds them.
fn naive(a: &[u8], b: &[u8]) -> Vec<(u64, u64, RunKind)> {
    let mut runs: Vec<(u64, u64, RunKind)> = Vec::new();
    for (offset, _) in a.iter().zip(b).enumerate().filter(|(_, (one, other))| one != other) {
        match runs.last_mut() {
            Some((start, len, _)) if *start + *len == offset as u64 => *len += 1,
            _ => runs.push((offset as u64, 1, RunKind::Changed)),
        }
    }
    let common = a.len().min(b.len());
    if a.len() != b.len() {
        let kind = if a.len() < b.len() { RunKind::Inserted } else { RunKind::Removed };
        runs.push((common as u64, (a.len().max(b.len()) - common) as u64, kind));
    }
    runs
}

fn by_offset(a: &[u8], b: &[u8]) -> DiffDocument {
    asked(a, b, Some(AlignedBy::Offset))
}

fn assert_lawful(a: &[u8], b: &[u8]) {
    let document = by_offset(a, b);
    let found: Vec<_> = document.runs.iter().map(|run| (run.offset, run.len, run.kind)).collect();
    assert_eq!((found, document.aligned_by), (naive(a, b), AlignedBy::Offset));
    assert_replays(a, b, &document);
    assert_replays(a, b, &compared(a, b));
}

/// Bytes, and the same with some stretches overwritten and another length.
fn pair() -> impl Strategy<Value = (Vec<u8>, Vec<u8>)> {
    let edits = prop::collection::vec((any::<prop::sample::Index>(), prop::collection::vec(0..3_u8, 1..40)), 0..8);
    (prop::collection::vec(0..3_u8, 1..3000), edits, -300..300_i32).prop_map(|(a, edits, grown)| {
        let mut b = a.clone();
        for (place, bytes) in edits {
            let start = place.index(b.len());
            let end = (start + bytes.len()).min(b.len());
            b[start..end].copy_from_slice(&bytes[..end - start]);
        }
        let length = (b.len() as i32 + grown).max(0) as usize;
        b.resize(length, 7);
        (a, b)
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn runs_are_those_of_a_naive_comparison((a, b) in pair()) {
        assert_lawful(&a, &b);
    }
}

proptest! {
    // Each case is some megabytes.
    #![proptest_config(ProptestConfig::with_cases(12))]

    /// Differences around the edges of the windows, where a run must go on.
    #[test]
    fn runs_cross_the_edges_of_windows(
        edits in prop::collection::vec((1_usize..3, 0_usize..20, 1_usize..600), 1..5)
    ) {
        let a = vec![1; (3 << 20) + 11];
        let mut b = a.clone();
        for (window, before, len) in edits {
            let start = (window << 20) - before;
            b[start..start + len].fill(2);
        }
        assert_lawful(&a, &b);
    }
}

#[test]
fn empty_files_and_names_of_one_inode_are_equal() {
    assert_lawful(b"", b"");
    assert_lawful(b"", b"x");
    let directory = tempfile::tempdir().unwrap();
    let (a, b) = (directory.path().join("a"), directory.path().join("b"));
    std::fs::write(&a, "bytes").unwrap();
    std::fs::hard_link(&a, &b).unwrap();
    let document = compare(&a, &b, &Context::new()).unwrap();
    assert_eq!((document.equal, document.bytes_compared, document.bytes_skipped), (true, 0, 5));
    assert!(matches!(compare(&a, directory.path(), &Context::new()), Err(Error::Refused { .. })));
}

/// A library in `directory`, linked with `arguments`.
fn library(directory: &Path, name: &str, arguments: &[&str]) -> PathBuf {
    let source = directory.join("a.c");
    std::fs::write(&source, "int puts(const char *); int a(void) { return puts(\"a\"); }").unwrap();
    let output = directory.join(name);
    let status = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&output, &source]).args(arguments).status();
    assert!(status.unwrap().success());
    output
}

fn change<'a>(document: &'a DiffDocument, what: &str) -> Option<(&'a str, &'a str)> {
    let found = document.structure.iter().find(|change| change.what == what)?;
    Some((found.before.as_deref().unwrap_or("-"), found.after.as_deref().unwrap_or("-")))
}

fn lab(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lab/built").join(name)
}

/// A copy of `path` in `directory` in which each `(offset, bytes)` is written.
fn edited(directory: &Path, path: &Path, edits: &[(usize, &[u8])]) -> PathBuf {
    let mut bytes = std::fs::read(path).unwrap();
    for (offset, new) in edits {
        if bytes.len() < offset + new.len() {
            bytes.resize(offset + new.len(), 0);
        }
        bytes[*offset..offset + new.len()].copy_from_slice(new);
    }
    let output = directory.join("edited");
    std::fs::write(&output, bytes).unwrap();
    output
}

fn position(path: &Path, text: &[u8]) -> usize {
    std::fs::read(path).unwrap().windows(text.len()).position(|window| window == text).unwrap()
}

#[test]
fn a_renamed_run_path_is_told_as_such() {
    let directory = tempfile::tempdir().unwrap();
    let a =
        library(directory.path(), "a.so", &["-Wl,--enable-new-dtags,-rpath,/build/machine", "-Wl,-soname,liba.so.1"]);
    let place = position(&a, b"/build/machine");
    let b = edited(directory.path(), &a, &[(place, b"$ORIGIN/../l.l")]);
    let document = compare(&a, &b, &Context::new()).unwrap();
    assert_eq!(change(&document, "RUNPATH"), Some(("/build/machine", "$ORIGIN/../l.l")));
    assert_eq!(document.structure.len(), 1);
    assert!(document.runs.iter().all(|run| run.region.as_deref() == Some(".dynstr")));
    let meaning = document.runs[0].meaning.as_deref().unwrap();
    assert_eq!(meaning, "RUNPATH: \"/build/machine\" \u{2192} \"$ORIGIN/../l.l\"");
}

#[test]
fn headers_and_dynamic_entries_are_told_by_field() {
    let directory = tempfile::tempdir().unwrap();
    let a = library(directory.path(), "a.so", &["-Wl,--enable-new-dtags,-rpath,/x", "-Wl,-soname,liba.so.1"]);
    let source = Windows::open(&a).unwrap();
    let tables = binary::read(&source).unwrap().slices.remove(0).elf.unwrap().tables;
    let number = tables.dynamic.iter().position(|entry| entry.d_tag == 29).unwrap();
    let width = if tables.is_64 { 8 } else { 4 };
    let entry = tables.dynamic_range.unwrap().0 as usize + number * 2 * width;
    let mut tag = vec![0; width];
    tag[if tables.is_big { width - 1 } else { 0 }] = 15;
    let b = edited(directory.path(), &a, &[(entry, &tag), (tables.header.e_shoff as usize + 3, &[9])]);
    let document = compare(&a, &b, &Context::new()).unwrap();
    let run = document.runs.iter().find(|run| run.region.as_deref() == Some(".dynamic")).unwrap();
    let meaning = format!("dynamic entry {number}: DT_RUNPATH /x \u{2192} DT_RPATH /x");
    assert_eq!(run.meaning.as_deref(), Some(meaning.as_str()));
    let run = document.runs.iter().find(|run| run.region.as_deref() == Some("section headers")).unwrap();
    assert!(run.meaning.as_deref().unwrap().starts_with("section header 0 () sh_name: 0x0 \u{2192} 0x"));
    assert_eq!((change(&document, "RUNPATH"), change(&document, "RPATH")), (Some(("/x", "-")), Some(("-", "/x"))));
}

#[test]
fn another_link_shows_in_the_structure() {
    let directory = tempfile::tempdir().unwrap();
    let a = library(directory.path(), "a.so", &["-Wl,-soname,liba.so.1", "-Wl,-z,relro,-z,now"]);
    let b = library(
        directory.path(),
        "b.so",
        &["-Wl,-soname,libb.so.1", "-Wl,-z,norelro,-z,lazy", "-Wl,--no-as-needed", "-lm"],
    );
    let document = compare(&a, &b, &Context::new()).unwrap();
    assert_eq!(change(&document, "SONAME"), Some(("liba.so.1", "libb.so.1")));
    assert_eq!(change(&document, "RELRO"), Some(("full", "none")));
    assert_eq!(change(&document, "NEEDED 1"), Some(("libc.so.6", "libm.so.6")));
    assert_eq!(change(&document, "NEEDED 2"), Some(("-", "libc.so.6")));
    assert_replays(&std::fs::read(&a).unwrap(), &std::fs::read(&b).unwrap(), &document);
}

#[test]
fn appended_bytes_are_one_run_behind_the_last_section() {
    let directory = tempfile::tempdir().unwrap();
    let a = lab("liblabext.so");
    let size = std::fs::metadata(&a).unwrap().len();
    let b = edited(directory.path(), &a, &[(size as usize, b"appended")]);
    let document = compare(&a, &b, &Context::new()).unwrap();
    let run = &document.runs[0];
    assert_eq!((document.runs.len(), run.offset, run.len, run.kind), (1, size, 8, RunKind::Inserted));
    assert_eq!(run.region.as_deref(), Some("behind the last section"));
    let back = compare(&b, &a, &Context::new()).unwrap();
    assert_eq!((back.runs[0].offset, back.runs[0].kind), (size, RunKind::Removed));
}

#[test]
fn load_commands_and_imports_are_told_by_name() {
    let directory = tempfile::tempdir().unwrap();
    let mac = lab("liblabmac.dylib");
    let slice = binary::read(&Windows::open(&mac).unwrap()).unwrap().slices.remove(0);
    let name = slice.needed[0].name.to_text().into_owned();
    let place = position(&mac, name.as_bytes());
    let document = compare(&mac, &edited(directory.path(), &mac, &[(place, b"#")]), &Context::new()).unwrap();
    assert!(document.runs[0].region.as_deref().unwrap().starts_with("load command "));
    let meaning = document.runs[0].meaning.as_deref().unwrap();
    assert!(meaning.ends_with(&format!("(LC_LOAD_DYLIB) name: {name} \u{2192} #{}", &name[1..])), "{meaning}");
    assert_eq!(change(&document, "NEEDED 1").unwrap().0, name);

    let win = lab("labwin.dll");
    let slice = binary::read(&Windows::open(&win).unwrap()).unwrap().slices.remove(0);
    let name = slice.needed[0].name.to_text().into_owned();
    let place = position(&win, name.as_bytes());
    let document = compare(&win, &edited(directory.path(), &win, &[(place, b"#")]), &Context::new()).unwrap();
    assert_eq!(document.runs[0].region.as_deref(), Some("import names"));
    let meaning = document.runs[0].meaning.as_deref().unwrap();
    assert_eq!(meaning, format!("name of import 0: {name} \u{2192} #{}", &name[1..]));
    assert_eq!(change(&document, "NEEDED 1").unwrap().0, name);
}

#[test]
fn damaged_binaries_are_compared_all_the_same() {
    let directory = tempfile::tempdir().unwrap();
    let cut = directory.path().join("cut");
    for name in ["liblabext.so", "liblabmac.dylib", "labwin.dll"] {
        let whole = std::fs::read(lab(name)).unwrap();
        for end in (0..whole.len().min(3000)).step_by(61).chain((3000..whole.len()).step_by(1999)) {
            std::fs::write(&cut, &whole[..end]).unwrap();
            for (a, b) in [(lab(name), cut.clone()), (cut.clone(), lab(name))] {
                let document = compare(&a, &b, &Context::new()).unwrap();
                assert!(!document.equal);
                // What one of them lacks at its end, told by the sections that it reaches over.
                let mut at = end as u64;
                for run in &document.runs {
                    assert_eq!((run.offset, run.kind == RunKind::Changed), (at, false));
                    at += run.len;
                }
                assert_eq!(at, whole.len() as u64);
            }
        }
    }
}
