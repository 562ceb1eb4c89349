//! A panel's frame with the tabs, its summary, its rows and its lower part; and lists of lines in general.

use super::fit::{Cut, fit};
use super::layout::{self, Screen};
use super::rows;
use super::text::Text;
use super::theme::{Role, Theme};
use crate::app::cursor::Cursor;
use crate::app::panel::{Focus, Panel};
use crate::app::state::State;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};
use ratatui::widgets::{Block, Clear};

/// Draws the chosen panel.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen, state: &State, theme: Theme) {
    if screen.panel.is_empty() {
        return;
    }
    let panel = state.panel();
    let focused = state.focus == Focus::Panel;
    let content = rows::of(panel);
    let total = content.count(state);
    frame.render_widget(border(focused, theme).title_bottom(corner(state.cursor(panel), total)), screen.panel);
    tabs(frame, screen, panel, theme);
    lines(frame, screen.summary, content.head(state, theme, usize::from(screen.summary.width)));
    if state.cursor(panel).count(total) == 0 {
        let why = if total == 0 { content.empty(state) } else { "no row holds that text".to_owned() };
        let mut text = Text::new(usize::from(screen.rows.width), theme);
        text.paragraph(&why, Role::Quiet);
        lines(frame, screen.rows, text.into_lines());
    } else {
        list(frame, screen.rows, state.cursor(panel), total, focused, theme, |row, cells| {
            content.row(state, row, theme, cells)
        });
    }
    if screen.detail.is_empty() {
        return;
    }
    let rule = "─".repeat(usize::from(screen.rule.width));
    lines(frame, screen.rule, vec![Line::from(theme.span(rule, Role::Frame))]);
    let size = (usize::from(screen.detail.width), usize::from(screen.detail.height));
    let lower = match state.cursor(panel).chosen(total) {
        Some(row) => content.lower(state, row, theme, size, state.detail_scroll),
        None => content.floor(state, theme, size).unwrap_or_default(),
    };
    lines(frame, screen.detail, lower);
}

/// The frame of something that has the focus or has not.
#[must_use]
pub fn border(focused: bool, theme: Theme) -> Block<'static> {
    let role = if focused { Role::Focused } else { Role::Frame };
    Block::bordered().border_style(theme.style(role))
}

/// What stands in a list's lower edge: the filter, and the place in the list.
#[must_use]
pub fn corner(cursor: &Cursor, total: usize) -> Line<'static> {
    let count = cursor.count(total);
    let text = match (cursor.query.is_empty(), count) {
        (true, 0 | 1) => return Line::default(),
        (true, count) => format!(" {} of {count} ", cursor.index + 1),
        (false, count) => format!(" /{}  {count} of {total} ", cursor.query),
    };
    Line::from(text).right_aligned()
}

fn tabs(frame: &mut Frame<'_>, screen: &Screen, chosen: Panel, theme: Theme) {
    let (words, _) = layout::tab_words(usize::from(screen.panel.width).saturating_sub(4), chosen);
    for ((area, panel), (word, _)) in screen.tabs.iter().zip(words) {
        let role = if *panel == chosen { Role::Heading } else { Role::Quiet };
        let (key, title) = word.split_at(word.find(' ').unwrap_or(word.len()));
        // Air beside the word, so that the edge does not touch it.
        let air = Rect { x: area.x.saturating_sub(1), width: area.width + 2, ..*area }.intersection(screen.panel);
        let air = Rect { width: air.width.min(screen.panel.right().saturating_sub(air.x + 1)), ..air };
        frame.render_widget(Clear, air);
        lines(
            frame,
            *area,
            vec![Line::from(vec![theme.span(key.to_owned(), Role::Key), theme.span(title.to_owned(), role)])],
        );
    }
}

/// Draws `content` from the top of `area`, a line a row; what does not fit is not drawn.
pub fn lines(frame: &mut Frame<'_>, area: Rect, content: Vec<Line<'_>>) {
    let area = area.intersection(frame.area());
    for (row, line) in area.rows().zip(content) {
        frame.render_widget(clipped(line, usize::from(row.width)), row);
    }
}

/// A line that is too long ends with an ellipsis.
fn clipped(mut line: Line<'_>, cells: usize) -> Line<'_> {
    if line.width() <= cells {
        return line;
    }
    let mut room = cells;
    let mut spans = Vec::with_capacity(line.spans.len());
    for span in line.spans {
        let wanted = span.width();
        // The last cell is for the ellipsis, also where a span ends just before it.
        if wanted >= room {
            let text = fit(&format!("{}……", span.content), room, Cut::End).into_owned();
            spans.push(Span::styled(text, span.style));
            break;
        }
        room -= wanted;
        spans.push(span);
    }
    line.spans = spans;
    line
}

/// Draws the visible rows of a list, the chosen one marked over its whole width.
pub fn list<'a>(
    frame: &mut Frame<'_>,
    area: Rect,
    cursor: &Cursor,
    total: usize,
    focused: bool,
    theme: Theme,
    row: impl Fn(usize, usize) -> Line<'a>,
) {
    let window = cursor.window(total, usize::from(area.height));
    for (line, position) in area.rows().zip(window) {
        let Some(index) = cursor.row(position) else { continue };
        let mut content = row(index, usize::from(line.width));
        if position == cursor.index {
            content = chosen(content, focused, theme);
            frame.buffer_mut().set_style(line, theme.style(if focused { Role::Chosen } else { Role::ChosenElsewhere }));
        }
        frame.render_widget(content, line);
    }
}

/// A chosen row loses its other styles: a reversed colour would be read as a meaning.
fn chosen<'a>(mut line: Line<'a>, focused: bool, theme: Theme) -> Line<'a> {
    if focused {
        line.style = theme.style(Role::Chosen);
        for span in &mut line.spans {
            span.style = Style::new();
        }
    }
    line
}
