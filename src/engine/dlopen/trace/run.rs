//! Running a command under its loader's log, within bounds, and leaving nothing behind.

use super::assemble::{self, Observed};
use super::family::Family;
use super::options::{Group, Stream, TraceOptions};
use super::starts::{LOG, Starts};
use super::wake::Wake;
use super::{ending, proc};
use crate::engine::report::trace::{Ended, TraceDocument};
use crate::engine::{Context, Error, Result};
use std::ffi::OsString;
use std::os::fd::AsFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use tempfile::TempDir;

/// How long we wait for something to happen, in milliseconds.
const MOMENT: u32 = 20;
/// The same while a program runs whose memory map is all that can be had.
const SHORT_MOMENT: u32 = 2;

/// Runs a command and says what its loaders did. A limit is no error: `ended.limit` names it, what was found stays.
/// [`Context::is_late`] is asked every few milliseconds. Whoever of the command's descendants is alive when it ends, is ended.
///
/// # Errors
/// [`Error::Refused`] where the command can't be started or this system has no `/proc`; [`Error::Io`] when the logs can't be
/// kept or read; [`Error::Cancelled`]. In every case the command is over and the logs are gone.
pub fn run(options: &TraceOptions, context: &Context) -> Result<TraceDocument> {
    let program = options.command.first().cloned().unwrap_or_default();
    if proc::stat(std::process::id()).is_none() {
        return Err(Error::Refused {
            path: Path::new(&program).to_path_buf(),
            reason: "nothing can be traced where there is no /proc".into(),
            way_out: "run it on Linux, and open the document here with trace --open".into(),
        });
    }
    let folder = folder(&options.scratch)?;
    let log = folder.path().join(LOG);
    let mut wake = Wake::on(folder.path());
    let _adoption = Adoption::begin();
    let mut child = spawn(options, &program, &log)?;
    wake.watch_child(child.id());
    let mark = [b"LD_DEBUG_OUTPUT=", log.as_os_str().as_bytes()].concat();
    let mut watched = Watched {
        family: Family::new(child.id(), &mark),
        starts: Starts::new(folder.path(), &mark),
        group: (options.group == Group::Own).then(|| child.id()),
        notes: Vec::new(),
    };
    let ended = watched.follow(&mut child, &mut wake, options, context);
    for name in wake.wait(0) {
        watched.starts.opened(&name);
    }
    watched.starts.count();
    watched.family.reap(child.id());
    let ended = ended?;
    if context.is_cancelled() {
        return Err(Error::Cancelled);
    }
    let Watched { family, starts, notes, .. } = watched;
    assemble::document(Observed { options, family, starts, notes, ended }, context)
}

/// The folder of the logs. Nobody else may look into it; but where we are root, a program that gives its rights up must
/// still be able to write: its loader would write to standard output otherwise.
fn folder(scratch: &Path) -> Result<TempDir> {
    let folder = tempfile::Builder::new().prefix("wheelwright-trace-").tempdir_in(scratch);
    let folder = folder.map_err(Error::io("make a folder in", scratch))?;
    if rustix::process::geteuid().is_root() {
        let rights = std::fs::Permissions::from_mode(0o1733);
        std::fs::set_permissions(folder.path(), rights).map_err(Error::io("set the rights of", folder.path()))?;
    }
    Ok(folder)
}

fn spawn(options: &TraceOptions, program: &OsString, log: &Path) -> Result<Child> {
    let mut command = Command::new(program);
    command.args(options.command.iter().skip(1)).current_dir(&options.working_directory);
    if options.environment.clear {
        command.env_clear();
    }
    for name in &options.environment.remove {
        command.env_remove(name);
    }
    command.envs(options.environment.set.iter().map(|(name, value)| (name, value)));
    command.env("LD_DEBUG", "libs,files").env("LD_DEBUG_OUTPUT", log);
    command.stdin(stdio(&options.stdin)?).stdout(stdio(&options.stdout)?).stderr(stdio(&options.stderr)?);
    if options.group == Group::Own {
        command.process_group(0);
    }
    command.spawn().map_err(|error| Error::Refused {
        path: Path::new(program).to_path_buf(),
        reason: format!("it can't be run: {error}"),
        way_out: "name a program by its path, or as it is found on PATH".into(),
    })
}

