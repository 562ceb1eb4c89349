//! What files built here say of opening libraries, against what their sources do: C, C++ and Rust, with and without
//! optimisation, symbols and position-independence.
//!
//! On another machine than x86-64 Linux, where calls are not read, the cases are listed as ignored with the reason; under
//! `WHEELWRIGHT_CI=1` they fail.

mod c;
mod hostile;
mod notes;
mod rust;
#[path = "../ci/strict.rs"]
mod strict;

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use wheelwright::engine::dlopen::evidence::{EvidenceOptions, collect};
use wheelwright::engine::file::Windows;
use wheelwright::engine::report::dlopen::{Confidence, DlopenReport};
use wheelwright::engine::{Context, binary};

/// A case: its name, the tool that it needs besides a C compiler, and what it does.
type Case = (&'static str, Option<&'static str>, fn() -> Result<(), Failed>);

fn main() -> ExitCode {
    let is_strict = strict::is_strict();
    let here = cfg!(all(target_arch = "x86_64", target_os = "linux"));
    let cases: Vec<Case> = [c::all(), rust::all(), notes::all(), hostile::all()].concat();
    let trials = cases.into_iter().map(|(name, tool, run)| {
        let missing = tool.filter(|tool| Command::new(tool).arg("--version").output().is_err());
        let reason = match missing {
            Some(tool) => Some(format!("no {tool} here")),
            None => (!here).then(|| "not x86-64 Linux".to_owned()),
        };
        match reason {
            Some(reason) if is_strict => Trial::test(name, move || Err(reason.into())),
            Some(reason) => Trial::test(format!("{name} ({reason})"), || Ok(())).with_ignored_flag(true),
            None => Trial::test(name, run),
        }
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit_code()
}

/// Builds `text` with `compiler` and `flags` as `name` in `directory`.
fn build(compiler: &str, text: &str, flags: &[&str], directory: &Path, name: &str) -> Result<PathBuf, Failed> {
    let ending = match compiler {
        "rustc" => "rs",
        "c++" => "cc",
        _ => "c",
    };
    let (source, output) = (directory.join(format!("{name}.{ending}")), directory.join(name));
    std::fs::write(&source, text)?;
    let built = Command::new(compiler).args(flags).arg("-o").args([&output, &source]).output()?;
    if built.status.success() {
        Ok(output)
    } else {
        Err(format!("{compiler} {flags:?}: {}", String::from_utf8_lossy(&built.stderr)).into())
    }
}

/// What `path` says.
fn report(path: &Path) -> Result<DlopenReport, Failed> {
    let source = Windows::open(path)?;
    let binary = binary::read(&source)?;
    Ok(collect(path, &binary, &source, &EvidenceOptions::default(), &Context::new())?)
}

/// How sure it is that `name` is opened; `None` where it is no candidate.
fn confidence(report: &DlopenReport, name: &str) -> Option<Confidence> {
    report.candidates.iter().flatten().find(|found| found.name == name).map(|found| found.confidence)
}

/// How and with which name `caller` opens, call by call.
fn calls<'a>(report: &'a DlopenReport, caller: &str) -> Vec<(&'a str, Option<&'a str>)> {
    let calls = report.calls.iter().flatten().filter(|call| call.caller.as_deref() == Some(caller));
    calls.map(|call| (call.how.as_str(), call.passes.as_deref())).collect()
}

/// An error that says what was expected, unless it is what was found.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, expected: T) -> Result<(), Failed> {
    if found == expected { Ok(()) } else { Err(format!("{what}: {found:?}, not {expected:?}").into()) }
}
