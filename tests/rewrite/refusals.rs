//! What is left when an edit can't be made, and what a made one keeps: bytes, names, mode, owner, attributes.

use crate::disks::{Disk, names};
use crate::hand::{Hand, Random, plan, spliced};
use crate::kills::{Kind, tear, told};
use std::fs::{File, OpenOptions, Permissions};
use std::os::unix::fs::{FileExt, MetadataExt, PermissionsExt, symlink};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use wheelwright::engine::file::ReadAt;
use wheelwright::engine::repair::rewrite::{
    RolledBack, Taken, Way, Write, Written, log_of, open_planned, roll_back, write_plan, write_to,
};
use wheelwright::engine::repair::{EditPlan, EditRefusal, EditRequest, Editor};
use wheelwright::engine::{Context, Error, Result};

const WAYS: [Way; 2] = [Way::Beside, Way::InPlace];
const SIZE: u64 = 3_000_123;

fn make(path: &Path) -> Vec<u8> {
    let bytes = Random::new(1).bytes(SIZE as usize);
    std::fs::write(path, &bytes).unwrap();
    bytes
}

/// Number 7 writes on both sides of a page that it inserts; number 5 inserts none.
fn write(path: &Path, seed: u64, way: Way) -> Result<Written> {
    let plan = plan(seed, std::fs::metadata(path).unwrap().len());
    write_plan(path, &Hand::of(seed), &plan, way, &|_| (), &Context::new())
}

pub fn links_are_followed_or_left() {
    for way in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let inside = directory.path().join("inside");
        std::fs::create_dir(&inside).unwrap();
        let (path, link) = (inside.join("file"), directory.path().join("link"));
        let old = make(&path);
        symlink("inside/file", &link).unwrap();
        write(&link, 7, way).unwrap();
        assert_eq!(std::fs::read_link(&link).unwrap(), Path::new("inside/file"));
        let new = std::fs::read(&path).unwrap();
        assert!(new == spliced(&old, &plan(7, SIZE)), "{way:?}");
        let other = directory.path().join("other");
        std::fs::hard_link(&path, &other).unwrap();
        match (way, write(&path, 8, way)) {
            (Way::Beside, done) => {
                let written = done.unwrap();
                assert_eq!(written.note.as_deref(), Some("the file's other name keeps the old bytes"));
                assert!(std::fs::read(&path).unwrap() != new);
            }
            (_, done) => {
                let said = done.unwrap_err().to_string();
                assert!(said.contains("2 names") && said.contains("--atomic"), "{said}");
                assert!(std::fs::read(&path).unwrap() == new);
            }
        }
        assert!(std::fs::read(&other).unwrap() == new, "{way:?}: written through a hard link");
        assert_eq!(names(&inside), ["file"]);
        assert_eq!(names(directory.path()), ["inside", "link", "other"]);
    }
}

pub fn modes_and_attributes_are_kept() {
    let root = rustix::process::geteuid().is_root();
    for way in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        make(&path);
        if root {
            std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
        }
        let named = rustix::fs::setxattr(&path, "user.kept", b"value", rustix::fs::XattrFlags::empty()).is_ok();
        for mode in [0o4751, 0o600, 0o2775] {
            std::fs::set_permissions(&path, Permissions::from_mode(mode)).unwrap();
            let before = std::fs::metadata(&path).unwrap();
            let written = write(&path, 7, way).unwrap();
            let after = std::fs::metadata(&path).unwrap();
            let kept = |metadata: &std::fs::Metadata| (metadata.mode(), metadata.uid(), metadata.gid());
            assert_eq!(kept(&after), kept(&before), "{way:?}");
            assert_eq!(after.ino() == before.ino(), written.way == Taken::InPlace);
        }
        if named {
            let mut value = [0; 16];
            let length = rustix::fs::getxattr(&path, "user.kept", value.as_mut_slice()).unwrap();
            assert_eq!(&value[..length], b"value", "{way:?}");
        }
        assert_eq!(names(directory.path()), ["file"]);
        let output = directory.path().join("output");
        std::fs::write(&output, "what stood there").unwrap();
        let now = std::fs::read(&path).unwrap();
        let planned = plan(9, now.len() as u64);
        write_to(&path, &output, &Hand::of(9), &planned, &Context::new()).unwrap();
        assert!(std::fs::read(&path).unwrap() == now && std::fs::read(&output).unwrap() == spliced(&now, &planned));
        assert_eq!(std::fs::metadata(&output).unwrap().mode() & 0o777, 0o775);
        assert_eq!(names(directory.path()), ["file", "output"]);
    }
}

