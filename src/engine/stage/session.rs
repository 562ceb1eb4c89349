//! A session: artifacts going through the pipeline step by step, forward and back, with every effect journaled.
//!
//! Looking changes nothing; the journal is made by the first step. A session ends with [`Session::leave`], which puts cargo's
//! outputs back; what a killed one leaves is for [`super::recover`].

use super::apply::KernelRefusal;
use super::effect::{Action, Effect};
use super::journal::Journal;
use super::model::Content;
use super::places::Places;
use super::plan::{KernelFacts, Planner, StepPlan, World};
use super::snapshot::LogEntry;
use super::state::State;
use crate::engine::audit::{Audit, AuditOptions};
use crate::engine::file::Identity;
use crate::engine::project::{Artifact, ArtifactId, Project, related};
use crate::engine::repair::{Editor, Repair, RepairOptions};
use crate::engine::report::audit::RelatedFile;
use crate::engine::report::plan::{Refusal, Step};
use crate::engine::{Context, Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// How a session works.
pub struct SessionOptions {
    /// What is asked of the audit.
    pub audit: AuditOptions,
    /// How a repair is made.
    pub repair: RepairOptions,
    /// Where files are staged; `<target>/wheelwright` when not given.
    pub staging: Option<PathBuf>,
    /// The home of sessions on loose files, which have no target directory.
    pub scratch: PathBuf,
    /// Who edits binaries.
    pub editor: Box<dyn Editor>,
    /// Is told of every action as it goes, on the session's own thread.
    pub observer: Option<Observer>,
}

/// Is told of every action as it goes.
pub type Observer = Box<dyn Fn(Moment, &Action) + Send>;

/// A moment in the life of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Moment {
    /// It is journaled with its step, and comes next.
    Next,
    /// The journal says that it begins.
    Begun,
    /// It is carried out; the journal does not say so yet.
    CarriedOut,
    /// The journal says that it is done.
    Done,
}

/// What came of a step.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken.
    Taken(Step),
    /// It can't be taken; nothing was changed.
    Refused(Refusal),
    /// All steps were taken before.
    AtTheEnd,
}

/// A step that was taken.
#[derive(Debug, Clone)]
pub(super) struct TakenStep {
    pub step: Step,
    pub state_before: State,
    pub effects: Vec<TakenEffect>,
    pub notes: Vec<String>,
}

/// An effect that was carried out, with what its undoing needs.
#[derive(Debug, Clone)]
pub(super) struct TakenEffect {
    pub effect: Effect,
    pub before: Option<Identity>,
    pub step: u64,
    pub action: usize,
}

/// What the session knows of one artifact.
#[derive(Default)]
pub(super) struct Slot {
    pub audit: Option<Arc<Audit>>,
    pub repair: Option<Arc<Repair>>,
    pub other_mode: Option<bool>,
    /// What cargo and other tools keep of the artifact.
    pub related: Vec<RelatedFile>,
    pub taken: Vec<TakenStep>,
    pub refusal: Option<(Step, Refusal)>,
    /// The clean inode, as it was when the artifact was staged.
    pub clean: Option<Identity>,
    /// Why the artifact is no longer the one that was staged, if it is not.
    pub changed: Option<String>,
}

impl Slot {
    pub(super) fn next(&self) -> Option<Step> {
        match self.taken.last() {
            None => Some(Step::Stage),
            Some(taken) => Step::ALL.into_iter().find(|step| *step > taken.step),
        }
    }
}

/// Artifacts on their way through the pipeline.
pub struct Session {
    pub(super) project: Project,
    pub(super) places: Places,
    pub(super) options: SessionOptions,
    pub(super) world: World,
    pub(super) facts: KernelFacts,
    pub(super) slots: Vec<Slot>,
    pub(super) log: Vec<LogEntry>,
    pub(super) read_only: Option<String>,
    pub(super) journal: Option<Journal>,
    pub(super) last_number: u64,
}

impl Session {
    /// Begins a session on `project`. Looks at what is there; changes nothing.
    ///
    /// # Errors
    /// [`Error::Io`] when staging can't be looked at, [`Error::Malformed`] for a damaged journal.
    pub fn open(project: Project, options: SessionOptions) -> Result<Self> {
        let places = Places::of(&project, options.staging.as_deref(), &options.scratch);
        let read_only = match Journal::interrupted(&places.journal()) {
            Ok(false) => None,
            Ok(true) => Some(format!(
                "a session was interrupted here; `wheelwright recover {}` puts its files back",
                places.home.parent().unwrap_or(&places.home).display()
            )),
            Err(Error::Locked { .. }) => Some("another wheelwright session works here".to_owned()),
            Err(error) => return Err(error),
        };
        let count = project.artifacts.len();
        let mut session = Self {
            project,
            places,
            options,
            world: World { states: vec![State::NotStaged; count], ..World::default() },
            facts: KernelFacts::default(),
            slots: (0..count).map(|_| Slot::default()).collect(),
            log: Vec::new(),
            read_only,
            journal: None,
            last_number: 0,
        };
        session.look()?;
        Ok(session)
    }

    fn look(&mut self) -> Result<()> {
        for artifact in &self.project.artifacts {
            self.world.model.look(&artifact.path, Content::Output(artifact.id))?;
        }
        if self.places.staging == self.places.home {
            // The home also holds the journal and kept messages; of it only our folders are of interest.
            self.world.model.look(&self.places.home, Content::Leftover)?;
            let trash = self.places.trash();
            self.world.model.look_below(&trash)?;
            let folders: Vec<PathBuf> =
                self.project.artifacts.iter().map(|artifact| self.places.folder(artifact)).collect();
            for folder in folders {
                let above: Vec<PathBuf> = folder
                    .ancestors()
                    .skip(1)
                    .take_while(|path| self.places.in_staging(path))
                    .map(Path::to_path_buf)
                    .collect();
                for path in above {
                    self.world.model.look(&path, Content::Leftover)?;
                }
                self.world.model.look_below(&folder)?;
            }
            Ok(())
        } else {
            let staging = self.places.staging.clone();
            self.world.model.look_below(&staging)
        }
    }

