//! What is read out of machine code against what objdump shows of the same files: who uses newer instructions, who uses an
//! imported symbol, how many instructions there are.
//!
//! Without objdump, or on another machine than x86-64, the cases are listed as ignored with the reason; under
//! `WHEELWRIGHT_CI=1` they fail.

mod features;
mod objdump;
#[path = "../ci/strict.rs"]
mod strict;
mod sweep;
mod users;

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::Command;

/// A case: its name and what it does.
type Case = (&'static str, fn() -> Result<(), Failed>);

fn main() {
    let strict = strict::is_strict();
    let lacking = if !cfg!(all(target_arch = "x86_64", target_os = "linux")) {
        Some("not x86-64 Linux")
    } else if Command::new("objdump").arg("--version").output().is_err() {
        Some("no objdump here")
    } else {
        None
    };
    let cases: Vec<Case> = [features::all(), users::all(), sweep::all()].concat();
    let trials = cases.into_iter().map(|(name, run)| match lacking {
        Some(reason) if strict => Trial::test(name, move || Err(format!("can't run here: {reason}").into())),
        Some(reason) => Trial::test(format!("{name} ({reason})"), || Ok(())).with_ignored_flag(true),
        None => Trial::test(name, run),
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}

/// Builds `text`, in C or in Rust by the compiler's name, with `flags`, as `name` in `directory`.
fn build(compiler: &str, text: &str, flags: &[&str], directory: &Path, name: &str) -> Result<PathBuf, Failed> {
    let source = directory.join(format!("{name}.{}", if compiler == "rustc" { "rs" } else { "c" }));
    let output = directory.join(name);
    std::fs::write(&source, text)?;
    let built = Command::new(compiler).args(flags).arg("-o").args([&output, &source]).output()?;
    if built.status.success() {
        Ok(output)
    } else {
        Err(format!("{compiler} {flags:?}: {}", String::from_utf8_lossy(&built.stderr)).into())
    }
}
