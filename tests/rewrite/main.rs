//! Edits of files that others see: what an insertion gives on each filesystem, kills at random times and at every call, and
//! what is left when the system refuses.
#![allow(missing_docs)]
#![allow(clippy::print_stdout, reason = "a child tells its tracer when to begin, and the figures are kept as evidence")]

mod calls;
mod disks;
mod hand;
mod insertions;
mod kills;
mod refusals;
#[path = "../ci/strict.rs"]
mod strict;

use libtest_mimic::{Arguments, Failed, Trial};

fn main() {
    if let Ok(told) = std::env::var("WHEELWRIGHT_REWRITE") {
        return kills::child(&told);
    }
    let arguments = Arguments::from_args();
    let ci = strict::is_strict();
    let mut trials: Vec<Trial> = ALWAYS.iter().map(|(name, test)| Trial::test(*name, wrap(*test))).collect();
    let mut when = |reason: Option<String>, tests: &[Named]| {
        for (name, test) in tests {
            trials.push(match &reason {
                None => Trial::test(*name, wrap(*test)),
                Some(reason) => Trial::test(format!("{name} ({reason})"), wrap(*test)).with_ignored_flag(!ci),
            });
        }
    };
    when(disks::missing("ext4"), EXT4);
    when(disks::missing("xfs"), XFS);
    when(disks::missing("btrfs"), BTRFS);
    when(disks::missing("tmpfs"), TMPFS);
    when(calls::no_tracing(), TRACED);
    when(disks::missing("ext4").or_else(calls::no_tracing), TRACED_ON_EXT4);
    let conclusion = libtest_mimic::run(&arguments, trials);
    calls::clean_up();
    conclusion.exit();
}

fn wrap(test: fn()) -> impl FnOnce() -> Result<(), Failed> + Send + 'static {
    move || {
        test();
        Ok(())
    }
}

type Named = (&'static str, fn());

const ALWAYS: &[Named] = &[
    ("insertions_where_we_are", insertions::where_we_are),
    ("edits_in_place_go_back", insertions::edits_in_place_go_back),
    ("killed_at_random_beside", kills::beside),
    ("killed_at_random_in_place", kills::in_place),
    ("a_command_rolls_back_what_it_meets", kills::a_command_rolls_back_what_it_meets),
    ("a_leftover_goes_unless_its_maker_lives", kills::a_leftover_goes_unless_its_maker_lives),
    ("links_are_followed_or_left", refusals::links_are_followed_or_left),
    ("modes_and_attributes_are_kept", refusals::modes_and_attributes_are_kept),
    ("a_failed_check_costs_nothing", refusals::a_failed_check_costs_nothing),
    ("a_cancelled_edit_costs_nothing", refusals::a_cancelled_edit_costs_nothing),
    ("another_files_log_is_left_alone", refusals::another_files_log_is_left_alone),
    ("a_damaged_log_is_left_alone", refusals::a_damaged_log_is_left_alone),
    ("a_changed_file_is_not_written_over", refusals::a_changed_file_is_not_written_over),
    ("what_can_only_be_copied_is_copied", refusals::what_can_only_be_copied_is_copied),
    ("one_edit_at_a_time", refusals::one_edit_at_a_time),
];

const EXT4: &[Named] = &[
    ("insertions_on_ext4", insertions::on_ext4),
    ("killed_at_random_on_ext4", kills::on_ext4),
    ("a_read_only_disk_costs_nothing", refusals::a_read_only_disk_costs_nothing),
    ("what_another_user_may_not_write", refusals::what_another_user_may_not_write),
    ("an_owner_that_a_copy_could_not_have", refusals::an_owner_that_a_copy_could_not_have),
    ("a_full_ext4_costs_nothing", refusals::a_full_ext4_costs_nothing),
];

const XFS: &[Named] =
    &[("insertions_on_xfs", insertions::on_xfs), ("a_large_file_is_a_reflink_on_xfs", insertions::a_large_file_on_xfs)];

const BTRFS: &[Named] = &[("insertions_on_btrfs", insertions::on_btrfs)];

const TMPFS: &[Named] = &[
    ("insertions_on_tmpfs", insertions::on_tmpfs),
    ("a_full_disk_costs_nothing", refusals::a_full_tmpfs_costs_nothing),
];

const TRACED: &[Named] = &[("killed_at_any_call_beside", calls::beside)];

const TRACED_ON_EXT4: &[Named] =
    &[("killed_at_any_call_in_place", calls::in_place), ("killed_at_any_call_of_going_back", calls::going_back)];
