//! Who binds what, against the loaders themselves: what `ldd -r` finds unbound, and what `LD_DEBUG=bindings` says of a load.
//!
//! A case that this machine can't show (no glibc, no musl-gcc, no python) is listed as ignored with the reason; under
//! `WHEELWRIGHT_CI=1` it fails.

mod cases;
mod damage;
mod lab;
mod loaded;
mod musl;
#[path = "../ci/strict.rs"]
mod strict;
mod sweep;
mod versions;

use libtest_mimic::{Arguments, Failed, Trial};

/// A case: its name, why it can't run here if it can't, and what it does.
pub struct Case {
    name: &'static str,
    lacking: Option<String>,
    run: fn() -> Result<(), Failed>,
}

fn main() {
    let strict = strict::is_strict();
    let cases = cases::all().into_iter().chain(versions::all()).chain(musl::all()).chain(damage::all());
    let cases = cases.chain(sweep::all()).chain(loaded::all());
    let trials = cases.map(|case| match case.lacking {
        Some(reason) if strict => Trial::test(case.name, move || Err(format!("can't run here: {reason}").into())),
        Some(reason) => Trial::test(format!("{} ({reason})", case.name), || Ok(())).with_ignored_flag(true),
        None => Trial::test(case.name, case.run),
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
