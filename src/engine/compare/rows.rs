//! The lines on which two files stand side by side: each is worked out alone, from any place, forwards and backwards, so that
//! files and runs of any size cost what is looked at.
//!
//! Bytes stand in the column that their offset gives them. What was inserted or removed has lines of its own, blank on the
//! other side. A longer stretch where nothing differs is one line, but for a little of it beside each run.

use super::aligned::{Aligned, Piece, Place};
use crate::engine::report::diff::RunKind;

/// Lines that are kept on both sides of what differs.
const CONTEXT: u64 = 2;
/// Fewer lines than this are not worth squeezing.
const FEWEST: u64 = 3;

/// One line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Row {
    /// Where it begins.
    pub at: Place,
    /// Its bytes of the first file.
    pub a_len: u64,
    /// Its bytes of the second file.
    pub b_len: u64,
    /// The column of its first byte.
    pub column: u64,
    /// Whether it stands for a whole stretch in which nothing is known to differ.
    pub is_squeezed: bool,
}

impl Row {
    /// Where it ends.
    #[must_use]
    pub const fn end(&self) -> Place {
        Place { a: self.at.a.saturating_add(self.a_len), b: self.at.b.saturating_add(self.b_len) }
    }
}

/// The lines of a comparison.
#[derive(Debug, Clone, Copy)]
pub struct Rows<'a> {
    /// What belongs to what.
    pub aligned: &'a Aligned,
    /// The bytes of a line, of each file.
    pub bytes: u64,
    /// The number of a place whose stretch is not squeezed, since somebody looks there.
    pub open: Option<u64>,
}

impl Rows<'_> {
    /// The line that contains the place with this number; the last one for a number behind the end. `None` where both
    /// files are empty.
    #[must_use]
    pub fn at(&self, number: u64) -> Option<Row> {
        let piece = self.aligned.piece(number)?;
        let place = piece.place(number);
        if let Some((from, to)) = self.squeezed(&piece).filter(|(from, to)| (*from..*to).contains(&place.a)) {
            let at = Place { a: from, b: piece.at.b.saturating_add(from.saturating_sub(piece.at.a)) };
            return Some(Row { at, a_len: to - from, b_len: to - from, column: 0, is_squeezed: true });
        }
        let bytes = self.bytes.max(1);
        let column = offset(&piece, place) % bytes;
        let floor = offset(&piece, place) - column;
        let first = self.reach_back(piece, floor);
        let into = floor.saturating_sub(offset(&first, first.at));
        let at = Piece { len: into.min(first.len), ..first }.end();
        let end = self.reach_on(piece, floor.saturating_add(bytes));
        Some(Row {
            at,
            a_len: end.a.saturating_sub(at.a),
            b_len: end.b.saturating_sub(at.b),
            column: offset(&first, at) % bytes,
            is_squeezed: false,
        })
    }

    /// The line behind `row`.
    #[must_use]
    pub fn after(&self, row: &Row) -> Option<Row> {
        let number = row.end().number();
        if number < self.aligned.end().number() { self.at(number) } else { None }
    }

    /// The line before `row`.
    #[must_use]
    pub fn before(&self, row: &Row) -> Option<Row> {
        self.at(row.at.number().checked_sub(1)?)
    }

    /// The lines from the place with this number on, as long as they are asked for.
    pub fn from(&self, number: u64) -> impl Iterator<Item = Row> {
        let rows = *self;
        std::iter::successors(self.at(number), move |row| rows.after(row))
    }

    /// The number of the line that stands `by` lines before (below 0) or behind that of the place with this number; of the
    /// first or last where there are not so many.
    #[must_use]
    pub fn moved(&self, number: u64, by: i64) -> u64 {
        let Some(mut row) = self.at(number) else { return 0 };
        for _ in 0..by.unsigned_abs() {
            let Some(next) = (if by < 0 { self.before(&row) } else { self.after(&row) }) else { break };
            row = next;
        }
        row.at.number()
    }

    /// The first piece of the line that reaches from `floor` into `piece`.
    fn reach_back(&self, piece: Piece, floor: u64) -> Piece {
        let mut first = piece;
        while offset(&first, first.at) > floor {
            let before = first.at.number().checked_sub(1).and_then(|number| self.aligned.piece(number));
            let Some(before) = before.filter(|before| same_lines(before, &first)) else { break };
            first = before;
        }
        first
    }

    /// Where the line ends that reaches from `piece` to `ceiling`.
    fn reach_on(&self, piece: Piece, ceiling: u64) -> Place {
        let mut last = piece;
        while offset(&last, last.end()) < ceiling && last.end().number() < self.aligned.end().number() {
            let Some(after) = self.aligned.piece(last.end().number()).filter(|after| same_lines(after, &last)) else {
                break;
            };
            last = after;
        }
        let into = ceiling.saturating_sub(offset(&last, last.at));
        Piece { len: into.min(last.len), ..last }.end()
    }

    /// From where to where in the first file `piece` is one line.
    fn squeezed(&self, piece: &Piece) -> Option<(u64, u64)> {
        let (start, end) = (piece.at.number(), piece.end().number());
        if piece.kind.is_some() || self.open.is_some_and(|open| (start..end).contains(&open)) {
            return None;
        }
        let bytes = self.bytes.max(1);
        let (from, to) = (piece.at.a, piece.end().a);
        let from = match start {
            0 => from,
            _ => from.div_ceil(bytes).saturating_add(CONTEXT).saturating_mul(bytes),
        };
        let to = match end == self.aligned.end().number() {
            true => to,
            false => (to / bytes).saturating_sub(CONTEXT) * bytes,
        };
        (to.saturating_sub(from) >= FEWEST.saturating_mul(bytes)).then_some((from, to))
    }
}

