//! The runs that differ in the pairs of two files: found by several threads, a window at a time, from where the user looks.
//!
//! Equal windows cost one comparison of slices; only a differing one is looked into. What is a hole in both files, or shared by
//! them, is not read at all. Memory does not grow with the files: two windows a thread, a bounded list, and the little that
//! waits for its turn.

mod known;
mod order;
mod pool;
mod window;

use super::alignment::Alignment;
use super::listed::Listed;
use crate::engine::file::Windows;
use crate::engine::{Context, Result};
use known::Known;
use order::Order;
pub use pool::OnTheWay;

/// At most this many bytes of each file are read at once by a thread: larger windows leave the processor's caches.
const WINDOW: u64 = 256 << 10;
/// More threads than this wait for memory, not for one another.
const MOST_THREADS: usize = 8;
/// A thread of its own is worth this many bytes.
const WORTH_A_THREAD: u64 = 1 << 20;
/// The least and the most bytes between two times that the caller is told what was found so far.
const STEPS: (u64, u64) = (16 << 20, 512 << 20);

/// How a scan goes about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct How {
    /// From which offset of the first file on.
    pub from: u64,
    /// Bytes of each file that are read at once.
    pub window: u64,
    /// How many threads look, the caller's among them.
    pub threads: usize,
    /// Bytes between two times that the caller is told what was found so far.
    pub step: u64,
}

impl How {
    /// What suits this machine and `size` bytes.
    #[must_use]
    pub fn suiting(size: u64, from: u64) -> Self {
        let worth = usize::try_from(size / WORTH_A_THREAD).unwrap_or(MOST_THREADS).clamp(1, MOST_THREADS);
        let threads = match worth {
            1 => 1,
            most => std::thread::available_parallelism().map_or(1, std::num::NonZero::get).min(most),
        };
        Self { from, window: WINDOW, threads, step: (size / 32).clamp(STEPS.0, STEPS.1) }
    }
}

/// What a scan came to.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Scanned {
    /// Bytes of each file that were compared.
    pub compared: u64,
    /// Bytes of each file that needed no reading: holes of both, or one and the same extent.
    pub skipped: u64,
}

/// What was found so far, or in all.
#[derive(Debug, Clone)]
pub struct Reached {
    /// The runs, in the order of the files.
    pub listed: Listed,
    /// What was done for it.
    pub scanned: Scanned,
}

/// Compares the pairs of `alignment`, and tells what lies in none. Whenever there is enough news `on_the_way` is given what
/// was found so far, on the caller's thread. Counts every byte of the pairs on `context`; no thread outlives the call.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when a file shrinks meanwhile, [`crate::engine::Error::Io`],
/// [`crate::engine::Error::Cancelled`], and what `on_the_way` gives.
pub fn scan(
    a: &Windows,
    b: &Windows,
    alignment: &Alignment,
    how: &How,
    on_the_way: OnTheWay<'_>,
    context: &Context,
) -> Result<Reached> {
    context.expect(alignment.paired());
    let order = Order::new(alignment, Known::new(a, b), how.from, how.window);
    let listed = Listed::new(alignment.a_size, alignment.b_size);
    pool::run(
        order,
        listed,
        &|task, detail, buffers| window::look(a, b, task, detail, buffers),
        how,
        on_the_way,
        context,
    )
}

#[cfg(test)]
mod tests;
