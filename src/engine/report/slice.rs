//! Of `wheelwright/audit/1`: one architecture's part of an artifact, its dependency tree and its hardening.

pub use super::instructions::*;
pub use super::symbols::*;
use crate::engine::binary::RunPathTag;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// One architecture's part.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct SliceReport {
    /// The machine: `x86_64`, `aarch64`, `arm64`.
    pub arch: String,
    /// SONAME, install name or DLL name.
    pub soname: Option<String>,
    /// The SONAME's bytes in hex, only where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub soname_bytes: Option<String>,
    /// The needed names, in the file's order.
    pub needed: Vec<String>,
    /// The loader that the file names.
    pub interpreter: Option<String>,
    /// Its search path.
    pub rpath: RpathReport,
    /// Its dependencies; null when they were not resolved.
    pub tree: Option<Tree>,
    /// Its hardening; null where the format has no such thing.
    pub hardening: Option<Hardening>,
    /// Who binds the undefined symbols of every loaded object; null when that was not asked for.
    pub symbols: Option<SymbolsReport>,
    /// The instructions beyond the baseline; null when they were not looked for.
    pub instructions: Option<InstructionsReport>,
}

/// A search path.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RpathReport {
    /// Which kind of entry; null when there is none. With both ELF kinds in a file, the one the loader heeds (RUNPATH).
    pub tag: Option<RunPathTag>,
    /// The directories, in order.
    pub entries: Vec<RpathEntry>,
}

/// One directory of a search path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RpathEntry {
    /// As it stands in the file.
    pub literal: String,
    /// With `$ORIGIN` and the like filled in; null where that can't be done.
    #[serde(serialize_with = "super::lossy::option")]
    pub expanded: Option<PathBuf>,
    /// Whether that directory exists here; null where it can't be told.
    pub exists: Option<bool>,
    /// What there is to say about it: "build machine only", "relative to the working directory".
    pub note: Option<String>,
}

/// A dependency graph. Node 0 is the artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tree {
    /// The objects, in the order in which the loader meets them.
    pub nodes: Vec<TreeNode>,
    /// Who needs what, in the loader's order.
    pub edges: Vec<TreeEdge>,
}

/// One object of a dependency graph.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeNode {
    /// Its number; edges refer to it.
    pub id: usize,
    /// The name it was asked for by.
    pub name: String,
    /// The path that it was found under; null for a missing one.
    #[serde(serialize_with = "super::lossy::option")]
    pub path: Option<PathBuf>,
    /// That path with symbolic links resolved.
    #[serde(serialize_with = "super::lossy::option")]
    pub realpath: Option<PathBuf>,
    /// Its machine.
    pub arch: Option<String>,
    /// The package that owns it; null, not looked at or owned by none.
    pub owner: Option<Owner>,
    /// What it is to the repair.
    pub role: NodeRole,
}

/// What a library is to the repair.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum NodeRole {
    /// The artifact itself.
    Root,
    /// On the policy's list: every machine of the tag has it.
    Allowed,
    /// Would have to be bundled.
    External,
    /// Found nowhere.
    Missing,
    /// The program interpreter (ld.so).
    Interpreter,
    /// libpython.
    Libpython,
    /// Part of the operating system (Mach-O, PE).
    System,
    /// Excluded by the user.
    Excluded,
}

/// A package that owns a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Owner {
    /// `dpkg`, `apk`, `conda`, `pip`.
    pub kind: String,
    /// The package's name.
    pub package: String,
    /// Its version.
    pub version: Option<String>,
    /// Its build string, where a version has several builds (conda).
    pub build: Option<String>,
}

/// One need of one object.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TreeEdge {
    /// The node that asks.
    pub from: usize,
    /// The name it asks for.
    pub needed: String,
    /// The node that answers.
    pub to: usize,
    /// What found it; null for a missing one.
    pub found_by: Option<FoundBy>,
    /// What was tried before, in order, with the reason of each refusal.
    pub candidates: Vec<Candidate>,
    /// Needed symbol versions that the found library lacks.
    pub versions_missing: Vec<String>,
    /// Whether the loader goes on without it.
    pub weak: bool,
    /// What there is to say about the answer: "works only by load order: ...".
    pub note: Option<String>,
    /// What the loader says, when a file on the way made it give up the search.
    pub gave_up: Option<String>,
}

/// The search rule by which a library was found.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SearchRule {
    /// An object of that name was loaded before.
    AlreadyLoaded,
    /// The name is an absolute path.
    Absolute,
    /// The name holds a slash and is relative to the working directory.
    Relative,
    /// `LD_PRELOAD`.
    LdPreload,
    /// `DT_RPATH` of the requester or of one of its own requesters; `LC_RPATH`.
    Rpath,
    /// `DT_RPATH` of the main program.
    MainRpath,
    /// `LD_LIBRARY_PATH`.
    LdLibraryPath,
    /// `DT_RUNPATH` of the requester.
    Runpath,
    /// The loader's cache.
    LdSoCache,
    /// A directory of `ld.so.conf` (lddtree lens only: the loader itself reads the cache).
    LdSoConf,
    /// `ld-musl-*.path`.
    MuslPath,
    /// The loader's default directories.
    Default,
    /// `@loader_path`.
    LoaderPath,
    /// `@executable_path`.
    ExecutablePath,
    /// The Windows DLL search.
    DllDir,
    /// A directory that the user added (`--ld-path`).
    LdPath,
    /// A build script's `-L` directory, on the build machine only.
    LinkedPath,
}

/// What found a library.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FoundBy {
    /// The rule.
    pub rule: SearchRule,
    /// The list entry as it stands in the file or variable, where the rule has entries.
    pub entry: Option<String>,
    /// Whose entry: the name of the object whose RPATH or RUNPATH it is.
    pub owner: Option<String>,
    /// The glibc-hwcaps subdirectory, if one was used.
    pub hwcaps: Option<String>,
}

/// A place that was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Candidate {
    /// The file that was tried.
    #[serde(serialize_with = "super::lossy::path")]
    pub path: PathBuf,
    /// By which rule.
    pub rule: SearchRule,
    /// The list entry as it stands in the file or variable.
    pub entry: Option<String>,
    /// Whose entry: the name of the object whose RPATH or RUNPATH it is.
    pub owner: Option<String>,
    /// The subdirectory for hardware capabilities that was tried, if one was.
    pub hwcaps: Option<String>,
    /// Why it was refused.
    pub rejected: Rejection,
}

/// Why a candidate was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Rejection {
    /// No such file.
    Missing,
    /// Another machine.
    WrongArch,
    /// 32 bits for 64, or the reverse.
    WrongClass,
    /// The other byte order.
    WrongEndian,
    /// Another ABI of the same machine.
    WrongAbi,
    /// It can't be opened or read.
    Unreadable,
    /// No library: a linker script, an empty file.
    NotALibrary,
}

/// Hardening properties of an ELF slice.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hardening {
    /// `none`, `partial` (no immediate binding) or `full`; also `lost` when `.dynamic` lies outside of it.
    pub relro: String,
    /// Immediate binding (`DF_BIND_NOW`, `DF_1_NOW`).
    pub now: bool,
    /// The stack is not executable.
    pub nx: bool,
    /// Position-independent.
    pub pie: bool,
    /// An executable stack is asked for (or, by the absence of `PT_GNU_STACK`, left to the kernel's default).
    pub execstack: bool,
    /// Text relocations.
    pub textrel: bool,
}
