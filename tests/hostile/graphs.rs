//! Dependencies without end: cycles, ten thousand names, ten thousand directories, a chain of two thousand.

use crate::child::{all_commands, one_command};
use crate::elf::Elf;
use serde_json::Value;
use std::path::Path;

fn lay(directory: &Path, name: &str, elf: &Elf) {
    std::fs::write(directory.join(name), elf.bytes()).unwrap();
}

fn beside(names: &[&str]) -> Elf {
    Elf { rpath: Some(b"$ORIGIN".to_vec()), ..Elf::needing(names) }
}

/// The tree of `path`; its exit status and its names found or not.
fn tree(path: &Path) -> (i32, Vec<Value>) {
    let (_, code, document) = one_command(&["tree", "--json"], path, None);
    (code, document.unwrap()["tree"]["nodes"].as_array().unwrap().clone())
}

#[test]
fn cycles_end() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    lay(folder, "libself.so", &beside(&["libself.so"]));
    lay(folder, "libpair1.so", &beside(&["libpair2.so"]));
    lay(folder, "libpair2.so", &beside(&["libpair1.so"]));
    for number in 0..60 {
        let next = format!("libring{}.so", (number + 1) % 60);
        lay(folder, &format!("libring{number}.so"), &beside(&[&next]));
    }
    for (name, libraries) in [("libself.so", 1), ("libpair1.so", 2), ("libring0.so", 60)] {
        let (code, nodes) = tree(&folder.join(name));
        assert_eq!((code, nodes.len()), (0, libraries), "{name}");
        all_commands(&folder.join(name), None);
    }
    one_command(&["tree", "--all"], &folder.join("libring0.so"), None);
}

#[test]
fn ten_thousand_names_are_sought() {
    let directory = tempfile::tempdir().unwrap();
    let names: Vec<String> = (0..10_000).map(|number| format!("libnowhere{number}.so")).collect();
    lay(directory.path(), "libmany.so", &Elf::needing(&names));
    let path = directory.path().join("libmany.so");
    let (code, nodes) = tree(&path);
    assert_eq!((code, nodes.len()), (1, 10_001));
    all_commands(&path, None);
}

#[test]
fn ten_thousand_directories_are_searched() {
    let directory = tempfile::tempdir().unwrap();
    // Longer lists than 64 KiB are not read at all.
    let entries: Vec<String> = (0..10_000).map(|number| format!("/{number:x}")).collect();
    let elf = Elf { runpath: Some(entries.join(":").into_bytes()), ..Elf::needing(["libnowhere.so", "libnever.so"]) };
    lay(directory.path(), "libwide.so", &elf);
    for (words, code, _) in all_commands(&directory.path().join("libwide.so"), None) {
        assert!(code < 2, "{words}");
    }
}

#[test]
fn a_chain_of_two_thousand_is_followed() {
    let directory = tempfile::tempdir().unwrap();
    let folder = directory.path();
    for number in 0..2_000 {
        let next = format!("liblink{}.so", number + 1);
        lay(folder, &format!("liblink{number}.so"), &beside(&[&next]));
    }
    lay(folder, "liblink2000.so", &Elf::default());
    let (code, nodes) = tree(&folder.join("liblink0.so"));
    assert_eq!((code, nodes.len()), (0, 2_001));
    all_commands(&folder.join("liblink0.so"), None);
}
