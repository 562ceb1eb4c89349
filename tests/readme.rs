//! The README says what the program says: its keys and its findings.
#![allow(missing_docs)]

use std::path::Path;
use wheelwright::app::keymap;
use wheelwright::engine::audit::pages;

fn readme() -> String {
    std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("README.md")).unwrap()
}

#[test]
fn the_table_of_keys_is_the_programs() {
    let table = keymap::markdown_table();
    assert!(readme().contains(table.trim()), "the README's keys should be:\n{table}");
}

#[test]
fn every_finding_has_a_row() {
    let readme = readme();
    for code in pages::codes() {
        assert!(readme.contains(&format!("| {code} |")), "{code}");
    }
}
