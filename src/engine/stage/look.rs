//! A session's looking steps: audit, predict, verify. They have no effects.

use super::plan::World;
use super::recover::empty;
use super::session::{Session, Slot};
use super::side_by_side::side_by_side;
use crate::engine::audit::findings::{Circumstances, findings};
use crate::engine::audit::{self, Audit, AuditOptions, Questions};
use crate::engine::binary::RunPathTag;
use crate::engine::file::Identity;
use crate::engine::project::{Artifact, ArtifactId, related};
use crate::engine::repair::{
    Adoption, EditRequest, Mode, Repair, RepairOptions, Subject, Verification, describe_request, prepare,
};
use crate::engine::report::audit::{
    ArtifactReport, Finding, MaturinRule, RelatedFile, RpathEntry, RpathReport, WillPatch,
};
use crate::engine::report::plan::Refusal;
use crate::engine::{Context, Error, Result};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// What looking at one artifact's files yields.
struct Looked {
    audited: Option<Identity>,
    audit: Audit,
    repair: Repair,
    other_mode: Option<bool>,
    related: Vec<RelatedFile>,
}

impl Session {
    /// Audits artifact `id` anew. A bad binary is no error: its report says what is wrong with it.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; [`Error::Io`] when a library that would be grafted can't be read.
    pub fn audit(&mut self, id: ArtifactId, context: &Context) -> Result<()> {
        let Some(artifact) = self.artifact(id) else { return Ok(()) };
        let looked = self.examine(artifact, context)?;
        self.take_in(id, looked);
        self.predict_anew(context)
    }

    /// Audits the artifacts that were not audited yet, several at a time.
    ///
    /// # Errors
    /// As [`Session::audit`], for the first artifact that it fails for; those after it are then left for another time.
    pub(super) fn ensure_all_audited(&mut self, context: &Context) -> Result<()> {
        let is_missing = |artifact: &&Artifact| self.slots.get(artifact.id.0).is_some_and(|slot| slot.audit.is_none());
        let missing: Vec<&Artifact> = self.project.artifacts.iter().filter(is_missing).collect();
        let looked = side_by_side(&missing, |artifact| self.examine(artifact, context));
        let ids: Vec<ArtifactId> = missing.iter().map(|artifact| artifact.id).collect();
        for (id, looked) in ids.into_iter().zip(looked) {
            self.take_in(id, looked?);
        }
        Ok(())
    }

