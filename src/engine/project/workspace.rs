//! All artifacts of one cargo workspace, each with its names, its linked paths and what cargo says of it.

use super::artifact::{Artifact, ArtifactId, LinkedPathSource, LinkedPaths};
use super::cargo::{Package, Workspace};
use super::linked::Scripts;
use super::names::{self, Bindings, NameFlags, Named};
use super::outputs::{self, Output, ProfileDirectory};
use super::pyproject::Pyproject;
use super::{cargo_config, leftovers, loose};
use crate::engine::report::audit::ArtifactKind;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// An opened workspace. The artifacts' numbers are not given yet.
#[derive(Debug, Clone)]
pub(super) struct Opened {
    /// The workspace's directory.
    pub root: PathBuf,
    /// Its target directory.
    pub target_directory: PathBuf,
    /// Its build directory, where that is another one.
    pub build_directory: Option<PathBuf>,
    /// Its artifacts, each with its package's manifest, where cargo's metadata is known.
    pub artifacts: Vec<(Artifact, Option<PathBuf>)>,
    /// What could not be done.
    pub notes: Vec<String>,
}

/// What the command line says of all artifacts.
#[derive(Debug, Clone, Default)]
pub(super) struct Flags {
    /// Names.
    pub names: NameFlags,
    /// `--ld-path`.
    pub ld_paths: Vec<PathBuf>,
}

impl Opened {
    /// The artifacts that cargo's metadata names. `start` is the directory that was asked for.
    pub fn by_metadata(workspace: &Workspace, start: &Path, flags: &Flags) -> Self {
        let directories = outputs::profile_directories(workspace);
        let mut opened = Self::empty(workspace);
        let mut pyprojects: BTreeMap<&Path, Option<Pyproject>> = BTreeMap::new();
        for package in &workspace.packages {
            let found = pyproject_of(package, start, &mut opened.notes);
            pyprojects.insert(&package.manifest, found);
        }
        let scripts = Scanned::read(workspace, &directories, &mut opened.notes);
        for output in outputs::outputs(workspace, &directories) {
            let pyproject = pyprojects.get(output.package.manifest.as_path()).and_then(Option::as_ref);
            let manifest = output.package.manifest.clone();
            opened.artifacts.push((scripts.cargo_artifact(output, pyproject, flags), Some(manifest)));
        }
        opened
    }

    /// The native files in the profile directories below `root`, for want of cargo's metadata.
    pub fn by_scanning(root: &Path, target_directory: PathBuf, flags: &Flags) -> Self {
        let build_directory = target_directory.clone();
        let workspace = Workspace { root: root.into(), target_directory, build_directory, packages: Vec::new() };
        let directories = outputs::profile_directories(&workspace);
        let mut opened = Self::empty(&workspace);
        let mut flags = flags.clone();
        if let Some(pyproject) = read_pyproject(root, &mut opened.notes) {
            flags.names.distribution = flags.names.distribution.or(pyproject.name);
            flags.names.module = flags.names.module.or(pyproject.module);
        }
        let scripts = Scanned::read(&workspace, &directories, &mut opened.notes);
        for directory in &directories {
            for path in native_files(&directory.path) {
                let mut artifact = loose_artifact(path, &flags);
                let (linked, out_directories) = scripts.of(directory, &artifact.path, None);
                artifact.linked_paths = scripts.with_flags(linked, directory.triple.as_deref(), &flags);
                artifact.out_directories = out_directories;
                opened.artifacts.push((artifact, None));
            }
        }
        // An output that is gone can't be guessed without metadata; what maturin kept of it can be looked at.
        let names: BTreeSet<String> = opened.artifacts.iter().map(|(artifact, _)| artifact.name.clone()).collect();
        let kept = native_files(&workspace.target_directory.join("maturin")).into_iter();
        let kept = kept.map(|path| loose_artifact(path, &flags)).filter(|artifact| !names.contains(&artifact.name));
        opened.artifacts.extend(kept.map(|artifact| (artifact, None)));
        opened
    }

    fn empty(workspace: &Workspace) -> Self {
        let build_directory = Some(workspace.build_directory.clone());
        Self {
            root: workspace.root.clone(),
            target_directory: workspace.target_directory.clone(),
            build_directory: build_directory.filter(|build| *build != workspace.target_directory),
            artifacts: Vec::new(),
            notes: Vec::new(),
        }
    }
}

/// The native files right in `directory`, by path.
fn native_files(directory: &Path) -> Vec<PathBuf> {
    let mut files = leftovers::sorted_entries(directory);
    files.retain(|path| leftovers::is_file(path) && loose::is_native(path));
    files
}

