//! Asking a Python interpreter how it wants extension modules to be called.

use crate::engine::{Error, Result};
use std::path::Path;
use std::process::{Command, Stdio};

/// `EXT_SUFFIX` of `interpreter`: `.cpython-311-x86_64-linux-gnu.so`.
///
/// # Errors
/// [`Error::Tool`] when it can't be run or gives no suffix.
pub(super) fn extension_suffix(interpreter: &Path) -> Result<String> {
    let failed = |message: String| Error::Tool {
        program: interpreter.display().to_string(),
        message: format!("{message}; name a Python interpreter, or leave --interpreter away"),
    };
    let output = Command::new(interpreter)
        .args(["-I", "-c", "import sysconfig; print(sysconfig.get_config_var('EXT_SUFFIX') or '')"])
        .stdin(Stdio::null())
        .output()
        .map_err(|error| failed(error.to_string()))?;
    let complaint = String::from_utf8_lossy(&output.stderr);
    let suffix = String::from_utf8_lossy(&output.stdout).trim().to_string();
    if !output.status.success() {
        let last = complaint.lines().last().unwrap_or("no message");
        return Err(failed(format!("{}: {last}", output.status)));
    }
    if !suffix.starts_with('.') || suffix.contains(['/', '\n']) {
        return Err(failed(format!("it gives no EXT_SUFFIX but \"{suffix}\"")));
    }
    Ok(suffix)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn what_the_interpreter_prints_is_taken_or_refused() {
        let directory = tempfile::tempdir().unwrap();
        let table = [("echo .abi.so", Some(".abi.so")), ("echo", None), ("echo bad >&2; exit 3", None)];
        for (number, (script, expected)) in table.into_iter().enumerate() {
            let path = directory.path().join(format!("python{number}"));
            // A child writes the script: a descriptor open for writing here could be inherited by another test's child,
            // and the kernel would refuse to run the file.
            let write = r#"printf '#!/bin/sh\n%s\n' "$1" > "$2" && chmod +x "$2""#;
            let written = Command::new("sh").args(["-c", write, "sh", script]).arg(&path).status().unwrap();
            assert!(written.success());
            assert_eq!(extension_suffix(&path).ok().as_deref(), expected, "{script}");
        }
        assert!(extension_suffix(&directory.path().join("absent")).is_err());
    }
}
