//! What is run, and within which bounds. The engine reads no environment and no clock: both come in here and by the context.

use crate::engine::report::audit::Host;
use std::ffi::OsString;
use std::path::PathBuf;

/// A command to be traced.
#[derive(Debug, Clone)]
pub struct TraceOptions {
    /// The program, by path or as found on `PATH`, and its arguments.
    pub command: Vec<OsString>,
    /// The directory it runs in; absolute.
    pub working_directory: PathBuf,
    /// Its environment.
    pub environment: Environment,
    /// Its standard input.
    pub stdin: Stream,
    /// Its standard output.
    pub stdout: Stream,
    /// Its standard error.
    pub stderr: Stream,
    /// Which process group it runs in.
    pub group: Group,
    /// How many bytes its loaders' logs and the files of [`Stream::File`] may have together before it is ended. Looked at
    /// every few milliseconds, so that a little more may be there in the end.
    pub max_log: u64,
    /// A directory for the logs; a folder is made in it and removed again.
    pub scratch: PathBuf,
    /// The machine, for the document.
    pub host: Host,
    /// Whether what was loaded is set beside the static trees.
    pub compare: bool,
}

impl TraceOptions {
    /// The bound of the logs where nothing else is said: 256 MiB.
    pub const MAX_LOG: u64 = 256 << 20;
}

/// An environment, made of that of this process.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// Begin with nothing, instead of with what this process has.
    pub clear: bool,
    /// Variables to take out.
    pub remove: Vec<OsString>,
    /// Variables to set, after that.
    pub set: Vec<(OsString, OsString)>,
}

/// Where a standard stream leads.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stream {
    /// Where this process's own leads.
    Inherit,
    /// `/dev/null`.
    Null,
    /// Where this process's standard error leads.
    ToStderr,
    /// Into this file, which is made anew. Its size counts for [`TraceOptions::max_log`].
    File(PathBuf),
}

/// The process group of the command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Group {
    /// That of this process: the command is in the terminal's foreground, and Ctrl-C reaches it.
    Ours,
    /// One of its own.
    Own,
}
