//! The pipeline on real files: what it costs, what it predicts, what it leaves, forward and back.
#![allow(missing_docs)]

#[path = "ci/strict.rs"]
mod strict;
mod support;

use libtest_mimic::{Arguments, Failed, Trial};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{cargo_project, found, known_files, options, session};
use wheelwright::engine::Context;
use wheelwright::engine::binary::Format;
use wheelwright::engine::file::sha256;
use wheelwright::engine::project::{ArtifactId, lab};
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::audit::StagingState;
use wheelwright::engine::report::plan::{PlannedStep, Step};
use wheelwright::engine::stage::{Outcome, Session};

fn main() {
    let arguments = Arguments::from_args();
    let mut trials = vec![
        Trial::test("what_is_not_patched_costs_nothing", what_is_not_patched_costs_nothing),
        Trial::test(
            "the_plan_of_everything_is_the_plans_step_by_step",
            the_plan_of_everything_is_the_plans_step_by_step,
        ),
        Trial::test("will_patch_is_what_happens", will_patch_is_what_happens),
        Trial::test("undo_gives_everything_back", undo_gives_everything_back),
        Trial::test("shared_libraries_stay_while_someone_needs_them", shared_libraries_stay_while_someone_needs_them),
        Trial::test("leaving_half_way_puts_outputs_back", leaving_half_way_puts_outputs_back),
        Trial::test("a_rebuild_beside_us_is_noticed", a_rebuild_beside_us_is_noticed),
        Trial::test("a_second_session_only_looks", a_second_session_only_looks),
        Trial::test("loose_files_are_mirrored_and_never_touched", loose_files_are_mirrored_and_never_touched),
        Trial::test("looking_changes_nothing", looking_changes_nothing),
        Trial::test("one_name_for_two_libraries_is_refused", one_name_for_two_libraries_is_refused),
        Trial::test("a_read_only_output_is_patched", a_read_only_output_is_patched),
    ];
    let reason = no_loop_mounts();
    let ci = strict::is_strict();
    trials.push(match (reason, ci) {
        (None, _) => Trial::test("on_xfs_the_copy_is_a_reflink", on_xfs_the_copy_is_a_reflink),
        (Some(reason), _) => {
            Trial::test(format!("on_xfs_the_copy_is_a_reflink ({reason})"), on_xfs_the_copy_is_a_reflink)
                .with_ignored_flag(true)
        }
    });
    libtest_mimic::run(&arguments, trials).exit();
}

fn by_name(session: &Session, name: &str) -> ArtifactId {
    let artifacts = &session.project().artifacts;
    artifacts.iter().find(|artifact| artifact.name == name).unwrap_or_else(|| panic!("no {name}")).id
}

fn all(session: &Session) -> Vec<ArtifactId> {
    session.project().artifacts.iter().map(|artifact| artifact.id).collect()
}

/// Takes artifact `id` through the steps up to and with `until`.
fn advance(session: &mut Session, id: ArtifactId, until: Step) {
    while session.next_step(id).is_some_and(|next| next <= until) {
        match session.step(id, &Context::new()).unwrap() {
            Outcome::Taken(_) => {}
            other => panic!("{other:?}"),
        }
    }
}

fn inode(path: &Path) -> u64 {
    std::fs::symlink_metadata(path).unwrap().ino()
}

fn what_is_not_patched_costs_nothing() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let target = project.join("target");
    let clean = known_files(&target);
    let mut session = session(&project);
    let plan = session.plan_document(Step::Finalize, &Context::new())?;
    let (plain, other) = (by_name(&session, "libplain.so"), by_name(&session, "libother.so"));
    let needy = session.project().artifacts[by_name(&session, "libneedy.so").0].path.clone();
    for id in [plain, other] {
        let path = session.project().artifacts[id.0].path.clone();
        let effects = plan.steps.iter().flat_map(|step| &step.effects);
        let writes: u64 =
            effects.filter(|effect| effect.artifact.as_ref() == Some(&path)).map(|effect| effect.writes).sum();
        assert_eq!(writes, 0, "{}", path.display());
    }
    let size = std::fs::metadata(&needy)?.len();
    let copies: u64 = plan
        .steps
        .iter()
        .flat_map(|step| &step.effects)
        .filter(|effect| effect.kind == "reflink_or_copy" && effect.artifact.as_ref() == Some(&needy))
        .map(|effect| effect.writes)
        .sum();
    assert_eq!(copies, size, "the one that is patched costs one copy");
    for id in all(&session) {
        advance(&mut session, id, Step::Finalize);
    }
    session.leave()?;
    assert_eq!(known_files(&target), clean);
    Ok(())
}

