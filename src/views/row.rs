//! One line of a table: cells of fixed or flexible width, cut where they don't fit, never wider than the line.

use super::fit::{Cut, fit, width};
use super::theme::{Role, Theme};
use ratatui::text::{Line, Span};
use std::borrow::Cow;

/// How much of the line a cell gets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Share {
    /// As many cells.
    Fixed(usize),
    /// A part of what is left.
    Rest(usize),
}

/// One cell of a row.
#[derive(Debug)]
pub struct Cell<'a> {
    text: Cow<'a, str>,
    role: Role,
    share: Share,
    cut: Cut,
    right: bool,
}

impl<'a> Cell<'a> {
    /// A cell of `cells` cells.
    pub fn fixed(text: impl Into<Cow<'a, str>>, role: Role, cells: usize) -> Self {
        Self { text: text.into(), role, share: Share::Fixed(cells), cut: Cut::End, right: false }
    }

    /// A cell that shares what the fixed ones leave, by weight.
    pub fn rest(text: impl Into<Cow<'a, str>>, role: Role, weight: usize) -> Self {
        Self { text: text.into(), role, share: Share::Rest(weight), cut: Cut::End, right: false }
    }

    /// The same, cut in the middle: for paths.
    #[must_use]
    pub fn path(mut self) -> Self {
        self.cut = Cut::Middle;
        self
    }

    /// The same in as many cells.
    #[must_use]
    pub fn within(mut self, cells: usize) -> Self {
        self.share = Share::Fixed(cells);
        self
    }

    /// The same, set to the right.
    #[must_use]
    pub fn right(mut self) -> Self {
        self.right = true;
        self
    }
}

/// The spaces between two cells.
const GAP: usize = 2;

/// How many of `cells` each part gets; the parts and the gaps between them never take more.
#[must_use]
pub fn rooms(parts: &[Cell<'_>], cells: usize) -> Vec<usize> {
    let gaps = parts.len().saturating_sub(1) * GAP;
    let fixed: usize = parts.iter().map(|part| if let Share::Fixed(cells) = part.share { cells } else { 0 }).sum();
    let mut weight: usize =
        parts.iter().map(|part| if let Share::Rest(weight) = part.share { weight } else { 0 }).sum();
    let mut left = cells.saturating_sub(gaps + fixed);
    let mut used = 0;
    let mut rooms = Vec::with_capacity(parts.len());
    for (place, part) in parts.iter().enumerate() {
        used += if place > 0 { GAP } else { 0 };
        let wanted = match part.share {
            Share::Fixed(cells) => cells,
            Share::Rest(share) => {
                let room = left * share / weight.max(1);
                left -= room;
                weight -= share;
                room
            }
        };
        let room = wanted.min(cells.saturating_sub(used));
        used += room;
        rooms.push(room);
    }
    rooms
}

/// The cells side by side in `cells` cells.
#[must_use]
pub fn line<'a>(parts: Vec<Cell<'a>>, cells: usize, theme: Theme) -> Line<'a> {
    let rooms = rooms(&parts, cells);
    let mut spans: Vec<Span<'a>> = Vec::with_capacity(parts.len() * 3);
    let mut used = 0;
    for (part, room) in parts.into_iter().zip(rooms) {
        if !spans.is_empty() {
            let gap = GAP.min(cells - used);
            spans.push(Span::raw(" ".repeat(gap)));
            used += gap;
        }
        used += room;
        let cut = match fit(&part.text, room, part.cut) {
            Cow::Borrowed(_) => None,
            Cow::Owned(cut) => Some(cut),
        };
        let text = cut.map_or(if room == 0 { Cow::Borrowed("") } else { part.text }, Cow::Owned);
        let padding = Span::raw(" ".repeat(room - width(&text).min(room)));
        let text = theme.span(text, part.role);
        if part.right { spans.extend([padding, text]) } else { spans.extend([text, padding]) }
    }
    Line::from(spans)
}

/// Two texts at the ends of a line; the left one gives way, in its middle.
#[must_use]
pub fn ends(left: (Cow<'_, str>, Role), right: (Cow<'_, str>, Role), cells: usize, theme: Theme) -> Line<'static> {
    let right_width = width(&right.0).min(cells);
    let room = cells.saturating_sub(right_width + usize::from(right_width > 0));
    let left_text = fit(&left.0, room, Cut::Middle).into_owned();
    let space = " ".repeat(cells.saturating_sub(width(&left_text) + right_width));
    let right_text = fit(&right.0, right_width, Cut::End).into_owned();
    Line::from(vec![theme.span(left_text, left.1), Span::raw(space), theme.span(right_text, right.1)])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::features::TerminalFeatures;

    const THEME: Theme = Theme::new(TerminalFeatures { color: false, unicode: true });

    #[test]
    fn cells_fill_the_line_exactly() {
        for cells in 0..60 {
            let parts = vec![
                Cell::rest("libgreet.so.1", Role::Plain, 2),
                Cell::fixed("external", Role::Plain, 9),
                Cell::rest("/opt/lab/lib/libgreet.so.1", Role::Plain, 3).path(),
            ];
            let line = line(parts, cells, THEME);
            assert!(line.width() <= cells, "{cells}: {}", line.width());
            if cells > 20 {
                assert_eq!(line.width(), cells);
            }
        }
    }
}
