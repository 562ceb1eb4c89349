//! `wheelwright elf` as a script meets it: what it prints, what it changes, what it leaves alone, and how it complains.
//!
//! `readelf`, the loader and patchelf are the judges. A test that needs one which is not there is shown as ignored, with the
//! reason; `WHEELWRIGHT_CI=1` makes that a failure.

mod complaints;
mod documents;
mod files;
#[path = "../ci/outcome.rs"]
mod outcome;
mod printing;
#[path = "../cli/program.rs"]
#[allow(dead_code)]
mod program;
#[path = "../cli/schema.rs"]
#[allow(dead_code)]
mod schema;
#[path = "../ci/strict.rs"]
mod strict;
mod verbs;
mod writing;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

/// How a test ends that has not failed: by its work, or ignored for this reason.
pub type Outcome = Result<(), String>;

/// A test's name, and what it does.
pub type Test = (&'static str, fn() -> Outcome);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests: Vec<Test> =
        [printing::TESTS, verbs::TESTS, writing::TESTS, documents::TESTS, complaints::TESTS].concat();
    let trials =
        tests.into_iter().map(|(name, test)| Trial::ignorable_test(name, move || outcome::finish(test()))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
