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
    /// When a file can't be put back; undoing can be tried again.
    pub fn undo(&mut self, id: ArtifactId, context: &Context) -> Result<Option<Step>> {
        let Some(mut taken) = self.slots.get_mut(id.0).and_then(|slot| slot.taken.pop()) else { return Ok(None) };
        self.hand_over_shared(id, &mut taken);
        if !taken.effects.is_empty() {
            let directories = self.cargo_directories();
            let _locks = CargoLocks::take(&directories, context)?;
            let mut journal = self.open_journal(&directories)?;
            let done = self.take_back(&taken.effects, EditUndo::Clone, &mut journal, context);
            self.journal = Some(journal);
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

    /// Effects that serve the session stay while another artifact that got as far needs them, and become its own to undo.
    fn hand_over_shared(&mut self, id: ArtifactId, taken: &mut TakenStep) {
        let mut kept = Vec::new();
        for effect in std::mem::take(&mut taken.effects) {
            let heir = match effect.effect.serves {
                Serves::Artifact => None,
                Serves::Session => self.heir(id, taken.step, &effect.effect.action),
            };
            match heir
                .and_then(|heir| self.slots.get_mut(heir))
                .and_then(|slot| slot.taken.iter_mut().find(|other| other.step == taken.step))
            {
                Some(other) => other.effects.push(effect),
                None => kept.push(effect),
            }
        }
        taken.effects = kept;
    }

    fn heir(&self, id: ArtifactId, step: Step, action: &Action) -> Option<usize> {
        let path = action.to().unwrap_or_else(|| action.path());
        self.slots.iter().enumerate().filter(|(number, _)| *number != id.0).find_map(|(number, slot)| {
            let artifact = self.project.artifacts.get(number)?;
            let got_there = slot.taken.iter().any(|taken| taken.step == step);
            let needs = slot.repair.as_ref().is_some_and(|repair| {
                repair.grafts.iter().any(|graft| self.places.grafted(artifact, &graft.name).starts_with(path))
            }) || self.places.staged(artifact).starts_with(path)
                || (step == Step::Finalize && self.places.bundled(artifact).starts_with(path));
            (got_there && needs).then_some(number)
        })
    }

    /// Ends the session: cargo's outputs go back to their places, edited results stay in staging, the trash is emptied.
    ///
    /// # Errors
    /// When something can't be put back. The journal stays then, and `recover` can finish.
    pub fn leave(&mut self) -> Result<()> {
        let context = Context::new();
        let artifacts: Vec<Artifact> = self.project.artifacts.clone();
        for artifact in &artifacts {
            self.notice_changes(artifact.id)?;
            if self.slots.get(artifact.id.0).is_some_and(|slot| slot.changed.is_some())
                && matches!(self.world.state(artifact.id), State::Renamed)
            {
                // Going back step by step keeps our file aside instead of overwriting cargo's newer one.
                while self.undo(artifact.id, &context)?.is_some() {}
                continue;
            }
            let planner = Planner { project: &self.project, places: &self.places, facts: &self.facts };
            let plan = planner.put_back(&self.world, artifact);
            match self.carry_out(None, &plan.effects, &context)? {
                Ok(_) => self.world.set_state(artifact.id, plan.after),
                Err(_) => {
                    return Err(Error::Refused {
                        path: artifact.path.clone(),
                        reason: "the filesystem no longer takes it back by a rename".to_owned(),
                        way_out: format!("the clean file is {}", self.places.staged(artifact).display()),
                    });
                }
            }
        }
        if let Some(journal) = self.journal.take() {
            empty(&self.places.trash())?;
            journal.close()?;
        }
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
