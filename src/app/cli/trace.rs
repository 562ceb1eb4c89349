//! `wheelwright trace`: runs a command and says what the loader opened, for whom, and what it did not find.

use super::arguments::{Common, Trace as Arguments};
use super::output::Output;
use super::{OK, artifacts, environment, trace_text};
use crate::engine::dlopen::trace::{self, Environment, Group, Stream, TraceOptions};
use crate::engine::report::to_json;
use crate::engine::report::trace::{Ended, TraceDocument};
use color_eyre::Result;
use color_eyre::eyre::{WrapErr, eyre};
use std::io::{IsTerminal, Write};
use std::path::Path;
use tempfile::NamedTempFile;

/// Runs the command, or opens what was kept; the exit status is the command's.
///
/// # Errors
/// When the command can't be run, a file can't be read, or the document can't be written.
pub fn trace(arguments: &Arguments, common: &Common, output: &mut Output) -> Result<u8> {
    // Before anything runs: a result that can't be kept is no result.
    let kept = arguments.output.as_deref().map(beside).transpose()?;
    let document = if let Some(path) = &arguments.open {
        trace::open(path)?
    } else if !arguments.read.is_empty() {
        trace::from_logs(&arguments.read)?
    } else {
        run(arguments, output)?
    };
    if arguments.json {
        output.json(&document)?;
    }
    if let (Some(mut kept), Some(path)) = (kept, &arguments.output) {
        let written = to_json(&document).map(|text| kept.write_all(text.as_bytes()))?;
        written.wrap_err_with(|| format!("{}: cannot write", path.display()))?;
        kept.persist(path).wrap_err_with(|| format!("{}: cannot write", path.display()))?;
        output.note(format_args!("wheelwright: {}: {}", path.display(), trace_text::summary(&document)));
    } else if !arguments.json {
        trace_text::print(&document, common.verbose, output)?;
    }
    let ended = document.ended.filter(|_| !arguments.command.is_empty());
    Ok(ended.map_or(OK, |ended| status(&ended)))
}

/// A file beside `path`, to take its place.
fn beside(path: &Path) -> Result<NamedTempFile> {
    let directory = environment::absolute(path);
    let directory = directory.parent().ok_or_else(|| eyre!("{}: name a file", path.display()))?;
    if path.is_dir() {
        return Err(eyre!("{}: is a directory; name a file", path.display()));
    }
    NamedTempFile::new_in(directory).wrap_err_with(|| format!("{}: cannot write", path.display()))
}

fn run(arguments: &Arguments, output: &mut Output) -> Result<TraceDocument> {
    // With a terminal the command is in its foreground, as if we were not there.
    let group = if std::io::stdin().is_terminal() { Group::Ours } else { Group::Own };
    let context = environment::following(arguments.timeout, group == Group::Ours)?;
    let options = TraceOptions {
        command: arguments.command.clone(),
        working_directory: environment::current_directory()?,
        environment: Environment::default(),
        stdin: Stream::Inherit,
        stdout: if arguments.json { Stream::ToStderr } else { Stream::Inherit },
        stderr: Stream::Inherit,
        group,
        max_log: arguments.max_log,
        scratch: environment::temporary_directory(),
        host: artifacts::host(),
        compare: true,
    };
    let document = trace::run(&options, &context)?;
    match document.ended.as_ref().and_then(|ended| ended.limit.as_deref()) {
        Some("time") => {
            let seconds = arguments.timeout.unwrap_or_default().as_secs_f64();
            output.note(format_args!("wheelwright: ended after {seconds} s; --timeout allows more"));
        }
        Some(_) => {
            let bytes = arguments.max_log;
            output.note(format_args!("wheelwright: ended, with {bytes} bytes of loader's logs; --max-log allows more"));
        }
        None => {}
    }
    Ok(document)
}

/// The command's status, as a shell gives it.
fn status(ended: &Ended) -> u8 {
    let of_signal = ended.signal.map(|signal| 128 + signal);
    let status = ended.status.or(of_signal).unwrap_or_default();
    u8::try_from(status).unwrap_or(u8::MAX)
}
