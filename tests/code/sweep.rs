//! The number of instructions in installed libraries, by us and by objdump.

use super::Case;
use super::objdump::listing;
use libtest_mimic::Failed;
use std::path::PathBuf;
use wheelwright::engine::file::Windows;
use wheelwright::engine::{Context, binary, code};

/// How many libraries are looked at.
const LIBRARIES: usize = 40;
/// Larger libraries take objdump too long, in bytes.
const LARGEST: u64 = 1 << 20;

/// The most instructions that a run of zeros which objdump leaves out amounts to.
const ZEROS: u64 = 16;
/// The names of FWAIT together with the instruction behind it.
const WAITS: [&str; 6] = ["fstcw", "fstsw", "fstenv", "fsave", "fclex", "finit"];

pub fn all() -> Vec<Case> {
    vec![("as many instructions in installed libraries", sweep)]
}

fn libraries() -> Vec<PathBuf> {
    let entries = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/lib"].into_iter().flat_map(std::fs::read_dir).flatten();
    let fits = |path: &PathBuf| {
        let metadata = std::fs::symlink_metadata(path);
        path.to_string_lossy().contains(".so") && metadata.is_ok_and(|found| found.is_file() && found.len() < LARGEST)
    };
    let mut found: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).filter(fits).collect();
    found.sort();
    let step = (found.len() / LIBRARIES).max(1);
    found.into_iter().step_by(step).take(LIBRARIES).collect()
}

fn sweep() -> Result<(), Failed> {
    let (mut compared, mut equal, mut differ) = (0, 0, Vec::new());
    for path in libraries() {
        let source = Windows::open(&path)?;
        let Ok(mut binary) = binary::read(&source) else { continue };
        let Some(ours) = code::instructions(&binary.slices.remove(0), &source, &Context::new())? else { continue };
        let lines: Vec<String> = listing(&path)?.into_iter().flat_map(|function| function.lines).collect();
        let bad = lines.iter().filter(|line| line.contains("(bad)")).count();
        // objdump shows FWAIT and an x87 instruction behind it as one, since assemblers have a name for the two.
        let waits = lines.iter().filter(|line| WAITS.contains(&line.split(' ').next().unwrap_or_default())).count();
        let zeros = lines.iter().filter(|line| *line == "...").count() as u64;
        let theirs = (lines.len() - bad + waits) as u64 - zeros;
        // Tables between functions are no instructions for us, and any byte of them may be one for objdump.
        let explained = theirs.saturating_sub(ours.instructions) <= ours.bytes_unknown
            && ours.instructions.saturating_sub(theirs) <= zeros * ZEROS;
        if !explained {
            differ.push(format!(
                "{}: ours {} unknown {}, objdump {theirs} bad {bad} zeros {zeros}",
                path.display(),
                ours.instructions,
                ours.bytes_unknown
            ));
        }
        equal += usize::from(theirs == ours.instructions);
        compared += 1;
    }
    if compared < LIBRARIES / 2 {
        return Err(format!("found {compared} libraries only").into());
    }
    // Few libraries have tables in their code: those of cryptography.
    if equal * 10 < compared * 9 {
        return Err(format!("only {equal} of {compared} are equal").into());
    }
    if differ.is_empty() { Ok(()) } else { Err(format!("of {compared}:\n{}", differ.join("\n")).into()) }
}
