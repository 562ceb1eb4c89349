//! Bytes of two files side by side, each at its own offset, by the lines that the comparison gives.

use super::fit::width;
use super::theme::{Role, Theme};
use crate::app::bytes::name;
use crate::app::compared::Compared;
use crate::engine::compare::{Place, Row, Which};
use memchr::memmem;
use ratatui::text::{Line, Span};

/// How bytes are laid out in a width.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Form {
    /// Bytes of each file on a line.
    pub bytes: usize,
    /// Whether the characters stand beside the hex digits.
    pub letters: bool,
    /// Digits of an offset.
    pub digits: usize,
}

/// Bytes on a line, with characters or without, the best first.
const FORMS: [(usize, bool); 7] = [(16, true), (8, true), (8, false), (4, true), (4, false), (2, true), (2, false)];
/// Between the two files stands a sign, with a blank on both sides.
const BETWEEN: usize = 3;

impl Form {
    /// The best form that fits into `cells`, for two files of these sizes.
    #[must_use]
    pub fn for_width(cells: usize, compared: &Compared) -> Self {
        let end = compared.aligned.end();
        let digits = format!("{:x}", end.a.max(end.b)).len().max(4);
        let forms = FORMS.map(|(bytes, letters)| Self { bytes, letters, digits });
        let fits = |form: &Self| form.column() * 2 + BETWEEN <= cells;
        let [.., smallest] = forms;
        forms.into_iter().find(fits).unwrap_or(smallest)
    }

    /// The cells that one file's column takes.
    const fn column(self) -> usize {
        self.digits + self.bytes * 3 + if self.letters { 1 + self.bytes } else { 0 }
    }
}

/// The line that says which column is which.
#[must_use]
pub fn title(form: Form, theme: Theme) -> Line<'static> {
    let column = form.column();
    let (a, b) = (name(Which::A), name(Which::B));
    Line::from(theme.span(format!("{a:<column$}   {b}"), Role::Quiet))
}

/// One line of both files; bytes that were not read yet are dots.
#[must_use]
pub fn line(compared: &Compared, row: &Row, form: Form, theme: Theme) -> Line<'static> {
    if row.is_squeezed {
        return squeezed(compared, row, form, theme);
    }
    let byte = |which: Which, into: u64| compared.bytes.byte(which, row.at.of(which).saturating_add(into));
    let differs = |into: u64| {
        let pair = byte(Which::A, into).zip(byte(Which::B, into));
        pair.is_some_and(|(ours, theirs)| ours != theirs)
    };
    let (sign, own_role) = match (row.a_len, row.b_len) {
        (0, _) => ("+", Some(Role::Good)),
        (_, 0) => ("-", Some(Role::Bad)),
        (len, _) if (0..len).any(differs) => ("≠", None),
        _ if is_open(compared, row) => ("▸", Some(Role::Next)),
        _ => ("│", None),
    };
    let (own_role, sign_role) = match own_role {
        Some(Role::Next) => (None, Role::Next),
        Some(role) => (Some(role), role),
        None if sign == "≠" => (None, Role::Changed),
        None => (None, Role::Frame),
    };
    let mut spans = Vec::new();
    for (which, len) in [(Which::A, row.a_len), (Which::B, row.b_len)] {
        let start = row.at.of(which);
        let marked = marked(compared, which, start, len);
        let offset = if len > 0 { format!("{start:0digits$x}", digits = form.digits) } else { " ".repeat(form.digits) };
        spans.push(theme.span(offset, Role::Quiet));
        let cells: Vec<Option<(Option<u8>, Role)>> = (0..form.bytes as u64)
            .map(|column| {
                let into = column.checked_sub(row.column).filter(|into| *into < len)?;
                let role = match (byte(which, into), own_role) {
                    (None, _) => Role::Quiet,
                    _ if marked.get(into as usize).copied().unwrap_or_default() => Role::Chosen,
                    (_, Some(role)) => role,
                    _ if differs(into) => Role::Changed,
                    _ => Role::Plain,
                };
                Some((byte(which, into), role))
            })
            .collect();
        for cell in &cells {
            spans.push(Span::raw(" "));
            spans.push(match cell {
                None => Span::raw("  "),
                Some((None, role)) => theme.span("··", *role),
                Some((Some(byte), role)) => theme.span(format!("{byte:02x}"), *role),
            });
        }
        if form.letters {
            spans.push(Span::raw(" "));
            spans.extend(cells.iter().map(|cell| match cell {
                Some((Some(byte), role)) => theme.span(letter(*byte).to_string(), *role),
                _ => Span::raw(" "),
            }));
        }
        if which == Which::A {
            spans.push(theme.span(format!(" {sign} "), sign_role));
        }
    }
    Line::from(spans)
}