    /// Answers `questions` about artifact `id` in its report. What was answered before stays.
    ///
    /// # Errors
    /// [`Error::Cancelled`]; when the artifact can't be read any more.
    pub fn look_into(&mut self, id: ArtifactId, questions: &Questions, context: &Context) -> Result<()> {
        self.ensure_audited(id, context)?;
        let (Some(artifact), Some(clean)) = (self.artifact(id).cloned(), self.clean_path(id)) else { return Ok(()) };
        let options = self.audit_options(&artifact);
        let Some(audit) = self.slots.get(id.0).and_then(|slot| slot.audit.clone()) else { return Ok(()) };
        let mut audit = Audit::clone(&audit);
        audit::answer(&mut audit, &artifact, &clean, &options, questions, context)?;
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.audit = Some(Arc::new(audit));
        }
        if questions.dlopen { self.look_into_opened(id, context) } else { Ok(()) }
    }

    pub(super) fn ensure_audited(&mut self, id: ArtifactId, context: &Context) -> Result<()> {
        match self.slots.get(id.0) {
            Some(slot) if slot.audit.is_none() => self.audit(id, context),
            _ => Ok(()),
        }
    }

    /// The session's options with what only this artifact has: its linked paths.
    pub(super) fn audit_options(&self, artifact: &Artifact) -> AuditOptions {
        let mut options = self.options.audit.clone();
        options.loader.linked_paths.clone_from(&artifact.linked_paths.paths);
        options.expected_entry_point.clone_from(&artifact.expected_entry_point);
        options
    }

    /// Everything that is found out about `artifact` by looking at files. Changes nothing, so that several can be looked at at
    /// once.
    fn examine(&self, artifact: &Artifact, context: &Context) -> Result<Looked> {
        let clean = self.clean_path(artifact.id);
        let audited = Identity::of(&artifact.path)?;
        let audit = audit::audit(artifact, clean.as_deref(), &self.audit_options(artifact), context);
        context.advance(0)?;
        let mode = self.options.repair.mode;
        let other = if mode == Mode::Repair { Mode::Editable } else { Mode::Repair };
        let adopted = self.adopted_beside(artifact);
        let repair = self.prepare(artifact, &audit, mode, adopted.clone(), context)?;
        let other_mode = self.prepare(artifact, &audit, other, adopted, context)?.will_patch();
        Ok(Looked { audited, audit, repair, other_mode, related: related(artifact, &self.project) })
    }

    fn take_in(&mut self, id: ArtifactId, looked: Looked) {
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.audited = looked.audited;
            slot.audit = Some(Arc::new(looked.audit));
            slot.opened = None;
            slot.repair = Some(Arc::new(looked.repair));
            slot.other_mode = looked.other_mode;
            slot.related = looked.related;
        }
    }

    /// What repairing `artifact` takes, with these `adopted` of its bundle.
    pub(super) fn prepare(
        &self,
        artifact: &Artifact,
        audit: &Audit,
        mode: Mode,
        adopted: Vec<Adoption>,
        context: &Context,
    ) -> Result<Repair> {
        let (Some(binary), Some(clean)) = (&audit.binary, self.clean_path(artifact.id)) else {
            let error = audit.report.error.as_ref();
            return Ok(Repair { unreadable: error.map(|error| error.message.clone()), ..Repair::default() });
        };
        let subject = Subject { artifact, clean: &clean, binary, externals: audit.externals.as_deref() };
        let options = RepairOptions { mode, adopted, drop_build_rpaths: self.options.repair.drop_build_rpaths };
        match prepare(&subject, &options, &*self.options.editor, context) {
            Err(Error::Malformed { path, offset, expected }) if path == clean => {
                let error = Error::Malformed { path: artifact.path.clone(), offset, expected };
                Ok(Repair { size: binary.size, unreadable: Some(error.to_string()), ..Repair::default() })
            }
            other => other,
        }
    }

    pub(super) fn will_patch(&self, artifact: &Artifact, slot: &Slot) -> WillPatch {
        let Some(repair) = &slot.repair else { return WillPatch::default() };
        let this = repair.will_patch();
        let mode = self.options.repair.mode;
        let (in_repair, in_editable) =
            if mode == Mode::Repair { (this, slot.other_mode) } else { (slot.other_mode, this) };
        let externals = slot.audit.as_ref().and_then(|audit| audit.externals.as_ref());
        let edit = repair.artifact_edit.iter().flat_map(|plan| &plan.requests);
        WillPatch {
            repair: in_repair,
            editable: in_editable,
            edits: edit.clone().map(describe_request).collect(),
            rpath: edit.clone().find_map(|request| match request {
                EditRequest::SetRpath(text) => Some(self.rpath_in_bundle(artifact, &text.to_text())),
                _ => None,
            }),
            maturin_rule: MaturinRule {
                repair: externals.map(|externals| !externals.is_empty()),
                editable: Some(!artifact.linked_paths.paths.is_empty()),
            },
        }
    }

    /// The search path `text` as it will be in the bundle.
    fn rpath_in_bundle(&self, artifact: &Artifact, text: &str) -> RpathReport {
        let bundled = self.places().bundled(artifact);
        let origin = bundled.parent().unwrap_or(Path::new("/"));
        let entries = text.split(':').map(|literal| {
            let inside = literal.strip_prefix("$ORIGIN").map(|rest| origin.join(rest.trim_start_matches('/')));
            let expanded = inside.clone().unwrap_or_else(|| PathBuf::from(literal));
            RpathEntry {
                literal: literal.to_owned(),
                // The graft step makes the directory: until then there is nothing to say.
                exists: if expanded.is_dir() { Some(true) } else { inside.is_none().then_some(false) },
                expanded: Some(expanded),
                note: Some(if inside.is_some() { "in the bundle" } else { "outside of the bundle" }.to_owned()),
            }
        });
        RpathReport { tag: Some(RunPathTag::Rpath), entries: entries.collect() }
    }

    pub(super) fn findings(&self, slot: &Slot, report: &ArtifactReport) -> Vec<Finding> {
        let Some(audit) = &slot.audit else { return Vec::new() };
        let circumstances = Circumstances {
            staging: &report.staging,
            refusal: slot.repair.as_ref().and_then(|repair| repair.refused_edit.as_ref()),
            changed: slot.changed.as_deref(),
            mode: self.options.repair.mode,
        };
        findings(audit, &circumstances)
    }

    /// Verifies artifact `id`; what is wrong, if something is.
    pub(super) fn verify(&mut self, id: ArtifactId, context: &Context) -> Result<Option<Refusal>> {
        let (Some(artifact), Some(slot)) = (self.artifact(id), self.slots.get(id.0)) else { return Ok(None) };
        let (Some(repair), Some(staged)) = (slot.repair.clone(), self.staged_path(id)) else { return Ok(None) };
        let grafted: Vec<PathBuf> =
            repair.grafts.iter().map(|graft| self.places().grafted(artifact, &graft.name)).collect();
        let scratch = self.places().scratch();
        empty(&scratch)?;
        let verification =
            Verification { artifact, repair: &repair, staged: &staged, grafted: &grafted, scratch: &scratch };
        let problems = verification.problems(&self.audit_options(artifact).loader, context)?;
        Ok((!problems.is_empty()).then(|| Refusal {
            artifact: artifact.path.clone(),
            reason: problems.join("; "),
            way_out: "undo the patch step and look at the plan".to_owned(),
        }))
    }

    /// The world as the session knows it, to plan ahead in.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }
}
