//! Databases that no package manager wrote.

use super::owned;
use libtest_mimic::Failed;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use std::process::Command;
use std::time::{Duration, Instant};
use wheelwright::engine::owners::Owners;

/// The files that are read, and what may stand in them: bytes, or pieces of what should.
const DATABASES: [&str; 9] = [
    "var/lib/dpkg/status",
    "var/lib/dpkg/diversions",
    "var/lib/dpkg/info/a:b:c.list",
    "var/lib/dpkg/status.d/d",
    "var/lib/dpkg/status.d/d.md5sums",
    "lib/apk/db/installed",
    "conda-meta/a.json",
    "a-1.dist-info/RECORD",
    "a-1.dist-info/METADATA",
];

const PIECES: [&str; 22] = [
    "\n",
    "\n\n",
    "P:",
    "V:",
    "F:",
    "R:",
    "lib",
    "/lib/x",
    "x",
    "\"",
    ",",
    "{",
    "}",
    "[",
    "]",
    "\"files\":",
    "\"name\":",
    "\\",
    "Package: ",
    "a",
    ":",
    "  ",
];

fn content() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![(0..PIECES.len()).prop_map(|at| PIECES[at].as_bytes().to_vec()), vec(any::<u8>(), 0..8),];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

pub fn any_bytes() -> Result<(), Failed> {
    let root = tempfile::tempdir()?;
    for path in DATABASES.iter().chain(&["lib/x", "x"]) {
        std::fs::create_dir_all(root.path().join(path).parent().ok_or("a parent")?)?;
        std::fs::write(root.path().join(path), "")?;
    }
    let paths = ["lib/x", "x", "lib", "", "none"].map(|path| root.path().join(path));
    let mut runner = TestRunner::new(Config { cases: 300, failure_persistence: None, ..Config::default() });
    runner.run(&vec(content(), DATABASES.len()), |contents| {
        for (path, content) in DATABASES.iter().zip(&contents) {
            std::fs::write(root.path().join(path), content).unwrap();
        }
        let found = owned(&Owners::new(Some(root.path())), &paths);
        prop_assert_eq!(&found, &owned(&Owners::new(Some(root.path())), &paths));
        Ok(())
    })?;
    Ok(())
}

/// A record of a gigabyte that takes no room on the disk, a named pipe for a list, and JSON that is only brackets.
pub fn huge() -> Result<(), Failed> {
    let root = tempfile::tempdir()?;
    let at = |path: &str| root.path().join(path);
    for directory in ["var/lib/dpkg/info", "lib/apk/db", "conda-meta", "a-1.dist-info"] {
        std::fs::create_dir_all(at(directory))?;
    }
    for path in ["var/lib/dpkg/info/a.list", "var/lib/dpkg/diversions", "lib/apk/db/installed", "a-1.dist-info/RECORD"]
    {
        std::fs::File::create(at(path))?.set_len(1 << 30)?;
    }
    std::fs::File::create(at("conda-meta/a.json"))?.set_len(1 << 30)?;
    std::fs::write(at("conda-meta/b.json"), format!("{{\"x\":\"x\",\"files\":{}", "[".repeat(1 << 20)))?;
    let made = Command::new("mkfifo").arg(at("var/lib/dpkg/info/b.list")).status();
    std::fs::write(at("x"), "")?;
    let owners = Owners::new(Some(root.path()));
    let start = Instant::now();
    assert_eq!(owned(&owners, &[at("x")]), ["-"]);
    assert!(start.elapsed() < Duration::from_secs(2), "{:?}", start.elapsed());
    let notes = owners.notes();
    let of = |name: &str, what: &str| notes.iter().any(|note| note.contains(name) && note.contains(what));
    for (name, what) in [
        ("a.list", "longer than 16 MiB"),
        ("diversions", "longer than 64 MiB"),
        ("installed", "longer than 64 MiB"),
        ("RECORD", "longer than 16 MiB"),
        ("a.json", "longer than 16 MiB"),
        ("b.json", "recursion limit"),
    ] {
        assert!(of(name, what), "{name} {what}: {notes:?}");
    }
    if made.is_ok_and(|status| status.success()) {
        assert!(of("b.list", "is not a regular file"), "{notes:?}");
    }
    Ok(())
}
