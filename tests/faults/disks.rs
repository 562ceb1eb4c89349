//! Filesystems that can't do what is asked of them: another one than the target's, one without links, a full one, a
//! read-only one.

use crate::small::{ALL, NEEDY, PLAIN, Small, advance, tree};
use crate::support::run;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::repair::Builtin;
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::{Outcome, State, recover};

/// Why nothing can be mounted here, if so.
pub fn no_mounts() -> Option<String> {
    let tried = Command::new("sh")
        .args([
            "-c",
            "[ \"$(id -u)\" = 0 ] && d=$(mktemp -d) && mount -t tmpfs none $d 2>/dev/null && umount $d && rmdir $d",
        ])
        .status();
    (!tried.is_ok_and(|status| status.success())).then(|| "needs root, and leave to mount".to_owned())
}

/// Why no FAT image can be mounted here, if so.
pub fn no_fat() -> Option<String> {
    let tried = Command::new("sh")
        .args([
            "-c",
            "command -v mkfs.vfat >/dev/null && losetup -f >/dev/null 2>&1 && grep -qw vfat /proc/filesystems",
        ])
        .status();
    no_mounts().or_else(|| {
        (!tried.is_ok_and(|status| status.success())).then(|| "needs mkfs.vfat, a loop device and vfat".to_owned())
    })
}

/// Why there is no second filesystem that anyone may write to, if so.
pub fn no_second_filesystem() -> Option<String> {
    use std::os::unix::fs::MetadataExt;
    let device = |path: &Path| std::fs::metadata(path).ok().map(|metadata| metadata.dev());
    let shared = Path::new("/dev/shm");
    let there = tempfile::tempdir_in(shared).is_ok() && device(shared) != device(&std::env::temp_dir());
    (!there).then(|| "needs a /dev/shm that is another filesystem".to_owned())
}

struct Mount(PathBuf);

impl Mount {
    fn new(at: &Path, arguments: &[&str]) -> Self {
        std::fs::create_dir_all(at).unwrap();
        run(Command::new("mount").args(arguments).arg(at));
        Self(at.to_path_buf())
    }
}

