//! A loader's log as a whole: which of its lines belong to which process, and what each process loaded.

use super::follow::Follower;
use super::lines::each_line;
use super::objects::Files;
use super::rules;
use super::said::Said;
use crate::engine::Result;
use crate::engine::report::trace::{TraceMethod, TracedProcess};
use std::io::BufRead;
use std::path::Path;

/// A process as the log tells of it.
#[derive(Debug, Clone)]
pub(super) struct Logged {
    /// The process; its program is what it calls itself.
    pub(super) process: TracedProcess,
    /// Whether it goes on with the program of the process that it was forked from.
    pub(super) is_forked: bool,
}

/// Reads what glibc's loader wrote under `LD_DEBUG=libs,files`: a file of `LD_DEBUG_OUTPUT`, or standard error with other
/// text in it. Processes come in the order in which they appear; a program that another replaces with execve(2) is a process
/// of its own. With `LD_DEBUG=libs` alone nobody is named who asked. `path` is for errors.
///
/// # Errors
/// [`crate::engine::Error::Io`] when `text` can't be read.
pub fn read_log(path: &Path, mut text: impl BufRead) -> Result<Vec<TracedProcess>> {
    Ok(read(path, &mut text, Files::Elsewhere)?.into_iter().map(|logged| logged.process).collect())
}

/// The same with what the document does not hold.
pub(super) fn read(path: &Path, text: &mut impl BufRead, files: Files) -> Result<Vec<Logged>> {
    // The processes, ended or not; of several with one id the last is alive.
    let mut processes: Vec<Follower> = Vec::new();
    each_line(path, text, |pid, line| {
        let said = Said::read(line);
        if said == Said::Nothing {
            return;
        }
        let known = processes.iter().rposition(|process| process.pid == pid);
        let at = match known.filter(|at| !processes.get(*at).is_some_and(|process| process.is_replaced_by(&said))) {
            Some(at) => at,
            None => {
                // A program that starts asks for its libraries first; whoever begins otherwise was forked.
                let goes_on = matches!(
                    said,
                    Said::Request { opened: true, .. } | Said::Opened { .. } | Said::Error(_) | Said::Destroyed { .. }
                );
                let parent = processes.last().filter(|_| goes_on && known.is_none());
                let new = parent.map_or_else(|| Follower::started(pid, files), |parent| parent.forked(pid));
                processes.push(new);
                processes.len() - 1
            }
        };
        if let Some(process) = processes.get_mut(at) {
            process.take(&said);
        }
    })?;
    Ok(processes.into_iter().filter_map(logged).collect())
}

