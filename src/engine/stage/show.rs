//! What a session shows: its plan, its artifacts' reports and files, and what it did, as the documents have them.

use super::plan::{StepPlan, World};
use super::session::{Session, Slot, TakenStep};
use super::side_by_side::side_by_side;
use super::snapshot::{ArtifactSnapshot, Snapshot, SnapshotStep};
use super::state::State;
use crate::engine::audit::set_tags;
use crate::engine::dlopen::observed::observe;
use crate::engine::file::{Identity, sha256};
use crate::engine::project::{Artifact, ArtifactId, aliases};
use crate::engine::report::audit::{
    ArtifactReport, AuditDocument, FindingCounts, Host, Severity, StagingReport, Summary,
};
use crate::engine::report::plan::{PlanDocument, PlannedStep, Refusal, Step};
use crate::engine::report::run::{FinalState, RunDocument, RunEffect, RunStep, TouchedFile};
use crate::engine::{Context, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

impl Session {
    /// What can be seen of the session now.
    #[must_use]
    pub fn snapshot(&self) -> Snapshot {
        let mut profiles: Vec<&str> = self
            .project
            .artifacts
            .iter()
            .filter_map(|artifact| artifact.cargo.as_ref().map(|cargo| cargo.profile.as_str()))
            .collect();
        profiles.dedup();
        Snapshot {
            title: self.title(),
            profile: match profiles.as_slice() {
                [one] => Some((*one).to_owned()),
                _ => None,
            },
            mode: self.options.repair.mode.name().to_owned(),
            artifacts: self.project.artifacts.iter().map(|artifact| self.artifact_snapshot(artifact)).collect(),
            log: self.log.clone(),
            read_only: self.read_only.clone(),
            notes: self.project.notes.clone(),
        }
    }

    /// What can be seen of the session now, where nothing but a look at artifact `id` has happened since `before`: what is
    /// seen of the others is taken over from there.
    #[must_use]
    pub fn snapshot_after(&self, before: &Snapshot, id: ArtifactId) -> Snapshot {
        let mut snapshot = Snapshot { log: self.log.clone(), ..before.clone() };
        if let (Some(artifact), Some(shown)) = (self.artifact(id), snapshot.artifacts.get_mut(id.0)) {
            *shown = self.artifact_snapshot(artifact);
        }
        snapshot
    }

    fn title(&self) -> String {
        let directory = self.project.root.as_ref().and_then(|root| root.file_name());
        let names: std::collections::BTreeSet<&str> =
            self.project.artifacts.iter().map(|artifact| artifact.names.distribution.as_str()).collect();
        match (names.first(), names.len(), directory) {
            (Some(name), 1, _) => (*name).to_owned(),
            (_, _, Some(directory)) => directory.to_string_lossy().into_owned(),
            _ => format!("{} files", self.project.artifacts.len()),
        }
    }

    fn artifact_snapshot(&self, artifact: &Artifact) -> ArtifactSnapshot {
        let slot = self.slots.get(artifact.id.0);
        ArtifactSnapshot {
            id: artifact.id,
            path: artifact.path.clone(),
            name: artifact.name.clone(),
            kind: artifact.kind,
            report: self.report(artifact.id).map(Arc::new),
            staging: self.staging_report(artifact),
            done: slot.and_then(|slot| slot.taken.last()).map(|taken| taken.step),
            next: self.next_step(artifact.id),
            steps: Arc::new(self.snapshot_steps(artifact)),
            edits: Arc::new(self.logged_edits(artifact.id)),
        }
    }

    /// The steps taken, then those to come, planned on from where the artifact is.
    fn snapshot_steps(&self, artifact: &Artifact) -> Vec<SnapshotStep> {
        let Some(slot) = self.slots.get(artifact.id.0).filter(|slot| slot.audit.is_some()) else { return Vec::new() };
        let mut steps: Vec<SnapshotStep> = slot.taken.iter().map(|taken| self.taken_step(taken)).collect();
        let mut world = self.world.clone();
        let mut stopped = false;
        for step in Step::ALL.into_iter().filter(|step| slot.next().is_some_and(|next| *step >= next)) {
            let mut shown = SnapshotStep { step, done: false, effects: Vec::new(), refusal: None, notes: Vec::new() };
            if !stopped {
                match self.plan_and_take(&mut world, artifact.id, step) {
                    Ok(plan) => {
                        shown.effects = plan.effects.iter().map(|effect| effect.planned(&self.project)).collect();
                        shown.notes = plan.notes;
                    }
                    Err(refusal) => {
                        shown.refusal = Some(refusal);
                        stopped = true;
                    }
                }
            }
            steps.push(shown);
        }
        steps
    }

    fn taken_step(&self, taken: &TakenStep) -> SnapshotStep {
        SnapshotStep {
            step: taken.step,
            done: true,
            effects: taken.effects.iter().map(|effect| effect.effect.planned(&self.project)).collect(),
            refusal: None,
            notes: taken.notes.clone(),
        }
    }

    fn plan_and_take(&self, world: &mut World, id: ArtifactId, step: Step) -> Result<StepPlan, Refusal> {
        let plan = self.plan_step(world, id, step)?;
        world.take(id, &plan).map_err(|error| Refusal {
            artifact: self.artifact(id).map(|artifact| artifact.path.clone()).unwrap_or_default(),
            reason: error.to_string(),
            way_out: "look again at what is there".to_owned(),
        })?;
        Ok(plan)
    }

    /// The effects of every step up to and with `until`, for all artifacts, without one of them.
    ///
    /// # Errors
    /// When an artifact can't be read for a reason of the system's.
    pub fn plan_document(&mut self, until: Step, context: &Context) -> Result<PlanDocument> {
        let ids: Vec<ArtifactId> = self.project.artifacts.iter().map(|artifact| artifact.id).collect();
        self.ensure_all_audited(context)?;
        let mut world = self.world.clone();
        let mut stopped = vec![false; ids.len()];
        let mut steps = Vec::new();
        for step in Step::ALL.into_iter().filter(|step| *step <= until) {
            let mut planned = PlannedStep { step, effects: Vec::new(), refusals: Vec::new(), notes: Vec::new() };
            for (id, stopped) in ids.iter().zip(&mut stopped) {
                if *stopped || self.next_step(*id).is_none_or(|next| step < next) {
                    continue;
                }
                match self.plan_and_take(&mut world, *id, step) {
                    Ok(plan) => {
                        planned.effects.extend(plan.effects.iter().map(|effect| effect.planned(&self.project)));
                        planned.notes.extend(self.named_notes(*id, plan.notes));
                    }
                    Err(refusal) => {
                        planned.refusals.push(refusal);
                        *stopped = true;
                    }
                }
            }
            steps.push(planned);
        }
        Ok(PlanDocument { schema: "wheelwright/plan/1".to_owned(), steps })
    }

    fn named_notes(&self, id: ArtifactId, notes: Vec<String>) -> Vec<String> {
        let name = self.artifact(id).map(|artifact| artifact.name.clone()).unwrap_or_default();
        notes.into_iter().map(|note| format!("{name}: {note}")).collect()
    }

    /// Everything found out about artifact `id`; `None` until it was audited.
    #[must_use]
    pub fn report(&self, id: ArtifactId) -> Option<ArtifactReport> {
        let (artifact, slot) = (self.artifact(id)?, self.slots.get(id.0)?);
        let audit = slot.audit.as_ref()?;
        let mut report = audit.report.clone();
        report.staging = self.staging_report(artifact);
        report.load.clone_from(&slot.load);
        if let Some(trace) = &self.options.audit.trace {
            observe(&mut report, trace);
        }
        report.will_patch = self.will_patch(artifact, slot);
        for library in report.external_libs.iter_mut().flatten() {
            // An adoption may keep a name that the audit knew nothing of.
            let mut grafts = slot.repair.iter().flat_map(|repair| &repair.grafts);
            if let Some(graft) = grafts.find(|graft| Some(&graft.realpath) == library.realpath.as_ref()) {
                library.grafted_name = Some(graft.name.clone());
            }
        }
        report.findings = self.findings(slot, &report);
        Some(report)
    }

    /// Where `artifact`'s files are now.
    #[must_use]
    pub fn staging_report(&self, artifact: &Artifact) -> StagingReport {
        let state = self.world.state(artifact.id);
        let staged = self.staged_path(artifact.id);
        let clean = self.clean_path(artifact.id);
        let identity = clean.as_deref().and_then(|path| Identity::of(path).ok().flatten());
        let mut related = self.slots.get(artifact.id.0).map(|slot| slot.related.clone()).unwrap_or_default();
        let (mut names, mut elsewhere) = (Vec::new(), 0);
        if let Some(identity) = &identity {
            // The name that the clean bytes are read by is shown already; every other one is an alias.
            let known: Vec<PathBuf> = clean.iter().cloned().collect();
            let mut candidates: Vec<PathBuf> = related.iter().map(|file| file.path.clone()).collect();
            candidates.push(artifact.path.clone());
            candidates.extend(staged.clone());
            (names, elsewhere) = aliases(identity, &known, &candidates);
        }
        related.retain(|file| Some(&file.path) != staged.as_ref());
        StagingReport {
            state: state.into(),
            edited: staged.as_ref().and_then(|path| self.world.model.file(path)).is_some_and(|file| file.edited),
            cargo_output: artifact.cargo.is_some().then(|| artifact.path.clone()),
            staged,
            device: identity.map(|identity| identity.device),
            inode: identity.map(|identity| identity.inode),
            links: identity.map(|identity| identity.links),
            aliases: names,
            aliases_elsewhere: elsewhere,
            related,
        }
    }

    /// The audit of all artifacts as a document.
    ///
    /// # Errors
    /// When an artifact can't be read for a reason of the system's.
    pub fn audit_document(&mut self, host: Host, context: &Context) -> Result<AuditDocument> {
        let ids: Vec<ArtifactId> = self.project.artifacts.iter().map(|artifact| artifact.id).collect();
        self.ensure_all_audited(context)?;
        self.look_into_openers(context)?;
        let reports = side_by_side(&ids, |id| self.report(*id));
        let artifacts: Vec<ArtifactReport> = reports.into_iter().flatten().collect();
        let mut summary = Summary { artifacts: artifacts.len(), ..Summary::default() };
        for report in &artifacts {
            let mode = match self.options.repair.mode {
                crate::engine::repair::Mode::Repair => report.will_patch.repair,
                crate::engine::repair::Mode::Editable => report.will_patch.editable,
            };
            summary.will_patch += usize::from(mode == Some(true));
            count(&mut summary.findings, report);
        }
        if let Some(tags) = set_tags(&artifacts) {
            (summary.tag, summary.symbol_tag) = (Some(tags.tag), Some(tags.symbol_tag));
        }
        Ok(AuditDocument { schema: "wheelwright/audit/1".to_owned(), host, summary, artifacts })
    }

    /// What was done, with the hashes in `before` (from [`Session::hashes`]) against those of now.
    ///
    /// # Errors
    /// When a file can't be hashed.
    pub fn run_document(
        &self,
        planned: &PlanDocument,
        before: &BTreeMap<PathBuf, Option<String>>,
        context: &Context,
    ) -> Result<RunDocument> {
        let mut steps = Vec::new();
        for step in &planned.steps {
            let taken: Vec<&TakenStep> =
                self.slots.iter().flat_map(|slot| &slot.taken).filter(|taken| taken.step == step.step).collect();
            let mut effects: Vec<RunEffect> = taken
                .iter()
                .flat_map(|taken| &taken.effects)
                .map(|effect| RunEffect { effect: effect.effect.planned(&self.project), done: true })
                .collect();
            let open = step.effects.iter().filter(|planned| !effects.iter().any(|done| done.effect == **planned));
            let open: Vec<RunEffect> = open.map(|effect| RunEffect { effect: effect.clone(), done: false }).collect();
            effects.extend(open);
            let refusals = self.slots.iter().filter_map(|slot| slot.refusal.as_ref());
            steps.push(RunStep {
                step: step.step,
                effects,
                refusals: refusals.filter(|(at, _)| *at == step.step).map(|(_, refusal)| refusal.clone()).collect(),
                notes: step.notes.clone(),
            });
        }
        let after = Self::hashes(before.keys().cloned(), context)?;
        let files = before
            .iter()
            .map(|(path, before)| TouchedFile {
                path: path.clone(),
                before: before.clone(),
                after: after.get(path).cloned().flatten(),
            })
            .collect();
        let states = self.project.artifacts.iter().map(|artifact| FinalState {
            path: artifact.path.clone(),
            state: self.world.state(artifact.id).into(),
            edited: self.staging_report(artifact).edited,
        });
        Ok(RunDocument {
            schema: "wheelwright/run/1".to_owned(),
            steps,
            files,
            loads: self.slots.iter().filter_map(|slot| slot.load.clone()).collect(),
            states: states.collect(),
            bundles: Vec::new(),
        })
    }

    /// The SHA-256 of each of `paths` that is a file; `None` for one that is not there.
    ///
    /// # Errors
    /// When a file can't be read.
    pub fn hashes(
        paths: impl IntoIterator<Item = PathBuf>,
        context: &Context,
    ) -> Result<BTreeMap<PathBuf, Option<String>>> {
        let mut hashes = BTreeMap::new();
        for path in paths {
            let is_file = Identity::of(&path)?.is_some_and(|identity| identity.is_file());
            let hash = if is_file { Some(sha256(&path, context)?) } else { None };
            hashes.insert(path, hash);
        }
        Ok(hashes)
    }

    /// The bundle directories that hold something of this session, each with the files that do. What an earlier session
    /// left there is none of them.
    #[must_use]
    pub fn bundles(&self) -> BTreeMap<PathBuf, BTreeSet<PathBuf>> {
        let is_final = |artifact: &&Artifact| {
            let slot = self.slots.get(artifact.id.0);
            slot.is_some_and(|slot| slot.taken.last().is_some_and(|taken| taken.step == Step::Finalize))
        };
        let mut bundles: BTreeMap<PathBuf, BTreeSet<PathBuf>> = BTreeMap::new();
        for artifact in self.project.artifacts.iter().filter(is_final) {
            let files = bundles.entry(self.places.bundle(artifact)).or_default();
            files.insert(self.places.bundled(artifact));
            files.extend(self.grafts_of(artifact).map(|(_, place)| place));
        }
        bundles
    }

    /// What stopped each artifact that was stopped.
    pub fn refusals(&self) -> impl Iterator<Item = (Step, &Refusal)> {
        self.slots.iter().filter_map(|slot: &Slot| slot.refusal.as_ref().map(|(step, refusal)| (*step, refusal)))
    }

    /// Whether artifact `id` has gone all the way.
    #[must_use]
    pub fn is_finished(&self, id: ArtifactId) -> bool {
        self.next_step(id).is_none() && self.world.state(id) != State::Renamed
    }
}

fn count(counts: &mut FindingCounts, report: &ArtifactReport) {
    for finding in &report.findings {
        match finding.severity {
            Severity::Error => counts.error += 1,
            Severity::Warning => counts.warning += 1,
            Severity::Note => counts.note += 1,
        }
    }
}
