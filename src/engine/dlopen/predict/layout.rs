//! The bundle as it will be, as an overlay: its files under a directory that is nowhere, changed as the plan will change
//! them, and everything of the build out of reach.
//!
//! A file that lies in a wheel which is unpacked or installed already (a `.dist-info` stands beside its package) is in its
//! bundle as it is: that wheel.

use super::origin::is_system_directory;
use super::{Member, PredictSubject};
use crate::engine::Result;
use crate::engine::binary;
use crate::engine::deps::{LoaderInputs, Overlay, normal};
use crate::engine::file::{Windows, below, relative_path};
use crate::engine::project::Artifact;
use crate::engine::repair::{EditRequest, Mode, foresee};
use crate::engine::report::dlopen::GraftedAs;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where wheels are installed on a machine that does not exist.
const NOWHERE: &str = "/wheelwright-bundle/prefix/lib/python3/site-packages";
/// The root of that machine's Python: a way that leads above it is not followed.
const ABOVE: &str = "/wheelwright-bundle";
/// How a path in the bundle begins in documents.
pub(super) const SHOWN: &str = "bundle:";
/// A wheel's file lies no deeper than this below the wheel's root.
const DEEPEST: usize = 12;

/// The bundle, and what a loader is told about the machine that it lies on.
#[derive(Debug)]
pub(super) struct Layout {
    /// The directory that the wheel is unpacked in.
    root: PathBuf,
    /// The wheel that the artifact lies in already.
    finished: bool,
    /// The directories of the bundle directly below `root`.
    own: Vec<PathBuf>,
    grafted: Vec<Grafted>,
    /// The other machine's loader.
    pub(super) inputs: LoaderInputs,
}

/// A library of the bundle.
#[derive(Debug)]
struct Grafted {
    /// Names that lead to it: the needed one and its SONAME.
    known_as: Vec<String>,
    realpath: PathBuf,
    changes_soname: bool,
    form: GraftedAs,
}

impl Layout {
    /// The bundle of `subject`.
    ///
    /// # Errors
    /// When a library that is grafted can't be read.
    pub(super) fn of(subject: &PredictSubject<'_>) -> Result<Self> {
        let here = subject.inputs;
        let inputs = LoaderInputs {
            ld_library_path: None,
            ld_preload: None,
            linked_paths: Vec::new(),
            extra_paths: Vec::new(),
            current_directory: PathBuf::from("/"),
            ..here.clone()
        };
        let root = wheel_of(&subject.member.artifact.loaded_as);
        let mut layout = Self {
            finished: root.is_some(),
            root: root.unwrap_or_else(|| PathBuf::from(NOWHERE)),
            own: Vec::new(),
            grafted: Vec::new(),
            inputs,
        };
        let members: Vec<&Member<'_>> = std::iter::once(&subject.member).chain(subject.others).collect();
        let hidden = if subject.mode == Mode::Editable { Vec::new() } else { out_of_reach(subject, &members) };
        let mut overlay = Overlay::new(&hidden);
        for member in members {
            layout.add(member, &mut overlay)?;
        }
        layout.inputs.overlay = Some(Arc::new(overlay));
        Ok(layout)
    }

    /// Where `artifact` lies.
    pub(super) fn place(&self, artifact: &Artifact) -> PathBuf {
        if self.finished {
            return artifact.loaded_as.clone();
        }
        below(&below(&self.root, &artifact.names.artifact_dir), &artifact.names.file_name)
    }

    fn add(&mut self, member: &Member<'_>, overlay: &mut Overlay) -> Result<()> {
        if self.finished {
            self.own.extend(of_wheel(&self.root, member.artifact));
            return Ok(());
        }
        let (place, repair) = (self.place(member.artifact), member.repair);
        let requests = repair.artifact_edit.as_ref().map(|plan| plan.requests.as_slice()).unwrap_or_default();
        let edited = Arc::new(foresee(member.binary, requests));
        overlay.add(&place, &Windows::open(member.clean)?, edited)?;
        self.own.extend(top(&self.root, &place));
        let libraries = below(&self.root, &member.artifact.names.libs_dir);
        self.own.extend(top(&self.root, &libraries.join("x")));
        for graft in &repair.grafts {
            let by = &member.artifact.names.file_name;
            if let Some(known) = self.grafted.iter_mut().find(|known| known.form.name == graft.name) {
                known.form.because_of.push(by.clone());
            } else {
                self.grafted.push(Grafted {
                    known_as: vec![graft.needed_as.clone()],
                    realpath: graft.realpath.clone(),
                    changes_soname: graft.edit.requests.iter().any(|one| matches!(one, EditRequest::SetSoname(_))),
                    form: GraftedAs {
                        needed_as: graft.needed_as.clone(),
                        name: graft.name.clone(),
                        because_of: vec![by.clone()],
                    },
                });
            }
            self.add_library(&below(&libraries, &graft.name), &graft.realpath, &graft.edit.requests, overlay)?;
        }
        Ok(())
    }

