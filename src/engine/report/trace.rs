//! `wheelwright/trace/1`: what the loader opened while a command ran, for whom, and what it did not find.

use super::audit::FoundBy;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TraceDocument {
    /// Always `wheelwright/trace/1`.
    pub schema: String,
    /// The command, as it was given; empty where a loader's log was read that others had written.
    pub command: Vec<String>,
    /// The machine it ran on.
    pub host: super::audit::Host,
    /// How the command ended; null where that is not known.
    pub ended: Option<Ended>,
    /// The processes that could be followed, in the order in which they began.
    pub processes: Vec<TracedProcess>,
    /// What could not be seen: a program that is static or has other rights, a limit that was reached, what musl does not tell.
    pub unseen: Vec<String>,
}

/// How a command ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Ended {
    /// Its exit status; null where a signal ended it.
    pub status: Option<i32>,
    /// The signal's number.
    pub signal: Option<i32>,
    /// The limit at which it was ended by us: `time`, `output`; null where it ended by itself.
    pub limit: Option<String>,
}

/// How it was seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum TraceMethod {
    /// glibc's `LD_DEBUG`: searches with their rules, who asked, failures.
    LdDebug,
    /// The process's memory map, read again and again: what is loaded, not for whom, and nothing that came and went in between.
    Maps,
}

/// One process, from one execve(2) to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TracedProcess {
    /// Its process id then.
    pub pid: u32,
    /// Its parent's; null where not known.
    pub parent: Option<u32>,
    /// The program; null where it ended before it could be asked.
    #[serde(serialize_with = "super::lossy::option")]
    pub program: Option<PathBuf>,
    /// How it was seen.
    pub method: TraceMethod,
    /// Every request that the loader answered, in its order.
    pub loads: Vec<TracedLoad>,
    /// The loader's errors that belong to no request: a symbol that was not found.
    pub errors: Vec<String>,
    /// What was loaded against the static tree of the program and of what it opened by path; null where that was not compared.
    pub compared: Option<Vec<ComparedLoad>>,
}

/// Why something was loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadCause {
    /// The program, or its interpreter.
    Program,
    /// `LD_PRELOAD`, `/etc/ld.so.preload`, `--preload`.
    Preload,
    /// An object needs it (`DT_NEEDED`).
    Needed,
    /// An object opened it: `dlopen`, `dlmopen`.
    Opened,
    /// The C library for itself: name service, character sets, unwinding.
    Libc,
    /// Not known: only a memory map was seen.
    Unknown,
}

/// What came of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum LoadResult {
    /// The file was loaded.
    Loaded,
    /// It was in the process already.
    AlreadyLoaded,
    /// It was not found, or could not be loaded.
    Failed,
}

/// One request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TracedLoad {
    /// The name that was asked for.
    pub name: String,
    /// The namespace: 0, or that of a dlmopen(3).
    pub namespace: u32,
    /// Why.
    pub cause: LoadCause,
    /// Who asked: the path that the loader knows it by; null where not known.
    #[serde(serialize_with = "super::lossy::option")]
    pub asked_by: Option<PathBuf>,
    /// What came of it.
    pub result: LoadResult,
    /// The file; null where it failed.
    #[serde(serialize_with = "super::lossy::option")]
    pub path: Option<PathBuf>,
    /// The rule that found it; null where no search was made or the loader did not say.
    pub found_by: Option<FoundBy>,
    /// The lists that were walked, in order.
    pub searched: Vec<SearchedList>,
    /// The files that were tried, in order, the found one included.
    #[serde(serialize_with = "super::lossy::list")]
    pub tried: Vec<PathBuf>,
    /// The loader's words where it failed.
    pub error: Option<String>,
}

/// A list that was walked for a request.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SearchedList {
    /// The rule, with the object whose list it is.
    pub rule: FoundBy,
    /// The directories, as the loader names them.
    #[serde(serialize_with = "super::lossy::list")]
    pub directories: Vec<PathBuf>,
}

/// A library of a process against the static tree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedLoad {
    /// The name that was asked for.
    pub name: String,
    /// What the two say.
    pub status: ComparedStatus,
    /// Where the tree has it.
    #[serde(serialize_with = "super::lossy::option")]
    pub predicted: Option<PathBuf>,
    /// Where it was loaded from.
    #[serde(serialize_with = "super::lossy::option")]
    pub loaded: Option<PathBuf>,
    /// Who asked, by path; null where not known.
    #[serde(serialize_with = "super::lossy::option")]
    pub asked_by: Option<PathBuf>,
    /// The object whose tree it belongs to: the program, or what was opened.
    #[serde(serialize_with = "super::lossy::option")]
    pub root: Option<PathBuf>,
    /// What there is to say besides.
    pub note: Option<String>,
}

/// What trace and tree say of a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ComparedStatus {
    /// Loaded from where the tree has it.
    AsPredicted,
    /// Loaded from elsewhere.
    Elsewhere,
    /// Loaded, and in no tree: opened at run time.
    NotPredicted,
    /// In the tree, and not loaded.
    NotLoaded,
    /// Asked for, and not found.
    Failed,
}
