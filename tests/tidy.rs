//! The rules of the house that a program can check: who may name what, how long a file is, how it opens.
#![allow(missing_docs)]

use std::path::{Path, PathBuf};

fn sources(below: &str) -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (mut found, mut open) = (Vec::new(), vec![root.join(below)]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.push((path.strip_prefix(root).unwrap().to_path_buf(), text));
            }
        }
    }
    found.sort();
    found
}

/// The part of a file before its tests.
fn code(text: &str) -> &str {
    let tests = ["#[cfg(test)]", "#[cfg(all(test"].iter().filter_map(|mark| text.find(mark)).min();
    text.get(..tests.unwrap_or(text.len())).unwrap_or(text)
}

/// Whether a file is compiled for tests alone.
fn is_for_tests(path: &Path) -> bool {
    path.ends_with("app/fixture.rs") || path.ends_with("tests.rs") || path.iter().any(|part| part == "tests")
}

fn offenders(below: &str, words: &[&str]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in sources(below).into_iter().filter(|(path, _)| !is_for_tests(path)) {
        for (number, line) in code(&text).lines().enumerate() {
            let said = line.trim_start();
            // A line of a string literal is text, not code.
            if !said.starts_with("//") && !said.starts_with('"') && words.iter().any(|word| said.contains(word)) {
                found.push(format!("{}:{}: {said}", path.display(), number + 1));
            }
        }
    }
    found
}

#[test]
fn every_file_says_what_it_is() {
    let silent: Vec<_> =
        sources("src").into_iter().filter(|(_, text)| !text.starts_with("//!")).map(|file| file.0).collect();
    assert!(silent.is_empty(), "{silent:?}");
}

#[test]
fn no_file_is_longer_than_one_subject() {
    let long: Vec<_> = sources("src")
        .into_iter()
        .filter(|(path, _)| !is_for_tests(path))
        .map(|(path, text)| (path, code(&text).lines().count()))
        .filter(|(_, lines)| *lines > 400)
        .collect();
    assert!(long.is_empty(), "{long:?}");
}

#[test]
fn the_engine_knows_no_screen_no_command_line_and_no_clock() {
    let words = ["ratatui", "crossterm", "clap", "SystemTime::now", "Instant::now", "std::env::var", "println!"];
    let found = offenders("src/engine", &words);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_engine_does_not_panic_by_plan() {
    let found = offenders("src/engine", &[".unwrap()", ".expect(\"", "panic!(", "unreachable!(", "todo!("]);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn views_change_nothing_and_ask_nobody() {
    let words = ["&mut State", "std::fs", "std::env", "Instant::now", "KeyCode"];
    let found = offenders("src/views", &words);
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn only_three_places_are_unsafe() {
    let allowed = ["src/engine/file/map.rs", "src/engine/file/extents.rs", "src/engine/dlopen/proof/native.rs"];
    let found: Vec<_> = offenders("src", &["unsafe {"])
        .into_iter()
        .filter(|line| !allowed.iter().any(|place| line.starts_with(place)))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
}
