//! A session's ways back: undoing a step, and leaving.

use super::apply::EditUndo;
use super::effect::{Action, Serves};
use super::lock::CargoLocks;
use super::plan::Planner;
use super::recover::empty;
use super::session::{Session, TakenStep};
use super::state::State;
use crate::engine::project::{Artifact, ArtifactId};
use crate::engine::report::plan::Step;
use crate::engine::{Context, Error, Result};

impl Session {
    /// Takes back the last step of artifact `id` that was taken; `None` when there is none.
    ///
    /// # Errors
    /// [`Error::Cancelled`] while a build is waited for; when a file can't be put back. Undoing can be tried again.
    pub fn undo(&mut self, id: ArtifactId, context: &Context) -> Result<Option<Step>> {
        let Some(taken) = self.slots.get(id.0).and_then(|slot| slot.taken.last()) else { return Ok(None) };
        let _locks = match taken.effects.is_empty() {
            true => CargoLocks::default(),
            false => CargoLocks::take(&self.cargo_directories(), context)?,
        };
        self.undo_locked(id, context)
    }

    fn undo_locked(&mut self, id: ArtifactId, context: &Context) -> Result<Option<Step>> {
        self.settle(context)?;
        let Some(mut taken) = self.slots.get_mut(id.0).and_then(|slot| slot.taken.pop()) else { return Ok(None) };
        self.hand_over_shared(id, &mut taken);
        if !taken.effects.is_empty() {
            let done = match self.journal.take() {
                Some(mut journal) => {
                    let done = self.take_back(&taken.effects, EditUndo::Clone, &mut journal, context);
                    self.journal = Some(journal);
                    done
                }
                None => Err(Error::Refused {
                    path: self.places.journal(),
                    reason: "the session has ended, and its results are in place".to_owned(),
                    way_out: "begin a new session".to_owned(),
                }),
            };
            if let Err(error) = done {
                self.say(id, true, format!("{} could not be undone: {error}", taken.step.title()));
                if let Some(slot) = self.slots.get_mut(id.0) {
                    slot.taken.push(taken);
                }
                return Err(error);
            }
        }
        self.world.set_state(id, taken.state_before);
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.refusal = None;
            if taken.step <= Step::Verify {
                // What was loaded is no more as it was.
                slot.load = None;
            }
            if taken.step == Step::Stage {
                slot.changed = None;
                slot.clean = None;
                slot.audit = None;
                slot.repair = None;
            }
        }
        self.look_at_related(id);
        self.say(id, false, format!("{} undone", taken.step.title()));
        Ok(Some(taken.step))
    }

    /// Effects that serve the session stay while another artifact needs them, and become its own to undo.
    fn hand_over_shared(&mut self, id: ArtifactId, taken: &mut TakenStep) {
        let mut kept = Vec::new();
        // Last first: whoever inherits a library needs its directory.
        for effect in std::mem::take(&mut taken.effects).into_iter().rev() {
            let heir = match effect.effect.serves {
                Serves::Artifact => None,
                Serves::Session => self.heir(id, taken.step, &effect.effect.action),
            };
            let step = heir.and_then(|(heir, step)| self.slots.get_mut(heir)?.taken.get_mut(step));
            match step {
                Some(other) => {
                    other.effects.push(effect);
                    // Going back takes them last first, so they stand as they were carried out.
                    other.effects.sort_by_key(|effect| (effect.step, effect.action));
                }
                None => kept.push(effect),
            }
        }
        kept.reverse();
        taken.effects = kept;
    }

    /// The artifact that needs what `action` of `step` made, and the place of its own step that does, if there is one.
    fn heir(&self, id: ArtifactId, step: Step, action: &Action) -> Option<(usize, usize)> {
        let others = self.slots.iter().enumerate().filter(|(number, _)| *number != id.0);
        for (number, slot) in others {
            let artifact = self.project.artifacts.get(number)?;
            let found = match action {
                // Something of its own lies below.
                Action::Mkdir { path } => slot.taken.iter().position(|taken| {
                    taken.effects.iter().any(|effect| effect.effect.action.lies_at().starts_with(path))
                }),
                _ => {
                    let path = action.to().unwrap_or_else(|| action.path());
                    let needs = slot.repair.as_ref().is_some_and(|repair| {
                        repair.grafts.iter().any(|graft| self.places.grafted(artifact, &graft.name) == path)
                    });
                    slot.taken.iter().position(|taken| taken.step == step).filter(|_| needs)
                }
            };
            if let Some(at) = found {
                return Some((number, at));
            }
        }
        None
    }

    /// Ends the session: cargo's outputs go back to their places, edited results stay in staging, the trash is emptied.
    ///
    /// # Errors
    /// When something can't be put back; everything else is. The journal stays then, and `recover` can finish.
    pub fn leave(&mut self) -> Result<()> {
        if self.journal.is_none() {
            return Ok(());
        }
        let context = Context::new();
        let _locks = CargoLocks::take(&self.cargo_directories(), &context)?;
        let artifacts: Vec<Artifact> = self.project.artifacts.clone();
        let mut result = self.settle(&context);
        for artifact in &artifacts {
            let back = self.put_back(artifact, &context);
            result = result.and(back);
        }
        result?;
        if let Some(journal) = self.journal.take() {
            // What lies in the trash is nobody's; the journal's word is what counts.
            let emptied = empty(&self.places.trash());
            journal.close()?;
            emptied?;
        }
        Ok(())
    }

    /// Puts the output of `artifact` back in its place.
    fn put_back(&mut self, artifact: &Artifact, context: &Context) -> Result<()> {
        self.notice_changes(artifact.id)?;
        let changed = self.slots.get(artifact.id.0).is_some_and(|slot| slot.changed.is_some());
        if changed && self.world.state(artifact.id) == State::Renamed {
            // Going back step by step keeps our file aside instead of overwriting cargo's newer one.
            return self.undo_all(artifact.id, context);
        }
        let planner = Planner { project: &self.project, places: &self.places, facts: &self.facts };
        let plan = planner.put_back(&self.world, artifact);
        match self.carry_out(None, &plan.effects, context) {
            Ok(Ok(_)) => self.world.set_state(artifact.id, plan.after),
            // What is already journaled can be undone also where nothing more can be written.
            Ok(Err(_)) | Err(_) => self.undo_all(artifact.id, context)?,
        }
        Ok(())
    }

    fn undo_all(&mut self, id: ArtifactId, context: &Context) -> Result<()> {
        while self.undo_locked(id, context)?.is_some() {}
        Ok(())
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if self.journal.is_some() {
            // Reached only when whoever held the session went down; what fails here is left to `recover`.
            let _ = self.leave();
        }
    }
}
