//! The table of jobs: what runs, what waits, and which answers are still wanted. It starts no thread itself.
//!
//! Lanes run side by side, in each one job at a time: the session lane changes files; the others only read, and there the
//! newest question of a kind replaces an older one. What is read for the screen has a lane of its own, so that it never
//! waits for a comparison or a search.

use super::chunks::ChunkId;
use crate::engine::Context;
use crate::engine::audit::Question;
use crate::engine::compare::{Aligned, Logged, Query, Target};
use crate::engine::project::ArtifactId;
use crate::engine::report::dlopen::RemedyKind;
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;

/// A job's number; an answer that carries a number no longer in the table is dropped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct JobId(pub u64);

/// What a worker is asked to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Request {
    /// Find out everything about an artifact.
    Audit(ArtifactId),
    /// Look into something that takes its time.
    LookInto(ArtifactId, Question),
    /// Take the next step of each.
    Step(Vec<ArtifactId>),
    /// Take all steps of all artifacts.
    ToTheEnd,
    /// Undo the last step.
    Undo(ArtifactId),
    /// Try a remedy for a name that is opened.
    TryRemedy(RemedyFor),
    /// Take a remedy into the plan.
    Adopt(RemedyFor),
    /// Take a remedy out of the plan.
    Drop(RemedyFor),
    /// Compare clean bytes with the staged file.
    Diff {
        /// Whose files.
        artifact: ArtifactId,
        /// The clean bytes.
        clean: PathBuf,
        /// The staged file.
        staged: PathBuf,
        /// The edits that the session made on it.
        edits: Arc<Vec<Logged>>,
        /// The offset in the clean file from which on is compared first.
        from: u64,
    },
    /// Read pieces of both files.
    Hex {
        /// Whose files.
        artifact: ArtifactId,
        /// The clean bytes.
        clean: PathBuf,
        /// The staged file.
        staged: PathBuf,
        /// The pieces.
        chunks: Vec<ChunkId>,
    },
    /// Look a place up in both files.
    Place {
        /// Whose files.
        artifact: ArtifactId,
        /// The clean bytes.
        clean: PathBuf,
        /// The staged file.
        staged: PathBuf,
        /// The place.
        target: Target,
    },
    /// Search both files.
    Search {
        /// Whose files.
        artifact: ArtifactId,
        /// The clean bytes.
        clean: PathBuf,
        /// The staged file.
        staged: PathBuf,
        /// What belongs to what.
        aligned: Arc<Aligned>,
        /// What for.
        query: Query,
    },
    /// Hash files.
    Hash {
        /// Whose files.
        artifact: ArtifactId,
        /// The files.
        paths: Vec<PathBuf>,
    },
}

/// A remedy for a name that an artifact opens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RemedyFor {
    /// Whose name.
    pub artifact: ArtifactId,
    /// The name, as it is opened.
    pub name: String,
    /// The remedy.
    pub kind: RemedyKind,
}

/// The thread that a request runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lane {
    /// Owns the session; changes files.
    Session,
    /// Reads what the screen shows.
    Reader,
    /// Compares.
    Compare,
    /// Searches and hashes.
    Search,
}

impl Lane {
    /// All lanes.
    pub const ALL: [Self; 4] = [Self::Session, Self::Reader, Self::Compare, Self::Search];
}

impl Request {
    /// The thread that it runs on.
    #[must_use]
    pub const fn lane(&self) -> Lane {
        match self {
            Self::Audit(_) | Self::LookInto(..) | Self::Step(_) | Self::ToTheEnd | Self::Undo(_) => Lane::Session,
            Self::TryRemedy(_) | Self::Adopt(_) | Self::Drop(_) => Lane::Session,
            Self::Hex { .. } => Lane::Reader,
            Self::Diff { .. } => Lane::Compare,
            Self::Place { .. } | Self::Search { .. } | Self::Hash { .. } => Lane::Search,
        }
    }

    /// What is being done, for people.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Audit(_) => "audit",
            Self::LookInto(_, question) => question.label(),
            Self::Step(_) => "step",
            Self::ToTheEnd => "to the end",
            Self::Undo(_) => "undo",
            Self::TryRemedy(_) => "try the remedy",
            Self::Adopt(_) => "adopt the remedy",
            Self::Drop(_) => "drop the remedy",
            Self::Diff { .. } => "compare",
            Self::Hex { .. } => "read",
            Self::Place { .. } => "look up",
            Self::Search { .. } => "search",
            Self::Hash { .. } => "hash",
        }
    }

    /// Whether the user asked for it and waits; an audit comes by itself and gives way.
    const fn urgent(&self) -> bool {
        !matches!(self, Self::Audit(_) | Self::LookInto(_, Question::Owners | Question::Dlopen))
    }
}

/// A request on its way.
#[derive(Debug, Clone)]
pub struct Job {
    /// Its number.
    pub id: JobId,
    /// What is asked.
    pub request: Request,
    /// Its progress, and the way to cancel it.
    pub context: Context,
}

/// What runs and what waits.
#[derive(Debug, Default)]
pub struct Jobs {
    running: Vec<Job>,
    waiting: VecDeque<Request>,
    last: u64,
}

