//! What a session's artifacts may open at run time: the evidence once, and what comes of it as often as plans change.
//!
//! The result is part of the artifact's report. What is opened is judged in the bundle, so that the other artifacts of the
//! same wheel are audited first: one of them may bring the library.

use super::session::Session;
use super::side_by_side::side_by_side;
use crate::engine::audit::{Audit, Lenses};
use crate::engine::deps::{Loader, LoaderInputs};
use crate::engine::dlopen::evidence::{self, EvidenceOptions};
use crate::engine::dlopen::predict::{Member, PredictSubject, predict};
use crate::engine::file::Windows;
use crate::engine::project::{Artifact, ArtifactId};
use crate::engine::repair::Repair;
use crate::engine::report::dlopen::DlopenReport;
use crate::engine::{Context, Result};
use std::path::PathBuf;
use std::sync::Arc;

/// Unasked, the text of files with more bytes of read-only data is not searched.
const MOST_TEXT: u64 = 64 << 20;

/// What was looked into.
#[derive(Debug)]
pub(super) struct LookedInto {
    /// What the files say, without what comes of it.
    evidence: DlopenReport,
    /// The plans of the bundle by which that was worked out.
    plans: Vec<Arc<Repair>>,
}

/// An artifact with what the session knows of it.
struct Known<'a> {
    artifact: &'a Artifact,
    clean: PathBuf,
    audit: &'a Audit,
    repair: &'a Repair,
}

impl Known<'_> {
    fn member(&self) -> Option<Member<'_>> {
        let binary = self.audit.binary.as_ref()?;
        Some(Member { artifact: self.artifact, clean: &self.clean, binary, repair: self.repair })
    }
}

impl Session {
    /// Looks into what artifact `id` may open, with all of its text, whatever its size.
    ///
    /// # Errors
    /// When the artifact, one of its bundle or a library that is grafted can't be read; [`crate::engine::Error::Cancelled`].
    pub fn look_into_opened(&mut self, id: ArtifactId, context: &Context) -> Result<()> {
        for other in self.bundle_of(id) {
            self.ensure_audited(other, context)?;
        }
        let looked = self.looked_into(id, None, context)?;
        self.keep(id, looked);
        Ok(())
    }

    /// Looks into every artifact that imports a function by which libraries are opened, or into all where that was asked for;
    /// several at a time.
    ///
    /// # Errors
    /// As [`Session::look_into_opened`], for the first artifact that it fails for.
    pub(super) fn look_into_openers(&mut self, context: &Context) -> Result<()> {
        let all = self.options.audit.questions.dlopen;
        if self.options.audit.lenses == Lenses::LoaderOnly && !all {
            return Ok(());
        }
        let most_text = if all { None } else { Some(MOST_TEXT) };
        let wanted = |id: &ArtifactId| {
            let slot = self.slots.get(id.0).filter(|slot| slot.opened.is_none());
            let report = slot.and_then(|slot| slot.audit.as_ref()?.report.dlopen.as_ref());
            let opens = report.is_some_and(|report| report.imports.iter().any(|import| import.opens));
            slot.is_some() && (all || opens)
        };
        let ids: Vec<ArtifactId> = self.project.artifacts.iter().map(|artifact| artifact.id).filter(wanted).collect();
        let looked = side_by_side(&ids, |id| self.looked_into(*id, most_text, context));
        for (id, looked) in ids.into_iter().zip(looked) {
            self.keep(id, looked?);
        }
        Ok(())
    }

    /// Works out again what comes of what was found, where a plan of the bundle is another now.
    ///
    /// # Errors
    /// As [`Session::look_into_opened`].
    pub(super) fn predict_anew(&mut self, context: &Context) -> Result<()> {
        let ids: Vec<ArtifactId> = self.project.artifacts.iter().map(|artifact| artifact.id).collect();
        for id in ids {
            let Some(opened) = self.slots.get(id.0).and_then(|slot| slot.opened.as_ref()) else { continue };
            let plans = self.plans(id);
            let same = plans.len() == opened.plans.len()
                && plans.iter().zip(&opened.plans).all(|(one, other)| Arc::ptr_eq(one, other));
            if same {
                continue;
            }
            let evidence = opened.evidence.clone();
            let looked = self.predicted(id, evidence, context)?;
            self.keep(id, looked);
        }
        Ok(())
    }

