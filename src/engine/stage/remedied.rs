//! The remedies for what a session's artifacts open: each planned as it would be, and predicted by that plan.

use super::session::Session;
use crate::engine::dlopen::remedies::{Case, Made, asks_for_one, choose, judge};
use crate::engine::project::{Artifact, ArtifactId};
use crate::engine::repair::{Adoption, Mode, Repair};
use crate::engine::report::dlopen::{Confidence, DlopenReport, OpenedName, Opening, OpeningOutcome, RemedyKind};
use crate::engine::{Context, Error, Result};
use std::path::Path;

/// For so many names of one artifact remedies are worked out: each takes several plans and predictions.
const MOST_NAMES: usize = 16;

impl Session {
    /// Fills the remedies into `report`, the predicted report of what artifact `id` opens.
    ///
    /// # Errors
    /// When a file of the bundle can't be read; [`Error::Cancelled`].
    pub(super) fn fill_remedies(&self, id: ArtifactId, report: &mut DlopenReport, context: &Context) -> Result<()> {
        let Some(artifact) = self.artifact(id).filter(|_| self.options.repair.mode == Mode::Repair) else {
            return Ok(());
        };
        let asking = |opened: &&OpenedName| {
            opened.confidence != Confidence::Pattern
                && (asks_for_one(opened) || self.adopted_for(id, &opened.name).is_some())
        };
        let names: Vec<OpenedName> =
            report.candidates.iter().flatten().filter(asking).take(MOST_NAMES).cloned().collect();
        for mut opened in names {
            context.advance(0)?;
            self.fill_name(artifact, &mut opened, report, context)?;
            let place = report.candidates.iter_mut().flatten();
            if let Some(place) = place.into_iter().find(|one| (&one.name, one.caller) == (&opened.name, opened.caller))
            {
                *place = opened;
            }
        }
        Ok(())
    }

    fn adopted_for(&self, id: ArtifactId, name: &str) -> Option<&Adoption> {
        self.options.repair.adopted.iter().find(|adoption| adoption.artifact == id && adoption.name == name)
    }

    fn fill_name(
        &self,
        artifact: &Artifact,
        opened: &mut OpenedName,
        report: &DlopenReport,
        context: &Context,
    ) -> Result<()> {
        let Some(library) = self.library_opened_as(artifact, &opened.name, Some(report)) else { return Ok(()) };
        let audit = self.slots.get(artifact.id.0).and_then(|slot| slot.audit.as_ref());
        // Without the repair tool's lens nothing is known of what a bundle holds.
        let audit = audit.filter(|audit| audit.externals.is_some());
        let Some(binary) = audit.and_then(|audit| audit.binary.as_ref()) else { return Ok(()) };
        let adopted = self.adopted_for(artifact.id, &opened.name);
        let plain = self.plain_repairs(artifact, opened, &library, context)?;
        let remedies = {
            let libc = self.audit_options(artifact).loader.libc_of(binary);
            let case = Case { artifact, opened, library: &library, libc, plain: &plain };
            judge(&case, |kind| self.made(artifact, opened, &library, kind, report, context))?
        };
        opened.remedies = remedies;
        opened.remedy = choose(&opened.remedies);
        for remedy in &mut opened.remedies {
            remedy.adopted = adopted.is_some_and(|adoption| adoption.kind == remedy.kind);
        }
        Ok(())
    }

    /// The repairs that a remedy for `opened` can change, as they are without any.
    fn plain_repairs(
        &self,
        artifact: &Artifact,
        opened: &OpenedName,
        library: &Path,
        context: &Context,
    ) -> Result<Vec<(ArtifactId, String, Repair)>> {
        let none = Adoption {
            kind: RemedyKind::LinkIt,
            artifact: artifact.id,
            name: opened.name.clone(),
            library: library.to_path_buf(),
            brings: Vec::new(),
        };
        let mut adopted = self.adopted_instead(&none);
        adopted.retain(|adoption| !adoption.is_same_as(&none));
        let repairs = self.repairs_with(&none, &adopted, context)?.into_iter();
        let named = repairs.filter_map(|(id, repair)| Some((id, self.artifact(id)?.name.clone(), repair)));
        Ok(named.collect())
    }

    /// What `kind` would make of the bundle.
    fn made(
        &self,
        artifact: &Artifact,
        opened: &OpenedName,
        library: &Path,
        kind: RemedyKind,
        report: &DlopenReport,
        context: &Context,
    ) -> Result<Made> {
        let adoption = self.adoption_of(artifact, kind, &opened.name, Some(library));
        let repairs =
            adoption.and_then(|adoption| self.repairs_with(&adoption, &self.adopted_instead(&adoption), context));
        let repairs = match repairs {
            Err(Error::Refused { reason, .. }) => return Ok(Made::Refused(format!("it can't be had: it {reason}"))),
            other => other?,
        };
        let refusal =
            repairs.iter().find_map(|(_, repair)| repair.graft_refusal.as_ref().or(repair.edit_refusal.as_ref()));
        if let Some((reason, _)) = refusal {
            return Ok(Made::Refused(format!("it can't be made: {reason}")));
        }
        let opening = self.opening_with(artifact.id, opened, &repairs, report, context)?;
        Ok(Made::Planned { repairs, opening })
    }

    /// What opening comes to with `repairs`; `None` where nothing can be said.
    fn opening_with(
        &self,
        id: ArtifactId,
        opened: &OpenedName,
        repairs: &[(ArtifactId, Repair)],
        report: &DlopenReport,
        context: &Context,
    ) -> Result<Option<Opening>> {
        let mut alone = DlopenReport {
            imports: report.imports.clone(),
            candidates: Some(vec![opened.clone()]),
            ..DlopenReport::default()
        };
        self.predict_opened(id, &mut alone, Some(repairs), context)?;
        let predicted = alone.candidates.into_iter().flatten().next().and_then(|opened| opened.in_bundle);
        Ok(predicted.filter(|opening| opening.outcome != OpeningOutcome::Unknown))
    }
}
