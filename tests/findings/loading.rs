//! WW010, WW015 and WW016 against glibc's loader.

use crate::Case;
use crate::workshop::{NEW_TAGS, OLD_TAGS, Workshop, holds, lacks, lacks_glibc, run_fix, says};
use libtest_mimic::Failed;
use std::path::PathBuf;
use wheelwright::engine::report::audit::Severity;

pub fn all() -> Vec<Case> {
    let patchelf = || lacks_glibc().or_else(|| lacks("patchelf", "--add-rpath"));
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("a_runpath_that_is_not_inherited", lacks_glibc(), not_inherited),
        case("a_runpath_that_is_not_inherited_is_mended", patchelf(), not_inherited_mended),
        case("a_runpath_that_is_not_inherited_below_a_sysroot", lacks_glibc(), below_a_sysroot),
        case("what_no_runpath_leads_to_is_only_missing", lacks_glibc(), only_missing),
        case("a_version_that_the_found_library_lacks", lacks_glibc(), version),
        case("a_file_of_another_class_stands_first", lacks_glibc(), wrong_class),
        case("a_file_of_another_class_is_taken_off_the_path", patchelf(), wrong_class_mended),
        case("a_file_of_another_machine_is_all_there_is", lacks_glibc(), wrong_machine),
    ]
}

/// `root.so` needs near/liba.so, which needs deep/libb.so; the search path of all stands in `root.so`.
fn inheriting(tags: &str, own: &[&str]) -> (Workshop, PathBuf) {
    let shop = Workshop::new();
    shop.library("deep/libb.so", "b", &[]);
    shop.library("near/liba.so", "a", &[&["@deep/libb.so"], own].concat());
    let arguments = ["@near/liba.so", tags, "-Wl,-rpath,$ORIGIN/near:$ORIGIN/deep", "-Wl,--allow-shlib-undefined"];
    let root = shop.library("root.so", "root", &arguments);
    (shop, root)
}

fn not_inherited() -> Result<(), Failed> {
    let (shop, root) = inheriting(NEW_TAGS, &[]);
    let finding = shop.the(&root, "WW010", Severity::Error)?;
    let (asker, there) = (shop.path("near/liba.so"), shop.path("deep/libb.so"));
    let (asker, there) = (asker.display().to_string(), there.display().to_string());
    says(&finding, &["needed by liba.so", &asker, "RUNPATH of root.so", "$ORIGIN/deep", &there])?;
    holds("the loader fails", shop.load(&root).contains("libb.so: cannot open shared object file"))?;
    let absent = shop.the(&root, "WW003", Severity::Error)?;
    holds("the missing library points there", absent.fix.iter().any(|line| line.contains("WW010")))?;
    holds("DT_RPATH is offered", finding.fix.iter().any(|line| line.contains("--disable-new-dtags")))?;
    // The same with the older tag is inherited, unless the library has a RUNPATH itself.
    let (shop, root) = inheriting(OLD_TAGS, &[]);
    holds("nothing is wrong with an RPATH", shop.of_code(&root, "WW010").is_empty())?;
    holds("it loads", shop.load(&root).starts_with("loaded"))?;
    let (shop, root) = inheriting(NEW_TAGS, &[NEW_TAGS, "-Wl,-rpath,/nowhere"]);
    let finding = shop.the(&root, "WW010", Severity::Error)?;
    holds("no RPATH helps", !finding.fix.iter().any(|line| line.contains("--disable-new-dtags")))
}

fn not_inherited_mended() -> Result<(), Failed> {
    for own in [&[][..], &[NEW_TAGS, "-Wl,-rpath,/nowhere"]] {
        let (shop, root) = inheriting(NEW_TAGS, own);
        run_fix(&shop.the(&root, "WW010", Severity::Error)?)?;
        holds("it is gone", shop.of_code(&root, "WW010").is_empty() && shop.of_code(&root, "WW003").is_empty())?;
        holds("it loads", shop.load(&root).starts_with("loaded"))?;
    }
    Ok(())
}

/// Entries with absolute paths mean places below the sysroot, also where this machine has such a path.
fn below_a_sysroot() -> Result<(), Failed> {
    let mut shop = Workshop::new();
    let elsewhere = shop.path("deep");
    let below = |name: &str| format!("root{}", shop.path(name).display());
    let (there, here) = (below("deep/libb.so"), below("near/liba.so"));
    shop.library(&there, "b", &["-nostdlib"]);
    shop.library(&here, "a", &["-nostdlib", &format!("@{there}")]);
    let rpath = format!("-Wl,-rpath,{}:{}", shop.path("near").display(), elsewhere.display());
    let near = format!("@{here}");
    let arguments = ["-nostdlib", &near, NEW_TAGS, &rpath, "-Wl,--allow-shlib-undefined"];
    let root = shop.library("root/root.so", "root", &arguments);
    shop.sysroot = Some(shop.path("root"));
    let finding = shop.the(&root, "WW010", Severity::Error)?;
    says(&finding, &[&format!("there it is: {}", shop.path(&there).display())])?;
    // What only this machine has is nothing to a process that sees the sysroot.
    std::fs::create_dir_all(&elsewhere)?;
    std::fs::rename(shop.path(&there), elsewhere.join("libb.so"))?;
    holds("the process would not find it", shop.of_code(&root, "WW010").is_empty())
}

