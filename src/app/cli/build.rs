//! `wheelwright build`: cargo's build as the user would run it, with its messages kept for the inspector.

use super::arguments::Build;
use super::output::Output;
use super::{INTERRUPTED, environment};
use crate::engine::project;
use color_eyre::Result;
use color_eyre::eyre::eyre;

/// Builds; the exit status is cargo's.
///
/// # Errors
/// When cargo is not there or its messages can't be kept.
pub fn build(arguments: &Build, output: &mut Output) -> Result<u8> {
    let cargo = environment::cargo().ok_or_else(|| eyre!("cargo is not on PATH; install a Rust toolchain"))?;
    let directory = environment::current_directory()?;
    let outcome = project::build(&cargo, &arguments.arguments, &directory, &mut |_| {})?;
    for path in &outcome.outputs {
        output.note(format_args!("artifact {}", path.display()));
    }
    // Cargo that was ended by a signal has no code of its own.
    Ok(outcome.status.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(INTERRUPTED))
}
