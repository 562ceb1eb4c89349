//! The pipeline needs no other program: not maturin, not patchelf, not Python, not even cargo.
#![allow(missing_docs)]

use std::path::Path;
use std::process::{Command, Output};
use wheelwright::engine::project::lab;

fn run(lab: &Path, cargo: Option<&str>) -> Output {
    let empty = lab.join("empty");
    std::fs::create_dir_all(&empty).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
    command.args(["run", "--json", "target/release/liblabext.so"]).current_dir(lab).env_clear();
    command.env("PATH", &empty).env("HOME", &empty);
    if let Some(cargo) = cargo {
        command.env("CARGO", cargo);
    }
    command.output().unwrap()
}

#[test]
fn an_artifact_is_patched_with_an_empty_path() {
    for cargo in [Some(env!("CARGO")), None] {
        let directory = tempfile::tempdir().unwrap();
        lab::lay_out(directory.path()).unwrap();
        let output = run(directory.path(), cargo);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!(document["states"][0]["edited"], true, "with cargo {cargo:?}");
        let bundle = Path::new(document["bundles"][0].as_str().unwrap());
        assert!(bundle.join("labext/labext.so").is_file(), "{}", bundle.display());
        let libraries = std::fs::read_dir(bundle.join("labext.libs")).unwrap().count();
        assert_eq!(libraries, 2, "libgreet and libdeep");
    }
}
