//! A session's hands at work: a step's effects journaled, carried out and held against the model; or taken back.

use super::apply::{EditUndo, Hands, KernelRefusal, Obstacle, TakenBack, identity_before};
use super::effect::{Action, Effect};
use super::journal::{Journal, Record, VERSION};
use super::model::Content;
use super::session::{Moment, Session};
use crate::engine::file::Identity;
use crate::engine::report::plan::Step;
use crate::engine::{Context, Error, Result};
use std::path::{Path, PathBuf};

/// An effect that was carried out, with what its undoing needs.
#[derive(Debug, Clone)]
pub(super) struct TakenEffect {
    pub effect: Effect,
    pub before: Option<Identity>,
    pub step: u64,
    pub action: usize,
}

impl Session {
    /// Journals `effects` as one step and carries them out. When one can't be carried out, those before it are taken back.
    /// Cargo's locks are held by the caller.
    pub(super) fn carry_out(
        &mut self,
        step: Option<Step>,
        effects: &[Effect],
        context: &Context,
    ) -> Result<Result<Vec<TakenEffect>, KernelRefusal>> {
        let number = self.last_number + 1;
        self.last_number = number;
        if effects.is_empty() {
            return Ok(Ok(Vec::new()));
        }
        let mut actions = Vec::new();
        let mut fresh = std::collections::BTreeSet::new();
        for effect in effects {
            // What an earlier effect of the step makes can't be looked at yet.
            let path = effect.action.path();
            let known = if fresh.contains(path) { None } else { identity_before(&effect.action)? };
            actions.push((effect.action.clone(), known));
            fresh.extend(effect.action.to().map(Path::to_path_buf));
            fresh.insert(path.to_path_buf());
        }
        let mut journal = self.open_journal()?;
        let planned = actions.iter().map(|(_, planned)| *planned).collect();
        let announced =
            journal.write(&Record::Step { number, step, actions }).and_then(|()| journal.sync()).map(|()| planned);
        let result =
            announced.and_then(|planned| self.carry_out_journaled(number, effects, planned, &mut journal, context));
        self.journal = Some(journal);
        result
    }

    fn carry_out_journaled(
        &mut self,
        number: u64,
        effects: &[Effect],
        planned: Vec<Option<Identity>>,
        journal: &mut Journal,
        context: &Context,
    ) -> Result<Result<Vec<TakenEffect>, KernelRefusal>> {
        let mut taken: Vec<TakenEffect> = Vec::new();
        let mut obstacle = None;
        for (at, (effect, planned)) in effects.iter().zip(planned).enumerate() {
            if let Err(found) = self.carry_out_one((number, at), effect, planned, (journal, &mut taken), context) {
                obstacle =
                    Some((found, TakenEffect { effect: effect.clone(), before: None, step: number, action: at }));
                break;
            }
        }
        let Some((obstacle, failed)) = obstacle else { return Ok(Ok(taken)) };
        // Taking back must not be cut short by the cancellation that may have brought us here.
        if let Err(error) = self.take_back(&taken, EditUndo::Clone, journal, &Context::new()) {
            if let Some(effect) = effects.first() {
                self.say(effect.artifact, true, format!("what was done could not be taken back: {error}"));
            }
            self.stranded.extend(taken);
        }
        // Whatever is in the way there, the model knows it from now on.
        self.look_again(&[failed])?;
        match obstacle {
            Obstacle::Kernel(refusal) if self.stranded.is_empty() => Ok(Err(refusal)),
            Obstacle::Kernel(_) => Err(Error::Refused {
                path: self.places.journal(),
                reason: "a step was begun that the kernel refused, and could not be taken back".to_owned(),
                way_out: "leave, and put the files back with `wheelwright recover`".to_owned(),
            }),
            Obstacle::Failed(error) => Err(error),
        }
    }

    fn carry_out_one(
        &mut self,
        (number, at): (u64, usize),
        effect: &Effect,
        planned: Option<Identity>,
        (journal, taken): (&mut Journal, &mut Vec<TakenEffect>),
        context: &Context,
    ) -> Result<(), Obstacle> {
        let action = &effect.action;
        // An action on what this very step made is undone by what is there when it begins.
        let before = match planned {
            Some(identity) => Some(identity),
            None => identity_before(action)?,
        };
        if planned.is_none() && before.is_some() {
            journal.write(&Record::Before { step: number, action: at, identity: before })?;
        }
        // Before the journal says that it begins: what others made must not be taken for ours when going back.
        if let Some(path) = action.makes()
            && Identity::of(path)?.is_some()
        {
            return Err(Error::Changed { path: path.to_path_buf(), what: "something is there now".to_owned() }.into());
        }
        self.tell(Moment::Next, action);
        journal.write(&Record::Begin { step: number, action: at })?;
        self.tell(Moment::Begun, action);
        let hands = Hands { places: &self.places, editor: &*self.options.editor, context };
        let done = hands.apply(action, before.as_ref());
        // Only an edit can stop half-way; every other action was done or was not.
        if done.is_ok() || matches!(action, Action::Edit { .. }) {
            taken.push(TakenEffect { effect: effect.clone(), before, step: number, action: at });
        } else {
            let _ = journal.write(&Record::Undone { step: number, action: at });
        }
        done?;
        self.tell(Moment::CarriedOut, action);
        journal.write(&Record::Done { step: number, action: at })?;
        self.tell(Moment::Done, action);
        Ok(self.world.model.fold(action).and_then(|()| self.world.model.check(action))?)
    }

