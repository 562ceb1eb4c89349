//! The editors against outside judges: the loader, `readelf`, `strip`, `patchelf`, and real system libraries.
//!
//! A test that needs a tool which may be missing is shown as ignored, with the reason; `WHEELWRIGHT_CI=1` makes that a failure.

mod chain;
mod damage;
mod fixtures;
mod headers;
#[path = "../ci/outcome.rs"]
mod outcome;
mod refusals;
#[path = "../ci/strict.rs"]
mod strict;
mod system;
mod tools;
mod ways;

use libtest_mimic::{Arguments, Trial};
use std::path::Path;
use std::process::ExitCode;
use wheelwright::engine::Context;
use wheelwright::engine::binary;
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::{Builtin, EditPlan, EditRequest, Editor};

/// How a test ends that has not failed: by its work, or ignored for this reason.
pub type Outcome = Result<(), String>;

/// A test's name, and what it does.
pub type Test = (&'static str, fn() -> Outcome);

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests: Vec<Test> =
        [chain::TESTS, headers::TESTS, tools::TESTS, system::TESTS, refusals::TESTS, damage::TESTS, ways::TESTS]
            .concat();
    let trials =
        tests.into_iter().map(|(name, test)| Trial::ignorable_test(name, move || outcome::finish(test()))).collect();
    libtest_mimic::run(&arguments, trials).exit_code()
}

/// A `SetRpath`.
pub fn rpath(text: &str) -> EditRequest {
    EditRequest::SetRpath(text.into())
}

/// A `SetSoname`.
pub fn soname(name: &str) -> EditRequest {
    EditRequest::SetSoname(name.into())
}

/// A `ReplaceNeeded`.
pub fn needed(from: &str, to: &str) -> EditRequest {
    EditRequest::ReplaceNeeded { from: from.into(), to: to.into() }
}

/// Plans `requests` on `file` with the built-in editor, applies them, and checks what every edit must keep to.
pub fn edit(file: &Path, requests: &[EditRequest]) -> EditPlan {
    let plan = Builtin::default().plan(&Windows::open(file).unwrap(), requests).unwrap().unwrap();
    let again = Builtin::default().plan(&Windows::open(file).unwrap(), requests).unwrap().unwrap();
    assert_eq!(plan, again, "a plan is the same every time");
    let context = Context::new();
    let before = std::fs::read(file).unwrap();
    Builtin::default().apply(file, &plan, &context).unwrap();
    let after = std::fs::read(file).unwrap();
    // What is behind an insertion is written again only where the filesystem can't insert.
    assert!([plan.writes, plan.writes + plan.shifted].contains(&context.progress().0));
    assert_eq!(Some(after.len() as u64), plan.size_after);
    check_only_patches_changed(&plan, &before, &after);
    let left = Builtin::default().plan(&Windows::open(file).unwrap(), requests).unwrap().unwrap();
    assert!(left.is_empty() && left.patches.is_empty() && left.writes == 0, "left to do: {left:?}");
    plan
}

fn check_only_patches_changed(plan: &EditPlan, before: &[u8], after: &[u8]) {
    let mut expected = before.to_vec();
    if let Some(insertion) = plan.insertion {
        let at = insertion.offset as usize;
        expected.splice(at..at, vec![0; insertion.length as usize]);
    }
    expected.resize(after.len(), 0);
    let mut end = 0;
    for patch in &plan.patches {
        assert!(patch.offset >= end, "patches are in order and do not overlap");
        assert!(!patch.meaning.is_empty());
        end = patch.offset + patch.bytes.len() as u64;
        expected[patch.offset as usize..end as usize].copy_from_slice(&patch.bytes);
    }
    assert!(expected == after, "the file is what the patches make of it");
}

/// SONAME, NEEDED, search paths, and the libraries of `.gnu.version_r`.
pub fn names(file: &Path) -> (Option<String>, Vec<String>, Vec<String>, Vec<String>) {
    let binary = binary::read(&Windows::open(file).unwrap()).unwrap();
    let slice = &binary.slices[0];
    let versions = slice.elf.as_ref().unwrap().version_needs.iter().map(|need| need.library.to_string());
    (
        slice.soname.as_ref().map(ToString::to_string),
        slice.needed.iter().map(|needed| needed.name.to_string()).collect(),
        slice.run_paths.iter().map(|path| format!("{:?} {}", path.tag, path.text)).collect(),
        versions.collect(),
    )
}
