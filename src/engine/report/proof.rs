//! The proof of an edit: what was checked of the edited file, with what result, and its hardening before and after.

use super::audit::Hardening;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What was checked of one edited file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Proof {
    /// The checks, in their order; those behind one that makes them impossible are left out.
    pub checks: Vec<Check>,
    /// The file's hardening before the edit.
    pub hardening_before: Hardening,
    /// Its hardening after the edit; null when the result can't be read at all.
    pub hardening_after: Option<Hardening>,
}

/// One check of an edited file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// What was checked.
    pub what: Checked,
    /// Whether the file passed.
    pub ok: bool,
    /// What is wrong, in words; empty where nothing is.
    pub detail: String,
}

/// What is checked of an edited file. What was wrong before, and is so still, passes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Checked {
    /// The plan's writes don't lie on one another, and stand in a file of the planned size.
    Plan,
    /// The ELF header and the header tables can be read, and say of the file what they said.
    Header,
    /// The program headers lie where the kernel and the loader look for them, in the order that they want.
    ProgramHeaders,
    /// The `PT_LOAD`s: order, alignment, bytes in the file, no overlap; and all of before are there.
    Loads,
    /// The other segments lie in one `PT_LOAD` each, and all of before are there with the same bytes.
    Segments,
    /// The dynamic section ends, lies where it is looked for, and its tables lie in loaded bytes of their length.
    Dynamic,
    /// The tables that the dynamic section leads to hold what they held.
    Tables,
    /// The sections agree with the segments and the dynamic section.
    Sections,
    /// The bytes of the sections, and everything else that is loaded, are what they were.
    Contents,
    /// Every dynamic string that something refers to reads as before.
    Strings,
    /// Symbol versions are asked of the libraries that are needed, under their hashes.
    Versions,
    /// What was requested holds, and no other name has changed.
    Requests,
    /// What RELRO covered it covers still, `.dynamic` as the plan says.
    Relro,
    /// Nothing became writable and executable, and the hardening is as before.
    Protection,
}

impl Proof {
    /// The first check that failed; `None` when the edit is proven.
    #[must_use]
    pub fn failure(&self) -> Option<&Check> {
        self.checks.iter().find(|check| !check.ok)
    }
}

impl Checked {
    /// It in words, for a sentence.
    #[must_use]
    pub const fn words(self) -> &'static str {
        match self {
            Self::Plan => "the plan",
            Self::Header => "the header",
            Self::ProgramHeaders => "the program headers",
            Self::Loads => "the loaded segments",
            Self::Segments => "the other segments",
            Self::Dynamic => "the dynamic section",
            Self::Tables => "the dynamic section's tables",
            Self::Sections => "the sections",
            Self::Contents => "the contents",
            Self::Strings => "the dynamic strings",
            Self::Versions => "the symbol versions",
            Self::Requests => "the requests",
            Self::Relro => "RELRO",
            Self::Protection => "the protection",
        }
    }
}
