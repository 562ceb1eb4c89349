//! A PyO3 extension with a private library, against maturin itself: the same names and search paths in the result, a bundle
//! that Python imports, and a second run that works where maturin's second build fails.
//!
//! Needs maturin 1.16, patchelf (for maturin), Python, and the pyo3 crates; without them the tests are ignored with the
//! reason, and under WHEELWRIGHT_CI=1 they fail.
#![allow(missing_docs)]

#[path = "ci/strict.rs"]
mod strict;
mod support;

use goblin::elf::Elf;
use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use support::known_files;

const FIXTURE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/pyo3");

fn main() {
    let arguments = Arguments::from_args();
    let missing = missing_tool();
    type Test = fn() -> Result<(), Failed>;
    let tests: [(&str, Test); 5] = [
        ("the_result_equals_maturins", the_result_equals_maturins),
        ("the_bundle_imports_with_the_libraries_gone", the_bundle_imports_with_the_libraries_gone),
        ("will_patch_is_what_happens", will_patch_is_what_happens),
        ("a_second_run_gives_the_same_and_cargo_stays_fresh", a_second_run_gives_the_same_and_cargo_stays_fresh),
        (
            "maturins_second_build_fails_and_its_scene_is_understood",
            maturins_second_build_fails_and_its_scene_is_understood,
        ),
    ];
    let trials = tests
        .into_iter()
        .map(|(name, test)| match (&missing, strict::is_strict()) {
            (None, _) => Trial::test(name, test),
            (Some(reason), false) => Trial::test(format!("{name} ({reason})"), test).with_ignored_flag(true),
            (Some(reason), true) => {
                let reason = reason.clone();
                Trial::test(name, move || Err(reason.into()))
            }
        })
        .collect();
    libtest_mimic::run(&arguments, trials).exit();
}

fn missing_tool() -> Option<String> {
    let says = |program: &str, argument: &str| Command::new(program).arg(argument).output().ok();
    match says("maturin", "--version") {
        Some(output) if String::from_utf8_lossy(&output.stdout).contains("1.16.") => {}
        Some(_) => return Some("maturin is not 1.16".to_owned()),
        None => return Some("maturin is not installed".to_owned()),
    }
    if says("patchelf", "--version").is_none() {
        return Some("patchelf is not installed".to_owned());
    }
    if says("python3", "--version").is_none() {
        return Some("python3 is not installed".to_owned());
    }
    let mut fetch = Command::new(env!("CARGO"));
    fetch.args(["fetch", "--locked", "--manifest-path"]).arg(Path::new(FIXTURE).join("Cargo.toml"));
    match fetch.output() {
        Ok(output) if output.status.success() => None,
        _ => Some("the pyo3 crates can't be fetched".to_owned()),
    }
}

/// The fixture in a directory of its own, with its private libraries, built by plain `cargo build --release`.
struct Project {
    _directory: tempfile::TempDir,
    root: PathBuf,
    libraries: PathBuf,
}

impl Project {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("project");
        support::run(Command::new("cp").args(["-r", FIXTURE]).arg(&root));
        let libraries = directory.path().join("private");
        support::run(Command::new("sh").arg(root.join("prepare.sh")).arg(&libraries));
        Self { _directory: directory, root, libraries }
    }

    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.current_dir(&self.root).env("LABEXT_LIB_DIR", &self.libraries);
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
            command.env_remove(name);
        }
        command
    }

    fn cargo_build(&self) -> String {
        let output = self.command(env!("CARGO")).args(["build", "--release", "--locked"]).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(output.status.success(), "{said}");
        said
    }

    fn wheelwright(&self, arguments: &[&str]) -> Output {
        self.command(env!("CARGO_BIN_EXE_wheelwright")).args(arguments).output().unwrap()
    }

    /// Runs the whole pipeline; the bundle as real files.
    fn repaired(&self, to: &str) -> PathBuf {
        let output = self.wheelwright(&["run", ".", "-o", to]);
        assert!(
            output.status.success(),
            "{}{}",
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr)
        );
        self.root.join(to)
    }

    fn maturin_build(&self) -> Output {
        self.command("maturin").args(["build", "--release", "--locked", "-o", "wheels"]).output().unwrap()
    }
}

