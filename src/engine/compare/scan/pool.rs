//! The threads of a scan: they take tasks in order, look at them side by side, and hand in what they found in order again.
//!
//! So the answer is the same whatever the threads do, and a run that reaches from one task into the next is one. What was
//! found out of turn waits; nobody runs far ahead of the slowest, so that what waits stays little. The caller's own thread
//! works too, and it alone counts on the context and calls back.

use super::order::{Order, Task};
use super::window::{Buffers, Detail, Finished, merge};
use super::{How, Reached, Scanned};
use crate::engine::compare::listed::Listed;
use crate::engine::{Context, Error, Result};
use std::collections::BTreeMap;
use std::panic::resume_unwind;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// For each thread, this many tasks may be given out beyond the first that is not done.
const AHEAD: u64 = 3;

/// Looks at one task.
pub type Look<'a> = &'a (dyn Fn(&Task, Detail, &mut Buffers) -> Result<Finished> + Sync);
/// Is given what was found so far.
pub type OnTheWay<'a> = &'a mut dyn FnMut(Reached) -> Result<()>;

struct Pool<'a> {
    state: Mutex<State<'a>>,
    changed: Condvar,
    look: Look<'a>,
    ahead: u64,
}

struct State<'a> {
    order: Order<'a>,
    is_exhausted: bool,
    /// How many tasks were given out, and how many of them are merged.
    given: u64,
    merged: u64,
    waiting: BTreeMap<u64, (Task, Finished)>,
    listed: Listed,
    scanned: Scanned,
    /// To where everything is compared, from the place where the user looks and from the start of the file.
    reached: (u64, u64),
    in_second_half: bool,
    /// Bytes that were not counted on the context yet.
    uncounted: u64,
    /// Bytes that were done when the caller was last told.
    told: u64,
    told_a_run: bool,
    error: Option<Error>,
    is_stopped: bool,
}

/// Does all tasks of `order`, and gives back what was found.
///
/// # Errors
/// The first of `look`, of `on_the_way`, and [`Error::Cancelled`].
pub fn run(
    order: Order<'_>,
    listed: Listed,
    look: Look<'_>,
    how: &How,
    on_the_way: OnTheWay<'_>,
    context: &Context,
) -> Result<Reached> {
    let threads = how.threads.max(1);
    let start = order.start();
    let state = State {
        order,
        is_exhausted: false,
        given: 0,
        merged: 0,
        waiting: BTreeMap::new(),
        listed,
        scanned: Scanned::default(),
        reached: (start, 0),
        in_second_half: false,
        uncounted: 0,
        told: 0,
        told_a_run: false,
        error: None,
        is_stopped: false,
    };
    let pool = Pool { state: Mutex::new(state), changed: Condvar::new(), look, ahead: AHEAD * threads as u64 };
    let led = std::thread::scope(|scope| {
        // A thread that the system does not give is done without.
        let others: Vec<_> = (1..threads)
            .filter_map(|_| std::thread::Builder::new().spawn_scoped(scope, || pool.work(context)).ok())
            .collect();
        let led = pool.lead(how, on_the_way, context);
        for other in others {
            if let Err(payload) = other.join() {
                resume_unwind(payload);
            }
        }
        led
    });
    let state = pool.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    led?;
    match state.error {
        Some(error) => Err(error),
        None => Ok(Reached { listed: state.listed.complete(), scanned: state.scanned }),
    }
}

/// Lets the other threads end when one of them, or the caller's, panics.
struct StopOnPanic<'p, 'a>(&'p Pool<'a>);

impl Drop for StopOnPanic<'_, '_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.0.stop(None);
        }
    }
}

