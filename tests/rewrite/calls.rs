//! Kills at every system call of an edit, and of going back after one. A small tracer (ptrace(2)) is compiled for it: it counts
//! the calls of its child from a `getpriority` on, and kills it before the given one is made.

use crate::disks::{Disk, names};
use crate::hand::spliced;
use crate::kills::{Kind, library, told};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;
use wheelwright::engine::Context;
use wheelwright::engine::repair::rewrite::{Way, log_of, roll_back};

const TRACER: &str = r#"
#define _GNU_SOURCE
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <linux/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KILLED = 99, UNABLE = 98 };

int main(int count, char **words) {
    if (count < 3) return UNABLE;
    long at = atol(words[1]), calls = 0;
    int armed = 0, status;
    pid_t child = fork();
    if (child == 0) {
        if (ptrace(PTRACE_TRACEME, 0, 0, 0)) _exit(UNABLE);
        raise(SIGSTOP);
        execvp(words[2], words + 2);
        _exit(UNABLE);
    }
    waitpid(child, &status, 0);
    if (!WIFSTOPPED(status)) return UNABLE;
    if (ptrace(PTRACE_SETOPTIONS, child, 0, PTRACE_O_TRACESYSGOOD | PTRACE_O_EXITKILL)) return UNABLE;
    for (int deliver = 0;;) {
        if (ptrace(PTRACE_SYSCALL, child, 0, deliver)) return UNABLE;
        waitpid(child, &status, 0);
        deliver = 0;
        if (WIFEXITED(status)) { printf("%ld calls\n", calls); return WEXITSTATUS(status); }
        if (WIFSIGNALED(status)) return 128 + WTERMSIG(status);
        if (WSTOPSIG(status) == (SIGTRAP | 0x80)) {
            struct ptrace_syscall_info info;
            if (ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) <= 0) return UNABLE;
            if (info.op != PTRACE_SYSCALL_INFO_ENTRY) continue;
            if (info.entry.nr == SYS_getpriority) armed = 1;
            else if (armed && ++calls == at) {
                kill(child, SIGKILL);
                waitpid(child, &status, 0);
                return KILLED;
            }
        } else if (WSTOPSIG(status) != SIGTRAP) deliver = WSTOPSIG(status);
    }
}
"#;

/// The compiled tracer, if it can be compiled and may trace.
fn tracer() -> Option<&'static Path> {
    static TRACER_PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || {
        let directory = tempfile::tempdir().ok()?.keep();
        let (source, program) = (directory.join("tracer.c"), directory.join("tracer"));
        std::fs::write(&source, TRACER).ok()?;
        let made = Command::new("cc").arg("-o").args([&program, &source]).output();
        let able = made.is_ok_and(|made| made.status.success())
            && Command::new(&program).args(["0", "true"]).output().is_ok_and(|output| output.status.success());
        able.then_some(program)
    };
    TRACER_PROGRAM.get_or_init(make).as_deref()
}

/// Why no child can be traced, if so.
pub fn no_tracing() -> Option<String> {
    tracer().is_none().then(|| "needs cc, and leave to trace a child".to_owned())
}

/// Removes what [`tracer`] made.
pub fn clean_up() {
    if let Some(directory) = tracer().and_then(Path::parent) {
        let _ = std::fs::remove_dir_all(directory);
    }
}

/// Runs a child that does what it is told, and dies at call `at`; whether it did.
fn dies(told: &str, at: usize) -> bool {
    let mut command = Command::new(tracer().unwrap());
    let Output { status, stderr, .. } = command
        .arg(at.to_string())
        .arg(std::env::current_exe().unwrap())
        .env("WHEELWRIGHT_REWRITE", told)
        .output()
        .unwrap();
    let died = status.code() == Some(99);
    assert!(died || status.success(), "{told}, call {at}: {status}: {}", String::from_utf8_lossy(&stderr));
    died
}

