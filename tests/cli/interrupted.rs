//! Ctrl-C in the middle of a run, and a session that had no time to go: outputs are put back, at once or by `recover`.

use super::program::{Place, Ran, contents};
use std::fs::File;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

fn signal(child: &Child, name: &str) {
    let sent = Command::new("kill").args([name, &child.id().to_string()]).status().unwrap();
    assert!(sent.success());
}

fn wait_until(what: &str, mut holds: impl FnMut() -> bool) {
    let end = Instant::now() + Duration::from_secs(60);
    while !holds() {
        assert!(Instant::now() < end, "{what} did not come");
        std::thread::sleep(Duration::from_millis(1));
    }
}

fn start(place: &Place, arguments: &[&str]) -> Child {
    place.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
}

/// Holds cargo's lock of the release directory as soon as `run` has taken an output away, so that it waits in between.
fn held_in_the_middle(place: &Place, arguments: &[&str]) -> (Child, File) {
    let output = place.output("liblabext.so");
    let path = place.work().join("target/release/.cargo-lock");
    let lock = File::create(path).unwrap();
    let child = start(place, arguments);
    wait_until("the middle", || {
        lock.lock().unwrap();
        let here = !output.exists();
        if !here {
            lock.unlock().unwrap();
        }
        here
    });
    (child, lock)
}

/// A library that a run copies for a while: the lab's with 400 MB behind its sections.
fn grow(path: &Path) {
    let bytes = std::fs::read(path).unwrap();
    let mut file = File::create(path).unwrap();
    std::io::Write::write_all(&mut file, &bytes).unwrap();
    let block = vec![0x5a_u8; 1 << 20];
    for _ in 0..400 {
        std::io::Write::write_all(&mut file, &block).unwrap();
    }
}

#[test]
fn an_interrupt_between_two_effects_puts_outputs_back() {
    for name in ["-INT", "-TERM"] {
        let place = Place::with_lab();
        let before = contents(&place.work().join("target/release/deps"));
        let (child, lock) = held_in_the_middle(&place, &["run", "--json"]);
        signal(&child, name);
        // The signal is seen while it waits for the lock; putting back needs the lock.
        std::thread::sleep(Duration::from_millis(100));
        drop(lock);
        let ran = Ran::of(&child.wait_with_output().unwrap());
        ran.complains(130, &["interrupted", "cargo's outputs are as they were"]);
        assert_eq!(ran.out, "");
        assert!(contents(&place.work().join("target/release/deps")) == before);
        for name in ["liblabext.so", "liblabclean.so", "labtool"] {
            let deps = place.work().join("target/release/deps");
            let twin = if name == "labtool" { "labtool-0123456789abcdef" } else { name };
            let (_, bytes) = &before[&deps.join(twin)];
            assert_eq!(std::fs::read(place.output(name)).unwrap(), *bytes, "{name}");
        }
        let again = place.run(["recover"]);
        assert_eq!((again.status, again.out.as_str()), (0, "nothing to recover: no session was interrupted here\n"));
    }
}

#[test]
fn an_interrupt_while_a_big_file_is_copied_leaves_no_half_of_it() {
    let place = Place::with_lab();
    let big = place.write("big/libbig.so", &std::fs::read(place.output("liblabclean.so")).unwrap());
    grow(&big);
    let size = big.metadata().unwrap().len();
    let mut child = start(&place, &["run", "big/libbig.so", "--staging-dir", "staging"]);
    let staging = place.work().join("staging");
    let mut copied = false;
    wait_until("the copy", || {
        copied = child.try_wait().unwrap().is_some();
        copied || (staging.is_dir() && contents_of_names(&staging, "libbig.so"))
    });
    if copied {
        // The filesystem shares blocks: there was no copy that could be interrupted, and the run is done.
        assert!(Ran::of(&child.wait_with_output().unwrap()).status == 0);
        return;
    }
    signal(&child, "-INT");
    let ran = Ran::of(&child.wait_with_output().unwrap());
    ran.complains(130, &["interrupted"]);
    assert_eq!(big.metadata().unwrap().len(), size);
    assert!(!contents_of_names(&staging, "libbig.so"), "half a file is left");
}

fn contents_of_names(directory: &Path, name: &str) -> bool {
    let mut open = vec![directory.to_path_buf()];
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.file_name().is_some_and(|found| found == name) {
                return true;
            }
        }
    }
    false
}

#[test]
fn what_a_killed_run_left_is_recovered() {
    let place = Place::with_lab();
    let before = contents(&place.work().join("target/release"));
    let (mut child, lock) = held_in_the_middle(&place, &["run"]);
    signal(&child, "-KILL");
    child.wait().unwrap();
    drop(lock);
    assert!(!place.output("liblabext.so").exists());
    let refused = place.run(["run", "target/release/liblabext.so"]);
    assert_eq!(refused.status, 2);
    assert!(refused.err.contains("a session was interrupted here; `wheelwright recover"), "{}", refused.err);
    let ran = place.run(["recover"]);
    assert_eq!((ran.status, ran.err.as_str()), (0, ""), "{}", ran.out);
    assert!(
        ran.out.starts_with("taken back: ") && ran.out.ends_with("cargo's outputs are as they were\n"),
        "{}",
        ran.out
    );
    let mut after = contents(&place.work().join("target/release"));
    after.remove(&place.work().join("target/release/.cargo-lock"));
    assert!(after == before);
    assert_eq!(place.run(["recover"]).out, "nothing to recover: no session was interrupted here\n");
}
