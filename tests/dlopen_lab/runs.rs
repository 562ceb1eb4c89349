//! A run under `LD_DEBUG`, and what became of each name that was opened in it.
//!
//! The opening code marks on standard error what it is about to open and what came of it; the loader's own words stand
//! between the two.

use libtest_mimic::Failed;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::Command;

/// What became of an opening.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ran {
    pub ok: bool,
    /// The file, as the loader names it; `None` where it failed.
    pub path: Option<PathBuf>,
    /// The loader's words.
    pub said: String,
}

/// Runs `command` and reads what it marked, by number.
pub fn run(command: &mut Command) -> Result<BTreeMap<u32, Ran>, Failed> {
    let output = command.env("LD_DEBUG", "files,libs").output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    if !output.status.success() {
        return Err(format!("{command:?}: {}\n{said}", output.status).into());
    }
    let mut found = BTreeMap::new();
    let mut open: Option<(u32, String)> = None;
    for line in said.lines() {
        if let Some(number) = line.strip_prefix("MARK ") {
            open = Some((number.trim().parse()?, String::new()));
        } else if let Some(end) = line.strip_prefix("DONE ") {
            let (number, said) = open.take().ok_or("an end without a beginning")?;
            let ok = end.trim() == "ok";
            found.insert(number, Ran { ok, path: if ok { opened(&said) } else { None }, said });
        } else if let Some((_, said)) = &mut open {
            said.push_str(line);
            said.push('\n');
        }
    }
    Ok(found)
}

/// The file of the last successful opening: `opening file=/x/liba.so [0]; direct_opencount=1`.
fn opened(said: &str) -> Option<PathBuf> {
    let lines = said.lines().filter_map(|line| line.split_once("opening file=")?.1.split_once(" ["));
    lines.map(|(path, _)| PathBuf::from(path)).next()
}
