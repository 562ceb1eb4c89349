//! A child process that runs others' code: in a process group of its own, its output bounded, ended when its time is over.

use crate::engine::{Context, Error, Result};
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};
use std::io::{ErrorKind, Read};
use std::os::fd::AsFd;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

/// How much of each of its two outputs is kept, in bytes; the rest is read and dropped.
const KEPT: usize = 64 << 10;
/// How long to sleep between two looks, at first and at most.
const NAPS: (Duration, Duration) = (Duration::from_micros(500), Duration::from_millis(10));

/// How a process came to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum End {
    /// By itself, with this status.
    Exited(i32),
    /// By this signal, which was not ours.
    Signalled(i32),
    /// By us: its time was over.
    Late,
    /// By us: what it wrote to be read by us became too much.
    TooMuch,
}

/// A process that has ended.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    /// Its process id, which nobody has any more.
    pub pid: u32,
    pub end: End,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

/// Runs `command` to its end, or until `is_over` says that its time is; then, and when it has ended, every process of its
/// group is killed. `too_much` is asked as well.
///
/// # Errors
/// [`Error::Cancelled`], after it was killed; [`Error::Tool`] when it can't be started.
pub(super) fn run(
    command: &mut Command,
    is_over: &dyn Fn() -> bool,
    too_much: &dyn Fn() -> bool,
    context: &Context,
) -> Result<Ended> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |error: std::io::Error| Error::Tool { program: program.clone(), message: error.to_string() };
    let child = command
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let mut group = Group { child, is_reaped: false };
    let (mut stdout, mut stderr) = (Pipe::of(group.child.stdout.take()), Pipe::of(group.child.stderr.take()));
    let mut nap = NAPS.0;
    let why = loop {
        let read = stdout.read() | stderr.read();
        if context.is_cancelled() {
            return Err(Error::Cancelled);
        }
        if group.has_ended() {
            break None;
        }
        if is_over() || context.is_late() {
            break Some(End::Late);
        }
        if too_much() {
            break Some(End::TooMuch);
        }
        if !read {
            std::thread::sleep(nap);
            nap = (nap * 2).min(NAPS.1);
        }
    };
    let status = group.end().map_err(failed)?;
    while stdout.read() | stderr.read() {}
    let end = why.unwrap_or_else(|| match (status.code(), status.signal()) {
        (Some(code), _) => End::Exited(code),
        (None, signal) => End::Signalled(signal.unwrap_or_default()),
    });
    Ok(Ended { pid: group.child.id(), end, stdout: stdout.kept, stderr: stderr.kept })
}

/// A child and its process group, killed when it goes out of scope.
struct Group {
    child: Child,
    is_reaped: bool,
}

impl Group {
    fn pid(&self) -> Option<Pid> {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw)
    }

    /// Whether it has ended. It stays a zombie, so that its group's number is nobody else's.
    fn has_ended(&self) -> bool {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        self.pid().is_none_or(|pid| !matches!(waitid(WaitId::Pid(pid), options), Ok(None)))
    }

    fn end(&mut self) -> std::io::Result<ExitStatus> {
        if let Some(pid) = self.pid().filter(|_| !self.is_reaped) {
            // Nobody left in it is what is wanted.
            let _ = kill_process_group(pid, Signal::KILL);
        }
        self.is_reaped = true;
        self.child.wait()
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if !self.is_reaped {
            let _ = self.end();
        }
    }
}

/// One of its outputs.
struct Pipe<R> {
    from: Option<R>,
    kept: Vec<u8>,
}

impl<R: Read + AsFd> Pipe<R> {
    /// Reading must not wait: a process that has left the group could hold the other end for ever.
    fn of(from: Option<R>) -> Self {
        let from = from.filter(|from| {
            let flags = rustix::fs::fcntl_getfl(from);
            flags.is_ok_and(|flags| rustix::fs::fcntl_setfl(from, flags | rustix::fs::OFlags::NONBLOCK).is_ok())
        });
        Self { from, kept: Vec::new() }
    }

    /// Reads what is there, up to a bound; whether there was something.
    fn read(&mut self) -> bool {
        let Some(from) = &mut self.from else { return false };
        let mut buffer = [0; 16 << 10];
        match from.read(&mut buffer) {
            Ok(0) => {
                self.from = None;
                false
            }
            Ok(count) => {
                let room = KEPT.saturating_sub(self.kept.len());
                self.kept.extend(buffer.iter().take(count.min(room)));
                true
            }
            Err(error) => error.kind() == ErrorKind::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sh(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn an_end_is_told_from_another() {
        let never = || false;
        for (script, end) in [("exit 3", End::Exited(3)), ("kill -9 $$", End::Signalled(9)), ("true", End::Exited(0))] {
            assert_eq!(run(&mut sh(script), &never, &never, &Context::new()).unwrap().end, end, "{script}");
        }
        assert_eq!(run(&mut sh("sleep 600"), &|| true, &never, &Context::new()).unwrap().end, End::Late);
        assert_eq!(run(&mut sh("sleep 600"), &never, &|| true, &Context::new()).unwrap().end, End::TooMuch);
        let late = Context::new().until(|| true);
        assert_eq!(run(&mut sh("sleep 600"), &never, &never, &late).unwrap().end, End::Late);
        let cancelled = Context::new();
        cancelled.cancel();
        assert!(matches!(run(&mut sh("sleep 600"), &never, &never, &cancelled), Err(Error::Cancelled)));
    }

    #[test]
    fn output_without_end_is_read_and_bounded() {
        let script = "i=0; while [ $i -lt 400 ]; do printf '%01000d' 0; i=$((i+1)); done; echo no >&2";
        let ended = run(&mut sh(script), &|| false, &|| false, &Context::new()).unwrap();
        assert_eq!((ended.end, ended.stdout.len(), ended.stderr.as_slice()), (End::Exited(0), KEPT, &b"no\n"[..]));
    }

    #[test]
    fn what_it_began_ends_with_it() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("pid");
        let script = format!("sleep 600 & echo $! > '{}'", file.display());
        run(&mut sh(&script), &|| false, &|| false, &Context::new()).unwrap();
        let pid = Pid::from_raw(std::fs::read_to_string(&file).unwrap().trim().parse().unwrap()).unwrap();
        // Whoever inherits it reaps it in a moment; a zombie runs no more either.
        let is_alive = || {
            let status = std::fs::read_to_string(format!("/proc/{}/stat", pid.as_raw_nonzero()));
            status.is_ok_and(|line| !line.contains(") Z "))
        };
        while is_alive() {
            std::thread::sleep(Duration::from_millis(1));
        }
    }
}