/// The number of an edit of `path` that inserts a page within the file and writes on both sides of it.
fn inserting(kind: Kind, path: &Path) -> u64 {
    let size = std::fs::metadata(path).unwrap().len();
    let within = |seed: &u64| {
        let plan = kind.plan(*seed, path);
        let Some(insertion) = plan.insertion else { return kind == Kind::Real && plan.size_after > Some(size) };
        let below = plan.patches.iter().filter(|patch| patch.offset < insertion.offset).count();
        let offset = insertion.offset;
        kind == Kind::Real
            || offset % 4096 > 100 && offset + 10_000 < size && below > 1 && below + 2 < plan.patches.len()
    };
    (0..10_000).find(within).unwrap()
}

/// Kills the edit of a small file in `directory` at every call.
fn everywhere(directory: &Path, kind: Kind, way: Way, least: usize) {
    let path = directory.join("libcalled.so");
    library(&path, 100_000);
    let old = std::fs::read(&path).unwrap();
    let seed = inserting(kind, &path);
    let new = spliced(&old, &kind.plan(seed, &path));
    let (mut killed_old, mut killed_new, mut rolled_back) = (0, 0, 0);
    for at in 1.. {
        let died = dies(&told(kind, way, seed, &path), at);
        let torn = log_of(&path).exists();
        roll_back(&path, &Context::new()).unwrap();
        let now = std::fs::read(&path).unwrap();
        assert!(now == old || now == new, "{kind:?} {way:?}, killed at call {at}: neither old nor new");
        assert_eq!(names(directory), ["libcalled.so"], "{kind:?} {way:?}, killed at call {at}");
        rolled_back += usize::from(torn);
        if !died {
            assert!(now == new, "{kind:?} {way:?}: not killed, and not done");
            assert!(at > least, "{kind:?} {way:?} has only {at} calls");
            assert!(killed_old > 10 && killed_new > 0, "{kind:?} {way:?}: {killed_old} old, {killed_new} new");
            assert_eq!(rolled_back > 5, way == Way::InPlace, "{rolled_back} rolled back");
            return;
        }
        *(if now == new { &mut killed_new } else { &mut killed_old }) += 1;
        std::fs::write(&path, &old).unwrap();
    }
}

pub fn beside() {
    let directory = tempfile::tempdir().unwrap();
    everywhere(directory.path(), Kind::Hand, Way::Beside, 30);
    everywhere(directory.path(), Kind::Real, Way::Beside, 30);
}

pub fn in_place() {
    let disk = Disk::new("ext4", 64);
    everywhere(&disk.root, Kind::Hand, Way::InPlace, 30);
    everywhere(&disk.root, Kind::Real, Way::InPlace, 30);
}

/// An edit is killed at some call, and going back at every one.
pub fn going_back() {
    let disk = Disk::new("ext4", 64);
    let path = disk.root.join("libback.so");
    library(&path, 100_000);
    let old = std::fs::read(&path).unwrap();
    let edit = told(Kind::Hand, Way::InPlace, inserting(Kind::Hand, &path), &path);
    let mut states = 0;
    for first in (1..).step_by(3) {
        let mut torn_before = None;
        for second in 1.. {
            let died = dies(&edit, first);
            if !log_of(&path).exists() {
                roll_back(&path, &Context::new()).unwrap();
                if std::fs::read(&path).unwrap() != old {
                    // It had finished, and so have we.
                    assert!(states >= 3, "only {states} torn states");
                    return;
                }
                assert!(died);
                break;
            }
            let torn = std::fs::read(&path).unwrap();
            if torn == old && torn_before.is_none() {
                // Nothing to go back from yet.
                roll_back(&path, &Context::new()).unwrap();
                break;
            }
            torn_before = Some(torn);
            let back_died = dies(&format!("back {}", path.display()), second);
            roll_back(&path, &Context::new()).unwrap();
            let now = std::fs::read(&path).unwrap();
            assert!(now == old, "edit killed at call {first}, going back at call {second}");
            assert_eq!(names(&disk.root), ["libback.so"]);
            if !back_died {
                states += 1;
                break;
            }
        }
    }
}
