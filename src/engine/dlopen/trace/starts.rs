//! The programs that start, each at the moment when its loader opens its log: what `/proc` says of it then.

use super::options::TraceOptions;
use super::proc;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the logs' names begin with; the loader adds a dot and the process id.
pub(super) const LOG: &str = "log";

/// One start of a program.
#[derive(Debug, Clone, Default)]
pub(super) struct Start {
    pub(super) pid: u32,
    /// What was seen of it; empty where it was over already.
    pub(super) seen: Seen,
}

/// What `/proc` says of a program that has just started.
#[derive(Debug, Clone, Default)]
pub(super) struct Seen {
    pub(super) program: Option<PathBuf>,
    pub(super) parent: Option<u32>,
    pub(super) directory: Option<PathBuf>,
    pub(super) library_path: Option<OsString>,
    pub(super) preload: Option<OsString>,
}

impl Seen {
    /// Looks at process `pid`: what it runs, and the environment that this was started with. `None` when it is gone, or never
    /// the same program for long enough.
    pub(super) fn now(pid: u32) -> Option<(Self, Vec<u8>)> {
        for _ in 0..TRIES {
            let program = proc::program(pid)?;
            let environment = proc::environment(pid).unwrap_or_default();
            let seen = Self {
                parent: proc::stat(pid).map(|stat| stat.parent),
                directory: proc::directory(pid),
                library_path: proc::variable(&environment, "LD_LIBRARY_PATH"),
                preload: proc::variable(&environment, "LD_PRELOAD"),
                program: Some(program),
            };
            // Another execve(2) in between would mix two programs.
            let is_one = proc::program(pid) == seen.program;
            // Just after execve(2) the environment is not there yet.
            if is_one && !environment.is_empty() {
                return Some((seen, environment));
            }
            if is_one {
                std::thread::sleep(MOMENT);
                let is_still_empty = proc::environment(pid).is_some_and(|environment| environment.is_empty());
                if is_still_empty && proc::program(pid) == seen.program {
                    return Some((seen, environment));
                }
            }
        }
        None
    }
}

/// How often a process is looked at that changes meanwhile, and how long it has for it.
const TRIES: u32 = 5;
const MOMENT: Duration = Duration::from_micros(500);

impl Seen {
    /// What the command itself was started with, for a program of it that was over before it could be looked at.
    pub(super) fn as_started(options: &TraceOptions) -> Self {
        let environment = &options.environment;
        let own = if environment.clear { None } else { proc::environment(std::process::id()) }.unwrap_or_default();
        let value = |name: &str| {
            let set = environment.set.iter().rev().find(|(set, _)| set == name).map(|(_, value)| value.clone());
            let inherited =
                || proc::variable(&own, name).filter(|_| !environment.remove.iter().any(|gone| gone == name));
            set.or_else(inherited)
        };
        Self {
            directory: Some(options.working_directory.clone()),
            library_path: value("LD_LIBRARY_PATH"),
            preload: value("LD_PRELOAD"),
            ..Self::default()
        }
    }
}

/// All starts, in their order.
#[derive(Debug)]
pub(super) struct Starts {
    folder: PathBuf,
    mark: Vec<u8>,
    pub(super) list: Vec<Start>,
    known: BTreeSet<u32>,
}

impl Starts {
    /// The starts whose logs lie in `folder`; `mark` stands in their environment.
    pub(super) fn new(folder: &Path, mark: &[u8]) -> Self {
        Self { folder: folder.to_path_buf(), mark: mark.to_vec(), list: Vec::new(), known: BTreeSet::new() }
    }

    /// A log of this name was opened just now.
    pub(super) fn opened(&mut self, name: &OsStr) {
        if let Some(pid) = pid_of(name) {
            self.known.insert(pid);
            self.list.push(Start { pid, seen: self.see(pid) });
        }
    }

    /// Counts the bytes of all logs, and takes in those whose opening was missed.
    pub(super) fn count(&mut self) -> u64 {
        let mut bytes = 0u64;
        for entry in std::fs::read_dir(&self.folder).into_iter().flatten().flatten() {
            bytes = bytes.saturating_add(entry.metadata().map_or(0, |file| file.len()));
            if pid_of(&entry.file_name()).is_some_and(|pid| !self.known.contains(&pid)) {
                self.opened(&entry.file_name());
            }
        }
        bytes
    }

    /// The logs, in the order in which they were begun.
    pub(super) fn logs(&self) -> Vec<(u32, PathBuf)> {
        let mut seen = BTreeSet::new();
        let first = self.list.iter().filter(|start| seen.insert(start.pid));
        first.map(|start| (start.pid, self.folder.join(format!("{LOG}.{}", start.pid)))).collect()
    }

    /// Looks at process `pid`; an id of another namespace is a stranger's here.
    fn see(&self, pid: u32) -> Seen {
        let is_marked = |environment: &[u8]| memchr::memmem::find(environment, &self.mark).is_some();
        let now = Seen::now(pid).filter(|(_, environment)| is_marked(environment));
        now.map(|(seen, _)| seen).unwrap_or_default()
    }
}

/// The process id in a log's name.
fn pid_of(name: &OsStr) -> Option<u32> {
    name.to_str()?.strip_prefix(LOG)?.strip_prefix('.')?.parse().ok()
}
