//! Where artifacts come from: cargo's metadata and messages, pyproject.toml, plain files and folders.
//!
//! [`discover`] turns paths into a [`Project`]; it reads and changes nothing.

mod artifact;
mod build;
mod cargo;
mod cargo_config;
mod discover;
mod evidence;
mod interpreter;
pub mod lab;
mod leftovers;
mod linked;
mod loose;
mod messages;
mod names;
mod outputs;
mod pyproject;
mod related;
mod sandbox;
mod workspace;

pub use artifact::{Artifact, ArtifactId, CargoOutput, LinkedPathSource, LinkedPaths, Project};
pub use build::{BuildEvent, BuildOutcome, build};
pub use discover::{DiscoverOptions, discover};
pub use pyproject::python_source;
pub use related::{aliases, related};
pub use sandbox::sandboxed;