fn only_missing() -> Result<(), Failed> {
    let (shop, root) = inheriting(NEW_TAGS, &[]);
    let there = shop.path("deep/libb.so");
    let mut bytes = std::fs::read(&there)?;
    bytes[18] = 183;
    std::fs::write(&there, &bytes)?;
    holds("a file for another machine is none", shop.of_code(&root, "WW010").is_empty())?;
    std::fs::remove_file(&there)?;
    holds("nor is what is not there", shop.of_code(&root, "WW010").is_empty())?;
    shop.the(&root, "WW003", Severity::Error).map(|_| ())
}

fn version() -> Result<(), Failed> {
    let mut shop = Workshop::new();
    std::fs::write(shop.path("one.map"), "VER_1 { global: v; };\n")?;
    std::fs::write(shop.path("two.map"), "VER_1 { };\nVER_2 { global: v; } VER_1;\n")?;
    let map = |name: &str| format!("-Wl,--version-script={}", shop.path(name).display());
    shop.library("new/libv.so", "v", &[&map("two.map")]);
    shop.library("old/libv.so", "v", &[&map("one.map")]);
    let root = shop.compile(
        "root.so",
        "int v(void); int root(void) { return v(); }\n",
        &["-shared", "-fPIC", "@new/libv.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/old"],
    );
    let finding = shop.the(&root, "WW015", Severity::Error)?;
    let found = shop.path("old/libv.so").display().to_string();
    says(&finding, &["root.so needs VER_2 of libv.so", &found, "RUNPATH of root.so: $ORIGIN/old", "has VER_1"])?;
    let said = shop.load(&root);
    holds("the loader misses it too", said.contains("version `VER_2' not found") && said.contains(&found))?;
    // As the fix says: let the right one be found before.
    shop.library_path = Some(shop.path("new").into());
    holds("it is gone", shop.of_code(&root, "WW015").is_empty() && shop.load(&root).starts_with("loaded"))
}

/// `root.so` with `first` before the directory of the right library, which holds a copy with one byte changed.
fn behind_another(at: usize, byte: u8) -> Result<(Workshop, PathBuf), Failed> {
    let shop = Workshop::new();
    shop.library("good/liba.so", "a", &[]);
    shop.copy("good/liba.so", "first/liba.so");
    let mut bytes = std::fs::read(shop.path("first/liba.so"))?;
    bytes[at] = byte;
    std::fs::write(shop.path("first/liba.so"), bytes)?;
    let root = shop.library("root.so", "r", &["@good/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/first:$ORIGIN/good"]);
    Ok((shop, root))
}

fn wrong_class() -> Result<(), Failed> {
    let (shop, root) = behind_another(4, 1)?;
    let finding = shop.the(&root, "WW016", Severity::Warning)?;
    let (first, good) = (shop.path("first/liba.so"), shop.path("good/liba.so"));
    let (first, good) = (first.display().to_string(), good.display().to_string());
    says(&finding, &["needed by root.so", &format!("RUNPATH of root.so $ORIGIN/first: {first}: of the other"), &good])?;
    let tried = shop.debug(&root);
    let place = |path: &str| tried.find(&format!("trying file={path}"));
    holds("the loader tries both, in this order", place(&first).is_some() && place(&first) < place(&good))
}

fn wrong_class_mended() -> Result<(), Failed> {
    let (shop, root) = behind_another(4, 1)?;
    run_fix(&shop.the(&root, "WW016", Severity::Warning)?)?;
    holds("it is gone", shop.of_code(&root, "WW016").is_empty())?;
    let first = format!("trying file={}", shop.path("first/liba.so").display());
    holds("the loader no longer looks there", !shop.debug(&root).contains(&first))?;
    holds("it loads", shop.load(&root).starts_with("loaded"))
}

fn wrong_machine() -> Result<(), Failed> {
    let (mut shop, root) = behind_another(18, 183)?;
    std::fs::remove_file(shop.path("good/liba.so"))?;
    let finding = shop.the(&root, "WW016", Severity::Warning)?;
    says(&finding, &["for another machine", "finds no other"])?;
    holds("the loader finds none", shop.load(&root).contains("cannot open shared object file"))?;
    let (other, end) = behind_another(5, 2)?;
    says(&other.the(&end, "WW016", Severity::Warning)?, &["of the other byte order", "the loader gives up"])?;
    holds("the loader gives up", other.load(&end).contains("data encoding"))?;
    // By LD_LIBRARY_PATH there is no file to edit.
    let (from, to) = (shop.path("first"), shop.path("by-variable"));
    std::fs::rename(from, &to)?;
    shop.library_path = Some(to.into());
    let finding = shop.the(&root, "WW016", Severity::Warning)?;
    holds("the variable is named", finding.fix.iter().any(|line| line.contains("out of LD_LIBRARY_PATH")))
}
