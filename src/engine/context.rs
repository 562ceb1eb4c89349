//! What a long-running engine function is given: a way to count progress, to be cancelled, and to be late.

use super::{Error, Result};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Shared between a job and whoever watches it; clones look at the same counters.
#[derive(Clone, Default)]
pub struct Context {
    shared: Arc<Shared>,
    watcher: Option<Arc<dyn Fn() + Send + Sync>>,
    deadline: Option<Arc<dyn Fn() -> bool + Send + Sync>>,
}

impl std::fmt::Debug for Context {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.debug_struct("Context").field("shared", &self.shared).finish_non_exhaustive()
    }
}

#[derive(Debug, Default)]
struct Shared {
    cancelled: Arc<AtomicBool>,
    done: AtomicU64,
    total: AtomicU64,
}

impl Context {
    /// A context that nobody has cancelled, with nothing done.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The same context, with `watcher` called at every [`Context::advance`], on the job's own thread.
    #[must_use]
    pub fn watched_by(mut self, watcher: impl Fn() + Send + Sync + 'static) -> Self {
        self.watcher = Some(Arc::new(watcher));
        self
    }

    /// The same context, whose time is over when `is_over` says so; it is asked again and again.
    #[must_use]
    pub fn until(mut self, is_over: impl Fn() -> bool + Send + Sync + 'static) -> Self {
        self.deadline = Some(Arc::new(is_over));
        self
    }

    /// Whether the time that the caller gave is over. A job that waits for another process asks this; unlike cancelling, it
    /// ends with what was found so far.
    #[must_use]
    pub fn is_late(&self) -> bool {
        self.deadline.as_ref().is_some_and(|is_over| is_over())
    }

    /// Counts `amount` units (bytes, unless the job says otherwise) as done.
    ///
    /// # Errors
    /// [`Error::Cancelled`] once [`Context::cancel`] was called.
    pub fn advance(&self, amount: u64) -> Result<()> {
        self.shared.done.fetch_add(amount, Ordering::Relaxed);
        if let Some(watcher) = &self.watcher {
            watcher();
        }
        if self.is_cancelled() { Err(Error::Cancelled) } else { Ok(()) }
    }

    /// Adds `amount` units to what the job expects to do.
    pub fn expect(&self, amount: u64) {
        self.shared.total.fetch_add(amount, Ordering::Relaxed);
    }

    /// Asks the job to stop at its next [`Context::advance`].
    pub fn cancel(&self) {
        self.shared.cancelled.store(true, Ordering::Relaxed);
    }

    /// The flag that [`Context::cancel`] sets, for a signal handler.
    #[must_use]
    pub fn cancellation(&self) -> Arc<AtomicBool> {
        Arc::clone(&self.shared.cancelled)
    }

    /// Whether [`Context::cancel`] was called.
    #[must_use]
    pub fn is_cancelled(&self) -> bool {
        self.shared.cancelled.load(Ordering::Relaxed)
    }

    /// Units done and expected so far; expected is 0 while unknown.
    #[must_use]
    pub fn progress(&self) -> (u64, u64) {
        (self.shared.done.load(Ordering::Relaxed), self.shared.total.load(Ordering::Relaxed))
    }
}
