//! Where a place of one file lies in the other, read from the runs of a comparison: by binary search, whatever the sizes.
//!
//! Both files are walked at once. A place on that walk is an offset in each, and the sum of the two grows at every byte:
//! it is the place's number, by which everything here is found. What lies between two runs belongs together.

use super::alignment::ByteRun;
use crate::engine::report::diff::{DiffDocument, RunKind};

/// One of the two files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Which {
    /// The first.
    A,
    /// The second.
    B,
}

/// A place in both files.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Place {
    /// The offset in the first file.
    pub a: u64,
    /// The offset in the second file.
    pub b: u64,
}

impl Place {
    /// Its number: grows from each place to the next.
    #[must_use]
    pub const fn number(self) -> u64 {
        self.a.saturating_add(self.b)
    }

    /// The offset in `which`.
    #[must_use]
    pub const fn of(self, which: Which) -> u64 {
        match which {
            Which::A => self.a,
            Which::B => self.b,
        }
    }
}

/// A stretch of the walk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Piece {
    /// Where it begins.
    pub at: Place,
    /// Its length in bytes, in each file that it is in.
    pub len: u64,
    /// What happened there; `None` where nothing is known to have.
    pub kind: Option<RunKind>,
    /// The place of its run in the document.
    pub run: Option<usize>,
}

impl Piece {
    /// Where it ends.
    #[must_use]
    pub const fn end(&self) -> Place {
        match self.kind {
            None | Some(RunKind::Changed) => {
                Place { a: self.at.a.saturating_add(self.len), b: self.at.b.saturating_add(self.len) }
            }
            Some(RunKind::Inserted) => Place { a: self.at.a, b: self.at.b.saturating_add(self.len) },
            Some(RunKind::Removed) => Place { a: self.at.a.saturating_add(self.len), b: self.at.b },
        }
    }

    /// Whether both files have its bytes.
    #[must_use]
    pub const fn is_paired(&self) -> bool {
        matches!(self.kind, None | Some(RunKind::Changed))
    }

    /// The place in it that has the number `number`, or contains it.
    #[must_use]
    pub fn place(&self, number: u64) -> Place {
        let into = number.saturating_sub(self.at.number());
        let into = if self.is_paired() { into / 2 } else { into };
        Piece { len: into.min(self.len), ..*self }.end()
    }
}

/// The runs of a comparison in the order of the walk.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aligned {
    runs: Vec<(ByteRun, usize)>,
    end: Place,
}

impl Aligned {
    /// Of a document, which may be one of a comparison that still runs.
    #[must_use]
    pub fn of(document: &DiffDocument) -> Self {
        let end = Place { a: document.a_size, b: document.b_size };
        let runs = document.runs.iter().map(|run| {
            let (a, b) = match run.kind {
                RunKind::Inserted => (run.other_offset, run.offset),
                RunKind::Changed | RunKind::Removed => (run.offset, run.other_offset),
            };
            ByteRun { kind: run.kind, a, b, len: run.len }
        });
        let mut runs: Vec<(ByteRun, usize)> = runs.zip(0..).collect();
        runs.sort_by_key(|(run, _)| run.a.saturating_add(run.b));
        // A run that does not stand behind the one before would be no place of the walk.
        let mut reached = Place::default();
        runs.retain(|(run, _)| {
            let (a, b) = run.ends();
            let fits = run.len > 0 && run.a >= reached.a && run.b >= reached.b && a <= end.a && b <= end.b;
            if fits {
                reached = Place { a, b };
            }
            fits
        });
        Self { runs, end }
    }

    /// Where the walk ends: the sizes of the files.
    #[must_use]
    pub const fn end(&self) -> Place {
        self.end
    }

    /// The piece that contains the place with this number; the last one for a number behind the end. `None` where both
    /// files are empty.
    #[must_use]
    pub fn piece(&self, number: u64) -> Option<Piece> {
        let number = number.min(self.end.number().checked_sub(1)?);
        let next = self.runs.partition_point(|(run, _)| run.a.saturating_add(run.b) <= number);
        if let Some(piece) = self.nth(next.checked_sub(1)).filter(|piece| number < piece.end().number()) {
            return Some(piece);
        }
        let (from, to) = self.gap(next);
        let [equal, rest] = pieces(from, to);
        if number < equal.end().number() { Some(equal) } else { Some(rest) }
    }

    /// The place of an offset of one file: behind what was inserted before it. An offset behind the end is the end.
    #[must_use]
    pub fn place(&self, which: Which, offset: u64) -> Place {
        let end = |run: &ByteRun| if which == Which::A { run.ends().0 } else { run.ends().1 };
        if offset >= self.end.of(which) {
            return self.end;
        }
        let next = self.runs.partition_point(|(run, _)| end(run) <= offset);
        let (from, to) = self.gap(next);
        let run = self.nth(Some(next));
        let found = pieces(from, to).into_iter().chain(run).find(|piece| offset < piece.end().of(which));
        found.map_or(self.end, |piece| {
            let into = offset.saturating_sub(piece.at.of(which));
            Piece { len: into.min(piece.len), ..piece }.end()
        })
    }

