//! The same question about each of many things, asked on all processors at once, answered in order.

use std::num::NonZero;
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// What `ask` answers for each of `things`, in their order. It is asked on several threads; each takes the next thing when it
/// is done with one, so that a large one keeps nobody waiting.
pub(super) fn side_by_side<T: Sync, A: Send>(things: &[T], ask: impl Fn(&T) -> A + Sync) -> Vec<A> {
    let threads = thread::available_parallelism().map_or(1, NonZero::get).min(things.len());
    if threads < 2 {
        return things.iter().map(ask).collect();
    }
    let next = AtomicUsize::new(0);
    let work = || {
        let mut answers = Vec::new();
        loop {
            let place = next.fetch_add(1, Ordering::Relaxed);
            let Some(thing) = things.get(place) else { return answers };
            answers.push((place, ask(thing)));
        }
    };
    let mut answers: Vec<(usize, A)> = thread::scope(|scope| {
        let others: Vec<_> = (1..threads).map(|_| scope.spawn(work)).collect();
        let mut answers = work();
        for other in others {
            // A panic is the asker's, wherever it happened.
            answers.extend(other.join().unwrap_or_else(|panic| resume_unwind(panic)));
        }
        answers
    });
    answers.sort_unstable_by_key(|(place, _)| *place);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn answers_come_in_the_order_of_the_things() {
        let things: Vec<u64> = (0..500).collect();
        let slow_at_first = |thing: &u64| {
            thread::sleep(std::time::Duration::from_micros(500 / (thing + 1)));
            thing * 3
        };
        assert_eq!(side_by_side(&things, slow_at_first), things.iter().map(|thing| thing * 3).collect::<Vec<_>>());
        assert_eq!(side_by_side(&[], |thing: &u64| *thing), Vec::<u64>::new());
    }

    #[test]
    fn a_panic_keeps_its_words() {
        let things: Vec<u32> = (0..50).collect();
        let asked =
            catch_unwind(AssertUnwindSafe(|| side_by_side(&things, |thing| assert!(*thing != 31, "thing {thing}"))));
        let panic = asked.unwrap_err();
        assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some("thing 31"));
    }
}