impl Jobs {
    /// Puts a request in the queue: what the user waits for before audits, and in the reading lanes in place of an older
    /// request of its kind, which is cancelled if it runs.
    pub fn ask(&mut self, request: Request) {
        if self.waiting.contains(&request) {
            return;
        }
        if request.lane() != Lane::Session {
            let kind = std::mem::discriminant(&request);
            self.waiting.retain(|other| std::mem::discriminant(other) != kind);
            for job in &self.running {
                if std::mem::discriminant(&job.request) == kind {
                    job.context.cancel();
                }
            }
        }
        let place = if request.urgent() {
            self.waiting.iter().position(|other| !other.urgent()).unwrap_or(self.waiting.len())
        } else {
            self.waiting.len()
        };
        self.waiting.insert(place, request);
    }

    /// Takes the next request of every lane that is free, as jobs to be started.
    pub fn ready(&mut self) -> Vec<Job> {
        let mut started = Vec::new();
        for lane in Lane::ALL {
            if self.running.iter().any(|job| job.request.lane() == lane) {
                continue;
            }
            let Some(place) = self.waiting.iter().position(|request| request.lane() == lane) else { continue };
            let Some(request) = self.waiting.remove(place) else { continue };
            self.last += 1;
            let job = Job { id: JobId(self.last), request, context: Context::new() };
            self.running.push(job.clone());
            started.push(job);
        }
        started
    }

    /// Strikes a job out; `None` when its answer is no longer wanted.
    pub fn finish(&mut self, id: JobId) -> Option<Job> {
        let place = self.running.iter().position(|job| job.id == id)?;
        Some(self.running.remove(place))
    }

    /// Cancels everything that runs and forgets everything that waits. Whether there was anything.
    pub fn cancel_all(&mut self) -> bool {
        let any = !self.is_idle();
        for job in &self.running {
            job.context.cancel();
        }
        self.waiting.clear();
        any
    }

    /// The job that the user would name if asked what is going on; what is read for the screen is none.
    #[must_use]
    pub fn foremost(&self) -> Option<&Job> {
        let mut named = self.running.iter().filter(|job| job.request.lane() != Lane::Reader);
        let urgent = named.clone().find(|job| job.request.urgent());
        urgent.or_else(|| named.next()).or_else(|| self.running.first())
    }

    /// Whether a job that changes files runs or waits.
    #[must_use]
    pub fn is_stepping(&self) -> bool {
        let steps = |request: &Request| request.lane() == Lane::Session && request.urgent();
        self.running.iter().any(|job| steps(&job.request)) || self.waiting.iter().any(steps)
    }

    /// Whether an audit runs or waits.
    #[must_use]
    pub fn is_auditing(&self) -> bool {
        let audits = |request: &Request| matches!(request, Request::Audit(_));
        self.running.iter().any(|job| audits(&job.request)) || self.waiting.iter().any(audits)
    }

    /// Whether `question` is being looked into, or waits to be, for any artifact.
    #[must_use]
    pub fn is_looking_into(&self, question: &Question) -> bool {
        let looks = |request: &Request| matches!(request, Request::LookInto(_, asked) if asked == question);
        self.running.iter().any(|job| looks(&job.request)) || self.waiting.iter().any(looks)
    }

    /// Whether a comparison runs or waits.
    #[must_use]
    pub fn is_comparing(&self) -> bool {
        let compares = |request: &Request| matches!(request, Request::Diff { .. });
        self.running.iter().any(|job| compares(&job.request)) || self.waiting.iter().any(compares)
    }

    /// Whether this request runs or waits.
    #[must_use]
    pub fn holds(&self, request: &Request) -> bool {
        self.waiting.contains(request) || self.running.iter().any(|job| job.request == *request)
    }

    /// What a job is asked that still runs.
    #[must_use]
    pub fn request(&self, id: JobId) -> Option<&Request> {
        self.running.iter().find(|job| job.id == id).map(|job| &job.request)
    }

    /// Whether nothing runs and nothing waits.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.running.is_empty() && self.waiting.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(artifact: usize) -> Request {
        Request::Hash { artifact: ArtifactId(artifact), paths: vec![PathBuf::from("/a")] }
    }

    #[test]
    fn one_job_a_lane_and_the_user_before_audits() {
        let mut jobs = Jobs::default();
        jobs.ask(Request::Audit(ArtifactId(0)));
        jobs.ask(Request::Audit(ArtifactId(1)));
        jobs.ask(hash(0));
        let started = jobs.ready();
        assert_eq!(started.iter().map(|job| job.request.label()).collect::<Vec<_>>(), ["audit", "hash"]);
        jobs.ask(Request::Undo(ArtifactId(0)));
        assert!(jobs.ready().is_empty(), "both lanes are taken");
        assert!(jobs.finish(started[0].id).is_some());
        assert_eq!(jobs.ready()[0].request, Request::Undo(ArtifactId(0)), "undo overtakes the waiting audit");
    }

    #[test]
    fn the_newest_question_of_a_kind_wins_and_the_running_one_is_cancelled() {
        let mut jobs = Jobs::default();
        jobs.ask(hash(0));
        let first = jobs.ready().remove(0);
        jobs.ask(hash(1));
        jobs.ask(hash(2));
        assert!(first.context.is_cancelled());
        jobs.finish(first.id);
        assert_eq!(jobs.ready()[0].request, hash(2));
        assert!(jobs.finish(first.id).is_none(), "an answer counts once");
    }

    #[test]
    fn cancelling_leaves_nothing_waiting() {
        let mut jobs = Jobs::default();
        assert!(!jobs.cancel_all());
        jobs.ask(Request::ToTheEnd);
        jobs.ask(Request::Undo(ArtifactId(0)));
        let job = jobs.ready().remove(0);
        assert!(jobs.is_stepping() && jobs.cancel_all() && job.context.is_cancelled());
        jobs.finish(job.id);
        assert!(jobs.is_idle());
    }
}
