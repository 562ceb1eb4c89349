//! `wheelwright recover [DIR]`.

use super::arguments::{Common, Recover};
use super::output::Output;
use super::{FINDINGS, OK, artifacts, environment};
use crate::engine::Context;
use crate::engine::repair::Builtin;
use crate::engine::stage;
use color_eyre::Result;
use std::path::{Path, PathBuf};

/// Rolls back what a killed session left, and says what was done.
///
/// # Errors
/// When the session is alive, the journal is damaged, or a file can't be put back.
pub fn recover(arguments: &Recover, common: &Common, output: &mut Output) -> Result<u8> {
    let directory = match &arguments.directory {
        Some(directory) => environment::absolute(directory),
        None => environment::current_directory()?,
    };
    let home = home(&directory, common)?;
    let recovery = stage::recover(&home, &Builtin::default(), &Context::new())?;
    if recovery.begun == 0 {
        output.line("nothing to recover: no session was interrupted here")?;
        return Ok(OK);
    }
    for words in &recovery.taken_back {
        output.line(format_args!("taken back: {words}"))?;
    }
    for (wanted, kept) in &recovery.kept_aside {
        output.line(format_args!(
            "WW026 {} holds a newer file, which stays; the older one is kept as {}",
            wanted.display(),
            kept.display()
        ))?;
    }
    for missing in &recovery.missing {
        output.line(format_args!("{} is gone, also from where it was staged: build it again", missing.display()))?;
    }
    if recovery.missing.is_empty() {
        output.line("cargo's outputs are as they were")?;
    }
    Ok(if recovery.kept_aside.is_empty() && recovery.missing.is_empty() { OK } else { FINDINGS })
}

/// The home of the session in `directory`: itself, below it as a target directory, or below its project's target directory.
fn home(directory: &Path, common: &Common) -> Result<PathBuf> {
    let near = [directory.to_path_buf(), directory.join("wheelwright"), directory.join("target/wheelwright")];
    for home in near {
        if home.join("journal").is_file() {
            return Ok(home);
        }
    }
    // A folder without a project has no target directory; a session on its files works in the user's cache directory.
    let project = match artifacts::find(&[directory.to_path_buf()], common, &Context::new()) {
        Err(_) if directory.is_dir() => None,
        found => found?.target_directory,
    };
    Ok(match project {
        Some(target) => target.join("wheelwright"),
        None => environment::scratch_directory(),
    })
}
