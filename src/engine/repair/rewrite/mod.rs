//! Carrying an edit out on a file that others see: at any instant it is the old file, or the new one, or can be made the
//! old one again.
//!
//! Usually the edit is made on a private copy beside the file, which is then swapped in. Where that copy would cost a
//! large file's bytes, it is made in place under an undo log. What an edit writes is the editors' matter; a session's
//! staged files are disposable and are edited by [`crate::engine::repair::Editor::apply`] alone.

mod attributes;
mod beside;
mod carry;
mod in_place;
mod insert;
mod lock;
mod private;
mod recover;
mod sample;
mod undo;

pub use carry::{Write, carry_out, check_size, open_planned};
pub use insert::{Inserted, Shifting};
pub use recover::{RolledBack, log_of, roll_back};

use crate::engine::file::Windows;
use crate::engine::repair::{EditPlan, EditRefusal, EditRequest, Editor};
use crate::engine::{Context, Error, Result};
use beside::Beside;
use lock::FileLock;
use std::path::{Path, PathBuf};

/// From this size on, in bytes, a copy that is no reflink is dearer than an edit in place under an undo log.
pub const LARGE: u64 = 256 << 20;

/// How a file may be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Way {
    /// Beside the file where the copy is a reflink or smaller than [`LARGE`] and can have its owner; else in place under an undo
    /// log.
    #[default]
    Auto,
    /// Always beside the file, and swapped in.
    Beside,
    /// In place under an undo log, wherever that can be undone.
    InPlace,
}

/// How a file was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Taken {
    /// Not at all: it has everything already.
    Nothing,
    /// A private copy was edited and swapped in.
    Beside,
    /// In place, under an undo log.
    InPlace,
}

/// An edit that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// How.
    pub way: Taken,
    /// Whether the copy shares the old file's blocks.
    pub cloned: bool,
    /// How the plan's insertion was made; `None` when there was none, or another program wrote.
    pub inserted: Option<Inserted>,
    /// Bytes written: the copy unless it was cloned, the undo log, the tail if it was shifted, and the edit.
    pub bytes_written: u64,
    /// What the user should know of how it was written.
    pub note: Option<String>,
}

/// Works out how to fulfil `requests` on the file `path`, and carries it out. An edit that was interrupted here before is
/// rolled back first. `say` is told, before it begins, that an edit in place can be seen by others.
///
/// # Errors
/// As [`write_plan`]. An edit that the editor refuses is the inner [`EditRefusal`].
pub fn rewrite(
    path: &Path,
    editor: &dyn Editor,
    requests: &[EditRequest],
    way: Way,
    say: &dyn Fn(&str),
    context: &Context,
) -> Result<Result<Written, EditRefusal>> {
    roll_back(path, context)?;
    match editor.plan(&Windows::open(path)?, requests)? {
        Ok(plan) => write_plan(path, editor, &plan, way, say, context).map(Ok),
        Err(refusal) => Ok(Err(refusal)),
    }
}

/// Carries `plan` out on the file `path`, which may be a symbolic link to it. Mode, owner and, where they can be kept,
/// extended attributes stay; other names of the file keep the old bytes. `say` as in [`rewrite`].
///
/// # Errors
/// [`Error::Io`], [`Error::Changed`] when the file is not the planned one, [`Error::Refused`] when this way can't be taken,
/// [`Error::Locked`] while another process edits it, [`Error::Cancelled`]. The file has its old bytes then, and nothing is
/// left beside it; only where even going back fails does the undo log stay.
pub fn write_plan(
    path: &Path,
    editor: &dyn Editor,
    plan: &EditPlan,
    way: Way,
    say: &dyn Fn(&str),
    context: &Context,
) -> Result<Written> {
    if plan.is_empty() {
        return Ok(Written { way: Taken::Nothing, cloned: false, inserted: None, bytes_written: 0, note: None });
    }
    let path = &real(path)?;
    writable(path)?;
    roll_back(path, context)?;
    let source = FileLock::take(path)?;
    let beside = Beside { path, source: &source, editor, plan };
    let in_place = || match in_place::write(path, &source, editor, plan, say, context)? {
        Ok(written) => Ok(written),
        Err(why) => beside.copied(Some(why), context),
    };
    // An editor that can't say what it writes can't be undone.
    let logged = !plan.patches.is_empty();
    let dear = plan.size_before >= LARGE;
    match way {
        Way::InPlace if logged => in_place(),
        Way::Auto if logged && (dear || !beside.keeps_owner()?) => match beside.cloned(context)? {
            Some(written) => Ok(written),
            None => in_place(),
        },
        Way::Auto | Way::Beside | Way::InPlace => beside.copied(None, context),
    }
}

/// Writes what `path` would be after `plan` to `output`, whatever stood there, by way of a private file beside it.
///
/// # Errors
/// As [`write_plan`]; `output` is as it was then.
pub fn write_to(
    path: &Path,
    output: &Path,
    editor: &dyn Editor,
    plan: &EditPlan,
    context: &Context,
) -> Result<Written> {
    let path = &real(path)?;
    if std::fs::canonicalize(output).is_ok_and(|output| output == *path) {
        return write_plan(path, editor, plan, Way::Beside, &|_| (), context);
    }
    roll_back(path, context)?;
    let source = FileLock::take(path)?;
    Beside { path, source: &source, editor, plan }.to(output, context)
}

/// The file behind `path`, symbolic links followed.
fn real(path: &Path) -> Result<PathBuf> {
    std::fs::canonicalize(path).map_err(Error::io("open", path))
}

/// A file that may not be written to is not to be swapped for another either.
fn writable(path: &Path) -> Result<()> {
    rustix::fs::access(path, rustix::fs::Access::WRITE_OK).map_err(|error| Error::io("write to", path)(error.into()))
}
