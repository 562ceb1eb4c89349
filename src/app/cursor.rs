//! A place in a long list: the chosen row, the first visible row, and a filter. It knows no content.

use std::ops::Range;

/// How far to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Motion {
    /// One row up.
    Up,
    /// One row down.
    Down,
    /// One screenful up.
    PageUp,
    /// One screenful down.
    PageDown,
    /// To the first row.
    Home,
    /// To the last row.
    End,
}

/// A place in a list of which only some rows may be shown.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursor {
    /// The chosen row, counted among the shown ones.
    pub index: usize,
    /// The first visible row, counted among the shown ones.
    pub top: usize,
    /// What the rows are filtered by; empty for all.
    pub query: String,
    /// The rows that match, ascending; `None` without a filter.
    pub shown: Option<Vec<usize>>,
}

impl Cursor {
    /// How many of `total` rows are shown.
    #[must_use]
    pub fn count(&self, total: usize) -> usize {
        self.shown.as_ref().map_or(total, Vec::len)
    }

    /// The row of the whole list that stands at `position` among the shown ones.
    #[must_use]
    pub fn row(&self, position: usize) -> Option<usize> {
        match &self.shown {
            Some(shown) => shown.get(position).copied(),
            None => Some(position),
        }
    }

    /// The chosen row of the whole list, of `total`.
    #[must_use]
    pub fn chosen(&self, total: usize) -> Option<usize> {
        self.row(self.index).filter(|&row| row < total)
    }

    /// The positions that a window of `height` rows shows.
    #[must_use]
    pub fn window(&self, total: usize, height: usize) -> Range<usize> {
        let count = self.count(total);
        let start = self.top.min(count);
        start..start.saturating_add(height).min(count)
    }

    /// Moves the chosen row and keeps it within a window of `height` rows.
    pub fn go(&mut self, motion: Motion, total: usize, height: usize) {
        let page = height.max(2) - 1;
        self.index = match motion {
            Motion::Up => self.index.saturating_sub(1),
            Motion::Down => self.index.saturating_add(1),
            Motion::PageUp => self.index.saturating_sub(page),
            Motion::PageDown => self.index.saturating_add(page),
            Motion::Home => 0,
            Motion::End => usize::MAX,
        };
        self.settle(total, height);
    }

    /// Brings the chosen row and the window back into a list that has `total` rows now.
    pub fn settle(&mut self, total: usize, height: usize) {
        let count = self.count(total);
        self.index = self.index.min(count.saturating_sub(1));
        let height = height.max(1);
        let lowest = self.index.saturating_sub(height - 1);
        self.top = self.top.clamp(lowest, self.index).min(count.saturating_sub(height));
    }

    /// Chooses `row` of the whole list, if it is shown.
    pub fn choose(&mut self, row: usize, total: usize, height: usize) {
        let position = match &self.shown {
            Some(shown) => shown.binary_search(&row).ok(),
            None => Some(row),
        };
        if let Some(position) = position {
            self.index = position;
        }
        self.settle(total, height);
    }

    /// Goes back to the first row and keeps the filter's text.
    pub fn reset(&mut self) {
        self.index = 0;
        self.top = 0;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_chosen_row_never_leaves_the_window() {
        let mut cursor = Cursor::default();
        for motion in [Motion::Down, Motion::PageDown, Motion::PageDown, Motion::Up, Motion::End, Motion::PageUp] {
            cursor.go(motion, 50, 7);
            assert!(cursor.window(50, 7).contains(&cursor.index), "{motion:?}: {cursor:?}");
        }
        cursor.go(Motion::End, 50, 7);
        assert_eq!((cursor.index, cursor.top), (49, 43));
        cursor.go(Motion::Home, 50, 7);
        assert_eq!((cursor.index, cursor.top), (0, 0));
    }

    #[test]
    fn a_list_that_shrinks_takes_its_cursor_along() {
        let mut cursor = Cursor { index: 40, top: 38, ..Cursor::default() };
        cursor.settle(5, 10);
        assert_eq!((cursor.index, cursor.top), (4, 0));
        cursor.settle(0, 10);
        assert_eq!((cursor.index, cursor.window(0, 10), cursor.chosen(0)), (0, 0..0, None));
    }

    #[test]
    fn a_filter_counts_only_what_it_shows() {
        let mut cursor = Cursor { shown: Some(vec![3, 8, 20]), ..Cursor::default() };
        cursor.go(Motion::End, 30, 10);
        assert_eq!((cursor.index, cursor.chosen(30)), (2, Some(20)));
        cursor.choose(8, 30, 10);
        assert_eq!(cursor.chosen(30), Some(8));
        cursor.choose(9, 30, 10);
        assert_eq!(cursor.chosen(30), Some(8), "a hidden row can't be chosen");
    }
}
