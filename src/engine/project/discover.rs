//! From the paths that the user names to a [`Project`]: which are projects, which outputs of one, which plain files.

use super::artifact::{Artifact, ArtifactId, Project};
use super::cargo::{TargetDirVariable, Workspace};
use super::names::NameFlags;
use super::pyproject::Pyproject;
use super::workspace::{Flags, Opened, loose_artifact};
use super::{interpreter, loose};
use crate::engine::file::Identity;
use crate::engine::{Context, Error, Result};
use std::ffi::OsString;
use std::path::{Component, Path, PathBuf};
use std::rc::Rc;

/// What discovery is given besides the paths. The engine reads no environment: it all stands here.
#[derive(Debug, Clone, Default)]
pub struct DiscoverOptions {
    /// The cargo program; `None` when it is not installed.
    pub cargo: Option<PathBuf>,
    /// The absolute directory that relative paths start from, and the project to open when no path is given.
    pub current_directory: PathBuf,
    /// The value of `CARGO_TARGET_DIR`.
    pub cargo_target_dir: Option<OsString>,
    /// `--dist-name`.
    pub distribution: Option<String>,
    /// `--module-name`.
    pub module: Option<String>,
    /// `--ld-path`: directories that are searched after the linked paths.
    pub ld_paths: Vec<PathBuf>,
    /// A Python interpreter, to be asked for its `EXT_SUFFIX`.
    pub interpreter: Option<PathBuf>,
}

/// Finds the artifacts that `paths` name: projects, folders, outputs of a project (also such that are gone), plain files.
/// Without paths, those of the current directory.
///
/// # Errors
/// [`Error::Refused`] for a path at which there is nothing to open, [`Error::Tool`] when the interpreter can't say its
/// suffix, [`Error::Cancelled`]. What cargo or a manifest can't tell is a note in the project.
pub fn discover(paths: &[PathBuf], options: &DiscoverOptions, context: &Context) -> Result<Project> {
    let extension_suffix = options.interpreter.as_deref().map(interpreter::extension_suffix).transpose()?;
    let names =
        NameFlags { distribution: options.distribution.clone(), module: options.module.clone(), extension_suffix };
    let ld_paths = options.ld_paths.iter().map(|path| options.current_directory.join(path)).collect();
    let flags = Flags { names, ld_paths };
    let mut finder = Finder { options, flags, context, opened: Vec::new(), project: Project::default() };
    let here = [options.current_directory.clone()];
    for path in if paths.is_empty() { &here } else { paths } {
        context.advance(0)?;
        finder.find(path)?;
    }
    Ok(finder.project)
}

struct Finder<'a> {
    options: &'a DiscoverOptions,
    flags: Flags,
    context: &'a Context,
    /// The workspaces that were opened, by manifest.
    opened: Vec<(PathBuf, Rc<Opened>)>,
    project: Project,
}

