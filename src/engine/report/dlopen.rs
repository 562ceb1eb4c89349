//! Of `wheelwright/audit/1`: what an artifact may open at run time, and what would come of it.
//!
//! Nothing here is proof: names are read from files, and what is opened is decided while the program runs. What a run really
//! opened stands in `wheelwright/trace/1`, whether the bundle loads in `wheelwright/run/1`.

use super::audit::{Candidate, FoundBy};
use super::load::LoadReport;
use super::trace::LoadResult;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What is known of opening at run time.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DlopenReport {
    /// The functions by which the file opens libraries, as it imports them; by slice and name.
    pub imports: Vec<OpeningImport>,
    /// The calls of such functions, by slice and address; null where the code was not looked at or can't be read here.
    pub calls: Option<Vec<OpeningCall>>,
    /// The names that may be opened, the surest first and then by name; null where they were not looked for.
    pub candidates: Option<Vec<OpenedName>>,
    /// How many more candidates there are than are listed.
    pub left_out: u64,
    /// What is to be known of the search itself: a part that was not read, a file of Python that can't be parsed.
    pub notes: Vec<String>,
    /// What a traced run opened for this file and none of the candidates foresaw, by name; null where no trace was given.
    #[serde(default)]
    pub opened_unforeseen: Option<Vec<ObservedOpening>>,
}

/// An imported function that opens libraries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct OpeningImport {
    /// The slice's architecture.
    pub arch: String,
    /// The function: `dlopen`, `dlmopen`, `LoadLibraryExW`, `NSAddImage`.
    pub name: String,
    /// The library that it is imported from, where the file says so (PE, Mach-O).
    pub library: Option<String>,
    /// Whether it opens libraries itself (`dlopen`) or only finds symbols in opened ones (`dlsym`, `dlvsym`).
    pub opens: bool,
}

/// A call of a function that opens libraries.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct OpeningCall {
    /// The slice's architecture.
    pub arch: String,
    /// The call's address.
    pub address: u64,
    /// The function that is called.
    pub function: String,
    /// The function that calls, demangled, or `function at 0x…`; null where the file doesn't tell.
    pub caller: Option<String>,
    /// The name that is passed, where it is constant; null where it is made at run time, or comes from the caller's caller.
    pub passes: Option<String>,
    /// How the name comes about, in words: "a constant", "the caller's own argument", "made at run time", "null: the program itself".
    pub how: String,
}

/// How sure it is that a name is opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Confidence {
    /// The file says so itself, in a `.note.dlopen`.
    Declared,
    /// A call passes just this constant.
    Passed,
    /// A function that opens libraries, or calls one that does, refers to the text.
    Referred,
    /// A text of the file looks like a library's name.
    Text,
    /// A text of the file looks like a pattern that names are made of.
    Pattern,
}

/// A name that may be opened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct OpenedName {
    /// The name, as it would be passed.
    pub name: String,
    /// How sure it is.
    pub confidence: Confidence,
    /// Who opens it: the artifact's own code, or Python (`ctypes`, `cffi`), whose search path is another.
    pub caller: OpenedBy,
    /// Where it was seen, the surest first.
    pub evidence: Vec<NameEvidence>,
    /// What opening it would come to from where the artifact lies now; null where that was not worked out.
    pub would_resolve: Option<Opening>,
    /// The same in the bundle as it will be, on a machine that has nothing of the build; null where that was not worked out.
    pub in_bundle: Option<Opening>,
    /// The library under its name in the bundle, where another artifact or this one grafts it (WW008).
    pub grafted: Option<GraftedAs>,
    /// The verdict on the two above.
    pub verdict: OpenedVerdict,
    /// The verdict in one sentence, with its reason.
    pub why: String,
    /// The remedy to take: the first of those below that works; null where none is needed or known to work.
    pub remedy: Option<RemedyKind>,
    /// What could be done, and whether it helps; empty where nothing has to be done.
    pub remedies: Vec<Remedy>,
    /// What came of the name in a traced run, this file's own requests first; null where no trace was given. Empty where no
    /// request was seen: nobody asked, or the library was loaded already, in which case glibc says nothing.
    #[serde(default)]
    pub observed: Option<Vec<ObservedOpening>>,
}

/// What a traced run did with a name; equal requests are one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct ObservedOpening {
    /// Whether this file itself asked, by its path or its file name.
    pub by_artifact: bool,
    /// The name, as it was passed.
    pub name: String,
    /// What came of it.
    pub result: LoadResult,
    /// Who asked: the path that the loader knows it by; null where not known.
    #[serde(serialize_with = "super::lossy::option")]
    pub asked_by: Option<PathBuf>,
    /// The file that was loaded; null where none was.
    #[serde(serialize_with = "super::lossy::option")]
    pub path: Option<PathBuf>,
    /// The loader's words where it failed.
    pub error: Option<String>,
    /// How often, over all processes.
    pub times: u64,
}

