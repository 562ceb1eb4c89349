//! Which logged edit explains which byte: the built-in editor's results byte by byte, patchelf's by what the files say, and
//! what nobody logged by nothing.
#![allow(missing_docs)]

mod builtin;
mod patchelf;
mod shop;
#[path = "../ci/strict.rs"]
mod strict;

use libtest_mimic::{Arguments, Failed, Trial};
use std::panic::{AssertUnwindSafe, catch_unwind};

type Named = (&'static str, fn());

const ALWAYS: &[Named] = &[
    ("every_byte_of_an_edit_is_explained", builtin::every_byte_of_an_edit_is_explained),
    ("the_requests_alone_explain_it_too", builtin::the_requests_alone_explain_it_too),
    ("each_request_has_runs_of_its_own", builtin::each_request_has_runs_of_its_own),
    ("an_edit_that_nobody_logged", builtin::an_edit_that_nobody_logged),
    ("a_flipped_byte", builtin::a_flipped_byte),
    ("without_a_log_nothing_is_said", builtin::without_a_log_nothing_is_said),
];

const WITH_PATCHELF: &[Named] = &[
    ("patchelf_verb_by_verb", patchelf::verb_by_verb),
    ("patchelf_clears_a_symbol_version", patchelf::clears_a_symbol_version),
    ("patchelf_on_a_program", patchelf::on_a_program),
    ("patchelf_did_more_than_was_logged", patchelf::did_more_than_was_logged),
    ("patchelf_and_a_flipped_byte", patchelf::and_a_flipped_byte),
];

fn main() {
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = ALWAYS.iter().map(|(name, test)| Trial::test(*name, wrap(*test))).collect();
    let reason = shop::patchelf().is_none().then_some("no patchelf on PATH");
    for (name, test) in WITH_PATCHELF {
        trials.push(match reason {
            None => Trial::test(*name, wrap(*test)),
            Some(reason) => {
                Trial::test(format!("{name} ({reason})"), wrap(*test)).with_ignored_flag(!strict::is_strict())
            }
        });
    }
    libtest_mimic::run(&arguments, trials).exit();
}

fn wrap(test: fn()) -> impl FnOnce() -> Result<(), Failed> + Send + 'static {
    move || {
        catch_unwind(AssertUnwindSafe(test)).map_err(|panic| {
            let said = panic.downcast_ref::<String>().map(String::as_str);
            Failed::from(said.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("it panicked"))
        })
    }
}
