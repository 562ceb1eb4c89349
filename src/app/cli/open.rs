//! Opening the inspector: on what the user names, or on the demo lab.

use super::arguments::{ColorChoice, Common};
use super::artifacts::Opened;
use super::output::Output;
use super::{INTERRUPTED, OK, TROUBLE, artifacts};
use crate::app::Ending;
use crate::app::features::{self, TerminalFeatures, TerminalVariables};
use crate::engine::Context;
use crate::engine::audit::Lenses;
use crate::engine::project::lab;
use crate::engine::stage::Session;
use color_eyre::Result;
use std::io::IsTerminal;
use std::path::PathBuf;

/// Opens the inspector on what `paths` name.
///
/// # Errors
/// When nothing is found there, or the terminal fails.
pub fn open(paths: &[PathBuf], common: &Common, output: &mut Output) -> Result<u8> {
    if !on_a_terminal("audit", output) {
        return Ok(TROUBLE);
    }
    let Opened { session, sandbox } = artifacts::open(paths, common, Lenses::Both, &Context::new(), output)?;
    let results: Vec<PathBuf> =
        session.project().artifacts.iter().map(|artifact| session.places().bundled(artifact)).collect();
    let shown = show(session, common);
    if results.iter().any(|path| path.symlink_metadata().is_ok()) {
        artifacts::keep(sandbox, output);
    }
    shown
}

/// Opens the inspector on the demo lab, in a temporary directory.
///
/// # Errors
/// When the lab can't be laid out, or the terminal fails.
pub fn demo(common: &Common, output: &mut Output) -> Result<u8> {
    if !on_a_terminal("audit", output) {
        return Ok(TROUBLE);
    }
    let directory = tempfile::Builder::new().prefix("wheelwright-demo-").tempdir()?;
    let lab = lab::lay_out(directory.path())?;
    let session = artifacts::session(lab.project, common, Lenses::Both)?;
    show(session, common)
}

fn on_a_terminal(instead: &str, output: &mut Output) -> bool {
    let there = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !there {
        output.note(format_args!(
            "wheelwright: the inspector needs a terminal; `wheelwright {instead}` prints the same without one"
        ));
    }
    there
}

fn show(session: Session, common: &Common) -> Result<u8> {
    let choice = match common.color {
        ColorChoice::Auto => features::ColorChoice::Auto,
        ColorChoice::Always => features::ColorChoice::Always,
        ColorChoice::Never => features::ColorChoice::Never,
    };
    let variable = |name| std::env::var(name).ok().filter(|value| !value.is_empty());
    let (no_color, term) = (variable("NO_COLOR"), std::env::var("TERM").ok());
    let locale = variable("LC_ALL").or_else(|| variable("LC_CTYPE")).or_else(|| variable("LANG"));
    let variables =
        TerminalVariables { no_color: no_color.as_deref(), term: term.as_deref(), locale: locale.as_deref() };
    let features = TerminalFeatures::from_environment(choice, variables);
    Ok(match crate::app::run(session, features)? {
        Ending::Left => OK,
        Ending::Interrupted => INTERRUPTED,
    })
}
