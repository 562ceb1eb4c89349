//! Kills at any call that changes a file, going forward, back, out and through recovery; with links and without.
//!
//! A small library is loaded into a child before all others. It counts the C library's calls once it is told to, and raises
//! SIGKILL at the given one; it can also refuse links as a FAT filesystem does.

use crate::small::{ALL, NEEDY, PLAIN, Small, THIRSTY, advance};
use std::collections::BTreeMap;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;
use wheelwright::engine::repair::Builtin;
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::{Recovery, Session, recover};
use wheelwright::engine::{Context, Error};

/// From the time that this name is removed, calls are counted.
const ARM: &str = "/nonexistent/wheelwright/arm";

const PRELOADED: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static int armed, count;

static void call(void) {
    const char *at = getenv("WHEELWRIGHT_DIE_AT");
    if (armed && at && ++count == atoi(at)) kill(getpid(), SIGKILL);
}
static int refused(void) {
    if (!getenv("WHEELWRIGHT_NO_LINKS")) return 0;
    errno = EPERM;
    return 1;
}
#define REAL(type, name, ...) ((type(*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name))

int unlink(const char *path) {
    if (!strcmp(path, "/nonexistent/wheelwright/arm")) { armed = 1; errno = ENOENT; return -1; }
    call();
    return REAL(int, unlink, const char *)(path);
}
int unlinkat(int fd, const char *path, int flags) { call(); return REAL(int, unlinkat, int, const char *, int)(fd, path, flags); }
int rename(const char *from, const char *to) { call(); return REAL(int, rename, const char *, const char *)(from, to); }
int rmdir(const char *path) { call(); return REAL(int, rmdir, const char *)(path); }
int mkdir(const char *path, mode_t mode) { call(); return REAL(int, mkdir, const char *, mode_t)(path, mode); }
int link(const char *from, const char *to) {
    call();
    return refused() ? -1 : REAL(int, link, const char *, const char *)(from, to);
}
int linkat(int a, const char *from, int b, const char *to, int flags) {
    call();
    return refused() ? -1 : REAL(int, linkat, int, const char *, int, const char *, int)(a, from, b, to, flags);
}
int symlink(const char *text, const char *path) {
    call();
    return refused() ? -1 : REAL(int, symlink, const char *, const char *)(text, path);
}
ssize_t write(int fd, const void *bytes, size_t size) {
    call();
    if (armed && fd > 2 && getenv("WHEELWRIGHT_FULL")) { errno = ENOSPC; return -1; }
    return REAL(ssize_t, write, int, const void *, size_t)(fd, bytes, size);
}
ssize_t pwrite64(int fd, const void *bytes, size_t size, off64_t at) {
    call();
    return REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)(fd, bytes, size, at);
}
int ftruncate64(int fd, off64_t size) { call(); return REAL(int, ftruncate64, int, off64_t)(fd, size); }
"#;

/// The library that is loaded first.
fn preloaded() -> Option<&'static Path> {
    static LIBRARY: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || {
        let directory = tempfile::tempdir().ok()?.keep();
        let (source, library) = (directory.join("calls.c"), directory.join("calls.so"));
        std::fs::write(&source, PRELOADED).ok()?;
        let made = Command::new("cc").args(["-shared", "-fPIC", "-o"]).args([&library, &source]).arg("-ldl").status();
        made.is_ok_and(|status| status.success()).then_some(library)
    };
    LIBRARY.get_or_init(make).as_deref()
}

/// Why no child can be killed at a call, if so.
pub fn no_preload() -> Option<String> {
    let there = cfg!(all(target_os = "linux", target_env = "gnu")) && preloaded().is_some();
    (!there).then(|| "needs cc, and a C library whose calls can be counted".to_owned())
}

/// Removes what [`preloaded`] made.
pub fn clean_up() {
    if let Some(directory) = preloaded().and_then(Path::parent) {
        let _ = std::fs::remove_dir_all(directory);
    }
}

fn arm() {
    let _ = std::fs::remove_file(ARM);
}

/// What a child does.
pub fn child(told: &str) {
    let (scenario, root) = told.split_once(' ').unwrap();
    let small = Small::at(Path::new(root));
    let staging = std::env::var_os("WHEELWRIGHT_STAGING").map(PathBuf::from);
    let open = || small.session_with(small.project(), |options| options.staging.clone_from(&staging));
    match scenario {
        "run" => {
            let mut session = open();
            arm();
            all_the_way(&mut session);
            session.leave().unwrap();
        }
        "undo" => {
            let mut session = open();
            all_the_way(&mut session);
            arm();
            for id in [THIRSTY, NEEDY, PLAIN] {
                while session.undo(id, &Context::new()).unwrap().is_some() {}
            }
            session.leave().unwrap();
        }
        "leave" => {
            let mut session = open();
            part_of_the_way(&mut session);
            arm();
            session.leave().unwrap();
        }
        "break-off" => {
            let mut session = open();
            part_of_the_way(&mut session);
            let _ = Command::new("kill").args(["-KILL", &std::process::id().to_string()]).status();
            std::thread::sleep(std::time::Duration::from_secs(60));
        }
        "recover" => {
            arm();
            recover(&small.home(), &Builtin::default(), &Context::new()).unwrap();
        }
        other => panic!("{other}?"),
    }
}

fn all_the_way(session: &mut Session) {
    for step in Step::ALL {
        for id in ALL {
            advance(session, id, step);
        }
    }
}

/// One artifact is finished, one edited, one renamed.
fn part_of_the_way(session: &mut Session) {
    advance(session, NEEDY, Step::Finalize);
    advance(session, THIRSTY, Step::Patch);
    advance(session, PLAIN, Step::Predict);
}