impl Finder<'_> {
    fn find(&mut self, given: &Path) -> Result<()> {
        let path = absolute(given, &self.options.current_directory);
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => self.directory(&path),
            Ok(_) => self.file(&path),
            Err(error) => match self.output_at(&path) {
                Some((opened, artifact)) => {
                    self.add_from(&opened, [artifact]);
                    Ok(())
                }
                None if error.kind() == std::io::ErrorKind::NotFound => {
                    Err(refused(&path, "nothing is there", "name a project, a folder or a native file"))
                }
                None => Err(Error::io("open", &path)(error)),
            },
        }
    }

    fn file(&mut self, path: &Path) -> Result<()> {
        if path.extension().is_some_and(|extension| extension == "whl") {
            return Err(refused(path, "is a wheel, which can't be opened in place", "unpack it and name the folder"));
        }
        match self.output_at(path) {
            Some((opened, artifact)) => self.add_from(&opened, [artifact]),
            None => self.add(loose_artifact(path.to_path_buf(), &self.flags)),
        }
        Ok(())
    }

    fn directory(&mut self, path: &Path) -> Result<()> {
        if is_project(path) {
            return self.project(path);
        }
        let above = path.ancestors().skip(1).find(|directory| is_project(directory)).map(Path::to_path_buf);
        if self.may_be_in_target(path) {
            for manifest in self.manifests_about(path) {
                let opened = self.open(&manifest, manifest.parent().unwrap_or(path));
                let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
                let inside = opened.artifacts.iter().map(|(artifact, _)| artifact);
                let inside: Vec<Artifact> =
                    inside.filter(|artifact| real_path(&artifact.path).starts_with(&real)).cloned().collect();
                if !inside.is_empty() {
                    self.add_from(&opened, inside);
                    return Ok(());
                }
            }
        }
        let files = without_twins(loose::walk(path, self.context)?);
        if files.is_empty() {
            return match above {
                Some(directory) => self.project(&directory),
                None => Err(refused(
                    path,
                    "no native file and no cargo project is there",
                    "name a project, a folder with native files or a native file",
                )),
            };
        }
        for file in files {
            self.add(loose_artifact(file, &self.flags));
        }
        Ok(())
    }

    /// Opens the project in `directory`: all members in a workspace's own directory, else the member that lies there.
    fn project(&mut self, directory: &Path) -> Result<()> {
        let beside = directory.join("Cargo.toml");
        let pyproject = Pyproject::read(directory).and_then(Result::ok);
        let named = || pyproject.as_ref().and_then(Pyproject::manifest);
        let manifest = if beside.is_file() { Some(beside) } else { named() };
        let Some(manifest) = manifest else {
            return self.folder_of_pyproject(directory, pyproject);
        };
        let opened = self.open(&manifest, directory);
        let is_root = manifest.parent().is_some_and(|parent| real_path(parent) == real_path(&opened.root));
        let selected = real_path(&manifest);
        let is_selected = |of: &Option<PathBuf>| {
            let own_root = is_root && directory.join("Cargo.toml").is_file();
            own_root || of.as_ref().is_none_or(|manifest| real_path(manifest) == selected)
        };
        let artifacts: Vec<Artifact> = opened
            .artifacts
            .iter()
            .filter(|(_, manifest)| is_selected(manifest))
            .map(|(artifact, _)| artifact.clone())
            .collect();
        let is_empty = artifacts.is_empty();
        self.add_from(&opened, artifacts);
        if is_empty {
            self.note(format!(
                "{}: nothing is built here yet; `wheelwright build --release` builds it",
                opened.target_directory.display()
            ));
        }
        Ok(())
    }

    /// A Python project that names no cargo manifest: its native files, if there are any.
    fn folder_of_pyproject(&mut self, directory: &Path, pyproject: Option<Pyproject>) -> Result<()> {
        self.note(format!("{}: pyproject.toml names no Cargo.toml that is there", directory.display()));
        self.project.root.get_or_insert_with(|| directory.to_path_buf());
        let mut flags = self.flags.clone();
        flags.names.distribution = flags.names.distribution.or(pyproject.and_then(|one| one.name));
        for file in without_twins(loose::walk(directory, self.context)?) {
            self.add(loose_artifact(file, &flags));
        }
        Ok(())
    }

    /// The output at `path`, whether or not anything lies there, of a project around it or around the current directory.
    fn output_at(&mut self, path: &Path) -> Option<(Rc<Opened>, Artifact)> {
        if !self.may_be_in_target(path) {
            return None;
        }
        let real = real_path(path);
        for manifest in self.manifests_about(path) {
            let opened = self.open(&manifest, manifest.parent().unwrap_or(path));
            let found = opened.artifacts.iter().find(|(artifact, _)| real_path(&artifact.path) == real);
            if let Some((artifact, _)) = found {
                return Some((Rc::clone(&opened), artifact.clone()));
            }
        }
        None
    }

    /// Whether asking cargo about `path` is worth it: cargo marks its target directories.
    fn may_be_in_target(&self, path: &Path) -> bool {
        let named = self.options.cargo_target_dir.as_ref().map(|named| self.options.current_directory.join(named));
        path.ancestors().any(|directory| {
            directory.join("CACHEDIR.TAG").exists()
                || directory.file_name().is_some_and(|name| name == "target")
                || named.as_deref() == Some(directory)
        })
    }

    /// The manifests whose target directory may hold `path`.
    fn manifests_about(&self, path: &Path) -> Vec<PathBuf> {
        let mut found: Vec<PathBuf> = Vec::new();
        for start in [path, &self.options.current_directory] {
            let manifests = start.ancestors().map(|directory| directory.join("Cargo.toml"));
            let rust = start.ancestors().map(|directory| directory.join("rust/Cargo.toml"));
            if let Some(manifest) = manifests.chain(rust).find(|path| path.is_file())
                && !found.contains(&manifest)
            {
                found.push(manifest);
            }
        }
        found
    }

    fn open(&mut self, manifest: &Path, start: &Path) -> Rc<Opened> {
        if let Some((_, opened)) = self.opened.iter().find(|(known, _)| known == manifest) {
            return Rc::clone(opened);
        }
        let target_directory = self.options.cargo_target_dir.as_deref();
        let variable = target_directory.map_or(TargetDirVariable::Unset, TargetDirVariable::Set);
        let asked = self.options.cargo.as_deref().map(|cargo| Workspace::ask(cargo, manifest, variable, &[]));
        let opened = match asked {
            Some(Ok(workspace)) => Opened::by_metadata(&workspace, start, &self.flags),
            other => {
                let why = match other {
                    Some(Err(error)) => error.to_string(),
                    _ => "cargo is not installed".to_string(),
                };
                let root = workspace_root(manifest);
                let target = root.join(target_directory.unwrap_or("target".as_ref()));
                let mut opened = Opened::by_scanning(&root, target, &self.flags);
                opened.notes.insert(
                    0,
                    format!("{why}; files in {} are taken as they are found", opened.target_directory.display()),
                );
                opened
            }
        };
        let opened = Rc::new(opened);
        self.opened.push((manifest.to_path_buf(), Rc::clone(&opened)));
        opened
    }

    fn add_from(&mut self, opened: &Opened, artifacts: impl IntoIterator<Item = Artifact>) {
        let project = &mut self.project;
        project.root.get_or_insert_with(|| opened.root.clone());
        if project.target_directory.is_none() {
            project.target_directory = Some(opened.target_directory.clone());
            project.build_directory.clone_from(&opened.build_directory);
        }
        for note in &opened.notes {
            self.note(note.clone());
        }
        for artifact in artifacts {
            self.add(artifact);
        }
    }

    fn add(&mut self, mut artifact: Artifact) {
        let artifacts = &mut self.project.artifacts;
        if !artifacts.iter().any(|other| other.path == artifact.path) {
            artifact.id = ArtifactId(artifacts.len());
            artifacts.push(artifact);
        }
    }

    fn note(&mut self, note: String) {
        if !self.project.notes.contains(&note) {
            self.project.notes.push(note);
        }
    }
}

