//! What `cargo metadata` says of a workspace: its directories, its packages and those targets that yield native files.
//!
//! Which of the outputs exist is left to `outputs`; without cargo there is no [`Workspace`] and files are found by scanning.

use crate::engine::report::audit::ArtifactKind;
use crate::engine::{Error, Result};
use cargo_metadata::{CrateType, DependencyKind, MetadataCommand, TargetKind};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A workspace, or the single package of a project.
#[derive(Debug, Clone)]
pub(super) struct Workspace {
    /// The directory of the workspace's manifest.
    pub root: PathBuf,
    /// Where outputs are put.
    pub target_directory: PathBuf,
    /// Where `deps/` and `build/` lie; the target directory unless `build.build-dir` says otherwise.
    pub build_directory: PathBuf,
    /// The packages, by name and then by manifest.
    pub packages: Vec<Package>,
}

/// A package of the workspace.
#[derive(Debug, Clone)]
pub(super) struct Package {
    /// Its name.
    pub name: String,
    /// The path of its `Cargo.toml`.
    pub manifest: PathBuf,
    /// The targets that yield native files: libraries first, then programs by name.
    pub targets: Vec<Target>,
    /// The crate name of its library, if it has one.
    pub library: Option<String>,
    /// Its features, each with what it switches on.
    pub features: BTreeMap<String, Vec<String>>,
    /// What it depends on, development excluded.
    pub dependencies: Vec<Dependency>,
    /// The workspace's packages whose code is not linked into this one.
    pub strangers: BTreeSet<String>,
}

/// A dependency as the manifest writes it.
#[derive(Debug, Clone)]
pub(super) struct Dependency {
    /// The package's name.
    pub name: String,
    /// The name that features know it by.
    pub key: String,
    /// The features asked of it.
    pub features: Vec<String>,
    /// The directory of a path dependency.
    pub path: Option<PathBuf>,
    /// Whether its code is linked in, and not only run by a build script.
    pub linked: bool,
}

/// A cargo target that yields a native file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    /// Its name as cargo writes it.
    pub name: String,
    /// What it yields.
    pub kind: ArtifactKind,
}

impl Target {
    /// The file names that its output can have, one for each platform's custom.
    pub fn file_names(&self) -> Vec<String> {
        if self.kind == ArtifactKind::Bin {
            return vec![self.name.clone(), format!("{}.exe", self.name)];
        }
        let name = self.crate_name();
        vec![format!("lib{name}.so"), format!("lib{name}.dylib"), format!("{name}.dll")]
    }

    /// Its name as rustc writes it, in `deps/`.
    pub fn crate_name(&self) -> String {
        self.name.replace('-', "_")
    }
}

/// What `CARGO_TARGET_DIR` is for a cargo that we run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum TargetDirVariable<'a> {
    /// What it is for us.
    Inherited,
    /// Not set.
    Unset,
    /// This.
    Set(&'a OsStr),
}

impl Workspace {
    /// Asks `cargo` about the project of `manifest`, with cargo's working directory beside it. `more` are further options
    /// that bear on the answer, such as `--config`.
    ///
    /// # Errors
    /// [`Error::Tool`] when cargo can't be run, refuses, or answers with something else than metadata.
    pub fn ask(
        cargo: &Path,
        manifest: &Path,
        target_directory: TargetDirVariable<'_>,
        more: &[OsString],
    ) -> Result<Self> {
        let mut command = Command::new(cargo);
        command.args(["metadata", "--no-deps", "--offline", "--format-version", "1", "--color", "never"]);
        command.arg("--manifest-path").arg(manifest).args(more).stdin(Stdio::null());
        if let Some(directory) = manifest.parent() {
            command.current_dir(directory);
        }
        match target_directory {
            TargetDirVariable::Set(value) => command.env("CARGO_TARGET_DIR", value),
            TargetDirVariable::Unset => command.env_remove("CARGO_TARGET_DIR"),
            TargetDirVariable::Inherited => &mut command,
        };
        let failed = |message: String| Error::Tool { program: "cargo metadata".into(), message };
        let output = command.output().map_err(|error| failed(error.to_string()))?;
        if !output.status.success() {
            return Err(failed(one_line(&String::from_utf8_lossy(&output.stderr))));
        }
        let metadata = MetadataCommand::parse(String::from_utf8_lossy(&output.stdout))
            .map_err(|error| failed(error.to_string()))?;
        Ok(Self::from_metadata(metadata))
    }

    fn from_metadata(metadata: cargo_metadata::Metadata) -> Self {
        let target_directory = metadata.target_directory.into_std_path_buf();
        let mut packages: Vec<Package> = metadata.packages.into_iter().map(Package::from_metadata).collect();
        packages.sort_by(|a, b| (&a.name, &a.manifest).cmp(&(&b.name, &b.manifest)));
        let strangers: Vec<_> = packages.iter().map(|package| strangers_of(package, &packages)).collect();
        for (package, strangers) in packages.iter_mut().zip(strangers) {
            package.strangers = strangers;
        }
        Self {
            root: metadata.workspace_root.into_std_path_buf(),
            build_directory: metadata
                .build_directory
                .map_or_else(|| target_directory.clone(), |directory| directory.into_std_path_buf()),
            target_directory,
            packages,
        }
    }
}

