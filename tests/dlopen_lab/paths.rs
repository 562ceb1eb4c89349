//! Names that the opener's own search path decides on: absolute paths, RPATH, RUNPATH, and none.

use crate::Case;
use crate::lab::{Lab, NEW, OLD, lacks_glibc, same};
use libtest_mimic::Failed;
use wheelwright::engine::report::audit::SearchRule;
use wheelwright::engine::report::dlopen::{FoundIn, OpenedName, OpenedVerdict, OpeningOutcome};

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_glibc(), run };
    vec![
        case("absolute_path", absolute),
        case("bare_soname_without_a_search_path", bare),
        case("bare_soname_with_rpath", with_rpath),
        case("runpath_of_the_caller", with_runpath),
        case("a_runpath_is_not_for_what_the_opened_library_needs", not_inherited),
        case("neither_is_an_rpath", rpath_not_inherited),
        case("optional_library_with_fallback", fallback),
        case("versioned_and_unversioned_name", versions),
        case("origin_in_the_name", origin),
        case("a_directory_that_only_the_linker_knows", linked),
        case("an_absolute_run_path_of_what_is_opened", behind_absolute),
    ]
}

fn rule(opened: &OpenedName) -> Option<SearchRule> {
    opened.would_resolve.as_ref()?.found_by.as_ref().map(|by| by.rule)
}

fn outcome(opened: &OpenedName) -> (Option<OpeningOutcome>, Option<OpeningOutcome>) {
    let of = |opening: &Option<wheelwright::engine::report::dlopen::Opening>| opening.as_ref().map(|one| one.outcome);
    (of(&opened.would_resolve), of(&opened.in_bundle))
}

fn absolute() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let library = lab.library("build/abs/libabsolute.so", &[])?;
    let name = library.display().to_string();
    let extension = lab.extension("build/ext.so", &format!("TRY(1, \"{name}\");"), &[])?;
    let found = lab.holds(&[&extension], &[], &[(1, &name, OpenedVerdict::LostInBundle)])?;
    same(found[0].would_resolve.as_ref().and_then(|one| one.from), Some(FoundIn::Build))
}

fn bare() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libbare.so.1", &[])?;
    let extension = lab.extension("build/ext.so", "TRY(1, \"libbare.so.1\");", &[])?;
    let found = lab.holds(&[&extension], &[], &[(1, "libbare.so.1", OpenedVerdict::Missing)])?;
    same(outcome(&found[0]), (Some(OpeningOutcome::Missing), Some(OpeningOutcome::Missing)))
}

fn with_rpath() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libbare.so.1", &[])?;
    let list = [OLD, "-Wl,-rpath,$ORIGIN/private"];
    let extension = lab.extension("build/ext.so", "TRY(1, \"libbare.so.1\");", &list)?;
    let found = lab.holds(&[&extension], &[], &[(1, "libbare.so.1", OpenedVerdict::LostInBundle)])?;
    same(rule(&found[0]), Some(SearchRule::Rpath))
}

fn with_runpath() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libbare.so.1", &[])?;
    let list = [NEW, "-Wl,-rpath,$ORIGIN/private"];
    let extension = lab.extension("build/ext.so", "TRY(1, \"libbare.so.1\");", &list)?;
    let found = lab.holds(&[&extension], &[], &[(1, "libbare.so.1", OpenedVerdict::LostInBundle)])?;
    same(rule(&found[0]), Some(SearchRule::Runpath))
}

fn incomplete_by(tags: &str) -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libinner.so.1", &[])?;
    lab.library("build/private/libouter.so.1", &["@build/private/libinner.so.1"])?;
    let list = [tags, "-Wl,-rpath,$ORIGIN/private"];
    let extension = lab.extension("build/ext.so", "TRY(1, \"libouter.so.1\"); TRY(2, \"libinner.so.1\");", &list)?;
    let names = [(1, "libouter.so.1", OpenedVerdict::Missing), (2, "libinner.so.1", OpenedVerdict::LostInBundle)];
    let found = lab.holds(&[&extension], &[], &names)?;
    same(outcome(&found[0]).0, Some(OpeningOutcome::Incomplete))?;
    let missing = found[0].would_resolve.as_ref().map(|one| one.missing.clone());
    same(missing, Some(vec!["libinner.so.1 (needed by libouter.so.1)".to_owned()]))
}

fn not_inherited() -> Result<(), Failed> {
    incomplete_by(NEW)
}

/// The loader forgets who called, so that even a DT_RPATH is not for what the opened library needs.
fn rpath_not_inherited() -> Result<(), Failed> {
    incomplete_by(OLD)
}

fn fallback() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let body = "TRY(1, \"libnotinstalled.so.9\"); TRY(2, \"libm.so.6\");";
    let extension = lab.extension("build/ext.so", body, &[])?;
    let names = [(1, "libnotinstalled.so.9", OpenedVerdict::Missing), (2, "libm.so.6", OpenedVerdict::Works)];
    let found = lab.holds(&[&extension], &[], &names)?;
    same(found[1].in_bundle.as_ref().and_then(|one| one.from), Some(FoundIn::Policy))
}

/// The extension needs the library under its versioned name, so that it is in the process, and grafted.
fn versions() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libtwo.so.2", &[])?;
    std::os::unix::fs::symlink("libtwo.so.2", lab.path("build/private/libtwo.so"))?;
    let arguments = ["@build/private/libtwo.so.2", OLD, "-Wl,-rpath,$ORIGIN/private"];
    let body = "TRY(1, \"libtwo.so.2\"); TRY(2, \"libtwo.so\");";
    let extension = lab.extension("build/ext.so", body, &arguments)?;
    let names = [(1, "libtwo.so.2", OpenedVerdict::Renamed), (2, "libtwo.so", OpenedVerdict::Renamed)];
    let found = lab.holds(&[&extension], &[], &names)?;
    same(outcome(&found[0]), (Some(OpeningOutcome::Loaded), Some(OpeningOutcome::Missing)))?;
    same(found[1].grafted.as_ref().map(|grafted| grafted.needed_as.as_str()), Some("libtwo.so.2"))
}

/// A token in the name is filled in for the caller.
fn origin() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libbare.so.1", &[])?;
    let name = "$ORIGIN/private/libbare.so.1";
    let extension = lab.extension("build/ext.so", &format!("TRY(1, \"{name}\");"), &[])?;
    lab.holds(&[&extension], &[], &[(1, name, OpenedVerdict::LostInBundle)]).map(drop)
}

/// `--ld-path` is for the repair: a run does not look there.
fn linked() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libbare.so.1", &[])?;
    let extension = lab.extension("build/ext.so", "TRY(1, \"libbare.so.1\");", &[])?;
    let private = lab.path("build/private").display().to_string();
    let found = lab.holds(&[&extension], &["--ld-path", &private], &[(1, "libbare.so.1", OpenedVerdict::Missing)])?;
    same(found[0].why.contains(&private), true)
}

/// What the opened library needs is found by a path that only this machine has.
fn behind_absolute() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libinner.so.1", &[])?;
    let list = format!("-Wl,-rpath,{}", lab.path("build/private").display());
    let outer = lab.library("build/other/libouter.so.1", &["@build/private/libinner.so.1", OLD, &list])?;
    let name = outer.display().to_string();
    let extension = lab.extension("build/ext.so", &format!("TRY(1, \"{name}\");"), &[])?;
    lab.holds(&[&extension], &[], &[(1, &name, OpenedVerdict::LostInBundle)]).map(drop)
}
