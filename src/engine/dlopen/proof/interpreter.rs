//! What a Python interpreter says of itself: its real executable and what of it must stay in reach.

use super::process::{self, End};
use crate::engine::Context;
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Said by `-I -S`, so that nothing of a user's environment is looked at.
const SCRIPT: &str = r#"
import json, os, sys
executable = getattr(sys, "_base_executable", None) or sys.executable
keep = [executable, os.path.realpath(executable), os.path.dirname(os.__file__)] + [path for path in sys.path if path]
print(json.dumps({"executable": executable, "keep": keep}))
"#;

/// An interpreter.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Interpreter {
    /// Its executable: no shim of a version manager, which needs an environment, and no link of a virtual environment.
    pub executable: PathBuf,
    /// The paths without which it does not start.
    pub keep: Vec<PathBuf>,
}

impl Interpreter {
    /// Asks the interpreter `program`, until `is_over`.
    pub fn ask(program: &Path, is_over: &dyn Fn() -> bool) -> Result<Self, String> {
        let mut command = Command::new(program);
        command.args(["-I", "-S", "-c", SCRIPT]);
        let said = |text: &[u8]| String::from_utf8_lossy(text).lines().last().unwrap_or("no message").to_owned();
        let ended =
            process::run(&mut command, is_over, &|| false, &Context::new()).map_err(|error| error.to_string())?;
        match ended.end {
            End::Exited(0) => serde_json::from_slice(&ended.stdout)
                .map_err(|_| format!("{} is no Python interpreter", program.display())),
            End::Exited(_) => Err(format!("{} fails: {}", program.display(), said(&ended.stderr))),
            End::Signalled(signal) => Err(format!("{} was ended by signal {signal}", program.display())),
            End::Late | End::TooMuch => Err(format!("{} does not answer", program.display())),
        }
    }
}
