//! Planning: the effects of one step for one artifact, worked out from the model alone.
//!
//! Everything that had to be read from files stands in the artifact's [`Repair`]; nothing here touches the disk, so all steps
//! can be planned before the first is taken.

use super::draft::Draft;
use super::effect::Effect;
use super::model::Model;
use super::places::Places;
use super::state::State;
use crate::engine::Result;
use crate::engine::project::{Artifact, ArtifactId, Project};
use crate::engine::repair::Repair;
use crate::engine::report::plan::{Refusal, Step};
use std::collections::BTreeSet;

/// What is known of a session's files: the model and each artifact's state.
#[derive(Debug, Clone, Default)]
pub struct World {
    /// Names and inodes.
    pub model: Model,
    /// The states; entry n is artifact n's.
    pub states: Vec<State>,
}

/// What was learnt from a kernel that refused an effect; planning heeds it from then on.
#[derive(Debug, Clone, Default)]
pub struct KernelFacts {
    /// Artifacts that can't be renamed into staging: it lies on another filesystem.
    pub other_filesystem: BTreeSet<ArtifactId>,
    /// Whether the filesystem makes no hard links.
    pub no_hard_links: bool,
    /// Whether the filesystem makes no symbolic links.
    pub no_symlinks: bool,
}

/// The effects of one step of one artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StepPlan {
    /// The effects, in order.
    pub effects: Vec<Effect>,
    /// The artifact's state afterwards.
    pub after: State,
    /// What there is to say besides.
    pub notes: Vec<String>,
}

impl World {
    /// The artifact's state.
    #[must_use]
    pub fn state(&self, id: ArtifactId) -> State {
        self.states.get(id.0).copied().unwrap_or(State::NotStaged)
    }

    /// Folds a planned step of artifact `id`.
    ///
    /// # Errors
    /// When the model disagrees with an effect.
    pub fn take(&mut self, id: ArtifactId, plan: &StepPlan) -> Result<()> {
        for effect in &plan.effects {
            self.model.fold(&effect.action)?;
        }
        self.set_state(id, plan.after);
        Ok(())
    }

    /// Says which state artifact `id` is in.
    pub fn set_state(&mut self, id: ArtifactId, state: State) {
        if let Some(entry) = self.states.get_mut(id.0) {
            *entry = state;
        }
    }
}

/// Plans steps; holds what all of them need.
#[derive(Debug, Clone, Copy)]
pub struct Planner<'a> {
    /// The artifacts.
    pub project: &'a Project,
    /// Where things go.
    pub places: &'a Places,
    /// What the kernel refused so far.
    pub facts: &'a KernelFacts,
}

impl Planner<'_> {
    /// The effects of `step` for `artifact`, which is as `world` says.
    ///
    /// # Errors
    /// [`Refusal`] when the step can't be taken.
    pub fn plan(&self, world: &World, artifact: &Artifact, repair: &Repair, step: Step) -> Result<StepPlan, Refusal> {
        let mut draft =
            Draft { planner: self, artifact, model: world.model.clone(), effects: Vec::new(), notes: Vec::new(), step };
        let state = world.state(artifact.id);
        let after = match step {
            Step::Stage => draft.stage(repair)?,
            Step::Audit => draft.audit(repair, state)?,
            Step::Graft => draft.graft(repair, state)?,
            Step::Predict | Step::Verify => state,
            Step::CopyBack => draft.copy_back(repair, state)?,
            Step::Patch => draft.patch(repair, state)?,
            Step::Finalize => draft.finalize(state)?,
        };
        Ok(StepPlan { effects: draft.effects, after, notes: draft.notes })
    }

    /// The effects that put `artifact`'s files back when the session ends; none for one that is in order.
    #[must_use]
    pub fn put_back(&self, world: &World, artifact: &Artifact) -> StepPlan {
        let state = world.state(artifact.id);
        let mut draft = Draft {
            planner: self,
            artifact,
            model: world.model.clone(),
            effects: Vec::new(),
            notes: Vec::new(),
            step: Step::Finalize,
        };
        let after = match state {
            State::Renamed | State::Mirrored => draft.end_staging(state),
            State::NotStaged | State::Patched => state,
        };
        StepPlan { effects: draft.effects, after, notes: Vec::new() }
    }
}