fn the_plan_of_everything_is_the_plans_step_by_step() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    // Twice: the second run finds what the first has left in staging.
    for _ in 0..2 {
        let mut session = session(&project);
        let whole = session.plan_document(Step::Finalize, &Context::new())?;
        let text = |step: &PlannedStep| serde_json::to_string(step).unwrap();
        for (number, step) in Step::ALL.into_iter().enumerate() {
            let now = session.plan_document(step, &Context::new())?;
            assert_eq!(text(now.steps.last().unwrap()), text(&whole.steps[number]));
            for id in all(&session) {
                advance(&mut session, id, step);
            }
        }
        let done = session.run_document(&whole, &Default::default(), &Context::new())?;
        for (planned, done) in whole.steps.iter().zip(&done.steps) {
            let effects: Vec<_> = done.effects.iter().map(|effect| &effect.effect).collect();
            assert!(done.effects.iter().all(|effect| effect.done));
            assert_eq!(effects, planned.effects.iter().collect::<Vec<_>>());
        }
        session.leave()?;
    }
    Ok(())
}

/// The prediction against the hashes: planning is not asked.
fn will_patch_is_what_happens() -> Result<(), Failed> {
    for mode in [Mode::Repair, Mode::Editable] {
        let directory = tempfile::tempdir()?;
        let project = lab::lay_out(directory.path())?.project;
        for round in 0..2 {
            let mut session = Session::open(project.clone(), options(mode, None))?;
            let (mut patched, mut looked_at) = (0, 0);
            for id in all(&session) {
                session.audit(id, &Context::new())?;
                let report = session.report(id).unwrap();
                if report.format != Some(Format::Elf) {
                    continue;
                }
                let predicted = match mode {
                    Mode::Repair => report.will_patch.repair,
                    Mode::Editable => report.will_patch.editable,
                };
                let before = sha256(&report.path, &Context::new())?;
                while session.next_step(id).is_some_and(|next| next <= Step::Patch) {
                    if matches!(session.step(id, &Context::new())?, Outcome::Refused(_)) {
                        break;
                    }
                }
                let after = sha256(&session.staged_path(id).unwrap(), &Context::new())?;
                assert_eq!(predicted, Some(before != after), "{} {} round {round}", report.name, mode.name());
                patched += usize::from(before != after);
                looked_at += 1;
            }
            session.leave()?;
            assert!(looked_at >= 8 && patched >= 2, "{looked_at} looked at, {patched} patched in {}", mode.name());
        }
    }
    Ok(())
}

fn undo_gives_everything_back() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let target = project.join("target");
    let clean = known_files(&target);
    let mut session = session(&project);
    let id = by_name(&session, "libneedy.so");
    let staged_after = |session: &Session| sha256(&session.staged_path(id).unwrap(), &Context::new()).unwrap();
    advance(&mut session, id, Step::Patch);
    let edited = staged_after(&session);
    assert_eq!(session.undo(id, &Context::new())?, Some(Step::Patch));
    let staged = session.staged_path(id).unwrap();
    assert_eq!(staged_after(&session), clean[&session.project().artifacts[id.0].path].sha256);
    assert_ne!(
        inode(&staged),
        inode(&session.project().artifacts[id.0].path),
        "an edit is never undone into cargo's inode"
    );
    advance(&mut session, id, Step::Finalize);
    assert_eq!(staged_after(&session), edited, "the second patch gives the same bytes");
    for step in Step::ALL.into_iter().rev() {
        assert_eq!(session.undo(id, &Context::new())?, Some(step));
    }
    assert_eq!(session.undo(id, &Context::new())?, None);
    assert_eq!(known_files(&target), clean);
    session.leave()?;
    assert_eq!(known_files(&target), clean);
    let left = known_files(&target.join("wheelwright"));
    let names: Vec<_> = left.keys().filter(|path| !path.ends_with("journal")).collect();
    assert!(names.is_empty(), "{names:?}");
    Ok(())
}

