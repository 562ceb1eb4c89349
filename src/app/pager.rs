//! Showing a text in the user's own pager or editor, while our hands are off the terminal.

use std::io::{self, Write};
use std::process::Command;

/// Shows `text` by `program`, a shell command such as `less -R`; `name` says what the text is. Returns when it has ended.
///
/// # Errors
/// When the text can't be written to a temporary file, or the program can't be run or fails.
pub fn show(program: &str, name: &str, text: &str) -> io::Result<()> {
    let plain: String = name.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '-' }).collect();
    let mut file = tempfile::Builder::new().prefix(&format!("wheelwright-{plain}-")).suffix(".txt").tempfile()?;
    file.write_all(text.as_bytes())?;
    file.flush()?;
    // The shell splits the variable as every other program's user expects; the file's name is its own argument.
    let status = Command::new("sh").arg("-c").arg(format!("{program} \"$1\"")).arg("sh").arg(file.path()).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("`{program}` ended with {status}"))) }
}

/// The pager or editor of a user whose environment has these variables; an empty one counts as unset.
#[must_use]
pub fn program(pager: Option<String>, editor: Option<String>) -> String {
    let set = |value: Option<String>| value.filter(|value| !value.trim().is_empty());
    set(pager).or_else(|| set(editor)).unwrap_or_else(|| "less".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_program_gets_the_text_and_a_failure_is_told() {
        let directory = tempfile::tempdir().unwrap();
        let copy = directory.path().join("a copy");
        show(&format!("cp -f --target-directory='{}'", directory.path().display()), "tree-lib", "text\n")
            .or_else(|_| show(&format!("cat > '{}' <", copy.display()), "tree-lib", "text\n"))
            .unwrap();
        let entry = std::fs::read_dir(directory.path()).unwrap().next().unwrap().unwrap();
        assert_eq!(std::fs::read_to_string(entry.path()).unwrap(), "text\n");
        assert!(show("false", "x", "").is_err());
    }

    #[test]
    fn the_pager_comes_before_the_editor() {
        assert_eq!(program(Some("most".into()), Some("vi".into())), "most");
        assert_eq!(program(Some(" ".into()), Some("vi".into())), "vi");
        assert_eq!(program(None, None), "less");
    }
}
