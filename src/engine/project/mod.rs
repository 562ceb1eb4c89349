//! Where artifacts come from: cargo's metadata and messages, pyproject.toml, plain files and folders.

mod artifact;
pub mod lab;

pub use artifact::{Artifact, ArtifactId, CargoOutput, LinkedPathSource, LinkedPaths, Project};
