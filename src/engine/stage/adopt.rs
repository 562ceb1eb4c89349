//! A session's adoptions: remedies for libraries that are opened at run time, taken into the plan and out of it again.
//!
//! An adoption changes what is planned for every artifact of its bundle, and nothing on the disk: steps carry it out, and
//! undoing takes it back.

use super::session::Session;
use crate::engine::audit::{External, libraries_behind};
use crate::engine::binary::Format;
use crate::engine::project::{Artifact, ArtifactId};
use crate::engine::repair::{Adoption, Mode, Repair, clash, shared_with};
use crate::engine::report::dlopen::{DlopenReport, RemedyKind};
use crate::engine::report::plan::Step;
use crate::engine::{Context, Error, Result};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

impl Session {
    /// The remedies that are part of the plan, in the order in which they were adopted.
    #[must_use]
    pub fn adoptions(&self) -> &[Adoption] {
        &self.options.repair.adopted
    }

    /// The directory of grafted libraries that `artifact` shares with the others of its bundle.
    fn libs(&self, artifact: &Artifact) -> PathBuf {
        self.places.grafted(artifact, "")
    }

    /// Those that count for `artifact`: of its own bundle.
    pub(super) fn adopted_beside(&self, artifact: &Artifact) -> Vec<Adoption> {
        let bundle = self.libs(artifact);
        let is_beside =
            |adoption: &&Adoption| self.artifact(adoption.artifact).is_some_and(|other| self.libs(other) == bundle);
        self.options.repair.adopted.iter().filter(is_beside).cloned().collect()
    }

    /// Remedy `kind` for `name`, as artifact `id` opens it: with the library that the name leads to on this machine, and what
    /// it would bring into the bundle.
    ///
    /// # Errors
    /// [`Error::Refused`] where it can't be had: with the reason and the way out.
    pub fn adoption(&mut self, id: ArtifactId, kind: RemedyKind, name: &str, context: &Context) -> Result<Adoption> {
        self.ensure_all_audited(context)?;
        match self.artifact(id) {
            Some(artifact) => self.adoption_of(artifact, kind, name, None),
            None => Err(Error::Refused {
                path: PathBuf::new(),
                reason: "is no artifact of this session".to_owned(),
                way_out: "name one that is".to_owned(),
            }),
        }
    }

    /// The same where all artifacts of the bundle are audited; `library` is what the name leads to, where that is known.
    pub(super) fn adoption_of(
        &self,
        artifact: &Artifact,
        kind: RemedyKind,
        name: &str,
        library: Option<&Path>,
    ) -> Result<Adoption> {
        let id = artifact.id;
        let refused = |reason: String, way_out: &str| Error::Refused {
            path: artifact.path.clone(),
            reason,
            way_out: way_out.to_owned(),
        };
        let Some(clean) = self.clean_path(id) else {
            return Err(refused("is not there".to_owned(), "build it again"));
        };
        let Some(audit) = self.slots.get(id.0).and_then(|slot| slot.audit.clone()) else {
            return Err(refused("was not audited".to_owned(), "audit it first"));
        };
        match audit.binary.as_ref().map(|binary| binary.format) {
            Some(Format::Elf) => {}
            Some(_) => {
                let reason = "is not an ELF file, and files of other formats can't be edited yet".to_owned();
                return Err(refused(reason, "link the library and call it directly"));
            }
            None => {
                return Err(refused("can't be read".to_owned(), "look at the file's first bytes, or build it again"));
            }
        }
        if self.options.repair.mode == Mode::Editable {
            let reason = "is made ready for an editable install, where libraries stay where they are".to_owned();
            return Err(refused(reason, "adopt it with --mode repair"));
        }
        if kind == RemedyKind::LinkIt {
            let reason = format!("{name} would be linked in the sources, which is nothing that a plan can do");
            return Err(refused(reason, "paste the remedy's lines into build.rs, and call the library directly"));
        }
        let known = library
            .map(Path::to_path_buf)
            .or_else(|| self.library_opened_as(artifact, name, audit.report.dlopen.as_ref()));
        let Some(library) = known else {
            let reason = format!("{name} is found nowhere on this machine");
            return Err(refused(reason, "name its directory with --ld-path"));
        };
        let shared = || self.beside(artifact).find_map(|(_, externals)| shared_with(externals, &library));
        let mut adoption =
            Adoption { kind, artifact: id, name: name.to_owned(), library: library.clone(), brings: Vec::new() };
        if adoption.grafts() {
            adoption.brings = match shared() {
                Some(brings) => brings,
                None => libraries_behind(&library, name, artifact, &clean, &audit, &self.audit_options(artifact))?,
            };
        }
        Ok(adoption)
    }

