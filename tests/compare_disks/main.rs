//! Comparing files that share blocks, on filesystems of their own: what is shared is not read, and nothing that differs is
//! passed over, even before it was written to the disk.
#![allow(missing_docs)]

#[path = "../rewrite/disks.rs"]
#[allow(dead_code)]
mod disks;
mod sharing;
#[path = "../ci/strict.rs"]
mod strict;

use libtest_mimic::{Arguments, Failed, Trial};

type Named = (&'static str, fn(&str));

const TESTS: &[Named] = &[
    ("changed_pages_of_a_clone_are_found_before_they_are_written", sharing::changed_pages_are_found),
    ("a_page_changed_through_a_map_is_found", sharing::a_mapped_page_is_found),
    ("many_small_changes_are_found", sharing::many_small_changes_are_found),
    ("blocks_shared_at_other_offsets_are_not_read", sharing::other_offsets_are_not_read),
    ("preallocated_blocks_are_zeros", sharing::preallocated_blocks_are_zeros),
    ("small_files_and_tails_are_compared", sharing::small_files_and_tails_are_compared),
];

const ON_BTRFS: &[Named] = &[("compressed_blocks_are_read", sharing::compressed_blocks_are_read)];

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = Vec::new();
    for (kind, more) in [("xfs", &[] as &[Named]), ("btrfs", ON_BTRFS)] {
        let reason = disks::missing(kind);
        for (name, test) in TESTS.iter().chain(more) {
            let run = move || -> Result<(), Failed> {
                test(kind);
                Ok(())
            };
            trials.push(match &reason {
                None => Trial::test(format!("{kind}: {name}"), run),
                Some(reason) => {
                    Trial::test(format!("{kind}: {name} ({reason})"), run).with_ignored_flag(!strict::is_strict())
                }
            });
        }
    }
    libtest_mimic::run(&arguments, trials).exit();
}
