//! What is said of each remedy: in the report, in the findings, and by the loader when it is tried.

use crate::case::{Built, PLANNED, adopt, advance, by_name, loading, opened, report};
use crate::support::options;
use libtest_mimic::{Failed, Trial};
use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::project::lab::lay_out;
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::audit::{ArtifactReport, Finding, Severity};
use wheelwright::engine::report::dlopen::{OpenedVerdict, RemedyKind};
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::Session;

pub fn all() -> Vec<Trial> {
    vec![
        Trial::test("the_case_is_found_and_every_remedy_judged", judged),
        Trial::test("what_nobody_links_is_found_too", unlinked),
        Trial::test("what_is_tried_is_as_it_was_said", tried),
        Trial::test("in_the_lab_it_is_so_too", lab),
        Trial::test("the_command_line_adopts", command_line),
    ]
}

fn of_code<'a>(report: &'a ArtifactReport, code: &str) -> Vec<&'a Finding> {
    report.findings.iter().filter(|finding| finding.code == code).collect()
}

fn judged() -> Result<(), Failed> {
    let built = Built::new(true);
    let mut session = built.session();
    let report = report(&mut session, "libb.so");
    let opened = opened(&report);
    let grafted = opened.grafted.clone().unwrap();
    assert!(grafted.name.starts_with("libfoo-") && grafted.because_of == ["a.so"], "{grafted:?}");
    assert_eq!(opened.verdict, OpenedVerdict::Renamed, "{}", opened.why);
    let helps: BTreeMap<RemedyKind, Option<bool>> =
        opened.remedies.iter().map(|remedy| (remedy.kind, remedy.helps)).collect();
    let expected = [
        (RemedyKind::AddRpath, Some(false)),
        (RemedyKind::KeepName, Some(true)),
        (RemedyKind::AddNeeded, Some(false)),
        (RemedyKind::KeepSoname, Some(true)),
        (RemedyKind::Preload, Some(true)),
        (RemedyKind::LinkIt, Some(true)),
    ];
    assert_eq!(helps, BTreeMap::from(expected), "{:#?}", opened.remedies);
    assert_eq!(opened.remedy, Some(RemedyKind::KeepSoname));
    let path = opened.remedies.iter().find(|remedy| remedy.kind == RemedyKind::AddRpath).unwrap();
    assert!(path.why.contains(&format!("is called {} and its SONAME says so too", grafted.name)), "{}", path.why);
    let [finding] = of_code(&report, "WW008")[..] else { panic!("{:#?}", report.findings) };
    assert_eq!(finding.severity, Severity::Warning);
    assert!(finding.title.contains(&grafted.name), "{}", finding.title);
    assert!(finding.evidence.iter().any(|line| line.contains("libb.so passes libfoo.so.1")), "{:#?}", finding.evidence);
    assert!(
        finding.fix.iter().any(|line| line.ends_with("wheelwright run --adopt keep-soname:libfoo.so.1@libb.so")),
        "{:#?}",
        finding.fix
    );
    assert!(of_code(&report, "WW007").is_empty());
    // Adopted, it works, and the remedy is marked.
    adopt(&mut session, RemedyKind::KeepName);
    let report = crate::case::report(&mut session, "libb.so");
    let opened = crate::case::opened(&report);
    assert_eq!(opened.verdict, OpenedVerdict::Works, "{}", opened.why);
    let adopted: Vec<RemedyKind> =
        opened.remedies.iter().filter(|remedy| remedy.adopted).map(|remedy| remedy.kind).collect();
    assert_eq!(adopted, [RemedyKind::KeepName]);
    assert!(of_code(&report, "WW008").is_empty());
    Ok(())
}

fn unlinked() -> Result<(), Failed> {
    let built = Built::new(false);
    let mut session = built.session();
    let report = report(&mut session, "libb.so");
    let opened = opened(&report);
    // The library lies where the user said, and no loader looks there.
    assert_eq!(opened.verdict, OpenedVerdict::Missing, "{}", opened.why);
    let path = opened.remedies.iter().find(|remedy| remedy.kind == RemedyKind::AddRpath).unwrap();
    assert!(path.why.contains("nothing brings libfoo.so.1 into the bundle"), "{}", path.why);
    assert_eq!(opened.remedy, Some(RemedyKind::KeepSoname));
    let [finding] = of_code(&report, "WW007")[..] else { panic!("{:#?}", report.findings) };
    assert_eq!(finding.severity, Severity::Warning);
    assert!(of_code(&report, "WW008").is_empty());
    Ok(())
}

