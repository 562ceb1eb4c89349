//! The loader's lens against glibc's own loader: built cases, a sweep over installed files, the cache against ldconfig.
//!
//! A case that this machine can't show is listed as ignored with the reason. A reason that begins with "needs" names a tool
//! and is a failure under `WHEELWRIGHT_CI=1`; what a processor, a user or an unset variable rules out stays ignored.

#![allow(clippy::print_stdout, reason = "the figures of the sweeps are kept as evidence")]

mod cases;
mod debug;
mod differences;
mod files;
mod forms;
mod known;
mod lab;
mod layouts;
mod libtree;
mod loads;
mod musl;
mod opened;
mod order;
mod rooted;
#[path = "../ci/strict.rs"]
mod strict;
mod sweep;
mod trace;

use libtest_mimic::{Arguments, Failed, Trial};

/// A case: its name, why it can't run here if it can't, and what it does.
pub struct Case {
    name: &'static str,
    lacking: Option<String>,
    run: fn() -> Result<(), Failed>,
}

fn main() {
    let strict = strict::is_strict();
    let built = cases::all().into_iter().chain(forms::all()).chain(files::all()).chain(loads::all());
    let built = built.chain(layouts::all()).chain(known::all()).chain(musl::all()).chain(differences::all());
    let built = built.chain(opened::all()).chain(order::all()).chain(rooted::all());
    let cases = built.chain(sweep::all()).chain(libtree::all());
    let trials = cases.map(|case| match case.lacking {
        Some(reason) if strict && reason.starts_with("needs") => {
            Trial::test(case.name, move || Err(format!("can't run here: {reason}").into()))
        }
        Some(reason) => Trial::test(format!("{} ({reason})", case.name), || Ok(())).with_ignored_flag(true),
        None => Trial::test(case.name, case.run),
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
