//! A place to run the program in, with nothing of the caller's environment that could change what it says.

use serde_json::Value;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use wheelwright::engine::project::lab::lay_out;

/// A directory of one's own, with a temporary directory and a cache directory below it.
pub struct Place {
    _directory: tempfile::TempDir,
    pub root: PathBuf,
}

/// What a command came to.
pub struct Ran {
    pub status: i32,
    pub out: String,
    pub err: String,
}

impl Place {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for name in ["temporary", "cache", "work"] {
            std::fs::create_dir(root.join(name)).unwrap();
        }
        Self { _directory: directory, root }
    }

    /// A place with the lab in `work`.
    pub fn with_lab() -> Self {
        let place = Self::new();
        lay_out(&place.work()).unwrap();
        place
    }

    /// The directory that commands run in.
    pub fn work(&self) -> PathBuf {
        self.root.join("work")
    }

    /// An output of the lab's release profile.
    pub fn output(&self, name: &str) -> PathBuf {
        self.work().join("target/release").join(name)
    }

    /// A file in `work`.
    pub fn write(&self, name: impl AsRef<OsStr>, bytes: &[u8]) -> PathBuf {
        let path = self.work().join(Path::new(name.as_ref()));
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    pub fn command<I: IntoIterator<Item = A>, A: AsRef<OsStr>>(&self, arguments: I) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
        command.args(arguments).current_dir(self.work()).stdin(Stdio::null());
        for name in [
            "LD_LIBRARY_PATH",
            "LD_PRELOAD",
            "NO_COLOR",
            "CARGO_TARGET_DIR",
            "CARGO_BUILD_TARGET_DIR",
            "RUST_BACKTRACE",
        ] {
            command.env_remove(name);
        }
        command.env("XDG_CACHE_HOME", self.root.join("cache")).env("TMPDIR", self.root.join("temporary"));
        command
    }

    pub fn run<I: IntoIterator<Item = A>, A: AsRef<OsStr>>(&self, arguments: I) -> Ran {
        Ran::of(&self.command(arguments).output().unwrap())
    }

    /// What the program leaves in the temporary directory.
    pub fn left_in_temporary(&self) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(self.root.join("temporary")).unwrap();
        entries.map(|entry| entry.unwrap().path()).collect()
    }
}

impl Ran {
    pub fn of(output: &Output) -> Self {
        Self {
            status: output.status.code().expect("no signal ends it"),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// The one document on standard output.
    #[track_caller]
    pub fn document(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}\n{}\n{}", self.out, self.err))
    }

    /// That it ended with `status` and complained in one line that holds each of `parts`.
    #[track_caller]
    pub fn complains(&self, status: i32, parts: &[&str]) {
        assert_eq!(self.status, status, "{}{}", self.out, self.err);
        let lines: Vec<&str> = self.err.lines().filter(|line| line.starts_with("wheelwright: ")).collect();
        assert_eq!(lines.len(), 1, "{}", self.err);
        for part in parts {
            assert!(lines[0].contains(part), "no {part:?} in {}", lines[0]);
        }
    }
}

/// Every path below `directory` with its inode and its bytes, by path.
pub fn contents(directory: &Path) -> std::collections::BTreeMap<PathBuf, (u64, Vec<u8>)> {
    use std::os::unix::fs::MetadataExt;
    let (mut found, mut open) = (std::collections::BTreeMap::new(), vec![directory.to_path_buf()]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let metadata = path.symlink_metadata().unwrap();
            if metadata.is_dir() {
                open.push(path);
            } else {
                let bytes = if metadata.is_file() { std::fs::read(&path).unwrap() } else { Vec::new() };
                found.insert(path, (metadata.ino(), bytes));
            }
        }
    }
    found
}
