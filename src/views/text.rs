//! Wrapped text for details and pages: headings, labelled values, paragraphs, lists.

use super::fit::{width, wrap};
use super::theme::{Role, Theme};
use ratatui::text::{Line, Span};

/// Cells that a label takes, with the space behind it.
const LABEL: usize = 14;

/// Lines that are being written, for a width in cells.
#[derive(Debug)]
pub struct Text {
    cells: usize,
    theme: Theme,
    lines: Vec<Line<'static>>,
}

impl Text {
    /// No lines yet.
    #[must_use]
    pub const fn new(cells: usize, theme: Theme) -> Self {
        Self { cells, theme, lines: Vec::new() }
    }

    /// What was written.
    #[must_use]
    pub fn into_lines(self) -> Vec<Line<'static>> {
        self.lines
    }

    /// An empty line, but never two together nor at the beginning.
    pub fn blank(&mut self) {
        if self.lines.last().is_some_and(|line| line.width() > 0) {
            self.lines.push(Line::default());
        }
    }

    /// A heading.
    pub fn heading(&mut self, text: &str) {
        self.paragraph(text, Role::Heading);
    }

    /// A wrapped paragraph.
    pub fn paragraph(&mut self, text: &str, role: Role) {
        for piece in wrap(text, self.cells) {
            self.lines.push(Line::from(self.theme.span(piece.to_owned(), role)));
        }
    }

    /// A label and its value; the value hangs. On a narrow screen the value goes below.
    pub fn labelled(&mut self, label: &str, value: &str, role: Role) {
        if self.cells < LABEL + 16 {
            self.paragraph(label, Role::Quiet);
            self.hanging("  ", value, role);
            return;
        }
        self.hanging_after(self.theme.span(format!("{label:<LABEL$}"), Role::Quiet), value, role);
    }

    /// A text behind a mark; its further lines hang below its first.
    pub fn hanging(&mut self, mark: &str, text: &str, role: Role) {
        self.hanging_after(self.theme.span(mark.to_owned(), Role::Quiet), text, role);
    }

    /// The same with the mark in a role of its own.
    pub fn marked(&mut self, mark: &str, mark_role: Role, text: &str, role: Role) {
        self.hanging_after(self.theme.span(mark.to_owned(), mark_role), text, role);
    }

    /// Texts in roles of their own behind each other, each on a line of its own where they don't fit on one.
    pub fn parts(&mut self, parts: &[(&str, Role)]) {
        let cells: usize = parts.iter().map(|(text, _)| width(text) + 3).sum();
        if cells > self.cells + 3 {
            for (text, role) in parts {
                self.paragraph(text, *role);
            }
            return;
        }
        let mut spans = Vec::with_capacity(parts.len() * 2);
        for (text, role) in parts {
            if !spans.is_empty() {
                spans.push(self.theme.span(" · ", Role::Quiet));
            }
            spans.push(self.theme.span((*text).to_owned(), *role));
        }
        self.lines.push(Line::from(spans));
    }

    fn hanging_after(&mut self, mark: Span<'static>, text: &str, role: Role) {
        let indent = width(&mark.content);
        let mut mark = Some(mark);
        for piece in wrap(text, self.cells.saturating_sub(indent)) {
            let first = mark.take().unwrap_or_else(|| Span::raw(" ".repeat(indent)));
            self.lines.push(Line::from(vec![first, self.theme.span(piece.to_owned(), role)]));
        }
    }

    /// A line made elsewhere.
    pub fn line(&mut self, line: Line<'static>) {
        self.lines.push(line);
    }

    /// A page in Markdown's plainest form: `#` headings, code, lists, paragraphs. A paragraph's lines are joined before
    /// they are wrapped anew; marks that say nothing are left out.
    pub fn page(&mut self, text: &str) {
        let mut code = false;
        let mut block = Block::default();
        for line in text.lines() {
            let trimmed = line.trim();
            if trimmed.starts_with("```") {
                self.flush(&mut block);
                code = !code;
            } else if code {
                self.hanging("    ", line, Role::Key);
            } else if let Some(heading) = line.strip_prefix('#') {
                self.flush(&mut block);
                self.blank();
                self.heading(heading.trim_start_matches('#').trim());
            } else if trimmed.is_empty() {
                self.flush(&mut block);
                self.blank();
            } else if let Some(item) = trimmed.strip_prefix("- ") {
                self.flush(&mut block);
                block = Block { item: true, text: item.to_owned() };
            } else if line.starts_with("    ") && block.text.is_empty() {
                self.hanging("    ", trimmed, Role::Key);
            } else {
                block.push(trimmed);
            }
        }
        self.flush(&mut block);
    }

    fn flush(&mut self, block: &mut Block) {
        let Block { item, text } = std::mem::take(block);
        if item {
            self.hanging("· ", &text, Role::Plain);
        } else if !text.is_empty() {
            self.paragraph(&text, Role::Plain);
        }
    }
}

/// A paragraph or a list item whose lines are still being gathered.
#[derive(Default)]
struct Block {
    item: bool,
    text: String,
}

impl Block {
    fn push(&mut self, line: &str) {
        if !self.text.is_empty() {
            self.text.push(' ');
        }
        self.text.push_str(line);
    }
}

/// The text of `lines` without styles, a line each.
#[must_use]
pub fn plain(lines: &[Line<'_>]) -> String {
    let mut text = String::new();
    for line in lines {
        for span in &line.spans {
            text.push_str(&span.content);
        }
        while text.ends_with(' ') {
            text.pop();
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture;

    #[test]
    fn labels_hang_and_pages_lose_their_marks() {
        let mut text = Text::new(40, Theme::new(fixture::POOR));
        text.labelled("path", "one two three four five six seven eight", Role::Plain);
        text.page("# Title\n\nA line\nand more.\n\n\n- item\n  goes on\n\n```sh\nldconfig\n```\n");
        assert_eq!(
            plain(&text.into_lines()),
            "path          one two three four five\n              six seven eight\n\n\
             Title\n\nA line and more.\n\n· item goes on\n\n    ldconfig\n"
        );
    }
}
