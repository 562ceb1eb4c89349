//! What the process's environment says, read in one place and handed to the engine as plain values.

use crate::engine::Context;
use crate::engine::dlopen::proof::StartClock;
use color_eyre::Result;
use color_eyre::eyre::{WrapErr, eyre};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant};

/// The working directory.
///
/// # Errors
/// When it is gone.
pub fn current_directory() -> Result<PathBuf> {
    std::env::current_dir().wrap_err("the working directory can't be found")
}

/// The value of `PATH`.
#[must_use]
pub fn path_variable() -> OsString {
    std::env::var_os("PATH").unwrap_or_default()
}

/// The cargo program: `$CARGO` (set by cargo for what it runs), else the one on `PATH`.
#[must_use]
pub fn cargo() -> Option<PathBuf> {
    std::env::var_os("CARGO").map(PathBuf::from).or_else(|| on_path("cargo"))
}

/// The file of a program that is named by a path, or by a name as on the shell's command line.
///
/// # Errors
/// When there is none.
pub fn program(name: &Path) -> Result<PathBuf> {
    let bare = name.components().count() == 1 && name.file_name() == Some(name.as_os_str());
    let found = if bare && !name.is_file() { name.to_str().and_then(on_path) } else { Some(absolute(name)) };
    match found.filter(|path| path.is_file()) {
        Some(path) => Ok(path),
        None if bare => Err(eyre!("--host {}: there is no such file here and no such program on PATH", name.display())),
        None => Err(eyre!("--host {}: there is no such file", name.display())),
    }
}

/// A Python interpreter on `PATH`.
#[must_use]
pub fn python() -> Option<PathBuf> {
    on_path("python3").or_else(|| on_path("python"))
}

/// This program, to be started again. On Linux by its inode: another build may lie at its path by now.
#[must_use]
pub fn own_executable() -> Option<PathBuf> {
    let by_inode = PathBuf::from("/proc/self/exe");
    if by_inode.exists() { Some(by_inode) } else { std::env::current_exe().ok() }
}

/// A clock for what may take no longer than `limit`.
#[must_use]
pub fn clock(limit: Duration) -> StartClock {
    Arc::new(move || {
        let begun = Instant::now();
        Box::new(move || begun.elapsed() > limit)
    })
}

fn on_path(program: &str) -> Option<PathBuf> {
    std::env::split_paths(&path_variable()).map(|directory| directory.join(program)).find(|path| path.is_file())
}

/// Where sessions on loose files keep their things: `$XDG_CACHE_HOME/wheelwright`, else `~/.cache/wheelwright`.
#[must_use]
pub fn scratch_directory() -> PathBuf {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    absolute("XDG_CACHE_HOME")
        .or_else(|| absolute("HOME").map(|home| home.join(".cache")))
        .unwrap_or_else(std::env::temp_dir)
        .join("wheelwright")
}

/// A context that Ctrl-C and a termination signal cancel.
///
/// # Errors
/// When the signals can't be caught.
pub fn interruptible() -> Result<Context> {
    let context = Context::new();
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, context.cancellation()).wrap_err("signals can't be caught")?;
    }
    Ok(context)
}

/// A context for a command that runs in front of us, late after `timeout`. A termination signal cancels it; so does Ctrl-C,
/// unless the terminal sends it to the command as well, which then decides.
///
/// # Errors
/// When the signals can't be caught.
pub fn following(timeout: Option<Duration>, in_foreground: bool) -> Result<Context> {
    let mut context = Context::new();
    if let Some(timeout) = timeout {
        let begin = Instant::now();
        context = context.until(move || begin.elapsed() >= timeout);
    }
    let heard = if in_foreground { Arc::new(AtomicBool::new(false)) } else { context.cancellation() };
    let of_terminal = [signal_hook::consts::SIGINT, signal_hook::consts::SIGQUIT].map(|signal| (signal, &heard));
    let cancellation = context.cancellation();
    let of_others = [signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP].map(|signal| (signal, &cancellation));
    for (signal, flag) in of_terminal.into_iter().chain(of_others) {
        signal_hook::flag::register(signal, Arc::clone(flag)).wrap_err("signals can't be caught")?;
    }
    Ok(context)
}

/// The directory for what is gone in the end.
#[must_use]
pub fn temporary_directory() -> PathBuf {
    std::env::temp_dir()
}

/// The working directory of `path` as an absolute path, symbolic links kept.
#[must_use]
pub fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_path_buf())
}
