//! WW027: what an editable install leaves in the search path.

use crate::Case;
use crate::workshop::{NEW_TAGS, OLD_TAGS, Workshop, holds, lacks, lacks_glibc, run_fix, says};
use libtest_mimic::Failed;
use std::path::PathBuf;
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::audit::Severity;

pub fn all() -> Vec<Case> {
    let patchelf = || lacks_glibc().or_else(|| lacks("patchelf", "--set-rpath"));
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("paths_of_cargo_are_in_the_search_path", lacks_glibc(), cargo_paths),
        case("paths_of_cargo_are_taken_out", patchelf(), taken_out),
    ]
}

const OUT: &str = "/p/target/release/build/greet-sys-0123456789abcdef/out/lib";

fn edited(tags: &str) -> (Workshop, PathBuf) {
    let mut shop = Workshop::new();
    shop.linked_paths = vec![shop.path("private")];
    let rpath = format!("-Wl,-rpath,$ORIGIN/x:{OUT}:{}:/opt/other", shop.path("private").display());
    let root = shop.library("root.so", "r", &[tags, &rpath]);
    (shop, root)
}

fn cargo_paths() -> Result<(), Failed> {
    for (tags, word) in [(OLD_TAGS, "DT_RPATH"), (NEW_TAGS, "DT_RUNPATH")] {
        let (mut shop, root) = edited(tags);
        let finding = shop.the(&root, "WW027", Severity::Warning)?;
        let linked = format!("{word} {}: a linked path", shop.path("private").display());
        says(&finding, &[&format!("{word} {OUT}: a build script's OUT_DIR"), &linked])?;
        let other = shop.the(&root, "WW011", Severity::Warning)?;
        holds("no entry is told twice", other.evidence.len() == 1 && other.evidence[0].contains("/opt/other"))?;
        shop.mode = Mode::Editable;
        holds("they are meant in editable mode", shop.of_code(&root, "WW027").is_empty())?;
    }
    Ok(())
}

fn taken_out() -> Result<(), Failed> {
    for tags in [OLD_TAGS, NEW_TAGS] {
        let (shop, root) = edited(tags);
        run_fix(&shop.the(&root, "WW027", Severity::Warning)?)?;
        holds("it is gone", shop.of_code(&root, "WW027").is_empty())?;
        let other = shop.the(&root, "WW011", Severity::Warning)?;
        holds("the other entries stay", other.evidence[0].contains("/opt/other"))?;
    }
    Ok(())
}
