//! `trace` against real runs: what the loader opened for whom, within bounds, and nothing left behind.
//!
//! Needs glibc and `/proc`; the musl case needs musl-gcc, and one case a Python with numpy, named by WHEELWRIGHT_PYTHON. What
//! is missing is shown as ignored with the reason, and fails under WHEELWRIGHT_CI=1.
#![allow(missing_docs)]

mod bounds;
mod command;
mod lab;
mod musl;
mod openings;
mod python;
#[path = "../ci/strict.rs"]
mod strict;

use libtest_mimic::{Arguments, Failed, Trial};
use std::path::Path;

struct Case {
    name: &'static str,
    lacking: Option<String>,
    run: fn() -> Result<(), Failed>,
}

fn main() {
    let arguments = Arguments::from_args();
    let glibc = || lacks_glibc();
    let case = |name, lacking, run| Case { name, lacking, run };
    let cases = vec![
        case("everything_is_told_with_who_asked", glibc(), openings::everything_is_told_with_who_asked as fn() -> _),
        case("rules_and_reasons_are_told", glibc(), openings::rules_and_reasons_are_told),
        case("processes_are_kept_apart", glibc(), openings::processes_are_kept_apart),
        case("trees_are_set_beside", glibc(), openings::trees_are_set_beside),
        case("needs_of_what_is_opened_are_predicted", glibc(), openings::needs_of_what_is_opened_are_predicted),
        case("a_limit_of_time_ends_everybody", glibc(), bounds::a_limit_of_time_ends_everybody),
        case("who_does_not_hear_is_killed", glibc(), bounds::who_does_not_hear_is_killed),
        case("a_flood_of_logs_ends", glibc(), bounds::a_flood_of_logs_ends),
        case("who_outlives_the_command_is_ended", glibc(), bounds::who_outlives_the_command_is_ended),
        case("cancelling_ends_everybody", glibc(), bounds::cancelling_ends_everybody),
        case("what_has_no_log_is_said", glibc(), bounds::what_has_no_log_is_said),
        case("the_status_is_the_commands", glibc(), command::the_status_is_the_commands),
        case("a_document_stands_alone", glibc(), command::a_document_stands_alone),
        case("a_saved_document_is_the_same_text", glibc(), command::a_saved_document_is_the_same_text),
        case("logs_of_others_are_read", glibc(), command::logs_of_others_are_read),
        case("people_read_a_table", glibc(), command::people_read_a_table),
        case("bad_input_is_named", glibc(), command::bad_input_is_named),
        case("musl_is_seen_by_its_maps", musl::lacks_musl(), musl::musl_is_seen_by_its_maps),
        case("numpy_is_told_to_the_last_file", python::lacks_numpy(), python::numpy_is_told_to_the_last_file),
    ];
    let trials = cases.into_iter().map(|Case { name, lacking, run }| match (lacking, strict::is_strict()) {
        (None, _) => Trial::test(name, run),
        (Some(reason), false) => Trial::test(format!("{name} ({reason})"), run).with_ignored_flag(true),
        (Some(reason), true) => Trial::test(name, move || Err(reason.into())),
    });
    libtest_mimic::run(&arguments, trials.collect()).exit();
}

/// What is needed to trace the programs of this system.
fn lacks_glibc() -> Option<String> {
    let has_proc = Path::new("/proc/self/exe").exists();
    let is_glibc = cfg!(target_env = "gnu");
    (!has_proc || !is_glibc).then(|| "needs glibc and /proc".to_owned())
}
