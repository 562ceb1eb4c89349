//! Runs the program on a hostile file as a child process, and holds what it does to the contract.

use serde_json::Value;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// A command that takes longer hangs.
const LONGEST: Duration = Duration::from_secs(20);
/// The most that a command may hold resident, in KiB.
const LARGEST: u64 = 128 << 10;

/// The commands that are held to the contract, without their path.
const COMMANDS: [&[&str]; 5] =
    [&["audit", "--json"], &["audit", "--loader-only", "--json"], &["tree"], &["tree", "--json"], &["plan", "--json"]];

/// Runs every command on `path`, with `LD_LIBRARY_PATH` as given; the document of each that has one.
pub fn all_commands(path: &Path, library_path: Option<&str>) -> Vec<(String, i32, Option<Value>)> {
    COMMANDS.iter().map(|arguments| one_command(arguments, path, library_path)).collect()
}

/// Runs one command on `path`, and prints what it took for `--nocapture`: its words, its exit status and its document.
#[allow(clippy::print_stdout)]
pub fn one_command(arguments: &[&str], path: &Path, library_path: Option<&str>) -> (String, i32, Option<Value>) {
    let home = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
    command.args(arguments).arg(path).current_dir(home.path()).env("HOME", home.path()).env_remove("XDG_CACHE_HOME");
    match library_path {
        Some(value) => command.env("LD_LIBRARY_PATH", value),
        None => command.env_remove("LD_LIBRARY_PATH"),
    };
    let words = format!("wheelwright {} {}", arguments.join(" "), path.display());
    let begin = Instant::now();
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let out = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).map(|_| bytes)
    });
    let err = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).map(|_| bytes)
    });
    let mut peak = 0;
    let status = loop {
        peak = peak.max(resident_peak(child.id()));
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begin.elapsed() > LONGEST {
            child.kill().unwrap();
            child.wait().unwrap();
            panic!("{words}: still running after {LONGEST:?}, {} MiB", peak >> 10);
        }
        std::thread::sleep(Duration::from_millis(2));
    };
    let took = begin.elapsed();
    let (out, err) = (out.join().unwrap().unwrap(), err.join().unwrap().unwrap());
    let said = String::from_utf8_lossy(&err);
    println!("{words}: {took:?}, {:.1} MiB", peak as f64 / 1024.0);
    let code = status.code().unwrap_or_else(|| panic!("{words}: ended by {status}: {said}"));
    assert!((0..=2).contains(&code), "{words}: {status}: {said}");
    for word in ["panicked", "RUST_BACKTRACE", "overflow"] {
        assert!(!said.contains(word), "{words}: {said}");
    }
    assert!(peak < LARGEST, "{words}: {} MiB", peak >> 10);
    let document = arguments.contains(&"--json").then(|| serde_json::from_slice(&out).ok()).flatten();
    let is_single = arguments.contains(&"--json") && document.is_none();
    assert!(!is_single || (code == 2 && !err.is_empty()), "{words}: no document, {status}: {said}");
    (words, code, document)
}

/// The most that process `id` has held resident until now, in KiB; 0 where the system does not say.
fn resident_peak(id: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.split_whitespace().next()?.parse().ok()).unwrap_or_default()
}
