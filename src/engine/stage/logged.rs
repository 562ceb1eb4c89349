//! The edits that were made on a file, for whoever wants to explain its bytes: from a session at hand, or from the journal of
//! one that is alive or was interrupted.

use super::effect::Action;
use super::journal::{Record, records_at};
use super::session::Session;
use crate::engine::Result;
use crate::engine::compare::Logged;
use crate::engine::project::ArtifactId;
use crate::engine::repair::EditRequest;
use crate::engine::report::edits::LoggedEdit;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

impl Session {
    /// The edits that were made on the staged file of artifact `id` and not undone, with what every byte was to become. None
    /// where it was not edited.
    #[must_use]
    pub fn logged_edits(&self, id: ArtifactId) -> Vec<Logged> {
        let staged = self.artifact(id).map(|artifact| self.places.staged(artifact));
        let slot = self.slots.get(id.0);
        let effects = slot.iter().flat_map(|slot| &slot.taken).flat_map(|taken| &taken.effects);
        effects
            .filter_map(|effect| match &effect.effect.action {
                Action::Edit { path, plan: Some(plan), .. } if Some(path) == staged.as_ref() => Some(Logged::of(plan)),
                _ => None,
            })
            .collect()
    }
}

/// The requests of the edits that the journal above `path` has of that file, done and not undone; `None` when no journal names
/// it. Takes no lock, so that it can be asked beside a session. A journal that can't be read names nothing.
///
/// # Errors
/// [`crate::engine::Error::Io`] when the system refuses to look.
pub fn journaled_edits(path: &Path) -> Result<Option<Vec<EditRequest>>> {
    let Ok(real) = std::fs::canonicalize(path) else { return Ok(None) };
    let journals = real.ancestors().skip(1).filter(|above| above.file_name().is_some_and(|name| name == "wheelwright"));
    for journal in journals.map(|above| above.join("journal")) {
        let records = match records_at(&journal) {
            Ok(records) => records,
            Err(crate::engine::Error::Io { .. }) => continue,
            Err(crate::engine::Error::Malformed { .. } | crate::engine::Error::Refused { .. }) => continue,
            Err(error) => return Err(error),
        };
        let edits = edits_of(&records, &real);
        if !edits.is_empty() {
            return Ok(edits.iter().map(LoggedEdit::request).collect());
        }
    }
    Ok(None)
}

/// What `records` have of edits of the file `path`.
fn edits_of(records: &[Record], path: &Path) -> Vec<LoggedEdit> {
    let (mut done, mut edits) = (BTreeSet::new(), Vec::new());
    for record in records {
        match record {
            Record::Done { step, action } => {
                done.insert((*step, *action));
            }
            Record::Undone { step, action } => {
                done.remove(&(*step, *action));
            }
            _ => {}
        }
    }
    let is_path = |edited: &PathBuf| edited == path || std::fs::canonicalize(edited).is_ok_and(|real| real == path);
    for record in records {
        let Record::Step { number, actions, .. } = record else { continue };
        for (place, (action, _)) in actions.iter().enumerate() {
            if let Action::Edit { path: edited, asked, .. } = action
                && done.contains(&(*number, place))
                && is_path(edited)
            {
                edits.extend(asked.iter().cloned());
            }
        }
    }
    edits
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::stage::Journal;

    #[test]
    fn a_journal_names_the_edits_that_are_done() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path().canonicalize().unwrap().join("target/wheelwright");
        let (staged, other) = (home.join("release/a.so"), home.join("release/b.so"));
        std::fs::create_dir_all(home.join("release")).unwrap();
        std::fs::write(&staged, "a").unwrap();
        std::fs::write(&other, "b").unwrap();
        let edit = |path: &Path, name: &str| {
            let asked = LoggedEdit::list(&[EditRequest::SetSoname(name.into())]);
            (Action::Edit { path: path.to_path_buf(), clean: "/clean".into(), plan: None, asked }, None)
        };
        let mut journal = Journal::open(&home.join("journal")).unwrap();
        let actions = vec![edit(&staged, "one"), edit(&other, "two"), edit(&staged, "three"), edit(&staged, "four")];
        journal.write(&Record::Step { number: 1, step: None, actions }).unwrap();
        assert_eq!(journaled_edits(&staged).unwrap(), None, "nothing is done yet");
        for action in 0..3 {
            journal.write(&Record::Done { step: 1, action }).unwrap();
        }
        journal.write(&Record::Undone { step: 1, action: 2 }).unwrap();
        // The session is alive: its lock is held.
        assert_eq!(journaled_edits(&staged).unwrap(), Some(vec![EditRequest::SetSoname("one".into())]));
        assert_eq!(journaled_edits(&other).unwrap(), Some(vec![EditRequest::SetSoname("two".into())]));
        assert_eq!(journaled_edits(&home.join("release/none.so")).unwrap(), None);
        std::fs::write(home.join("journal"), "nonsense\n").unwrap();
        assert_eq!(journaled_edits(&staged).unwrap(), None);
    }
}
