//! The load proof: bundles of libraries built here are loaded by the program's own child, and what it reports is compared with
//! what a program of our own sees.
//!
//! A case whose tool is missing is shown as ignored, with the reason; with WHEELWRIGHT_CI=1 that is a failure.
#![allow(missing_docs)]

mod bundle;
mod lab;
mod probes;
mod python;
mod steps;
#[path = "../ci/strict.rs"]
mod strict;
#[path = "../support/mod.rs"]
mod support;
mod unruly;

use libtest_mimic::{Arguments, Failed, Trial};

type Test = fn() -> Result<(), Failed>;

/// A test that is ignored, with its reason in the name, when `needs` says that something is missing.
fn trial(name: &str, needs: Result<(), String>, run: Test) -> Trial {
    match needs {
        Ok(()) => Trial::test(name, run),
        Err(reason) if strict::is_strict() => Trial::test(name, move || Err(reason.into())),
        Err(reason) => Trial::test(format!("{name} ({reason})"), run).with_ignored_flag(true),
    }
}

fn main() {
    let arguments = Arguments::from_args();
    let linux = || if cfg!(target_os = "linux") { Ok(()) } else { Err("loading is tried on Linux alone".to_owned()) };
    let glibc = || if cfg!(target_env = "gnu") { linux() } else { Err("musl's loader lists nothing".to_owned()) };
    let calls = || match cfg!(all(target_arch = "x86_64", target_env = "gnu")) {
        true => linux(),
        false => Err("no call comes from the artifact here".to_owned()),
    };
    let trials = vec![
        trial("a_bundle_loads_with_its_own_libraries", linux(), bundle::loads),
        trial("a_missing_graft_fails_in_the_loaders_words", linux(), bundle::graft_removed),
        trial("a_library_of_the_build_is_no_proof", linux(), bundle::build_path_leaks_in),
        trial("the_build_stays_out_of_reach_around_the_bundle", linux(), bundle::scratch_inside_the_build),
        trial("a_library_that_is_loaded_first_answers", linux(), bundle::preloaded),
        trial("a_program_is_asked_for_and_not_run", glibc(), bundle::programs),
        trial("what_is_not_loaded_has_a_reason", linux(), bundle::not_tried),
        trial("a_library_that_never_ends_is_ended", linux(), unruly::endless),
        trial("a_library_that_crashes_fails_with_its_signal", linux(), unruly::crashes),
        trial("a_library_that_ends_the_process_fails", linux(), unruly::exits),
        trial("a_library_that_writes_without_end_is_read_and_bounded", linux(), unruly::floods),
        trial("the_environment_is_empty", linux(), unruly::environment),
        trial("nothing_is_left_behind", linux(), unruly::left_behind),
        trial("a_probe_is_what_the_library_itself_would_open", calls(), probes::as_the_library),
        trial("a_probe_that_crashes_is_told", calls(), probes::crashes),
        trial("an_extension_is_imported", python::has_python(), python::imported),
        trial("an_extension_whose_start_fails_has_loaded", python::has_python(), python::start_fails),
        trial("an_extension_with_a_missing_graft_fails", python::has_python(), python::graft_removed),
        trial("an_extension_of_another_version_is_not_tried", python::has_python(), python::other_version),
        trial(
            "probes_of_an_extension_equal_its_own_calls",
            calls().and_then(|()| python::has_python()),
            python::probes,
        ),
        trial("cargos_outputs_are_loaded_in_the_verify_step", linux(), steps::cargo_outputs),
        trial("what_does_not_load_refuses_the_verify_step", linux(), steps::refused),
        trial("the_demo_lab_goes_to_the_end", linux(), steps::demo_lab),
    ];
    libtest_mimic::run(&arguments, trials).exit();
}
