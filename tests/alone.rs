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
        let mut files: Vec<_> = std::fs::read_dir(bundle)
            .unwrap()
            .flat_map(|directory| std::fs::read_dir(directory.unwrap().path()).unwrap())
            .map(|file| file.unwrap().file_name().into_string().unwrap())
            .collect();
        files.sort();
        // Without cargo nobody says what the module is called.
        let own = if cargo.is_some() { "labext.so" } else { "liblabext.so" };
        assert_eq!(files.len(), 3, "{files:?}");
        assert!(files.iter().any(|file| file == own), "{files:?}");
        assert!(files.iter().any(|file| file.starts_with("libgreet-")), "{files:?}");
    }
}
