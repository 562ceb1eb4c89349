//! Files whose headers and tables lie: cut off, overlapping, endless, with counts that no file could hold.

use crate::child::{all_commands, one_command};
use crate::elf::Elf;
use std::path::Path;
use std::process::Command;

/// Offsets and what is written there.
type Edits = Vec<(usize, Vec<u8>)>;

/// A library of the compiler's, with versions, symbols and sections.
pub fn compiled(directory: &Path) -> Vec<u8> {
    let source =
        "#include <stdio.h>\nint one(void) { return puts(\"1\"); }\nint two(void) { return one() + printf(\"2\"); }\n";
    std::fs::write(directory.join("lib.c"), source).unwrap();
    std::fs::write(directory.join("lib.map"), "A_1 { global: one; local: *; };\nA_2 { global: two; } A_1;\n").unwrap();
    let arguments =
        ["-shared", "-fPIC", "-Wl,--hash-style=both", "-Wl,--version-script=lib.map", "-o", "lib.so", "lib.c"];
    let done = Command::new("cc").current_dir(directory).args(arguments).output().unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    std::fs::read(directory.join("lib.so")).unwrap()
}

fn word(bytes: &[u8], at: usize) -> u64 {
    u64::from_le_bytes(bytes[at..at + 8].try_into().unwrap())
}

fn half(bytes: &[u8], at: usize) -> usize {
    usize::from(u16::from_le_bytes([bytes[at], bytes[at + 1]]))
}

/// Where the value of dynamic entry `tag` stands.
fn dynamic_value(bytes: &[u8], tag: u64) -> Option<usize> {
    let headers = (0..half(bytes, 56)).map(|index| word(bytes, 32) as usize + index * 56);
    let dynamic = headers.into_iter().find(|at| bytes[*at..*at + 4] == [2, 0, 0, 0])?;
    let start = word(bytes, dynamic + 8) as usize;
    (start..start + word(bytes, dynamic + 32) as usize).step_by(16).find(|at| word(bytes, *at) == tag).map(|at| at + 8)
}

#[test]
fn a_file_cut_off_at_every_boundary_is_a_row() {
    let directory = tempfile::tempdir().unwrap();
    let whole = compiled(directory.path());
    let mut ends = vec![0, 1, 4, 15, 16, 52, 63, 64];
    ends.extend((0..half(&whole, 56)).flat_map(|index| {
        let at = word(&whole, 32) as usize + index * 56;
        let (offset, length) = (word(&whole, at + 8) as usize, word(&whole, at + 32) as usize);
        [at, at + 55, offset, offset + length / 2, offset + length]
    }));
    ends.extend((0..half(&whole, 60)).map(|index| word(&whole, 40) as usize + index * 64 + 1));
    ends.retain(|end| *end < whole.len());
    ends.sort_unstable();
    ends.dedup();
    let folder = directory.path().join("cut");
    std::fs::create_dir(&folder).unwrap();
    for end in &ends {
        std::fs::write(folder.join(format!("cut-at-{end:06}.so")), &whole[..*end]).unwrap();
    }
    let (_, code, document) = one_command(&["audit", "--json"], &folder, None);
    let document = document.unwrap();
    let rows = document["artifacts"].as_array().unwrap();
    // An empty file may be a library that was spoilt; one that begins otherwise is passed by.
    assert_eq!(rows.len(), ends.iter().filter(|end| **end >= 4 || **end == 0).count());
    assert_eq!(code, 2);
    let wrong = rows.iter().filter(|row| row["error"].is_object()).count();
    assert!(wrong * 2 > rows.len(), "{wrong} of {} are errors", rows.len());
    all_commands(&folder.join("cut-at-000063.so"), None);
}