fn refused(path: &Path, reason: &str, way_out: &str) -> Error {
    Error::Refused { path: path.to_path_buf(), reason: reason.into(), way_out: way_out.into() }
}

fn is_project(directory: &Path) -> bool {
    ["Cargo.toml", "pyproject.toml"].iter().any(|name| directory.join(name).is_file())
}

/// The directory of the workspace that `manifest` belongs to, as far as the manifests alone tell.
fn workspace_root(manifest: &Path) -> PathBuf {
    let own = manifest.parent().unwrap_or(manifest);
    let has_workspace = |directory: &&Path| {
        let text = std::fs::read_to_string(directory.join("Cargo.toml")).unwrap_or_default();
        text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("workspace"))
    };
    own.ancestors().find(has_workspace).unwrap_or(own).to_path_buf()
}

/// `path` from `current`, without `.`; where `..` stands in it, symbolic links before that are resolved.
fn absolute(path: &Path, current: &Path) -> PathBuf {
    let joined: PathBuf = current.join(path).components().collect();
    if !joined.components().any(|component| component == Component::ParentDir) {
        return joined;
    }
    match joined.file_name() {
        Some(_) => real_path(&joined),
        None => joined.canonicalize().unwrap_or(joined),
    }
}

/// `path` with the symbolic links of its directory resolved; a link at the very end stays.
fn real_path(path: &Path) -> PathBuf {
    match (path.parent().and_then(|parent| parent.canonicalize().ok()), path.file_name()) {
        (Some(parent), Some(name)) => parent.join(name),
        _ => path.to_path_buf(),
    }
}

/// One name of each inode: the one with the fewest directories, of these the first by name.
fn without_twins(mut files: Vec<PathBuf>) -> Vec<PathBuf> {
    files.sort_by_key(|path| (path.components().count(), path.clone()));
    let mut seen = std::collections::BTreeSet::new();
    files.retain(|path| match Identity::of(path) {
        Ok(Some(identity)) => seen.insert((identity.device, identity.inode)),
        _ => true,
    });
    files.sort();
    files
}
