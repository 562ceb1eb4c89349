//! What the differing bytes of two ELF files are said to be, held against `readelf` and the compiler: on files that patchelf
//! and our own editor made of a library, on single bytes, on files without section headers, on damaged ones.
//!
//! A test that needs a tool which is not there is shown as ignored, with the reason; `WHEELWRIGHT_CI=1` makes that a failure.

mod bytes;
mod edits;
mod foreign;
mod library;
mod mutations;
mod oracle;
#[path = "../ci/outcome.rs"]
mod outcome;
#[path = "../ci/strict.rs"]
mod strict;

use libtest_mimic::{Arguments, Trial};
use std::process::ExitCode;

/// How a test ends that has not failed: by its work, or ignored for this reason.
pub type Outcome = Result<(), String>;

/// A test's name, and what it does.
pub type Test = (&'static str, fn() -> Outcome);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests: Vec<Test> = [edits::TESTS, bytes::TESTS, foreign::TESTS, mutations::TESTS].concat();
    let trials =
        tests.into_iter().map(|(name, test)| Trial::ignorable_test(name, move || outcome::finish(test()))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}
