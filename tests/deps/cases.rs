//! The ten cases in which resolvers are known to go wrong, and one of versions: each compared with the loader itself and then
//! asked for its reasons.

use crate::Case;
use crate::lab::{Lab, found, found_by, lacks_glibc, rule, same};
use libtest_mimic::Failed;
use std::process::Command;
use wheelwright::engine::deps::host_hwcaps;
use wheelwright::engine::report::audit::{Rejection, SearchRule};

pub const OLD_TAGS: &str = "-Wl,--disable-new-dtags";
pub const NEW_TAGS: &str = "-Wl,--enable-new-dtags";

pub fn all() -> Vec<Case> {
    let glibc = lacks_glibc;
    let hwcaps = || glibc().or_else(|| host_hwcaps().is_empty().then(|| "the processor is below x86-64-v2".into()));
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("k1_the_variable_comes_before_runpath", glibc(), k1),
        case("k2_a_runpath_is_not_inherited", glibc(), k2),
        case("k3_an_rpath_is_inherited", glibc(), k3),
        case("k4_the_own_rpath_comes_before_the_parents", glibc(), k4),
        case("k5_origin_is_the_directory_of_the_link", glibc(), k5),
        case("k6_hwcaps_subdirectories_come_first", hwcaps(), k6),
        case("k7_lib_token", glibc(), k7),
        case("k8_nodefaultlib", glibc(), k8),
        case("k9_another_class_or_machine_is_passed_over", glibc(), k9),
        case("k10_a_soname_that_a_sibling_loaded", glibc(), k10),
        case("k12_a_version_that_the_found_library_lacks", glibc(), k12),
    ]
}

fn k1() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.library("run/liba.so", "a", &[]);
    lab.copy("run/liba.so", "env/liba.so");
    let program = lab.program("p", &["@run/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/run"]);
    same(rule(&lab.agrees(&program)?, "p", "liba.so"), Some(SearchRule::Runpath))?;
    lab.library_path = Some(lab.path("env").into());
    same(rule(&lab.agrees(&program)?, "p", "liba.so"), Some(SearchRule::LdLibraryPath))
}

fn inheriting(tags: &str) -> (Lab, std::path::PathBuf) {
    let lab = Lab::new();
    lab.library("deep/libb.so", "b", &[]);
    lab.library("near/liba.so", "a", &["@deep/libb.so"]);
    let program = lab.program("p", &["@near/liba.so", tags, "-Wl,-rpath,$ORIGIN/near:$ORIGIN/deep"]);
    (lab, program)
}

fn k2() -> Result<(), Failed> {
    let (lab, program) = inheriting(NEW_TAGS);
    let graph = lab.agrees(&program)?;
    same(rule(&graph, "liba.so", "libb.so"), None)?;
    same(found(&graph)["libb.so"].clone(), None)
}

fn k3() -> Result<(), Failed> {
    let (lab, program) = inheriting(OLD_TAGS);
    let by = found_by(&lab.agrees(&program)?, "liba.so", "libb.so").ok_or("not found")?;
    same(by.rule, SearchRule::Rpath)?;
    same(by.owner.as_deref(), Some("p"))?;
    same(by.entry.as_deref(), Some("$ORIGIN/deep"))
}

fn k4() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("first/libb.so", "b", &[]);
    lab.copy("first/libb.so", "second/libb.so");
    lab.library("first/liba.so", "a", &["@second/libb.so", OLD_TAGS, "-Wl,-rpath,$ORIGIN/../second"]);
    let program = lab.program("p", &["@first/liba.so", OLD_TAGS, "-Wl,-rpath,$ORIGIN/first"]);
    let by = found_by(&lab.agrees(&program)?, "liba.so", "libb.so").ok_or("not found")?;
    same(by.owner.as_deref(), Some("liba.so"))
}

fn k5() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("real/libb.so", "b", &[]);
    lab.library("real/liba.so", "a", &["@real/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN"]);
    let program = lab.program("p", &["@real/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/links"]);
    std::fs::create_dir(lab.path("links"))?;
    std::os::unix::fs::symlink("../real/liba.so", lab.path("links/liba.so"))?;
    let graph = lab.agrees(&program)?;
    same(found(&graph)["libb.so"].clone(), None)
}

