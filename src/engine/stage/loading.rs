//! A session's load proof: what of the artifact, its bundle and its build the proof is told, in the verify step.

use super::recover::empty;
use super::session::{Session, Slot};
use crate::engine::audit::exclude::Pattern;
use crate::engine::audit::policy::Family;
use crate::engine::audit::{Audit, Granted};
use crate::engine::deps::{Libc, guess_libc};
use crate::engine::dlopen::proof::{BundleFile, LoadProof, Loading, Probe, not_tried};
use crate::engine::project::{Artifact, ArtifactId};
use crate::engine::repair::{Adoption, Graft, Mode};
use crate::engine::report::dlopen::RemedyKind;
use crate::engine::report::load::{LoadReport, LoadVerdict};
use crate::engine::report::plan::Refusal;
use crate::engine::{Context, Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

impl Session {
    /// Loads artifact `id` out of its bundle, where the session may load, and keeps the report. The notes of the step, or why
    /// it can't be taken.
    ///
    /// # Errors
    /// [`Error::Cancelled`].
    pub(super) fn prove(&mut self, id: ArtifactId, context: &Context) -> Result<Result<Vec<String>, Refusal>> {
        let report = match (self.artifact(id), self.slots.get(id.0), &self.options.loading) {
            (Some(artifact), Some(slot), Some(loading)) => match self.load(artifact, slot, loading, context) {
                Err(Error::Cancelled) => return Err(Error::Cancelled),
                // That nothing can be tried here says nothing of the artifact.
                Err(error) => Some(not_tried(artifact, error.to_string())),
                Ok(report) => report,
            },
            _ => None,
        };
        let judged = match &report {
            Some(report) if report.verdict == LoadVerdict::Fails => Err(Refusal {
                artifact: report.artifact.clone(),
                reason: format!("it does not load out of the bundle: {}", report.why),
                way_out: "undo the patch step and look at the plan, or go on with `--load never`".to_owned(),
            }),
            Some(report) => Ok(remarks(report)),
            None => Ok(Vec::new()),
        };
        if let Some(slot) = self.slots.get_mut(id.0) {
            slot.load = report;
        }
        Ok(judged)
    }

    fn load(
        &self,
        artifact: &Artifact,
        slot: &Slot,
        loading: &Loading,
        context: &Context,
    ) -> Result<Option<LoadReport>> {
        let Some((audit, binary)) = slot.audit.as_ref().and_then(|audit| Some((audit, audit.binary.as_ref()?))) else {
            return Ok(None);
        };
        let Some(files) = self.bundle_files(artifact) else { return Ok(None) };
        let names = &artifact.names;
        let (module, granted) = (module(artifact, audit), granted(audit));
        // What was adopted is to be seen to work.
        let adopted: Vec<&Adoption> =
            self.adoptions().iter().filter(|adoption| adoption.artifact == artifact.id).collect();
        let open: Vec<Probe> = adopted
            .iter()
            .map(|adoption| Probe { name: adoption.name.clone(), by: self.opened_by(artifact.id, &adoption.name) })
            .collect();
        let grafts = slot.repair.iter().flat_map(|repair| &repair.grafts);
        let is_preloaded = |graft: &&Graft| {
            adopted.iter().any(|adoption| adoption.kind == RemedyKind::Preload && adoption.library == graft.realpath)
        };
        let preload: Vec<String> =
            grafts.filter(is_preloaded).map(|graft| place(&names.libs_dir, &graft.name)).collect();
        let scratch = self.places.scratch();
        empty(&scratch)?;
        let proof = LoadProof {
            artifact,
            binary,
            files: &files,
            entry: &place(&names.artifact_dir, &names.file_name),
            module: module.as_deref(),
            preload: &preload,
            open: &open,
            hide: &self.build_directories(artifact),
            allowed: &|name| granted.holds(name),
            scratch: &scratch,
        };
        let report = proof.run(loading, context)?;
        Ok(Some(self.without_excluded(report)))
    }

    /// What lies in the bundle of `artifact` when it is verified: itself, every grafted library, the other artifacts that are
    /// staged. `None` while it is not staged itself.
    #[must_use]
    pub fn bundle_files(&self, artifact: &Artifact) -> Option<Vec<BundleFile>> {
        let own = self.staged_path(artifact.id)?;
        let mut files = BTreeMap::new();
        let bundle = self.places.bundle(artifact);
        for other in self.project.artifacts.iter().filter(|other| self.places.bundle(other) == bundle) {
            let Some(staged) = self.staged_path(other.id) else { continue };
            files.insert(place(&other.names.artifact_dir, &other.names.file_name), staged);
            // What an earlier session left beside them is not of this bundle.
            for (name, grafted) in self.grafts_of(other).filter(|(_, grafted)| self.world.model.file(grafted).is_some())
            {
                files.insert(place(&other.names.libs_dir, &name), grafted);
            }
        }
        files.insert(place(&artifact.names.artifact_dir, &artifact.names.file_name), own);
        Some(files.into_iter().map(|(at, from)| BundleFile { at, from }).collect())
    }

    /// The names and places of the libraries that are grafted for `artifact`.
    pub(super) fn grafts_of(&self, artifact: &Artifact) -> impl Iterator<Item = (String, PathBuf)> {
        let repair = self.slots.get(artifact.id.0).and_then(|slot| slot.repair.clone());
        let names: Vec<String> =
            repair.iter().flat_map(|repair| &repair.grafts).map(|graft| graft.name.clone()).collect();
        names.into_iter().map(|name| {
            let place = self.places.grafted(artifact, &name);
            (name, place)
        })
    }

    /// The directories that no other machine has of what built `artifact`. An editable install stays on this one.
    #[must_use]
    pub fn build_directories(&self, artifact: &Artifact) -> Vec<PathBuf> {
        if self.options.repair.mode == Mode::Editable {
            return Vec::new();
        }
        let mut found: BTreeSet<&Path> = BTreeSet::new();
        found.extend(self.project.target_directory.as_deref());
        found.extend(self.project.build_directory.as_deref());
        found.extend(artifact.cargo.iter().map(|cargo| cargo.target_directory.as_path()));
        // Of a copy in a sandbox, the original's.
        found.extend(artifact.loaded_as.parent().filter(|_| artifact.cargo.is_some()));
        found.extend(artifact.linked_paths.paths.iter().chain(&artifact.out_directories).map(PathBuf::as_path));
        found.into_iter().map(Path::to_path_buf).collect()
    }

    /// `report`, where what the user leaves to the other machine is missing on this one: that is not the bundle's failure.
    fn without_excluded(&self, report: LoadReport) -> LoadReport {
        let missing = report.why.split(": cannot open shared object file").next().filter(|name| *name != report.why);
        let is_excluded =
            |name: &str| self.options.audit.exclude.iter().any(|pattern| Pattern::new(pattern).matches(name));
        match missing {
            Some(name) if report.verdict == LoadVerdict::Fails && is_excluded(name) => LoadReport {
                verdict: LoadVerdict::NotTried,
                why: format!("{name} is excluded from the bundle, and this machine's own search does not find it"),
                ..report
            },
            _ => report,
        }
    }
}

pub(super) fn place(directory: &str, name: &str) -> String {
    format!("{directory}/{name}")
}

/// What the verify step has to say of an artifact that does not fail to load.
fn remarks(report: &LoadReport) -> Vec<String> {
    let mut remarks = Vec::new();
    if report.verdict == LoadVerdict::LoadsFromElsewhere {
        remarks.push(format!("it loads, but not from the bundle alone: {}", report.why));
    }
    let failed = report.opened.iter().filter_map(|probe| Some((&probe.name, probe.error.as_ref()?)));
    remarks.extend(failed.map(|(name, error)| format!("it loads, and does not open {name}: {error}")));
    remarks
}

/// The module's full name, where the artifact has an entry point of Python's; its last part is what that says.
pub(super) fn module(artifact: &Artifact, audit: &Audit) -> Option<String> {
    let points = audit.report.entry_points.as_ref()?;
    let named: Vec<&str> = points.found.iter().filter_map(|name| name.strip_prefix("PyInit_")).collect();
    let expected = points.expected.as_deref().or_else(|| artifact.names.module.rsplit('.').next());
    let last = named.iter().find(|name| Some(**name) == expected).or_else(|| named.first())?;
    match artifact.names.module.rsplit_once('.') {
        Some((parents, _)) => Some(format!("{parents}.{last}")),
        None => Some((*last).to_owned()),
    }
}

/// What every machine of the artifact's tag has.
pub(super) fn granted(audit: &Audit) -> Granted {
    let Some(binary) = &audit.binary else { return Granted::default() };
    let family = if guess_libc(binary) == Libc::Musl { Family::Musllinux } else { Family::Manylinux };
    let arch = binary.slices.first().map(|slice| slice.arch.name.as_str()).unwrap_or_default();
    let policy = audit.report.policy.as_ref();
    Granted::new(family, arch, policy.map(|policy| policy.requested.as_ref().unwrap_or(&policy.tag).as_str()))
}
