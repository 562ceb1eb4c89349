//! The command line: what can be asked, and who answers it. Commands and screen are peers over the engine.

mod adopt;
mod arguments;
mod artifacts;
mod audit;
mod audit_dlopen;
mod audit_instructions;
mod audit_reach;
mod audit_symbols;
mod branches;
mod build;
mod diff;
mod diff_text;
mod effects;
mod elf;
mod environment;
mod explain;
mod fit_text;
mod open;
mod output;
mod plan;
mod quick;
mod recover;
mod run;
mod shell;
mod torn;
mod trace;
mod trace_text;
mod tree;

pub use arguments::{Cli, Command};

use crate::engine::Error;
use clap::Parser;
use color_eyre::Result;
use output::Output;
use std::process::ExitCode;

/// Nothing to report.
const OK: u8 = 0;
/// Findings at error level, a refused step, or a difference.
const FINDINGS: u8 = 1;
/// Usage, input or output error.
const TROUBLE: u8 = 2;
/// Interrupted, after outputs were put back.
const INTERRUPTED: u8 = 130;

/// Parses the command line, does what it asks, and says how the process ends.
#[must_use]
pub fn main() -> ExitCode {
    let cli = quick::parse().unwrap_or_else(Cli::parse);
    let mut output = Output::new(cli.common.color);
    let done = dispatch(cli, &mut output).and_then(|status| output.flush().map(|()| status));
    let status = match done {
        Ok(status) => status,
        Err(report) if output::is_broken_pipe(&report) => OK,
        Err(report) if matches!(report.downcast_ref(), Some(Error::Cancelled)) => {
            output.note("wheelwright: interrupted");
            INTERRUPTED
        }
        Err(report) => {
            output.error(&report);
            TROUBLE
        }
    };
    ExitCode::from(status)
}

fn dispatch(cli: Cli, output: &mut Output) -> Result<u8> {
    let common = &cli.common;
    match cli.command {
        None => open::open(&cli.paths, common, output),
        Some(Command::Demo) => open::demo(common, output),
        Some(Command::Audit(arguments)) => audit::audit(&arguments, common, output),
        Some(Command::Tree(arguments)) => tree::tree(&arguments, common, output),
        Some(Command::Plan(arguments)) => plan::plan(&arguments, common, output),
        Some(Command::Run(arguments)) => run::run(&arguments, common, output),
        Some(Command::Diff(arguments)) => diff::diff(&arguments, output),
        Some(Command::Elf(arguments)) => elf::elf(&arguments, common, output),
        Some(Command::Recover(arguments)) => recover::recover(&arguments, common, output),
        Some(Command::Build(arguments)) => build::build(&arguments, output),
        Some(Command::Trace(arguments)) => trace::trace(&arguments, common, output),
        Some(Command::Explain(arguments)) => explain::explain(&arguments, output),
        Some(Command::Completions(arguments)) => shell::completions(&arguments, output),
        Some(Command::Man) => shell::manual(output),
    }
}
