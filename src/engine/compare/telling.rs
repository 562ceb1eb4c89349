//! The listed runs told by what they are, each once: while a comparison runs its list grows, and only what is new in it is told.

use super::alignment::ByteRun;
use super::listed::MOST_LISTED;
use crate::engine::Result;
use crate::engine::report::diff::Run;

/// What was told so far.
#[derive(Debug, Default)]
pub struct Telling {
    told: Vec<Told>,
}

/// A run that was told.
#[derive(Debug, Clone, Copy)]
struct Told {
    run: ByteRun,
    /// In how many parts, and how many of them were kept.
    parts: usize,
    kept: usize,
}

impl Telling {
    /// Brings `runs`, which hold what was told before, to what `listed` says, in the order of the files and no more than are
    /// listed. `tell` says what a run is, in one part or more. Gives back how many parts there are, listed or not.
    ///
    /// # Errors
    /// Those of `tell`.
    pub fn tell(
        &mut self,
        listed: &[ByteRun],
        runs: &mut Vec<Run>,
        mut tell: impl FnMut(ByteRun) -> Result<Vec<Run>>,
    ) -> Result<u64> {
        let mut before = std::mem::take(&mut self.told).into_iter().peekable();
        let mut old = std::mem::take(runs).into_iter();
        let mut total = 0;
        for run in listed.iter().copied() {
            // What is no longer in the list has grown.
            while let Some(gone) = before.next_if(|told| (told.run.a, told.run.b) < (run.a, run.b)) {
                old.by_ref().take(gone.kept).for_each(drop);
            }
            let room = MOST_LISTED - runs.len();
            let parts = match before.next_if(|told| told.run == run) {
                Some(told) if told.kept == told.parts || told.kept >= room => {
                    runs.extend(old.by_ref().take(told.kept).take(room));
                    told.parts
                }
                known => {
                    old.by_ref().take(known.map_or(0, |told| told.kept)).for_each(drop);
                    let parts = tell(run)?;
                    let count = parts.len();
                    runs.extend(parts.into_iter().take(room));
                    count
                }
            };
            total += parts as u64;
            self.told.push(Told { run, parts, kept: parts.min(room) });
        }
        Ok(total)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::diff::{Class, RunKind};

    fn run(a: u64, len: u64) -> ByteRun {
        ByteRun { kind: RunKind::Changed, a, b: a, len }
    }

    /// One part a byte.
    fn told(run: ByteRun) -> Vec<Run> {
        let part = |offset| Run {
            offset,
            other_offset: offset,
            len: 1,
            kind: run.kind,
            region: None,
            class: Class::Other,
            meaning: None,
            explained_by: None,
        };
        (run.a..run.a + run.len).map(part).collect()
    }

    #[test]
    fn only_what_is_new_is_told() {
        let (mut telling, mut runs, mut asked) = (Telling::default(), Vec::new(), Vec::new());
        let lists = [vec![run(5, 2)], vec![run(5, 3), run(9, 1)], vec![run(1, 1), run(5, 3), run(9, 1)]];
        for list in &lists {
            let total = telling.tell(list, &mut runs, |run| {
                asked.push((run.a, run.len));
                Ok(told(run))
            });
            assert_eq!(total.unwrap(), list.iter().map(|run| run.len).sum::<u64>());
            let expected: Vec<u64> = list.iter().flat_map(|run| run.a..run.a + run.len).collect();
            assert_eq!(runs.iter().map(|run| run.offset).collect::<Vec<_>>(), expected);
        }
        assert_eq!(asked, [(5, 2), (5, 3), (9, 1), (1, 1)]);
    }

    #[test]
    fn parts_that_are_not_listed_are_counted() {
        let (mut telling, mut runs) = (Telling::default(), Vec::new());
        let most = MOST_LISTED as u64;
        let (first, second) = (run(10, most - 1), run(2 * most, 5));
        for (list, total) in [(vec![first, second], most + 4), (vec![run(1, 2), first, second], most + 6)] {
            assert_eq!(telling.tell(&list, &mut runs, |run| Ok(told(run))).unwrap(), total);
            assert_eq!(runs.len(), MOST_LISTED);
            assert!(runs.is_sorted_by_key(|run| run.offset));
        }
        assert_eq!(telling.tell(&[second], &mut runs, |run| Ok(told(run))).unwrap(), 5);
        assert_eq!(runs.iter().map(|run| run.offset - 2 * most).collect::<Vec<_>>(), [0, 1, 2, 3, 4]);
    }
}
