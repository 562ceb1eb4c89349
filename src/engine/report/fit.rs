//! How an edit fits into its file: the room there is, the ways that were weighed, and the layout before and after.
//!
//! It is worked out with the plan of the edit, and stands beside it in every document that shows the plan.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How one edit fits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Fit {
    /// The way that was chosen.
    pub strategy: Strategy,
    /// Where there is room, and how much of it the edit needs; only places that this edit has a use for.
    pub rooms: Vec<Room>,
    /// Every way, from the least to the most invasive, with what became of it.
    pub considered: Vec<Considered>,
    /// What the edit does to the file besides what was asked for, a sentence each.
    pub consequences: Vec<String>,
    /// What becomes of `.dynamic` under RELRO.
    pub relro: RelroFate,
    /// Zeros that come to stand in the file before anything is written; what stood there moves up.
    pub inserted: Option<Inserted>,
    /// The file's layout before.
    pub before: Shape,
    /// The file's layout after.
    pub after: Shape,
}

/// The ways of making room, from the least to the most invasive.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Strategy {
    /// Everything is written where such things stand already.
    InPlace,
    /// What does not fit goes into the padding behind the RELRO segment's bytes; one page is inserted into the file there
    /// unless the file has room.
    RelroPadding,
    /// `.dynamic` goes into the RELRO padding, `.dynstr` into a new read-only segment.
    RelroPaddingAndSegment,
    /// `.dynstr` goes into a new read-only segment whose program header takes the place of one that nobody needs.
    StringsSegment,
    /// A new read-only segment at the end of the file takes what does not fit; sections behind the program headers make way
    /// for its header, or the program headers move.
    Appended,
    /// As before, and `.dynamic` moves into that segment too: RELRO no longer covers it.
    DynamicMoved,
}

/// What becomes of `.dynamic` under RELRO (read-only after relocation).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RelroFate {
    /// It was not covered before.
    None,
    /// It stays covered.
    Kept,
    /// It leaves the covered range, and stays writable while the program runs.
    Lost,
}

/// A place with room.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Room {
    /// Which.
    pub place: RoomPlace,
    /// Bytes that the edit needs there; null where it needs none.
    pub need: Option<u64>,
    /// Bytes that there are.
    pub room: u64,
    /// Where exactly, or what the room is made of, in words.
    pub detail: String,
}

/// The places that can have room.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RoomPlace {
    /// Spare `DT_NULL` entries behind the dynamic section's last entry.
    SpareEntries,
    /// Dynamic entries that say what others say too.
    RedundantEntries,
    /// Unused bytes in the dynamic string table: nothing refers to them.
    UnusedStrings,
    /// Unused bytes behind the dynamic string table.
    StringSlack,
    /// The interpreter's own place.
    Interpreter,
    /// Memory between the end of the RELRO segment's bytes and the end of its last page.
    RelroPadding,
    /// Room for one more program header.
    ProgramHeaders,
    /// The segment that an earlier edit appended, which can grow.
    OwnSegment,
}

/// One way of making room, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Considered {
    /// The way.
    pub strategy: Strategy,
    /// What became of it.
    pub verdict: Verdict,
    /// Bytes that are needed where they are short; null where bytes are not what is short.
    pub need: Option<u64>,
    /// Bytes that there are.
    pub room: Option<u64>,
    /// Why, in words.
    pub why: String,
}

/// What became of a way.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It is taken.
    Chosen,
    /// It can't be taken.
    Refused,
    /// It was not needed: a less invasive one will do.
    NotNeeded,
}

/// Bytes that are inserted into a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Inserted {
    /// Where, in bytes from the file's start.
    pub offset: u64,
    /// How many bytes.
    pub length: u64,
}

/// The layout of a file: what the loader maps, and the sections.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Shape {
    /// The file's size in bytes.
    pub size: u64,
    /// The program headers, in the file's order.
    pub segments: Vec<ShapePart>,
    /// The sections that have a place in the file or in memory, in the file's order.
    pub sections: Vec<ShapePart>,
}

/// A segment or a section.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ShapePart {
    /// Its type (`LOAD`) or name (`.dynamic`).
    pub name: String,
    /// `R`, `W`, `E` as far as they are set; for a section `A`, `W`, `X`.
    pub flags: String,
    /// Where its bytes stand in the file.
    pub offset: u64,
    /// How many there are in the file.
    pub size: u64,
    /// Its virtual address; 0 for what is not loaded.
    pub address: u64,
    /// Its length in memory in bytes; 0 for what is not loaded.
    pub memory: u64,
}
