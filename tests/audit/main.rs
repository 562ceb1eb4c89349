//! The audit against outside judges: cargo itself, auditwheel, and wheels from PyPI.
//!
//! A case whose tool is missing is shown as ignored, with the reason; with WHEELWRIGHT_CI=1 that is a failure.

mod cargo_cache;
mod real_files;
#[path = "../ci/strict.rs"]
mod strict;
mod tags;

use libtest_mimic::{Arguments, Failed, Trial};

/// A case that can't run on this machine.
struct Missing(String);

/// A test that is ignored, with its reason in the name, when `needs` says that something is missing.
fn trial(name: &str, needs: Result<(), Missing>, run: fn() -> Result<(), Failed>) -> Trial {
    match needs {
        Ok(()) => Trial::test(name, run),
        Err(Missing(reason)) if strict::is_strict() => Trial::test(name, move || Err(reason.into())),
        Err(Missing(reason)) => Trial::test(format!("{name} ({reason})"), run).with_ignored_flag(true),
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("the_fix_for_patched_bytes_makes_cargo_build_again", Ok(()), cargo_cache::fix_works),
        trial("an_external_library_is_found_and_named", Ok(()), real_files::external_library),
        trial("damaged_files_are_rows_with_an_error", Ok(()), real_files::damaged_files),
        trial("a_file_that_is_gone_is_a_row_with_an_error", Ok(()), real_files::gone),
        trial("an_audit_gives_the_same_bytes_twice", Ok(()), real_files::twice_the_same),
        trial("tags_of_system_libraries_equal_auditwheels", tags::auditwheel(), tags::agree),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
