//! WW027 with a real cargo: an editable patch that went through the inode which cargo shares.

use crate::Case;
use crate::support::{cargo_build, cargo_project, session};
use crate::workshop::{holds, lacks_glibc, run_fix, says};
use libtest_mimic::Failed;
use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::binary::Name;
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::{Builtin, EditRequest, Editor};
use wheelwright::engine::report::audit::{Finding, Severity};

pub fn all() -> Vec<Case> {
    vec![Case { name: "an_editable_patch_comes_back_out_of_cargos_cache", lacking: lacks_glibc(), run: comes_back }]
}

fn of_needy(project: &Path, code: &str) -> Result<Vec<Finding>, Failed> {
    let mut session = session(project);
    let artifacts = &session.project().artifacts;
    let id = artifacts.iter().find(|one| one.name == "libneedy.so").ok_or("no libneedy.so")?.id;
    session.audit(id, &Context::new())?;
    let report = session.report(id).ok_or("no report")?;
    session.leave()?;
    Ok(report.findings.into_iter().filter(|one| one.code == code).collect())
}

fn comes_back() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    holds("clean at first", of_needy(&project, "WW027")?.is_empty())?;
    let output = project.join("target/release/libneedy.so");
    let private = directory.path().join("private");
    let copy = directory.path().join("copy.so");
    std::fs::copy(&output, &copy)?;
    let request = EditRequest::SetRpath(Name::from(private.to_string_lossy().as_ref()));
    let plan = Builtin::default().plan(&Windows::open(&copy)?, &[request])?.map_err(|refusal| refusal.reason)?;
    Builtin::default().apply(&copy, &plan, &Context::new())?;
    // In place, so that deps/ has the edited bytes too.
    std::fs::write(&output, std::fs::read(&copy)?)?;
    std::fs::remove_file(&output)?;
    cargo_build(&project);
    holds("cargo gives the edited bytes back", std::fs::read(&output)? == std::fs::read(&copy)?)?;
    let found = of_needy(&project, "WW027")?;
    let finding = found.first().ok_or("no WW027")?;
    holds("one warning", found.len() == 1 && finding.severity == Severity::Warning)?;
    says(finding, &[&output.display().to_string(), "DT_RPATH", &private.display().to_string(), "a linked path"])?;
    run_fix(finding)?;
    cargo_build(&project);
    holds("it is gone", of_needy(&project, "WW027")?.is_empty())
}
