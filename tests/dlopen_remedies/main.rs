//! Remedies for libraries that are opened at run time, on the known case: in one wheel `liba.so` links libfoo.so.1, and
//! `libb.so` only opens it. What is said of each remedy is held against a program that really opens the bundled files.

mod case;
mod plans;

#[path = "../ci/strict.rs"]
mod strict;
#[path = "../support/mod.rs"]
mod support;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let mut trials = plans::all();
    if case::lacks_glibc().is_some() {
        trials.clear();
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
