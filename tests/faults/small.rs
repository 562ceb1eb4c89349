//! A project without cargo: C libraries laid out and linked as cargo lays its outputs out, made in a blink.

use crate::support::{options, run, write};
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use wheelwright::engine::Context;
use wheelwright::engine::project::{Artifact, ArtifactId, CargoOutput, LinkedPaths, Project};
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::audit::{ArtifactKind, BundleNames};
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::{Outcome, Session, SessionOptions};

/// A directory with `private/` (libgreet.so.1, which needs libdeep.so.2), `other/` (the same libgreet beside another libdeep)
/// and `target/release/` with outputs and their second names in `deps/`.
pub struct Small {
    /// Where everything lies.
    pub root: PathBuf,
    _directory: Option<tempfile::TempDir>,
}

/// Compiled once per test program: `private/`, `other/` and the outputs.
fn pattern() -> &'static Path {
    static PATTERN: OnceLock<PathBuf> = OnceLock::new();
    PATTERN.get_or_init(|| {
        let root = std::env::temp_dir().join(format!("wheelwright-faults-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&root);
        write(&root.join("private/deep.c"), "int deep(void) { return 40; }\n");
        write(&root.join("other/deep.c"), "int deep(void) { return 41; }\n");
        write(&root.join("private/greet.c"), "int deep(void); int greet(void) { return deep() + 2; }\n");
        write(&root.join("needy.c"), "int greet(void); int answer(void) { return greet() + NUMBER; }\n");
        write(&root.join("plain.c"), "int answer(void) { return 42; }\n");
        let cc = |directory: &str, line: &str| {
            run(Command::new("cc").current_dir(root.join(directory)).args(["-shared", "-fPIC"]).args(line.split(' ')));
        };
        cc("private", "-Wl,-soname,libdeep.so.2 -o libdeep.so.2 deep.c");
        cc("other", "-Wl,-soname,libdeep.so.2 -o libdeep.so.2 deep.c");
        cc("private", "-Wl,-soname,libgreet.so.1 -Wl,-rpath,$ORIGIN -o libgreet.so.1 greet.c -L. -l:libdeep.so.2");
        std::fs::copy(root.join("private/libgreet.so.1"), root.join("other/libgreet.so.1")).unwrap();
        std::fs::create_dir_all(root.join("target/release/deps")).unwrap();
        for (number, name) in [(1, "needy"), (2, "thirsty")] {
            cc(".", &format!("-DNUMBER={number} -o target/release/deps/lib{name}.so needy.c -Lprivate -l:libgreet.so.1 -Wl,-rpath-link,private"));
        }
        cc(".", "-o target/release/deps/libplain.so plain.c");
        root
    })
}

/// Removes what [`pattern`] made.
pub fn clean_up() {
    let _ = std::fs::remove_dir_all(std::env::temp_dir().join(format!("wheelwright-faults-{}", std::process::id())));
}

impl Small {
    /// In a temporary directory.
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        Self { _directory: Some(directory), ..Self::below(&root) }
    }

    /// Below `root`.
    pub fn below(root: &Path) -> Self {
        std::fs::create_dir_all(root.join("target/release/deps")).unwrap();
        for directory in ["private", "other", "target/release/deps"] {
            std::fs::create_dir_all(root.join(directory)).unwrap();
            for entry in std::fs::read_dir(pattern().join(directory)).unwrap() {
                let path = entry.unwrap().path();
                std::fs::copy(&path, root.join(directory).join(path.file_name().unwrap())).unwrap();
            }
        }
        let small = Self { root: root.to_path_buf(), _directory: None };
        std::fs::write(small.target().join("release/.cargo-lock"), "").unwrap();
        for name in ["libneedy.so", "libthirsty.so", "libplain.so"] {
            small.uplift(name);
        }
        small
    }

    /// One that is there already.
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf(), _directory: None }
    }

    pub fn target(&self) -> PathBuf {
        self.root.join("target")
    }

    pub fn home(&self) -> PathBuf {
        self.target().join("wheelwright")
    }

    pub fn output(&self, name: &str) -> PathBuf {
        self.target().join("release").join(name)
    }

    /// As `cargo build` that finds everything fresh.
    pub fn uplift(&self, name: &str) {
        let _ = std::fs::remove_file(self.output(name));
        let deps = self.target().join("release/deps").join(name);
        // Where there are no hard links, cargo copies.
        std::fs::hard_link(&deps, self.output(name))
            .or_else(|_| std::fs::copy(&deps, self.output(name)).map(|_| ()))
            .unwrap();
    }

    /// As `cargo build` after a change: a new file of the same kind and another size, under both names.
    pub fn rebuild(&self, name: &str) {
        let deps = self.target().join("release/deps").join(name);
        let mut bytes = std::fs::read(&deps).unwrap();
        bytes.extend_from_slice(b"built again");
        std::fs::remove_file(&deps).unwrap();
        std::fs::write(&deps, bytes).unwrap();
        self.uplift(name);
    }

    /// The three outputs, as discovery would find them, but all of one distribution so that they share their libraries.
    pub fn project(&self) -> Project {
        let names = ["libneedy.so", "libthirsty.so", "libplain.so"];
        let artifacts = names.iter().enumerate().map(|(number, name)| {
            let module = name.trim_start_matches("lib").trim_end_matches(".so").to_owned();
            Artifact {
                id: ArtifactId(number),
                path: self.output(name),
                loaded_as: self.output(name),
                name: (*name).to_owned(),
                kind: ArtifactKind::Cdylib,
                cargo: Some(CargoOutput {
                    target_directory: self.target(),
                    profile_directory: self.target().join("release"),
                    build_profile_directory: self.target().join("release"),
                    triple: None,
                    profile: "release".to_owned(),
                    package: module.clone(),
                    target: module.clone(),
                }),
                linked_paths: LinkedPaths { paths: vec![self.root.join("private")], source: None },
                out_directories: Vec::new(),
                names: BundleNames {
                    distribution: "small".to_owned(),
                    module: format!("small.{module}"),
                    file_name: format!("{module}.so"),
                    artifact_dir: "small".to_owned(),
                    libs_dir: "small.libs".to_owned(),
                    defaulted: Vec::new(),
                },
                expected_entry_point: None,
            }
        });
        let artifacts = artifacts.collect();
        Project { target_directory: Some(self.target()), artifacts, ..Project::default() }
    }

    pub fn session(&self) -> Session {
        self.session_with(self.project(), |_| {})
    }

    pub fn session_with(&self, project: Project, change: impl FnOnce(&mut SessionOptions)) -> Session {
        let mut options = options(Mode::Repair, None);
        change(&mut options);
        Session::open(project, options).unwrap()
    }

    /// Everything in the target directory but our own: path to bytes.
    pub fn clean(&self) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut files = BTreeMap::new();
        for directory in [self.target().join("release"), self.target().join("release/deps")] {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_file() {
                    files.insert(path.clone(), std::fs::read(&path).unwrap());
                }
            }
        }
        files
    }
}

