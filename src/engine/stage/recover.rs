//! Rolling back what a killed session left: its journal's actions are taken back, last first.
//!
//! Every inverse looks at the disk before it acts, so that rolling back can itself be killed and run again.

use super::apply::{EditUndo, Hands, TakenBack};
use super::effect::Action;
use super::journal::{Journal, Record};
use super::lock::CargoLocks;
use super::places::Places;
use crate::engine::file::Identity;
use crate::engine::repair::Editor;
use crate::engine::{Context, Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

/// What rolling back came to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovery {
    /// How many actions the journal had begun.
    pub begun: usize,
    /// Those that were taken back, in words.
    pub taken_back: Vec<String>,
    /// Files that are kept aside because something newer was in their place (WW026): where each was to go, where it is.
    pub kept_aside: Vec<(PathBuf, PathBuf)>,
    /// Files that are gone: neither at their own path nor where the session had put them.
    pub missing: Vec<PathBuf>,
}

/// A step's actions as the journal has them.
type RecordedActions = [(Action, Option<Identity>)];

/// A journal, read: what it began and has not undone, in the order in which it was begun.
#[derive(Debug, Default)]
struct Begun {
    staging: Option<PathBuf>,
    cargo_directories: Vec<PathBuf>,
    actions: Vec<(u64, usize, Action, Option<Identity>)>,
}

/// Rolls back the interrupted session whose home is `home` (`<target>/wheelwright`). Nothing to do is no error.
///
/// # Errors
/// [`Error::Locked`] while its session is alive, [`Error::Cancelled`], [`Error::Malformed`] for a damaged journal, [`Error::Io`]; rolling back can
/// be tried again after each.
pub fn recover(home: &Path, editor: &dyn Editor, context: &Context) -> Result<Recovery> {
    let path = home.join("journal");
    let Some(mut journal) = Journal::open_existing(&path)? else { return Ok(Recovery::default()) };
    let begun = read(&journal.records()?);
    let mut recovery = Recovery { begun: begun.actions.len(), ..Recovery::default() };
    let Some(staging) = begun.staging else { return Ok(recovery) };
    let places = Places::new(home.to_path_buf(), staging);
    let hands = Hands { places: &places, editor, context };
    let _locks = CargoLocks::take(&begun.cargo_directories, context)?;
    let mut first_error = None;
    context.expect(begun.actions.len() as u64);
    for (step, number, action, before) in begun.actions.iter().rev() {
        context.advance(1)?;
        match hands.take_back(action, before.as_ref(), EditUndo::Drop) {
            Ok(TakenBack::Done) => recovery.taken_back.push(words(action)),
            Ok(TakenBack::Nothing) => {}
            Ok(TakenBack::KeptAside(kept)) => recovery.kept_aside.push((action.path().to_path_buf(), kept)),
            Err(error) => {
                // One file that can't be put back is no reason to leave the others where they are.
                first_error.get_or_insert(error);
                continue;
            }
        }
        // On a full disk this fails, and does no harm: what is taken back twice stays taken back.
        let _ = journal.write(&Record::Undone { step: *step, action: *number });
    }
    if let Some(error) = first_error {
        return Err(error);
    }
    for (.., action, _) in &begun.actions {
        if let Action::Rename { from, displaces: None, .. } = action
            && !places.in_staging(from)
            && Identity::of(from)?.is_none()
        {
            recovery.missing.push(from.clone());
        }
    }
    empty(&places.trash())?;
    empty(&places.scratch())?;
    journal.close()?;
    Ok(recovery)
}

/// Removes a directory of ours with everything in it, if it is there.
///
/// # Errors
/// [`Error::Io`].
pub fn empty(directory: &Path) -> Result<()> {
    match std::fs::remove_dir_all(directory) {
        // Below a file, nothing can be there.
        Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
        Err(error) => Err(Error::io("remove", directory)(error)),
        Ok(()) => Ok(()),
    }
}

fn read(records: &[Record]) -> Begun {
    let mut begun = Begun::default();
    let mut steps: Vec<(u64, &RecordedActions)> = Vec::new();
    let mut later: BTreeMap<(u64, usize), Option<Identity>> = BTreeMap::new();
    let mut undone = BTreeSet::new();
    for record in records {
        match record {
            Record::Open { staging, cargo_directories, .. } => {
                begun.staging = Some(staging.clone());
                begun.cargo_directories.clone_from(cargo_directories);
            }
            Record::Step { number, actions, .. } => steps.push((*number, actions)),
            Record::Before { step, action, identity } => {
                later.insert((*step, *action), *identity);
            }
            Record::Begin { step, action } => {
                let found = steps.iter().find(|(number, _)| number == step);
                if let Some((what, planned)) = found.and_then(|(_, actions)| actions.get(*action)) {
                    let before = planned.or_else(|| later.get(&(*step, *action)).copied().flatten());
                    begun.actions.push((*step, *action, what.clone(), before));
                }
            }
            Record::Undone { step, action } => {
                undone.insert((*step, *action));
            }
            Record::Done { .. } => {}
        }
    }
    begun.actions.retain(|(step, action, ..)| !undone.contains(&(*step, *action)));
    begun
}

fn words(action: &Action) -> String {
    match action.to() {
        Some(to) => format!("{} {} → {}", action.kind(), action.path().display(), to.display()),
        None => format!("{} {}", action.kind(), action.path().display()),
    }
}