impl Drop for Mount {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

/// Staged on another filesystem: planned again as a copy, cargo's files never move.
pub fn staging_on_another_filesystem() {
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    let small = Small::new();
    let clean = tree(&small.target());
    let mut session = small.session_with(small.project(), |options| options.staging = Some(place.path().to_path_buf()));
    for id in ALL {
        advance(&mut session, id, Step::Stage);
        assert_eq!(session.state(id), State::Mirrored);
        advance(&mut session, id, Step::Finalize);
    }
    assert_eq!((session.state(NEEDY), session.state(PLAIN)), (State::Patched, State::NotStaged));
    for id in ALL.into_iter().rev() {
        while session.undo(id, &Context::new()).unwrap().is_some() {}
    }
    session.leave().unwrap();
    assert_eq!(tree(&place.path().join("wheelwright")).values().flatten().count(), 0);
    let mut after = tree(&small.target());
    after.retain(|path, _| !path.starts_with(small.home()));
    assert_eq!(after, clean);
}

/// Neither hard nor symbolic links, nor modes: everything is copied, and cargo's file is put back by rename.
pub fn on_fat_everything_is_copied() {
    let directory = tempfile::tempdir().unwrap();
    let image = directory.path().join("image");
    std::fs::File::create(&image).unwrap().set_len(32 << 20).unwrap();
    run(Command::new("mkfs.vfat").arg(&image));
    let at = directory.path().join("fat");
    let mount = Mount::new(&at, &["-o", "loop", image.to_str().unwrap()]);
    let small = Small::below(&at);
    let clean = small.clean();
    let mut session = small.session();
    for id in ALL {
        advance(&mut session, id, Step::Finalize);
    }
    assert_eq!(session.state(NEEDY), State::Patched);
    assert_eq!(small.clean(), clean);
    for id in ALL.into_iter().rev() {
        while session.undo(id, &Context::new()).unwrap().is_some() {}
    }
    assert_eq!(small.clean(), clean);
    for id in ALL {
        advance(&mut session, id, Step::Patch);
    }
    session.leave().unwrap();
    assert_eq!(small.clean(), clean);
    drop(session);
    drop(mount);
}

/// The disk fills up at every amount of room that stops a run somewhere: outputs stay, the error says it, undo and leaving work.
pub fn a_full_disk_costs_nothing() {
    let directory = tempfile::tempdir().unwrap();
    let at = directory.path().join("disk");
    let _mount = Mount::new(&at, &["-t", "tmpfs", "-o", "size=4m", "none"]);
    let small = Small::below(&at.join("project"));
    let clean = small.clean();
    let filler = at.join("filler");
    let (mut failed, mut room, mut recovered) = (0, 0, 0);
    while room < 200 << 10 {
        for way in ["undo", "leave", "recover"] {
            // Asked each time: the forgotten sessions below keep the pages of their journals.
            let free = free(&at);
            fill(&filler, free.saturating_sub(room));
            let mut session = small.session();
            let mut error = None;
            'steps: for step in Step::ALL {
                for id in ALL {
                    match session.step(id, &Context::new()) {
                        Ok(Outcome::Taken(taken)) => assert_eq!(taken, step),
                        Ok(other) => panic!("{other:?}"),
                        Err(found) => {
                            error = Some(found.to_string());
                            break 'steps;
                        }
                    }
                }
            }
            if let Some(error) = &error {
                assert!(error.contains("No space left"), "{error}");
                failed += 1;
            }
            match way {
                "undo" => {
                    for id in ALL {
                        while session.undo(id, &Context::new()).unwrap().is_some() {}
                    }
                    assert_eq!(small.clean(), clean, "{room} bytes of room, undone");
                    session.leave().unwrap();
                }
                "leave" => session.leave().unwrap(),
                _ => {
                    // As if killed: the journal as it stands, without the process that holds its lock.
                    std::mem::forget(session);
                    if let Ok(text) = std::fs::read(small.home().join("journal")) {
                        let moved = small.home().join("held");
                        std::fs::rename(small.home().join("journal"), &moved).unwrap();
                        std::fs::remove_file(&filler).unwrap();
                        std::fs::write(small.home().join("journal"), &text).unwrap();
                        // Full to the last byte: nothing can be added to the journal.
                        fill(&filler, free);
                        recover(&small.home(), &Builtin::default(), &Context::new()).unwrap();
                        recovered += 1;
                    }
                }
            }
            assert_eq!(small.clean(), clean, "{room} bytes of room, {way}: {error:?}");
            let journal = small.home().join("journal");
            assert!(std::fs::metadata(&journal).map_or(true, |journal| journal.len() == 0), "{way}");
            let _ = std::fs::remove_file(&filler);
            let _ = std::fs::remove_dir_all(small.home());
        }
        room += 4 << 10;
    }
    assert!(failed > 20 && recovered > 5, "{failed} runs failed");
}

/// Writes up to `bytes` bytes into `filler`: fewer where the disk is full before.
fn fill(filler: &Path, bytes: u64) {
    match std::fs::write(filler, vec![1; usize::try_from(bytes).unwrap()]) {
        Err(error) if error.kind() != std::io::ErrorKind::StorageFull => panic!("{error}"),
        _ => {}
    }
}

fn free(at: &Path) -> u64 {
    let text = run(Command::new("df").args(["--output=avail", "-B1"]).arg(at));
    text.lines().last().unwrap().trim().parse().unwrap()
}

/// In a read-only target directory one can look; a step says what the matter is.
pub fn a_read_only_target_directory() {
    let directory = tempfile::tempdir().unwrap();
    let small = Small::below(&directory.path().canonicalize().unwrap());
    let target = small.target();
    let path = target.to_str().unwrap().to_owned();
    let _mount = Mount::new(&target, &["--bind", &path]);
    run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&target));
    let before = tree(&small.root);
    let mut session = small.session();
    session.plan_document(Step::Finalize, &Context::new()).unwrap();
    let error = session.step(NEEDY, &Context::new()).unwrap_err().to_string();
    assert!(error.contains("Read-only file system"), "{error}");
    session.leave().unwrap();
    assert_eq!(tree(&small.root), before);
}

/// A read-only profile directory in a target directory that can be written: outputs are copied.
pub fn a_read_only_profile_directory() {
    let directory = tempfile::tempdir().unwrap();
    let small = Small::below(&directory.path().canonicalize().unwrap());
    let release = small.target().join("release");
    let path = release.to_str().unwrap().to_owned();
    let _mount = Mount::new(&release, &["--bind", &path]);
    run(Command::new("mount").args(["-o", "remount,bind,ro"]).arg(&release));
    let clean = small.clean();
    let mut session = small.session();
    for id in ALL {
        advance(&mut session, id, Step::Finalize);
    }
    assert_eq!(session.state(NEEDY), State::Patched);
    session.leave().unwrap();
    assert_eq!(small.clean(), clean);
}
