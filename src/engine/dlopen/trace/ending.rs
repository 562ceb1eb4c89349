//! Ending a command with everybody who descends from it: first asked to (SIGTERM), then made to (SIGKILL).

use super::family::Family;
use rustix::process::{Pid, Signal, kill_process, kill_process_group};
use std::process::Child;
use std::time::Duration;

/// How long they have to end themselves, in steps of [`STEP`]: two seconds.
const PATIENCE: u32 = 100;
/// How often we look.
const STEP: Duration = Duration::from_millis(20);
/// How often those who can't be ended are killed again: processes may start others while they are killed.
const ROUNDS: u32 = 50;

/// Ends everybody of `family`, with `group`, the command's own process group, if it has one. The command itself is reaped,
/// so that its end is known.
pub(super) fn end(family: &mut Family, child: &mut Child, group: Option<u32>) {
    send(family, group, Signal::TERM);
    for _ in 0..PATIENCE {
        let _ = child.try_wait();
        if family.alive().is_empty() {
            return;
        }
        std::thread::sleep(STEP);
    }
    for _ in 0..ROUNDS {
        send(family, group, Signal::KILL);
        let _ = child.try_wait();
        if family.alive().is_empty() {
            return;
        }
        std::thread::sleep(STEP);
    }
}

fn send(family: &mut Family, group: Option<u32>, signal: Signal) {
    let id = |pid: u32| i32::try_from(pid).ok().and_then(Pid::from_raw);
    // Who is gone can't be signalled, and need not be.
    let alive = family.alive();
    if let Some(group) = group.and_then(id).filter(|_| !alive.is_empty()) {
        let _ = kill_process_group(group, signal);
    }
    for pid in alive.into_iter().filter_map(id) {
        let _ = kill_process(pid, signal);
        // One that is stopped would not hear.
        let _ = kill_process(pid, Signal::CONT);
    }
}