/// Whether the place that the user went to is on the line.
fn is_open(compared: &Compared, row: &Row) -> bool {
    let open = compared.open.map(Place::number);
    open.is_some_and(|open| (row.at.number()..row.end().number()).contains(&open))
}

/// The line that stands for a stretch in which nothing is known to differ.
fn squeezed(compared: &Compared, row: &Row, form: Form, theme: Theme) -> Line<'static> {
    let unlisted = compared.diff.as_ref().is_some_and(|diff| diff.runs_total > diff.runs.len() as u64);
    let what = match (compared.is_complete(), unlisted) {
        (true, false) => "equal bytes",
        (true, true) => "bytes without a listed range",
        (false, _) => "bytes, not known to differ yet",
    };
    let text = format!("… {:#x} {what} …", row.a_len);
    let room = form.column() * 2 + BETWEEN;
    let before = " ".repeat(room.saturating_sub(width(&text)) / 2);
    Line::from(vec![Span::raw(before), theme.span(text, Role::Quiet)])
}

/// Which of `len` bytes from `start` on belong to what was searched for.
fn marked(compared: &Compared, which: Which, start: u64, len: u64) -> Vec<bool> {
    let mut marked = vec![false; usize::try_from(len).unwrap_or_default()];
    let Some(sought) = compared.sought.as_ref().filter(|sought| sought.which.is_none_or(|only| only == which)) else {
        return marked;
    };
    let reach = sought.needle.len() as u64 - u64::from(!sought.needle.is_empty());
    let from = start.saturating_sub(reach);
    let all = from..start.saturating_add(len).saturating_add(reach);
    // Beyond what was read no match is known, and there is none with a byte that was not.
    let bytes: Vec<u8> = all.map(|offset| compared.bytes.byte(which, offset).unwrap_or_default()).collect();
    for at in memmem::find_iter(&bytes, &sought.needle) {
        for place in at..at + sought.needle.len() {
            let into = (from + place as u64).checked_sub(start).and_then(|into| usize::try_from(into).ok());
            if let Some(mark) = into.and_then(|into| marked.get_mut(into)) {
                *mark = true;
            }
        }
    }
    marked
}

const fn letter(byte: u8) -> char {
    if byte.is_ascii_graphic() || byte == b' ' { byte as char } else { '·' }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::compared::Sought;
    use crate::app::fixture;
    use crate::views::text::plain;

    fn lines(compared: &Compared, form: Form, theme: Theme) -> Vec<Line<'static>> {
        compared.rows(form.bytes as u64).from(0).take(60).map(|row| line(compared, &row, form, theme)).collect()
    }

    #[test]
    fn every_form_fits_the_width_that_asks_for_it() {
        let compared = fixture::compared(0);
        for cells in 25..200 {
            let form = Form::for_width(cells, &compared);
            for line in lines(&compared, form, Theme::new(fixture::RICH)) {
                assert!(line.width() <= cells, "{} in {cells}: {}", line.width(), plain(&[line]));
            }
        }
    }

    #[test]
    fn changed_removed_and_inserted_bytes_stand_where_they_belong() {
        let compared = fixture::compared(0);
        let form = Form { bytes: 4, letters: true, digits: 5 };
        let theme = Theme::new(fixture::RICH);
        let text = plain(&lines(&compared, form, theme));
        for fact in
            ["00028 18 1f 26 2d ··&- ≠ 00028 77 68 65 65 whee", "… 0x208 equal bytes …", "00a00 00 07 0e 15 ···· -"]
        {
            assert!(text.contains(fact), "{fact:?} in\n{text}");
        }
        let changed = &lines(&compared, form, theme)[1];
        let marked = changed.spans.iter().filter(|span| span.style == theme.style(Role::Changed)).count();
        assert_eq!(marked, 0, "the second line is one of the equal ones");
    }

    #[test]
    fn what_was_searched_for_is_marked_over_the_edge_of_a_line() {
        let mut compared = fixture::compared(0);
        let theme = Theme::new(fixture::RICH);
        let form = Form { bytes: 4, letters: false, digits: 5 };
        let marks = |compared: &Compared| -> usize {
            let lines = lines(compared, form, theme);
            lines.iter().flat_map(|line| &line.spans).filter(|span| span.style == theme.style(Role::Chosen)).count()
        };
        assert_eq!(marks(&compared), 0);
        let needle = b"eelw".to_vec();
        compared.sought = Some(Sought { text: "eelw".into(), needle, which: None, at: None });
        assert_eq!(marks(&compared), 4, "in the staged file only");
    }
}
