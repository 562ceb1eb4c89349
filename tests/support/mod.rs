//! What several test programs need: a real cargo project with a private library, and sessions on it.
#![allow(dead_code, missing_docs)]

use std::collections::BTreeMap;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::audit::{AuditOptions, Lenses};
use wheelwright::engine::deps::LoaderInputs;
use wheelwright::engine::file::sha256;
use wheelwright::engine::project::{DiscoverOptions, Project, discover};
use wheelwright::engine::repair::{Builtin, Mode, RepairOptions};
use wheelwright::engine::stage::{Observer, Session, SessionOptions};

/// Runs a command that must succeed; its output.
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// A cargo workspace in `directory/project`: `needy` (a cdylib) and `tool` (a bin) link a private libgreet.so.1, which needs
/// libdeep.so.2; `plain` and `other` are cdylibs that need nothing. Built, in release.
pub fn cargo_project(directory: &Path) -> PathBuf {
    let libraries = directory.join("private");
    std::fs::create_dir_all(&libraries).unwrap();
    write(&libraries.join("deep.c"), "int deep(void) { return 40; }\n");
    write(&libraries.join("greet.c"), "int deep(void); int greet(void) { return deep() + 2; }\n");
    run(Command::new("cc").current_dir(&libraries).args([
        "-shared",
        "-fPIC",
        "-Wl,-soname,libdeep.so.2",
        "-o",
        "libdeep.so.2",
        "deep.c",
    ]));
    run(Command::new("cc").current_dir(&libraries).args([
        "-shared",
        "-fPIC",
        "-Wl,-soname,libgreet.so.1",
        "-Wl,-rpath,$ORIGIN",
        "-o",
        "libgreet.so.1",
        "greet.c",
        "-L.",
        "-l:libdeep.so.2",
    ]));
    std::os::unix::fs::symlink("libgreet.so.1", libraries.join("libgreet.so")).unwrap();
    let project = directory.join("project");
    write(
        &project.join("Cargo.toml"),
        "[workspace]\nmembers = [\"greet-sys\", \"needy\", \"plain\", \"other\", \"tool\"]\nresolver = \"3\"\n",
    );
    member(
        &project,
        "greet-sys",
        "links = \"greet\"\nbuild = \"build.rs\"",
        "",
        "unsafe extern \"C\" { pub safe fn greet() -> i32; }\n",
    );
    write(
        &project.join("greet-sys/build.rs"),
        &format!(
            "fn main() {{ println!(\"cargo::rustc-link-search=native={}\"); println!(\"cargo::rustc-link-lib=dylib=greet\"); }}",
            libraries.display()
        ),
    );
    let cdylib = "[lib]\ncrate-type = [\"cdylib\"]\n";
    let on_greet = "[dependencies]\ngreet-sys = { path = \"../greet-sys\" }\n";
    member(
        &project,
        "needy",
        "",
        &format!("{cdylib}{on_greet}"),
        "#[unsafe(no_mangle)] pub extern \"C\" fn answer() -> i32 { greet_sys::greet() }\n",
    );
    member(&project, "plain", "", cdylib, "#[unsafe(no_mangle)] pub extern \"C\" fn answer() -> i32 { 42 }\n");
    member(&project, "other", "", cdylib, "#[unsafe(no_mangle)] pub extern \"C\" fn answer() -> i32 { 43 }\n");
    member(&project, "tool", "", on_greet, "");
    std::fs::remove_file(project.join("tool/src/lib.rs")).unwrap();
    write(&project.join("tool/src/main.rs"), "fn main() { println!(\"{}\", greet_sys::greet()); }\n");
    cargo_build(&project);
    project
}

fn member(project: &Path, name: &str, package: &str, rest: &str, source: &str) {
    let manifest =
        format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n{package}\n\n{rest}");
    write(&project.join(name).join("Cargo.toml"), &manifest);
    write(&project.join(name).join("src/lib.rs"), source);
}

pub fn write(path: &Path, text: &str) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    std::fs::write(path, text).unwrap();
}

/// `cargo build --release` as the user would run it; what it says.
pub fn cargo_build(project: &Path) -> String {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(project).args(["build", "--release", "--offline", "--workspace"]);
    // What cargo tells the tests about themselves is not for the project.
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("CARGO_") && name != "CARGO_HOME") {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// The artifacts of `project`, as discovery finds them.
pub fn found(project: &Path) -> Project {
    let options = DiscoverOptions {
        cargo: Some(PathBuf::from(env!("CARGO"))),
        current_directory: project.to_path_buf(),
        ..DiscoverOptions::default()
    };
    discover(&[project.to_path_buf()], &options, &Context::new()).unwrap()
}

pub fn options(mode: Mode, observer: Option<Observer>) -> SessionOptions {
    let loader = LoaderInputs::new(PathBuf::from("/"));
    SessionOptions {
        audit: AuditOptions { lenses: Lenses::Both, ..AuditOptions::new(loader) },
        repair: RepairOptions { mode, ..RepairOptions::default() },
        staging: None,
        scratch: PathBuf::from("/nonexistent"),
        editor: Box::new(Builtin::default()),
        loading: None,
        observer,
    }
}

pub fn session(project: &Path) -> Session {
    Session::open(found(project), options(Mode::Repair, None)).unwrap()
}

/// A file as cargo knows it: bytes, inode and modification time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub sha256: String,
    pub inode: u64,
    pub links: u64,
    pub modified: (i64, i64),
}

/// Every file below `directory` but for our own, as cargo knows it.
pub fn known_files(directory: &Path) -> BTreeMap<PathBuf, Known> {
    let mut files = BTreeMap::new();
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                if path.file_name().unwrap() != "wheelwright" {
                    open.push(path);
                }
            } else if metadata.is_file() {
                let known = Known {
                    sha256: sha256(&path, &Context::new()).unwrap(),
                    inode: metadata.ino(),
                    links: metadata.nlink(),
                    modified: (metadata.mtime(), metadata.mtime_nsec()),
                };
                files.insert(path, known);
            }
        }
    }
    files
}