    /// The adoptions with `adoption` instead of any other for the same name of the same artifact: one name, one remedy.
    pub(super) fn adopted_instead(&self, adoption: &Adoption) -> Vec<Adoption> {
        let is_other = |present: &&Adoption| {
            (present.artifact, present.name.as_str()) != (adoption.artifact, adoption.name.as_str())
        };
        let others = self.options.repair.adopted.iter().filter(is_other).cloned();
        others.chain([adoption.clone()]).collect()
    }

    /// Takes `adoption` into the plan, instead of any other for the same name of the same artifact. Nothing on the disk
    /// changes.
    ///
    /// # Errors
    /// [`Error::Refused`] where it is at odds with another, or an artifact whose plan it changes was grafted already.
    pub fn adopt(&mut self, adoption: Adoption, context: &Context) -> Result<()> {
        let adopted = self.adopted_instead(&adoption);
        self.plan_anew(&adoption, adopted, context)
    }

    /// Takes `adoption` out of the plan; nothing where it is not part of it.
    ///
    /// # Errors
    /// As [`Session::adopt`].
    pub fn drop_adoption(&mut self, adoption: &Adoption, context: &Context) -> Result<()> {
        let mut adopted = self.options.repair.adopted.clone();
        adopted.retain(|present| !present.is_same_as(adoption));
        if adopted == self.options.repair.adopted {
            return Ok(());
        }
        self.plan_anew(adoption, adopted, context)
    }

    /// The repairs that `changed` can have an effect on, as they are with `adopted`: of its artifact, and of those of the bundle
    /// that graft the library.
    pub(super) fn repairs_with(
        &self,
        changed: &Adoption,
        adopted: &[Adoption],
        context: &Context,
    ) -> Result<Vec<(ArtifactId, Repair)>> {
        let Some(host) = self.artifact(changed.artifact) else { return Ok(Vec::new()) };
        let bundle = self.libs(host);
        let is_beside = |id: ArtifactId| self.artifact(id).is_some_and(|other| self.libs(other) == bundle);
        let beside: Vec<Adoption> = adopted.iter().filter(|one| is_beside(one.artifact)).cloned().collect();
        if let Some((reason, way_out)) = clash(&beside) {
            return Err(Error::Refused {
                path: host.path.clone(),
                reason: format!("can't be repaired so: {reason}"),
                way_out,
            });
        }
        let before = self
            .options
            .repair
            .adopted
            .iter()
            .filter(|present| (present.artifact, &present.name) == (changed.artifact, &changed.name));
        let libraries: BTreeSet<&Path> = before.chain([changed]).map(|adoption| adoption.library.as_path()).collect();
        let mut repairs = Vec::new();
        for artifact in self.project.artifacts.iter().filter(|artifact| is_beside(artifact.id)) {
            let Some(audit) = self.slots.get(artifact.id.0).and_then(|slot| slot.audit.as_ref()) else { continue };
            let grafts_it =
                |external: &External| external.realpath.as_deref().is_some_and(|path| libraries.contains(path));
            let opens_it = |adoption: &Adoption| {
                adoption.artifact == artifact.id && libraries.contains(adoption.library.as_path())
            };
            if artifact.id != host.id
                && !audit.externals.iter().flatten().any(grafts_it)
                && !beside.iter().any(opens_it)
            {
                continue;
            }
            let repair = self.prepare(artifact, audit, self.options.repair.mode, beside.clone(), context)?;
            repairs.push((artifact.id, repair));
        }
        Ok(repairs)
    }

