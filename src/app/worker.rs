//! What the two workers do: one owns the session and changes files, the other reads files for the panels.

use super::event::Event;
use super::jobs::{Job, Lane as LaneName, Request};
use super::lane::Lane;
use super::receive::{Outcome, WorkerEvent};
use super::state::HexWindow;
use crate::engine::compare::compare;
use crate::engine::file::{ReadAt, Windows, sha256};
use crate::engine::project::ArtifactId;
use crate::engine::stage::{Session, Snapshot};
use crate::engine::{Context, Error, Result};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// Both workers.
#[derive(Debug)]
pub struct Workers {
    session: Lane<Result<()>>,
    reader: Lane<()>,
}

impl Workers {
    /// Starts them; `session`, now as `seen`, is the first one's until the end, when it puts cargo's outputs back.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start(session: Session, seen: Arc<Snapshot>, events: &Sender<Event>) -> io::Result<Self> {
        let leave = |mut served: Served| served.session.leave();
        Ok(Self {
            session: Lane::start("session", Served { session, seen }, events.clone(), serve_session, leave)?,
            reader: Lane::start("reader", (), events.clone(), |(), job, _| serve_reader(job), |()| ())?,
        })
    }

    /// Gives a job to the worker that it is for.
    pub fn ask(&self, job: Job) {
        match job.request.lane() {
            LaneName::Session => self.session.ask(job),
            LaneName::Reader => self.reader.ask(job),
        }
    }

    /// Cancels what runs and puts cargo's outputs back.
    ///
    /// # Errors
    /// When an output could not be put back; `wheelwright recover` can try again.
    pub fn leave(mut self) -> Result<()> {
        self.reader.leave();
        self.session.leave().unwrap_or_else(|| {
            Err(Error::Tool {
                program: "wheelwright".into(),
                message: "the session broke off; `wheelwright recover` puts its files back".into(),
            })
        })
    }
}

/// The session, and how it was seen last.
struct Served {
    session: Session,
    seen: Arc<Snapshot>,
}

impl Served {
    /// How the session looks after `request`. One that looked at a single artifact leaves the others as they were; planning
    /// and looking up all of hundreds after each of hundreds of audits would take far longer than the audits.
    fn look(&mut self, request: &Request) -> Arc<Snapshot> {
        self.seen = Arc::new(match request {
            Request::Audit(id) | Request::LookInto(id, _) => self.session.snapshot_after(&self.seen, *id),
            _ => self.session.snapshot(),
        });
        self.seen.clone()
    }
}

fn serve_session(served: &mut Served, job: &Job, events: &Sender<Event>) -> Outcome {
    let context = &job.context;
    let session = &mut served.session;
    let done = match &job.request {
        Request::Audit(id) => session.audit(*id, context),
        Request::LookInto(id, question) => session.look_into(*id, &question.clone().into(), context),
        Request::Step(ids) => step(session, ids, context, events),
        Request::ToTheEnd => to_the_end(session, context, events),
        Request::Undo(id) => session.undo(*id, context).map(|_| ()),
        Request::Diff { .. } | Request::Hex { .. } | Request::Hash { .. } => Ok(()),
    };
    // Also a step that went wrong has changed what there is to see: the log at least.
    let snapshot = served.look(&job.request);
    match done {
        Ok(()) => Outcome::Session(snapshot),
        Err(error) => {
            let _ = events.send(Event::Worker(WorkerEvent::Snapshot(snapshot)));
            ended(error)
        }
    }
}

/// One step of each; what one artifact can't do does not keep the others from going on.
fn step(session: &mut Session, ids: &[ArtifactId], context: &Context, events: &Sender<Event>) -> Result<()> {
    let mut first = Ok(());
    for (place, id) in ids.iter().enumerate() {
        if context.is_cancelled() {
            return Err(Error::Cancelled);
        }
        match session.step(*id, context) {
            Ok(_) => {}
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => first = first.and(Err(error)),
        }
        if place + 1 < ids.len() {
            let _ = events.send(Event::Worker(WorkerEvent::Snapshot(Arc::new(session.snapshot()))));
        }
    }
    first
}