pub fn a_failed_check_costs_nothing() {
    for way in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let old = make(&path);
        let editor = Hand { seed: 7, fails: true };
        let done = write_plan(&path, &editor, &plan(7, SIZE), way, &|_| (), &Context::new());
        assert!(done.unwrap_err().to_string().contains("the test says so"));
        assert!(std::fs::read(&path).unwrap() == old, "{way:?}");
        assert_eq!(names(directory.path()), ["file"]);
        let wrong = EditPlan { size_before: SIZE - 1, ..plan(7, SIZE) };
        assert!(write_plan(&path, &Hand::of(7), &wrong, way, &|_| (), &Context::new()).is_err());
        assert!(std::fs::read(&path).unwrap() == old, "{way:?}");
        assert_eq!(names(directory.path()), ["file"]);
    }
}

/// At every time at which the job asks whether it goes on.
pub fn a_cancelled_edit_costs_nothing() {
    for way in WAYS {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("file");
        let old = make(&path);
        for at in 0.. {
            let context = Context::new();
            let (count, asked) = (Arc::new(AtomicU64::new(0)), context.clone());
            let context = context.watched_by(move || {
                if count.fetch_add(1, Ordering::Relaxed) == at {
                    asked.cancel();
                }
            });
            let done = write_plan(&path, &Hand::of(7), &plan(7, SIZE), way, &|_| (), &context);
            assert_eq!(names(directory.path()), ["file"]);
            if done.is_ok() {
                assert!(at > 5 && std::fs::read(&path).unwrap() == spliced(&old, &plan(7, SIZE)), "{way:?} {at}");
                break;
            }
            assert!(matches!(done, Err(Error::Cancelled)));
            assert!(std::fs::read(&path).unwrap() == old, "{way:?}, cancelled at {at}");
        }
    }
}

pub fn another_files_log_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let old = make(&path);
    tear(&path);
    let aside = directory.path().join("aside");
    std::fs::rename(&path, &aside).unwrap();
    std::fs::write(&path, &old[..2_000_000]).unwrap();
    assert_eq!(roll_back(&path, &Context::new()).unwrap(), Some(RolledBack::Foreign));
    assert!(log_of(&path).exists() && std::fs::read(&path).unwrap() == old[..2_000_000]);
    let said = write(&path, 5, Way::InPlace).unwrap_err().to_string();
    assert!(said.contains("is of another file"), "{said}");
    assert!(std::fs::read(&path).unwrap() == old[..2_000_000]);
    assert_eq!(write(&path, 5, Way::Beside).unwrap().way, Taken::Beside);
    // A build that writes the same inode anew, and gives it the same size, is not undone either.
    let log = std::fs::read(log_of(&path)).unwrap();
    let built = directory.path().join("built");
    make(&built);
    tear(&built);
    let newer = Random::new(2).bytes(SIZE as usize);
    OpenOptions::new().write(true).open(&built).unwrap().write_all_at(&newer, 0).unwrap();
    assert_eq!(roll_back(&built, &Context::new()).unwrap(), Some(RolledBack::Foreign));
    assert!(std::fs::read(&built).unwrap() == newer && std::fs::read(log_of(&path)).unwrap() == log);
    // Where the torn file gets its name back, it gets its bytes back.
    std::fs::rename(&aside, &path).unwrap();
    assert_eq!(roll_back(&path, &Context::new()).unwrap(), Some(RolledBack::Restored));
    assert!(std::fs::read(&path).unwrap() == old);
}

pub fn a_damaged_log_is_left_alone() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    make(&path);
    tear(&path);
    let torn = std::fs::read(&path).unwrap();
    let log = std::fs::read(log_of(&path)).unwrap();
    for at in 0..log.len() {
        let mut damaged = log.clone();
        damaged[at] ^= 0x10;
        std::fs::write(log_of(&path), &damaged).unwrap();
        assert!(matches!(roll_back(&path, &Context::new()), Err(Error::Malformed { .. })), "byte {at}");
        std::fs::write(log_of(&path), &log[..at]).unwrap();
        match roll_back(&path, &Context::new()) {
            Ok(None) => assert!(at == 0 && !log_of(&path).exists(), "its edit never began"),
            other => assert!(matches!(other, Err(Error::Malformed { .. })), "{at} bytes"),
        }
    }
    assert!(std::fs::read(&path).unwrap() == torn);
    let output = Command::new(env!("CARGO_BIN_EXE_wheelwright")).arg("audit").arg(&path).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stderr).contains("is not rolled back"));
    std::fs::write(log_of(&path), &log).unwrap();
    assert_eq!(roll_back(&path, &Context::new()).unwrap(), Some(RolledBack::Restored));
    assert!(std::fs::read(&path).unwrap() != torn);
}