impl<'a> Pool<'a> {
    fn lock(&self) -> MutexGuard<'_, State<'a>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn wait<'g>(&self, state: MutexGuard<'g, State<'a>>) -> MutexGuard<'g, State<'a>> {
        self.changed.wait(state).unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self, error: Option<Error>) {
        let mut state = self.lock();
        state.is_stopped = true;
        state.error = state.error.take().or(error);
        self.changed.notify_all();
    }

    /// What another thread does.
    fn work(&self, context: &Context) {
        let _guard = StopOnPanic(self);
        let mut buffers = Buffers::default();
        while !context.is_cancelled() && self.look_at_next(&mut buffers) {}
    }

    /// What the caller's thread does.
    fn lead(&self, how: &How, on_the_way: OnTheWay<'_>, context: &Context) -> Result<()> {
        let _guard = StopOnPanic(self);
        let mut buffers = Buffers::default();
        let mut is_left = true;
        loop {
            is_left = is_left && self.look_at_next(&mut buffers);
            let mut state = self.lock();
            let is_done = state.is_stopped || state.is_exhausted && state.merged == state.given;
            if !is_left && !is_done && state.uncounted == 0 {
                state = self.wait(state);
            }
            let count = std::mem::take(&mut state.uncounted);
            let so_far = state.so_far(how.step);
            drop(state);
            let told = context.advance(count).and_then(|()| so_far.map_or(Ok(()), &mut *on_the_way));
            if told.is_err() {
                self.stop(None);
            }
            told?;
            if is_done {
                return Ok(());
            }
        }
    }

    /// Takes the next task and hands in what it came to; `false` when there is none, or no need any more.
    fn look_at_next(&self, buffers: &mut Buffers) -> bool {
        let Some((number, task, detail)) = self.take() else { return false };
        match (self.look)(&task, detail, buffers) {
            Ok(finished) => {
                let mut state = self.lock();
                state.waiting.insert(number, (task, finished));
                state.merge();
                self.changed.notify_all();
                true
            }
            Err(error) => {
                self.stop(Some(error));
                false
            }
        }
    }

    fn take(&self) -> Option<(u64, Task, Detail)> {
        let mut state = self.lock();
        while !state.is_stopped && !state.is_exhausted && state.given - state.merged >= self.ahead {
            state = self.wait(state);
        }
        if state.is_stopped || state.is_exhausted {
            return None;
        }
        let Some(task) = state.order.next() else {
            state.is_exhausted = true;
            self.changed.notify_all();
            return None;
        };
        let number = state.given;
        state.given += 1;
        let detail = if state.listed.is_full() { Detail::Counts(state.listed.map().unit) } else { Detail::Runs };
        Some((number, task, detail))
    }
}

impl State<'_> {
    /// Adds what is next in order, as far as it is there.
    fn merge(&mut self) {
        while let Some((task, finished)) = self.waiting.remove(&self.merged) {
            if task.turns {
                self.listed.turn();
                self.in_second_half = true;
            }
            merge(&task, &finished, &mut self.listed);
            let reached = if self.in_second_half { &mut self.reached.1 } else { &mut self.reached.0 };
            *reached = task.reached;
            self.scanned.compared += finished.compared;
            self.scanned.skipped += task.skipped;
            self.uncounted += finished.compared + task.skipped;
            self.merged += 1;
        }
    }

    /// What was found, when there is enough news: the first run, or `step` bytes more.
    fn so_far(&mut self, step: u64) -> Option<Reached> {
        let done = self.scanned.compared + self.scanned.skipped;
        let is_news = done >= self.told.saturating_add(step) || (!self.told_a_run && self.listed.total() > 0);
        if !is_news || (self.is_exhausted && self.merged == self.given) {
            return None;
        }
        self.told = done;
        self.told_a_run |= self.listed.total() > 0;
        let mut listed = self.listed.clone().in_order();
        let (start, (forth, back)) = (self.order.start(), self.reached);
        listed.set_pending(|from, to| !(to <= back || (to <= forth && (from >= start || back >= start))));
        Some(Reached { listed, scanned: self.scanned })
    }
}
