//! What the workers do: one owns the session and changes files; the others read files: for the screen, to compare, to search.

use super::chunks::{ChunkId, Chunks};
use super::event::Event;
use super::jobs::{Job, Lane as LaneName, RemedyFor, Request};
use super::lane::Lane;
use super::receive::{Outcome, WorkerEvent};
use crate::engine::compare::{Aligned, Found, Input, Logged, Match, Query, Question, Target, Which};
use crate::engine::compare::{answer_streaming, place, search};
use crate::engine::file::{ReadAt, Windows, sha256};
use crate::engine::project::ArtifactId;
use crate::engine::repair::Adoption;
use crate::engine::report::diff::DiffDocument;
use crate::engine::stage::{Session, Snapshot};
use crate::engine::{Context, Error, Result};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::Sender;

/// All workers.
#[derive(Debug)]
pub struct Workers {
    session: Lane<Result<()>>,
    reader: Lane<()>,
    compare: Lane<()>,
    search: Lane<()>,
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
            reader: Lane::start("reader", (), events.clone(), serve_reader, |()| ())?,
            compare: Lane::start("compare", (), events.clone(), serve_beside, |()| ())?,
            search: Lane::start("search", (), events.clone(), serve_beside, |()| ())?,
        })
    }

    /// Gives a job to the worker that it is for.
    pub fn ask(&self, job: Job) {
        match job.request.lane() {
            LaneName::Session => self.session.ask(job),
            LaneName::Reader => self.reader.ask(job),
            LaneName::Compare => self.compare.ask(job),
            LaneName::Search => self.search.ask(job),
        }
    }

    /// Cancels what runs and puts cargo's outputs back.
    ///
    /// # Errors
    /// When an output could not be put back; `wheelwright recover` can try again.
    pub fn leave(mut self) -> Result<()> {
        for lane in [&mut self.reader, &mut self.compare, &mut self.search] {
            lane.leave();
        }
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
        Request::TryRemedy(remedy) => session
            .adoption(remedy.artifact, remedy.kind, &remedy.name, context)
            .and_then(|adoption| session.try_remedy(&adoption, context))
            .map(|_| ()),
        Request::Adopt(remedy) => session
            .adoption(remedy.artifact, remedy.kind, &remedy.name, context)
            .and_then(|adoption| session.adopt(adoption, context)),
        Request::Drop(remedy) => drop_remedy(session, remedy, context),
        Request::Diff { .. }
        | Request::Hex { .. }
        | Request::Place { .. }
        | Request::Search { .. }
        | Request::Hash { .. } => Ok(()),
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

fn drop_remedy(session: &mut Session, remedy: &RemedyFor, context: &Context) -> Result<()> {
    let is_meant = |adopted: &&Adoption| {
        (adopted.artifact, adopted.kind, &adopted.name) == (remedy.artifact, remedy.kind, &remedy.name)
    };
    match session.adoptions().iter().find(is_meant).cloned() {
        Some(adoption) => session.drop_adoption(&adoption, context),
        None => Ok(()),
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

/// How much processors prefer the screen to what reads whole files for it, as nice(1) counts.
const NICE: i32 = 10;

/// Serves what may keep every processor busy for seconds. The threads that it starts give way as well.
fn serve_beside(owned: &mut (), job: &Job, events: &Sender<Event>) -> Outcome {
    // On Linux the calling thread's alone, elsewhere the whole program's. One that stays as it was is only less polite.
    if cfg!(target_os = "linux") {
        let _ = rustix::process::setpriority_process(None, NICE);
    }
    serve_reader(owned, job, events)
}

fn serve_reader(_: &mut (), job: &Job, events: &Sender<Event>) -> Outcome {
    let context = &job.context;
    let outcome = match &job.request {
        Request::Diff { clean, staged, edits, from, .. } => {
            let mut partial = |diff: &DiffDocument| {
                let diff = Arc::new(diff.clone());
                let _ = events.send(Event::Worker(WorkerEvent::Partial { id: job.id, diff }));
            };
            differences((clean, staged), edits, *from, &mut partial, context).map(|diff| Outcome::Diff(Arc::new(diff)))
        }
        Request::Hex { clean, staged, chunks, .. } => read(clean, staged, chunks).map(Outcome::Hex),
        Request::Place { clean, staged, target, .. } => look_up(clean, staged, target, context).map(Outcome::Place),
        Request::Search { clean, staged, aligned, query, .. } => {
            seek(clean, staged, aligned, query, context).map(Outcome::Search)
        }
        Request::Hash { paths, .. } => hashes(paths, context).map(Outcome::Hashes),
        Request::Audit(_)
        | Request::LookInto(..)
        | Request::Step(_)
        | Request::ToTheEnd
        | Request::Undo(_)
        | Request::TryRemedy(_)
        | Request::Adopt(_)
        | Request::Drop(_) => Err(Error::Cancelled),
    };
    outcome.unwrap_or_else(ended)
}

fn differences(
    (clean, staged): (&Path, &Path),
    edits: &[Logged],
    from: u64,
    partial: &mut dyn FnMut(&DiffDocument),
    context: &Context,
) -> Result<DiffDocument> {
    // What the session did not log it did not do.
    let question = Question { from, edits: Some(edits.to_vec()), ..Question::default() };
    answer_streaming(&Input::open(clean)?, &Input::open(staged)?, &question, partial, context)
}

fn ended(error: Error) -> Outcome {
    match error {
        Error::Cancelled => Outcome::Cancelled,
        error => Outcome::Failed(error.to_string()),
    }
}

/// The pieces of both files, each as far as its file goes.
fn read(clean: &Path, staged: &Path, chunks: &[ChunkId]) -> Result<Vec<(ChunkId, Vec<u8>)>> {
    let (clean, staged) = (Windows::open(clean)?, Windows::open(staged)?);
    let piece = |id: &ChunkId| {
        let file = if id.0 == Which::A { &clean } else { &staged };
        let start = id.1.saturating_mul(Chunks::LENGTH).min(file.size());
        file.bytes(start, (file.size() - start).min(Chunks::LENGTH)).map(|bytes| (*id, bytes))
    };
    chunks.iter().map(piece).collect()
}

/// Where `target` lies: in the file that it names, or else in the clean one, or else in the staged one.
fn look_up(clean: &Path, staged: &Path, target: &Target, context: &Context) -> Result<Option<(Which, Found)>> {
    for (which, path) in [(Which::A, clean), (Which::B, staged)] {
        if target.which.is_none_or(|meant| meant == which)
            && let Some(found) = place(&Windows::open(path)?, &target.spot, context)?
        {
            return Ok(Some((which, found)));
        }
    }
    Ok(None)
}

fn seek(clean: &Path, staged: &Path, aligned: &Aligned, query: &Query, context: &Context) -> Result<Option<Match>> {
    search(&Windows::open(clean)?, &Windows::open(staged)?, aligned, query, context)
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
    fn pieces_of_both_files_end_where_they_end() {
        let directory = tempfile::tempdir().unwrap();
        let (clean, staged) = (directory.path().join("clean"), directory.path().join("staged"));
        std::fs::write(&clean, vec![1; 9000]).unwrap();
        std::fs::write(&staged, vec![2; 20_000]).unwrap();
        let found = read(&clean, &staged, &[(Which::A, 2), (Which::A, 3), (Which::B, 3), (Which::B, 1 << 60)]).unwrap();
        let lengths: Vec<usize> = found.iter().map(|(_, bytes)| bytes.len()).collect();
        assert_eq!(lengths, [9000 - 8192, 0, 4096, 0]);
        let target = |text| Target::parse(text).unwrap();
        let found = look_up(&clean, &staged, &target("10000"), &Context::new()).unwrap().unwrap();
        assert_eq!((found.0, found.1.offset), (Which::B, 10_000), "the first file is shorter");
        assert_eq!(look_up(&clean, &staged, &target("a:10000"), &Context::new()).unwrap(), None);
        assert_eq!(look_up(&clean, &staged, &target("main"), &Context::new()).unwrap(), None, "no binary, no names");
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
