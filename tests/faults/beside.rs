//! What others do beside a session: builds between its steps, builds that it waits for, other sessions, files in its way.

use crate::small::{ALL, NEEDY, PLAIN, Small, THIRSTY, advance, tree};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use wheelwright::engine::repair::Builtin;
use wheelwright::engine::report::audit::StagingState;
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::{Outcome, State, recover};
use wheelwright::engine::{Context, Error};

fn inode(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).unwrap().ino()
}

/// A build that finds everything fresh, between any two steps, forward and back, is no hindrance.
pub fn a_fresh_build_between_any_two_steps_does_no_harm() {
    for at in Step::ALL {
        let small = Small::new();
        let clean = small.clean();
        let mut session = small.session();
        for id in [NEEDY, PLAIN] {
            advance(&mut session, id, at);
            small.uplift(&session.project().artifacts[id.0].name.clone());
            advance(&mut session, id, Step::Finalize);
        }
        assert_eq!(session.state(NEEDY), State::Patched);
        session.leave().unwrap();
        assert_eq!(small.clean(), clean, "a build after {at:?}");
        for name in ["libneedy.so", "libplain.so"] {
            assert_eq!(inode(&small.output(name)), inode(&small.target().join("release/deps").join(name)));
        }
    }
}

/// A build that changes the file is noticed wherever it comes, and its result stays, whether we undo or leave.
pub fn a_changed_build_between_any_two_steps_is_never_overwritten() {
    for at in Step::ALL {
        for undo in [true, false] {
            let small = Small::new();
            let mut session = small.session();
            advance(&mut session, NEEDY, at);
            small.rebuild("libneedy.so");
            let newer = small.clean();
            if let Some(next) = session.next_step(NEEDY) {
                let outcome = session.step(NEEDY, &Context::new()).unwrap();
                assert!(matches!(outcome, Outcome::Refused(_)), "{next:?} after a build after {at:?}: {outcome:?}");
            }
            if undo {
                while session.undo(NEEDY, &Context::new()).unwrap().is_some() {}
                advance(&mut session, NEEDY, Step::Finalize);
            }
            session.leave().unwrap();
            assert_eq!(small.clean(), newer, "a build after {at:?}, undo {undo}");
        }
    }
}

/// What was audited before a build is not what is repaired after it.
pub fn a_build_after_the_audit_is_audited_anew() {
    let small = Small::new();
    let mut session = small.session();
    session.audit(NEEDY, &Context::new()).unwrap();
    small.rebuild("libneedy.so");
    let size = std::fs::metadata(small.output("libneedy.so")).unwrap().len();
    advance(&mut session, NEEDY, Step::Finalize);
    assert_eq!(session.report(NEEDY).unwrap().size, Some(size));
    session.leave().unwrap();
}

/// A failed first step leaves the artifact as fresh as it was.
pub fn a_build_after_a_failed_stage_is_no_change_under_us() {
    let small = Small::new();
    let mut session = small.session();
    session.audit(NEEDY, &Context::new()).unwrap();
    // A file where the session's folder is to be.
    std::fs::create_dir_all(small.home()).unwrap();
    let in_the_way = small.home().join("release");
    std::fs::write(&in_the_way, "").unwrap();
    assert!(!matches!(session.step(NEEDY, &Context::new()), Ok(Outcome::Taken(_))));
    std::fs::remove_file(&in_the_way).unwrap();
    small.rebuild("libneedy.so");
    let newer = small.clean();
    advance(&mut session, NEEDY, Step::Finalize);
    session.leave().unwrap();
    assert_eq!(small.clean(), newer);
}

/// An undo that was cancelled while it waited for a build can be made again.
pub fn a_cancelled_undo_loses_nothing() {
    let small = Small::new();
    let clean = small.clean();
    let mut session = small.session();
    advance(&mut session, NEEDY, Step::Patch);
    let lock = std::fs::File::open(small.target().join("release/.cargo-lock")).unwrap();
    lock.lock().unwrap();
    let context = Context::new();
    context.cancel();
    assert!(matches!(session.undo(NEEDY, &context), Err(Error::Cancelled)));
    assert!(matches!(session.step(THIRSTY, &context), Err(Error::Cancelled)));
    drop(lock);
    for step in Step::ALL.into_iter().rev().filter(|step| *step <= Step::Patch) {
        assert_eq!(session.undo(NEEDY, &Context::new()).unwrap(), Some(step));
    }
    session.leave().unwrap();
    assert_eq!(small.clean(), clean);
}

