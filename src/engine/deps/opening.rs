//! Opening a library by name at run time, as dlopen(3), dlmopen(3) and LoadLibrary do: what is asked, and what came of it.
//!
//! The rules stand in `load::open` and, for places, in `glibc`, `musl`, `dyld` and `windows`.

use super::graph::Node;
use crate::engine::binary::Name;
use crate::engine::report::audit::{Candidate, FoundBy};
use crate::engine::report::dlopen::OpeningOutcome;
use std::path::Path;

/// Whose code opens: its search path counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Caller<'a> {
    /// The artifact.
    Artifact,
    /// The object of the artifact's tree that is needed by this name or has it as its SONAME.
    Object(&'a Name),
    /// A file that is loaded besides.
    File(&'a Path),
    /// Code that has no search path of its own: Python's `_ctypes`, as distributions build it.
    Stranger,
}

/// Where it is loaded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Namespace {
    /// Where everything else is.
    Base,
    /// In a namespace of its own (`LM_ID_NEWLM`), in which nothing but ld.so is loaded yet.
    New,
}

/// One opening.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Open<'a> {
    /// The name that is passed.
    pub name: &'a Name,
    /// Who passes it.
    pub caller: Caller<'a>,
    /// Where to.
    pub namespace: Namespace,
}

/// What it comes to.
#[derive(Debug, Clone)]
pub struct Opened {
    /// The outcome; never `Unknown`.
    pub outcome: OpeningOutcome,
    /// The object that answers, with its path.
    pub node: Option<Node>,
    /// What found it; `None` for what is missing, and for parts of the system that are no files.
    pub found_by: Option<FoundBy>,
    /// The files that were tried before, in order.
    pub candidates: Vec<Candidate>,
    /// What it needs and does not get, with who needs it.
    pub missing: Vec<String>,
    /// The libraries that come into the process with it, itself first, with what found each.
    pub brings: Vec<(Node, Option<FoundBy>)>,
    /// What there is to say besides.
    pub note: Option<String>,
}
