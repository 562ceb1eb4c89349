//! `--sandbox`: copies of a project's artifacts in a scratch directory, laid out and linked as the originals are.
//!
//! Every step can then be tried and cargo's target directory stays as it is. Who makes and removes the scratch directory is
//! left to the caller.

use super::artifact::{Artifact, CargoOutput, Project};
use super::related::related;
use crate::engine::file::{Identity, reflink_or_copy};
use crate::engine::{Context, Error, Result};
use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Component, Path, PathBuf};

/// Copies the artifacts of `project` and the files related to them under the absolute path `scratch`: one copy an inode, with the same names
/// linked to it, the same mode and modification time, and the same place in the target directory. The project that is returned
/// points there; `loaded_as` still says where the originals lie. Links from elsewhere are not copied.
///
/// # Errors
/// [`Error::Io`] when a file can't be read or `scratch` can't be written, or already holds such a file;
/// [`Error::Cancelled`]. What was copied so far stays.
pub fn sandboxed(project: &Project, scratch: &Path, context: &Context) -> Result<Project> {
    let map = Map::of(project, scratch);
    let mut copies = Copies::default();
    let mut sandbox = Project {
        root: project.root.clone(),
        target_directory: project.target_directory.as_deref().map(|path| map.place(path)),
        build_directory: project.build_directory.as_deref().map(|path| map.place(path)),
        artifacts: Vec::new(),
        notes: project.notes.clone(),
    };
    sandbox.notes.push(format!("all steps work on copies in {}", scratch.display()));
    for artifact in &project.artifacts {
        let path = map.place(&artifact.path);
        copies.add(&artifact.path, &path, context)?;
        for file in related(artifact, project) {
            copies.add(&file.path, &map.place(&file.path), context)?;
        }
        let cargo = artifact.cargo.as_ref().map(|cargo| map.cargo(cargo));
        // A step looks for these directories even where no file of the artifact is left in them.
        if let Some(cargo) = &cargo {
            create(&cargo.profile_directory)?;
            create(&cargo.build_profile_directory)?;
        }
        sandbox.artifacts.push(Artifact { path, cargo, ..artifact.clone() });
    }
    Ok(sandbox)
}

/// Where each directory of the originals lies in the scratch directory.
struct Map {
    roots: Vec<(PathBuf, PathBuf)>,
    scratch: PathBuf,
}

impl Map {
    fn of(project: &Project, scratch: &Path) -> Self {
        let mut targets: Vec<&Path> = project.target_directory.iter().map(PathBuf::as_path).collect();
        let mut builds: Vec<&Path> = project.build_directory.iter().map(PathBuf::as_path).collect();
        for cargo in project.artifacts.iter().filter_map(|artifact| artifact.cargo.as_ref()) {
            targets.push(&cargo.target_directory);
            builds.extend(build_directory(cargo));
        }
        let mut map = Self { roots: Vec::new(), scratch: scratch.to_path_buf() };
        map.add_roots("target", &targets);
        map.add_roots("build", &builds);
        // A build directory may lie in a target directory and have been given a place of its own: the nearest one counts.
        map.roots.sort_by_key(|(from, _)| std::cmp::Reverse(from.components().count()));
        map
    }

    /// `target`, `target-2`, …: one for each directory.
    fn add_roots(&mut self, name: &str, directories: &[&Path]) {
        let mut number = 0;
        for directory in directories {
            if self.roots.iter().all(|(known, _)| known != directory) {
                number += 1;
                let name = if number == 1 { name.to_string() } else { format!("{name}-{number}") };
                self.roots.push((directory.to_path_buf(), self.scratch.join(name)));
            }
        }
    }

    /// Where `path` lies in the scratch directory; what is in no target directory has its whole path below `files`.
    fn place(&self, path: &Path) -> PathBuf {
        let root = self.roots.iter().find_map(|(from, to)| Some((path.strip_prefix(from).ok()?, to.clone())));
        let (rest, mut place) = root.unwrap_or_else(|| (path, self.scratch.join("files")));
        place.extend(rest.components().filter(|part| matches!(part, Component::Normal(_))));
        place
    }

    fn cargo(&self, cargo: &CargoOutput) -> CargoOutput {
        CargoOutput {
            target_directory: self.place(&cargo.target_directory),
            profile_directory: self.place(&cargo.profile_directory),
            build_profile_directory: self.place(&cargo.build_profile_directory),
            ..cargo.clone()
        }
    }
}

/// The build directory of an output, from the profile's directory in it.
fn build_directory(cargo: &CargoOutput) -> Option<&Path> {
    let depth = if cargo.triple.is_some() { 2 } else { 1 };
    cargo.build_profile_directory.ancestors().nth(depth)
}

/// The copies made so far, by device and inode.
#[derive(Default)]
struct Copies {
    made: BTreeMap<(u64, u64), Vec<PathBuf>>,
}

impl Copies {
    /// Makes `to` a copy of `from`, or a link to the copy of the same inode. Nothing where nothing is at `from`.
    fn add(&mut self, from: &Path, to: &Path, context: &Context) -> Result<()> {
        let Some(identity) = Identity::of(from)? else { return Ok(()) };
        let names = self.made.entry((identity.device, identity.inode)).or_default();
        if names.iter().any(|name| name == to) {
            return Ok(());
        }
        create(to.parent().unwrap_or(to))?;
        match names.first() {
            Some(first) => std::fs::hard_link(first, to).map_err(Error::io("link", to))?,
            None => {
                context.expect(identity.size);
                // Through a symbolic link, the file behind it is what is looked at and edited.
                let real = from.canonicalize().map_err(Error::io("open", from))?;
                reflink_or_copy(&real, to, context)?;
                let modified = std::fs::metadata(&real).and_then(|metadata| metadata.modified());
                let modified = modified.map_err(Error::io("look at", from))?;
                File::open(to)
                    .and_then(|file| file.set_modified(modified))
                    .map_err(Error::io("set the time of", to))?;
            }
        }
        names.push(to.to_path_buf());
        Ok(())
    }
}

fn create(directory: &Path) -> Result<()> {
    std::fs::create_dir_all(directory).map_err(Error::io("create", directory))
}
