//! What `eu-elflint --gnu-ld` complains of; an edit may add nothing to it.

use crate::machine::{output, text};
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// The complaints about `file`, without their numbers; nothing if all is well.
pub fn complaints(file: &Path) -> Result<BTreeSet<String>, String> {
    let output = output(Command::new("eu-elflint").arg("--gnu-ld").arg(file))?;
    let said = text(&output.stdout) + &text(&output.stderr);
    Ok(said.lines().filter(|line| *line != "No errors").map(without_numbers).collect())
}

/// Those of `after` that are not in `before`.
pub fn new_ones<'a>(before: &BTreeSet<String>, after: &'a BTreeSet<String>) -> Vec<&'a String> {
    after.iter().filter(|line| !before.contains(*line)).collect()
}

fn without_numbers(line: &str) -> String {
    let mut plain = String::new();
    for word in line.split(' ') {
        let core = word.trim_matches(|one: char| "[],:;()".contains(one));
        let is_number = core.starts_with(|first: char| first.is_ascii_digit());
        plain.push_str(if is_number { "#" } else { word });
        plain.push(' ');
    }
    plain.trim_end().to_owned()
}