fn stdio(stream: &Stream) -> Result<Stdio> {
    Ok(match stream {
        Stream::Inherit => Stdio::inherit(),
        Stream::Null => Stdio::null(),
        Stream::ToStderr => {
            let stderr = std::io::stderr().as_fd().try_clone_to_owned();
            stderr.map_err(Error::io("use", Path::new("standard error")))?.into()
        }
        Stream::File(path) => std::fs::File::create(path).map_err(Error::io("write", path))?.into(),
    })
}

/// The command while it runs.
struct Watched {
    family: Family,
    starts: Starts,
    group: Option<u32>,
    notes: Vec<String>,
}

impl Watched {
    /// Follows the command to its end, or ends it; nobody of its family is alive after that.
    fn follow(
        &mut self,
        child: &mut Child,
        wake: &mut Wake,
        options: &TraceOptions,
        context: &Context,
    ) -> Result<Ended> {
        let mut moment = SHORT_MOMENT;
        let (status, limit) = loop {
            let is_silent = self.family.look();
            if let Some(status) = child.try_wait().transpose() {
                break (Some(status), None);
            }
            for name in wake.wait(moment) {
                self.starts.opened(&name);
            }
            moment = if is_silent { SHORT_MOMENT } else { MOMENT };
            if context.is_cancelled() {
                break (None, None);
            }
            if context.is_late() {
                break (None, Some("time"));
            }
            if self.starts.count().saturating_add(written(options)) > options.max_log {
                break (None, Some("output"));
            }
        };
        let mut left = self.family.alive();
        left.retain(|pid| *pid != child.id());
        if status.is_some() && !left.is_empty() {
            let mut names: Vec<String> = left.iter().map(|pid| self.family.name_of(*pid)).collect();
            names.sort();
            names.dedup();
            self.notes.push(format!("still running when the command ended, and ended by us: {}", names.join(", ")));
        }
        if status.is_none() || !left.is_empty() {
            ending::end(&mut self.family, child, self.group);
        }
        let failed = |error: std::io::Error| Error::Tool {
            program: Path::new(options.command.first().unwrap_or(&OsString::new())).display().to_string(),
            message: format!("its end can't be waited for: {error}"),
        };
        let status = match status {
            Some(status) => status.map_err(failed)?,
            None => child.wait().map_err(failed)?,
        };
        Ok(Ended { status: status.code(), signal: status.signal(), limit: limit.map(str::to_owned) })
    }
}

/// How much the command has written to files of ours.
fn written(options: &TraceOptions) -> u64 {
    let size = |stream: &Stream| match stream {
        Stream::File(path) => std::fs::metadata(path).map_or(0, |file| file.len()),
        _ => 0,
    };
    size(&options.stdout).saturating_add(size(&options.stderr))
}

/// While it lasts, processes of ours whose parents end become our children: where the first process of a container waits for
/// nobody, they would be zombies for ever.
struct Adoption {
    #[cfg(target_os = "linux")]
    was_on: bool,
}

impl Adoption {
    #[cfg(target_os = "linux")]
    fn begin() -> Self {
        use rustix::process::{child_subreaper, getpid, set_child_subreaper};
        let was_on = child_subreaper().is_ok_and(|reaper| reaper.is_some());
        // Without it everything works but that.
        let _ = set_child_subreaper(Some(getpid()));
        Self { was_on }
    }

    #[cfg(not(target_os = "linux"))]
    fn begin() -> Self {
        Self {}
    }
}

impl Drop for Adoption {
    fn drop(&mut self) {
        #[cfg(target_os = "linux")]
        if !self.was_on {
            let _ = rustix::process::set_child_subreaper(None);
        }
    }
}
