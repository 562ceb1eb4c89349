//! The owners of files against the package managers themselves, and against databases written here.
//!
//! A case whose tool is missing is shown as ignored, with the reason; with WHEELWRIGHT_CI=1 that is a failure.
#![allow(missing_docs)]

mod audited;
mod garbled;
mod python;
#[path = "../ci/strict.rs"]
mod strict;
mod system;
mod written;

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::owners::Owners;

/// A test that is ignored, with its reason in the name, when `needs` says that something is missing.
fn trial(name: &str, needs: Result<(), String>, run: fn() -> Result<(), Failed>) -> Trial {
    match needs {
        Ok(()) => Trial::test(name, run),
        Err(reason) if strict::is_strict() => Trial::test(name, move || Err(reason.into())),
        Err(reason) => Trial::test(format!("{name} ({reason})"), run).with_ignored_flag(true),
    }
}

/// The owner of each path, in words: `zlib1g 1:1.2.13 (dpkg)`, or `-`.
fn owned(owners: &Owners, paths: &[impl AsRef<Path>]) -> Vec<String> {
    let paths: Vec<&Path> = paths.iter().map(AsRef::as_ref).collect();
    let found = owners.of(&paths, &Context::new()).expect("nobody cancelled");
    let word = |owner: &Option<_>| owner.as_ref().map_or("-".to_owned(), wheelwright::engine::report::words::owner);
    found.iter().map(word).collect()
}

fn main() {
    let arguments = Arguments::from_args();
    let trials = vec![
        trial("installed_files_have_the_owner_that_dpkg_names", system::has_dpkg(), system::as_dpkg),
        trial("diverted_files_have_the_owner_that_lists_them", system::has_diversions(), system::diverted),
        trial("installed_modules_have_the_owner_that_importlib_names", python::has_python(), python::as_importlib),
        trial("an_audit_names_the_owners_of_external_libraries", Ok(()), audited::external),
        trial("owners_of_a_tree_are_named_when_asked_for", Ok(()), audited::trees),
        trial("the_program_prints_owners", Ok(()), audited::program),
        trial("dpkgs_lists_are_read_in_any_spelling", Ok(()), written::dpkg),
        trial("an_image_without_dpkg_has_checksums_for_lists", Ok(()), written::distroless),
        trial("apks_database_is_read", Ok(()), written::apk),
        trial("condas_links_have_their_own_owner", Ok(()), written::conda),
        trial("records_of_distributions_are_read", Ok(()), written::pip),
        trial("databases_that_cannot_be_read_are_a_sentence", Ok(()), written::unreadable),
        trial("a_cancelled_look_up_ends", Ok(()), written::cancelled),
        trial("garbled_databases_own_nothing_and_harm_nobody", Ok(()), garbled::any_bytes),
        trial("hostile_databases_are_bounded", Ok(()), garbled::huge),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