fn k6() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("lib/liba.so", "a", &[]);
    for level in ["x86-64-v2", "x86-64-v3", "x86-64-v4"] {
        lab.copy("lib/liba.so", &format!("lib/glibc-hwcaps/{level}/liba.so"));
    }
    let program = lab.program("p", &["@lib/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/lib"]);
    let graph = lab.agrees(&program)?;
    let best = host_hwcaps().first().cloned();
    same(found_by(&graph, "p", "liba.so").and_then(|by| by.hwcaps), best)
}

fn k7() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("libx.so", "x", &[]);
    for directory in ["lib64", "lib/x86_64-linux-gnu", "lib"] {
        lab.copy("libx.so", &format!("{directory}/libx.so"));
    }
    let program = lab.program("p", &["@libx.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/${LIB}"]);
    let graph = lab.agrees(&program)?;
    same(found_by(&graph, "p", "libx.so").and_then(|by| by.entry).as_deref(), Some("$ORIGIN/${LIB}"))
}

fn k8() -> Result<(), Failed> {
    let lab = Lab::new();
    let program = lab.program("p", &["-Wl,-z,nodefaultlib"]);
    let graph = lab.agrees(&program)?;
    same(found(&graph)["libc.so.6"].clone(), None)
}

fn k9() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("good/liba.so", "a", &[]);
    let program =
        lab.program("p", &["@good/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/class:$ORIGIN/machine:$ORIGIN/good"]);
    for (directory, at, byte) in [("class", 4, 1), ("machine", 18, 0xb7)] {
        let mut bytes = std::fs::read(lab.path("good/liba.so"))?;
        bytes[at] = byte;
        std::fs::create_dir(lab.path(directory))?;
        std::fs::write(lab.path(directory).join("liba.so"), bytes)?;
    }
    let graph = lab.agrees(&program)?;
    let edge = graph.edges.iter().find(|edge| edge.needed.to_text() == "liba.so").ok_or("no edge")?;
    let rejected: Vec<Rejection> = edge.candidates.iter().map(|candidate| candidate.rejected).collect();
    same(rejected, vec![Rejection::WrongClass, Rejection::WrongArch])
}

fn k10() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("a/libb.so", "b", &[]);
    lab.library("c/liba.so", "a", &["@a/libb.so"]);
    let program = lab.program("p", &["@a/libb.so", "@c/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/a:$ORIGIN/c"]);
    same(rule(&lab.agrees(&program)?, "liba.so", "libb.so"), Some(SearchRule::AlreadyLoaded))
}

fn k12() -> Result<(), Failed> {
    let lab = Lab::new();
    std::fs::write(lab.path("one.map"), "VER_1 { global: v; };\n")?;
    std::fs::write(lab.path("two.map"), "VER_1 { };\nVER_2 { global: v; } VER_1;\n")?;
    let map = |name: &str| format!("-Wl,--version-script={}", lab.path(name).display());
    lab.library("new/libv.so", "v", &[&map("two.map")]);
    lab.library("old/libv.so", "v", &[&map("one.map")]);
    let program = lab.object(
        "p",
        "int v(void); int main(void) { return v(); }\n",
        &["@new/libv.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/old"],
    );
    let graph = lab.agrees(&program)?;
    let edge = graph.edges.iter().find(|edge| edge.needed.to_text() == "libv.so").ok_or("no edge")?;
    same(edge.versions_missing.clone(), vec!["VER_2".to_string()])?;
    let output = Command::new(&program).output()?;
    let message = String::from_utf8_lossy(&output.stderr).into_owned();
    same(message.contains("VER_2") && message.contains("not found") && !output.status.success(), true)?;
    let others = graph.edges.iter().filter(|edge| edge.needed.to_text() != "libv.so");
    same(others.flat_map(|edge| edge.versions_missing.clone()).collect(), Vec::<String>::new())
}
