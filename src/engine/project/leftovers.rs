//! The names under which an artifact may also lie: cargo's copy in `deps/` or in a unit's directory, maturin's staged file.
//!
//! An output that is gone while one of these is there is the scene of most repair failures, so they also tell which
//! artifacts there should be. How closely each is tied to its artifact is left to `related`.

use super::artifact::CargoOutput;
use crate::engine::report::audit::ArtifactKind;
use std::path::{Path, PathBuf};

/// What a file of an artifact's name is, by where it lies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Role {
    /// Cargo's own copy in `deps/`.
    Deps,
    /// Cargo's own copy in the directory of a build unit (cargo's newer layout of the build directory).
    BuildDirectory,
    /// The file that maturin keeps in `<target>/maturin/`.
    MaturinStaged,
}

impl Role {
    /// Its name in the JSON documents.
    pub fn label(self) -> &'static str {
        match self {
            Self::Deps => "deps",
            Self::BuildDirectory => "build_dir",
            Self::MaturinStaged => "maturin_staged",
        }
    }
}

/// A file that may be another name or another state of an artifact.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Candidate {
    /// Where it lies.
    pub path: PathBuf,
    /// What it is.
    pub role: Role,
}

/// The existing files that may belong to the output `file_name`, by role and path.
pub(super) fn candidates(cargo: &CargoOutput, file_name: &str, kind: ArtifactKind) -> Vec<Candidate> {
    let mut found = kept_by_cargo(cargo, file_name, kind);
    let staged = cargo.target_directory.join("maturin").join(file_name);
    if is_file(&staged) {
        found.push(Candidate { path: staged, role: Role::MaturinStaged });
    }
    found.sort_by(|a, b| (a.role, &a.path).cmp(&(b.role, &b.path)));
    found.dedup();
    found
}

/// The existing files that cargo itself keeps of the output `file_name`.
pub(super) fn kept_by_cargo(cargo: &CargoOutput, file_name: &str, kind: ArtifactKind) -> Vec<Candidate> {
    let mut found = Vec::new();
    let mut add = |path: PathBuf, role: Role| {
        if is_file(&path) {
            found.push(Candidate { path, role });
        }
    };
    let mut directories = vec![&cargo.build_profile_directory];
    if cargo.profile_directory != cargo.build_profile_directory {
        directories.push(&cargo.profile_directory);
    }
    for directory in directories {
        let deps = directory.join("deps");
        if kind == ArtifactKind::Bin {
            for name in hashed_names(&deps, &cargo.target, file_name) {
                if is_bin_unit(directory, cargo, &name) {
                    add(deps.join(name), Role::Deps);
                }
            }
        } else {
            add(deps.join(file_name), Role::Deps);
        }
        for unit in sorted_entries(&directory.join("build").join(&cargo.package)) {
            let is_ours = kind != ArtifactKind::Bin || unit.join("fingerprint").join(bin_unit(cargo)).is_file();
            if is_ours {
                add(unit.join("out").join(unit_file_name(cargo, file_name, kind)), Role::BuildDirectory);
            }
        }
    }
    found
}

/// The names in `deps` that rustc gave to a program: `<crate>-<hash>`, with the output's extension.
fn hashed_names(deps: &Path, target: &str, file_name: &str) -> Vec<String> {
    let prefix = format!("{}-", target.replace('-', "_"));
    let extension = if file_name.ends_with(".exe") { ".exe" } else { "" };
    let names = sorted_entries(deps).into_iter().filter_map(|path| Some(path.file_name()?.to_str()?.to_string()));
    names.filter(|name| hash_in(name, &prefix, extension).is_some()).collect()
}

fn hash_in<'a>(name: &'a str, prefix: &str, extension: &str) -> Option<&'a str> {
    let hash = name.strip_prefix(prefix)?.strip_suffix(extension)?;
    (hash.len() == 16 && hash.bytes().all(|byte| byte.is_ascii_hexdigit())).then_some(hash)
}

/// Whether the file in `deps/` is the program and not its test harness, which is called alike: cargo's fingerprints tell.
fn is_bin_unit(profile_directory: &Path, cargo: &CargoOutput, name: &str) -> bool {
    let fingerprints = profile_directory.join(".fingerprint");
    let stem = name.strip_suffix(".exe").unwrap_or(name);
    let Some((_, hash)) = stem.rsplit_once('-') else { return false };
    let unit = fingerprints.join(format!("{}-{hash}", cargo.package));
    !unit.is_dir() || unit.join(bin_unit(cargo)).is_file()
}

fn bin_unit(cargo: &CargoOutput) -> String {
    format!("bin-{}", cargo.target)
}

fn unit_file_name(cargo: &CargoOutput, file_name: &str, kind: ArtifactKind) -> String {
    match (kind, file_name.ends_with(".exe")) {
        (ArtifactKind::Bin, true) => format!("{}.exe", cargo.target.replace('-', "_")),
        (ArtifactKind::Bin, false) => cargo.target.replace('-', "_"),
        _ => file_name.to_string(),
    }
}

/// The entries of `directory` by name; none where it can't be read.
pub(super) fn sorted_entries(directory: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.path()).collect();
    paths.sort();
    paths
}

/// Whether a regular file has this very name; a symbolic link is none.
pub(super) fn is_file(path: &Path) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn touch(path: &Path) {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, "").unwrap();
    }

    fn output(target: &Path, name: &str) -> CargoOutput {
        CargoOutput {
            target_directory: target.into(),
            profile_directory: target.join("release"),
            build_profile_directory: target.join("release"),
            triple: None,
            profile: "release".into(),
            package: "lab-ext".into(),
            target: name.into(),
        }
    }

    #[test]
    fn the_test_harness_of_a_program_is_not_taken_for_it() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path();
        for name in ["0123456789abcdef", "fedcba9876543210", "00000000000000aa"] {
            touch(&target.join(format!("release/deps/lab_tool-{name}")));
        }
        touch(&target.join("release/deps/lab_tool-0123456789abcdef.d"));
        touch(&target.join("release/deps/lab_tool-short"));
        touch(&target.join("release/.fingerprint/lab-ext-0123456789abcdef/bin-lab-tool"));
        touch(&target.join("release/.fingerprint/lab-ext-fedcba9876543210/test-bin-lab-tool"));
        let found = candidates(&output(target, "lab-tool"), "lab-tool", ArtifactKind::Bin);
        let names: Vec<_> = found.iter().map(|one| one.path.file_name().unwrap().to_str().unwrap()).collect();
        assert_eq!(names, ["lab_tool-00000000000000aa", "lab_tool-0123456789abcdef"]);
        let found = candidates(&output(target, "lab-tool"), "lab-tool.exe", ArtifactKind::Bin);
        assert_eq!(found, []);
    }

    #[test]
    fn all_three_places_are_looked_at() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path();
        let places = [
            ("release/deps/liblab_ext.so", Role::Deps),
            ("release/build/lab-ext/00/out/liblab_ext.so", Role::BuildDirectory),
            ("maturin/liblab_ext.so", Role::MaturinStaged),
        ];
        for (place, _) in places {
            touch(&target.join(place));
        }
        std::os::unix::fs::symlink("x", target.join("release/deps/liblab_ext.dylib")).unwrap();
        let output = output(target, "lab_ext");
        let found = candidates(&output, "liblab_ext.so", ArtifactKind::Cdylib);
        let expected: Vec<_> =
            places.iter().map(|(place, role)| Candidate { path: target.join(place), role: *role }).collect();
        assert_eq!(found, expected);
        assert_eq!(candidates(&output, "liblab_ext.dylib", ArtifactKind::Cdylib), []);
    }
}
