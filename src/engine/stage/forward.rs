//! A session's way forward: one step of one artifact, planned under cargo's lock and carried out.

use super::apply::{EditUndo, KernelRefusal};
use super::lock::CargoLocks;
use super::model::Model;
use super::plan::{Planner, StepPlan, World};
use super::session::{Outcome, Session, TakenStep};
use super::state::State;
use crate::engine::file::Identity;
use crate::engine::project::ArtifactId;
use crate::engine::repair::Repair;
use crate::engine::report::plan::{Refusal, Step};
use crate::engine::{Context, Error, Result};

impl Session {
    /// Takes the next step of artifact `id`.
    ///
    /// # Errors
    /// When the step went wrong; what it had done is taken back. What can't be done is [`Outcome::Refused`].
    pub fn step(&mut self, id: ArtifactId, context: &Context) -> Result<Outcome> {
        if let Some(reason) = &self.read_only {
            return Err(Error::Refused {
                path: self.places.journal(),
                reason: reason.clone(),
                way_out: "until then this session can only look".to_owned(),
            });
        }
        let Some(step) = self.next_step(id) else { return Ok(Outcome::AtTheEnd) };
        if self.slots.iter().all(|slot| slot.taken.is_empty()) {
            // Another session may have come and gone since this one looked, or what was in the way is away.
            self.world.model = Model::default();
            self.look()?;
        }
        self.settle(context)?;
        self.refresh(id)?;
        self.ensure_audited(id, context)?;
        let outcome = self.take(id, step, context);
        self.look_at_related(id);
        match &outcome {
            Ok(Outcome::Refused(refusal)) => {
                self.say(id, true, format!("{} refused: {}; {}", step.title(), refusal.reason, refusal.way_out));
                if let Some(slot) = self.slots.get_mut(id.0) {
                    slot.refusal = Some((step, refusal.clone()));
                }
            }
            Ok(_) => {
                self.say(id, false, format!("{} done", step.title()));
                if let Some(slot) = self.slots.get_mut(id.0) {
                    slot.refusal = None;
                }
            }
            Err(error) => self.say(id, true, format!("{} failed: {error}", step.title())),
        }
        outcome
    }

    fn take(&mut self, id: ArtifactId, step: Step, context: &Context) -> Result<Outcome> {
        loop {
            let mut plan = match self.plan_step(&self.world, id, step) {
                Ok(plan) => plan,
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
            };
            let mut _locks = CargoLocks::default();
            if !plan.effects.is_empty() {
                _locks = CargoLocks::take(&self.cargo_directories(), context)?;
                // The build that we waited for may have changed what was planned for.
                self.refresh(id)?;
                self.ensure_audited(id, context)?;
                plan = match self.plan_step(&self.world, id, step) {
                    Ok(plan) => plan,
                    Err(refusal) => return Ok(Outcome::Refused(refusal)),
                };
            }
            let state_before = self.world.state(id);
            let clean = match (step, self.artifact(id)) {
                (Step::Stage, Some(artifact)) => Identity::of(&artifact.path)?,
                _ => None,
            };
            match self.carry_out(Some(step), &plan.effects, context)? {
                Ok(effects) => {
                    self.world.set_state(id, plan.after);
                    if step == Step::Verify {
                        if let Some(problem) = self.verify(id, context)? {
                            return Ok(Outcome::Refused(problem));
                        }
                        match self.prove(id, context)? {
                            Ok(notes) => plan.notes.extend(notes),
                            Err(refusal) => return Ok(Outcome::Refused(refusal)),
                        }
                    }
                    if let Some(slot) = self.slots.get_mut(id.0) {
                        slot.clean = clean.or(slot.clean);
                        slot.taken.push(TakenStep { step, state_before, effects, notes: plan.notes });
                    }
                    return Ok(Outcome::Taken(step));
                }
                Err(KernelRefusal::OtherFilesystem) if self.facts.other_filesystem.insert(id) => {
                    self.say(id, false, "staging lies on another filesystem: planned again, by copying".to_owned());
                }
                Err(KernelRefusal::NoHardLinks) if !self.facts.no_hard_links => {
                    self.facts.no_hard_links = true;
                    self.say(id, false, "this filesystem makes no hard links: planned again without".to_owned());
                }
                Err(KernelRefusal::NoSymlinks) if !self.facts.no_symlinks => {
                    self.facts.no_symlinks = true;
                    self.say(id, false, "this filesystem makes no symbolic links: planned again without".to_owned());
                }
                Err(refused) => {
                    let what = match refused {
                        KernelRefusal::OtherFilesystem => "a rename",
                        KernelRefusal::NoHardLinks => "a hard link",
                        KernelRefusal::NoSymlinks => "a symbolic link",
                    };
                    return Ok(Outcome::Refused(Refusal {
                        artifact: self.artifact(id).map(|artifact| artifact.path.clone()).unwrap_or_default(),
                        reason: format!("the filesystem refuses {what} that the step can't do without"),
                        way_out: "choose another place with --staging-dir".to_owned(),
                    }));
                }
            }
        }
    }

    /// Plans `step` of artifact `id` in `world`, which may be ahead of the disk.
    pub(super) fn plan_step(&self, world: &World, id: ArtifactId, step: Step) -> Result<StepPlan, Refusal> {
        let (Some(artifact), Some(slot)) = (self.artifact(id), self.slots.get(id.0)) else {
            return Ok(StepPlan { effects: Vec::new(), after: State::NotStaged, notes: Vec::new() });
        };
        if let Some(changed) = &slot.changed {
            return Err(Refusal {
                artifact: artifact.path.clone(),
                reason: format!("it was built again since it was staged ({changed})"),
                way_out: "undo to the beginning and stage the new file".to_owned(),
            });
        }
        let nothing = Repair::default();
        let repair = slot.repair.as_deref().unwrap_or(&nothing);
        Planner { project: &self.project, places: &self.places, facts: &self.facts }.plan(world, artifact, repair, step)
    }

    /// Takes back what a failed step had to leave; while that does not work, no other step is taken.
    pub(super) fn settle(&mut self, context: &Context) -> Result<()> {
        let Some(mut journal) = self.journal.take_if(|_| !self.stranded.is_empty()) else { return Ok(()) };
        let stranded = std::mem::take(&mut self.stranded);
        let settled = self.take_back(&stranded, EditUndo::Clone, &mut journal, context);
        self.journal = Some(journal);
        if settled.is_err() {
            self.stranded = stranded;
        }
        settled
    }
}
