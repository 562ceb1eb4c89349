//! Trying a remedy: the bundle as it would be with it, made in a scratch folder and loaded in a process of its own.
//!
//! Nothing of the session's own state changes, and nothing is left but the report.

use super::loading::{granted, module, place};
use super::recover::empty;
use super::session::Session;
use crate::engine::dlopen::proof::{BundleFile, LoadProof, Probe};
use crate::engine::file::reflink_or_copy;
use crate::engine::project::{Artifact, ArtifactId};
use crate::engine::repair::{Adoption, EditPlan, Repair};
use crate::engine::report::dlopen::{OpenedBy, RemedyKind};
use crate::engine::report::load::LoadReport;
use crate::engine::{Context, Error, Result};
use std::collections::BTreeMap;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::sync::Arc;

impl Session {
    /// Loads the artifact of `adoption` as it would be with it, and opens the adopted name from it. The report is kept with the
    /// remedy, where the artifact's audit lists it.
    ///
    /// # Errors
    /// [`Error::Refused`] where nothing may be loaded or the remedy can't be had; [`Error::Cancelled`]; when a file can't be
    /// copied or edited. That the name is not found is in the report.
    pub fn try_remedy(&mut self, adoption: &Adoption, context: &Context) -> Result<LoadReport> {
        self.ensure_all_audited(context)?;
        let repairs = self.repairs_with(adoption, &self.adopted_instead(adoption), context)?;
        let scratch = self.places.scratch();
        empty(&scratch)?;
        let report = self.load_with(adoption, &repairs, &scratch, context);
        let removed = match std::fs::remove_dir_all(&scratch) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(Error::io("remove", &scratch)(error)),
            _ => Ok(()),
        };
        let report = report.and_then(|report| removed.map(|()| report))?;
        self.keep_tried(adoption, &report);
        Ok(report)
    }

    fn load_with(
        &self,
        adoption: &Adoption,
        repairs: &[(ArtifactId, Repair)],
        scratch: &Path,
        context: &Context,
    ) -> Result<LoadReport> {
        let id = adoption.artifact;
        let refused = |reason: &str, way_out: &str| Error::Refused {
            path: self.artifact(id).map(|artifact| artifact.path.clone()).unwrap_or_default(),
            reason: reason.to_owned(),
            way_out: way_out.to_owned(),
        };
        let Some(loading) = &self.options.loading else {
            return Err(refused("may not be loaded: its code would run", "try it with --load auto or --load always"));
        };
        let audit = self.slots.get(id.0).and_then(|slot| slot.audit.clone());
        let (Some(artifact), Some(audit)) = (self.artifact(id), audit) else {
            return Err(refused("was not audited", "audit it first"));
        };
        let Some(binary) = &audit.binary else { return Err(refused("can't be read", "build it again")) };
        let files = self.files_with(artifact, repairs, &scratch.join("files"), context)?;
        let first =
            repairs.iter().flat_map(|(_, repair)| &repair.grafts).find(|graft| graft.realpath == adoption.library);
        let preload: Vec<String> = first
            .filter(|_| adoption.kind == RemedyKind::Preload)
            .map(|graft| place(&artifact.names.libs_dir, &graft.name))
            .into_iter()
            .collect();
        let (module, granted) = (module(artifact, &audit), granted(&audit));
        let mut hide = self.build_directories(artifact);
        // Where the library lies on this machine is not where another has it.
        hide.extend(adoption.library.parent().filter(|directory| !is_of_system(directory)).map(Path::to_path_buf));
        let proof = LoadProof {
            artifact,
            binary,
            files: &files,
            entry: &place(&artifact.names.artifact_dir, &artifact.names.file_name),
            module: module.as_deref(),
            preload: &preload,
            open: &[Probe { name: adoption.name.clone(), by: self.opened_by(id, &adoption.name) }],
            hide: &hide,
            allowed: &|name| granted.holds(name),
            scratch: &scratch.join("load"),
        };
        proof.run(loading, context)
    }

    /// The files of `artifact`'s bundle with `repairs`, made below `directory`.
    fn files_with(
        &self,
        artifact: &Artifact,
        repairs: &[(ArtifactId, Repair)],
        directory: &Path,
        context: &Context,
    ) -> Result<Vec<BundleFile>> {
        std::fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
        let mut files: BTreeMap<String, BundleFile> = BTreeMap::new();
        let mut add = |at: String, clean: &Path, plan: Option<&EditPlan>| -> Result<()> {
            if files.contains_key(&at) {
                return Ok(());
            }
            let from = directory.join(files.len().to_string());
            self.edited_copy(clean, &from, plan, context)?;
            files.insert(at.clone(), BundleFile { at, from });
            Ok(())
        };
        for id in self.bundle_of(artifact.id) {
            let planned = repairs.iter().find(|(other, _)| *other == id).map(|(_, repair)| repair);
            let slot = self.slots.get(id.0).and_then(|slot| slot.repair.as_deref());
            let Some(repair) = planned.or(slot) else { continue };
            match repair.graft_refusal.as_ref().or(repair.edit_refusal.as_ref()) {
                Some((reason, way_out)) if id == artifact.id => {
                    let (path, reason) = (artifact.path.clone(), reason.clone());
                    return Err(Error::Refused { path, reason, way_out: way_out.clone() });
                }
                // Another artifact that can't be repaired is not there to help.
                Some(_) => continue,
                None => {}
            }
            let (Some(other), Some(clean)) = (self.artifact(id), self.clean_path(id)) else { continue };
            let at = place(&other.names.artifact_dir, &other.names.file_name);
            add(at, &clean, repair.artifact_edit.as_ref())?;
            for graft in &repair.grafts {
                add(place(&artifact.names.libs_dir, &graft.name), &graft.realpath, Some(&graft.edit))?;
            }
        }
        Ok(files.into_values().collect())
    }

    fn edited_copy(&self, clean: &Path, to: &Path, plan: Option<&EditPlan>, context: &Context) -> Result<()> {
        reflink_or_copy(clean, to, context)?;
        let Some(plan) = plan.filter(|plan| !plan.is_empty()) else { return Ok(()) };
        let mode = std::fs::metadata(to).map_err(Error::io("look at", to))?.permissions().mode();
        let writable = std::fs::Permissions::from_mode(mode | 0o200);
        std::fs::set_permissions(to, writable).map_err(Error::io("change the mode of", to))?;
        self.options.editor.apply(to, plan, context)
    }

    /// Who opens `name` in artifact `id`: its own code, unless only Python was seen to.
    pub(super) fn opened_by(&self, id: ArtifactId, name: &str) -> OpenedBy {
        let audit = self.slots.get(id.0).and_then(|slot| slot.audit.as_ref());
        let candidates = audit.and_then(|audit| audit.report.dlopen.as_ref()?.candidates.as_ref());
        let callers = candidates.into_iter().flatten().filter(|opened| opened.name == name).map(|opened| opened.caller);
        callers.min().unwrap_or(OpenedBy::Artifact)
    }

    pub(super) fn keep_tried(&mut self, adoption: &Adoption, report: &LoadReport) {
        let audit = self.slots.get_mut(adoption.artifact.0).and_then(|slot| slot.audit.as_mut()).map(Arc::make_mut);
        let candidates = audit.and_then(|audit| audit.report.dlopen.as_mut()?.candidates.as_mut());
        let opened = candidates.into_iter().flatten().filter(|opened| opened.name == adoption.name);
        for remedy in opened.flat_map(|opened| &mut opened.remedies).filter(|remedy| remedy.kind == adoption.kind) {
            remedy.tried = Some(report.clone());
        }
    }

    /// What came of the remedies that were tried for the name of `adoption`.
    pub(super) fn tried(&self, adoption: &Adoption) -> Vec<(RemedyKind, LoadReport)> {
        let audit = self.slots.get(adoption.artifact.0).and_then(|slot| slot.audit.as_ref());
        let candidates = audit.and_then(|audit| audit.report.dlopen.as_ref()?.candidates.as_ref());
        let opened = candidates.into_iter().flatten().filter(|opened| opened.name == adoption.name);
        let remedies = opened.flat_map(|opened| &opened.remedies);
        remedies.filter_map(|remedy| Some((remedy.kind, remedy.tried.clone()?))).collect()
    }
}

/// Whether other machines have such a directory too: what lies there can't be hidden without hiding the system.
fn is_of_system(directory: &Path) -> bool {
    ["/lib", "/lib64", "/usr"].iter().any(|system| directory.starts_with(system))
}