/// A step waits for a running build, and plans on what the build has left.
pub fn a_step_waits_for_a_build_and_heeds_it() {
    let small = Small::new();
    let mut session = small.session();
    advance(&mut session, NEEDY, Step::Predict);
    let lock = std::fs::File::open(small.target().join("release/.cargo-lock")).unwrap();
    lock.lock().unwrap();
    let lock = std::sync::Mutex::new(Some(lock));
    let small = std::sync::Arc::new(small);
    let building = std::sync::Arc::clone(&small);
    let context = Context::new().watched_by(move || {
        if let Some(lock) = lock.lock().unwrap().take() {
            building.uplift("libneedy.so");
            drop(lock);
        }
    });
    assert_eq!(session.step(NEEDY, &context).unwrap(), Outcome::Taken(Step::CopyBack));
    session.leave().unwrap();
}

/// Cargo links its output again, the session sees it, and it goes away once more: the clean bytes must not end in the trash.
pub fn an_output_that_comes_and_goes_is_not_lost() {
    for finalize in [true, false] {
        let small = Small::new();
        let clean = small.clean();
        let mut session = small.session();
        advance(&mut session, PLAIN, Step::Stage);
        small.uplift("libplain.so");
        advance(&mut session, PLAIN, Step::Audit);
        std::fs::remove_file(small.output("libplain.so")).unwrap();
        if finalize {
            advance(&mut session, PLAIN, Step::Finalize);
        }
        session.leave().unwrap();
        assert_eq!(small.clean(), clean);
    }
}

/// Two that looked before either of them stepped.
pub fn two_sessions_that_looked_at_the_same_time() {
    let small = Small::new();
    let clean = small.clean();
    let (mut one, mut two) = (small.session(), small.session());
    advance(&mut one, NEEDY, Step::Patch);
    assert!(matches!(two.step(PLAIN, &Context::new()), Err(Error::Locked { .. })));
    advance(&mut one, NEEDY, Step::Finalize);
    one.leave().unwrap();
    let results = tree(&small.home().join("release"));
    // The second finds another staging than the one that it had looked at.
    for id in [NEEDY, PLAIN] {
        advance(&mut two, id, Step::Finalize);
    }
    for id in [NEEDY, PLAIN] {
        while two.undo(id, &Context::new()).unwrap().is_some() {}
    }
    assert_eq!(tree(&small.home().join("release")), results, "the first one's results are back");
    two.leave().unwrap();
    assert_eq!(small.clean(), clean);
}

/// A file that others put where a step is about to make one is theirs, also when the step is taken back.
pub fn a_file_in_the_way_is_left_alone() {
    let small = Small::new();
    let mut session = small.session();
    advance(&mut session, NEEDY, Step::Predict);
    let private = small.home().join("release/libneedy.so.private");
    std::fs::write(&private, "mine").unwrap();
    assert!(session.step(NEEDY, &Context::new()).is_err());
    assert_eq!(std::fs::read(&private).unwrap(), b"mine");
    session.leave().unwrap();
    assert_eq!(std::fs::read(&private).unwrap(), b"mine");
}

/// An output that is a link or a directory is refused with a reason, and stays as it is.
pub fn an_output_that_is_no_file_is_refused() {
    for directory in [true, false] {
        let small = Small::new();
        let output = small.output("libneedy.so");
        std::fs::remove_file(&output).unwrap();
        match directory {
            true => std::fs::create_dir(&output).unwrap(),
            false => std::os::unix::fs::symlink("deps/libneedy.so", &output).unwrap(),
        }
        let mut session = small.session();
        let Outcome::Refused(refusal) = session.step(NEEDY, &Context::new()).unwrap() else { panic!("staged") };
        assert!(refusal.reason.contains("not a file"), "{}", refusal.reason);
        session.leave().unwrap();
        assert_eq!(output.is_symlink(), !directory);
        assert!(!small.home().exists(), "nothing was touched");
    }
}

/// Odd modes come back, and a copy has them, but that its owner may write to it.
pub fn odd_modes_are_kept() {
    for mode in [0o4755, 0o2750, 0o555, 0o400, 0o7777] {
        let small = Small::new();
        let output = small.output("libneedy.so");
        std::fs::set_permissions(&output, std::fs::Permissions::from_mode(mode)).unwrap();
        let mut session = small.session();
        advance(&mut session, NEEDY, Step::CopyBack);
        let staged = session.staged_path(NEEDY).unwrap();
        assert_eq!(std::fs::metadata(&staged).unwrap().mode() & 0o7777, mode | 0o200);
        advance(&mut session, NEEDY, Step::Finalize);
        session.leave().unwrap();
        assert_eq!(std::fs::metadata(&output).unwrap().mode() & 0o7777, mode);
    }
}

