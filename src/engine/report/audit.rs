//! `wheelwright/audit/1`: everything that was found out about each artifact.

use super::dlopen::DlopenReport;
use super::load::LoadReport;
pub use super::reach::*;
pub use super::slice::*;
pub use super::staging::*;
use crate::engine::binary::Format;
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
    /// The tag that all artifacts together can bear as they stand, in one wheel, before anything is bundled; `linux` when there
    /// is none. Libraries that are among the artifacts count as brought along. Null where no policy applies to any of them,
    /// or one could not be read.
    pub tag: Option<String>,
    /// The same by symbol versions alone.
    pub symbol_tag: Option<String>,
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
    /// What it may open at run time; null, not looked at.
    pub dlopen: Option<DlopenReport>,
    /// Whether it loads out of the bundle, by the verify step; null where that was not taken.
    pub load: Option<LoadReport>,
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
    /// What it would take to bear another tag; null when that was not asked for.
    pub reach: Option<ReachReport>,
}

/// A tag's verdict, or one thing that rules it out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PolicyReason {
    /// The tag.
    pub tag: String,
    /// Whether the tag holds; with `true` the other keys are null.
    pub ok: bool,
    /// `symbol_version`, `blacklist`, `library`, `libpython`, `architecture`, `external_symbol_version`;
    /// `left_out` where there are too many rows to list, and `symbol` says how many.
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

/// What the patch step will do to an artifact.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WillPatch {
    /// In repair mode; null where no editor for the format exists or the externals were not looked at.
    pub repair: Option<bool>,
    /// In editable mode.
    pub editable: Option<bool>,
    /// The edits of the mode in force, in words.
    pub edits: Vec<String>,
    /// The search path that the patch step leaves; null when it stays as it is.
    pub rpath: Option<RpathReport>,
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