    /// Where the document's run number `run` begins.
    #[must_use]
    pub fn start(&self, run: usize) -> Option<Place> {
        // The document's own order is this one, but for a document that is out of order.
        let own = self.runs.get(run).filter(|(_, number)| *number == run);
        let found = own.or_else(|| self.runs.iter().find(|(_, number)| *number == run));
        found.map(|(run, _)| Place { a: run.a, b: run.b })
    }

    /// The document's run at or before the place with this number.
    #[must_use]
    pub fn run_before(&self, number: u64) -> Option<usize> {
        let next = self.runs.partition_point(|(run, _)| run.a.saturating_add(run.b) <= number);
        self.runs.get(next.checked_sub(1)?).map(|(_, number)| *number)
    }

    fn nth(&self, index: Option<usize>) -> Option<Piece> {
        let (run, number) = self.runs.get(index?)?;
        Some(Piece { at: Place { a: run.a, b: run.b }, len: run.len, kind: Some(run.kind), run: Some(*number) })
    }

    /// What lies before the run `next` and behind the one before.
    fn gap(&self, next: usize) -> (Place, Place) {
        let from = self.nth(next.checked_sub(1)).map_or(Place::default(), |piece| piece.end());
        let to = self.nth(Some(next)).map_or(self.end, |piece| piece.at);
        (from, to)
    }
}

/// What belongs together between two places, and then what one file has more: runs that are not known yet, or not listed.
fn pieces(from: Place, to: Place) -> [Piece; 2] {
    let (a, b) = (to.a.saturating_sub(from.a), to.b.saturating_sub(from.b));
    let equal = Piece { at: from, len: a.min(b), kind: None, run: None };
    let kind = if a > b { RunKind::Removed } else { RunKind::Inserted };
    [equal, Piece { at: equal.end(), len: a.abs_diff(b), kind: Some(kind), run: None }]
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::engine::report::diff::{AlignedBy, Class, DifferingBytes, Map, Run};

    /// A document with these runs: kind, offset, the other offset, length.
    pub fn document(a_size: u64, b_size: u64, runs: &[(RunKind, u64, u64, u64)]) -> DiffDocument {
        let run = |&(kind, offset, other_offset, len): &(RunKind, u64, u64, u64)| Run {
            offset,
            other_offset,
            len,
            kind,
            region: None,
            class: Class::Other,
            meaning: None,
            explained_by: None,
        };
        DiffDocument {
            schema: String::new(),
            a: "a".into(),
            b: "b".into(),
            a_container: None,
            a_member: None,
            b_container: None,
            b_member: None,
            a_size,
            b_size,
            equal: runs.is_empty(),
            verdict: String::new(),
            aligned_by: AlignedBy::Structure,
            bytes_compared: 0,
            bytes_skipped: 0,
            bytes: DifferingBytes::default(),
            edits: None,
            unexplained: None,
            runs_total: runs.len() as u64,
            runs: runs.iter().map(run).collect(),
            by_class: Vec::new(),
            map: Map::default(),
            findings: Vec::new(),
            structure: Vec::new(),
        }
    }

    #[test]
    fn a_place_of_one_file_is_found_in_the_other() {
        use RunKind::{Changed, Inserted, Removed};
        let runs = [(Changed, 10, 10, 2), (Inserted, 20, 20, 100), (Removed, 30, 130, 5)];
        let aligned = Aligned::of(&document(100, 195, &runs));
        for (which, offset, a, b) in [
            (Which::A, 11, 11, 11),
            (Which::A, 20, 20, 120),
            (Which::B, 25, 20, 25),
            (Which::B, 120, 20, 120),
            (Which::A, 33, 33, 130),
            (Which::A, 40, 40, 135),
            (Which::B, 135, 40, 135),
            (Which::B, 900, 100, 195),
        ] {
            assert_eq!(aligned.place(which, offset), Place { a, b }, "{which:?} {offset}");
        }
        assert_eq!(aligned.start(1), Some(Place { a: 20, b: 20 }));
        let piece = aligned.piece(60).unwrap();
        assert_eq!((piece.at, piece.kind, piece.len), (Place { a: 20, b: 20 }, Some(Inserted), 100));
        assert_eq!((aligned.run_before(39), aligned.run_before(40), aligned.run_before(0)), (Some(0), Some(1), None));
    }

    #[test]
    fn runs_that_are_not_known_yet_leave_a_walk_through_both_files() {
        let aligned = Aligned::of(&document(10, 25, &[(RunKind::Changed, 4, 4, 2), (RunKind::Changed, 3, 3, 3)]));
        let mut number = 0;
        let mut found = Vec::new();
        while number < 35 {
            let piece = aligned.piece(number).unwrap();
            assert_eq!(piece.at.number(), number);
            found.push((piece.kind, piece.len));
            number = piece.end().number();
        }
        let changed = Some(RunKind::Changed);
        assert_eq!(found, [(None, 3), (changed, 3), (None, 4), (Some(RunKind::Inserted), 15)]);
        assert_eq!(Aligned::of(&document(0, 0, &[])).piece(0), None);
    }
}
