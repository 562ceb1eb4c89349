//! Which logged edit brought a differing byte about: "explained by set RUNPATH", or explained by nothing, which is a finding.
//!
//! Where our own editor planned the edit, every byte is known beforehand ([`exact`]); else the two files are asked what the
//! requests can have done ([`said`]). Runs are told in two where their parts have other causes. That a run is machine code,
//! and what it says, is left to the regions.

mod claims;
mod dynamic;
mod exact;
mod finding;
mod headers;
mod log;
mod logged;
mod object;
mod remnants;
mod said;
mod segments;
mod strings;
mod symbols;
mod versions;
mod wishes;

use super::alignment::ByteRun;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::{DiffDocument, Run, RunKind};
use crate::engine::{Error, Result};
use exact::Exact;
pub use finding::UNEXPLAINED;
pub use log::{made_of, read_log};
pub use logged::Logged;
use said::Said;

/// What explains the bytes of two files.
pub struct Explanation<'a> {
    exact: Option<Exact<'a>>,
    said: Option<Said<'a>>,
    /// All requests.
    all: Vec<usize>,
}

/// A run, or a part of one, and the requests that explain it, by their place among all; none when nothing does.
pub type Explained = (ByteRun, Vec<usize>);

/// `runs` with what explains them, told in two where two parts of a run have other causes. Without an
/// explanation nothing is known of any of them.
///
/// # Errors
/// When a file can't be read.
pub fn explained(
    explanation: Option<&Explanation<'_>>,
    runs: &[ByteRun],
) -> Result<Vec<(ByteRun, Option<Vec<usize>>)>> {
    let Some(explanation) = explanation else { return Ok(runs.iter().map(|run| (*run, None)).collect()) };
    let mut explained = Vec::with_capacity(runs.len());
    for run in runs {
        explained.extend(explanation.explain(*run)?.into_iter().map(|(part, causes)| (part, Some(causes))));
    }
    Ok(explained)
}

/// Counts the listed runs of `document` that nothing explains, and reports them.
pub fn count(document: &mut DiffDocument) {
    if document.edits.is_some() {
        let is_unexplained = |run: &&Run| run.explained_by.as_ref().is_some_and(Vec::is_empty);
        document.unexplained = Some(document.runs.iter().filter(is_unexplained).count() as u64);
        document.findings.extend(finding::unexplained(document));
    }
}

impl<'a> Explanation<'a> {
    /// How `edits` made `new` of `old`. Files that are no readable ELF files are explained by an exact plan only.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn of(old: &'a dyn ReadAt, new: &'a dyn ReadAt, edits: &'a [Logged]) -> Result<Self> {
        let requests: Vec<_> = edits.iter().flat_map(|edit| edit.requests.iter().cloned()).collect();
        let all = (0..requests.len()).collect();
        let exact = match edits {
            [one] => one.plan.as_ref().and_then(|plan| Exact::new(old, new, plan)),
            _ => None,
        };
        let said = match Said::read(old, new, requests) {
            Ok(said) => Some(said),
            Err(Error::Malformed { .. }) => None,
            Err(error) => return Err(error),
        };
        Ok(Self { exact, said, all })
    }

    /// `run` in the parts that the same requests explain, or none, in their order.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn explain(&self, run: ByteRun) -> Result<Vec<Explained>> {
        let is_in_first = run.kind == RunKind::Removed;
        let (start, mut parts) = (if is_in_first { run.a } else { run.b }, Vec::<Explained>::new());
        let (mut at, end) = (start, start.saturating_add(run.len));
        while at < end {
            let (causes, stop) = self.causes(is_in_first, at, end)?;
            let stop = stop.clamp(at + 1, end);
            let (done, len) = (at - start, stop - at);
            match parts.last_mut() {
                Some((part, known)) if *known == causes => part.len += len,
                _ => {
                    let a = if run.kind == RunKind::Inserted { run.a } else { run.a + done };
                    let b = if is_in_first { run.b } else { run.b + done };
                    parts.push((ByteRun { kind: run.kind, a, b, len }, causes));
                }
            }
            at = stop;
        }
        Ok(parts)
    }

    /// What explains the byte at `offset`, and how far this holds.
    fn causes(&self, is_in_first: bool, offset: u64, end: u64) -> Result<(Vec<usize>, u64)> {
        let said = |end: u64| match &self.said {
            None => Ok((Vec::new(), end)),
            Some(said) => {
                let told = if is_in_first { said.in_first(offset, end) } else { said.in_second(offset, end) };
                match told {
                    // What can't be read explains nothing.
                    Err(Error::Malformed { .. }) => Ok((Vec::new(), offset + 1)),
                    other => other,
                }
            }
        };
        let Some(exact) = &self.exact else { return said(end) };
        let (is_made, stop) = if is_in_first { exact.in_first(offset, end)? } else { exact.in_second(offset, end)? };
        if !is_made {
            return Ok((Vec::new(), stop));
        }
        let (causes, stop) = said(stop)?;
        // What makes room serves all that the plan was made for.
        Ok((if causes.is_empty() { self.all.clone() } else { causes }, stop))
    }
}
