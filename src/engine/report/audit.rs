//! `wheelwright/audit/1`: everything that was found out about each artifact.

use crate::engine::binary::{Format, RunPathTag};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole document.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct AuditDocument {
    /// Always `wheelwright/audit/1`.
    pub schema: String,
    /// The machine that was looked at from.
    pub host: Host,
    /// Counts over all artifacts.
    pub summary: Summary,
    /// The artifacts, in the project's order.
    pub artifacts: Vec<ArtifactReport>,
}

/// The machine that the audit ran on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Host {
    /// `linux`, `macos`, `windows`.
    pub os: String,
    /// As `uname -m` writes it.
    pub arch: String,
    /// `glibc`, `musl` or null where unknown.
    pub libc: Option<String>,
}

/// Counts over all artifacts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Summary {
    /// How many artifacts.
    pub artifacts: usize,
    /// How many of them the patch step will edit.
    pub will_patch: usize,
    /// How many findings of each severity.
    pub findings: FindingCounts,
}

/// Findings by severity.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FindingCounts {
    /// Errors.
    pub error: usize,
    /// Warnings.
    pub warning: usize,
    /// Notes.
    pub note: usize,
}

/// What an artifact is to its project.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ArtifactKind {
    /// A cargo cdylib target's output.
    Cdylib,
    /// A cargo dylib target's output.
    Dylib,
    /// A program.
    Bin,
    /// A Python extension module given as a file.
    Extension,
    /// Any other shared library given as a file.
    Library,
}

/// One artifact.
#[derive(Debug, Clone, Serialize, Deserialize, JsonSchema)]
pub struct ArtifactReport {
    /// Its own path: cargo's path for a cargo output, also while it is staged.
    #[serde(serialize_with = "super::lossy::path")]
    pub path: PathBuf,
    /// The path's bytes in hex, only where it is not UTF-8.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub path_bytes: Option<String>,
    /// The archive that it lies in, if it does.
    #[serde(serialize_with = "super::lossy::option")]
    pub container: Option<PathBuf>,
    /// Its name in that archive.
    pub member: Option<String>,
    /// Its file name.
    pub name: String,
    /// What it is to its project.
    pub kind: ArtifactKind,
    /// Its container format; null when it is none of the three.
    pub format: Option<Format>,
    /// Its size in bytes; null when it is not there.
    pub size: Option<u64>,
    /// Its SHA-256 in hex; only where hashing was asked for.
    pub sha256: Option<String>,
    /// Why it could not be read, if it could not.
    pub error: Option<ReadError>,
    /// Its slices.
    pub slices: Vec<SliceReport>,
    /// Where the two lenses find different things.
    pub lens_differences: Option<Vec<LensDifference>>,
    /// The libraries that the repair tool would bundle, by the lddtree lens; null when that lens was not used.
    pub external_libs: Option<Vec<ExternalLibrary>>,
    /// The platform tag and what stands behind it; null for formats without policies.
    pub policy: Option<PolicyReport>,
    /// The Python entry points; null for what is no extension module.
    pub entry_points: Option<EntryPoints>,
    /// What is known of `dlopen`; null, not looked at.
    pub dlopen: Option<serde_json::Value>,
    /// Where its files are and in which state.
    pub staging: StagingReport,
    /// What the patch step will do to it.
    pub will_patch: WillPatch,
    /// The findings, by code.
    pub findings: Vec<Finding>,
    /// The names that it will have in the wheel; null for a file without a project.
    pub names: Option<BundleNames>,
    /// The directories that build scripts gave to the linker.
    pub linked_paths: LinkedPathsReport,
}

/// Why a file could not be read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ReadError {
    /// One sentence.
    pub message: String,
    /// Where in the file, in bytes.
    pub offset: Option<u64>,
    /// What should have stood there.
    pub expected: Option<String>,
}

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

/// A library on which the two lenses disagree.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LensDifference {
    /// The needed name.
    pub name: String,
    /// Where the loader's lens finds it.
    #[serde(serialize_with = "super::lossy::option")]
    pub loader: Option<PathBuf>,
    /// Where the lddtree lens finds it.
    #[serde(serialize_with = "super::lossy::option")]
    pub lddtree: Option<PathBuf>,
    /// The reason, in words.
    pub why: String,
}

/// A library that would be bundled.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExternalLibrary {
    /// The needed name.
    pub name: String,
    /// The file behind it; null when it was found nowhere.
    #[serde(serialize_with = "super::lossy::option")]
    pub realpath: Option<PathBuf>,
    /// The name it gets in the bundle; null when it was found nowhere.
    pub grafted_name: Option<String>,
    /// Other needed names that lead to the same file.
    pub aliases: Vec<String>,
    /// The oldest tag whose symbol versions it can do with; null when none can or it was not found.
    pub symbol_ceiling: Option<String>,
    /// The package that owns it.
    pub owner: Option<Owner>,
}

/// The platform tag and what stands behind it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyReport {
    /// The tag that the bundle would get.
    pub tag: String,
    /// The tag by symbol versions alone.
    pub symbol_tag: String,
    /// The tag that was asked for, if one was.
    pub requested: Option<String>,
    /// For every tag whether it holds and, if not, each thing that rules it out.
    pub reasons: Vec<PolicyReason>,
}