/// Writes the file that it edits by its own name, as a build beside us does.
struct Meddles<'a>(&'a Path);

impl Editor for Meddles<'_> {
    fn name(&self) -> &'static str {
        "meddles"
    }

    fn plan(
        &self,
        _source: &dyn ReadAt,
        _requests: &[EditRequest],
    ) -> Result<std::result::Result<EditPlan, EditRefusal>> {
        unreachable!("the plan is given")
    }

    fn apply(&self, _path: &Path, _plan: &EditPlan, _context: &Context) -> Result<()> {
        unreachable!("it is asked to apply by another's writing")
    }

    fn apply_by(&self, path: &Path, plan: &EditPlan, write: Write<'_>) -> Result<()> {
        write(&open_planned(path, plan)?)?;
        OpenOptions::new().write(true).open(self.0).unwrap().write_all_at(b"newer", 100).unwrap();
        Ok(())
    }
}

pub fn a_changed_file_is_not_written_over() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let mut old = make(&path);
    std::thread::sleep(std::time::Duration::from_millis(20));
    let done = write_plan(&path, &Meddles(&path), &plan(7, SIZE), Way::Beside, &|_| (), &Context::new());
    assert!(matches!(done, Err(Error::Changed { .. })), "{done:?}");
    old[100..105].copy_from_slice(b"newer");
    assert!(std::fs::read(&path).unwrap() == old);
    assert_eq!(names(directory.path()), ["file"]);
}

pub fn one_edit_at_a_time() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("file");
    let old = make(&path);
    let held = File::open(&path).unwrap();
    held.lock().unwrap();
    for way in WAYS {
        assert!(matches!(write(&path, 7, way), Err(Error::Locked { .. })), "{way:?}");
    }
    assert!(std::fs::read(&path).unwrap() == old);
    let torn = directory.path().join("torn");
    make(&torn);
    tear(&torn);
    let held_too = File::open(&torn).unwrap();
    held_too.lock().unwrap();
    assert!(matches!(roll_back(&torn, &Context::new()), Err(Error::Locked { .. })), "its editor lives");
    held_too.unlock().unwrap();
    assert_eq!(roll_back(&torn, &Context::new()).unwrap(), Some(RolledBack::Restored));
}

pub fn a_read_only_disk_costs_nothing() {
    let disk = Disk::new("ext4", 64);
    let path = disk.root.join("file");
    let old = make(&path);
    disk.read_only(true);
    for way in WAYS {
        let said = write(&path, 7, way).unwrap_err().to_string();
        assert!(said.contains("Read-only file system"), "{said}");
    }
    disk.read_only(false);
    assert!(std::fs::read(&path).unwrap() == old);
    assert_eq!(names(&disk.root), ["file"]);
}

/// Another user, who may write neither in the directory nor, in the second case, to the file.
pub fn what_another_user_may_not_write() {
    let disk = Disk::new("ext4", 64);
    let nobody = 65534;
    let path = disk.root.join("file");
    let old = make(&path);
    std::fs::set_permissions(disk.root.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    for (file, directory) in [(0o644, 0o555), (0o444, 0o777)] {
        std::os::unix::fs::chown(&path, Some(nobody), Some(nobody)).unwrap();
        std::fs::set_permissions(&path, Permissions::from_mode(file)).unwrap();
        std::fs::set_permissions(&disk.root, Permissions::from_mode(directory)).unwrap();
        for way in WAYS {
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.env("WHEELWRIGHT_REWRITE", told(Kind::Hand, way, 7, &path)).uid(nobody).gid(nobody);
            let output = child.output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(!output.status.success() && said.contains("PermissionDenied"), "{way:?}: {said}");
            assert!(std::fs::read(&path).unwrap() == old, "{way:?}");
            assert_eq!(names(&disk.root), ["file"]);
        }
    }
}

/// A file of another owner that we may write: in place it keeps that, beside it could not.
pub fn an_owner_that_a_copy_could_not_have() {
    let disk = Disk::new("ext4", 64);
    let path = disk.root.join("file");
    let old = make(&path);
    std::fs::set_permissions(disk.root.parent().unwrap(), Permissions::from_mode(0o755)).unwrap();
    std::fs::set_permissions(&disk.root, Permissions::from_mode(0o777)).unwrap();
    std::os::unix::fs::chown(&path, Some(1234), Some(4321)).unwrap();
    std::fs::set_permissions(&path, Permissions::from_mode(0o666)).unwrap();
    for way in [Way::Beside, Way::Auto] {
        let mut child = Command::new(std::env::current_exe().unwrap());
        child.env("WHEELWRIGHT_REWRITE", told(Kind::Hand, way, 7, &path)).uid(65534).gid(65534);
        let output = child.output().unwrap();
        let now = std::fs::read(&path).unwrap();
        let metadata = std::fs::metadata(&path).unwrap();
        assert_eq!((metadata.uid(), metadata.gid(), metadata.mode() & 0o7777), (1234, 4321, 0o666), "{way:?}");
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.success(), way == Way::Auto, "{said}");
        assert!(now == if way == Way::Auto { spliced(&old, &plan(7, SIZE)) } else { old.clone() }, "{way:?}");
        assert_eq!(names(&disk.root), ["file"]);
    }
}