    fn keep(&mut self, id: ArtifactId, looked: Option<(LookedInto, DlopenReport)>) {
        let (Some(slot), Some((opened, report))) = (self.slots.get_mut(id.0), looked) else { return };
        if let Some(audit) = &mut slot.audit {
            Arc::make_mut(audit).report.dlopen = Some(report);
        }
        slot.opened = Some(opened);
    }

    /// The artifacts that go into the same wheel as artifact `id`, itself included.
    pub(super) fn bundle_of(&self, id: ArtifactId) -> Vec<ArtifactId> {
        let libraries = |artifact: &Artifact| self.places.grafted(artifact, "");
        let Some(own) = self.artifact(id).map(libraries) else { return Vec::new() };
        self.project.artifacts.iter().filter(|other| libraries(other) == own).map(|other| other.id).collect()
    }

    fn plans(&self, id: ArtifactId) -> Vec<Arc<Repair>> {
        let of = |id: ArtifactId| self.slots.get(id.0).and_then(|slot| slot.repair.clone());
        self.bundle_of(id).into_iter().filter_map(of).collect()
    }

    fn known(&self, id: ArtifactId) -> Option<Known<'_>> {
        let slot = self.slots.get(id.0)?;
        let (artifact, clean) = (self.artifact(id)?, self.clean_path(id)?);
        Some(Known { artifact, clean, audit: slot.audit.as_deref()?, repair: slot.repair.as_deref()? })
    }

    /// What is found in artifact `id`, and what comes of it; `None` for one that can't be read.
    fn looked_into(
        &self,
        id: ArtifactId,
        most_text: Option<u64>,
        context: &Context,
    ) -> Result<Option<(LookedInto, DlopenReport)>> {
        let Some(known) = self.known(id) else { return Ok(None) };
        let Some(binary) = &known.audit.binary else { return Ok(None) };
        let options = EvidenceOptions { python: evidence::python_sources(known.artifact, &self.project), most_text };
        let source = Windows::open(&known.clean)?;
        let found = evidence::collect(&known.artifact.path, binary, &source, &options, context)?;
        self.predicted(id, found, context)
    }

    fn predicted(
        &self,
        id: ArtifactId,
        evidence: DlopenReport,
        context: &Context,
    ) -> Result<Option<(LookedInto, DlopenReport)>> {
        let mut report = evidence.clone();
        self.predict_opened(id, &mut report, None, context)?;
        self.fill_remedies(id, &mut report, context)?;
        Ok(Some((LookedInto { evidence, plans: self.plans(id) }, report)))
    }

    /// Fills into `report` what would come of what artifact `id` opens, by the plans that the session has, or by those in
    /// `instead`.
    ///
    /// # Errors
    /// As [`Session::look_into_opened`].
    pub(super) fn predict_opened(
        &self,
        id: ArtifactId,
        report: &mut DlopenReport,
        instead: Option<&[(ArtifactId, Repair)]>,
        context: &Context,
    ) -> Result<()> {
        let mut bundle: Vec<(ArtifactId, Known<'_>)> =
            self.bundle_of(id).into_iter().filter_map(|id| Some((id, self.known(id)?))).collect();
        for (other, known) in &mut bundle {
            if let Some((_, repair)) = instead.into_iter().flatten().find(|(id, _)| id == other) {
                known.repair = repair;
            }
        }
        let Some(own) = bundle.iter().position(|(other, _)| *other == id) else { return Ok(()) };
        let (_, known) = bundle.remove(own);
        let Some(member) = known.member() else { return Ok(()) };
        let others: Vec<Member<'_>> = bundle.iter().filter_map(|(_, known)| known.member()).collect();
        let options = self.audit_options(known.artifact);
        let mut inputs: LoaderInputs = options.loader;
        inputs.extra_paths.extend(options.ld_paths);
        let tag = known.audit.report.policy.as_ref().map(|policy| policy.tag.as_str());
        let subject = PredictSubject {
            member,
            others: &others,
            mode: self.options.repair.mode,
            tag: tag.filter(|tag| *tag != "linux"),
            inputs: &inputs,
            hidden: std::slice::from_ref(&self.places.staging),
            loader: &Loader::default(),
        };
        predict(report, &subject, context)
    }
}
