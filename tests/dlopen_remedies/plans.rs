//! What adopting does to plans, predictions, runs and undoing.

use crate::case::{Built, PLANNED, adopt, advance, advance_one, bundle, by_name};
use crate::support::{known_files, options};
use libtest_mimic::{Failed, Trial};
use std::path::PathBuf;
use wheelwright::engine::Context;
use wheelwright::engine::binary::Format;
use wheelwright::engine::file::sha256;
use wheelwright::engine::project::{ArtifactId, lab};
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::dlopen::RemedyKind;
use wheelwright::engine::report::plan::{PlannedStep, Step};
use wheelwright::engine::stage::Session;

pub fn all() -> Vec<Trial> {
    vec![
        Trial::test("what_a_remedy_makes_of_the_bundle_loads_or_does_not", what_loads),
        Trial::test("a_library_that_nobody_links_is_brought_along", brought_along),
        Trial::test("will_patch_is_what_happens_with_adoptions", will_patch),
        Trial::test("the_plan_of_everything_is_the_plans_step_by_step_with_adoptions", step_by_step),
        Trial::test("undo_gives_everything_back_with_adoptions", undone),
        Trial::test("an_adoption_waits_for_undo", waits_for_undo),
        Trial::test("what_can_not_be_adopted_is_refused_with_a_way_out", refused),
        Trial::test("formats_without_an_editor_are_refused_politely", other_formats),
    ]
}