/// The load proof on the bundle of each remedy, the build out of reach.
fn tried() -> Result<(), Failed> {
    let built = Built::new(true);
    let mut session = built.loading_session(Path::new(env!("CARGO_BIN_EXE_wheelwright")));
    let id = by_name(&session, "libb.so");
    let said = opened(&report(&mut session, "libb.so"));
    for kind in PLANNED {
        let adoption = session.adoption(id, kind, "libfoo.so.1", &Context::new())?;
        let load = session.try_remedy(&adoption, &Context::new())?;
        let helps = said.remedies.iter().find(|remedy| remedy.kind == kind).unwrap().helps;
        let [probe] = &load.opened[..] else { panic!("{kind:?}: {load:#?}") };
        assert_eq!(helps, Some(probe.path.is_some()), "{kind:?}: {load:#?}");
        match &probe.path {
            Some(path) => assert!(path.starts_with("bundle:labext.libs/libfoo"), "{kind:?}: {path}"),
            None => assert!(probe.error.as_ref().unwrap().contains("libfoo.so.1"), "{kind:?}: {probe:?}"),
        }
        assert!(!session.places().scratch().exists(), "nothing is left");
    }
    assert!(session.adoptions().is_empty());
    let kept = opened(&session.report(id).unwrap());
    assert_eq!(kept.remedies.iter().filter(|remedy| remedy.tried.is_some()).count(), PLANNED.len());
    for (kind, opens) in [(RemedyKind::AddRpath, false), (RemedyKind::Preload, true)] {
        adopt(&mut session, kind);
        advance(&mut session, Step::Verify);
        let load = session.report(id).unwrap().load.unwrap();
        let [probe] = &load.opened[..] else { panic!("{kind:?}: {load:#?}") };
        assert_eq!(probe.path.is_some(), opens, "{kind:?} at the verify step: {load:#?}");
        for id in session.project().artifacts.iter().map(|artifact| artifact.id).collect::<Vec<_>>() {
            while session.undo(id, &Context::new())?.is_some() {}
        }
    }
    Ok(())
}

/// The demo lab: the library that two artifacts share needs another one, by version.
fn lab() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let lab = lay_out(&directory.path().join("lab"))?;
    let mut options = options(Mode::Repair, None);
    options.loading = Some(loading(Path::new(env!("CARGO_BIN_EXE_wheelwright"))));
    let mut session = Session::open(lab.project, options)?;
    let id = by_name(&session, "liblabdlopen.so");
    let found = report(&mut session, "liblabdlopen.so");
    let [said] = &found.dlopen.as_ref().unwrap().candidates.as_ref().unwrap()[..] else { panic!("{found:#?}") };
    assert_eq!((said.name.as_str(), said.verdict), ("libgreet.so.1", OpenedVerdict::Renamed), "{said:#?}");
    for kind in PLANNED {
        let adoption = session.adoption(id, kind, "libgreet.so.1", &Context::new())?;
        let load = session.try_remedy(&adoption, &Context::new())?;
        let helps = said.remedies.iter().find(|remedy| remedy.kind == kind).unwrap().helps;
        let [probe] = &load.opened[..] else { panic!("{kind:?}: {load:#?}") };
        assert_eq!(helps, Some(probe.path.is_some()), "{kind:?}: {load:#?}");
    }
    Ok(())
}

/// The names in `directory` that begin as the opened one does.
fn libfoos(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.starts_with("libfoo")).collect()
}

fn command_line() -> Result<(), Failed> {
    let built = Built::new(true);
    let out = tempfile::tempdir()?;
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
        command.args(arguments).arg("--ld-path").arg(built.private()).current_dir(&built.project);
        let output = command.output().unwrap();
        (output.status.code(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    // What the first run grafts stays in staging, and is not of the second one's bundle.
    let plain = out.path().join("plain");
    let (_, said) = run(&["run", "--load", "never", "-o", plain.to_str().unwrap()]);
    assert!(libfoos(&plain.join("labext.libs"))[0].starts_with("libfoo-"), "{said}");
    let directory = out.path().join("named");
    let (_, said) =
        run(&["run", "--load", "never", "-o", directory.to_str().unwrap(), "--adopt", "keep-name:libfoo.so.1"]);
    assert_eq!(libfoos(&directory.join("labext.libs")), ["libfoo.so.1"], "{said}");
    let directory = out.path().join("kept");
    let adopting = ["--adopt", "keep-soname:libfoo.so.1"];
    let (status, said) = run(&[&["run", "--load", "never", "-o", directory.to_str().unwrap()][..], &adopting].concat());
    assert_eq!(status, Some(0), "{said}");
    assert_eq!(built.load(&directory.join("labext/b.so"), &[]), "answer 42\n");
    for (adopted, words) in [
        ("keep-it:libfoo.so.1", "the kinds are add-rpath, add-needed, keep-soname, keep-name, preload"),
        ("keep-name:libbar.so.1", "no artifact here is seen to open libbar.so.1"),
        ("keep-name:libfoo.so.1@libc.so", "no artifact here is called libc.so"),
        ("keep-name:libbar.so.1@libb.so", "is found nowhere on this machine"),
    ] {
        let (status, said) = run(&["plan", "--adopt", adopted]);
        assert_eq!(status, Some(2), "{said}");
        assert!(said.contains(words) && said.contains(adopted), "{said}");
    }
    Ok(())
}
