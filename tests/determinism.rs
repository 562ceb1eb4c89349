//! Two runs give the same bytes: of text and of JSON, whatever the order of files, variables, and whoever asks.
#![allow(missing_docs)]

use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::project::lab;

const COMMANDS: [&[&str]; 5] = [&["audit"], &["audit", "--json"], &["plan", "--json"], &["tree"], &["tree", "--json"]];

/// Two processes that differ in everything that must not matter.
fn both(arguments: &[&str], path: &Path) -> [Vec<u8>; 2] {
    let homes = [tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap()];
    let environments: [&[(&str, &str)]; 2] = [
        &[("LANG", "C"), ("TZ", "UTC"), ("B", "1"), ("A", "2")],
        &[("A", "2"), ("B", "1"), ("TZ", "Asia/Tokyo"), ("LC_ALL", "tr_TR.UTF-8"), ("LANG", "de_DE.UTF-8")],
    ];
    [0, 1].map(|turn| {
        let mut command = Command::new("sh");
        let umask = ["umask 022", "umask 077"][turn];
        command.args(["-c", &format!("{umask}; exec \"$@\""), "sh", env!("CARGO_BIN_EXE_wheelwright")]);
        command.args(arguments).arg(path).current_dir("/").env_clear();
        // A home that names the scratch directory stands in a plan; the cache of both is the same place.
        command.env("PATH", std::env::var_os("PATH").unwrap()).env("HOME", homes[turn].path());
        command.env("XDG_CACHE_HOME", "/nowhere/cache").envs(environments[turn].iter().copied());
        for variable in ["CARGO_HOME", "RUSTUP_HOME", "RUSTUP_TOOLCHAIN"] {
            command.envs(std::env::var_os(variable).map(|value| (variable, value)));
        }
        let output = command.output().unwrap();
        let code = output.status.code();
        assert!(code.is_some_and(|code| code < 3), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        assert!(!output.stdout.is_empty(), "{arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        output.stdout
    })
}

fn same(path: &Path, commands: &[&[&str]]) {
    for arguments in commands {
        let [first, second] = both(arguments, path);
        let [first, second] = [String::from_utf8_lossy(&first), String::from_utf8_lossy(&second)];
        let differing = first.lines().zip(second.lines()).find(|(one, other)| one != other);
        assert!(first == second, "{arguments:?} {}: {differing:?}", path.display());
    }
}

#[test]
fn the_lab_reads_the_same_twice() {
    let directory = tempfile::tempdir().unwrap();
    lab::lay_out(directory.path()).unwrap();
    same(&directory.path().join("target/release"), &COMMANDS[..3]);
    same(&directory.path().join("target/release/liblabext.so"), &COMMANDS);
}

#[test]
fn the_order_in_which_files_were_made_does_not_matter() {
    let directory = tempfile::tempdir().unwrap();
    lab::lay_out(directory.path()).unwrap();
    let built: Vec<PathBuf> = native_files(&directory.path().join("target/release"));
    assert!(built.len() > 1, "{built:?}");
    let shown = [false, true].map(|reversed| {
        let folder = directory.path().join("folder");
        let _ = std::fs::remove_dir_all(&folder);
        std::fs::create_dir(&folder).unwrap();
        let mut order: Vec<&PathBuf> = built.iter().collect();
        if reversed {
            order.reverse();
        }
        for file in order {
            std::fs::copy(file, folder.join(file.file_name().unwrap())).unwrap();
        }
        let [text, _] = both(&["audit"], &folder);
        let [document, _] = both(&["audit", "--json"], &folder);
        [without_inodes(&text), without_inodes(&document)]
    });
    for (first, second) in shown[0].iter().zip(&shown[1]) {
        let differing = first.lines().zip(second.lines()).find(|(one, other)| one != other);
        assert!(first == second, "{differing:?}");
    }
}

/// The document without the numbers that the filesystem gives a file when it is made.
fn without_inodes(document: &[u8]) -> String {
    let text = String::from_utf8_lossy(document);
    text.lines().filter(|line| !line.contains("inode")).collect::<Vec<_>>().join("\n")
}

#[test]
fn installed_files_read_the_same_twice() {
    let sample = tempfile::tempdir().unwrap();
    let directories = ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/bin"];
    let mut files: Vec<PathBuf> = directories.iter().flat_map(|path| native_files(Path::new(path))).collect();
    files.truncate(100);
    assert!(!files.is_empty());
    for file in &files {
        std::fs::copy(file, sample.path().join(file.file_name().unwrap())).unwrap();
    }
    same(sample.path(), &[&["audit", "--loader-only"], &["audit", "--loader-only", "--json"]]);
    for file in files.iter().step_by(10) {
        same(file, &COMMANDS[3..]);
    }
}

fn native_files(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let is_native = |path: &PathBuf| {
        path.is_file() && !path.is_symlink() && std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF"))
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.path()).filter(is_native).collect();
    files.sort();
    files
}
