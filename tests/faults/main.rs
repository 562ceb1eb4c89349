//! What can go wrong beside, below and between the steps of a session: other builds and sessions, odd names, odd disks, every
//! order of going forward and back.
#![allow(missing_docs)]

mod beside;
mod disks;
mod kills;
mod names;
mod sequences;
mod small;
#[path = "../ci/strict.rs"]
mod strict;
#[path = "../support/mod.rs"]
mod support;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    if let Ok(told) = std::env::var("WHEELWRIGHT_FAULTS") {
        return kills::child(&told);
    }
    let arguments = Arguments::from_args();
    let mut trials: Vec<Trial> = ALWAYS.iter().map(|(name, test)| Trial::test(*name, wrap(*test))).collect();
    let ci = strict::is_strict();
    // Which filesystems there are is the kernel's matter: nothing that could be installed is missing then.
    for (reason, tests, is_a_tool) in [
        (disks::no_second_filesystem(), SECOND_FILESYSTEM, false),
        (disks::no_mounts(), MOUNTS, true),
        (disks::no_fat(), FAT, false),
        (kills::no_preload(), PRELOAD, true),
        (no_both(), BOTH, false),
    ] {
        for (name, test) in tests {
            trials.push(match &reason {
                None => Trial::test(*name, wrap(*test)),
                Some(reason) => {
                    Trial::test(format!("{name} ({reason})"), wrap(*test)).with_ignored_flag(!(ci && is_a_tool))
                }
            });
        }
    }
    let conclusion = libtest_mimic::run(&arguments, trials);
    small::clean_up();
    kills::clean_up();
    conclusion.exit();
}

fn no_both() -> Option<String> {
    kills::no_preload().or_else(disks::no_second_filesystem)
}

fn wrap(test: fn()) -> impl FnOnce() -> Result<(), Failed> + Send + 'static {
    move || {
        test();
        Ok(())
    }
}

type Named = (&'static str, fn());

const ALWAYS: &[Named] = &[
    ("a_fresh_build_between_any_two_steps_does_no_harm", beside::a_fresh_build_between_any_two_steps_does_no_harm),
    (
        "a_changed_build_between_any_two_steps_is_never_overwritten",
        beside::a_changed_build_between_any_two_steps_is_never_overwritten,
    ),
    ("a_build_after_the_audit_is_audited_anew", beside::a_build_after_the_audit_is_audited_anew),
    ("a_build_after_a_failed_stage_is_no_change_under_us", beside::a_build_after_a_failed_stage_is_no_change_under_us),
    ("a_cancelled_undo_loses_nothing", beside::a_cancelled_undo_loses_nothing),
    ("a_step_waits_for_a_build_and_heeds_it", beside::a_step_waits_for_a_build_and_heeds_it),
    ("an_output_that_comes_and_goes_is_not_lost", beside::an_output_that_comes_and_goes_is_not_lost),
    ("two_sessions_that_looked_at_the_same_time", beside::two_sessions_that_looked_at_the_same_time),
    ("a_file_in_the_way_is_left_alone", beside::a_file_in_the_way_is_left_alone),
    ("an_output_that_is_no_file_is_refused", beside::an_output_that_is_no_file_is_refused),
    ("odd_modes_are_kept", beside::odd_modes_are_kept),
    ("stale_leftovers_are_no_hindrance", beside::stale_leftovers_are_no_hindrance),
    ("an_interrupted_session_says_the_way_out", beside::an_interrupted_session_says_the_way_out),
    ("a_damaged_journal_stops_nobody_from_looking", beside::a_damaged_journal_stops_nobody_from_looking),
    ("recovery_names_what_is_gone", beside::recovery_names_what_is_gone),
    ("profiles_named_like_our_folders", names::profiles_named_like_our_folders),
    ("artifacts_named_like_our_files", names::artifacts_named_like_our_files),
    ("a_staging_directory_with_others_files", names::a_staging_directory_with_others_files),
    ("wheel_names_that_lead_elsewhere", names::wheel_names_that_lead_elsewhere),
    ("a_library_that_two_need_differently", names::a_library_that_two_need_differently),
    ("the_same_library_from_two_places", names::the_same_library_from_two_places),
    ("two_artifacts_with_one_place_in_the_bundle", names::two_artifacts_with_one_place_in_the_bundle),
    ("directories_behind_symbolic_links", names::directories_behind_symbolic_links),
    ("odd_directory_names", names::odd_directory_names),
    ("staging_has_a_folder_of_its_own", names::staging_has_a_folder_of_its_own),
    ("every_way_there_and_back", sequences::every_way_there_and_back),
    ("every_step_is_planned_before_the_first", sequences::every_step_is_planned_before_the_first),
];

const PRELOAD: &[Named] = &[
    ("killed_at_any_call_of_a_run", kills::killed_at_any_call_of_a_run),
    ("killed_at_any_call_of_an_undo", kills::killed_at_any_call_of_an_undo),
    ("killed_at_any_call_of_leaving", kills::killed_at_any_call_of_leaving),
    ("killed_at_any_call_of_a_recovery", kills::killed_at_any_call_of_a_recovery),
    ("killed_at_any_call_without_links", kills::killed_at_any_call_without_links),
    ("without_links_everything_is_copied", kills::without_links_everything_is_copied),
];

const BOTH: &[Named] = &[("killed_at_any_call_on_another_filesystem", kills::killed_at_any_call_on_another_filesystem)];

const SECOND_FILESYSTEM: &[Named] = &[("staging_on_another_filesystem", disks::staging_on_another_filesystem)];

const MOUNTS: &[Named] = &[
    ("a_full_disk_costs_nothing", disks::a_full_disk_costs_nothing),
    ("a_read_only_target_directory", disks::a_read_only_target_directory),
    ("a_read_only_profile_directory", disks::a_read_only_profile_directory),
];

const FAT: &[Named] = &[("on_fat_everything_is_copied", disks::on_fat_everything_is_copied)];