    /// The artifacts.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Where the session keeps its files.
    #[must_use]
    pub fn places(&self) -> &Places {
        &self.places
    }

    /// Why no step can be taken, if none can.
    #[must_use]
    pub fn read_only(&self) -> Option<&str> {
        self.read_only.as_deref()
    }

    /// The state of artifact `id`.
    #[must_use]
    pub fn state(&self, id: ArtifactId) -> State {
        self.world.state(id)
    }

    /// The step that artifact `id` takes next; `None` at the end.
    #[must_use]
    pub fn next_step(&self, id: ArtifactId) -> Option<Step> {
        self.slots.get(id.0).and_then(Slot::next)
    }

    /// Where artifact `id`'s clean bytes can be read now; `None` when they are gone.
    #[must_use]
    pub fn clean_path(&self, id: ArtifactId) -> Option<PathBuf> {
        let artifact = self.artifact(id)?;
        let path = match self.world.state(id) {
            State::Renamed => self.places.staged(artifact),
            _ => artifact.path.clone(),
        };
        self.world.model.file(&path).is_some().then_some(path)
    }

    /// Where artifact `id` is staged; `None` while it is not.
    #[must_use]
    pub fn staged_path(&self, id: ArtifactId) -> Option<PathBuf> {
        let artifact = self.artifact(id)?;
        let path = self.places.staged(artifact);
        (self.world.state(id) != State::NotStaged && self.world.model.file(&path).is_some()).then_some(path)
    }

    pub(super) fn artifact(&self, id: ArtifactId) -> Option<&Artifact> {
        self.project.artifacts.get(id.0)
    }

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
        self.notice_changes(id)?;
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
            let plan = match self.plan_step(&self.world, id, step) {
                Ok(plan) => plan,
                Err(refusal) => return Ok(Outcome::Refused(refusal)),
            };
            let state_before = self.world.state(id);
            if step == Step::Stage {
                let clean = self.artifact(id).map(|artifact| Identity::of(&artifact.path)).transpose()?.flatten();
                if let Some(slot) = self.slots.get_mut(id.0) {
                    slot.clean = clean;
                }
            }
            match self.carry_out(Some(step), &plan.effects, context)? {
                Ok(effects) => {
                    self.world.set_state(id, plan.after);
                    if step == Step::Verify
                        && let Some(problem) = self.verify(id, context)?
                    {
                        return Ok(Outcome::Refused(problem));
                    }
                    if let Some(slot) = self.slots.get_mut(id.0) {
                        slot.taken.push(TakenStep { step, state_before, effects, notes: plan.notes });
                    }
                    return Ok(Outcome::Taken(step));
                }
                Err(KernelRefusal::OtherFilesystem) => {
                    self.facts.other_filesystem.insert(id);
                    self.say(id, false, "staging lies on another filesystem: planned again, by copying".to_owned());
                }
                Err(KernelRefusal::NoHardLinks) if !self.facts.no_hard_links => {
                    self.facts.no_hard_links = true;
                    self.say(id, false, "this filesystem makes no hard links: planned again without".to_owned());
                }
                Err(KernelRefusal::NoHardLinks) => {
                    return Ok(Outcome::Refused(Refusal {
                        artifact: self.artifact(id).map(|artifact| artifact.path.clone()).unwrap_or_default(),
                        reason: "the filesystem refuses a hard link that the step can't do without".to_owned(),
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
        if step == Step::Graft
            && let Some(refusal) = self.conflicting_graft(artifact)
        {
            return Err(refusal);
        }
        let nothing = Repair::default();
        let repair = slot.repair.as_deref().unwrap_or(&nothing);
        Planner { project: &self.project, places: &self.places, facts: &self.facts }.plan(world, artifact, repair, step)
    }

    /// Looks again at what cargo and other tools keep of artifact `id`.
    pub(super) fn look_at_related(&mut self, id: ArtifactId) {
        let Some(found) = self.artifact(id).map(|artifact| related(artifact, &self.project)) else { return };
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.related = found;
        }
    }

    /// Notices when cargo built an artifact anew while it was staged.
    pub(super) fn notice_changes(&mut self, id: ArtifactId) -> Result<()> {
        let (Some(artifact), Some(slot)) = (self.artifact(id), self.slots.get(id.0)) else { return Ok(()) };
        let Some(clean) = slot.clean else { return Ok(()) };
        let path = artifact.path.clone();
        let now = Identity::of(&path)?;
        let state = self.world.state(id);
        let changed = match (now, state) {
            (None, State::Renamed) => None,
            (Some(now), State::Renamed) if now.same_inode(&clean) => {
                // Cargo linked deps/ to its own place again: the same inode, and no harm.
                self.world.model.look(&path, Content::Output(id))?;
                None
            }
            (Some(now), _) if now.unchanged_since(&clean) => None,
            (Some(now), _) => Some(format!("inode {} was staged, inode {} is there now", clean.inode, now.inode)),
            (None, _) => Some("the file is gone".to_owned()),
        };
        if let (Some(text), Some(slot)) = (&changed, self.slots.get_mut(id.0)) {
            slot.changed = Some(text.clone());
            self.say(id, true, format!("changed under us (WW026): {text}"));
        }
        Ok(())
    }

    pub(super) fn say(&mut self, id: ArtifactId, failed: bool, text: String) {
        self.log.push(LogEntry { artifact: Some(id), failed, text });
    }
}
