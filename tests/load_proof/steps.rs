//! The verify step of a session that may load: on a real cargo project, and on the demo lab.

use crate::lab::clock;
use crate::support::{cargo_project, found, options};
use libtest_mimic::Failed;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;
use wheelwright::engine::Context;
use wheelwright::engine::dlopen::proof::{Loading, Which};
use wheelwright::engine::project::{ArtifactId, Project, lab};
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::dlopen::FoundIn;
use wheelwright::engine::report::load::{LoadReport, LoadVerdict};
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::{Outcome, Session, SessionOptions};

fn session(project: Project, which: Which) -> Session {
    let helper = PathBuf::from(env!("CARGO_BIN_EXE_wheelwright"));
    let loading = Loading::new(helper, None, which, clock(Duration::from_secs(120)));
    Session::open(project, SessionOptions { loading: Some(loading), ..options(Mode::Repair, None) }).unwrap()
}

fn load(session: &Session, id: ArtifactId) -> Option<LoadReport> {
    session.report(id).and_then(|report| report.load)
}

fn id(session: &Session, name: &str) -> ArtifactId {
    session.project().artifacts.iter().find(|artifact| artifact.name == name).unwrap().id
}

/// Steps forward until after `last`, or until something is refused.
fn go(session: &mut Session, id: ArtifactId, last: Step) -> Outcome {
    loop {
        match session.step(id, &Context::new()).unwrap() {
            Outcome::Taken(step) if step < last => {}
            outcome => return outcome,
        }
    }
}

pub fn cargo_outputs() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let mut session = session(found(&project), Which::Outputs);
    let needy = id(&session, "libneedy.so");
    assert_eq!(go(&mut session, needy, Step::Patch), Outcome::Taken(Step::Patch));
    assert_eq!(load(&session, needy), None);
    assert_eq!(go(&mut session, needy, Step::Verify), Outcome::Taken(Step::Verify));
    let report = load(&session, needy).unwrap();
    assert_eq!(report.verdict, LoadVerdict::Loads, "{report:?}");
    let bundled = report.libraries.iter().filter(|library| library.from == FoundIn::Bundle);
    assert_eq!(bundled.count(), 2, "{report:?}");
    assert!(report.build_hidden_by.is_some(), "{report:?}");
    session.undo(needy, &Context::new())?;
    assert_eq!(load(&session, needy), None, "undoing the step forgets it");
    // A library that is gone from the bundle.
    let artifact = session.project().artifacts[needy.0].clone();
    let names: Vec<_> = session.bundle_files(&artifact).unwrap().into_iter().map(|file| file.at).collect();
    assert_eq!(names.len(), 3, "{names:?}");
    let tool = id(&session, "tool");
    assert_eq!(go(&mut session, tool, Step::Verify), Outcome::Taken(Step::Verify));
    let report = load(&session, tool).unwrap();
    if cfg!(target_env = "gnu") {
        assert_eq!(report.verdict, LoadVerdict::Loads, "{report:?}");
        let bundled = report.libraries.iter().filter(|library| library.from == FoundIn::Bundle);
        assert_eq!(bundled.count(), 2, "{report:?}");
    }
    session.leave()?;
    Ok(())
}

pub fn refused() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    // In its place lies a library whose start crashes.
    let output = project.join("target/release/libplain.so");
    std::fs::remove_file(&output)?;
    let source = directory.path().join("falls.c");
    std::fs::write(&source, "__attribute__((constructor)) static void start(void) { __builtin_trap(); }")?;
    assert!(Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&output).arg(&source).status()?.success());
    let mut session = session(found(&project), Which::Outputs);
    let plain = id(&session, "libplain.so");
    let Outcome::Refused(refusal) = go(&mut session, plain, Step::Verify) else { return Err("taken".into()) };
    assert!(refusal.reason.contains("it does not load out of the bundle: while it was loaded"), "{refusal:?}");
    assert!(refusal.way_out.contains("--load never"), "{refusal:?}");
    assert_eq!(load(&session, plain).map(|report| report.verdict), Some(LoadVerdict::Fails));
    assert_eq!(session.next_step(plain), Some(Step::Verify));
    session.undo(plain, &Context::new())?;
    assert_eq!(load(&session, plain), None);
    session.leave()?;
    Ok(())
}

pub fn demo_lab() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let lab = lab::lay_out(directory.path())?;
    let mut session = session(lab.project, Which::Outputs);
    // Those that are repaired already, or need what is nowhere, are refused before; the others go to the end.
    let rows = [
        ("liblabclean.so", Some((LoadVerdict::Loads, "0 libraries of the bundle, 1 that"))),
        ("liblabdlopen.so", Some((LoadVerdict::Loads, "0 libraries of the bundle, 1 that"))),
        ("liblabdone.so", None),
        ("liblabext.so", Some((LoadVerdict::Loads, "2 libraries of the bundle, 1 that"))),
        ("liblabmissing.so", None),
        ("labctl", Some((LoadVerdict::Loads, "2 libraries of the bundle"))),
        ("labprobe", Some((LoadVerdict::Loads, "0 libraries of the bundle"))),
        ("labtool", Some((LoadVerdict::Loads, "0 libraries of the bundle"))),
        ("liblabmac.dylib", Some((LoadVerdict::NotTried, "a Mach-O file"))),
        ("labwin.dll", Some((LoadVerdict::NotTried, "a PE file"))),
    ];
    for (name, expected) in rows {
        let id = id(&session, name);
        let outcome = go(&mut session, id, Step::Finalize);
        assert_eq!(matches!(outcome, Outcome::Refused(_)), expected.is_none(), "{name}: {outcome:?}");
        let report = load(&session, id);
        match expected {
            None => assert_eq!(report, None),
            // The lab is built for one machine.
            Some((LoadVerdict::Loads, _)) if !cfg!(all(target_arch = "x86_64", target_env = "gnu")) => {
                assert_eq!(report.map(|report| report.verdict), Some(LoadVerdict::NotTried), "{name}");
            }
            Some((verdict, words)) => {
                let report = report.unwrap();
                assert_eq!(report.verdict, verdict, "{report:?}");
                assert!(report.why.contains(words), "{name}: {}", report.why);
            }
        }
    }
    session.leave()?;
    Ok(())
}