pub fn what_can_only_be_copied_is_copied() {
    let directory = tempfile::tempdir().unwrap();
    let long = directory.path().join("n".repeat(245));
    let old = make(&long);
    assert_eq!(roll_back(&long, &Context::new()).unwrap(), None);
    let written = write(&long, 7, Way::InPlace).unwrap();
    assert!(written.way == Taken::Beside && written.note.unwrap().contains("too long"));
    assert!(std::fs::read(&long).unwrap() == spliced(&old, &plan(7, SIZE)));
    let source = directory.path().join("waits.c");
    std::fs::write(&source, "#include <unistd.h>\nint main(void) { return pause(); }\n").unwrap();
    let program = directory.path().join("waits");
    assert!(Command::new("cc").arg("-o").args([&program, &source]).status().unwrap().success());
    let old = std::fs::read(&program).unwrap();
    let mut running = Command::new(&program).spawn().unwrap();
    let done = write(&program, 5, Way::InPlace);
    running.kill().unwrap();
    running.wait().unwrap();
    let written = done.unwrap();
    assert!(written.way == Taken::Beside && written.note.unwrap().contains("running"));
    assert!(std::fs::read(&program).unwrap() == spliced(&old, &plan(5, old.len() as u64)));
    assert_eq!(names(directory.path()).len(), 3);
}

/// Fills `disk` but for `left` bytes, as near as its blocks allow.
fn fill(disk: &Disk, left: u64) {
    let space = rustix::fs::statvfs(&disk.root).unwrap();
    let mut rest = (space.f_bavail * space.f_frsize).saturating_sub(left);
    let file = File::create(disk.root.join("full")).unwrap();
    let zeros = vec![1; 1 << 16];
    let mut at = 0;
    while rest > 0 {
        let now = rest.min(zeros.len() as u64);
        if file.write_all_at(&zeros[..now as usize], at).is_err() {
            break;
        }
        at += now;
        rest -= now;
    }
    file.sync_all().unwrap();
}

pub fn a_full_tmpfs_costs_nothing() {
    let disk = Disk::new("tmpfs", 16);
    on_a_full_disk(&disk, &[0, 4096, 64 << 10, 1 << 20, 2_900_000, 2_997_000]);
}

pub fn a_full_ext4_costs_nothing() {
    let disk = Disk::new("ext4", 32);
    on_a_full_disk(&disk, &[0, 4096, 8192, 16 << 10, 64 << 10, 1 << 20, 2_900_000]);
}

fn on_a_full_disk(disk: &Disk, rests: &[u64]) {
    let path = disk.root.join("file");
    let mut failed = 0;
    for &left in rests {
        for way in WAYS {
            for seed in [7, 11, 12] {
                let old = make(&path);
                fill(disk, left);
                let before = std::fs::metadata(&path).unwrap();
                let done = write(&path, seed, way);
                let now = std::fs::read(&path).unwrap();
                match done {
                    Ok(_) => assert!(now == spliced(&old, &plan(seed, SIZE))),
                    Err(error) => {
                        failed += 1;
                        assert!(error.to_string().contains("No space left"), "{left} left, {way:?}: {error}");
                        assert!(now == old, "{left} left, {way:?}");
                        let after = std::fs::metadata(&path).unwrap();
                        assert_eq!((after.mode(), after.uid()), (before.mode(), before.uid()));
                    }
                }
                assert_eq!(names(&disk.root), ["file", "full"], "{left} left, {way:?}");
                std::fs::remove_file(disk.root.join("full")).unwrap();
                std::fs::remove_file(&path).unwrap();
            }
        }
    }
    assert!(failed > 5, "only {failed} failed");
}
