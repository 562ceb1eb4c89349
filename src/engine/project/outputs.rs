//! Which outputs of a workspace's targets there are, in every profile and for every triple of its target directory.

use super::artifact::CargoOutput;
use super::cargo::{Package, Target, Workspace};
use super::leftovers::{self, is_file, sorted_entries};
use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

/// A profile's directory in the target directory.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct ProfileDirectory {
    /// The triple, where the directory lies below one.
    pub triple: Option<String>,
    /// The directory's name.
    pub profile: String,
    /// `<target>/<profile>` or `<target>/<triple>/<profile>`.
    pub path: PathBuf,
    /// The same below the build directory.
    pub build_path: PathBuf,
}

/// An output that is there, or should be.
#[derive(Debug, Clone)]
pub(super) struct Output<'a> {
    /// The package that it belongs to.
    pub package: &'a Package,
    /// The target that yields it.
    pub target: &'a Target,
    /// Its path; nothing need be there.
    pub path: PathBuf,
    /// Its file name.
    pub file_name: String,
    /// What cargo says of it.
    pub cargo: CargoOutput,
}

/// The profile directories of `workspace`: `release`, `debug`, then others by name; in each the host's before triples.
pub(super) fn profile_directories(workspace: &Workspace) -> Vec<ProfileDirectory> {
    let mut places = BTreeSet::new();
    for directory in [&workspace.target_directory, &workspace.build_directory] {
        for entry in sorted_entries(directory).into_iter().filter(|entry| may_hold_outputs(entry)) {
            if is_profile(&entry) {
                places.insert((None, name_of(&entry)));
                continue;
            }
            for inner in sorted_entries(&entry).into_iter().filter(|inner| is_profile(inner)) {
                places.insert((Some(name_of(&entry)), name_of(&inner)));
            }
        }
    }
    let mut found: Vec<ProfileDirectory> = places
        .into_iter()
        .map(|(triple, profile)| {
            let below = |directory: &Path| triple.iter().fold(directory.to_path_buf(), |path, part| path.join(part));
            ProfileDirectory {
                path: below(&workspace.target_directory).join(&profile),
                build_path: below(&workspace.build_directory).join(&profile),
                triple,
                profile,
            }
        })
        .collect();
    found.sort_by(|a, b| (rank(&a.profile), &a.profile, &a.triple).cmp(&(rank(&b.profile), &b.profile, &b.triple)));
    found
}

/// The outputs that exist, or of which cargo or maturin still keeps a file. By directory, package and target.
pub(super) fn outputs<'a>(workspace: &'a Workspace, directories: &[ProfileDirectory]) -> Vec<Output<'a>> {
    let release = [ProfileDirectory {
        triple: None,
        profile: "release".into(),
        path: workspace.target_directory.join("release"),
        build_path: workspace.build_directory.join("release"),
    }];
    let directories = if directories.is_empty() { &release } else { directories };
    let mut all: Vec<Output<'a>> = Vec::new();
    for output in directories.iter().flat_map(|directory| expected(workspace, directory)) {
        // Two members may have programs of one name; cargo then lets the last one win, and so there is one file.
        if !all.iter().any(|other| other.path == output.path) {
            all.push(output);
        }
    }
    let is_here = |output: &Output<'_>| {
        is_file(&output.path)
            || !leftovers::kept_by_cargo(&output.cargo, &output.file_name, output.target.kind).is_empty()
    };
    let here: BTreeSet<PathBuf> =
        all.iter().filter(|output| is_here(output)).map(|output| output.path.clone()).collect();
    let names: BTreeSet<&OsStr> = here.iter().filter_map(|path| path.file_name()).collect();
    // maturin's staged file alone does not tell its profile: the first one is taken.
    let first = directories.first().map(|directory| &directory.path);
    let staging = workspace.target_directory.join("maturin");
    let is_orphan = |output: &Output<'_>| {
        Some(&output.cargo.profile_directory) == first
            && !names.contains(OsStr::new(&output.file_name))
            && is_file(&staging.join(&output.file_name))
    };
    all.retain(|output| here.contains(&output.path) || is_orphan(output));
    all
}

/// Every output that the workspace's targets could have in `directory`.
fn expected<'a>(workspace: &'a Workspace, directory: &ProfileDirectory) -> Vec<Output<'a>> {
    let mut all = Vec::new();
    for package in &workspace.packages {
        for target in &package.targets {
            for file_name in target.file_names() {
                all.push(Output {
                    package,
                    target,
                    path: directory.path.join(&file_name),
                    file_name,
                    cargo: CargoOutput {
                        target_directory: workspace.target_directory.clone(),
                        profile_directory: directory.path.clone(),
                        build_profile_directory: directory.build_path.clone(),
                        triple: directory.triple.clone(),
                        profile: directory.profile.clone(),
                        package: package.name.clone(),
                        target: target.name.clone(),
                    },
                });
            }
        }
    }
    all
}

fn rank(profile: &str) -> u8 {
    match profile {
        "release" => 0,
        "debug" => 1,
        _ => 2,
    }
}

fn name_of(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

/// Whether cargo made `path` for a profile: it leaves a lock and unit directories there, also where they are empty.
fn is_profile(path: &Path) -> bool {
    path.is_dir()
        && (matches!(name_of(path).as_str(), "release" | "debug")
            || [".cargo-lock", ".fingerprint", "deps"].iter().any(|mark| path.join(mark).exists()))
}

/// Whether `path` may be a profile's or a triple's directory, and not one of the tools that live beside them, nor a
/// whole target directory of its own (rust-analyzer, cargo-llvm-cov), which cargo marks by `.rustc_info.json`.
fn may_hold_outputs(path: &Path) -> bool {
    let name = name_of(path);
    let is_tool = matches!(name.as_str(), "maturin" | "wheelwright" | "wheels" | "package" | "doc" | "tmp");
    !is_tool && !name.starts_with('.') && path.is_dir() && !path.join(".rustc_info.json").exists()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn profiles_are_told_from_tools_and_come_in_order() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path();
        let made = [
            "debug/deps",
            "release/deps",
            "bench-lto/.fingerprint",
            "aarch64-apple-darwin/release/deps",
            "x86_64-unknown-linux-musl/debug",
            "maturin/deps",
            "doc/deps",
            "odd",
            "rust-analyzer/debug/deps",
        ];
        for path in made {
            std::fs::create_dir_all(target.join(path)).unwrap();
        }
        std::fs::write(target.join("rust-analyzer/.rustc_info.json"), "").unwrap();
        let workspace = Workspace {
            root: target.into(),
            target_directory: target.into(),
            build_directory: target.join("elsewhere"),
            packages: Vec::new(),
        };
        let found: Vec<String> = profile_directories(&workspace)
            .iter()
            .map(|one| one.path.strip_prefix(target).unwrap().to_string_lossy().into_owned())
            .collect();
        let expected =
            ["release", "aarch64-apple-darwin/release", "debug", "x86_64-unknown-linux-musl/debug", "bench-lto"];
        assert_eq!(found, expected);
    }
}