/// What earlier sessions left behind in staging is no hindrance, and is given back.
pub fn stale_leftovers_are_no_hindrance() {
    let small = Small::new();
    let clean = small.clean();
    let leftovers = [
        "trash/finalize+release+libplain.so",
        "trash/stage+release+libneedy.so",
        "verify/small/needy.so",
        "release/libneedy.so",
        "release/libneedy.so.private",
        "release/libplain.so",
        "release/bundle/small/plain.so",
        "kept/libneedy.so.1",
    ];
    for leftover in leftovers {
        crate::support::write(&small.home().join(leftover), leftover);
    }
    let mut session = small.session();
    for id in ALL {
        advance(&mut session, id, Step::Finalize);
    }
    for id in ALL {
        while session.undo(id, &Context::new()).unwrap().is_some() {}
    }
    for leftover in leftovers.iter().filter(|leftover| !leftover.starts_with("verify/")) {
        assert_eq!(std::fs::read(small.home().join(leftover)).unwrap(), leftover.as_bytes());
    }
    session.leave().unwrap();
    assert_eq!(small.clean(), clean);
    assert!(!small.home().join("trash").exists());
}

/// A session on what a killed one left looks, says what to do, and what it says helps.
pub fn an_interrupted_session_says_the_way_out() {
    let small = Small::new();
    let clean = small.clean();
    let mut session = small.session();
    advance(&mut session, NEEDY, Step::Patch);
    // As if killed: nothing of it runs any more. Its lock goes with it.
    let journal = std::fs::read(small.home().join("journal")).unwrap();
    session.leave().unwrap();
    let mut session = small.session();
    advance(&mut session, NEEDY, Step::Predict);
    let left = std::fs::read(small.home().join("journal")).unwrap();
    std::mem::forget(session);
    let _ = (journal, left);
    // The forgotten session still holds its lock in this process.
    let looker = small.session();
    assert!(looker.read_only().unwrap().contains("another wheelwright session"));
    let copy = small.root.join("copy of it");
    crate::support::run(std::process::Command::new("cp").arg("-a").arg(small.target()).arg(&copy));
    let mut project = small.project();
    project.target_directory = Some(copy.clone());
    let mut looker = small.session_with(project, |_| {});
    let said = looker.read_only().unwrap().to_owned();
    assert!(said.contains(&format!("`wheelwright recover '{}'`", copy.display())), "{said}");
    assert!(looker.step(PLAIN, &Context::new()).is_err());
    assert_eq!(small.session().snapshot().artifacts[0].staging.state, StagingState::NotStaged);
    recover_by_hand(&small);
    assert_eq!(small.clean(), clean);
}

fn recover_by_hand(small: &Small) {
    // The lock is the forgotten session's: recovery must not go ahead while it lives.
    assert!(matches!(recover(&small.home(), &Builtin::default(), &Context::new()), Err(Error::Locked { .. })));
    let journal: PathBuf = small.home().join("journal");
    let text = std::fs::read(&journal).unwrap();
    std::fs::remove_file(&journal).unwrap();
    std::fs::write(&journal, text).unwrap();
    let recovery = recover(&small.home(), &Builtin::default(), &Context::new()).unwrap();
    assert!(!recovery.taken_back.is_empty() && recovery.missing.is_empty());
}

/// A journal that can't be read makes the session read-only; recovery refuses, changes nothing, and says where the damage is.
pub fn a_damaged_journal_stops_nobody_from_looking() {
    for text in ["nonsense\n{}\n", "{\"open\":{\"version\":9,\"x\":1}}\n{\"new\":1}\n"] {
        let small = Small::new();
        crate::support::write(&small.home().join("journal"), text);
        let before = tree(&small.root);
        let mut session = small.session();
        assert!(session.read_only().is_some_and(|reason| reason.contains("journal")));
        session.audit(NEEDY, &Context::new()).unwrap();
        assert!(session.step(NEEDY, &Context::new()).is_err());
        assert!(recover(&small.home(), &Builtin::default(), &Context::new()).is_err());
        session.leave().unwrap();
        assert_eq!(tree(&small.root), before);
    }
}

/// Outputs that are gone with their staging directory are named.
pub fn recovery_names_what_is_gone() {
    let small = Small::new();
    let mut session = small.session();
    advance(&mut session, PLAIN, Step::Stage);
    let journal = std::fs::read(small.home().join("journal")).unwrap();
    std::mem::forget(session);
    std::fs::remove_dir_all(small.home()).unwrap();
    std::fs::create_dir(small.home()).unwrap();
    std::fs::write(small.home().join("journal"), journal).unwrap();
    let recovery = recover(&small.home(), &Builtin::default(), &Context::new()).unwrap();
    assert_eq!(recovery.missing, [small.output("libplain.so")]);
}
