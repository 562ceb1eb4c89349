//! Programs and libraries for the traces, built by the system's C compiler in a directory of their own.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use wheelwright::engine::Context;
use wheelwright::engine::dlopen::trace::{self, Environment, Group, Stream, TraceOptions};
use wheelwright::engine::report::audit::Host;
use wheelwright::engine::report::trace::{TraceDocument, TracedLoad};

pub struct Lab {
    directory: TempDir,
    pub compiler: &'static str,
}

impl Lab {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap(), compiler: "cc" }
    }

    /// The path of `name`, as the kernel gives it back.
    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    /// Where the logs and what the command prints lie.
    pub fn scratch(&self) -> PathBuf {
        let path = self.path("scratch");
        std::fs::create_dir_all(&path).unwrap();
        path
    }

    pub fn build(&self, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        let text = path.with_extension("c");
        std::fs::write(&text, source).unwrap();
        let mut command = Command::new(self.compiler);
        // Libraries go after what uses them.
        command.arg("-o").arg(&path).arg(&text).args(arguments).current_dir(self.path(""));
        let output = command.output().unwrap();
        assert!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        path
    }

    pub fn library(&self, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let all: Vec<&str> = ["-shared", "-fPIC"].iter().chain(arguments).copied().collect();
        self.build(name, source, &all)
    }

    /// The options of a command that prints into a file.
    pub fn options(&self, command: &[&str]) -> TraceOptions {
        TraceOptions {
            command: command.iter().map(Into::into).collect(),
            working_directory: self.path(""),
            environment: Environment {
                remove: vec!["LD_LIBRARY_PATH".into(), "LD_PRELOAD".into()],
                ..Environment::default()
            },
            stdin: Stream::Null,
            stdout: Stream::File(self.path("printed")),
            stderr: Stream::Null,
            group: Group::Own,
            max_log: TraceOptions::MAX_LOG,
            scratch: self.scratch(),
            host: Host { os: "linux".into(), arch: "any".into(), libc: None },
            compare: true,
        }
    }

    /// Runs it, and sees that nothing is left of the logs.
    pub fn run(&self, options: &TraceOptions, context: &Context) -> TraceDocument {
        let document = trace::run(options, context).unwrap();
        assert_eq!(std::fs::read_dir(self.scratch()).unwrap().count(), 0, "logs are left");
        document
    }

    pub fn printed(&self) -> String {
        std::fs::read_to_string(self.path("printed")).unwrap()
    }
}

/// Loads that somebody asked for, and the trace does not say who.
pub fn unattributed(document: &TraceDocument) -> Vec<&TracedLoad> {
    use wheelwright::engine::report::trace::{LoadCause, LoadResult};
    let loads = document.processes.iter().flat_map(|process| &process.loads);
    // The loader itself does not say who opened once more what is there.
    let silent = |load: &&TracedLoad| load.cause == LoadCause::Program || load.result == LoadResult::AlreadyLoaded;
    loads.filter(|load| !silent(load) && load.asked_by.is_none()).collect()
}

/// Whether a process is there, and not only waits for its parent.
pub fn is_alive(pid: &str) -> bool {
    let stat = std::fs::read_to_string(Path::new("/proc").join(pid.trim()).join("stat")).unwrap_or_default();
    stat.rsplit_once(')').is_some_and(|(_, rest)| !rest.trim_start().starts_with('Z'))
}
