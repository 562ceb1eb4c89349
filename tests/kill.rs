//! A session that is killed before, in or after any of its effects leaves nothing that `recover` can't put right.
//!
//! The child is this program again; it ends itself by SIGKILL at the given place, so nothing of it can tidy up.
#![allow(missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use support::{cargo_build, cargo_project, found, known_files, options, run, write};
use wheelwright::engine::Context;
use wheelwright::engine::repair::{Builtin, Mode};
use wheelwright::engine::stage::{Moment, Session, recover};

/// Where a child kills itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    Next,
    Begun,
    Within,
    CarriedOut,
    Done,
}

const PLACES: [At; 5] = [At::Next, At::Begun, At::Within, At::CarriedOut, At::Done];

fn kill_oneself() -> ! {
    let pid = std::process::id().to_string();
    let _ = Command::new("kill").args(["-KILL", &pid]).status();
    std::thread::sleep(std::time::Duration::from_secs(60));
    unreachable!("SIGKILL can't be survived")
}

/// Runs the whole pipeline, killing itself at effect `number` (counted over the run) at place `at`.
fn session_that_dies(project: &Path, number: usize, at: At) {
    let begun = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&begun);
    let observer = move |moment: Moment, _: &_| {
        let now = match moment {
            Moment::Next => counter.load(Ordering::SeqCst) + 1,
            _ => counter.load(Ordering::SeqCst),
        };
        if moment == Moment::Begun {
            counter.fetch_add(1, Ordering::SeqCst);
        }
        let now = if moment == Moment::Begun { now + 1 } else { now };
        let here = matches!(
            (moment, at),
            (Moment::Next, At::Next)
                | (Moment::Begun, At::Begun)
                | (Moment::CarriedOut, At::CarriedOut)
                | (Moment::Done, At::Done)
        );
        if here && now == number {
            kill_oneself();
        }
    };
    let context = Context::new().watched_by(move || {
        if at == At::Within && begun.load(Ordering::SeqCst) == number {
            kill_oneself();
        }
    });
    let mut options = options(Mode::Repair, Some(Box::new(observer)));
    options.staging = std::env::var_os("WHEELWRIGHT_TEST_STAGING").map(PathBuf::from);
    let mut session = Session::open(found(project), options).unwrap();
    go(&mut session, &context);
    session.leave().unwrap();
}

fn go(session: &mut Session, context: &Context) {
    let ids: Vec<_> = session.project().artifacts.iter().map(|artifact| artifact.id).collect();
    for step in wheelwright::engine::report::plan::Step::ALL {
        for id in &ids {
            if session.next_step(*id) == Some(step) {
                session.step(*id, context).unwrap();
            }
        }
    }
}

/// The child's part: does nothing unless it was told to.
#[test]
fn child() {
    let Ok(told) = std::env::var("WHEELWRIGHT_TEST_DIE") else { return };
    let mut parts = told.splitn(3, ' ');
    let number = parts.next().unwrap().parse().unwrap();
    let at = PLACES[parts.next().unwrap().parse::<usize>().unwrap()];
    session_that_dies(Path::new(parts.next().unwrap()), number, at);
}

/// Whether the child was killed at that place.
fn dies(project: &Path, number: usize, at: At) -> bool {
    dies_staging_in(project, None, number, at)
}

fn dies_staging_in(project: &Path, staging: Option<&Path>, number: usize, at: At) -> bool {
    use std::os::unix::process::ExitStatusExt;
    let place = PLACES.iter().position(|place| *place == at).unwrap();
    let output = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "child", "--nocapture"])
        .env("WHEELWRIGHT_TEST_DIE", format!("{number} {place} {}", project.display()))
        .envs(staging.map(|staging| ("WHEELWRIGHT_TEST_STAGING", staging)))
        .output()
        .unwrap();
    match output.status.signal() {
        Some(9) => true,
        _ => {
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
            false
        }
    }
}

struct Lab {
    _directory: tempfile::TempDir,
    project: PathBuf,
    pristine: PathBuf,
}

