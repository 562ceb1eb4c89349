//! `wheelwright/elf/1`: what `wheelwright elf` found in each file, what it will do or has done to it, and what came of it.

use super::audit::{Hardening, ReadError};
use super::edits::LoggedEdit;
use super::fit::Fit;
use super::lossy;
use super::proof::Proof;
use crate::engine::binary::elf::{self, os_abi_name};
use crate::engine::binary::{RunPath, RunPathTag, Slice};
use crate::engine::repair::rewrite::{Inserted, Taken, Written};
use crate::engine::repair::{EditPlan, EditRefusal, Patch, describe_request};
use goblin::elf::header::EI_OSABI;
use goblin::elf::program_header::{PF_X, PT_GNU_STACK};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The whole document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElfDocument {
    /// Always `wheelwright/elf/1`.
    pub schema: String,
    /// Whether this is what would be done, and nothing was written.
    pub dry_run: bool,
    /// The files, in the order in which they were given.
    pub files: Vec<ElfFile>,
}

/// One file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElfFile {
    /// Its path.
    #[serde(serialize_with = "super::lossy::path")]
    pub path: PathBuf,
    /// Where the result goes; null when that is the file itself.
    #[serde(serialize_with = "super::lossy::option")]
    pub output: Option<PathBuf>,
    /// What it is before; null when it can't be read.
    pub before: Option<ElfState>,
    /// What is asked of it, in words.
    pub asked: Vec<String>,
    /// What is done to it; null when it can't be read, the edit is refused, or nothing was asked for.
    pub plan: Option<ElfPlan>,
    /// What was checked of the planned result before anything was written; null when nothing is changed.
    pub proof: Option<Proof>,
    /// Why the edit can't be made; null when it can.
    pub refusal: Option<ElfRefusal>,
    /// How the result was written; null when nothing was.
    pub written: Option<ElfWritten>,
    /// What the result is, read again; null when nothing was written.
    pub after: Option<ElfState>,
    /// What went wrong; null when nothing did.
    pub error: Option<ReadError>,
}

/// What the loader reads of a file, as far as it can be edited.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElfState {
    /// The file's size in bytes.
    pub size: u64,
    /// The machine: `x86_64`, `aarch64`.
    pub arch: String,
    /// `EI_OSABI` by name: `System V`, `Linux`; a number without a name as `0x61`.
    pub os_abi: String,
    /// The interpreter; null when it names none.
    pub interpreter: Option<String>,
    /// The SONAME; null when it has none.
    pub soname: Option<String>,
    /// The needed names, in the file's order.
    pub needed: Vec<String>,
    /// The search path that counts: the RUNPATH where there are both; null when there is none.
    pub rpath: Option<ElfRunPath>,
    /// Whether it asks for an executable stack; null when it does not say (no `PT_GNU_STACK`).
    pub execstack: Option<bool>,
    /// Its hardening.
    pub hardening: Option<Hardening>,
}

/// A search path.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElfRunPath {
    /// Which kind of entry.
    pub tag: RunPathTag,
    /// As it stands in the file.
    pub text: String,
}

/// What is done to a file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElfPlan {
    /// What was asked for and is not there yet, in words; none when there is nothing to do.
    pub changes: Vec<String>,
    /// How room is made, in words.
    pub layout: String,
    /// Zeros that are inserted before anything is written; null when none are.
    pub insertion: Option<ElfInsertion>,
    /// The writes, by offset after the insertion.
    pub patches: Vec<ElfPatch>,
    /// The file's size before, in bytes.
    pub size_before: u64,
    /// The file's size after; null when it is not known beforehand.
    pub size_after: Option<u64>,
    /// The most bytes that are read.
    pub reads: u64,
    /// The most bytes that are written.
    pub writes: u64,
    /// The bytes behind the insertion, which are read and written once more where the filesystem can't insert.
    pub shifted: u64,
    /// Room, ways and layouts; null when there is nothing to do.
    pub fit: Option<Fit>,
    /// The changes as typed data; null in documents of before there was such.
    pub edits: Option<Vec<LoggedEdit>>,
}

/// Zeros that are inserted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElfInsertion {
    /// Where, in bytes from the file's start.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// One write.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElfPatch {
    /// Where, in bytes from the file's start.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
    /// What they are.
    pub meaning: String,
}

/// Why an edit can't be made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElfRefusal {
    /// Why not.
    pub reason: String,
    /// What can be done instead.
    pub way_out: String,
    /// Bytes that the edit needs; null where room is not what is missing.
    pub need: Option<u64>,
    /// Bytes that there are.
    pub room: Option<u64>,
}

/// How a result was written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ElfWritten {
    /// The file that holds the result.
    #[serde(serialize_with = "super::lossy::path")]
    pub to: PathBuf,
    /// How.
    pub way: ElfWay,
    /// Whether the result shares the old file's blocks (a reflink).
    pub cloned: bool,
    /// How the insertion was made; null when there was none.
    pub inserted: Option<ElfInserted>,
    /// Bytes written: the copy unless it shares blocks, the undo log, what an insertion moved, and the edit.
    pub bytes_written: u64,
    /// What the user should know of how it was written; null when there is nothing.
    pub note: Option<String>,
}

