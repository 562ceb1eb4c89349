//! Where artifacts come from: cargo's metadata and messages, pyproject.toml, plain files and folders.
//!
//! [`discover`] turns paths into a [`Project`]; it reads and changes nothing.

mod artifact;
mod cargo;
mod cargo_config;
mod discover;
mod interpreter;
pub mod lab;
mod leftovers;
mod linked;
mod loose;
mod messages;
mod names;
mod outputs;
mod pyproject;
mod workspace;

pub use artifact::{Artifact, ArtifactId, CargoOutput, LinkedPathSource, LinkedPaths, Project};
pub use discover::{DiscoverOptions, discover};
