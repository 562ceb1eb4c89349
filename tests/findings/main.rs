//! Every finding provoked by a file that is really built, checked by an outside witness (glibc's loader, readelf), and gone
//! once the lines of its fix have run.
//!
//! A case whose tool is missing is shown as ignored, with the reason; with WHEELWRIGHT_CI=1 that is a failure.

mod cargo;
mod editing;
mod files;
mod formats;
mod loading;
mod names;
mod opened;
mod workshop;

#[path = "../ci/strict.rs"]
mod strict;
#[path = "../support/mod.rs"]
mod support;

use libtest_mimic::{Arguments, Failed, Trial};

/// A case: its name, why it can't run here if it can't, and what it does.
pub struct Case {
    name: &'static str,
    lacking: Option<String>,
    run: fn() -> Result<(), Failed>,
}

fn main() {
    let strict = strict::is_strict();
    let cases = loading::all()
        .into_iter()
        .chain(names::all())
        .chain(opened::all())
        .chain(files::all())
        .chain(editing::all())
        .chain(cargo::all())
        .chain(formats::all());
    let trials = cases.map(|case| match case.lacking {
        Some(reason) if strict => Trial::test(case.name, move || Err(format!("can't run here: {reason}").into())),
        Some(reason) => Trial::test(format!("{} ({reason})", case.name), || Ok(())).with_ignored_flag(true),
        None => Trial::test(case.name, case.run),
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