/// The offset that says in which column bytes of `piece` stand.
const fn offset(piece: &Piece, place: Place) -> u64 {
    match piece.kind {
        Some(RunKind::Inserted) => place.b,
        _ => place.a,
    }
}

/// Whether the bytes of two neighbours may stand on one line.
fn same_lines(one: &Piece, other: &Piece) -> bool {
    if one.is_paired() { other.is_paired() } else { one.kind == other.kind }
}

#[cfg(test)]
mod tests {
    use super::super::aligned::tests::document;
    use super::*;
    use RunKind::{Changed, Inserted, Removed};
    use proptest::prelude::*;

    fn told(rows: &Rows<'_>) -> Vec<(u64, u64, u64, u64)> {
        rows.from(0).map(|row| (row.at.a, row.a_len, row.at.b, row.b_len)).collect()
    }

    #[test]
    fn runs_stand_side_by_side_with_a_little_of_what_is_equal() {
        let runs = [(Changed, 100, 100, 4), (Inserted, 160, 160, 20), (Removed, 200, 220, 3)];
        let aligned = Aligned::of(&document(1000, 1017, &runs));
        let rows = Rows { aligned: &aligned, bytes: 8, open: None };
        let expected = [
            (0, 80, 0, 80),
            (80, 8, 80, 8),
            (88, 8, 88, 8),
            (96, 8, 96, 8),
            (104, 8, 104, 8),
            (112, 8, 112, 8),
            (120, 24, 120, 24),
            (144, 8, 144, 8),
            (152, 8, 152, 8),
            (160, 0, 160, 8),
            (160, 0, 168, 8),
            (160, 0, 176, 4),
            (160, 8, 180, 8),
            (168, 8, 188, 8),
            (176, 8, 196, 8),
            (184, 8, 204, 8),
            (192, 8, 212, 8),
            (200, 3, 220, 0),
            (203, 5, 220, 5),
            (208, 8, 225, 8),
            (216, 8, 233, 8),
            (224, 776, 241, 776),
        ];
        assert_eq!(told(&rows), expected);
        let partial = rows.at(420).unwrap();
        assert_eq!((partial.at.a, partial.column, partial.is_squeezed), (200, 0, false));
        assert_eq!(rows.at(423).unwrap().column, 3, "its bytes stand where their offset puts them");
        let open = Rows { open: Some(500), ..rows };
        assert_eq!(open.from(0).filter(|row| row.is_squeezed).count(), 2, "but for the stretch that is looked at");
        assert_eq!(rows.moved(0, 3), 96 * 2);
        assert_eq!(rows.moved(96 * 2, -3), 0);
        assert_eq!(rows.moved(0, 1000), 224 + 241);
    }

    #[test]
    fn runs_of_four_gigabytes_cost_nothing() {
        let huge = 4 << 30;
        let runs = [(Inserted, 16, 16, huge), (Changed, 3 * huge, 4 * huge, huge)];
        let aligned = Aligned::of(&document(5 * huge, 6 * huge, &runs));
        let rows = Rows { aligned: &aligned, bytes: 16, open: None };
        let place = aligned.place(Which::A, 3 * huge + 17);
        assert_eq!(place, Place { a: 3 * huge + 17, b: 4 * huge + 17 });
        let row = rows.at(place.number()).unwrap();
        assert_eq!((row.at.a, row.at.b, row.a_len), (3 * huge + 16, 4 * huge + 16, 16));
        assert_eq!(rows.before(&rows.before(&row).unwrap()).unwrap().at.a, 3 * huge - 16);
        assert_eq!(rows.at(16 + huge).unwrap().b_len, 16);
    }

    use super::super::aligned::Which;

    proptest! {
        /// Every byte of both files stands on one line, and the way back is the way forth.
        #[test]
        fn lines_hold_every_byte_once(
            steps in prop::collection::vec((0_u64..200, 0_u8..3, 1_u64..90), 0..12),
            rest in 0_u64..200,
            bytes in prop::sample::select(vec![1_u64, 4, 8, 16]),
            open in prop::option::of(0_u64..3000),
        ) {
            let (mut a, mut b) = (0, 0);
            let mut runs = Vec::new();
            for (gap, kind, len) in steps {
                (a, b) = (a + gap, b + gap);
                match kind {
                    0 => { runs.push((Changed, a, b, len)); a += len; b += len; }
                    1 => { runs.push((Inserted, b, a, len)); b += len; }
                    _ => { runs.push((Removed, a, b, len)); a += len; }
                }
            }
            let aligned = Aligned::of(&document(a + rest, b + rest, &runs));
            let rows = Rows { aligned: &aligned, bytes, open };
            let all: Vec<Row> = rows.from(0).collect();
            let mut reached = Place::default();
            for row in &all {
                prop_assert_eq!(row.at, reached);
                reached = row.end();
                prop_assert!(row.is_squeezed || row.column + row.a_len.max(row.b_len) <= bytes);
                for number in row.at.number()..row.end().number() {
                    prop_assert_eq!(rows.at(number), Some(*row));
                }
            }
            prop_assert_eq!(reached, aligned.end());
            for pair in all.windows(2) {
                prop_assert_eq!(rows.before(&pair[1]), Some(pair[0]));
            }
        }
    }
}
