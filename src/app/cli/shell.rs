//! What shells and manual readers want: completions and the manual page, made of the command line's own types.

use super::OK;
use super::arguments::{Cli, Completions};
use super::output::Output;
use clap::CommandFactory;
use color_eyre::Result;

/// Prints a shell's completions.
///
/// # Errors
/// When the output can't be written.
pub fn completions(arguments: &Completions, output: &mut Output) -> Result<u8> {
    let mut text = Vec::new();
    clap_complete::generate(arguments.shell, &mut Cli::command(), "wheelwright", &mut text);
    output.text(&String::from_utf8_lossy(&text))?;
    Ok(OK)
}

/// Prints the manual page, commands included.
///
/// # Errors
/// When the output can't be written.
pub fn manual(output: &mut Output) -> Result<u8> {
    let mut text = Vec::new();
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    clap_mangen::Man::new(command.clone()).render(&mut text)?;
    for subcommand in command.get_subcommands() {
        let page = clap_mangen::Man::new(subcommand.clone());
        page.render_synopsis_section(&mut text)?;
        page.render_description_section(&mut text)?;
    }
    output.text(&String::from_utf8_lossy(&text))?;
    Ok(OK)
}
