//! Bytes of two files side by side, by lines that are asked for by number.

use super::theme::{Role, Theme};
use crate::app::state::HexWindow;
use ratatui::text::{Line, Span};

/// How bytes are laid out in a width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Bytes of each file on a line.
    pub bytes: usize,
    /// Whether the characters stand beside the hex digits.
    pub letters: bool,
}

impl Form {
    /// The widest form that fits into `cells`: an offset, and for each file three cells a byte, one more with letters.
    #[must_use]
    pub const fn for_width(cells: usize) -> Self {
        match cells {
            142.. => Self { bytes: 16, letters: true },
            78..142 => Self { bytes: 8, letters: true },
            60..78 => Self { bytes: 8, letters: false },
            46..60 => Self { bytes: 4, letters: true },
            _ => Self { bytes: 4, letters: false },
        }
    }

    /// The cells that one file's column takes.
    const fn column(self) -> usize {
        self.bytes * 3 + if self.letters { self.bytes + 1 } else { 0 }
    }
}

/// The line that says which column is which.
#[must_use]
pub fn title(form: Form, theme: Theme) -> Line<'static> {
    let column = form.column();
    Line::from(theme.span(format!("{:<8}  {:<column$}  {}", "offset", "clean", "staged"), Role::Quiet))
}

/// The line whose first byte has the offset `at`; bytes outside of the window are blank.
#[must_use]
pub fn line(window: &HexWindow, at: u64, form: Form, theme: Theme) -> Line<'static> {
    let byte = |bytes: &[u8], place: usize| -> Option<u8> {
        let index = at.checked_add(place as u64)?.checked_sub(window.offset)?;
        bytes.get(usize::try_from(index).ok()?).copied()
    };
    let mut spans = vec![theme.span(format!("{at:08x}"), Role::Quiet)];
    for (mine, other) in [(&window.clean, &window.staged), (&window.staged, &window.clean)] {
        spans.push(Span::raw("  "));
        for place in 0..form.bytes {
            let (here, there) = (byte(mine, place), byte(other, place));
            spans.push(
                theme.span(here.map_or_else(|| "   ".to_owned(), |byte| format!("{byte:02x} ")), role(here, there)),
            );
        }
        if form.letters {
            spans.push(Span::raw(" "));
            for place in 0..form.bytes {
                let (here, there) = (byte(mine, place), byte(other, place));
                spans.push(theme.span(here.map_or(' ', letter).to_string(), role(here, there)));
            }
        }
    }
    Line::from(spans)
}

const fn role(here: Option<u8>, there: Option<u8>) -> Role {
    match (here, there) {
        (Some(here), Some(there)) if here == there => Role::Plain,
        (None, _) => Role::Plain,
        _ => Role::Changed,
    }
}

const fn letter(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' { byte as char } else { '·' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture;
    use crate::views::text::plain;

    #[test]
    fn every_form_fits_the_width_that_asks_for_it() {
        let window = HexWindow { offset: 0, clean: vec![0x41; 64], staged: vec![0x42; 64] };
        for cells in 36..200 {
            let form = Form::for_width(cells);
            let width = line(&window, 0, form, Theme::new(fixture::RICH)).width();
            assert!(width <= cells, "{width} in {cells}");
        }
    }

    #[test]
    fn bytes_behind_the_end_of_the_shorter_file_are_blank_and_the_longer_ones_are_marked() {
        let window = HexWindow { offset: 0x2000, clean: vec![0x41, 0x42], staged: vec![0x41, 0x43, 0x0a] };
        let theme = Theme::new(fixture::RICH);
        let line = line(&window, 0x2000, Form { bytes: 4, letters: true }, theme);
        assert_eq!(plain(std::slice::from_ref(&line)), "00002000  41 42        AB    41 43 0a     AC·\n");
        let marked = line.spans.iter().filter(|span| span.style == theme.style(Role::Changed)).count();
        assert_eq!(marked, 6, "two bytes and two letters differ on the right, one of each on the left");
    }
}