    fn plan_anew(&mut self, changed: &Adoption, adopted: Vec<Adoption>, context: &Context) -> Result<()> {
        self.ensure_all_audited(context)?;
        let repairs = self.repairs_with(changed, &adopted, context)?;
        let is_other = |(id, repair): &&(ArtifactId, Repair)| {
            self.slots.get(id.0).and_then(|slot| slot.repair.as_deref()).is_none_or(|present| present != repair)
        };
        for (id, _) in repairs.iter().filter(is_other) {
            let Some((artifact, slot)) = self.artifact(*id).zip(self.slots.get(id.0)) else { continue };
            // From the graft step on files bear the names that were planned.
            if slot.taken.iter().any(|taken| taken.step >= Step::Graft) {
                return Err(Error::Refused {
                    path: artifact.path.clone(),
                    reason: "was grafted by another plan already".to_owned(),
                    way_out: "undo its steps to before graft first".to_owned(),
                });
            }
        }
        let tried = self.tried(changed);
        self.options.repair.adopted = adopted;
        for (id, repair) in repairs {
            if let Some(slot) = self.slots.get_mut(id.0) {
                slot.repair = Some(Arc::new(repair));
                slot.refusal = None;
            }
        }
        self.predict_anew(context)?;
        // What was tried for this name was tried instead of any other remedy for it, so that it still holds.
        for (kind, report) in tried {
            self.keep_tried(&Adoption { kind, ..changed.clone() }, &report);
        }
        Ok(())
    }

    /// The artifacts of the same bundle, `artifact` first, with their external libraries, as far as they are known.
    fn beside<'a>(&'a self, artifact: &'a Artifact) -> impl Iterator<Item = (&'a Artifact, &'a [External])> {
        let bundle = self.libs(artifact);
        let others =
            self.project.artifacts.iter().filter(move |other| other.id != artifact.id && self.libs(other) == bundle);
        std::iter::once(artifact).chain(others).filter_map(|one| {
            let audit = self.slots.get(one.id.0)?.audit.as_deref()?;
            Some((one, audit.externals.as_deref()?))
        })
    }

    /// The file that `name` leads to on this machine when `artifact` opens it: what another artifact of the bundle needs by the
    /// name, else what the loader would find, else what lies in a directory that the user or the build named.
    pub(super) fn library_opened_as(
        &self,
        artifact: &Artifact,
        name: &str,
        report: Option<&DlopenReport>,
    ) -> Option<PathBuf> {
        let real = |path: &Path| path.canonicalize().ok().filter(|path| path.is_file());
        if name.contains('/') {
            return name.starts_with('/').then(|| real(Path::new(name))).flatten();
        }
        let needed = self.beside(artifact).find_map(|(_, externals)| {
            let known = |external: &&External| {
                std::iter::once(&external.name).chain(&external.aliases).any(|needed| needed == name)
            };
            externals.iter().find(known)?.realpath.clone()
        });
        let candidates = report.and_then(|dlopen| dlopen.candidates.as_ref());
        let found = || {
            let opened = candidates?.iter().find(|candidate| candidate.name == name)?;
            real(Path::new(opened.would_resolve.as_ref()?.path.as_ref()?))
        };
        let options = self.audit_options(artifact);
        let directories =
            options.loader.linked_paths.iter().chain(&options.loader.extra_paths).chain(&options.ld_paths);
        needed.or_else(found).or_else(|| directories.into_iter().find_map(|directory| real(&directory.join(name))))
    }
}
