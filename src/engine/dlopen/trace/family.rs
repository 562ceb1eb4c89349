//! The command and all that descends from it, as `/proc` shows them from moment to moment: what each runs, what is mapped
//! where no loader talks, and who is still alive in the end.

use super::proc;
use super::program::{self, Kind};
use super::starts::Seen;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// One program in one process.
#[derive(Debug, Clone)]
pub(super) struct Run {
    pub(super) program: PathBuf,
    pub(super) kind: Kind,
    /// Its environment tells the loader where to write.
    pub(super) is_marked: bool,
    /// What its trees depend on.
    pub(super) seen: Seen,
    /// The files whose code was seen mapped, in the order in which they were; where no loader talks.
    pub(super) mapped: Vec<PathBuf>,
}

/// A process.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) pid: u32,
    /// Its parent when it was seen first, unless that had ended before.
    pub(super) parent: Option<u32>,
    start: u64,
    pub(super) runs: Vec<Run>,
}

/// The command's process and its descendants.
#[derive(Debug)]
pub(super) struct Family {
    mark: Vec<u8>,
    kinds: BTreeMap<PathBuf, Kind>,
    /// In the order in which they were seen.
    pub(super) members: Vec<Member>,
    /// For an id the last member that has it.
    by_pid: BTreeMap<u32, usize>,
    /// Those who were alive when they were looked at last.
    live: BTreeSet<u32>,
}

impl Family {
    /// The family of process `root`; `mark` stands in the environment of all who did not take it out.
    pub(super) fn new(root: u32, mark: &[u8]) -> Self {
        Self {
            mark: mark.to_vec(),
            kinds: BTreeMap::new(),
            members: Vec::new(),
            by_pid: BTreeMap::new(),
            live: BTreeSet::from([root]),
        }
    }

    /// Looks at everybody once. Whether somebody has to be looked at often, since no loader talks.
    pub(super) fn look(&mut self) -> bool {
        let mut known: BTreeSet<u32> = BTreeSet::new();
        // Those whose parents have ended belong to somebody else, and are known from before.
        let mut open: Vec<u32> = self.live.iter().copied().collect();
        let mut is_silent = false;
        while let Some(pid) = open.pop() {
            if !known.insert(pid) {
                continue;
            }
            let Some(stat) = proc::stat(pid).filter(|stat| !stat.is_zombie) else {
                self.live.remove(&pid);
                continue;
            };
            let at = match self.by_pid.get(&pid) {
                Some(at) if self.members.get(*at).is_some_and(|member| member.start == stat.start) => *at,
                // The id was taken again, by a stranger.
                Some(_) if !self.is_ours(pid, stat.parent) => {
                    self.live.remove(&pid);
                    continue;
                }
                _ => self.add(pid, stat),
            };
            is_silent |= self.look_at(at);
            open.extend(proc::children(pid));
        }
        is_silent
    }

    fn is_ours(&self, pid: u32, parent: u32) -> bool {
        self.by_pid.contains_key(&parent) || proc::is_marked(pid, &self.mark)
    }

    fn add(&mut self, pid: u32, stat: proc::Stat) -> usize {
        // Whose parent has ended has become ours; only the command itself was from the beginning.
        let parent = Some(stat.parent).filter(|parent| *parent != std::process::id() || self.members.is_empty());
        self.members.push(Member { pid, parent, start: stat.start, runs: Vec::new() });
        let at = self.members.len() - 1;
        self.by_pid.insert(pid, at);
        self.live.insert(pid);
        at
    }

    /// Looks at member `at`; whether its map has to be read again and again.
    fn look_at(&mut self, at: usize) -> bool {
        let Some(member) = self.members.get_mut(at) else { return false };
        let Some(program) = proc::program(member.pid) else { return false };
        let is_new = member.runs.last().is_none_or(|run| run.program != program);
        // The environment of a program that was begun just now may have been looked for too early.
        if is_new || member.runs.last().is_some_and(|run| !run.is_marked) {
            let Some((seen, environment)) = Seen::now(member.pid) else { return false };
            let is_marked = memchr::memmem::find(&environment, &self.mark).is_some();
            let program = seen.program.clone().unwrap_or(program);
            match member.runs.last_mut() {
                Some(run) if run.program == program => (run.is_marked, run.seen) = (is_marked, seen),
                _ => {
                    let kind = *self.kinds.entry(program.clone()).or_insert_with(|| program::kind(&program));
                    member.runs.push(Run { program, kind, is_marked, seen, mapped: Vec::new() });
                }
            }
        }
        let Some(run) = member.runs.last_mut() else { return false };
        let talks = run.kind == Kind::Glibc && run.is_marked;
        if talks || matches!(run.kind, Kind::Static | Kind::Unknown) {
            return false;
        }
        for file in proc::mapped(member.pid) {
            if !run.mapped.contains(&file) {
                run.mapped.push(file);
            }
        }
        run.kind == Kind::Musl
    }

    /// Everybody who is alive, whoever their parents are now.
    pub(super) fn alive(&mut self) -> Vec<u32> {
        self.look();
        for pid in proc::all() {
            if !self.live.contains(&pid)
                && proc::is_marked(pid, &self.mark)
                && let Some(stat) = proc::stat(pid)
            {
                let at = self.add(pid, stat);
                self.look_at(at);
            }
        }
        let is_alive = |pid: &u32| {
            let start = self.by_pid.get(pid).and_then(|at| self.members.get(*at)).map(|member| member.start);
            proc::stat(*pid).is_some_and(|stat| Some(stat.start) == start && !stat.is_zombie)
        };
        self.live.iter().copied().filter(is_alive).collect()
    }

    /// Takes note of everybody's end, so that nobody stays a zombie whose parent has ended before.
    pub(super) fn reap(&self, child: u32) {
        for member in self.members.iter().filter(|member| member.pid != child) {
            if let Some(pid) = i32::try_from(member.pid).ok().and_then(rustix::process::Pid::from_raw) {
                // Who is not our child is not ours to wait for, and is refused.
                let _ = rustix::process::waitpid(Some(pid), rustix::process::WaitOptions::NOHANG);
            }
        }
    }

    /// What `pid` ran last, for people.
    pub(super) fn name_of(&self, pid: u32) -> String {
        let member = self.by_pid.get(&pid).and_then(|at| self.members.get(*at));
        let program = member.and_then(|member| member.runs.last()).map(|run| run.program.as_path());
        let file = program.and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        file.unwrap_or_else(|| "a process".to_owned())
    }

    /// Whether `run` of `member` goes on with what its parent ran, after fork(2); where the parent is not known, with what
    /// another one ran.
    pub(super) fn is_forked(&self, member: &Member, run: &Run) -> bool {
        let is_first = member.runs.first().is_some_and(|first| first.program == run.program);
        let may_be_parent =
            |other: &&Member| member.parent.map_or(other.pid != member.pid, |parent| other.pid == parent);
        let mut parents = self.members.iter().filter(may_be_parent);
        is_first && parents.any(|parent| parent.runs.iter().any(|other| other.program == run.program))
    }
}
