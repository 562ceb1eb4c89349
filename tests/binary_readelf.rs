//! The binary view of system libraries against what readelf says of them. Without readelf the test is shown as ignored;
//! `WHEELWRIGHT_CI=1` makes that a failure.

#[path = "ci/strict.rs"]
mod strict;

use libtest_mimic::{Arguments, Failed, Trial};
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use wheelwright::engine::binary::{self, Format, Slice, elf};
use wheelwright::engine::file::Windows;

fn main() -> ExitCode {
    let has_readelf = Command::new("readelf").arg("--version").output().is_ok();
    let is_ci = strict::is_strict();
    let name = if has_readelf { "system_libraries_read_as_readelf_reads_them" } else { "ignored: no readelf here" };
    let trial = Trial::test(name, move || if has_readelf { compare_all() } else { Err("no readelf here".into()) });
    let trial = trial.with_ignored_flag(!has_readelf && !is_ci);
    libtest_mimic::run(&Arguments::from_args(), vec![trial]).exit_code()
}

fn libraries() -> Vec<PathBuf> {
    let mut files = BTreeSet::new();
    for directory in ["/usr/lib/x86_64-linux-gnu", "/usr/lib/aarch64-linux-gnu", "/usr/lib64", "/usr/lib", "/usr/bin"] {
        let mut some = BTreeSet::new();
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            if entry.metadata().is_ok_and(|metadata| metadata.is_file() && metadata.len() < 8 << 20) {
                some.insert(entry.path());
            }
        }
        files.extend(some.into_iter().take(150));
    }
    files.into_iter().collect()
}

fn compare_all() -> Result<(), Failed> {
    let mut compared = 0;
    for path in libraries() {
        let source = Windows::open(&path)?;
        if binary::sniff(&source)? != Some(Format::Elf) {
            continue;
        }
        let slice = binary::read(&source)?.slices.remove(0);
        let output = Command::new("readelf").args(["-dVlnW", "--dyn-syms"]).arg(&path).env("LC_ALL", "C").output()?;
        let theirs = facts_of_readelf(&String::from_utf8_lossy(&output.stdout));
        let mut ours = facts_of(&slice);
        ours.extend(undefined_of(&source, &slice)?);
        ours.sort();
        if ours != theirs {
            return Err(format!("{}:\nours {ours:#?}\nreadelf {theirs:#?}", path.display()).into());
        }
        compared += 1;
    }
    if compared == 0 { Err("found no ELF file to compare".into()) } else { Ok(()) }
}

/// A line for each undefined dynamic symbol.
fn undefined_of(source: &Windows, slice: &Slice) -> Result<Vec<String>, Failed> {
    let Some(details) = &slice.elf else { return Ok(Vec::new()) };
    let undefined = elf::Symbols::open(source, &details.tables)?.undefined()?;
    Ok(undefined.iter().map(|symbol| format!("undefined {} weak {}", symbol.name, symbol.weak)).collect())
}

/// One line a fact, so that a difference reads well.
fn facts_of(slice: &Slice) -> Vec<String> {
    let mut facts: Vec<String> = slice.needed.iter().map(|needed| format!("needed {}", needed.name)).collect();
    facts.extend(slice.soname.iter().map(|name| format!("soname {name}")));
    facts.extend(slice.interpreter.iter().map(|name| format!("interpreter {name}")));
    facts.extend(slice.run_paths.iter().map(|path| format!("{:?} {}", path.tag, path.text)));
    let Some(details) = &slice.elf else { return facts };
    for need in &details.version_needs {
        facts.extend(need.versions.iter().map(|version| format!("asks {} of {}", version.name, need.library)));
    }
    facts.extend(details.version_definitions.iter().map(|name| format!("offers {name}")));
    facts.extend(details.build_id.iter().map(|id| {
        let hex: String = id.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("build id {hex}")
    }));
    let hardening = elf::hardening(&details.tables);
    facts.push(format!("now {}", hardening.now));
    facts.push(format!("relro {}", hardening.relro != "none"));
    facts.push(format!("textrel {}", hardening.textrel));
    facts.push(format!("execstack {}", hardening.execstack));
    facts.sort();
    facts
}

fn facts_of_readelf(text: &str) -> Vec<String> {
    let bracketed = |line: &str| {
        let (_, rest) = line.split_once('[')?;
        Some(rest.rsplit_once(']')?.0.to_owned())
    };
    let mut facts = Vec::new();
    let (mut now, mut relro, mut textrel, mut stack) = (false, false, false, None);
    let (mut file, mut defines) = (String::new(), false);
    for line in text.lines() {
        let words: Vec<&str> = line.split_whitespace().collect();
        let after = |word: &str| words.iter().position(|found| *found == word).and_then(|at| words.get(at + 1));
        match words.as_slice() {
            [_, "(NEEDED)", ..] => facts.extend(bracketed(line).map(|name| format!("needed {name}"))),
            [_, "(SONAME)", ..] => facts.extend(bracketed(line).map(|name| format!("soname {name}"))),
            [_, "(RPATH)", ..] => facts.extend(bracketed(line).map(|name| format!("Rpath {name}"))),
            [_, "(RUNPATH)", ..] => facts.extend(bracketed(line).map(|name| format!("Runpath {name}"))),
            ["[Requesting", "program", "interpreter:", ..] => {
                let name = line.trim().trim_start_matches("[Requesting program interpreter: ");
                facts.push(format!("interpreter {}", name.trim_end_matches(']')));
            }
            [_, "(BIND_NOW)", ..] => now = true,
            [_, "(TEXTREL)", ..] => textrel = true,
            [_, "(FLAGS)", flags @ ..] => {
                now |= flags.contains(&"BIND_NOW");
                textrel |= flags.contains(&"TEXTREL");
            }
            [_, "(FLAGS_1)", flags @ ..] => now |= flags.contains(&"NOW"),
            ["GNU_RELRO", ..] => relro = true,
            ["GNU_STACK", _, _, _, _, _, flags, ..] => stack = Some(flags.contains('E')),
            [.., "Build", "ID:", id] => facts.push(format!("build id {id}")),
            ["Version", "definition", ..] => defines = true,
            ["Version", "needs", ..] => defines = false,
            [_, "Version:", _, "File:", name, ..] => file = (*name).to_owned(),
            [_, "Rev:", ..] if defines && after("Flags:") != Some(&"BASE") => {
                facts.extend(after("Name:").map(|name| format!("offers {name}")));
            }
            [_, "Name:", name, "Flags:", ..] => facts.push(format!("asks {name} of {file}")),
            // Num: Value Size Type Bind Vis Ndx Name
            [_, _, _, _, bind, _, "UND", name, ..] => {
                let name = name.split('@').next().unwrap_or_default();
                facts.push(format!("undefined {name} weak {}", *bind == "WEAK"));
            }
            _ => {}
        }
    }
    facts.push(format!("now {now}"));
    facts.push(format!("relro {relro}"));
    facts.push(format!("textrel {textrel}"));
    facts.push(format!("execstack {}", stack.unwrap_or(true)));
    facts.sort();
    facts
}