/// The only one whose libraries are external and that is edited: artifact 0; 1 is its like, 2 needs nothing.
pub const NEEDY: ArtifactId = ArtifactId(0);
pub const THIRSTY: ArtifactId = ArtifactId(1);
pub const PLAIN: ArtifactId = ArtifactId(2);
pub const ALL: [ArtifactId; 3] = [NEEDY, THIRSTY, PLAIN];

/// Takes artifact `id` through the steps up to and with `until`.
pub fn advance(session: &mut Session, id: ArtifactId, until: Step) {
    while session.next_step(id).is_some_and(|next| next <= until) {
        match session.step(id, &Context::new()).unwrap() {
            Outcome::Taken(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Every file and directory below `directory`, with the bytes of the files; nothing where it is not there.
pub fn tree(directory: &Path) -> BTreeMap<PathBuf, Option<Vec<u8>>> {
    let (mut found, mut open) = (BTreeMap::new(), vec![directory.to_path_buf()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(&directory).into_iter().flatten() {
            let path = entry.unwrap().path();
            let metadata = std::fs::symlink_metadata(&path).unwrap();
            if metadata.is_dir() {
                open.push(path.clone());
                found.insert(path, None);
            } else {
                found.insert(path.clone(), Some(std::fs::read(&path).unwrap_or_default()));
            }
        }
    }
    found
}