/// What a loader reads of an ELF file, by another parser than ours.
#[derive(Debug, PartialEq, Eq)]
struct Names {
    soname: Option<String>,
    needed: Vec<String>,
    rpath: Vec<String>,
    runpath: Vec<String>,
    versions_from: Vec<String>,
}

fn names(path: &Path) -> Names {
    let bytes = std::fs::read(path).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let text = |names: &[&str]| names.iter().map(ToString::to_string).collect::<Vec<_>>();
    let versions = elf.verneed.iter().flat_map(|section| section.iter());
    let mut versions_from: Vec<String> =
        versions.filter_map(|need| elf.dynstrtab.get_at(need.vn_file)).map(str::to_owned).collect();
    versions_from.sort();
    Names {
        soname: elf.soname.map(str::to_owned),
        needed: text(&elf.libraries),
        rpath: text(&elf.rpaths),
        runpath: text(&elf.runpaths),
        versions_from,
    }
}

/// The ELF files below `directory`, by their path in it.
fn elf_files(directory: &Path) -> BTreeMap<String, Names> {
    let mut found = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(at) = open.pop() {
        for entry in std::fs::read_dir(&at).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else if path.to_string_lossy().contains(".so") {
                found.insert(path.strip_prefix(directory).unwrap().to_string_lossy().into_owned(), names(&path));
            }
        }
    }
    found
}

/// maturin's wheel of the fixture, unpacked; built once.
fn maturins_result() -> &'static (Project, PathBuf) {
    static RESULT: OnceLock<(Project, PathBuf)> = OnceLock::new();
    RESULT.get_or_init(|| {
        let project = Project::new();
        let output = project.maturin_build();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        let wheel = std::fs::read_dir(project.root.join("wheels")).unwrap().next().unwrap().unwrap().path();
        let unpacked = project.root.join("unpacked");
        support::run(Command::new("python3").args(["-m", "zipfile", "-e"]).arg(wheel).arg(&unpacked));
        (project, unpacked)
    })
}

fn the_result_equals_maturins() -> Result<(), Failed> {
    let (maturins, wheel) = maturins_result();
    let mut project = Project::new();
    // The same libraries, to the byte and by path, so that hashes and paths agree.
    project.libraries.clone_from(&maturins.libraries);
    project.cargo_build();
    let ours = elf_files(&project.repaired("bundle"));
    let theirs = elf_files(wheel);
    assert_eq!(theirs.len(), 3, "maturin bundles the extension and two libraries");
    assert_eq!(ours, theirs);
    Ok(())
}

fn the_bundle_imports_with_the_libraries_gone() -> Result<(), Failed> {
    let project = Project::new();
    project.cargo_build();
    let bundle = project.repaired("bundle");
    std::fs::rename(&project.libraries, project.root.join("gone")).unwrap();
    let script = "from labext import labext; print(labext.greet())";
    let said = support::run(
        project.command("python3").args(["-c", script]).env("PYTHONPATH", &bundle).env_remove("LD_LIBRARY_PATH"),
    );
    assert_eq!(said.trim(), "42");
    Ok(())
}

