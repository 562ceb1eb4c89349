//! A whole page over the screen: the chosen row in full, or a finding with its explanation.

use super::findings;
use super::frame::{border, lines};
use super::layout::{self, Screen, inside};
use super::rows::{self, PLAIN};
use super::text::{Text, plain};
use super::theme::{Role, Theme};
use super::{picture, reach, room};
use crate::app::fits::Face;
use crate::app::state::{Page, PageSource, State};
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use ratatui::widgets::Clear;

/// Cells that a page of plain text has, for the clipboard and the pager.
const PLAIN_WIDTH: usize = 100;

/// Draws the page.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen, state: &State, open: &Page, theme: Theme) {
    let area = screen.page();
    frame.render_widget(Clear, area);
    let inner = text_area(area);
    let content = content(state, open, theme, usize::from(inner.width));
    let total = content.len();
    let title = Line::from(theme.span(format!(" {} ", title(state, open)), Role::Heading));
    let mut block = border(true, theme).title_top(title);
    if total > usize::from(inner.height) {
        let last = (open.scroll + usize::from(inner.height)).min(total);
        block = block.title_bottom(Line::from(format!(" {last} of {total} ")).right_aligned());
    }
    frame.render_widget(block, area);
    lines(frame, inner, content.into_iter().skip(open.scroll).collect());
}

/// How many lines are shown at once, and how many the page has.
#[must_use]
pub fn extent(state: &State, open: &Page) -> (usize, usize) {
    let Some(screen) = layout::of(state) else { return (0, 0) };
    let inner = text_area(screen.page());
    (usize::from(inner.height), content(state, open, PLAIN, usize::from(inner.width)).len())
}

/// The page's lines, as they are wrapped on the screen.
#[must_use]
pub fn lines_of(state: &State, open: &Page) -> Vec<Line<'static>> {
    content(state, open, PLAIN, width(state))
}

/// The lines of the panel's lower part, as they are wrapped on the screen.
#[must_use]
pub fn detail_lines(state: &State) -> Vec<Line<'static>> {
    layout::of(state).map_or_else(Vec::new, |screen| chosen(state, PLAIN, usize::from(screen.detail.width)))
}

/// The page as plain text.
#[must_use]
pub fn text(state: &State, open: &Page) -> String {
    plain(&content(state, open, PLAIN, PLAIN_WIDTH))
}

/// The panel's chosen row in full, as plain text.
#[must_use]
pub fn chosen_text(state: &State) -> String {
    plain(&chosen(state, PLAIN, PLAIN_WIDTH))
}

/// The cells that a page's text has.
#[must_use]
pub fn width(state: &State) -> usize {
    layout::of(state).map_or(0, |screen| usize::from(text_area(screen.page()).width))
}

fn text_area(area: Rect) -> Rect {
    let inner = inside(area);
    let margin = if inner.width > 44 { 2 } else { 0 };
    Rect { x: inner.x + margin, width: inner.width.saturating_sub(2 * margin), ..inner }
}

fn title(state: &State, open: &Page) -> String {
    match &open.source {
        PageSource::Detail => state.panel().title().to_owned(),
        PageSource::Fit(page) => room::title(state, *page),
        PageSource::Reach { tag } => format!("what it takes to bear {tag}"),
        PageSource::Finding { index, .. } => {
            let finding = state.report().and_then(|report| report.findings.get(*index));
            finding.map_or_else(String::new, |finding| finding.code.clone())
        }
    }
}

fn content(state: &State, open: &Page, theme: Theme, cells: usize) -> Vec<Line<'static>> {
    match &open.source {
        PageSource::Detail => chosen(state, theme, cells),
        PageSource::Fit(page) if page.face == Face::Layout => picture::page(state, *page, theme, cells),
        PageSource::Fit(page) => room::page(state, *page, theme, cells),
        PageSource::Reach { tag } => reach::page(state, tag, theme, cells),
        PageSource::Finding { index, text: page } => {
            let mut text = Text::new(cells, theme);
            if let Some(finding) = state.report().and_then(|report| report.findings.get(*index)) {
                findings::about(&mut text, finding);
            }
            text.blank();
            text.page(page);
            text.into_lines()
        }
    }
}

fn chosen(state: &State, theme: Theme, cells: usize) -> Vec<Line<'static>> {
    let content = rows::of(state.panel());
    let row = state.chosen_row(content.count(state));
    row.map_or_else(Vec::new, |row| content.detail(state, row, theme, cells))
}
