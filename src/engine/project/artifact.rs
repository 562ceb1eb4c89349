//! The plain data that discovery yields: a project and its artifacts.

use crate::engine::report::audit::{ArtifactKind, BundleNames};
use std::path::PathBuf;

/// An artifact's number in its [`Project`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ArtifactId(pub usize);

/// What was found to look at.
#[derive(Debug, Clone, Default)]
pub struct Project {
    /// The project's directory; `None` for loose files.
    pub root: Option<PathBuf>,
    /// Cargo's target directory; `None` for loose files.
    pub target_directory: Option<PathBuf>,
    /// Cargo's build directory, where it differs from the target directory.
    pub build_directory: Option<PathBuf>,
    /// The artifacts, in a stable order; `artifacts[n].id` is `n`.
    pub artifacts: Vec<Artifact>,
    /// What discovery could not do, a sentence each: "cargo is not installed; targets are guessed".
    pub notes: Vec<String>,
}

/// A native file that we look at.
#[derive(Debug, Clone)]
pub struct Artifact {
    /// Its number.
    pub id: ArtifactId,
    /// Its own absolute path: cargo's path for a cargo output. Nothing need be there.
    pub path: PathBuf,
    /// The path that the loader knows it by, of which `$ORIGIN` is the directory: `path`, also while the file is staged,
    /// but the original's path for a copy in a sandbox.
    pub loaded_as: PathBuf,
    /// Its file name.
    pub name: String,
    /// What it is to its project.
    pub kind: ArtifactKind,
    /// What cargo says of it; `None` for a file that cargo's metadata does not name.
    pub cargo: Option<CargoOutput>,
    /// The directories that build scripts gave to the linker.
    pub linked_paths: LinkedPaths,
    /// The build scripts' OUT_DIRs.
    pub out_directories: Vec<PathBuf>,
    /// Its names in the wheel.
    pub names: BundleNames,
    /// The module name that its Python entry point should have (the `x` of `PyInit_x`); `None` where none is expected.
    pub expected_entry_point: Option<String>,
}

/// What cargo says of an artifact that it makes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CargoOutput {
    /// The target directory.
    pub target_directory: PathBuf,
    /// The directory of the output: `<target>/<profile>` or `<target>/<triple>/<profile>`.
    pub profile_directory: PathBuf,
    /// The directory under which `deps/` of this profile lies: as above, below the build directory where that differs.
    pub build_profile_directory: PathBuf,
    /// The target triple, where one was named.
    pub triple: Option<String>,
    /// The profile's directory name: `release`, `debug`.
    pub profile: String,
    /// The package's name.
    pub package: String,
    /// The cargo target's name.
    pub target: String,
}

/// The directories that build scripts gave to the linker (`-L`), for libraries only the build machine has.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LinkedPaths {
    /// The directories, in cargo's order.
    pub paths: Vec<PathBuf>,
    /// Where they were read; `None` when there are none. Where several sources gave some, the first in the order of
    /// [`LinkedPathSource`].
    pub source: Option<LinkedPathSource>,
}

/// Where linked paths were read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum LinkedPathSource {
    /// Cargo's messages, kept by `wheelwright build`.
    Messages,
    /// The build scripts' `output` files, newest per package.
    BuildOutput,
    /// `-L` among the rustflags of a `.cargo/config.toml`.
    CargoConfig,
    /// The command line.
    Options,
}

impl LinkedPathSource {
    /// Its name in the JSON documents.
    #[must_use]
    pub fn label(self) -> &'static str {
        match self {
            Self::Messages => "messages",
            Self::BuildOutput => "build_output",
            Self::CargoConfig => "cargo_config",
            Self::Options => "options",
        }
    }
}
