//! The proof of an edit: the result is read again, compared with the plan, and checked as kernel and loaders would.
//!
//! It is made before anything is written, on the plan laid over the source ([`Overlay`], [`Expected`]), and confirmed on the
//! written file. What was wrong with a file before and is so still is no failure: many odd files load fine. The editor is
//! not asked for its opinion; only what the plan says is taken from it.

mod contents;
mod dynamic;
mod expected;
mod headers;
mod loads;
mod overlay;
mod plan;
mod protection;
mod requests;
mod sections;
mod segments;
mod state;
mod strings;
mod tables;
mod versions;

pub use expected::Expected;
pub use overlay::Overlay;

use super::EditPlan;
use super::facts::Stop;
use crate::engine::file::ReadAt;
use crate::engine::report::proof::{Check, Checked, Proof};
use crate::engine::{Error, Result};
use plan::Laid;
use state::State;

/// More faults than these are not told of one check.
const MOST_TOLD: usize = 4;
/// What to do about an edit that is not proven.
const WAY_OUT: &str = "leave it as it is, or link it again";

/// Proves that `after` is what `plan` was to make of `before`, and that it loads as that did.
///
/// # Errors
/// When `before` can't be read as a file that can be edited, or the system refuses to read. A damaged `after` is a check
/// that fails.
pub fn prove(before: &dyn ReadAt, after: &dyn ReadAt, plan: &EditPlan) -> Result<Proof> {
    let old = State::read(before).map_err(|stop| match stop {
        Stop::Error(error) => error,
        Stop::Refusal(refusal) => {
            Error::Refused { path: before.path().to_path_buf(), reason: refusal.reason, way_out: refusal.way_out }
        }
    })?;
    let laid = Laid::new(plan);
    let mut proof = Proof { checks: Vec::new(), hardening_before: old.hardening(), hardening_after: None };
    proof.checks.push(check(Checked::Plan, told(laid.faults(plan, before, after))?));
    let new = match State::read(after) {
        Ok(new) => new,
        Err(Stop::Error(error @ Error::Malformed { .. })) => {
            proof.checks.push(check(Checked::Header, vec![error.to_string()]));
            return Ok(proof);
        }
        Err(Stop::Error(error)) => return Err(error),
        Err(Stop::Refusal(refusal)) => {
            proof.checks.push(check(Checked::Header, vec![refusal.reason]));
            return Ok(proof);
        }
    };
    proof.hardening_after = Some(new.hardening());
    let requests = plan.requests.as_slice();
    let mut add = |what: Checked, faults: &dyn Fn(&State<'_>) -> Result<Vec<String>>, changes: Result<Vec<String>>| {
        let found = fresh(&told(faults(&old))?, told(faults(&new))?, told(changes)?);
        proof.checks.push(check(what, found));
        Ok::<(), Error>(())
    };
    add(Checked::Header, &|state| Ok(headers::faults(state)), Ok(headers::changes(&old, &new, requests)))?;
    add(Checked::ProgramHeaders, &|state| Ok(headers::program_headers(state)), Ok(Vec::new()))?;
    add(Checked::Loads, &|state| Ok(loads::faults(state)), Ok(loads::losses(&old, &new, &laid)))?;
    add(Checked::Segments, &segments::faults, segments::losses(&old, &new, &laid, requests))?;
    add(Checked::Dynamic, &|state| Ok(dynamic::faults(state)), Ok(dynamic::changes(&old, &new)))?;
    add(Checked::Tables, &tables::faults, tables::changes(&old, &new, &laid))?;
    add(Checked::Sections, &|state| Ok(sections::faults(state)), sections::changes(&old, &new, &laid))?;
    add(Checked::Contents, &none, contents::changes(&old, &new, &laid, requests))?;
    add(Checked::Strings, &none, strings::changes(&old, &new))?;
    add(Checked::Versions, &versions::faults, versions::changes(&old, &new, &laid, requests))?;
    add(Checked::Requests, &none, requests::changes(&old, &new, requests))?;
    add(Checked::Relro, &none, Ok(protection::relro(&old, &new, plan)))?;
    add(Checked::Protection, &|state| Ok(protection::faults(state)), Ok(protection::changes(&old, &new, plan)))?;
    Ok(proof)
}

fn reason(failure: &Check) -> String {
    format!("the edited file would not stand its proof: {}: {}", failure.what.words(), failure.detail)
}

fn none(_: &State<'_>) -> Result<Vec<String>> {
    Ok(Vec::new())
}

/// What can't be read is a fault, and the same one before and after; what the system refuses is an error.
fn told(faults: Result<Vec<String>>) -> Result<Vec<String>> {
    match faults {
        Err(Error::Malformed { .. }) => Ok(vec!["something that it leads to does not lie in the file".to_owned()]),
        other => other,
    }
}

/// The faults of `new`, and the `changes`, that are not faults of `old` already.
fn fresh(old: &[String], new: Vec<String>, changes: Vec<String>) -> Vec<String> {
    new.into_iter().chain(changes).filter(|fault| !old.contains(fault)).collect()
}

fn check(what: Checked, faults: Vec<String>) -> Check {
    let more = faults.len().saturating_sub(MOST_TOLD);
    let mut told = faults.iter().take(MOST_TOLD).map(String::as_str).collect::<Vec<_>>().join("; ");
    if more > 0 {
        told.push_str(&format!("; and {more} more"));
    }
    Check { what, ok: faults.is_empty(), detail: told }
}