#[test]
fn counts_that_no_file_could_hold_take_no_memory() {
    let directory = tempfile::tempdir().unwrap();
    let whole = compiled(directory.path());
    let dynamic = |tag| dynamic_value(&whole, tag).unwrap();
    let target = |tag| word(&whole, dynamic(tag)) as usize;
    let mut smashed: Vec<(&str, Edits)> = vec![
        ("phnum", vec![(56, vec![0xff, 0xff])]),
        ("shnum", vec![(60, vec![0xff, 0xff])]),
        ("shnum-elsewhere", vec![(60, vec![0, 0])]),
        ("shstrndx", vec![(62, vec![0xff, 0xff])]),
        ("phoff", vec![(32, vec![0xff; 8])]),
        ("shoff", vec![(40, vec![0xff; 8])]),
        ("strsz", vec![(dynamic(10), vec![0xff, 0xff, 0xff, 0xff, 0xff, 0, 0, 0])]),
        ("strtab", vec![(dynamic(5), vec![0xff; 8])]),
        ("symtab", vec![(dynamic(6), vec![0xff; 8])]),
        ("gnu-hash-buckets", vec![(target(0x6fff_fef5), vec![0xff; 4])]),
        ("gnu-hash-bloom", vec![(target(0x6fff_fef5) + 8, vec![0xff; 4])]),
        ("hash-counts", vec![(target(4), vec![0xff; 8])]),
        ("verneed-count", vec![(dynamic(0x6fff_ffff), vec![0xff; 8])]),
        ("verdef-count", vec![(dynamic(0x6fff_fffd), vec![0xff; 8])]),
    ];
    // A chain whose record is its own next, and one whose names are endless.
    let (need, definitions) = (target(0x6fff_fffe), target(0x6fff_fffc));
    smashed.push(("verneed-loop", vec![(need + 12, vec![0; 4]), (dynamic(0x6fff_ffff), vec![0xff; 4])]));
    smashed.push(("vernaux-loop", vec![(need + 2, vec![0xff; 2]), (need + 16 + 12, vec![0; 4])]));
    smashed.push(("verdef-loop", vec![(definitions + 16, vec![0; 4]), (dynamic(0x6fff_fffd), vec![0xff; 4])]));
    for index in 0..half(&whole, 56) {
        let at = word(&whole, 32) as usize + index * 56;
        smashed.push(("segment-size", vec![(at + 32, vec![0xff; 8]), (at + 40, vec![0xff; 8])]));
        smashed.push(("segment-overlap", vec![(at + 8, vec![0; 8]), (at + 16, vec![0; 8])]));
    }
    let folder = directory.path().join("smashed");
    std::fs::create_dir(&folder).unwrap();
    for (number, (name, edits)) in smashed.iter().enumerate() {
        let mut bytes = whole.clone();
        for (at, new) in edits {
            bytes[*at..*at + new.len()].copy_from_slice(new);
        }
        std::fs::write(folder.join(format!("{number:02}-{name}.so")), bytes).unwrap();
    }
    for arguments in [&["audit", "--json"][..], &["audit", "--loader-only", "--symbols", "--json"], &["plan", "--json"]]
    {
        let (words, _, document) = one_command(arguments, &folder, None);
        let document = document.unwrap();
        if arguments[0] == "audit" {
            assert_eq!(document["artifacts"].as_array().unwrap().len(), smashed.len(), "{words}");
        }
    }
    for entry in std::fs::read_dir(&folder).unwrap() {
        one_command(&["tree"], &entry.unwrap().path(), None);
    }
}

#[test]
fn a_sparse_file_of_a_tebibyte_costs_what_its_headers_cost() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("libsparse.so");
    std::fs::write(&path, Elf::needing(["libc.so.6"]).bytes()).unwrap();
    let file = std::fs::File::options().write(true).open(&path).unwrap();
    // Not every filesystem can hold one.
    if file.set_len(1 << 40).is_err() {
        file.set_len(1 << 38).unwrap();
    }
    for (words, code, document) in all_commands(&path, None) {
        assert!(code < 2, "{words}: {code}");
        if let Some(artifacts) = document.as_ref().and_then(|document| document.get("artifacts")) {
            assert_eq!(artifacts[0]["error"], serde_json::Value::Null, "{words}");
        }
    }
}

#[test]
fn a_file_of_strings_that_end_nowhere_is_read() {
    let directory = tempfile::tempdir().unwrap();
    let names = [&b""[..], b"\xff\xfe.so", b"lib\x1b[31m.so", b"$ORIGIN", b"${", b"/", b".", b"..", &[b'x'; 100_000]];
    let elf = Elf {
        soname: Some(b"\xc3\x28.so".to_vec()),
        rpath: Some(b":::$ORIGIN/../\xff::".to_vec()),
        runpath: Some(Vec::new()),
        interpreter: Some(Vec::new()),
        ..Elf::needing(names)
    };
    let path = directory.path().join("libodd.so");
    std::fs::write(&path, elf.bytes()).unwrap();
    for (words, _, document) in all_commands(&path, None) {
        let Some(slices) = document.as_ref().and_then(|document| document.pointer("/artifacts/0/slices/0")) else {
            continue;
        };
        assert_eq!(slices["needed"].as_array().unwrap().len(), names.len(), "{words}");
        assert_eq!(slices["soname_bytes"], "c3282e736f", "{words}");
    }
}