impl Lab {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let project = cargo_project(directory.path());
        let pristine = directory.path().join("pristine");
        run(Command::new("cp").arg("-a").arg(&project).arg(&pristine));
        Self { _directory: directory, project, pristine }
    }

    /// The project as it was right after `cargo build`, at the same path, so that cargo finds it fresh.
    fn reset(&self) {
        std::fs::remove_dir_all(&self.project).unwrap();
        run(Command::new("cp").arg("-a").arg(&self.pristine).arg(&self.project));
    }

    fn recover(&self) -> wheelwright::engine::stage::Recovery {
        recover(&self.project.join("target/wheelwright"), &Builtin::default(), &Context::new()).unwrap()
    }

    /// How many effects a whole run has.
    fn effects(&self) -> usize {
        let mut session = support::session(&self.project);
        let plan = session.plan_document(wheelwright::engine::report::plan::Step::Finalize, &Context::new()).unwrap();
        plan.steps.iter().map(|step| step.effects.len()).sum()
    }
}

#[test]
fn recover_gives_clean_outputs_wherever_the_session_was_killed() {
    let lab = Lab::new();
    let effects = lab.effects();
    assert!(effects > 15, "the plan has {effects} effects");
    let mut within = 0;
    for number in 1..=effects {
        for at in PLACES {
            lab.reset();
            let clean = known_files(&lab.project.join("target"));
            let died = dies(&lab.project, number, at);
            assert!(died || at == At::Within, "effect {number} {at:?} was not reached");
            within += usize::from(died && at == At::Within);
            if died {
                let recovery = lab.recover();
                assert!(recovery.kept_aside.is_empty());
            }
            assert_eq!(known_files(&lab.project.join("target")), clean, "killed at effect {number}, {at:?}");
        }
    }
    assert!(within >= 4, "only {within} effects could be interrupted half-way");
}

#[test]
fn a_build_between_kill_and_recover_is_never_overwritten() {
    let lab = Lab::new();
    let effects = lab.effects();
    let output = lab.project.join("target/release/libneedy.so");
    for number in 1..=effects {
        let at = if number % 2 == 0 { At::CarriedOut } else { At::Begun };
        // Unchanged sources: cargo finds everything fresh, and links its outputs again.
        lab.reset();
        let clean = known_files(&lab.project.join("target"));
        assert!(dies(&lab.project, number, at));
        let said = cargo_build(&lab.project);
        assert!(!said.contains("Compiling"), "{said}");
        lab.recover();
        let mut now = known_files(&lab.project.join("target"));
        now.retain(|path, _| clean.contains_key(path));
        assert_eq!(bytes(&now), bytes(&clean), "unchanged build after a kill at effect {number}, {at:?}");
        // Changed sources: cargo's newer file stays.
        lab.reset();
        assert!(dies(&lab.project, number, at));
        let changed = "#[unsafe(no_mangle)] pub extern \"C\" fn answer() -> i32 { greet_sys::greet() + 1 }\n";
        write(&lab.project.join("needy/src/lib.rs"), changed);
        assert!(cargo_build(&lab.project).contains("Compiling needy"));
        let newer = known_files(&lab.project.join("target/release"));
        lab.recover();
        let after = known_files(&lab.project.join("target/release"));
        assert_eq!(after.get(&output), newer.get(&output), "changed build after a kill at effect {number}, {at:?}");
        let deps = lab.project.join("target/release/deps/libneedy.so");
        assert_eq!(after[&output].inode, after[&deps].inode);
        assert!(lab.recover().taken_back.is_empty(), "a second recovery has nothing to do");
    }
}

/// Staging on another filesystem, where there is one (/dev/shm): the kernel refuses the rename, the step is planned again.
#[test]
fn recover_works_where_files_could_only_be_copied() {
    let lab = Lab::new();
    let other = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
    let staging = other.path().join("staging");
    let mut number = 0;
    let mut reached_the_end = false;
    while !reached_the_end {
        number += 1;
        for at in [At::Begun, At::CarriedOut] {
            lab.reset();
            let clean = known_files(&lab.project.join("target"));
            let died = dies_staging_in(&lab.project, Some(&staging), number, at);
            // What the kernel refuses is begun and never carried out.
            reached_the_end = at == At::Begun && !died || reached_the_end;
            if died {
                lab.recover();
            }
            assert_eq!(known_files(&lab.project.join("target")), clean, "killed at effect {number}, {at:?}");
        }
    }
    assert!(number > 15, "only {number} effects were carried out");
}

fn bytes(files: &std::collections::BTreeMap<PathBuf, support::Known>) -> Vec<(&PathBuf, &str, u64)> {
    let binaries = files.iter().filter(|(path, _)| path.extension().is_some_and(|extension| extension == "so"));
    binaries.map(|(path, known)| (path, known.sha256.as_str(), known.inode)).collect()
}