impl Package {
    fn from_metadata(package: cargo_metadata::Package) -> Self {
        let mut targets: Vec<Target> = package.targets.iter().filter_map(target_of).collect();
        targets.sort_by(|a, b| (rank(a.kind), &a.name).cmp(&(rank(b.kind), &b.name)));
        let is_library = |target: &&cargo_metadata::Target| {
            target.kind.iter().any(|kind| {
                matches!(
                    kind,
                    TargetKind::Lib
                        | TargetKind::RLib
                        | TargetKind::CDyLib
                        | TargetKind::DyLib
                        | TargetKind::StaticLib
                        | TargetKind::ProcMacro
                )
            })
        };
        let dependencies = package.dependencies.iter().filter(|one| one.kind != DependencyKind::Development);
        Self {
            library: package.targets.iter().find(is_library).map(|target| target.name.replace('-', "_")),
            dependencies: dependencies
                .map(|one| Dependency {
                    name: one.name.clone(),
                    key: one.rename.clone().unwrap_or_else(|| one.name.clone()),
                    features: one.features.clone(),
                    path: one.path.clone().map(|path| path.into_std_path_buf()),
                    linked: one.kind == DependencyKind::Normal,
                })
                .collect(),
            name: package.name.to_string(),
            manifest: package.manifest_path.into_std_path_buf(),
            targets,
            features: package.features,
            strangers: BTreeSet::new(),
        }
    }

    /// The directory of its manifest.
    pub fn directory(&self) -> &Path {
        self.manifest.parent().unwrap_or(&self.manifest)
    }
}

/// What we look at of a cargo target; `None` for one that yields no native file for the user.
pub(super) fn target_of(target: &cargo_metadata::Target) -> Option<Target> {
    let is_bin = target.kind.contains(&TargetKind::Bin);
    let is_example = target.kind.contains(&TargetKind::Example);
    let kind = match () {
        () if is_bin => ArtifactKind::Bin,
        () if is_example => return None,
        () if target.crate_types.contains(&CrateType::CDyLib) => ArtifactKind::Cdylib,
        () if target.crate_types.contains(&CrateType::DyLib) => ArtifactKind::Dylib,
        () => return None,
    };
    Some(Target { name: target.name.clone(), kind })
}

/// Libraries before programs.
fn rank(kind: ArtifactKind) -> u8 {
    match kind {
        ArtifactKind::Cdylib => 0,
        ArtifactKind::Dylib => 1,
        _ => 2,
    }
}

/// The packages of the workspace that `package` does not reach by path dependencies.
fn strangers_of(package: &Package, packages: &[Package]) -> BTreeSet<String> {
    let mut reached = vec![package];
    let mut next = 0;
    while let Some(one) = reached.get(next).copied() {
        next += 1;
        let paths: Vec<&Path> =
            one.dependencies.iter().filter(|other| other.linked).filter_map(|other| other.path.as_deref()).collect();
        for other in packages {
            let known = reached.iter().any(|seen| seen.manifest == other.manifest);
            if !known && paths.contains(&other.directory()) {
                reached.push(other);
            }
        }
    }
    let names: BTreeSet<&str> = reached.iter().map(|one| one.name.as_str()).collect();
    packages.iter().filter(|other| !names.contains(other.name.as_str())).map(|other| other.name.clone()).collect()
}

/// Cargo's complaint without its line breaks: `error:` and what follows, causes after semicolons.
fn one_line(text: &str) -> String {
    let lines: Vec<&str> =
        text.lines().map(str::trim).filter(|line| !line.is_empty() && *line != "Caused by:").collect();
    let from = lines.iter().position(|line| line.starts_with("error")).unwrap_or(0);
    let text = lines.get(from..).unwrap_or_default().join("; ");
    text.strip_prefix("error: ").unwrap_or(&text).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_know_their_file_names() {
        let library = Target { name: "lab-ext".into(), kind: ArtifactKind::Cdylib };
        assert_eq!(library.file_names(), ["liblab_ext.so", "liblab_ext.dylib", "lab_ext.dll"]);
        let program = Target { name: "lab-tool".into(), kind: ArtifactKind::Bin };
        assert_eq!(program.file_names(), ["lab-tool", "lab-tool.exe"]);
        assert_eq!(program.crate_name(), "lab_tool");
    }

    #[test]
    fn a_complaint_is_one_line() {
        let text = "warning: x\nerror: failed to parse manifest at `/a`\n\nCaused by:\n  no targets specified\n";
        assert_eq!(one_line(text), "failed to parse manifest at `/a`; no targets specified");
    }
}
