//! WW009 and WW017: two files under one name, for two lenses or in one process.

use crate::Case;
use crate::workshop::{NEW_TAGS, Workshop, holds, lacks, lacks_glibc, says};
use libtest_mimic::Failed;
use std::path::PathBuf;
use std::process::Command;
use wheelwright::engine::report::audit::Severity;

pub fn all() -> Vec<Case> {
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("the_lenses_find_different_files", lacks_glibc(), different_files),
        case("only_the_loader_finds_it", lacks_glibc(), only_loader),
        case("only_lddtree_finds_it", lacks_glibc(), only_lddtree),
        case("two_libraries_of_one_name_are_loaded", lacks_glibc(), both_loaded),
        case(
            "two_libraries_of_one_name_become_one",
            lacks_glibc().or_else(|| lacks("patchelf", "--replace-needed")),
            made_one,
        ),
        case("a_library_gets_another_than_it_would_find", lacks_glibc(), passed_over),
    ]
}

fn different_files() -> Result<(), Failed> {
    let mut shop = Workshop::new();
    shop.library("run/liba.so", "a", &[]);
    shop.library("env/liba.so", "a", &["-DOTHER"]);
    let root = shop.library("root.so", "r", &["@run/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/run"]);
    holds("they agree without the variable", shop.of_code(&root, "WW009").is_empty())?;
    shop.library_path = Some(shop.path("env").into());
    let finding = shop.the(&root, "WW009", Severity::Error)?;
    let (run, env) = (shop.path("run/liba.so").display().to_string(), shop.path("env/liba.so").display().to_string());
    let loader = format!("the loader: {env}");
    says(&finding, &["needed by root.so", &loader, &run, "LD_LIBRARY_PATH before RUNPATH"])?;
    holds("the loader takes that one", shop.debug(&root).contains(&format!("calling init: {env}")))?;
    shop.library_path = None;
    holds("it is gone", shop.of_code(&root, "WW009").is_empty())
}

/// lddtree knows no `$LIB`; what is needed behind such a library follows from that.
fn only_loader() -> Result<(), Failed> {
    let shop = Workshop::new();
    shop.library("libz1.so", "b", &[]);
    for directory in ["lib64", "lib/x86_64-linux-gnu", "lib"] {
        shop.library(&format!("{directory}/libb.so"), "b", &[]);
        shop.library(&format!("{directory}/liba.so"), "a", &["@lib64/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN"]);
    }
    let root = shop.library("root.so", "r", &["@lib64/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/$LIB"]);
    let finding = shop.the(&root, "WW009", Severity::Note)?;
    holds("of the first library", finding.title == "only the loader finds liba.so")?;
    says(&finding, &["lddtree knows $ORIGIN only", "so it is with libb.so", "needed by root.so", "found nowhere"])?;
    holds("it loads", shop.load(&root).starts_with("loaded"))
}

/// lddtree takes `$ORIGIN` from where a link leads to.
fn only_lddtree() -> Result<(), Failed> {
    let shop = Workshop::new();
    shop.library("real/libb.so", "b", &[]);
    shop.library("real/liba.so", "a", &["@real/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN"]);
    let arguments = ["@real/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/links", "-Wl,--allow-shlib-undefined"];
    let root = shop.library("root.so", "r", &arguments);
    std::fs::create_dir(shop.path("links"))?;
    std::os::unix::fs::symlink("../real/liba.so", shop.path("links/liba.so"))?;
    let finding = shop.the(&root, "WW009", Severity::Note)?;
    says(&finding, &["the loader: found nowhere", "real/libb.so", "loaded through a symbolic link"])?;
    holds("one advice points to the other", finding.fix.iter().any(|line| line.contains("WW003")))?;
    shop.the(&root, "WW003", Severity::Note)?;
    holds("the loader fails", shop.load(&root).contains("libb.so: cannot open shared object file"))
}

/// A library without a SONAME is needed by the path that it was linked by.
fn by_path() -> (Workshop, PathBuf) {
    let shop = Workshop::new();
    for (directory, number) in [("one", 1), ("two", 2)] {
        let source = format!("int x{number}(void) {{ return {number}; }}\n");
        shop.compile(&format!("{directory}/libx.so"), &source, &["-shared", "-fPIC"]);
        let own = format!("@{directory}/libx.so");
        shop.library(&format!("user{number}.so"), &format!("user{number}"), &[&own]);
    }
    let root = shop.library("root.so", "r", &["@user1.so", "@user2.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN"]);
    (shop, root)
}

fn both_loaded() -> Result<(), Failed> {
    let (shop, root) = by_path();
    let finding = shop.the(&root, "WW017", Severity::Warning)?;
    let (one, two) = (shop.path("one/libx.so").display().to_string(), shop.path("two/libx.so").display().to_string());
    says(&finding, &[&format!("{one}: needed by user1.so"), &format!("{two}: needed by user2.so")])?;
    let said = shop.debug(&root);
    holds("the loader takes both", [&one, &two].iter().all(|path| said.contains(&format!("calling init: {path}"))))
}

fn made_one() -> Result<(), Failed> {
    let (shop, root) = by_path();
    let finding = shop.the(&root, "WW017", Severity::Warning)?;
    let sentence = finding.fix.iter().find_map(|line| line.split_once("patchelf ")).ok_or("no patchelf line")?;
    let (one, two) = (shop.path("one/libx.so"), shop.path("two/libx.so"));
    let words = sentence.1.split(' ').map(|word| match word {
        "OTHER" => two.display().to_string(),
        "ONE" => one.display().to_string(),
        "FILE" => shop.path("user2.so").display().to_string(),
        word => word.to_string(),
    });
    holds("patchelf does it", Command::new("patchelf").args(words).status()?.success())?;
    holds("it is gone", shop.of_code(&root, "WW017").is_empty())
}

fn passed_over() -> Result<(), Failed> {
    let shop = Workshop::new();
    shop.library("first/libx.so", "x", &[]);
    shop.library("own/libx.so", "x", &["-Wl,-z,max-page-size=65536", "-Wl,--build-id"]);
    shop.library("user.so", "user", &["@own/libx.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/own"]);
    let root =
        shop.library("root.so", "r", &["@first/libx.so", "@user.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/first:$ORIGIN"]);
    let finding = shop.the(&root, "WW017", Severity::Warning)?;
    let (first, own) =
        (shop.path("first/libx.so").display().to_string(), shop.path("own/libx.so").display().to_string());
    says(&finding, &["user.so needs libx.so", "($ORIGIN/own)", &own, &format!("it gets {first}"), "for root.so"])?;
    let said = shop.debug(&root);
    let loaded = |path: &str| said.contains(&format!("calling init: {path}"));
    holds("the loader takes one of them", loaded(&first) && !loaded(&own))?;
    // Alone it would find its own.
    let alone = shop.debug(&shop.path("user.so"));
    holds("alone it finds its own", alone.contains(&format!("calling init: {own}")))?;
    std::fs::remove_file(shop.path("own/libx.so"))?;
    shop.copy("first/libx.so", "own/libx.so");
    holds("copies are one library", shop.of_code(&root, "WW017").is_empty())
}
