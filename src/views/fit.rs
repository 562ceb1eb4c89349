//! Bringing text into a width that is counted in terminal cells: cutting at the end or in the middle, and wrapping.

use std::borrow::Cow;
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// The cells that `text` takes.
#[must_use]
pub fn width(text: &str) -> usize {
    text.width()
}

/// Where to cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// Keep the beginning.
    End,
    /// Keep both ends: the last part of a path says most.
    Middle,
}

/// `text` in at most `cells` cells, with an ellipsis where something was left out.
#[must_use]
pub fn fit(text: &str, cells: usize, cut: Cut) -> Cow<'_, str> {
    if width(text) <= cells {
        return Cow::Borrowed(text);
    }
    let Some(room) = cells.checked_sub(1) else { return Cow::Borrowed("") };
    match cut {
        Cut::End => Cow::Owned(format!("{}…", head(text, room))),
        Cut::Middle => {
            let front = head(text, room / 3);
            Cow::Owned(format!("{front}…{}", tail(text, room - width(front))))
        }
    }
}

/// The longest beginning of `text` that takes at most `cells` cells.
fn head(text: &str, cells: usize) -> &str {
    let mut used = 0;
    for (at, letter) in text.char_indices() {
        used += letter.width().unwrap_or(0);
        if used > cells {
            return text.get(..at).unwrap_or_default();
        }
    }
    text
}

/// The longest end of `text` that takes at most `cells` cells.
fn tail(text: &str, cells: usize) -> &str {
    let mut used = 0;
    for (at, letter) in text.char_indices().rev() {
        used += letter.width().unwrap_or(0);
        if used > cells {
            return text.get(at + letter.len_utf8()..).unwrap_or_default();
        }
    }
    text
}

/// `text` broken into lines of at most `cells` cells, at spaces where there are any. A word that is longer than a line
/// is broken where the line ends.
#[must_use]
pub fn wrap(text: &str, cells: usize) -> Vec<&str> {
    let cells = cells.max(1);
    let mut lines = Vec::new();
    for paragraph in text.lines() {
        wrap_paragraph(paragraph, cells, &mut lines);
    }
    lines
}

fn wrap_paragraph<'a>(paragraph: &'a str, cells: usize, lines: &mut Vec<&'a str>) {
    let mut rest = paragraph;
    while width(rest) > cells {
        let piece = head(rest, cells);
        let piece = if piece.is_empty() {
            // A character wider than the line: it goes alone, and the terminal cuts it.
            let length = rest.chars().next().map_or(rest.len(), char::len_utf8);
            rest.get(..length).unwrap_or(rest)
        } else {
            piece
        };
        let after = rest.get(piece.len()..).unwrap_or_default();
        let end = match piece.rfind(' ') {
            _ if after.starts_with(' ') => piece.len(),
            Some(space) if !piece.get(..space).unwrap_or_default().trim().is_empty() => space,
            _ => piece.len(),
        };
        lines.push(rest.get(..end).unwrap_or(rest).trim_end());
        rest = rest.get(end..).unwrap_or_default().trim_start();
    }
    if !rest.is_empty() || paragraph.is_empty() {
        lines.push(rest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_path_keeps_its_end_and_a_sentence_its_beginning() {
        assert_eq!(fit("/home/target/release/liblabext.so", 20, Cut::Middle), "/home/…/liblabext.so");
        assert_eq!(fit("the quick brown fox", 10, Cut::End), "the quick…");
        assert_eq!(fit("short", 5, Cut::End), "short");
        assert_eq!(fit("short", 0, Cut::Middle), "");
    }

    #[test]
    fn lines_break_at_spaces_and_long_words_anywhere() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("abcdefghij", 4), ["abcd", "efgh", "ij"]);
        assert_eq!(wrap("a\n\nb", 4), ["a", "", "b"]);
        assert_eq!(wrap("    code stays", 9), ["    code", "stays"]);
        assert_eq!(wrap("漢字", 1), ["漢", "字"]);
    }

    proptest! {
        #[test]
        fn what_is_fitted_fits(text in "\\PC{0,40}", cells in 0usize..30) {
            prop_assert!(width(&fit(&text, cells, Cut::End)) <= cells);
            prop_assert!(width(&fit(&text, cells, Cut::Middle)) <= cells);
        }

        #[test]
        fn wrapping_loses_only_spaces(text in "[a-z ]{0,60}", cells in 1usize..20) {
            let wrapped: String = wrap(&text, cells).concat();
            prop_assert_eq!(wrapped.replace(' ', ""), text.replace(' ', ""));
            prop_assert!(wrap(&text, cells).iter().all(|line| width(line) <= cells));
        }
    }
}
