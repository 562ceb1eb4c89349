//! Symbol binding against glibc's own loader: built cases, installed files, and a real load with every binding logged.
//!
//! A case that this machine can't show is listed as ignored with the reason; under `WHEELWRIGHT_CI=1` it fails.

mod cases;
mod lab;
mod sweep;

use libtest_mimic::{Arguments, Failed, Trial};

/// A case: its name, why it can't run here if it can't, and what it does.
pub struct Case {
    name: &'static str,
    lacking: Option<String>,
    run: fn() -> Result<(), Failed>,
}

fn main() {
    let strict = std::env::var_os("WHEELWRIGHT_CI").is_some_and(|value| value == "1");
    let trials = cases::all().into_iter().chain(sweep::all()).map(|case| match case.lacking {
        Some(reason) if strict => Trial::test(case.name, move || Err(format!("can't run here: {reason}").into())),
        Some(reason) => Trial::test(format!("{} ({reason})", case.name), || Ok(())).with_ignored_flag(true),
        None => Trial::test(case.name, case.run),
    });
    libtest_mimic::run(&Arguments::from_args(), trials.collect()).exit();
}
