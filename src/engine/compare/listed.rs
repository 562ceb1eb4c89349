//! The runs that were found, in the order of the files: at most 100,000 are kept, all are counted.

use super::alignment::ByteRun;
use crate::engine::report::diff::{DifferingBytes, Map, RunKind};

/// At most this many runs are listed.
pub const MOST_LISTED: usize = 100_000;
/// The parts of the map.
const PARTS: u64 = 256;

/// The runs so far.
#[derive(Debug, Clone)]
pub struct Listed {
    runs: Vec<ByteRun>,
    /// How many of `runs` came before [`Listed::turn`].
    turned: Option<usize>,
    /// The last that was added, listed or not.
    last: Option<ByteRun>,
    total: u64,
    bytes: DifferingBytes,
    map: Map,
}

impl Listed {
    /// None yet, of two files of these sizes.
    #[must_use]
    pub fn new(a_size: u64, b_size: u64) -> Self {
        let size = a_size.max(b_size);
        let unit = size.div_ceil(PARTS).max(1);
        let parts = usize::try_from(size.div_ceil(unit)).unwrap_or_default();
        let map = Map { unit, differing: vec![0; parts], pending: Vec::new() };
        Self { runs: Vec::new(), turned: None, last: None, total: 0, bytes: DifferingBytes::default(), map }
    }

    /// Adds a run, behind the last one; where it touches that and is of its kind the two are one.
    pub fn add(&mut self, run: ByteRun) {
        self.count(run);
        let is_listed = self.total <= MOST_LISTED as u64;
        match &mut self.last {
            Some(last) if last.kind == run.kind && last.ends() == (run.a, run.b) => {
                last.len += run.len;
                if is_listed && let Some(listed) = self.runs.last_mut() {
                    listed.len += run.len;
                }
            }
            last => {
                *last = Some(run);
                self.total += 1;
                if self.total <= MOST_LISTED as u64 {
                    self.runs.push(run);
                }
            }
        }
    }

    /// Counts `runs` of the kind of `stretch`, the first of which begins where it does, and which touch neither the last one
    /// nor the next. Its length is that of all their bytes, and they lie in one part of the map. Only for a full list.
    pub fn add_counted(&mut self, stretch: ByteRun, runs: u64) {
        let part = stretch.offset() / self.map.unit;
        *self.bytes_of(stretch.kind) += stretch.len;
        self.count_part(part, stretch.len);
        self.total += runs;
    }

    /// Whether a run more than can be listed was found, so that those to come are only counted.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.total > MOST_LISTED as u64
    }

    /// The runs to come lie before all those that came.
    pub fn turn(&mut self) {
        self.turned = Some(self.runs.len());
        self.last = None;
    }

    /// The same in the order of the files.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        if let Some(turned) = self.turned.take() {
            let turned = turned.min(self.runs.len());
            self.runs.rotate_left(turned);
        }
        self
    }

    /// The same in the order of the files, with the last run before the place where it turned, and the first behind it, made
    /// one where they touch. To be called when all were added.
    #[must_use]
    pub fn complete(mut self) -> Self {
        let touching = self.turned.filter(|turned| *turned > 0).and(self.last).zip(self.runs.first().copied());
        if let Some((last, first)) = touching
            && last.kind == first.kind
            && last.ends() == (first.a, first.b)
        {
            if self.total <= MOST_LISTED as u64 {
                self.runs.pop();
            }
            self.total -= 1;
            if let Some(first) = self.runs.first_mut() {
                *first = ByteRun { len: last.len + first.len, ..last };
            }
        }
        self.in_order()
    }

    /// Notes which parts of the map are not compared to their end.
    pub fn set_pending(&mut self, is_pending: impl Fn(u64, u64) -> bool) {
        let unit = self.map.unit;
        let parts = 0..self.map.differing.len() as u64;
        self.map.pending = parts.map(|part| is_pending(part * unit, (part + 1).saturating_mul(unit))).collect();
    }

    fn bytes_of(&mut self, kind: RunKind) -> &mut u64 {
        match kind {
            RunKind::Changed => &mut self.bytes.changed,
            RunKind::Inserted => &mut self.bytes.inserted,
            RunKind::Removed => &mut self.bytes.removed,
        }
    }

    fn count_part(&mut self, part: u64, bytes: u64) {
        if let Some(count) = usize::try_from(part).ok().and_then(|part| self.map.differing.get_mut(part)) {
            *count += bytes;
        }
    }

    fn count(&mut self, run: ByteRun) {
        *self.bytes_of(run.kind) += run.len;
        let (mut at, end) = (run.offset(), run.offset() + run.len);
        while at < end {
            let part = at / self.map.unit;
            let stop = ((part + 1) * self.map.unit).min(end);
            self.count_part(part, stop - at);
            at = stop;
        }
    }

    /// The runs that are kept.
    #[must_use]
    pub fn runs(&self) -> &[ByteRun] {
        &self.runs
    }

    /// How many there are.
    #[must_use]
    pub const fn total(&self) -> u64 {
        self.total
    }

    /// How many bytes differ; which of them are code is not known here.
    #[must_use]
    pub const fn bytes(&self) -> DifferingBytes {
        self.bytes
    }

    /// Where they lie.
    #[must_use]
    pub const fn map(&self) -> &Map {
        &self.map
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn changed(offset: u64, len: u64) -> ByteRun {
        ByteRun { kind: RunKind::Changed, a: offset, b: offset, len }
    }

    #[test]
    fn runs_that_touch_are_one() {
        let mut listed = Listed::new(1000, 900);
        [changed(3, 2), changed(5, 4), changed(10, 1)].into_iter().for_each(|run| listed.add(run));
        listed.add(ByteRun { kind: RunKind::Removed, a: 900, b: 900, len: 100 });
        assert_eq!(listed.runs().iter().map(|run| (run.a, run.len)).collect::<Vec<_>>(), [(3, 6), (10, 1), (900, 100)]);
        assert_eq!((listed.total(), listed.bytes().changed, listed.bytes().removed), (3, 7, 100));
        assert_eq!(listed.map().unit, 4);
        assert_eq!(listed.map().differing.get(..4), Some(&[1, 4, 2, 0][..]));
        assert_eq!(listed.map().differing.iter().sum::<u64>(), 107);
    }

    #[test]
    fn more_runs_than_are_listed_are_counted() {
        let mut listed = Listed::new(1 << 20, 1 << 20);
        let count = MOST_LISTED as u64;
        (0..count).for_each(|number| listed.add(changed(number * 2, 1)));
        assert!(!listed.is_full());
        // Those behind the last that is listed are one, and so are two halves that touch.
        listed.add(changed(300_000, 2));
        listed.add(changed(300_002, 2));
        assert!(listed.is_full());
        listed.add_counted(changed(400_000, 5), 3);
        listed.turn();
        let listed = listed.complete();
        assert_eq!((listed.runs().len(), listed.total(), listed.bytes().changed), (MOST_LISTED, count + 4, count + 9));
    }

    #[test]
    fn halves_that_touch_are_one_run_in_the_order_of_the_files() {
        let mut listed = Listed::new(100, 100);
        [changed(50, 2), changed(70, 1)].into_iter().for_each(|run| listed.add(run));
        listed.turn();
        [changed(4, 1), changed(45, 5)].into_iter().for_each(|run| listed.add(run));
        let listed = listed.complete();
        assert_eq!(listed.runs(), [changed(4, 1), changed(45, 7), changed(70, 1)]);
        assert_eq!((listed.total(), listed.bytes().changed), (3, 9));
    }
}