    fn add_library(
        &mut self,
        place: &Path,
        realpath: &Path,
        requests: &[EditRequest],
        overlay: &mut Overlay,
    ) -> Result<()> {
        let source = Windows::open(realpath)?;
        let library = binary::read(&source)?;
        let soname = library.slices.first().and_then(|slice| slice.soname.as_ref());
        if let (Some(soname), Some(known)) = (soname, self.grafted.iter_mut().find(|one| one.realpath == realpath)) {
            known.known_as.push(soname.to_text().into_owned());
        }
        overlay.add(place, &source, Arc::new(foresee(&library, requests)))
    }

    /// The library of the bundle that is meant by `name`, or whose original lies at `realpath`.
    pub(super) fn grafted(&self, name: &str, realpath: Option<&Path>) -> Option<GraftedAs> {
        let leaf = name.rsplit('/').next().unwrap_or(name);
        let by_file = self.grafted.iter().find(|grafted| realpath == Some(grafted.realpath.as_path()));
        let by_name = || self.grafted.iter().find(|grafted| grafted.known_as.iter().any(|known| known == leaf));
        by_file.or_else(by_name).map(|grafted| grafted.form.clone())
    }

    /// Whether `path` lies in the bundle.
    pub(super) fn holds(&self, path: &Path) -> bool {
        let path = normal(path);
        self.own.iter().any(|own| path.starts_with(own))
    }

    /// Whether `path` lies beside the bundle, where other packages are installed.
    pub(super) fn is_beside(&self, path: &Path) -> bool {
        let path = normal(path);
        let above = if self.finished { self.root.as_path() } else { Path::new(ABOVE) };
        path.starts_with(above) && !self.holds(&path)
    }

    /// `path` as documents show it.
    pub(super) fn shown(&self, path: &Path) -> PathBuf {
        let normal = normal(path);
        if !normal.starts_with(&self.root) && !normal.starts_with(ABOVE) {
            return path.to_path_buf();
        }
        let mut shown = OsString::from(SHOWN);
        shown.push(relative_path(&self.root, &normal));
        PathBuf::from(shown)
    }

    /// Whether a path, as documents show it, leads to where other packages are installed.
    pub(super) fn shows_beside(&self, shown: &Path) -> bool {
        let inside = shown.as_os_str().as_bytes().strip_prefix(SHOWN.as_bytes());
        inside.is_some_and(|inside| self.is_beside(&self.root.join(OsStr::from_bytes(inside))))
    }

    /// Whether the library `name` of the bundle gets another SONAME.
    pub(super) fn changes_soname(&self, name: &str) -> bool {
        self.grafted.iter().any(|grafted| grafted.form.name == name && grafted.changes_soname)
    }

    /// The directory of the package in the bundle, for what a Python file of it opens beside itself; `None` where that file
    /// is not one of the package.
    pub(super) fn beside_python(&self, artifact: &Artifact, python: &Path) -> Option<PathBuf> {
        let directory = python.parent()?;
        if self.finished {
            return directory.starts_with(&self.root).then(|| directory.to_path_buf());
        }
        directory.ends_with(&artifact.names.artifact_dir).then(|| below(&self.root, &artifact.names.artifact_dir))
    }
}

/// The first directory on the way from `root` to `path`.
fn top(root: &Path, path: &Path) -> Option<PathBuf> {
    let inside = normal(path).strip_prefix(root).ok()?.components().next().map(|first| root.join(first))?;
    Some(inside)
}

/// The directory of the wheel that `path` lies in.
fn wheel_of(path: &Path) -> Option<PathBuf> {
    path.ancestors().skip(1).take(DEEPEST).find(|directory| wheels_in(directory) > 0).map(Path::to_path_buf)
}

/// How many wheels are unpacked in `directory`.
fn wheels_in(directory: &Path) -> usize {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().as_encoded_bytes().ends_with(b".dist-info")).count()
}

/// What belongs to the finished wheel of `artifact`, unpacked in `root`: everything where it is the only one there, else its
/// package and the libraries beside it.
fn of_wheel(root: &Path, artifact: &Artifact) -> Vec<PathBuf> {
    if wheels_in(root) == 1 {
        return vec![root.to_path_buf()];
    }
    let Some(package) = top(root, &artifact.loaded_as) else { return Vec::new() };
    let mut libraries = package.clone().into_os_string();
    libraries.push(".libs");
    vec![package, PathBuf::from(libraries), below(root, &artifact.names.libs_dir)]
}

/// The directories that only the build has. One that holds parts of the system stays within reach.
fn out_of_reach(subject: &PredictSubject<'_>, members: &[&Member<'_>]) -> Vec<PathBuf> {
    let mut hidden = subject.hidden.to_vec();
    for member in members {
        let artifact = member.artifact;
        hidden.extend(artifact.cargo.iter().map(|cargo| cargo.target_directory.clone()));
        hidden.extend(artifact.cargo.iter().map(|cargo| cargo.build_profile_directory.clone()));
        hidden.extend(artifact.out_directories.iter().cloned());
        hidden.extend(artifact.linked_paths.paths.iter().cloned());
    }
    let inputs = subject.inputs;
    hidden
        .extend(inputs.linked_paths.iter().chain(&inputs.extra_paths).map(|path| inputs.current_directory.join(path)));
    hidden.retain(|path| path.is_absolute() && !is_system_directory(path) && path.components().count() > 1);
    hidden.sort();
    hidden.dedup();
    hidden
}