/// The ways of writing a result.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ElfWay {
    /// A copy beside the file was edited, and took the file's name.
    Swapped,
    /// The file itself was edited, under an undo log.
    InPlace,
    /// A copy was edited and stands under the name that was asked for.
    Output,
}

/// How zeros were inserted into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ElfInserted {
    /// The file was made longer: nothing stood behind them.
    Extended,
    /// The filesystem inserted blocks.
    Blocks,
    /// What stood behind them was read and written once more.
    Shifted,
}

impl ElfState {
    /// What `slice` says.
    #[must_use]
    pub fn of(slice: &Slice) -> Self {
        let details = slice.elf.as_ref();
        let ident = details.and_then(|details| details.tables.header.e_ident.get(EI_OSABI)).copied().unwrap_or(0);
        Self {
            size: slice.size,
            arch: slice.arch.name.clone(),
            os_abi: os_abi_name(ident),
            interpreter: slice.interpreter.as_ref().map(lossy::text),
            soname: slice.soname.as_ref().map(lossy::text),
            needed: slice.needed.iter().map(|needed| lossy::text(&needed.name)).collect(),
            rpath: heeded(slice).map(|path| ElfRunPath { tag: path.tag, text: lossy::text(&path.text) }),
            execstack: asks_for_execstack(slice),
            hardening: details.map(|details| elf::hardening(&details.tables)),
        }
    }
}

impl From<&EditPlan> for ElfPlan {
    fn from(plan: &EditPlan) -> Self {
        let patch = |patch: &Patch| ElfPatch {
            offset: patch.offset,
            length: patch.bytes.len() as u64,
            meaning: patch.meaning.clone(),
        };
        Self {
            changes: plan.requests.iter().map(describe_request).collect(),
            layout: plan.layout.clone(),
            insertion: plan.insertion.map(|zeros| ElfInsertion { offset: zeros.offset, length: zeros.length }),
            patches: plan.patches.iter().map(patch).collect(),
            size_before: plan.size_before,
            size_after: plan.size_after,
            reads: plan.reads,
            writes: plan.writes,
            shifted: plan.shifted,
            fit: plan.fit.clone(),
            edits: Some(LoggedEdit::list(&plan.requests)),
        }
    }
}

impl ElfWritten {
    /// `written` as it is told, with the result in `to`; `None` where nothing was written.
    #[must_use]
    pub fn of(written: &Written, to: PathBuf, is_output: bool) -> Option<Self> {
        let way = match written.way {
            _ if is_output => ElfWay::Output,
            Taken::Nothing => return None,
            Taken::Beside => ElfWay::Swapped,
            Taken::InPlace => ElfWay::InPlace,
        };
        let inserted = match written.inserted {
            None | Some(Inserted::Unavailable) => None,
            Some(Inserted::Extended) => Some(ElfInserted::Extended),
            Some(Inserted::Blocks) => Some(ElfInserted::Blocks),
            Some(Inserted::Shifted) => Some(ElfInserted::Shifted),
        };
        let (cloned, bytes_written, note) = (written.cloned, written.bytes_written, written.note.clone());
        Some(Self { to, way, cloned, inserted, bytes_written, note })
    }
}

impl From<&EditRefusal> for ElfRefusal {
    fn from(refusal: &EditRefusal) -> Self {
        Self {
            reason: refusal.reason.clone(),
            way_out: refusal.way_out.clone(),
            need: refusal.need,
            room: refusal.room,
        }
    }
}

/// The search path that counts: a `DT_RUNPATH` makes the loader pass over a `DT_RPATH` (ld.so(8)).
#[must_use]
pub fn heeded(slice: &Slice) -> Option<&RunPath> {
    slice.run_paths.iter().find(|path| path.tag == RunPathTag::Runpath).or(slice.run_paths.first())
}

/// Whether `slice` asks for an executable stack; `None` when it has no `PT_GNU_STACK`.
#[must_use]
pub fn asks_for_execstack(slice: &Slice) -> Option<bool> {
    let segments = &slice.elf.as_ref()?.tables.segments;
    segments.iter().find(|segment| segment.p_type == PT_GNU_STACK).map(|stack| stack.p_flags & PF_X != 0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary::Name;
    use crate::engine::report::to_json;

    #[test]
    fn a_name_that_is_not_utf8_has_its_bytes_beside_it() {
        let state = ElfState {
            size: 1,
            arch: "x86_64".into(),
            os_abi: "Linux".into(),
            interpreter: None,
            soname: Some(lossy::text(&Name::new(*b"a\xff"))),
            needed: vec![lossy::text(&Name::new(*b"b")), lossy::text(&Name::new(*b"\xfe"))],
            rpath: None,
            execstack: None,
            hardening: None,
        };
        let text = to_json(&state).unwrap();
        let value: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(value["soname"], "a\u{fffd}");
        assert_eq!(value["soname_bytes"], "61ff");
        assert_eq!(value["needed_bytes"], serde_json::json!([null, "fe"]));
        assert_eq!(value["interpreter"], serde_json::Value::Null);
    }
}