/// The process, unless it was forked and did nothing that the loader knows of.
fn logged(follower: Follower) -> Option<Logged> {
    let (pid, is_forked) = (follower.pid, follower.is_forked);
    let program = follower.called.as_deref().map(rules::path);
    let (loads, errors) = follower.finish();
    if loads.is_empty() && errors.is_empty() {
        return None;
    }
    let process =
        TracedProcess { pid, parent: None, program, method: TraceMethod::LdDebug, loads, errors, compared: None };
    Some(Logged { process, is_forked })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::audit::SearchRule;
    use crate::engine::report::trace::{LoadCause, LoadResult, TracedLoad};

    /// A log of process 7, or of the process that a line names before a bar.
    fn processes(lines: &str) -> Vec<TracedProcess> {
        let mut text = String::new();
        for line in lines.lines() {
            let (pid, line) = line.split_once('|').map_or((7, line), |(pid, line)| (pid.trim().parse().unwrap(), line));
            text.push_str(&format!("{pid:>10}:\t{}\n", line.trim_start()));
        }
        read_log(Path::new("log"), text.as_bytes()).unwrap()
    }

    fn one(lines: &str) -> Vec<TracedLoad> {
        let mut found = processes(lines);
        assert_eq!(found.len(), 1);
        found.remove(0).loads
    }

    const START: &str = "file=libc.so.6 [0];  needed by ./p [0]
        find library=libc.so.6 [0]; searching
        search cache=/etc/ld.so.cache
        trying file=/lib/libc.so.6
        file=libc.so.6 [0];  generating link map
        calling init: /lib64/ld-linux.so.2
        calling init: /lib/libc.so.6
        initialize program: ./p
        transferring control: ./p
        ";

    fn short(load: &TracedLoad) -> (String, LoadCause, Option<String>, LoadResult, Option<String>) {
        let text = |path: &std::path::PathBuf| path.display().to_string();
        let asked_by = load.asked_by.as_ref().map(text);
        (load.name.clone(), load.cause, asked_by, load.result, load.path.as_ref().map(text))
    }

    #[test]
    fn a_start_is_the_interpreter_and_what_the_program_needs() {
        let loads = one(START);
        assert_eq!(
            loads.iter().map(short).collect::<Vec<_>>(),
            [
                (
                    "/lib64/ld-linux.so.2".into(),
                    LoadCause::Program,
                    None,
                    LoadResult::Loaded,
                    Some("/lib64/ld-linux.so.2".into())
                ),
                (
                    "libc.so.6".into(),
                    LoadCause::Needed,
                    Some("./p".into()),
                    LoadResult::Loaded,
                    Some("/lib/libc.so.6".into())
                ),
            ]
        );
        assert_eq!(loads[1].found_by.as_ref().map(|by| by.rule), Some(SearchRule::LdSoCache));
    }

    #[test]
    fn an_opening_fails_when_something_else_is_opened() {
        let loads = one(&format!(
            "{START}file=liba.so [0];  dynamically loaded by ./p [0]
            find library=liba.so [0]; searching
            search path=/x\t\t(RUNPATH from file ./p)
            trying file=/x/liba.so
            search cache=/etc/ld.so.cache
            search path=/lib:/usr/lib\t\t(system search path)
            trying file=/lib/liba.so
            trying file=/usr/lib/liba.so
            file=/no/b.so [0];  dynamically loaded by ./p [0]
            file=libd.so [0];  dynamically loaded by ./p [0]
            find library=libd.so [0]; searching
            search path=/x\t\t(RUNPATH from file ./p)
            trying file=/x/libd.so
            file=libd.so [0];  generating link map
            file=libgone.so [0];  needed by /x/libd.so [0]
            find library=libgone.so [0]; searching
            search cache=/etc/ld.so.cache
            file=/x/libd.so [0];  destroying link map
            file=libd.so [0];  dynamically loaded by ./p [0]"
        ));
        let found: Vec<_> = loads[2..].iter().map(|load| (load.name.as_str(), load.result)).collect();
        let failed = LoadResult::Failed;
        let expected = [
            ("liba.so", failed),
            ("/no/b.so", failed),
            ("libd.so", failed),
            ("libgone.so", failed),
            ("libd.so", failed),
        ];
        assert_eq!(found, expected);
        let rules: Vec<_> = loads[2].searched.iter().map(|list| list.rule.rule).collect();
        assert_eq!(rules, [SearchRule::Runpath, SearchRule::LdSoCache, SearchRule::Default]);
        assert_eq!(loads[4].error.as_deref(), Some("libgone.so was not loaded, which it needs"));
        assert_eq!(loads[4].path, None);
    }

    #[test]
    fn constructors_open_inside_an_opening() {
        let loads = one(&format!(
            "{START}file=/x/liba.so [0];  dynamically loaded by ./p [0]
            file=/x/liba.so [0];  generating link map
            calling init: /x/liba.so
            file=/x/libb.so [0];  dynamically loaded by /x/liba.so [0]
            file=/x/libb.so [0];  generating link map
            calling init: /x/libb.so
            opening file=/x/libb.so [0]; direct_opencount=1
            file=/no/c.so [0];  dynamically loaded by /x/liba.so [0]
            opening file=/x/liba.so [0]; direct_opencount=1
            opening file=/x/libb.so [0]; direct_opencount=2
            file=libgcc_s.so.1 [0];  dynamically loaded by /lib/libc.so.6 [0]
            find library=libgcc_s.so.1 [0]; searching
            search cache=/etc/ld.so.cache
            trying file=/lib/libgcc_s.so.1
            file=libgcc_s.so.1 [0];  generating link map"
        ));
        let found: Vec<_> = loads[2..].iter().map(|load| (load.name.as_str(), load.cause, load.result)).collect();
        let (opened, loaded) = (LoadCause::Opened, LoadResult::Loaded);
        assert_eq!(
            found,
            [
                ("/x/liba.so", opened, loaded),
                ("/x/libb.so", opened, loaded),
                ("/no/c.so", opened, LoadResult::Failed),
                ("/x/libb.so", opened, LoadResult::AlreadyLoaded),
                ("libgcc_s.so.1", LoadCause::Libc, LoadResult::Failed),
            ]
        );
        assert_eq!(loads[2].found_by.as_ref().map(|by| by.rule), Some(SearchRule::Absolute));
        assert_eq!(loads[5].asked_by, None, "the log does not say who opened what is there");
    }

    #[test]
    fn a_symbol_that_is_missing_fails_its_opening() {
        let text = "/x/liba.so: error: symbol lookup error: undefined symbol: f (fatal)";
        let lines = format!(
            "{START}file=/x/liba.so [0];  dynamically loaded by ./p [0]
            file=/x/liba.so [0];  generating link map
            {text}
            file=/x/liba.so [0];  destroying link map
            ./p: error: symbol lookup error: undefined symbol: g (fatal)"
        );
        let found = processes(&lines);
        assert_eq!(found[0].loads[2].error.as_deref(), Some(text));
        assert_eq!(found[0].loads[2].result, LoadResult::Failed);
        assert_eq!(found[0].errors, ["./p: error: symbol lookup error: undefined symbol: g (fatal)"]);
    }

    #[test]
    fn a_file_under_another_name_is_there_already() {
        let loads = one(&format!(
            "{START}file=libc.so [0];  dynamically loaded by ./p [0]
            find library=libc.so [0]; searching
            search path=/x\t\t(LD_LIBRARY_PATH)
            trying file=/x/libc.so
            opening file=/lib/libc.so.6 [0]; direct_opencount=1"
        ));
        assert_eq!(loads.len(), 3);
        assert_eq!(
            (loads[2].result, loads[2].path.as_deref()),
            (LoadResult::AlreadyLoaded, Some(Path::new("/lib/libc.so.6")))
        );
    }

    #[test]
    fn programs_replace_each_other_and_fork() {
        let second = START.replace("./p", "q");
        let found = processes(&format!(
            "{START}9| file=/x/liba.so [0];  dynamically loaded by ./p [0]
            9| file=/x/liba.so [0];  generating link map
            {second}8| calling fini: /lib/libc.so.6 [0]"
        ));
        let names: Vec<_> = found.iter().map(|process| (process.pid, process.program.clone())).collect();
        assert_eq!(names, [(7, Some("./p".into())), (9, Some("./p".into())), (7, Some("q".into()))]);
        assert_eq!(found[1].loads.len(), 1);
        assert_eq!(found[2].loads.len(), 2);
    }

    #[test]
    fn a_log_of_searches_alone_names_files_and_nobody() {
        let loads = one("find library=libc.so.6 [0]; searching
            search cache=/etc/ld.so.cache
            trying file=/lib/libc.so.6
            calling init: /lib/libc.so.6
            initialize program: ./p
            find library=liba.so [0]; searching
            search cache=/etc/ld.so.cache
            search path=/lib\t\t(system search path)
            trying file=/lib/liba.so
            find library=libb.so [0]; searching
            search path=/y\t\t(RPATH from file ./p)
            trying file=/y/libb.so");
        let found: Vec<_> = loads.iter().map(|load| (load.name.as_str(), load.cause, load.result)).collect();
        assert_eq!(
            found,
            [
                ("libc.so.6", LoadCause::Needed, LoadResult::Loaded),
                ("liba.so", LoadCause::Unknown, LoadResult::Failed),
                ("libb.so", LoadCause::Unknown, LoadResult::Loaded),
            ]
        );
    }

    #[test]
    fn no_line_can_break_the_reader() {
        let lines: Vec<&str> = START.lines().collect();
        // Every order of a few lines, and lines cut anywhere.
        for first in &lines {
            for second in &lines {
                processes(&format!("{first}\n{second}\n9|{first}\n{second}"));
            }
            for end in 0..first.len() {
                processes(&first[..end]);
            }
        }
    }
}
