//! A folder with libraries that a C compiler makes, and proofs on bundles of them.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use wheelwright::engine::audit::policy::OLDEST_LIST;
use wheelwright::engine::binary;
use wheelwright::engine::dlopen::proof::{BundleFile, LoadProof, Loading, Probe, StartClock, Which};
use wheelwright::engine::file::Windows;
use wheelwright::engine::project::{Artifact, ArtifactId, LinkedPaths};
use wheelwright::engine::report::audit::{ArtifactKind, BundleNames};
use wheelwright::engine::report::load::LoadReport;
use wheelwright::engine::{Context, Result};

pub struct Lab {
    _directory: tempfile::TempDir,
    pub root: PathBuf,
}

/// What is loaded, where it differs from one library that is opened.
#[derive(Default)]
pub struct Case<'a> {
    pub files: &'a [(&'a str, &'a str)],
    pub module: Option<&'a str>,
    pub preload: &'a [&'a str],
    pub open: &'a [Probe],
    pub hide: &'a [&'a str],
    pub interpreter: Option<PathBuf>,
    pub limit: Option<Duration>,
    pub scratch: Option<&'a str>,
}

impl Lab {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        Self { _directory: directory, root }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    /// Compiles `code` to the shared library `name`, a path below the lab.
    pub fn library(&self, name: &str, code: &str, arguments: &[&str]) -> PathBuf {
        self.compiled(name, code, &[&["-shared", "-fPIC"], arguments].concat())
    }

    /// Compiles `code` to the program or library `name`, as `arguments` say.
    pub fn compiled(&self, name: &str, code: &str, arguments: &[&str]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let source = path.with_extension("c");
        std::fs::write(&source, code).unwrap();
        let mut compile = Command::new("cc");
        compile.current_dir(&self.root).arg("-o").arg(&path).arg(&source).args(arguments);
        let output = compile.output().unwrap();
        assert!(output.status.success(), "{compile:?}: {}", String::from_utf8_lossy(&output.stderr));
        std::fs::remove_file(source).unwrap();
        path
    }

    /// Loads the first of the case's files: places in the bundle, each with its path below the lab.
    pub fn load(&self, case: &Case<'_>) -> LoadReport {
        self.try_load(case, &Context::new()).unwrap()
    }

    pub fn try_load(&self, case: &Case<'_>, context: &Context) -> Result<LoadReport> {
        let files: Vec<BundleFile> =
            case.files.iter().map(|(at, from)| BundleFile { at: (*at).to_owned(), from: self.path(from) }).collect();
        let artifact = artifact(&files[0].from, case.module);
        let binary = binary::read(&Windows::open(&files[0].from).unwrap()).unwrap();
        let preload: Vec<String> = case.preload.iter().map(|at| (*at).to_owned()).collect();
        let hide: Vec<PathBuf> = case.hide.iter().map(|path| self.path(path)).collect();
        let scratch = self.path(case.scratch.unwrap_or("scratch"));
        let proof = LoadProof {
            artifact: &artifact,
            binary: &binary,
            files: &files,
            entry: case.files[0].0,
            module: case.module,
            preload: &preload,
            open: case.open,
            hide: &hide,
            allowed: &|name| OLDEST_LIST.contains(&name),
            scratch: &scratch,
        };
        let helper = PathBuf::from(env!("CARGO_BIN_EXE_wheelwright"));
        let loading = Loading::new(
            helper,
            case.interpreter.clone(),
            Which::All,
            clock(case.limit.unwrap_or(Duration::from_secs(120))),
        );
        let report = proof.run(&loading, context);
        assert!(!scratch.exists(), "the scratch folder is gone");
        report
    }
}

pub fn clock(limit: Duration) -> StartClock {
    Arc::new(move || {
        let begun = Instant::now();
        Box::new(move || begun.elapsed() > limit)
    })
}

pub fn artifact(path: &Path, module: Option<&str>) -> Artifact {
    let text = |text: &str| text.to_owned();
    Artifact {
        id: ArtifactId(0),
        path: path.to_path_buf(),
        loaded_as: path.to_path_buf(),
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        kind: if module.is_some() { ArtifactKind::Extension } else { ArtifactKind::Library },
        cargo: None,
        linked_paths: LinkedPaths::default(),
        out_directories: Vec::new(),
        names: BundleNames {
            distribution: text("lab"),
            module: text("lab"),
            file_name: text("lab.so"),
            artifact_dir: text("lab"),
            libs_dir: text("lab.libs"),
            defaulted: Vec::new(),
        },
        expected_entry_point: None,
    }
}