fn libraries(bundle: &std::path::Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(bundle.join("labext.libs"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}

/// The real loader on the bundle of every remedy.
fn what_loads() -> Result<(), Failed> {
    let built = Built::new(true);
    let out = tempfile::tempdir()?;
    for kind in std::iter::once(None).chain(PLANNED.map(Some)) {
        let mut session = built.session();
        if let Some(kind) = kind {
            adopt(&mut session, kind);
        }
        advance(&mut session, Step::Finalize);
        session.leave()?;
        let bundle = bundle(&session, &out.path().join(format!("{kind:?}")));
        let (a, b) = (bundle.join("labext/a.so"), bundle.join("labext/b.so"));
        assert_eq!(built.load(&a, &[]), "answer 42\n", "{kind:?}: what links it loads all the same");
        let libraries = libraries(&bundle);
        assert_eq!(libraries.len(), 2, "{kind:?}: one copy only: {libraries:?}");
        let foo = libraries.iter().find(|name| name.starts_with("libfoo")).unwrap();
        assert_eq!(foo == "libfoo.so.1", kind == Some(RemedyKind::KeepName), "{kind:?}: {foo}");
        let said = built.load(&b, &[]);
        match kind {
            Some(RemedyKind::KeepName | RemedyKind::KeepSoname) => assert_eq!(said, "answer 42\n", "{kind:?}"),
            _ => assert!(said.contains("libfoo.so.1: cannot open shared object file"), "{kind:?}: {said}"),
        }
        if kind == Some(RemedyKind::Preload) {
            let first = bundle.join("labext.libs").join(foo);
            assert_eq!(built.load(&b, &[first]), "answer 42\n", "loaded ahead");
        }
    }
    Ok(())
}

/// A library that only the opening leads to is grafted for its host, with what it needs.
fn brought_along() -> Result<(), Failed> {
    let built = Built::new(false);
    let out = tempfile::tempdir()?;
    for kind in [RemedyKind::KeepName, RemedyKind::KeepSoname] {
        let mut session = built.session();
        session.audit(by_name(&session, "libb.so"), &Context::new())?;
        adopt(&mut session, kind);
        advance(&mut session, Step::Finalize);
        session.leave()?;
        let bundle = bundle(&session, &out.path().join(format!("{kind:?}")));
        let libraries = libraries(&bundle);
        assert_eq!(libraries.len(), 2, "{libraries:?}");
        assert!(libraries[0].starts_with("libdeep-"), "what it needs keeps its hashed name: {libraries:?}");
        assert_eq!(built.load(&bundle.join("labext/b.so"), &[]), "answer 42\n", "{kind:?}");
        assert!(bundle.join("labext/a.so").is_file());
    }
    Ok(())
}

fn all_ids(session: &Session) -> Vec<ArtifactId> {
    session.project().artifacts.iter().map(|artifact| artifact.id).collect()
}

fn will_patch() -> Result<(), Failed> {
    let built = Built::new(true);
    for kind in PLANNED {
        let mut session = built.session();
        adopt(&mut session, kind);
        for id in all_ids(&session) {
            let report = session.report(id).unwrap();
            let before = sha256(&report.path, &Context::new())?;
            let names: Vec<String> =
                report.external_libs.iter().flatten().filter_map(|library| library.grafted_name.clone()).collect();
            advance_one(&mut session, id, Step::Patch);
            let after = sha256(&session.staged_path(id).unwrap(), &Context::new())?;
            assert_eq!(report.will_patch.repair, Some(before != after), "{kind:?} {}", report.name);
            let kept = names.iter().any(|name| name == "libfoo.so.1");
            assert_eq!(kept, kind == RemedyKind::KeepName && report.name == "liba.so", "{kind:?} {names:?}");
        }
        session.leave()?;
    }
    Ok(())
}

fn step_by_step() -> Result<(), Failed> {
    let built = Built::new(true);
    for kind in PLANNED {
        let mut session = built.session();
        adopt(&mut session, kind);
        let whole = session.plan_document(Step::Finalize, &Context::new())?;
        let text = |step: &PlannedStep| serde_json::to_string(step).unwrap();
        for (number, step) in Step::ALL.into_iter().enumerate() {
            let now = session.plan_document(step, &Context::new())?;
            assert_eq!(text(now.steps.last().unwrap()), text(&whole.steps[number]), "{kind:?} {step:?}");
            advance(&mut session, step);
        }
        let done = session.run_document(&whole, &Default::default(), &Context::new())?;
        for (planned, done) in whole.steps.iter().zip(&done.steps) {
            assert_eq!(planned.effects, done.effects.iter().map(|effect| effect.effect.clone()).collect::<Vec<_>>());
        }
        session.leave()?;
    }
    Ok(())
}

fn undone() -> Result<(), Failed> {
    let built = Built::new(true);
    let target = built.project.join("target");
    let clean = known_files(&target);
    for kind in PLANNED {
        let mut session = built.session();
        adopt(&mut session, kind);
        advance(&mut session, Step::Finalize);
        let ids = all_ids(&session);
        for step in Step::ALL.into_iter().rev() {
            for id in &ids {
                assert_eq!(session.undo(*id, &Context::new())?, Some(step));
            }
        }
        assert_eq!(known_files(&target), clean, "{kind:?}");
        session.leave()?;
        let left = known_files(&target.join("wheelwright"));
        let names: Vec<_> = left.keys().filter(|path| !path.ends_with("journal")).collect();
        assert!(names.is_empty(), "{kind:?}: {names:?}");
    }
    Ok(())
}

fn waits_for_undo() -> Result<(), Failed> {
    let built = Built::new(true);
    let context = Context::new();
    let mut session = built.session();
    let (a, b) = (by_name(&session, "liba.so"), by_name(&session, "libb.so"));
    let plain = serde_json::to_string(&session.plan_document(Step::Finalize, &context)?)?;
    advance_one(&mut session, a, Step::Patch);
    let kept = session.adoption(b, RemedyKind::KeepName, "libfoo.so.1", &context)?;
    let refusal = session.adopt(kept.clone(), &context).unwrap_err().to_string();
    assert!(refusal.contains("liba.so") && refusal.contains("undo"), "{refusal}");
    assert!(session.adoptions().is_empty());
    // What changes nothing of the file that was patched may come at any time.
    let path = session.adoption(b, RemedyKind::AddRpath, "libfoo.so.1", &context)?;
    session.adopt(path.clone(), &context)?;
    assert_eq!(session.adoptions(), std::slice::from_ref(&path));
    session.drop_adoption(&path, &context)?;
    while session.undo(a, &context)?.is_some() {}
    session.adopt(kept.clone(), &context)?;
    assert_ne!(serde_json::to_string(&session.plan_document(Step::Finalize, &context)?)?, plain);
    session.drop_adoption(&kept, &context)?;
    assert_eq!(serde_json::to_string(&session.plan_document(Step::Finalize, &context)?)?, plain);
    session.leave()?;
    Ok(())
}

fn refused() -> Result<(), Failed> {
    let built = Built::new(true);
    let context = Context::new();
    let mut session = built.session();
    let b = by_name(&session, "libb.so");
    let mut says = |kind, name: &str, words: &str| {
        let error = session.adoption(b, kind, name, &context).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    };
    says(RemedyKind::LinkIt, "libfoo.so.1", "build.rs");
    says(RemedyKind::KeepName, "libnone.so.7", "--ld-path");
    let by_path: PathBuf = built.private().join("libfoo.so.1");
    let adoption = session.adoption(b, RemedyKind::KeepName, by_path.to_str().unwrap(), &context)?;
    let error = session.adopt(adoption, &context).unwrap_err().to_string();
    assert!(error.contains("by its path"), "{error}");
    adopt(&mut session, RemedyKind::KeepName);
    // The same file can't keep two names.
    let second = session.adoption(b, RemedyKind::KeepName, "libfoo.so", &context)?;
    let error = session.adopt(second, &context).unwrap_err().to_string();
    assert!(error.contains("one of the names"), "{error}");
    assert_eq!(session.adoptions().len(), 1);
    Ok(())
}

fn other_formats() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = lab::lay_out(directory.path())?.project;
    let mut session = Session::open(project, options(Mode::Repair, None))?;
    session.plan_document(Step::Finalize, &Context::new())?;
    let mut refused = 0;
    for id in all_ids(&session) {
        let format = session.report(id).and_then(|report| report.format);
        if matches!(format, Some(Format::MachO | Format::Pe)) {
            let error = session.adoption(id, RemedyKind::KeepName, "libfoo.so.1", &Context::new()).unwrap_err();
            let said = error.to_string();
            assert!(said.contains("can't be edited yet") && said.contains("link the library"), "{said}");
            refused += 1;
        }
    }
    assert!(refused >= 2, "{refused}");
    Ok(())
}
