//! `--sandbox`: the steps work on copies, and the copies go, unless the result that was asked for lies there.

use super::program::{Place, contents};
use std::path::PathBuf;

#[test]
fn the_target_directory_is_left_alone_and_the_copies_go() {
    let place = Place::with_lab();
    let before = contents(&place.work());
    let commands: [(&[&str], i32); 5] = [
        (&["audit", "--sandbox"], 1),
        (&["tree", "--sandbox", "target/release/liblabext.so"], 0),
        (&["plan", "--sandbox", "--json"], 1),
        (&["run", "--sandbox", "--until", "copy-back", "target/release/liblabext.so"], 0),
        (&["audit", "--sandbox", "--compatibility", "manylinux_9_9"], 2),
    ];
    for (arguments, status) in commands {
        let ran = place.run(arguments);
        assert_eq!(ran.status, status, "{arguments:?} {}", ran.err);
        assert_eq!(place.left_in_temporary(), Vec::<PathBuf>::new(), "{arguments:?}");
        assert!(contents(&place.work()) == before, "{arguments:?}");
    }
}

#[test]
fn with_a_place_for_the_bundle_nothing_else_stays() {
    let place = Place::with_lab();
    let target = contents(&place.work().join("target"));
    let ran = place.run(["run", "--sandbox", "-o", "taken", "target/release/liblabext.so"]);
    assert_eq!(ran.status, 0, "{}", ran.err);
    assert_eq!(contents(&place.work().join("taken")).len(), 3);
    assert_eq!(place.left_in_temporary(), Vec::<PathBuf>::new());
    assert!(contents(&place.work().join("target")) == target);
}

#[test]
fn a_result_in_the_sandbox_is_kept_and_named() {
    let place = Place::with_lab();
    let target = contents(&place.work().join("target"));
    for arguments in [&["run", "--sandbox"][..], &["run", "--sandbox", "--until", "patch"]] {
        let ran = place.run(arguments.iter().chain(&["target/release/liblabext.so"]));
        assert_eq!(ran.status, 0, "{}", ran.err);
        let left = place.left_in_temporary();
        assert_eq!(left.len(), 1);
        let said = format!("the result lies in the sandbox, which is kept: {}", left[0].display());
        assert_eq!(ran.err.lines().last(), Some(said.as_str()));
        assert!(left[0].join("target/wheelwright/release/liblabext.so").is_file());
        assert!(contents(&place.work().join("target")) == target);
        std::fs::remove_dir_all(&left[0]).unwrap();
    }
}
