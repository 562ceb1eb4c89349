//! `wheelwright/diff/1`: what differs between two files, in bytes and in meaning.

use super::audit::Finding;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DiffDocument {
    /// Always `wheelwright/diff/1`.
    pub schema: String,
    /// The first file.
    #[serde(serialize_with = "super::lossy::path")]
    pub a: PathBuf,
    /// The second file.
    #[serde(serialize_with = "super::lossy::path")]
    pub b: PathBuf,
    /// The wheel that the first file lies in; null where it lies in a directory.
    #[serde(serialize_with = "super::lossy::option")]
    pub a_container: Option<PathBuf>,
    /// Its name in the wheel.
    pub a_member: Option<String>,
    /// The wheel that the second file lies in.
    #[serde(serialize_with = "super::lossy::option")]
    pub b_container: Option<PathBuf>,
    /// Its name in the wheel.
    pub b_member: Option<String>,
    /// The first file's size in bytes.
    pub a_size: u64,
    /// The second file's size in bytes.
    pub b_size: u64,
    /// Whether they are equal to the last byte.
    pub equal: bool,
    /// What was found, in one line.
    pub verdict: String,
    /// By what the bytes of one file were set against those of the other.
    pub aligned_by: AlignedBy,
    /// Bytes of the first file that were compared.
    pub bytes_compared: u64,
    /// Bytes that needed no reading.
    pub bytes_skipped: u64,
    /// The bytes that differ, of all runs.
    pub bytes: DifferingBytes,
    /// The edits that were logged between the two files, in words; null when none are known.
    pub edits: Option<Vec<String>>,
    /// How many of the listed runs no edit explains; null when no edits are known.
    pub unexplained: Option<u64>,
    /// How many runs there are, listed or not.
    pub runs_total: u64,
    /// The runs in the order of the files; at most 100,000.
    pub runs: Vec<Run>,
    /// The listed runs by what their bytes are.
    pub by_class: Vec<ClassTotal>,
    /// Where the differences lie, from the first byte to the last.
    pub map: Map,
    /// What is wrong about them.
    pub findings: Vec<Finding>,
    /// What differs in the structure.
    pub structure: Vec<StructureChange>,
}

impl Map {
    /// The part in which an offset lies; the last one for what lies behind.
    #[must_use]
    pub fn part(&self, offset: u64) -> usize {
        let last = self.differing.len().saturating_sub(1);
        usize::try_from(offset / self.unit.max(1)).map_or(last, |part| part.min(last))
    }
}

impl DiffDocument {
    /// Whether both files were compared to the end, so that what is not listed as differing is equal.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.map.pending.is_empty()
    }
}

/// By what the bytes of one file are set against those of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum AlignedBy {
    /// Their offsets.
    Offset,
    /// The sections and segments that they lie in.
    Structure,
    /// What they are: stretches of both files with the same content.
    Content,
}

/// How many bytes differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DifferingBytes {
    /// Other bytes in the same place.
    pub changed: u64,
    /// Bytes of the second file that the first has not.
    pub inserted: u64,
    /// Bytes of the first file that the second has not.
    pub removed: u64,
    /// Those of the listed runs that are machine code.
    pub code: u64,
}

/// The listed runs of one class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClassTotal {
    /// The class.
    pub class: Class,
    /// How many runs.
    pub runs: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The differing bytes by place: parts of equal size, of the longer file's length in all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Map {
    /// The bytes of a part.
    pub unit: u64,
    /// How many bytes differ in each part, at most 256 parts; what was inserted counts where it came to stand.
    pub differing: Vec<u64>,
    /// Which parts are not compared to their end yet; empty once the comparison is complete.
    #[serde(skip)]
    pub pending: Vec<bool>,
}

/// What bytes are, whatever the format.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The file's own header: ELF header, Mach-O header, PE headers.
    Header,
    /// A program header.
    ProgramHeader,
    /// A section header.
    SectionHeader,
    /// A load command.
    LoadCommand,
    /// A PE data directory.
    Directory,
    /// An entry of the dynamic section.
    Dynamic,
    /// A name in a string table.
    String,
    /// The interpreter's name.
    Interpreter,
    /// A symbol version.
    Version,
    /// A symbol.
    Symbol,
    /// A hash table of symbols.
    Hash,
    /// A relocation, or a fixup.
    Relocation,
    /// Something imported.
    Import,
    /// Something exported.
    Export,
    /// A note.
    Note,
    /// The build-id or UUID.
    BuildId,
    /// A checksum.
    Checksum,
    /// A code signature, or a certificate.
    Signature,
    /// Machine code.
    Code,
    /// Data of the program.
    Data,
    /// Tables for unwinding the stack.
    Unwind,
    /// Debug information.
    Debug,
    /// Bytes that belong to nothing.
    Padding,
    /// Anything else.
    Other,
}

/// One stretch of differing bytes. Where what differs reaches over the edge of a section or table it is told in two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Run {
    /// Where it begins: in the first file, but for an inserted run in the second.
    pub offset: u64,
    /// The place in the other file that belongs to it.
    pub other_offset: u64,
    /// Its length in bytes.
    pub len: u64,
    /// What happened there.
    pub kind: RunKind,
    /// The part of the file it lies in: `.dynamic`, `program headers`.
    pub region: Option<String>,
    /// What kind of bytes they are.
    pub class: Class,
    /// What the bytes are, old and new.
    pub meaning: Option<String>,
    /// The edits that explain it, by their place in `edits`; empty when none does, null when no edits are known.
    pub explained_by: Option<Vec<usize>>,
}

/// What happened to a run of bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RunKind {
    /// Other bytes in the same place.
    Changed,
    /// Bytes of the second file that the first has not.
    Inserted,
    /// Bytes of the first file that the second has not.
    Removed,
}

/// One difference in structure.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StructureChange {
    /// What: `NEEDED 1`, `RPATH`, `segment PT_LOAD (2)`.
    pub what: String,
    /// Before; null when it was not there.
    pub before: Option<String>,
    /// After; null when it is no longer there.
    pub after: Option<String>,
}
