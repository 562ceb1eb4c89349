//! The built-in editor of ELF files: SONAME, RPATH and NEEDED, all of one edit at once, nothing else moved.
//!
//! It reads the tables, never the whole file, and writes only what changes. What fits where it is stays there; else the ways
//! of making room are weighed, and the least invasive is taken.

mod apply;
mod changes;
mod encode;
mod entries;
mod fit;
mod headers;
mod layout;
mod padding;
mod placement;
mod plan;
mod redundant;
mod references;
mod room;
mod shift;
mod strings;
mod symbols;
mod tally;
mod versions;
mod weigh;
mod write;

pub(super) use versions::unversioned;

use super::facts::{Facts, Stop};
use super::proof::Expected;
use super::rewrite::{Shifting, Write, carry_out};
use super::{EditPlan, EditRefusal, EditRequest, Editor};
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};
use std::path::Path;
use tally::Tally;

/// What the editor may do to a file, where the requests leave it open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct EditOptions {
    /// Refuse an edit that would take `.dynamic` out of RELRO.
    pub keep_relro: bool,
    /// Align new segments to this, a power of two in bytes; by default to the largest page of the machine.
    pub page_size: Option<u64>,
}

/// The built-in editor.
#[derive(Debug, Clone, Copy, Default)]
pub struct Builtin {
    /// What it may do.
    pub options: EditOptions,
}

/// A plan, and what it is proven to make of its file.
type Proven = (EditPlan, Expected);

impl Builtin {
    /// Plans `requests` on `source`, and proves the result before anything is written.
    fn prove(&self, source: &dyn ReadAt, requests: &[EditRequest]) -> Result<Result<Proven, EditRefusal>> {
        let tally = Tally::of(source);
        let planned = Facts::read(&tally).and_then(|facts| plan::plan(&tally, &facts, requests, &self.options));
        let mut plan = match planned {
            Ok(plan) => plan,
            Err(Stop::Refusal(refusal)) => return Ok(Err(refusal)),
            Err(Stop::Error(error)) => return Err(error),
        };
        let expected = Expected::of(&tally, &plan)?;
        if let Some(refusal) = expected.refusal() {
            return Ok(Err(refusal));
        }
        if !plan.is_empty() {
            // Applying plans and proves once more to compare, and reads again what was proven of the result.
            plan.reads = tally.bytes_read().saturating_add(expected.reads());
        }
        Ok(Ok((plan, expected)))
    }
}

impl Editor for Builtin {
    fn name(&self) -> &'static str {
        "builtin"
    }

    fn plan(&self, source: &dyn ReadAt, requests: &[EditRequest]) -> Result<Result<EditPlan, EditRefusal>> {
        Ok(self.prove(source, requests)?.map(|(plan, _)| plan))
    }

    fn apply(&self, path: &Path, plan: &EditPlan, context: &Context) -> Result<()> {
        self.apply_by(path, plan, &mut |file| carry_out(file, path, plan, Shifting::Allowed, context).map(|_| ()))
    }

    fn apply_by(&self, path: &Path, plan: &EditPlan, write: Write<'_>) -> Result<()> {
        apply::apply(self, path, plan, write)
    }
}
