//! The document of a run: the logs read, each process with its program and parent, and what could not be seen.

use super::family::{Family, Run};
use super::log::{self, Logged};
use super::objects::Files;
use super::options::TraceOptions;
use super::program::{self, Kind};
use super::starts::{Seen, Starts};
use super::{compare, preload, sampled};
use crate::engine::report::trace::{Ended, LoadCause, LoadResult, TraceDocument, TracedLoad, TracedProcess};
use crate::engine::{Context, Error, Result};
use std::collections::BTreeSet;
use std::io::{BufReader, Read};
use std::path::{Path, PathBuf};

/// All that was observed of a run.
pub(super) struct Observed<'a> {
    pub(super) options: &'a TraceOptions,
    pub(super) family: Family,
    pub(super) starts: Starts,
    pub(super) notes: Vec<String>,
    pub(super) ended: Ended,
}

/// A process with what its trees depend on.
pub(super) struct Followed {
    pub(super) process: TracedProcess,
    pub(super) seen: Seen,
    /// It goes on with the program of the process before it that is not forked.
    pub(super) is_forked: bool,
    /// Where it stands among the others.
    order: usize,
}

/// The document.
///
/// # Errors
/// [`Error::Io`] when a log can't be read; [`Error::Cancelled`].
pub(super) fn document(observed: Observed<'_>, context: &Context) -> Result<TraceDocument> {
    let Observed { options, family, starts, notes, ended } = observed;
    let mut followed = logged(&starts, &family, options)?;
    let known = |one: &Followed| one.process.program.clone().map(|program| (one.process.pid, program));
    let with_log: BTreeSet<(u32, PathBuf)> = followed.iter().filter_map(known).collect();
    for (process, seen) in sampled::processes(&family, &with_log) {
        // Those who say nothing stand after their parents; the command itself stands first.
        let parent = followed.iter().rposition(|one| Some(one.process.pid) == process.parent);
        let is_root = family.members.first().is_some_and(|member| member.pid == process.pid);
        let place = parent.map_or(if is_root { 0 } else { followed.len() }, |at| at + 1);
        followed.insert(place, Followed { process, seen, is_forked: false, order: 0 });
    }
    if options.compare {
        compare::all(&mut followed, options, context)?;
    }
    let mut unseen = notes;
    unseen.extend(blind_spots(&family, &with_log));
    let text = |word: &std::ffi::OsString| word.to_string_lossy().into_owned();
    Ok(TraceDocument {
        schema: super::SCHEMA.to_owned(),
        command: options.command.iter().map(text).collect(),
        host: options.host.clone(),
        ended: Some(ended),
        processes: followed.into_iter().map(|one| one.process).collect(),
        unseen,
    })
}

/// What the logs tell, in the order in which the programs started.
fn logged(starts: &Starts, family: &Family, options: &TraceOptions) -> Result<Vec<Followed>> {
    let mut followed = Vec::new();
    let mut left = options.max_log;
    for (pid, path) in starts.logs() {
        let file = match std::fs::File::open(&path) {
            Ok(file) => file,
            // It was announced, and its process was over before it was made.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(Error::io("open", &path)(error)),
        };
        let length = file.metadata().map_or(0, |file| file.len()).min(left);
        left -= length;
        let read = log::read(&path, &mut BufReader::new(file.take(length)), Files::Here)?;
        followed.extend(of_log(pid, read, starts, family, options));
    }
    // By the start of their programs; what was forked stands behind.
    followed.sort_by_key(|one| one.order);
    Ok(followed)
}

/// The processes of one log, which has the name of process `pid`.
fn of_log(pid: u32, read: Vec<Logged>, starts: &Starts, family: &Family, options: &TraceOptions) -> Vec<Followed> {
    let own = starts.list.iter().enumerate().filter(|(_, start)| start.pid == pid);
    let own: Vec<(usize, &Seen)> = own.map(|(order, start)| (order, &start.seen)).collect();
    let calls: Vec<Option<PathBuf>> =
        read.iter().filter(|one| !one.is_forked).map(|one| one.process.program.clone()).collect();
    // The last programs are surely those that were seen last.
    let skipped = own.len().saturating_sub(calls.len());
    let own = own.get(skipped..).unwrap_or_default();
    let mut next = 0;
    let mut current: (usize, Seen) = own.first().map(|(order, seen)| (*order, (*seen).clone())).unwrap_or_default();
    let mut followed = Vec::new();
    for Logged { mut process, is_forked } in read {
        if !is_forked {
            current = own.get(next).map(|(order, seen)| (*order, (*seen).clone())).unwrap_or_default();
            next += 1;
            // Looked at too late, it was the next program already.
            let follower = own.get(next).map(|(_, seen)| &seen.program);
            let is_next = follower == Some(&current.1.program) && calls.get(next) != Some(&process.program);
            if current.1.program.is_none() || is_next {
                let taken = own.iter().filter_map(|(_, seen)| seen.program.as_deref()).collect::<Vec<_>>();
                match missed(pid, process.program.as_deref(), &taken, family) {
                    Some(seen) => current.1 = seen,
                    None if is_next => {}
                    None => current.1 = Seen::as_started(options),
                }
            }
        }
        let (order, seen) = current.clone();
        process.parent = if is_forked || seen.parent.is_none() {
            family.members.iter().find(|member| member.pid == process.pid).and_then(|member| member.parent)
        } else {
            seen.parent
        };
        if !is_forked {
            preload::tell(&mut process, &seen);
        }
        name(&mut process, &seen, is_forked);
        followed.push(Followed { process, seen, is_forked, order });
    }
    followed
}

