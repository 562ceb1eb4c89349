//! Remedies for libraries that are opened at run time, on the known case: in one wheel `liba.so` links libfoo.so.1, and
//! `libb.so` only opens it. What is said of each remedy is held against a program that really opens the bundled files.

mod case;
mod judged;
mod lines;
mod plans;

#[path = "../ci/strict.rs"]
mod strict;
#[path = "../support/mod.rs"]
mod support;

use libtest_mimic::{Arguments, Trial};

fn main() {
    let trials = plans::all().into_iter().chain(judged::all()).chain(lines::all(strict::is_strict()));
    let trials: Vec<Trial> = match case::lacks_glibc() {
        None => trials.collect(),
        Some(reason) if strict::is_strict() => {
            vec![Trial::test("remedies", move || Err(format!("can't run here: {reason}").into()))]
        }
        Some(reason) => vec![Trial::test(format!("remedies ({reason})"), || Ok(())).with_ignored_flag(true)],
    };
    libtest_mimic::run(&Arguments::from_args(), trials).exit();
}
