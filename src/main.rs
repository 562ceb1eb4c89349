//! The program: installs the error reports and hands over to the command line, unless it is the load proof's child.

use std::process::ExitCode;

fn main() -> ExitCode {
    #[cfg(target_os = "linux")]
    {
        use wheelwright::engine::dlopen::proof;
        let mut arguments = std::env::args_os().skip(1);
        if arguments.next().is_some_and(|first| first == proof::CHILD) {
            return ExitCode::from(proof::child::run(arguments));
        }
    }
    // Only a second installation fails, and this is the first.
    let _ = color_eyre::install();
    wheelwright::app::cli::main()
}
