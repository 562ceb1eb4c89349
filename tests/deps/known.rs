//! The cases in which resolvers are known to go wrong, as layouts for both loaders, and what else a load meets: libraries that
//! are missing, names with a slash, objects that need each other or themselves.

use crate::Case;
use crate::cases::NEW_TAGS;
use crate::lab::Lab;
use crate::layouts::{program, table, with_bad_one};
use std::path::PathBuf;

pub fn all() -> Vec<Case> {
    table![
        variable_before_or_after_the_run_path,
        run_path_of_the_parent,
        own_run_path_first,
        link_to_a_file_elsewhere,
        empty_file_first,
        program_without_default_directories,
        loaded_by_a_sibling,
        missing_everywhere,
        missing_with_a_slash,
        needed_by_relative_path,
        preload_that_is_missing,
        circle_of_three_and_itself,
        one_soname_in_two_directories,
    ]
}

fn variable_before_or_after_the_run_path(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let root = program(lab, tags, &["run"], "$ORIGIN/run");
    lab.copy("run/lib0.so", "env/lib0.so");
    lab.library_path = Some(lab.path("env").into());
    root
}

fn run_path_of_the_parent(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("deep/libb.so", "b", &[]);
    lab.library("near/liba.so", "a", &["@deep/libb.so"]);
    lab.program("p", &["@near/liba.so", tags, "-Wl,-rpath,$ORIGIN/near:$ORIGIN/deep"])
}

fn own_run_path_first(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("first/libb.so", "b", &[]);
    lab.copy("first/libb.so", "second/libb.so");
    lab.library("first/liba.so", "a", &["@second/libb.so", tags, "-Wl,-rpath,$ORIGIN/../second"]);
    lab.program("p", &["@first/liba.so", tags, "-Wl,-rpath,$ORIGIN/first"])
}

/// `$ORIGIN` is the directory of the link, where there is no second library.
fn link_to_a_file_elsewhere(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("real/libb.so", "b", &[]);
    lab.library("real/liba.so", "a", &["@real/libb.so", tags, "-Wl,-rpath,$ORIGIN"]);
    std::fs::create_dir(lab.path("links")).expect("made");
    std::os::unix::fs::symlink("../real/liba.so", lab.path("links/liba.so")).expect("linked");
    lab.program("p", &["@real/liba.so", tags, "-Wl,-rpath,$ORIGIN/links"])
}

fn empty_file_first(lab: &mut Lab, tags: &'static str) -> PathBuf {
    with_bad_one(lab, tags, |path| std::fs::write(path, "").expect("written"))
}

fn program_without_default_directories(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("lib/liba.so", "a", &[]);
    lab.program("p", &["@lib/liba.so", "-Wl,-z,nodefaultlib", tags, "-Wl,-rpath,$ORIGIN/lib"])
}

fn loaded_by_a_sibling(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("a/libb.so", "b", &[]);
    lab.library("c/liba.so", "a", &["@a/libb.so", NEW_TAGS, "-Wl,-rpath,/nowhere"]);
    lab.program("p", &["@a/libb.so", "@c/liba.so", tags, "-Wl,-rpath,$ORIGIN/a:$ORIGIN/c"])
}

fn missing_everywhere(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library_path = Some("env:/no/such/directory".into());
    let root = program(lab, tags, &["lib", "lib", "lib"], "$ORIGIN/lib:/also/nowhere");
    lab.remove("lib/lib1.so");
    root
}

fn missing_with_a_slash(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let source = "int a(void) { return 1; }\n";
    lab.object("sub/liba.so", source, &["-shared", "-fPIC"]);
    lab.object("sub/libabsolute.so", source, &["-shared", "-fPIC"]);
    let root = lab.program("p", &["sub/liba.so", "@sub/libabsolute.so", tags, "-Wl,-rpath,$ORIGIN/sub"]);
    lab.remove("sub/liba.so");
    lab.remove("sub/libabsolute.so");
    root
}

/// A name with a slash is no matter of any list, and its library has relatives of its own.
fn needed_by_relative_path(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("sub/own/libb.so", "b", &[]);
    let source = "int a(void) { return 1; }\n";
    lab.object("sub/liba.so", source, &["-shared", "-fPIC", "@sub/own/libb.so", tags, "-Wl,-rpath,$ORIGIN/own"]);
    lab.program("p", &["sub/liba.so"])
}

fn preload_that_is_missing(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.preload = Some("/no/such/file.so:lib0.so".into());
    lab.library_path = Some("run".into());
    program(lab, tags, &["run", "run"], "$ORIGIN/run")
}

fn circle_of_three_and_itself(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let list = "-Wl,-rpath,$ORIGIN";
    for name in ["lib/liba.so", "lib/libb.so", "lib/libc1.so"] {
        lab.library(name, "f", &[]);
    }
    lab.library("lib/liba.so", "a", &["@lib/libb.so", tags, list]);
    lab.library("lib/libb.so", "b", &["@lib/libc1.so", tags, list]);
    lab.library("new/libc1.so", "c", &["@lib/liba.so", "@lib/libc1.so", tags, list]);
    lab.copy("new/libc1.so", "lib/libc1.so");
    lab.program("p", &["@lib/libc1.so", tags, "-Wl,-rpath,$ORIGIN/lib"])
}

/// One is loaded for the program by the directory, the other asked for by a library that would find its own.
fn one_soname_in_two_directories(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("one/libb.so", "b", &[]);
    lab.copy("one/libb.so", "two/libb.so");
    lab.library("two/liba.so", "a", &["@two/libb.so", tags, "-Wl,-rpath,$ORIGIN"]);
    lab.program("p", &["@two/liba.so", "@one/libb.so", tags, "-Wl,-rpath,$ORIGIN/one:$ORIGIN/two"])
}
