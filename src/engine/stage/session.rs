//! A session: artifacts going through the pipeline step by step, forward and back, with every effect journaled.
//!
//! Looking changes nothing; the journal is made by the first step. A session ends with [`Session::leave`], which puts cargo's
//! outputs back; what a killed one leaves is for [`super::recover`].

use super::carry::TakenEffect;
use super::effect::Action;
use super::journal::Journal;
use super::model::Content;
use super::opened::LookedInto;
use super::places::Places;
use super::plan::{KernelFacts, World};
use super::snapshot::LogEntry;
use super::state::State;
use crate::engine::audit::{Audit, AuditOptions};
use crate::engine::dlopen::proof::Loading;
use crate::engine::file::Identity;
use crate::engine::owners::Owners;
use crate::engine::project::{Artifact, ArtifactId, Project};
use crate::engine::repair::{Editor, Repair, RepairOptions};
use crate::engine::report::audit::RelatedFile;
use crate::engine::report::load::LoadReport;
use crate::engine::report::plan::{Refusal, Step};
use crate::engine::{Error, Result};
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
    /// Who loads artifacts in the verify step; `None`: nobody, nothing of theirs is run.
    pub loading: Option<Loading>,
    /// Is told of every action as it goes, on the session's own thread.
    pub observer: Option<Observer>,
}

/// Is told of every action as it goes.
pub type Observer = Box<dyn Fn(Moment, &Action) + Send + Sync>;

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
    /// It is about to be taken back.
    GoingBack,
    /// It is taken back; the journal does not say so yet.
    TakenBack,
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
    /// The file that was audited, until it is staged.
    pub audited: Option<Identity>,
    /// The clean inode, as it was when the artifact was staged.
    pub clean: Option<Identity>,
    /// What it may open at run time, as far as that was looked into.
    pub opened: Option<LookedInto>,
    /// What came of loading it in the verify step.
    pub load: Option<LoadReport>,
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
    /// What a step had done when it failed, and could not be taken back either.
    pub(super) stranded: Vec<TakenEffect>,
}

impl Session {
    /// Begins a session on `project`. Looks at what is there; changes nothing.
    ///
    /// # Errors
    /// [`Error::Io`] when staging can't be looked at. A journal that can't be read makes the session read-only.
    pub fn open(project: Project, options: SessionOptions) -> Result<Self> {
        let places = Places::of(&project, options.staging.as_deref(), &options.scratch);
        let read_only = match Journal::interrupted(&places.journal()) {
            Ok(false) => None,
            Ok(true) => Some(format!(
                "a session was interrupted here; `wheelwright recover {}` puts its files back",
                quoted(places.home.parent().unwrap_or(&places.home))
            )),
            Err(Error::Locked { .. }) => Some("another wheelwright session works here".to_owned()),
            // What can't be read is no reason not to look at the artifacts.
            Err(error @ (Error::Malformed { .. } | Error::Refused { .. })) => {
                Some(format!("what a session left here can't be read: {error}"))
            }
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
            stranded: Vec::new(),
        };
        session.look()?;
        Ok(session)
    }

    pub(super) fn look(&mut self) -> Result<()> {
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
            if let Some(named) = staging.parent().filter(|named| named.is_dir()) {
                self.world.model.know_directory(named);
            }
            self.world.model.look_below(&staging)
        }
    }

    /// The artifacts.
    #[must_use]
    pub fn project(&self) -> &Project {
        &self.project
    }

    /// Whom files belong to, as far as the audits asked.
    #[must_use]
    pub fn owners(&self) -> &Arc<Owners> {
        &self.options.audit.owners
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

    pub(super) fn say(&mut self, id: ArtifactId, failed: bool, text: String) {
        self.log.push(LogEntry { artifact: Some(id), failed, text });
    }
}

/// `path` as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let plain = |letter: char| letter.is_alphanumeric() || "/._-+:@%".contains(letter);
    if text.chars().all(plain) { text } else { format!("'{}'", text.replace('\'', "'\\''")) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_said_as_a_shell_takes_it() {
        assert_eq!(quoted(Path::new("/a/b-c.d")), "/a/b-c.d");
        assert_eq!(quoted(Path::new("/a b/it's")), "'/a b/it'\\''s'");
    }
}
