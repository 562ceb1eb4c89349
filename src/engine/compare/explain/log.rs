//! Logged edits from a document: what `run`, `plan` or `elf` wrote with `--json`.
//!
//! The bytes of an edit are in no document. Where our own editor made it, the same plan is made again on the first file; if
//! that is the plan that the document tells of, every byte is known.

use super::Logged;
use crate::engine::compare::Input;
use crate::engine::file::{ReadAt, sha256_of};
use crate::engine::repair::{Builtin, EditPlan, EditRequest, Editor};
use crate::engine::report::edits::LoggedEdit;
use crate::engine::report::elf::ElfDocument;
use crate::engine::report::fit::Fit;
use crate::engine::report::plan::{PlanDocument, PlannedEffect};
use crate::engine::report::run::RunDocument;
use crate::engine::{Context, Error, Result};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

/// A longer document is not read.
const LONGEST: u64 = 256 << 20;
/// As many files of a document are named where none is the one that is asked for.
const MOST_NAMED: usize = 5;

/// What a document says of one file.
struct Entry {
    paths: Vec<PathBuf>,
    sha256: Option<String>,
    edits: Option<Vec<LoggedEdit>>,
    fit: Option<Fit>,
}

#[derive(Deserialize)]
struct Head {
    schema: Option<String>,
}

/// The edits that the document `path` tells of `b`, which were made on `a`: those of the entry with `b`'s path or its
/// content, or those of the only entry.
///
/// # Errors
/// [`Error::Io`] when it can't be read, [`Error::Refused`] when it is no such document, or has nothing on `b`.
pub fn read_log(path: &Path, a: &Input, b: &Input, context: &Context) -> Result<Vec<Logged>> {
    let entries = entries(path, &text(path)?)?;
    let entry = the_one(path, entries, b, context)?;
    let Some(edits) = entry.edits else {
        return Err(refused(path, "does not say its edits as data", "write it again with this version of wheelwright"));
    };
    let requests: Option<Vec<EditRequest>> = edits.iter().map(LoggedEdit::request).collect();
    let Some(requests) = requests else {
        return Err(refused(path, "has an edit without the value that it sets", "write it again with --json"));
    };
    if requests.is_empty() {
        return Ok(Vec::new());
    }
    if let Some(fit) = entry.fit
        && let Ok(Ok(plan)) = Builtin::default().plan(&a.file, &requests)
        && plan.fit == Some(fit)
        && plan.requests == requests
    {
        return Ok(vec![Logged::of(&plan)]);
    }
    Ok(vec![Logged::asked(requests)])
}

fn refused(path: &Path, reason: impl Into<String>, way_out: impl Into<String>) -> Error {
    Error::Refused { path: path.to_path_buf(), reason: reason.into(), way_out: way_out.into() }
}

fn text(path: &Path) -> Result<Vec<u8>> {
    let file = File::open(path).map_err(Error::io("open", path))?;
    let mut bytes = Vec::new();
    file.take(LONGEST + 1).read_to_end(&mut bytes).map_err(Error::io("read", path))?;
    if bytes.len() as u64 > LONGEST {
        return Err(refused(path, "is longer than 256 MiB", "name what `wheelwright run --json` printed"));
    }
    Ok(bytes)
}

const DOCUMENTS: &str = "name what `run`, `plan` or `elf` printed with --json";