fn shared_libraries_stay_while_someone_needs_them() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let mut session = session(&project);
    // Both belong to distributions of their own names; in one bundle they share what has the same place.
    let (needy, tool) = (by_name(&session, "libneedy.so"), by_name(&session, "tool"));
    advance(&mut session, needy, Step::Patch);
    advance(&mut session, tool, Step::Patch);
    let grafted = |session: &Session, id: ArtifactId| -> Vec<PathBuf> {
        let artifact = &session.project().artifacts[id.0];
        let directory = session.places().bundle(artifact).join(&artifact.names.libs_dir);
        std::fs::read_dir(directory)
            .map(|entries| entries.map(|entry| entry.unwrap().path()).collect())
            .unwrap_or_default()
    };
    let of_tool = grafted(&session, tool);
    assert_eq!(of_tool.len(), 2);
    while session.undo(needy, &Context::new())?.is_some() {}
    assert_eq!(grafted(&session, tool), of_tool);
    advance(&mut session, tool, Step::Verify);
    while session.undo(tool, &Context::new())?.is_some() {}
    assert!(grafted(&session, tool).is_empty());
    session.leave()?;
    Ok(())
}

fn leaving_half_way_puts_outputs_back() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let target = project.join("target");
    let clean = known_files(&target);
    for until in Step::ALL {
        let mut session = session(&project);
        for id in all(&session) {
            advance(&mut session, id, until);
        }
        session.leave()?;
        assert_eq!(known_files(&target), clean, "left after {until:?}");
        assert_eq!(std::fs::metadata(target.join("wheelwright/journal"))?.len(), 0);
    }
    Ok(())
}

fn a_rebuild_beside_us_is_noticed() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let mut session = session(&project);
    let id = by_name(&session, "libneedy.so");
    let output = session.project().artifacts[id.0].path.clone();
    advance(&mut session, id, Step::Predict);
    support::write(
        &project.join("needy/src/lib.rs"),
        "#[unsafe(no_mangle)] pub extern \"C\" fn answer() -> i32 { greet_sys::greet() + 7 }\n",
    );
    support::cargo_build(&project);
    let newer = sha256(&output, &Context::new())?;
    let Outcome::Refused(refusal) = session.step(id, &Context::new())? else { panic!("the step was taken") };
    assert!(refusal.reason.contains("built again"), "{}", refusal.reason);
    let codes: Vec<String> = session.report(id).unwrap().findings.into_iter().map(|finding| finding.code).collect();
    assert!(codes.contains(&"WW026".to_owned()), "{codes:?}");
    session.leave()?;
    assert_eq!(sha256(&output, &Context::new())?, newer);
    assert_eq!(inode(&output), inode(&project.join("target/release/deps/libneedy.so")));
    let kept: Vec<_> = std::fs::read_dir(project.join("target/wheelwright/kept"))?.collect();
    assert_eq!(kept.len(), 1, "the older output is kept aside");
    Ok(())
}

fn a_second_session_only_looks() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let mut first = session(&project);
    let id = by_name(&first, "libneedy.so");
    advance(&mut first, id, Step::Stage);
    let mut second = session(&project);
    assert!(second.read_only().unwrap().contains("another wheelwright session"));
    let other = by_name(&second, "libplain.so");
    assert!(second.step(other, &Context::new()).is_err());
    second.leave()?;
    first.leave()?;
    Ok(())
}

fn loose_files_are_mirrored_and_never_touched() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let loose = directory.path().join("loose");
    std::fs::create_dir(&loose)?;
    std::fs::copy(project.join("target/release/libneedy.so"), loose.join("libneedy.so"))?;
    let before = known_files(&loose);
    let mut found = found(&loose);
    assert_eq!(found.artifacts.len(), 1);
    found.artifacts[0].linked_paths.paths.push(directory.path().join("private"));
    let mut options = options(Mode::Repair, None);
    options.scratch = directory.path().join("scratch");
    let mut session = Session::open(found, options)?;
    let id = ArtifactId(0);
    advance(&mut session, id, Step::Stage);
    assert_eq!(session.snapshot().artifacts[0].staging.state, StagingState::Mirrored);
    advance(&mut session, id, Step::Finalize);
    let staging = session.snapshot().artifacts[0].staging.clone();
    assert_eq!((staging.state, staging.edited), (StagingState::Patched, true));
    session.leave()?;
    assert_eq!(known_files(&loose), before);
    Ok(())
}

fn looking_changes_nothing() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let before = known_files(directory.path());
    let mut session = session(&project);
    session.plan_document(Step::Finalize, &Context::new())?;
    let _ = session.snapshot();
    session.leave()?;
    assert!(!project.join("target/wheelwright").exists());
    assert_eq!(known_files(directory.path()), before);
    Ok(())
}