/// Who opens a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpenedBy {
    /// The artifact's own code.
    Artifact,
    /// Python: the search is that of its `_ctypes` module.
    Python,
}

/// One place where a name was seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NameEvidence {
    /// `note` (`.note.dlopen`), `call`, `text`, `ctypes`, `cffi`.
    pub kind: String,
    /// The file in which it stands.
    #[serde(serialize_with = "super::lossy::path")]
    pub file: PathBuf,
    /// The section; null in a text file.
    pub section: Option<String>,
    /// The address as it is loaded; null in a text file or a part that is not loaded.
    pub address: Option<u64>,
    /// The line, from 1; null in a binary.
    pub line: Option<u64>,
    /// The function that refers to it, demangled; null where none is known.
    pub function: Option<String>,
    /// What a `.note.dlopen` says besides: feature, description, priority; else the text around it, where it is longer.
    pub detail: Option<String>,
}

/// What opening a name comes to.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Opening {
    /// The outcome.
    pub outcome: OpeningOutcome,
    /// The file; null where none is found. A file of the bundle is written `bundle:labext.libs/libgreet-47542e49.so.1`.
    pub path: Option<String>,
    /// Whose the file is.
    pub from: Option<FoundIn>,
    /// What found it.
    pub found_by: Option<FoundBy>,
    /// The files that were tried before, in order.
    pub candidates: Vec<Candidate>,
    /// Libraries that the file needs and that are not found, so that opening fails all the same.
    pub missing: Vec<String>,
    /// What there is to say besides: who loaded it first.
    pub note: Option<String>,
}

/// Whether opening works.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpeningOutcome {
    /// The search finds it, and all that it needs.
    Found,
    /// It is in the process already, for the artifact itself: always.
    Loaded,
    /// The search does not find it; only something else that was loaded before could answer for it.
    OnlyIfLoadedBefore,
    /// It is found nowhere.
    Missing,
    /// It is found, and something that it needs is not.
    Incomplete,
    /// It can't be said: the name is a pattern, or depends on the working directory or the caller.
    Unknown,
}

/// Whose a found file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FoundIn {
    /// The bundle's.
    Bundle,
    /// A library that the platform tag takes for granted, or the operating system's own.
    Policy,
    /// Of this machine's system: on another one it may not be there.
    System,
    /// Of the build: an absolute path, a linked path, a search path of the build machine.
    Build,
}

/// The verdict on a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OpenedVerdict {
    /// Works in the bundle, on every machine of its tag.
    Works,
    /// Works where the user's system has the library.
    SystemDependent,
    /// Works on this machine and not in the bundle.
    LostInBundle,
    /// The library is in the bundle under another name (WW008).
    Renamed,
    /// Works only after something else has loaded the library.
    ByLoadOrder,
    /// Is found nowhere, here neither.
    Missing,
    /// Nothing can be said.
    Unknown,
}

/// A library of the bundle under its name there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GraftedAs {
    /// The name that it is needed by.
    pub needed_as: String,
    /// Its name in the bundle.
    pub name: String,
    /// The artifacts that need it, by file name.
    pub because_of: Vec<String>,
}

/// What can be done about a name that is not found in the bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum RemedyKind {
    /// Give the artifact an RPATH to the libs directory.
    AddRpath,
    /// Graft the library under the name that is opened, and give the artifact an RPATH.
    KeepName,
    /// Let the artifact need the grafted library: a static dependency.
    AddNeeded,
    /// Let the grafted file keep its SONAME, and the artifact need it: the loader then knows it by the name that is opened.
    KeepSoname,
    /// Load the grafted library in the package's `__init__.py`, its SONAME kept.
    Preload,
    /// Link the library and call it directly: lines for `build.rs` or `Cargo.toml`.
    LinkIt,
}

/// One of them for one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Remedy {
    /// Which.
    pub kind: RemedyKind,
    /// What it would change, an item each: `labb.so: DT_RPATH = $ORIGIN/../labext.libs`.
    pub changes: Vec<String>,
    /// Whether it would help, by the loader's lens; null where that can't be said.
    pub helps: Option<bool>,
    /// Why, or why not, in one sentence.
    pub why: String,
    /// Lines to paste, for what is done in the sources; `sh`, `build.rs` or Python as the first line's comment says.
    pub lines: Vec<String>,
    /// Whether it is part of the plan now.
    pub adopted: bool,
    /// What came of trying it; null where it was not tried.
    pub tried: Option<LoadReport>,
}