fn entries(path: &Path, text: &[u8]) -> Result<Vec<Entry>> {
    let no_document = |error: serde_json::Error| refused(path, format!("is no JSON document ({error})"), DOCUMENTS);
    let head: Head = serde_json::from_slice(text).map_err(no_document)?;
    let entries = match head.schema.as_deref() {
        Some("wheelwright/run/1") => {
            let document: RunDocument = document(path, text)?;
            let hash =
                |path: &Path| document.files.iter().find(|file| file.path == path).and_then(|file| file.after.clone());
            let effects = document.steps.iter().flat_map(|step| &step.effects).filter(|effect| effect.done);
            effects.filter_map(|effect| of_effect(&effect.effect, hash(&effect.effect.path))).collect()
        }
        Some("wheelwright/plan/1") => {
            let document: PlanDocument = document(path, text)?;
            document.steps.iter().flat_map(|step| &step.effects).filter_map(|effect| of_effect(effect, None)).collect()
        }
        Some("wheelwright/elf/1") => {
            let document: ElfDocument = document(path, text)?;
            let of = |file: crate::engine::report::elf::ElfFile| {
                let plan = file.plan?;
                let paths = vec![file.output.unwrap_or(file.path)];
                Some(Entry { paths, sha256: None, edits: plan.edits, fit: plan.fit })
            };
            document.files.into_iter().filter_map(of).collect()
        }
        Some(other) => return Err(refused(path, format!("is a document of schema {other}"), DOCUMENTS)),
        None => return Err(refused(path, "has no `schema`", DOCUMENTS)),
    };
    Ok(entries)
}

fn document<T: DeserializeOwned>(path: &Path, text: &[u8]) -> Result<T> {
    serde_json::from_slice(text)
        .map_err(|error| refused(path, format!("is not what its schema says ({error})"), DOCUMENTS))
}

fn of_effect(effect: &PlannedEffect, sha256: Option<String>) -> Option<Entry> {
    let paths = vec![effect.path.clone()];
    (effect.kind == "edit").then(|| Entry { paths, sha256, edits: effect.edits.clone(), fit: effect.fit.clone() })
}

/// The edit that `requests` made of `a`, when `b` came of it: with every byte, where our own editor makes a file of `b`'s
/// size of it that has what is written first.
///
/// # Errors
/// When a file can't be read.
pub fn made_of(a: &Input, b: &Input, requests: Vec<EditRequest>) -> Result<Logged> {
    let plan = match Builtin::default().plan(&a.file, &requests) {
        Ok(plan) => plan.ok(),
        Err(Error::Malformed { .. } | Error::Refused { .. }) => None,
        Err(error) => return Err(error),
    };
    let is_there = |plan: &EditPlan| {
        plan.requests == requests
            && plan.size_after == Some(b.size())
            && plan.patches.first().is_some_and(|patch| {
                b.file.bytes(patch.offset, patch.bytes.len() as u64).is_ok_and(|bytes| bytes == patch.bytes)
            })
    };
    Ok(match plan.filter(is_there) {
        Some(plan) => Logged::of(&plan),
        None => Logged::asked(requests),
    })
}

/// The entry of `b`.
fn the_one(path: &Path, mut entries: Vec<Entry>, b: &Input, context: &Context) -> Result<Entry> {
    let real = |path: &Path| std::fs::canonicalize(path).ok();
    let is_b = |entry: &Entry| {
        entry
            .paths
            .iter()
            .any(|path| *path == b.path || (b.member.is_none() && real(path).is_some() && real(path) == real(&b.path)))
    };
    if let Some(place) = entries.iter().position(is_b) {
        return Ok(entries.swap_remove(place));
    }
    if entries.len() > 1 && entries.iter().any(|entry| entry.sha256.is_some()) {
        let hash = sha256_of(b.file.file(), &b.path, context)?;
        if let Some(place) = entries.iter().position(|entry| entry.sha256.as_ref() == Some(&hash)) {
            return Ok(entries.swap_remove(place));
        }
    }
    match entries.len() {
        0 => Err(refused(path, "tells of no edit that was made", DOCUMENTS)),
        1 => Ok(entries.swap_remove(0)),
        count => {
            let named = entries.iter().flat_map(|entry| entry.paths.first()).take(MOST_NAMED);
            let named: Vec<String> = named.map(|path| path.display().to_string()).collect();
            let more = if count > MOST_NAMED { format!(" and {} more", count - MOST_NAMED) } else { String::new() };
            Err(refused(
                path,
                format!("tells of edits of {count} files, none of which is {}", b.path.display()),
                format!("compare with one of them: {}{more}", named.join(", ")),
            ))
        }
    }
}
