//! The pairs of an alignment while they are found: in order, none empty, those that touch joined.

use crate::engine::compare::alignment::Pair;

/// Pairs in the order of both files.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pairs {
    list: Vec<Pair>,
}

impl Pairs {
    /// Adds `pair`, which begins behind the last in both files. One that doesn't is left out, so that the order holds whatever
    /// a damaged file says.
    pub fn push(&mut self, pair: Pair) {
        let (free_a, free_b) = self.list.last().map_or((0, 0), |last| (last.a + last.len, last.b + last.len));
        let fits = pair.a.checked_add(pair.len).is_some() && pair.b.checked_add(pair.len).is_some();
        if pair.len == 0 || !fits || pair.a < free_a || pair.b < free_b {
            return;
        }
        match self.list.last_mut() {
            Some(last) if (pair.a, pair.b) == (free_a, free_b) => last.len += pair.len,
            _ => self.list.push(pair),
        }
    }

    /// The pairs.
    #[must_use]
    pub fn into_list(self) -> Vec<Pair> {
        self.list
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pairs_that_touch_are_one_and_none_stands_on_another() {
        let mut pairs = Pairs::default();
        for (a, b, len) in [(0, 4, 3), (3, 7, 2), (4, 20, 1), (5, 9, 0), (6, 9, u64::MAX), (6, 9, 1)] {
            pairs.push(Pair { a, b, len });
        }
        assert_eq!(pairs.into_list(), [Pair { a: 0, b: 4, len: 5 }, Pair { a: 6, b: 9, len: 1 }]);
    }
}