/// A tag's verdict, or one thing that rules it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyReason {
    /// The tag.
    pub tag: String,
    /// Whether the tag holds; with `true` the other keys are null.
    pub ok: bool,
    /// `symbol_version`, `blacklist`, `library`, `libpython`, `architecture`, `external_symbol_version`.
    pub rule: Option<String>,
    /// The library concerned.
    pub library: Option<String>,
    /// The symbol concerned.
    pub symbol: Option<String>,
    /// The symbol version concerned.
    pub version: Option<String>,
    /// The file in which this stands.
    #[serde(serialize_with = "super::lossy::option")]
    pub file: Option<PathBuf>,
}

/// Python entry points.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryPoints {
    /// The module name that is expected; null when no name is known.
    pub expected: Option<String>,
    /// The entry points that the file exports: `PyInit_x`, `PyModExport_x`.
    pub found: Vec<String>,
}

/// The state of an artifact's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StagingState {
    /// Untouched, at its own path.
    NotStaged,
    /// Moved to staging; its own path is empty for the moment.
    Renamed,
    /// Copied to staging; the original stays.
    Mirrored,
    /// Its own path holds clean bytes, the staged file is free to be edited.
    Patched,
}

/// Where an artifact's files are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StagingReport {
    /// The state.
    pub state: StagingState,
    /// Whether the staged file's bytes differ from cargo's output by an edit of ours.
    pub edited: bool,
    /// Cargo's own path; null for a file that cargo did not make.
    #[serde(serialize_with = "super::lossy::option")]
    pub cargo_output: Option<PathBuf>,
    /// The staged file; null while there is none.
    #[serde(serialize_with = "super::lossy::option")]
    pub staged: Option<PathBuf>,
    /// Device number of the file that now holds the clean bytes.
    pub device: Option<u64>,
    /// Its inode number.
    pub inode: Option<u64>,
    /// Its hard links.
    pub links: Option<u64>,
    /// Other paths of that inode which were found.
    #[serde(serialize_with = "super::lossy::list")]
    pub aliases: Vec<PathBuf>,
    /// How many more names the link count says there are.
    pub aliases_elsewhere: u64,
    /// Files that other tools or cargo keep of the same artifact, whether or not they share the inode.
    pub related: Vec<RelatedFile>,
}

/// A file that belongs to an artifact.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RelatedFile {
    /// Its path.
    #[serde(serialize_with = "super::lossy::path")]
    pub path: PathBuf,
    /// What it is: `deps`, `maturin_staged`, `build_dir`.
    pub role: String,
    /// How it was tied to the artifact: `inode`, `build_id`, `name`.
    pub tie: String,
    /// Device number.
    pub device: u64,
    /// Inode number.
    pub inode: u64,
    /// Hard links.
    pub links: u64,
    /// Size in bytes.
    pub size: u64,
    /// Whether it looks repaired: hash-suffixed NEEDED, and an RPATH into `*.libs`.
    pub repaired: bool,
}

/// What the patch step will do to an artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WillPatch {
    /// In repair mode; null where no editor for the format exists or the externals were not looked at.
    pub repair: Option<bool>,
    /// In editable mode.
    pub editable: Option<bool>,
    /// The edits of the mode in force, in words.
    pub edits: Vec<String>,
    /// What maturin's own rule says.
    pub maturin_rule: MaturinRule,
}

/// maturin's `patch_required`: repair, whether there are external libraries; editable, whether there are linked paths.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MaturinRule {
    /// In repair mode.
    pub repair: Option<bool>,
    /// In editable mode.
    pub editable: Option<bool>,
}

/// How much a finding weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// Good to know.
    Note,
    /// May go wrong.
    Warning,
    /// Is wrong.
    Error,
}

/// A finding.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Its code: `WW003`.
    pub code: String,
    /// How much it weighs here.
    pub severity: Severity,
    /// One line.
    pub title: String,
    /// What was seen.
    pub evidence: Vec<String>,
    /// What mends it: shell lines that can be pasted, or sentences beginning with `#`.
    pub fix: Vec<String>,
}

/// The names that an artifact and its libraries get in the wheel.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BundleNames {
    /// The distribution's name, escaped for file names.
    pub distribution: String,
    /// The module's full name, dotted.
    pub module: String,
    /// The file name that the artifact gets: `labext.abi3.so`.
    pub file_name: String,
    /// The directory in the wheel in which it lies.
    pub artifact_dir: String,
    /// The directory in the wheel in which grafted libraries lie: `labext.libs`.
    pub libs_dir: String,
    /// Which of the names above are defaults, because neither pyproject.toml nor a flag gave them.
    pub defaulted: Vec<String>,
}

/// The directories that build scripts gave to the linker.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LinkedPathsReport {
    /// The directories, in cargo's order.
    #[serde(serialize_with = "super::lossy::list")]
    pub paths: Vec<PathBuf>,
    /// `messages`, `build_output`, `cargo_config` or `options`; null when none were found.
    pub source: Option<String>,
}