    pub(super) fn take_back(
        &mut self,
        taken: &[TakenEffect],
        edits: EditUndo,
        journal: &mut Journal,
        context: &Context,
    ) -> Result<()> {
        let result = taken.iter().rev().try_for_each(|done| {
            self.tell(Moment::GoingBack, &done.effect.action);
            let hands = Hands { places: &self.places, editor: &*self.options.editor, context };
            if let TakenBack::KeptAside(kept) = hands.take_back(&done.effect.action, done.before.as_ref(), edits)? {
                let path = done.effect.action.path().display();
                let text = format!("{path} holds a newer file (WW026); ours is kept as {}", kept.display());
                self.say(done.effect.artifact, true, text);
            }
            self.tell(Moment::TakenBack, &done.effect.action);
            // On a full disk this fails, and does no harm: what is taken back twice stays taken back.
            let _ = journal.write(&Record::Undone { step: done.step, action: done.action });
            Ok(())
        });
        result.and(self.look_again(taken))
    }

    /// Brings the model in line with the disk for the names that `taken` touched. All are forgotten before the first is looked
    /// at: a new file may have the inode number of one that is gone.
    fn look_again(&mut self, taken: &[TakenEffect]) -> Result<()> {
        let mut looks = Vec::new();
        for done in taken {
            let action = &done.effect.action;
            let mut paths = vec![action.path().to_path_buf()];
            paths.extend(action.to().map(Path::to_path_buf));
            if let Action::Unlink { trash, .. } = action {
                paths.push(trash.clone());
            }
            for path in paths {
                let ours = self.places.in_staging(&path)
                    || self.project.artifacts.iter().any(|artifact| artifact.path == path);
                if ours {
                    looks.push((path.clone(), self.content_at(&path, &done.effect)));
                }
                self.world.model.forget(&path);
            }
        }
        for (path, content) in looks {
            self.world.model.look(&path, content)?;
        }
        for done in taken {
            if let Action::Edit { path, plan: Some(plan), .. } = &done.effect.action {
                self.world.model.mean(path, &plan.requests);
            }
        }
        Ok(())
    }

    fn content_at(&self, path: &Path, effect: &Effect) -> Content {
        if let Some(artifact) = self.project.artifacts.iter().find(|artifact| artifact.path == path) {
            return Content::Output(artifact.id);
        }
        let staged = self.project.artifacts.iter().find(|artifact| self.places.staged(artifact) == path);
        if let Some(artifact) = staged {
            let clean = self.slots.get(artifact.id.0).and_then(|slot| slot.clean);
            let now = Identity::of(path).ok().flatten();
            return match (clean, now) {
                (Some(clean), Some(now)) if now.same_inode(&clean) => Content::Output(artifact.id),
                _ => Content::Copy(artifact.id),
            };
        }
        match &effect.action {
            Action::ReflinkOrCopy { from, to, .. } | Action::Edit { clean: from, path: to, .. } if to == path => {
                Content::Library(from.clone())
            }
            _ => Content::Leftover,
        }
    }

    fn open_journal(&mut self) -> Result<Journal> {
        if let Some(journal) = self.journal.take() {
            return Ok(journal);
        }
        let mut journal = Journal::open(&self.places.journal())?;
        if !journal.records()?.is_empty() {
            return Err(Error::Refused {
                path: self.places.journal(),
                reason: "a session was interrupted here".to_owned(),
                way_out: "put its files back with `wheelwright recover`".to_owned(),
            });
        }
        journal.write(&Record::Open {
            version: VERSION,
            staging: self.places.staging.clone(),
            cargo_directories: self.cargo_directories(),
        })?;
        self.world.model.look(&self.places.home, Content::Leftover)?;
        Ok(journal)
    }

    pub(super) fn cargo_directories(&self) -> Vec<PathBuf> {
        let mut directories: Vec<PathBuf> = self
            .project
            .artifacts
            .iter()
            .filter_map(|artifact| artifact.cargo.as_ref())
            .flat_map(|cargo| [cargo.profile_directory.clone(), cargo.build_profile_directory.clone()])
            .collect();
        directories.sort();
        directories.dedup();
        directories
    }

    fn tell(&self, moment: Moment, action: &Action) {
        if let Some(observer) = &self.options.observer {
            observer(moment, action);
        }
    }
}