fn a_second_run_gives_the_same_and_cargo_stays_fresh() -> Result<(), Failed> {
    let project = Project::new();
    project.cargo_build();
    let target = project.root.join("target");
    let clean = known_files(&target);
    let first = elf_files(&project.repaired("first"));
    assert_eq!(known_files(&target), clean, "after the first run");
    let second = elf_files(&project.repaired("second"));
    assert_eq!(first, second);
    assert_eq!(known_files(&target), clean, "after the second run");
    for path in first.keys() {
        let bytes = |run: &str| std::fs::read(project.root.join(run).join(path)).unwrap();
        assert_eq!(bytes("first"), bytes("second"), "{path}");
    }
    let output = target.join("release/liblabext.so");
    assert_eq!(clean[&output].inode, clean[&target.join("release/deps/liblabext.so")].inode);
    let said = project.cargo_build();
    assert!(!said.contains("Compiling"), "the third build is fresh:\n{said}");
    assert_eq!(known_files(&target)[&output], clean[&output]);
    Ok(())
}

/// The prediction against the hashes, in both modes and again: planning is not asked.
fn will_patch_is_what_happens() -> Result<(), Failed> {
    let project = Project::new();
    project.cargo_build();
    for (mode, predicted) in [("repair", "repair"), ("editable", "editable"), ("repair", "repair")] {
        let audit = project.wheelwright(&["audit", ".", "--json", "--mode", mode]);
        let audit: serde_json::Value = serde_json::from_slice(&audit.stdout).unwrap();
        let run = project.wheelwright(&["run", ".", "--until", "patch", "--json", "--mode", mode]);
        let run: serde_json::Value = serde_json::from_slice(&run.stdout).unwrap();
        let hash = |path: &Path| wheelwright::engine::file::sha256(path, &wheelwright::engine::Context::new()).unwrap();
        let output = project.root.join("target/release/liblabext.so");
        let staged = project.root.join("target/wheelwright/release/liblabext.so");
        assert_eq!(run["states"][0]["state"], "patched");
        let changed = hash(&output) != hash(&staged);
        assert_eq!(audit["artifacts"][0]["will_patch"][predicted], changed, "{mode}");
        assert!(changed, "this project needs an edit in both modes");
    }
    Ok(())
}

/// maturin's known difference: it edits through the hard link, and its second unchanged build fails. The inspector opens on
/// what that leaves, says what happened, and its fix works.
fn maturins_second_build_fails_and_its_scene_is_understood() -> Result<(), Failed> {
    let project = Project::new();
    assert!(project.maturin_build().status.success());
    let second = project.maturin_build();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(!second.status.success() && said.contains("could not be located"), "{said}");
    assert!(!project.root.join("target/release/liblabext.so").exists(), "the output is gone");

    let output = project.wheelwright(&["audit", ".", "--json"]);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stderr));
    let document: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    let artifact = &document["artifacts"][0];
    assert_eq!(artifact["name"], "liblabext.so");
    let finding = |code: &str| {
        let findings = artifact["findings"].as_array().unwrap();
        findings.iter().find(|finding| finding["code"] == code).unwrap_or_else(|| panic!("no {code} in {findings:#?}"))
    };
    let evidence = |code: &str| finding(code)["evidence"].to_string();
    for name in ["target/maturin/liblabext.so", "target/release/deps/liblabext.so"] {
        assert!(evidence("WW001").contains(name), "{}", evidence("WW001"));
        assert!(evidence("WW002").contains(name), "{}", evidence("WW002"));
    }
    let related = artifact["staging"]["related"].as_array().unwrap();
    let inodes: Vec<_> = related.iter().filter(|file| file["repaired"] == true).map(|file| &file["inode"]).collect();
    assert!(inodes.len() >= 2 && inodes.iter().all(|inode| *inode == inodes[0]), "{related:#?}");

    let fix: Vec<String> =
        finding("WW001")["fix"].as_array().unwrap().iter().map(|line| line.as_str().unwrap().to_owned()).collect();
    support::run(project.command("sh").args(["-ec", &fix.join("\n")]));
    project.cargo_build();
    assert!(project.root.join("target/release/liblabext.so").exists());
    let again = project.maturin_build();
    assert!(again.status.success(), "{}", String::from_utf8_lossy(&again.stderr));
    Ok(())
}
