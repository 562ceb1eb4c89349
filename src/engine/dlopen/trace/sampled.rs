//! The processes whose loaders don't talk, by their memory maps: what is loaded, not for whom.

use super::assemble::present;
use super::family::{Family, Run};
use super::program::{self, Kind};
use super::starts::Seen;
use crate::engine::report::trace::{LoadCause, TraceMethod, TracedLoad, TracedProcess};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Those of `family` that were sampled and are not `logged`, each with what its trees depend on.
pub(super) fn processes(family: &Family, logged: &BTreeSet<(u32, PathBuf)>) -> Vec<(TracedProcess, Seen)> {
    let mut found = Vec::new();
    for member in &family.members {
        for run in &member.runs {
            let has_log = logged.contains(&(member.pid, run.program.clone()));
            // A child of a fork has its parent's log.
            let talks = run.kind == Kind::Glibc && (run.is_marked || family.is_forked(member, run));
            if !(has_log || talks || run.mapped.is_empty()) {
                let process = TracedProcess {
                    pid: member.pid,
                    parent: member.parent,
                    program: Some(run.program.clone()),
                    method: TraceMethod::Maps,
                    loads: loads(run),
                    errors: Vec::new(),
                    compared: None,
                };
                found.push((process, run.seen.clone()));
            }
        }
    }
    found
}

fn loads(run: &Run) -> Vec<TracedLoad> {
    let interpreter = program::interpreter(&run.program);
    let real = interpreter.as_deref().and_then(|path| std::fs::canonicalize(path).ok());
    let of_program = |file: &Path| file == run.program || Some(file) == real.as_deref();
    let load = |file: &PathBuf| {
        let name = file.file_name().unwrap_or(file.as_os_str()).to_string_lossy().into_owned();
        let cause = if of_program(file) { LoadCause::Program } else { LoadCause::Unknown };
        TracedLoad { cause, ..present(name, file.clone()) }
    };
    // The program and its loader first; the sort keeps the others in the order in which they came.
    let mut loads: Vec<TracedLoad> = run.mapped.iter().map(load).collect();
    let place = |load: &TracedLoad| match load.cause {
        LoadCause::Program if load.path.as_deref() == Some(run.program.as_path()) => 0,
        LoadCause::Program => 1,
        _ => 2,
    };
    loads.sort_by_key(place);
    loads
}
