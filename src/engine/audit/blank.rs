//! The report of an artifact before anything was found out, and the parts that need no lens.

use crate::engine::Error;
use crate::engine::binary::{Binary, Name, Slice, elf};
use crate::engine::project::{Artifact, LinkedPathSource, LinkedPaths};
use crate::engine::report::audit::{
    ArtifactReport, LinkedPathsReport, ReadError, SliceReport, StagingReport, StagingState, WillPatch,
};
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

/// The report of an artifact of which only discovery knows.
#[must_use]
pub fn report(artifact: &Artifact) -> ArtifactReport {
    ArtifactReport {
        path: artifact.path.clone(),
        path_bytes: Name::new(artifact.path.as_os_str().as_bytes()).lossy_hex(),
        container: None,
        member: None,
        name: artifact.name.clone(),
        kind: artifact.kind,
        format: None,
        size: None,
        sha256: None,
        error: None,
        slices: Vec::new(),
        lens_differences: None,
        external_libs: None,
        policy: None,
        entry_points: None,
        dlopen: None,
        load: None,
        staging: StagingReport {
            state: StagingState::NotStaged,
            edited: false,
            cargo_output: artifact.cargo.as_ref().map(|_| artifact.path.clone()),
            staged: None,
            device: None,
            inode: None,
            links: None,
            aliases: Vec::new(),
            aliases_elsewhere: 0,
            related: Vec::new(),
        },
        will_patch: WillPatch::default(),
        findings: Vec::new(),
        names: artifact.cargo.as_ref().map(|_| artifact.names.clone()),
        linked_paths: linked_paths(&artifact.linked_paths),
    }
}

fn linked_paths(linked: &LinkedPaths) -> LinkedPathsReport {
    let source = linked.source.map(LinkedPathSource::label);
    LinkedPathsReport { paths: linked.paths.clone(), source: source.map(str::to_string) }
}

/// The slices of `binary` without their trees.
#[must_use]
pub fn slices(binary: &Binary, artifact: &Artifact) -> Vec<SliceReport> {
    let mut build_directories: Vec<PathBuf> = artifact.linked_paths.paths.clone();
    build_directories.extend(artifact.out_directories.iter().cloned());
    build_directories.extend(artifact.cargo.iter().map(|cargo| cargo.target_directory.clone()));
    binary.slices.iter().map(|slice| one_slice(slice, artifact, &build_directories)).collect()
}

fn one_slice(slice: &Slice, artifact: &Artifact, build_directories: &[PathBuf]) -> SliceReport {
    let text = |name: &Name| name.to_text().into_owned();
    SliceReport {
        arch: slice.arch.name.clone(),
        soname: slice.soname.as_ref().map(text),
        soname_bytes: slice.soname.as_ref().and_then(Name::lossy_hex),
        needed: slice.needed.iter().map(|needed| text(&needed.name)).collect(),
        interpreter: slice.interpreter.as_ref().map(text),
        rpath: super::search_path::report(slice, &artifact.loaded_as, build_directories),
        tree: None,
        hardening: slice.elf.as_ref().map(|details| elf::hardening(&details.tables)),
        symbols: None,
        instructions: None,
    }
}

/// An error as the report shows it.
#[must_use]
pub fn read_error(error: &Error) -> ReadError {
    match error {
        Error::Malformed { offset, expected, .. } => {
            ReadError { message: error.to_string(), offset: Some(*offset), expected: Some(expected.clone()) }
        }
        other => ReadError { message: other.to_string(), offset: None, expected: None },
    }
}
