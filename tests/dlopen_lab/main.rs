//! What is predicted of names that are opened at run time, against what glibc's loader does when they are: a dozen built
//! cases, each audited by the program, run where it lies, bundled by the program, and run out of the bundle with the build
//! gone.
//!
//! A test fails where a prediction is contradicted by the run, whatever it expects besides. A case that this machine can't
//! show is listed as ignored with the reason; one that begins with "needs" is a failure under `WHEELWRIGHT_CI=1`.

mod bundles;
mod foreseen;
mod lab;
mod musl;
mod paths;
mod python;
mod runs;
#[path = "../ci/strict.rs"]
mod strict;
mod unknown;

use libtest_mimic::{Arguments, Failed, Trial};

/// A case: its name, why it can't run here if it can't, and what it does.
pub struct Case {
    name: &'static str,
    lacking: Option<String>,
    run: fn() -> Result<(), Failed>,
}

fn main() {
    let strict = strict::is_strict();
    let cases = paths::all().into_iter().chain(bundles::all()).chain(unknown::all()).chain(python::all());
    let cases = cases.chain(musl::all()).chain(foreseen::all());
    let trials = cases.map(|case| match case.lacking {
        Some(reason) if strict && reason.starts_with("needs") => {
            Trial::test(case.name, move || Err(format!("can't run here: {reason}").into()))
        }
        Some(reason) => Trial::test(format!("{} ({reason})", case.name), || Ok(())).with_ignored_flag(true),
        None => Trial::test(case.name, case.run),
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
