//! The program: installs the error reports and hands over to the command line.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Only a second installation fails, and this is the first.
    let _ = color_eyre::install();
    wheelwright::app::cli::main()
}