/// What was seen at other moments of a program whose start was missed: of what process `pid` ran and no start has `taken`,
/// what has the name that it calls itself, or what is alone.
fn missed(pid: u32, called: Option<&Path>, taken: &[&Path], family: &Family) -> Option<Seen> {
    let members = family.members.iter().filter(|member| member.pid == pid);
    let runs = members.flat_map(|member| member.runs.iter().filter(|run| !family.is_forked(member, run)));
    let free: Vec<&Run> = runs.filter(|run| !taken.contains(&run.program.as_path())).collect();
    let named = free.iter().find(|run| run.program.file_name() == called.and_then(Path::file_name));
    let alone = free.first().filter(|run| free.len() == 1 && run.is_marked);
    named.or(alone).map(|run| run.seen.clone())
}

/// Gives the process its program, by whose path it also asks.
fn name(process: &mut TracedProcess, seen: &Seen, is_forked: bool) {
    let called = process.program.clone();
    let is_by_loader = process
        .loads
        .first()
        .is_some_and(|load| load.cause == LoadCause::Program && Some(Path::new(&load.name)) == called.as_deref());
    // The loader that was started by name is not the program, and knows its path.
    let started = called.as_ref().map(|called| seen.directory.clone().unwrap_or_default().join(called));
    let program = if is_by_loader { started } else { seen.program.clone() };
    let Some(program) = program.or_else(|| called.clone()) else { return };
    for load in &mut process.loads {
        if load.asked_by == called {
            load.asked_by = Some(program.clone());
        }
        // dlopen(NULL): the loader knows the program by no path.
        if load.path.as_ref().is_some_and(|path| path.as_os_str().is_empty()) {
            load.path = Some(program.clone());
        }
    }
    if is_by_loader && let Some(load) = process.loads.first_mut() {
        load.path = Some(program.clone());
    } else if !is_forked {
        let has_interpreter = process.loads.iter().any(|load| load.cause == LoadCause::Program);
        // Older loaders do not speak of themselves.
        if let Some(interpreter) = program::interpreter(&program).filter(|_| !has_interpreter) {
            process.loads.insert(0, present(interpreter.display().to_string(), interpreter));
        }
        let name = called.as_deref().unwrap_or(&program).display().to_string();
        process.loads.insert(0, present(name, program.clone()));
    }
    process.program = Some(program);
}

/// A file that is in the process because the program runs.
pub(super) fn present(name: String, path: PathBuf) -> TracedLoad {
    TracedLoad {
        name,
        namespace: 0,
        cause: LoadCause::Program,
        asked_by: None,
        result: LoadResult::Loaded,
        path: Some(path),
        found_by: None,
        searched: Vec::new(),
        tried: Vec::new(),
        error: None,
    }
}

/// What could not be seen, by program; `with_log` are the programs whose loaders talked.
fn blind_spots(family: &Family, with_log: &BTreeSet<(u32, PathBuf)>) -> BTreeSet<String> {
    let mut said = BTreeSet::new();
    for member in &family.members {
        for run in &member.runs {
            if with_log.contains(&(member.pid, run.program.clone())) || family.is_forked(member, run) {
                continue;
            }
            let program = run.program.display();
            let sampled = "its memory map was read every few milliseconds: who asked, what was sought in vain, and what came \
                           and went in between is not known";
            let text = match run.kind {
                Kind::Musl => format!("{program} has musl's loader, which has no log; {sampled}"),
                Kind::Static => format!("{program} is linked statically: what it opens itself can't be seen"),
                Kind::OtherRights => {
                    format!("{program} runs with other rights than ours, so that its loader ignores LD_DEBUG")
                }
                Kind::Unknown => format!("{program} can't be read, and left no log"),
                Kind::Glibc if !run.is_marked => {
                    format!("{program} was started without LD_DEBUG in its environment; {sampled}")
                }
                // A fork of one whose end came before it was looked at.
                Kind::Glibc if with_log.iter().any(|(_, other)| *other == run.program) => continue,
                Kind::Glibc => format!("{program} could not write its log"),
            };
            said.insert(text);
        }
    }
    said
}
