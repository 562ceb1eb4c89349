//! What other tools and linkers make of a file, set against what it was: `patchelf`, `strip` and our editor on the output of
//! four linkers. A tool that is missing is shown as ignored; `WHEELWRIGHT_CI=1` makes that a failure.

#[path = "support/laws.rs"]
mod laws;
#[path = "ci/outcome.rs"]
mod outcome;
#[path = "ci/strict.rs"]
mod strict;

use laws::{aligned, assert_replays};
use libtest_mimic::{Arguments, Trial};
use outcome::finish;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use wheelwright::engine::report::diff::{AlignedBy, DifferingBytes};

/// The linkers that `cc` is asked for; none for its own.
const LINKERS: [Option<&str>; 4] = [None, Some("gold"), Some("lld"), Some("mold")];

fn main() -> ExitCode {
    let mut trials = Vec::new();
    for linker in LINKERS {
        let name = linker.unwrap_or("cc");
        for (tool, test) in [("editor", editor as fn(&Path) -> _), ("patchelf", patchelf), ("strip", strip)] {
            trials.push(Trial::ignorable_test(format!("{tool}_on_what_{name}_linked"), move || {
                finish(files(linker).and_then(|(_directory, files)| files.iter().try_for_each(|file| test(file))))
            }));
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}

/// A library and a program, by `linker`.
fn files(linker: Option<&str>) -> Result<(tempfile::TempDir, Vec<PathBuf>), String> {
    let directory = tempfile::tempdir().map_err(|error| error.to_string())?;
    let functions: String = (0..300)
        .map(|number| format!("int f{number}(int x) {{ return x * {number} + table[x + {number}]; }}\n"))
        .collect();
    let source = directory.path().join("a.c");
    let text = format!("int table[5000] = {{1, 2, 3}};\n{functions}int main(void) {{ return f1(2); }}\n");
    std::fs::write(&source, text).map_err(|error| error.to_string())?;
    let mut files = Vec::new();
    for (name, flags) in [("liba.so", &["-shared", "-fPIC"][..]), ("a", &[])] {
        let file = directory.path().join(name);
        let mut command = Command::new("cc");
        command.args(flags).args(linker.map(|linker| format!("-fuse-ld={linker}"))).arg("-g").arg("-o");
        run(command.arg(&file).arg(&source))?;
        files.push(file);
    }
    Ok((directory, files))
}

fn run(command: &mut Command) -> Result<(), String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().map_err(|error| format!("{program}: {error}"))?;
    let told = || format!("{program}: {}", String::from_utf8_lossy(&output.stderr));
    output.status.success().then_some(()).ok_or_else(told)
}

/// How `file` and the copy that `tool` has edited differ. Both ways the runs make one of the other.
fn edited(file: &Path, tool: impl FnOnce(&Path) -> Result<(), String>) -> Result<DifferingBytes, String> {
    let other = file.with_extension("edited");
    std::fs::copy(file, &other).map_err(|error| error.to_string())?;
    tool(&other)?;
    let (a, b) = (std::fs::read(file).unwrap(), std::fs::read(&other).unwrap());
    let (there, back) = (aligned(file, &other, None), aligned(&other, file, None));
    assert_replays(&a, &b, &there);
    assert_replays(&b, &a, &back);
    assert_eq!((there.aligned_by, back.aligned_by), (AlignedBy::Structure, AlignedBy::Structure));
    assert!(there.bytes.changed.abs_diff(back.bytes.changed) < 200, "{:?} and {:?}", there.bytes, back.bytes);
    // A part that moved counts on both sides; what did not, does on neither.
    let grown = (b.len() as u64).saturating_sub(a.len() as u64);
    assert!(there.bytes.inserted < grown + 3000, "{:?}, {grown} bytes longer", there.bytes);
    Ok(there.bytes)
}

fn long_path() -> String {
    format!("/{}", "long/".repeat(1000))
}

fn editor(file: &Path) -> Result<(), String> {
    let wheelwright = env!("CARGO_BIN_EXE_wheelwright");
    let bytes =
        edited(file, |file| run(Command::new(wheelwright).args(["elf", "--set-rpath", &long_path()]).arg(file)))?;
    assert!(bytes.inserted >= 5000 && bytes.changed + bytes.removed < 3000, "{}: {bytes:?}", file.display());
    Ok(())
}

fn patchelf(file: &Path) -> Result<(), String> {
    let bytes = edited(file, |file| run(Command::new("patchelf").args(["--set-rpath", &long_path()]).arg(file)))?;
    // The names of 300 functions move with their table, which is filled with another byte.
    assert!(bytes.inserted >= 5000 && bytes.changed + bytes.removed < 20_000, "{}: {bytes:?}", file.display());
    Ok(())
}

fn strip(file: &Path) -> Result<(), String> {
    let bytes = edited(file, |file| run(Command::new("strip").arg(file)))?;
    assert!(bytes.removed > 5000 && bytes.changed + bytes.inserted < 500, "{}: {bytes:?}", file.display());
    Ok(())
}
