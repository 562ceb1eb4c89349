//! What differs between two files: which bytes, what they are, and what that makes of the structure.
//!
//! Bytes are compared at the same offset of both files; the tail of the longer one is a single run. The report is the
//! [`DiffDocument`]; printing it is left to others.

mod layout;
mod regions_elf;
mod regions_macho;
mod regions_pe;
mod runs;
mod structure;

use crate::engine::binary::{self, Binary, Format};
use crate::engine::file::{Identity, ReadAt, Windows};
use crate::engine::report::diff::{DiffDocument, Run, RunKind};
use crate::engine::{Context, Error, Result};
use layout::{Layout, Side, meaning};
use runs::{MOST_LISTED, Scan, scan};
use std::path::Path;
use structure::{Facts, changes};

/// The schema of the document.
const SCHEMA: &str = "wheelwright/diff/1";

/// Compares the files `a` and `b`. Counts the bytes they have in common on `context`. At most 100,000 runs are listed;
/// `runs_total` counts them all. Files that are no readable binaries are compared all the same, without regions.
///
/// # Errors
/// [`Error::Io`] when one can't be read, [`Error::Refused`] when one is not a regular file, [`Error::Malformed`] when one
/// shrinks meanwhile, [`Error::Cancelled`].
pub fn compare(a: &Path, b: &Path, context: &Context) -> Result<DiffDocument> {
    let (ours, theirs) = (Windows::open(a)?, Windows::open(b)?);
    let scan =
        if same_inode(&ours, &theirs)? { Scan::of_one_file(ours.size()) } else { scan(&ours, &theirs, context)? };
    let mut document = DiffDocument {
        schema: SCHEMA.into(),
        a: a.to_path_buf(),
        b: b.to_path_buf(),
        equal: scan.total == 0 && ours.size() == theirs.size(),
        bytes_compared: scan.compared,
        bytes_skipped: scan.skipped,
        runs_total: scan.total,
        runs: Vec::new(),
        structure: Vec::new(),
    };
    if document.equal {
        return Ok(document);
    }
    let (old, new) = (readable(binary::read(&ours))?, readable(binary::read(&theirs))?);
    document.structure = changes(&Facts::of(&ours, old.as_ref())?, &Facts::of(&theirs, new.as_ref())?);
    let (old, new) = (layout_of(&ours, old.as_ref())?, layout_of(&theirs, new.as_ref())?);
    let old = old.as_ref().map(|layout| Side { source: &ours, layout });
    let new = new.as_ref().map(|layout| Side { source: &theirs, layout });
    for run in &scan.runs {
        document.runs.push(changed(run.offset, run.len, old.as_ref(), new.as_ref())?);
    }
    if let Some(tail) = tail(&ours, &theirs, old.as_ref(), new.as_ref()) {
        document.runs.truncate(MOST_LISTED - 1);
        document.runs.push(tail);
        document.runs_total += 1;
    }
    Ok(document)
}

fn same_inode(a: &Windows, b: &Windows) -> Result<bool> {
    let of = |file: &Windows| file.file().metadata().map_err(Error::io("look at", file.path()));
    Ok(Identity::from_metadata(&of(a)?).same_inode(&Identity::from_metadata(&of(b)?)))
}

/// What was read, or nothing where the file is damaged.
fn readable<T>(result: Result<T>) -> Result<Option<T>> {
    match result {
        Ok(found) => Ok(Some(found)),
        Err(Error::Malformed { .. }) => Ok(None),
        Err(other) => Err(other),
    }
}

fn layout_of(source: &Windows, binary: Option<&Binary>) -> Result<Option<Layout>> {
    let Some(binary) = binary else { return Ok(None) };
    match binary.format {
        Format::Elf => match binary.slices.first().and_then(|slice| slice.elf.as_ref()) {
            Some(details) => readable(regions_elf::layout(source, details)),
            None => Ok(None),
        },
        Format::MachO => readable(regions_macho::layout(source)),
        Format::Pe => readable(regions_pe::layout(source)),
    }
}

fn changed(offset: u64, len: u64, old: Option<&Side<'_>>, new: Option<&Side<'_>>) -> Result<Run> {
    let meaning = match (old, new) {
        (Some(old), Some(new)) => meaning(old, new, offset, offset + len)?,
        _ => None,
    };
    let region = old.map(|old| old.layout.region_at(offset));
    Ok(Run { offset, len, kind: RunKind::Changed, region, meaning })
}

/// The run of what the longer file has behind the end of the shorter one.
fn tail(a: &Windows, b: &Windows, old: Option<&Side<'_>>, new: Option<&Side<'_>>) -> Option<Run> {
    let (kind, offset, end, side) = match (a.size(), b.size()) {
        (old_size, new_size) if old_size < new_size => (RunKind::Inserted, old_size, new_size, new),
        (old_size, new_size) if old_size > new_size => (RunKind::Removed, new_size, old_size, old),
        _ => return None,
    };
    let parts = side.map(|side| side.layout.parts_within(offset, end)).unwrap_or_default();
    let region = match kind {
        // Where the first file has nothing, there is only one place to name.
        RunKind::Inserted => old.map(|_| "behind the last section".to_owned()),
        _ => side.map(|side| side.layout.region_at(offset)),
    };
    let meaning = (!parts.is_empty()).then(|| parts.join(", "));
    Some(Run { offset, len: end - offset, kind, region, meaning })
}
