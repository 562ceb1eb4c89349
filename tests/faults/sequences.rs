//! The laws, over random ways through a session: going back is the inverse of going forward in every order, and leaving puts
//! everything back, wherever it comes.

use crate::small::{ALL, Small, tree};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use wheelwright::engine::Context;
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::{Content, Outcome};

#[derive(Debug, Clone, Copy)]
enum Move {
    Step(usize),
    Undo(usize),
    FreshBuild(usize),
    LeaveAndReturn,
}

fn moves() -> impl Strategy<Value = Vec<Move>> {
    let one = prop_oneof![
        10 => (0..3_usize).prop_map(Move::Step),
        5 => (0..3_usize).prop_map(Move::Undo),
        1 => (0..3_usize).prop_map(Move::FreshBuild),
        1 => Just(Move::LeaveAndReturn),
    ];
    prop::collection::vec(one, 0..60)
}

pub fn every_way_there_and_back() {
    let mut runner = TestRunner::new(Config { cases: 60, failure_persistence: None, ..Config::default() });
    runner.run(&moves(), |moves| go(&moves)).unwrap();
}

fn go(moves: &[Move]) -> Result<(), TestCaseError> {
    let small = Small::new();
    let clean = small.clean();
    let context = Context::new();
    let mut session = small.session();
    let mut returned = false;
    // A build changes the plan, and the session hears of it with the next step.
    let mut built = [false; 3];
    for one in moves {
        match *one {
            Move::Step(number) => {
                let id = ALL[number];
                let before = session.next_step(id);
                let plan = session.snapshot().artifacts[number].steps.iter().find(|step| !step.done).cloned();
                let outcome = session.step(id, &context).map_err(|error| TestCaseError::fail(error.to_string()))?;
                match outcome {
                    Outcome::Taken(step) => {
                        prop_assert_eq!(Some(step), before);
                        if let Some(plan) = plan.filter(|_| !std::mem::take(&mut built[number])) {
                            let done = session.snapshot();
                            let done = done.artifacts[number].steps.iter().find(|done| done.step == step).unwrap();
                            prop_assert_eq!(&done.effects, &plan.effects, "what was shown is what was done");
                        }
                    }
                    Outcome::AtTheEnd => prop_assert_eq!(before, None),
                    Outcome::Refused(refusal) => return Err(TestCaseError::fail(format!("{before:?}: {refusal:?}"))),
                }
            }
            Move::Undo(number) => {
                let done = session.undo(ALL[number], &context);
                done.map_err(|error| TestCaseError::fail(error.to_string()))?;
            }
            Move::FreshBuild(number) => {
                small.uplift(&session.project().artifacts[number].name.clone());
                built[number] = true;
            }
            Move::LeaveAndReturn => {
                session.leave().unwrap();
                prop_assert_eq!(&small.clean(), &clean);
                session = small.session();
                returned = true;
            }
        }
        agrees(&session)?;
    }
    for id in ALL {
        while session.undo(id, &context).map_err(|error| TestCaseError::fail(error.to_string()))?.is_some() {}
    }
    prop_assert_eq!(&small.clean(), &clean);
    if !returned {
        let mut left = tree(&small.home());
        left.retain(|path, _| !path.ends_with("journal") && !path.ends_with("trash"));
        prop_assert!(left.is_empty(), "left after undoing everything: {:?}", left.keys());
    }
    session.leave().unwrap();
    prop_assert_eq!(&small.clean(), &clean);
    Ok(())
}

/// The model's files are the disk's, and every output's clean bytes have a name.
fn agrees(session: &wheelwright::engine::stage::Session) -> Result<(), TestCaseError> {
    let (places, model) = (session.places(), &session.world().model);
    for (path, bytes) in tree(&places.staging) {
        if path == places.journal() {
            continue;
        }
        prop_assert!(model.exists(&path), "{} is unknown", path.display());
        prop_assert_eq!(bytes.is_none(), model.is_directory(&path), "{}", path.display());
    }
    for artifact in &session.project().artifacts {
        let staged = places.staged(artifact);
        prop_assert_eq!(model.exists(&staged), staged.exists());
        let clean = session.clean_path(artifact.id);
        prop_assert!(clean.is_some(), "{} has no clean bytes", artifact.name);
        let file = session.staged_path(artifact.id).and_then(|path| model.file(&path));
        if let Some(file) = file {
            let ours = [Content::Output(artifact.id), Content::Copy(artifact.id)];
            prop_assert!(ours.contains(&file.content), "{:?}", file);
            prop_assert!(!file.edited || file.content == ours[1], "an edit in cargo's inode");
        }
    }
    Ok(())
}

/// The plan of everything is what the steps then do, in whatever order the artifacts go.
pub fn every_step_is_planned_before_the_first() {
    for order in [[0, 1, 2], [2, 1, 0], [1, 0, 2]] {
        let small = Small::new();
        let mut session = small.session();
        let whole = session.plan_document(Step::Finalize, &Context::new()).unwrap();
        for (number, step) in Step::ALL.into_iter().enumerate() {
            let now = session.plan_document(Step::Finalize, &Context::new()).unwrap();
            if order == [0, 1, 2] {
                assert_eq!(now.steps[number].effects, whole.steps[number].effects);
            }
            for at in order {
                assert_eq!(session.step(ALL[at], &Context::new()).unwrap(), Outcome::Taken(step));
            }
        }
        session.leave().unwrap();
    }
}
