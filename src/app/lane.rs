//! A worker thread with a queue: it owns something, serves jobs on it one by one, and gives it back at the end.

use super::event::Event;
use super::jobs::{Job, JobId};
use super::receive::{Outcome, WorkerEvent};
use crate::engine::Context;
use std::any::Any;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

/// The handle to a worker thread that ends with a `T`.
#[derive(Debug)]
pub struct Lane<T> {
    queue: Option<Sender<Job>>,
    running: Arc<Mutex<Option<(JobId, Context)>>>,
    thread: Option<JoinHandle<T>>,
}

impl<T: Send + 'static> Lane<T> {
    /// Starts a thread called `name` that owns `owned`. Each job is answered with what `serve` returns; a panic in it is
    /// a failed job. When the queue is closed, `end` has the last word.
    ///
    /// # Errors
    /// When the system refuses a thread.
    pub fn start<S: Send + 'static>(
        name: &str,
        mut owned: S,
        events: Sender<Event>,
        serve: impl Fn(&mut S, &Job, &Sender<Event>) -> Outcome + Send + 'static,
        end: impl FnOnce(S) -> T + Send + 'static,
    ) -> io::Result<Self> {
        let (queue, jobs) = channel::<Job>();
        let running = Arc::new(Mutex::new(None));
        let shared = running.clone();
        let thread = std::thread::Builder::new().name(name.to_owned()).spawn(move || {
            for job in jobs {
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = Some((job.id, job.context.clone()));
                let outcome = if job.context.is_cancelled() {
                    Outcome::Cancelled
                } else {
                    catch_unwind(AssertUnwindSafe(|| serve(&mut owned, &job, &events)))
                        .unwrap_or_else(|panic| Outcome::Failed(format!("internal error: {}", message(&*panic))))
                };
                *shared.lock().unwrap_or_else(PoisonError::into_inner) = None;
                // Nobody listens any more only when the program is on its way out.
                let _ = events.send(Event::Worker(WorkerEvent::Ended { id: job.id, outcome }));
            }
            end(owned)
        })?;
        Ok(Self { queue: Some(queue), running, thread: Some(thread) })
    }

    /// Puts a job in the queue.
    pub fn ask(&self, job: Job) {
        if let Some(queue) = &self.queue {
            // A lane that is gone answers nothing; leaving reports why.
            let _ = queue.send(job);
        }
    }

    /// Cancels what runs, drops what waits, and waits for the end; `None` when the thread itself has panicked.
    pub fn leave(&mut self) -> Option<T> {
        self.queue = None;
        if let Some((_, context)) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            context.cancel();
        }
        self.thread.take()?.join().ok()
    }
}

impl<T> Drop for Lane<T> {
    fn drop(&mut self) {
        self.queue = None;
        if let Some((_, context)) = &*self.running.lock().unwrap_or_else(PoisonError::into_inner) {
            context.cancel();
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// What a panic said.
fn message(panic: &(dyn Any + Send)) -> &str {
    panic
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a worker panicked")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::jobs::{Jobs, Request};
    use crate::engine::project::ArtifactId;
    use std::sync::mpsc::Receiver;

    fn jobs(count: usize) -> Vec<Job> {
        let mut jobs = Jobs::default();
        let mut all = Vec::new();
        for number in 0..count {
            jobs.ask(Request::Undo(ArtifactId(number)));
            let job = jobs.ready().remove(0);
            jobs.finish(job.id);
            all.push(job);
        }
        all
    }

    fn next(events: &Receiver<Event>) -> Outcome {
        match events.recv().unwrap() {
            Event::Worker(WorkerEvent::Ended { outcome, .. }) => outcome,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_panic_is_a_failed_job_and_the_lane_goes_on() {
        let (sender, events) = channel();
        let serve = |served: &mut usize, job: &Job, _: &Sender<Event>| {
            *served += 1;
            assert!(job.id != JobId(1), "the first one breaks");
            Outcome::Hashes(Vec::new())
        };
        let mut lane = Lane::start("test", 0, sender, serve, |served| served).unwrap();
        for job in jobs(2) {
            lane.ask(job);
        }
        assert!(matches!(next(&events), Outcome::Failed(text) if text.contains("the first one breaks")));
        assert!(matches!(next(&events), Outcome::Hashes(_)));
        assert_eq!(lane.leave(), Some(2));
    }

    #[test]
    fn leaving_cancels_what_runs_and_the_end_still_comes() {
        let (sender, events) = channel();
        let serve = |_: &mut (), job: &Job, events: &Sender<Event>| {
            events.send(Event::Tick).unwrap();
            while job.context.advance(1).is_ok() {
                std::thread::yield_now();
            }
            Outcome::Cancelled
        };
        let mut lane = Lane::start("test", (), sender, serve, |()| "put back").unwrap();
        for job in jobs(1) {
            lane.ask(job);
        }
        assert!(matches!(events.recv().unwrap(), Event::Tick), "the job runs");
        assert_eq!(lane.leave(), Some("put back"));
        assert!(matches!(next(&events), Outcome::Cancelled));
    }
}