/// Two artifacts of one bundle share libgreet, but find different files for the libdeep that it needs.
fn one_name_for_two_libraries_is_refused() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let root = directory.path();
    support::write(&root.join("greet.c"), "int deep(void); int greet(void) { return deep(); }\n");
    support::write(
        &root.join("a.c"),
        "int greet(void); int deep(void); int answer(void) { return greet() + deep(); }\n",
    );
    let cc = |arguments: &[&str]| {
        support::run(Command::new("cc").current_dir(root).args(["-shared", "-fPIC"]).args(arguments));
    };
    for (place, value) in [("one", "1"), ("two", "2")] {
        support::write(&root.join(place).join("deep.c"), &format!("int deep(void) {{ return {value}; }}\n"));
        let deep = format!("{place}/libdeep.so.2");
        cc(&["-Wl,-soname,libdeep.so.2", "-o", &deep, &format!("{place}/deep.c")]);
    }
    cc(&["-Wl,-soname,libgreet.so.1", "-o", "libgreet.so.1", "greet.c", "one/libdeep.so.2"]);
    std::fs::create_dir(root.join("out"))?;
    for place in ["one", "two"] {
        let rpath = format!("-Wl,-rpath,{0}/{place}:{0}", root.display());
        cc(&[&rpath, "-o", &format!("out/lib{place}.so"), "a.c", "libgreet.so.1", &format!("{place}/libdeep.so.2")]);
    }
    let mut found = found(&root.join("out"));
    assert_eq!(found.artifacts.len(), 2);
    for artifact in &mut found.artifacts {
        "both.libs".clone_into(&mut artifact.names.libs_dir);
    }
    let mut options = options(Mode::Repair, None);
    options.scratch = root.join("scratch");
    let mut session = Session::open(found, options)?;
    advance(&mut session, ArtifactId(0), Step::Finalize);
    advance(&mut session, ArtifactId(1), Step::Audit);
    let Outcome::Refused(refusal) = session.step(ArtifactId(1), &Context::new())? else { panic!("it was grafted") };
    assert!(refusal.reason.contains("libgreet-"), "{}", refusal.reason);
    session.leave()?;
    Ok(())
}

fn a_read_only_output_is_patched() -> Result<(), Failed> {
    use std::os::unix::fs::PermissionsExt;
    let directory = tempfile::tempdir()?;
    let project = cargo_project(directory.path());
    let output = project.join("target/release/libneedy.so");
    std::fs::set_permissions(&output, std::fs::Permissions::from_mode(0o555))?;
    let mut session = session(&project);
    let id = by_name(&session, "libneedy.so");
    advance(&mut session, id, Step::Finalize);
    let mode = |path: &Path| std::fs::metadata(path).unwrap().mode() & 0o777;
    assert_eq!(mode(&session.staged_path(id).unwrap()), 0o755, "an edit needs a file that may be written to");
    session.leave()?;
    assert_eq!(mode(&output), 0o555);
    Ok(())
}

fn no_loop_mounts() -> Option<String> {
    let output = Command::new("sh")
        .args(["-c", "[ \"$(id -u)\" = 0 ] && command -v mkfs.xfs >/dev/null && losetup -f >/dev/null 2>&1"])
        .status();
    match output {
        Ok(status) if status.success() => None,
        _ => Some("needs root, mkfs.xfs and a loop device".to_owned()),
    }
}

fn on_xfs_the_copy_is_a_reflink() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let image = directory.path().join("image");
    let mount = directory.path().join("mount");
    std::fs::create_dir(&mount)?;
    std::fs::File::create(&image)?.set_len(400 << 20)?;
    support::run(Command::new("mkfs.xfs").args(["-q", "-m", "reflink=1"]).arg(&image));
    support::run(Command::new("mount").args(["-o", "loop"]).arg(&image).arg(&mount));
    let result = std::panic::catch_unwind(|| {
        let project = cargo_project(&mount);
        let mut session = session(&project);
        let id = by_name(&session, "libneedy.so");
        advance(&mut session, id, Step::CopyBack);
        let staged = session.staged_path(id).unwrap();
        support::run(Command::new("sync").arg("-f").arg(&staged));
        let map = support::run(Command::new("xfs_io").args(["-r", "-c", "fiemap -v"]).arg(&staged));
        session.leave().unwrap();
        // Flag 0x2000 of FIEMAP: the extent is shared.
        assert!(map.lines().skip(2).all(|line| line.contains("0x200")), "{map}");
    });
    support::run(Command::new("umount").arg(&mount));
    result.map_err(|_| Failed::from("see above"))
}