/// An artifact of which nothing is known but its file.
pub(super) fn loose_artifact(path: PathBuf, flags: &Flags) -> Artifact {
    let sniffed = loose::sniff(&path);
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut linked_paths = LinkedPaths::default();
    linked_paths.append(&flags.ld_paths, LinkedPathSource::Options);
    // What is staged is the file, also where it is named by a link; a loader goes by the link.
    let is_link = std::fs::symlink_metadata(&path).is_ok_and(|metadata| metadata.is_symlink());
    let file = if is_link { path.canonicalize().unwrap_or_else(|_| path.clone()) } else { path.clone() };
    Artifact {
        id: ArtifactId(0),
        kind: loose::kind(&path, sniffed),
        cargo: None,
        linked_paths,
        out_directories: Vec::new(),
        names: names::of_file(&path, sniffed.map(|one| one.format), &flags.names),
        expected_entry_point: names::extension_module(&name).map(str::to_string),
        name,
        loaded_as: path,
        path: file,
    }
}

/// What the build scripts of all profile directories said.
struct Scanned<'a> {
    workspace: &'a Workspace,
    scripts: BTreeMap<PathBuf, Scripts>,
}

impl<'a> Scanned<'a> {
    fn read(workspace: &'a Workspace, directories: &[ProfileDirectory], notes: &mut Vec<String>) -> Self {
        let mut scripts = BTreeMap::new();
        for directory in directories {
            let read = Scripts::read(workspace, directory);
            notes.extend(read.note.clone());
            scripts.insert(directory.path.clone(), read);
        }
        Self { workspace, scripts }
    }

    fn of(&self, directory: &ProfileDirectory, path: &Path, package: Option<&Package>) -> (LinkedPaths, Vec<PathBuf>) {
        self.scripts.get(&directory.path).map(|one| one.of(path, package, &directory.build_path)).unwrap_or_default()
    }

    fn with_flags(&self, mut linked: LinkedPaths, triple: Option<&str>, flags: &Flags) -> LinkedPaths {
        let configured = cargo_config::library_paths(&self.workspace.root, triple);
        linked.append(&configured, LinkedPathSource::CargoConfig);
        linked.append(&flags.ld_paths, LinkedPathSource::Options);
        linked
    }

    fn cargo_artifact(&self, output: Output<'_>, pyproject: Option<&Pyproject>, flags: &Flags) -> Artifact {
        let Output { package, target, path, file_name, cargo } = output;
        let sniffed = loose::sniff(&path).or_else(|| {
            let kept = leftovers::candidates(&cargo, &file_name, target.kind);
            kept.iter().find_map(|candidate| loose::sniff(&candidate.path))
        });
        let format = sniffed.map(|one| one.format);
        let named = Named { file_name: &file_name, kind: target.kind, format, package, pyproject };
        let names = names::of_cargo(named, &flags.names);
        let is_extension = target.kind == ArtifactKind::Cdylib && names::bindings(package, pyproject) == Bindings::Pyo3;
        let directory = ProfileDirectory {
            triple: cargo.triple.clone(),
            profile: cargo.profile.clone(),
            path: cargo.profile_directory.clone(),
            build_path: cargo.build_profile_directory.clone(),
        };
        let (linked, out_directories) = self.of(&directory, &path, Some(package));
        Artifact {
            id: ArtifactId(0),
            loaded_as: path.clone(),
            path,
            name: file_name,
            kind: target.kind,
            linked_paths: self.with_flags(linked, cargo.triple.as_deref(), flags),
            cargo: Some(cargo),
            out_directories,
            expected_entry_point: is_extension.then(|| names::last_component(&names.module).to_string()),
            names,
        }
    }
}

/// The pyproject.toml that builds `package`: in `start` or in a directory above the package, where its manifest is this one.
fn pyproject_of(package: &Package, start: &Path, notes: &mut Vec<String>) -> Option<Pyproject> {
    let manifest = package.manifest.canonicalize().ok()?;
    let builds_it =
        |one: &Pyproject| one.manifest().and_then(|path| path.canonicalize().ok()).is_some_and(|path| path == manifest);
    std::iter::once(start)
        .chain(package.directory().ancestors())
        .find_map(|directory| read_pyproject(directory, notes).filter(builds_it))
}

fn read_pyproject(directory: &Path, notes: &mut Vec<String>) -> Option<Pyproject> {
    match Pyproject::read(directory)? {
        Ok(pyproject) => Some(pyproject),
        Err(message) => {
            if !notes.contains(&message) {
                notes.push(message);
            }
            None
        }
    }
}