#[derive(Clone, Copy)]
struct Place<'a> {
    full: bool,
    links: bool,
    staging: Option<&'a Path>,
}

const USUAL: Place<'static> = Place { full: false, links: true, staging: None };

/// Runs `scenario` in a child that dies at call `at`; whether it did.
fn dies(small: &Small, scenario: &str, at: usize, place: &Place<'_>) -> bool {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.env("WHEELWRIGHT_FAULTS", format!("{scenario} {}", small.root.display()));
    command.env("LD_PRELOAD", preloaded().unwrap()).env("WHEELWRIGHT_DIE_AT", at.to_string());
    if !place.links {
        command.env("WHEELWRIGHT_NO_LINKS", "1");
    }
    if place.full {
        command.env("WHEELWRIGHT_FULL", "1");
    }
    if let Some(staging) = place.staging {
        command.env("WHEELWRIGHT_STAGING", staging);
    }
    let output = command.output().unwrap();
    let died = output.status.signal() == Some(9);
    assert!(died || output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    died
}

/// The clean bytes of every output are at its own path, or at the one where it is staged.
fn every_output_has_its_bytes(clean: &BTreeMap<PathBuf, Vec<u8>>, staging: &Path, when: &str) {
    for (path, bytes) in clean {
        let staged = staging.join("release").join(path.file_name().unwrap());
        let found = [path, &staged].into_iter().any(|path| std::fs::read(path).is_ok_and(|found| found == *bytes));
        assert!(found, "{when}: the bytes of {} are gone", path.display());
    }
}

/// What recovery comes to. A child that another test begins holds our lock too, until it is a program of its own.
fn recovered(small: &Small) -> Recovery {
    loop {
        match recover(&small.home(), &Builtin::default(), &Context::new()) {
            Err(Error::Locked { .. }) => std::thread::sleep(std::time::Duration::from_millis(5)),
            other => return other.unwrap(),
        }
    }
}

/// Kills `scenario` at every call, and recovers.
fn everywhere(scenario: &str, place: &Place<'_>, least: usize) {
    // In other places than the usual one every third call will do.
    let stride = if place.links && place.staging.is_none() { 1 } else { 3 };
    for at in (1..).step_by(stride) {
        let small = Small::new();
        let clean = small.clean();
        let staging = place.staging.map_or_else(|| small.home(), |staging| staging.join("wheelwright"));
        let died = dies(&small, scenario, at, place);
        let when = format!("{scenario}, killed at call {at}");
        every_output_has_its_bytes(&clean, &staging, &when);
        let recovery = recovered(&small);
        assert!(recovery.missing.is_empty() && recovery.kept_aside.is_empty(), "{when}: {recovery:?}");
        assert_eq!(small.clean(), clean, "{when}");
        assert_eq!(recovered(&small).begun, 0, "{when}");
        if !died {
            assert!(at > least, "{scenario} has only {at} calls");
            return;
        }
    }
}

pub fn killed_at_any_call_of_a_run() {
    everywhere("run", &USUAL, 80);
}

pub fn killed_at_any_call_of_an_undo() {
    everywhere("undo", &USUAL, 30);
}

pub fn killed_at_any_call_of_leaving() {
    everywhere("leave", &USUAL, 4);
}

pub fn killed_at_any_call_without_links() {
    everywhere("run", &Place { full: false, links: false, staging: None }, 80);
    everywhere("undo", &Place { full: false, links: false, staging: None }, 30);
}

/// Is run only where there is a second filesystem.
pub fn killed_at_any_call_on_another_filesystem() {
    let place = tempfile::tempdir_in("/dev/shm").unwrap();
    everywhere("run", &Place { full: false, links: true, staging: Some(place.path()) }, 80);
    everywhere("undo", &Place { full: false, links: true, staging: Some(place.path()) }, 30);
}

/// A recovery that is killed at any call is finished by the next one, also where it can't note what it has done.
pub fn killed_at_any_call_of_a_recovery() {
    for (full, links) in [(false, true), (true, true), (true, false)] {
        let place = Place { full, links, staging: None };
        for at in (1..).step_by(if full { 3 } else { 1 }) {
            let small = Small::new();
            let clean = small.clean();
            assert!(dies(&small, "break-off", 0, &place));
            assert_ne!(small.clean(), clean);
            let died = dies(&small, "recover", at, &place);
            let when = format!("recovery killed at call {at}, full {full}, links {links}");
            every_output_has_its_bytes(&clean, &small.home(), &when);
            if died {
                // And once more, a little further on.
                dies(&small, "recover", at / 2 + 1, &place);
                every_output_has_its_bytes(&clean, &small.home(), &when);
            }
            let recovery = recovered(&small);
            assert!(recovery.missing.is_empty() && recovery.kept_aside.is_empty(), "{when}: {recovery:?}");
            assert_eq!(small.clean(), clean, "{when}");
            if !died {
                assert!(at > 20, "a recovery has only {at} calls");
                break;
            }
        }
    }
}

/// Without links of either kind a run goes through, and its results are whole.
pub fn without_links_everything_is_copied() {
    let small = Small::new();
    let clean = small.clean();
    assert!(!dies(&small, "run", 0, &Place { full: false, links: false, staging: None }));
    assert_eq!(small.clean(), clean);
    let bundle = small.home().join("release/bundle/small");
    assert_eq!(std::fs::read(bundle.join("plain.so")).unwrap(), clean[&small.output("libplain.so")]);
    assert_ne!(std::fs::read(bundle.join("needy.so")).unwrap(), clean[&small.output("libneedy.so")]);
    assert!(!bundle.join("plain.so").is_symlink());
}
