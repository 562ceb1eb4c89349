//! What depends on more than paths: subdirectories for the processor in the variable, weak versions, and a variable that
//! changes which of two answers a load gives.

use crate::Case;
use crate::cases::{NEW_TAGS, OLD_TAGS};
use crate::lab::{Lab, found_by, lacks_glibc, same};
use libtest_mimic::Failed;
use std::process::Command;
use wheelwright::engine::deps::host_hwcaps;
use wheelwright::engine::report::audit::SearchRule;

pub fn all() -> Vec<Case> {
    let old = || host_hwcaps().is_empty().then(|| "the processor is below x86-64-v2".to_string());
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("hwcaps_subdirectories_of_the_variable", lacks_glibc().or_else(old), hwcaps_of_the_variable),
        case("legacy_subdirectories", lacks_glibc(), legacy),
        case("a_weak_version_that_is_missing", lacks_glibc(), weak_version),
        case("a_version_that_is_there", lacks_glibc(), version_there),
        case("a_missing_library_is_searched_for_again", lacks_glibc(), missing_twice),
        case("filters_and_auxiliary_filters", lacks_glibc(), filters),
        case("a_missing_preload_is_passed_over", lacks_glibc(), missing_preload),
    ]
}

fn hwcaps_of_the_variable() -> Result<(), Failed> {
    for tags in [OLD_TAGS, NEW_TAGS] {
        let mut lab = Lab::new();
        lab.library("lib/liba.so", "a", &[]);
        let best = host_hwcaps().first().cloned().ok_or("no level")?;
        lab.copy("lib/liba.so", &format!("env/glibc-hwcaps/{best}/liba.so"));
        lab.copy("lib/liba.so", "env/liba.so");
        let program = lab.program("p", &["@lib/liba.so", tags, "-Wl,-rpath,/nowhere"]);
        lab.library_path = Some("$ORIGIN/env".into());
        let by = found_by(&lab.agrees(&program)?, "p", "liba.so").ok_or("not found")?;
        same((by.rule, by.hwcaps), (SearchRule::LdLibraryPath, Some(best)))?;
    }
    Ok(())
}

/// Whether they count is the loader's matter: since glibc 2.37 they don't.
fn legacy() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("lib/liba.so", "a", &[]);
    lab.copy("lib/liba.so", "lib/tls/x86_64/liba.so");
    lab.library("lib/libb.so", "b", &[]);
    lab.copy("lib/libb.so", "lib/haswell/libb.so");
    lab.copy("lib/libb.so", "lib/x86_64/libb.so");
    let program = lab.program("p", &["@lib/liba.so", "@lib/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/lib"]);
    lab.agrees(&program).map(drop)
}

/// A program that wants `VER_2` of a library, which it meets in the version that `meets` says.
fn versioned(meets: &str, source: &str) -> Result<(Lab, std::path::PathBuf), Failed> {
    let lab = Lab::new();
    std::fs::write(lab.path("one.map"), "VER_1 { global: v; };\n")?;
    std::fs::write(lab.path("two.map"), "VER_1 { };\nVER_2 { global: v; } VER_1;\n")?;
    let map = |name: &str| format!("-Wl,--version-script={}", lab.path(name).display());
    lab.library("two/libv.so", "v", &[&map("two.map")]);
    lab.library("one/libv.so", "v", &[&map("one.map")]);
    let list = format!("-Wl,-rpath,$ORIGIN/{meets}");
    let program = lab.object("p", source, &["@two/libv.so", NEW_TAGS, &list]);
    Ok((lab, program))
}

const STRONG: &str = "int v(void); int main(void) { return v() - 1; }\n";
const WEAK: &str = "__attribute__((weak)) int v(void); int main(void) { return v ? v() - 1 : 0; }\n";

fn weak_version() -> Result<(), Failed> {
    let (lab, program) = versioned("one", WEAK)?;
    let graph = lab.agrees(&program)?;
    let edge = graph.edges.iter().find(|edge| edge.needed.to_text() == "libv.so").ok_or("no edge")?;
    let starts = Command::new(&program).output()?.status.success();
    // Linkers differ in whether they mark the version as weak; ld.so insists on it where they don't.
    same(edge.versions_missing.is_empty(), starts)
}

fn version_there() -> Result<(), Failed> {
    let (lab, program) = versioned("two", STRONG)?;
    let graph = lab.agrees(&program)?;
    same(graph.edges.iter().all(|edge| edge.versions_missing.is_empty()), true)?;
    same(Command::new(&program).status()?.success(), true)
}

fn missing_twice() -> Result<(), Failed> {
    for tags in [OLD_TAGS, NEW_TAGS] {
        let lab = Lab::new();
        lab.library("gone/libgone.so", "g", &[]);
        lab.library("lib/liba.so", "a", &["@gone/libgone.so"]);
        lab.library("lib/libb.so", "b", &["@gone/libgone.so", tags, "-Wl,-rpath,$ORIGIN/elsewhere"]);
        let list = ["@lib/liba.so", "@lib/libb.so", tags, "-Wl,-rpath,$ORIGIN/lib"];
        let program = lab.program("p", &list);
        lab.remove("gone/libgone.so");
        lab.agrees(&program)?;
    }
    Ok(())
}

fn missing_preload() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.library("lib/liba.so", "a", &[]);
    let program = lab.program("p", &["@lib/liba.so", OLD_TAGS, "-Wl,-rpath,$ORIGIN/lib"]);
    lab.preload = Some("libnowhere.so /no/such/file.so liba.so".into());
    lab.agrees(&program).map(drop)
}

fn filters() -> Result<(), Failed> {
    for option in ["-Wl,-F,libreal.so", "-Wl,-f,libreal.so", "-Wl,-f,libnowhere.so", "-Wl,-F,libnowhere.so"] {
        let lab = Lab::new();
        lab.library("lib/libreal.so", "real", &[]);
        lab.library("lib/libb.so", "b", &[]);
        lab.library("lib/liba.so", "a", &["@lib/libb.so", option, OLD_TAGS, "-Wl,-rpath,$ORIGIN"]);
        let program = lab.program("p", &["@lib/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/lib"]);
        lab.agrees(&program).map_err(|why| Failed::from(format!("{option}: {}", why.message().unwrap_or_default())))?;
    }
    Ok(())
}