/// Round by round, one step of every artifact that can still go on, so that all of them can be watched.
fn to_the_end(session: &mut Session, context: &Context, events: &Sender<Event>) -> Result<()> {
    let mut going: Vec<ArtifactId> = session.project().artifacts.iter().map(|artifact| artifact.id).collect();
    let mut first = Ok(());
    loop {
        let before: Vec<_> = going.iter().map(|id| session.next_step(*id)).collect();
        let mut round = going.iter().copied().zip(before).filter(|(_, next)| next.is_some()).collect::<Vec<_>>();
        if round.is_empty() {
            return first;
        }
        let ids: Vec<ArtifactId> = round.iter().map(|(id, _)| *id).collect();
        match step(session, &ids, context, events) {
            Ok(()) => {}
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => first = first.and(Err(error)),
        }
        let _ = events.send(Event::Worker(WorkerEvent::Snapshot(Arc::new(session.snapshot()))));
        // Who did not come any further was refused or has failed, and would be again.
        round.retain(|(id, before)| session.next_step(*id) != *before);
        going = round.into_iter().map(|(id, _)| id).collect();
    }
}

fn serve_reader(job: &Job) -> Outcome {
    let context = &job.context;
    let outcome = match &job.request {
        Request::Diff { clean, staged, .. } => {
            compare(clean, staged, context).map(|diff| Outcome::Diff(Arc::new(diff)))
        }
        Request::Hex { clean, staged, offset, .. } => {
            window(clean, staged, *offset).map(|window| Outcome::Hex(Arc::new(window)))
        }
        Request::Hash { paths, .. } => hashes(paths, context).map(Outcome::Hashes),
        Request::Audit(_) | Request::LookInto(..) | Request::Step(_) | Request::ToTheEnd | Request::Undo(_) => {
            Err(Error::Cancelled)
        }
    };
    outcome.unwrap_or_else(ended)
}

fn ended(error: Error) -> Outcome {
    match error {
        Error::Cancelled => Outcome::Cancelled,
        error => Outcome::Failed(error.to_string()),
    }
}

fn window(clean: &Path, staged: &Path, offset: u64) -> Result<HexWindow> {
    let read = |path: &Path| -> Result<Vec<u8>> {
        let file = Windows::open(path)?;
        let length = file.size().saturating_sub(offset).min(HexWindow::LENGTH);
        if length == 0 { Ok(Vec::new()) } else { file.bytes(offset, length) }
    };
    Ok(HexWindow { offset, clean: read(clean)?, staged: read(staged)? })
}

fn hashes(paths: &[PathBuf], context: &Context) -> Result<Vec<(PathBuf, String)>> {
    let mut hashes = Vec::new();
    // A path that is empty for the moment has no hash; that is no failure while another has one.
    let mut problem = None;
    for path in paths {
        if let Ok(metadata) = std::fs::metadata(path) {
            context.expect(metadata.len());
        }
    }
    for path in paths {
        match sha256(path, context) {
            Ok(hash) => hashes.push((path.clone(), hash)),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => problem = Some(error),
        }
    }
    match problem {
        Some(error) if hashes.is_empty() => Err(error),
        _ => Ok(hashes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_window_reads_both_files_and_ends_where_they_end() {
        let directory = tempfile::tempdir().unwrap();
        let (clean, staged) = (directory.path().join("clean"), directory.path().join("staged"));
        std::fs::write(&clean, vec![1; 9000]).unwrap();
        std::fs::write(&staged, vec![2; 20_000]).unwrap();
        let read = window(&clean, &staged, HexWindow::STRIDE).unwrap();
        assert_eq!((read.clean.len(), read.staged.len()), (9000 - 8192, 20_000 - 8192));
        let behind = window(&clean, &staged, 2 * HexWindow::STRIDE).unwrap();
        assert_eq!((behind.clean.len(), behind.staged.len()), (0, 20_000 - 16_384));
    }

    #[test]
    fn a_path_that_is_empty_has_no_hash_and_is_no_failure() {
        let directory = tempfile::tempdir().unwrap();
        let (there, gone) = (directory.path().join("there"), directory.path().join("gone"));
        std::fs::write(&there, "abc").unwrap();
        let found = hashes(&[gone.clone(), there.clone()], &Context::new()).unwrap();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].0, there);
        assert!(hashes(&[gone], &Context::new()).is_err());
    }
}
