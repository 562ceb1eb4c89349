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
        Self { runs: Vec::new(), total: 0, bytes: DifferingBytes::default(), map }
    }

    /// Adds runs, each behind the last of those before.
    pub fn add(&mut self, runs: impl IntoIterator<Item = ByteRun>) {
        for run in runs {
            self.count(run);
            if let Some(last) = self.runs.last_mut()
                && self.total <= MOST_LISTED as u64
                && last.kind == run.kind
                && last.ends() == (run.a, run.b)
            {
                last.len += run.len;
                continue;
            }
            self.total += 1;
            if self.runs.len() < MOST_LISTED {
                self.runs.push(run);
            }
        }
    }

    fn count(&mut self, run: ByteRun) {
        *match run.kind {
            RunKind::Changed => &mut self.bytes.changed,
            RunKind::Inserted => &mut self.bytes.inserted,
            RunKind::Removed => &mut self.bytes.removed,
        } += run.len;
        let (mut at, end) = (run.offset(), run.offset() + run.len);
        while at < end {
            let part = at / self.map.unit;
            let stop = ((part + 1) * self.map.unit).min(end);
            if let Some(count) = usize::try_from(part).ok().and_then(|part| self.map.differing.get_mut(part)) {
                *count += stop - at;
            }
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
        listed.add([changed(3, 2), changed(5, 4), changed(10, 1)]);
        listed.add([ByteRun { kind: RunKind::Removed, a: 900, b: 900, len: 100 }]);
        assert_eq!(listed.runs().iter().map(|run| (run.a, run.len)).collect::<Vec<_>>(), [(3, 6), (10, 1), (900, 100)]);
        assert_eq!((listed.total(), listed.bytes().changed, listed.bytes().removed), (3, 7, 100));
        assert_eq!(listed.map().unit, 4);
        assert_eq!(listed.map().differing.get(..4), Some(&[1, 4, 2, 0][..]));
        assert_eq!(listed.map().differing.iter().sum::<u64>(), 107);
    }

    #[test]
    fn more_runs_than_are_listed_are_counted() {
        let mut listed = Listed::new(1 << 20, 1 << 20);
        let count = MOST_LISTED as u64 + 7;
        listed.add((0..count).map(|number| changed(number * 2, 1)));
        assert_eq!((listed.runs().len(), listed.total()), (MOST_LISTED, count));
    }
}
