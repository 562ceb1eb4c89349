//! What shells and manual readers want: completions and the manual page, made of the command line's own types.

use super::arguments::{Cli, Completions};
use super::output::Output;
use super::{FINDINGS, INTERRUPTED, OK, TROUBLE};
use clap::CommandFactory;
use color_eyre::Result;
use std::io::Write;

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
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    let page = clap_mangen::Man::new(command.clone());
    let mut text = Vec::new();
    page.render_title(&mut text)?;
    page.render_name_section(&mut text)?;
    page.render_synopsis_section(&mut text)?;
    page.render_description_section(&mut text)?;
    writeln!(text, ".SH COMMANDS")?;
    for subcommand in command.get_subcommands() {
        write_command(subcommand, &mut text)?;
    }
    page.render_options_section(&mut text)?;
    writeln!(text, ".SH EXIT STATUS")?;
    for (status, meaning) in STATUSES {
        writeln!(text, ".TP\n{status}\n{}", roff(meaning))?;
    }
    page.render_version_section(&mut text)?;
    output.text(&String::from_utf8_lossy(&text))?;
    Ok(OK)
}

const STATUSES: [(u8, &str); 4] = [
    (OK, "There is nothing to report."),
    (FINDINGS, "Findings at error level remain, a step was refused, or the files differ."),
    (TROUBLE, "Usage, or input and output; also when one of several inputs can't be read."),
    (INTERRUPTED, "It was interrupted; outputs were put back."),
];

/// One command: how it is called, what it does, the options that it alone has.
fn write_command(command: &clap::Command, text: &mut Vec<u8>) -> Result<()> {
    let is_own =
        |argument: &&clap::Arg| !(argument.is_global_set() || is_everywhere(argument) || argument.is_hide_set());
    let own = || command.get_arguments().filter(is_own);
    let operands: Vec<String> = own().filter(|argument| argument.is_positional()).map(ToString::to_string).collect();
    let called = format!("wheelwright {} {}", command.get_name(), operands.join(" "));
    writeln!(text, ".SS {}", roff(called.trim_end()))?;
    writeln!(text, "{}", roff(&command.get_about().map(ToString::to_string).unwrap_or_default()))?;
    for argument in own() {
        let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
        let short = argument.get_short().map(|short| format!("-{short}, ")).unwrap_or_default();
        writeln!(text, ".TP\n{}\n{}", roff(&format!("{short}{argument}")), roff(&help))?;
    }
    Ok(())
}

fn is_everywhere(argument: &clap::Arg) -> bool {
    matches!(argument.get_id().as_str(), "help" | "version")
}

/// `text` with what roff would take for its own set off.
fn roff(text: &str) -> String {
    let text = text.replace('\\', "\\e").replace('-', "\\-").replace('\'', "\\(aq");
    if text.starts_with('.') { format!("\\&{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::roff;

    #[test]
    fn nothing_is_left_that_roff_would_take_for_a_request() {
        assert_eq!(roff("--until's \\"), "\\-\\-until\\(aqs \\e");
        assert_eq!(roff(".so"), "\\&.so");
    }
}
