//! The page on a layout before and after an edit: segments as boxes, sections in them, side by side where there is room.
//! The lines are not to scale, but in order; what became of a part stands before it as a word.

use super::fit::{Cut, fit as cut, width};
use super::room;
use super::text::Text;
use super::theme::{Role, Theme};
use super::words::{self, bytes, counted, grouped};
use crate::app::fits::FitPage;
use crate::app::state::State;
use crate::engine::report::fit::Fit;
use crate::engine::report::picture::{Block, Change, Kind, Order, Picture, Stripe};
use ratatui::text::{Line, Span};

/// From this width on, before and after stand side by side.
const TWO_COLUMNS: usize = 64;
/// Cells between the columns.
const BETWEEN: usize = 2;
/// Cells of the widest word for what became of a part.
const WORD: usize = 6;
/// Cells of a size.
const SIZE: usize = 8;
/// From this many bytes on, a gap is marked as a break in the picture.
const HUGE: u64 = 64 * 1024;

/// The page's lines.
#[must_use]
pub fn page(state: &State, page: FitPage, theme: Theme, cells: usize) -> Vec<Line<'static>> {
    let mut text = Text::new(cells, theme);
    let Some((_, fit)) = room::head(&mut text, state, page) else { return text.into_lines() };
    room::way(&mut text, fit);
    let picture = &state.picture;
    legend(&mut text, picture, theme);
    text.blank();
    let places = places(picture);
    if cells >= TWO_COLUMNS {
        side_by_side(&mut text, (fit, picture), places, cells, theme);
    } else {
        one_column(&mut text, picture, places, cells, theme);
    }
    headers(&mut text, picture, cells);
    text.into_lines()
}

fn legend(text: &mut Text, picture: &Picture, theme: Theme) {
    let order = match picture.order {
        Order::Offset => "by places in the file",
        Order::Address => "by addresses in memory",
    };
    let relro = picture.stripes.iter().flat_map(|stripe| [&stripe.before, &stripe.after]).flatten();
    let mut spans = vec![theme.span(order, Role::Quiet)];
    if relro.into_iter().any(|block| block.relro) {
        spans.push(theme.span(" · ", Role::Quiet));
        spans.push(theme.span("┃", Role::Good));
        spans.push(theme.span(" RELRO", Role::Quiet));
    }
    if picture.stripes.iter().any(|stripe| stripe.after.as_ref().is_some_and(|block| block.change == Change::Shifted)) {
        spans.push(theme.span(" · higher: behind what was inserted", Role::Quiet));
    }
    text.line(Line::from(spans));
}

/// Cells of the longest place.
fn places(picture: &Picture) -> usize {
    let blocks = picture.stripes.iter().flat_map(|stripe| [&stripe.before, &stripe.after]).flatten();
    let highest = blocks.filter_map(|block| block.at).max().unwrap_or(0);
    format!("{highest:#x}").len()
}

/// How one column is drawn.
#[derive(Clone, Copy)]
struct Column {
    cells: usize,
    places: usize,
    theme: Theme,
}

/// Whether a column's last line was within a segment.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Inside {
    Nothing,
    Segment,
}

fn side_by_side(text: &mut Text, (fit, picture): (&Fit, &Picture), places: usize, cells: usize, theme: Theme) {
    let half = (cells - BETWEEN) / 2;
    let column = Column { cells: half, places, theme };
    let heads = [("before", fit.before.size), ("after", fit.after.size)];
    let titles = heads.map(|(word, size)| format!("{word}, {} bytes", grouped(size)));
    let mut spans = Vec::new();
    for title in &titles {
        spans.push(theme.span(format!("{:<half$}", cut(title, half, Cut::End)), Role::Heading));
        spans.push(Span::raw(" ".repeat(BETWEEN)));
    }
    text.line(Line::from(spans));
    let mut inside = [Inside::Nothing; 2];
    for stripe in &picture.stripes {
        let mut spans = Vec::new();
        for (block, inside) in [&stripe.before, &stripe.after].into_iter().zip(&mut inside) {
            if !spans.is_empty() {
                spans.push(Span::raw(" ".repeat(BETWEEN)));
            }
            column.draw(block.as_ref(), inside, &mut spans);
        }
        text.line(Line::from(spans));
    }
}

impl Column {
    /// One line of the column, as many cells wide as it is.
    fn draw(self, block: Option<&Block>, inside: &mut Inside, spans: &mut Vec<Span<'static>>) {
        let Some(block) = block else {
            let edge = if *inside == Inside::Segment { "│" } else { " " };
            spans.push(self.theme.span(format!("{edge:<0$}", self.cells), Role::Frame));
            return;
        };
        let edge = match (block.kind, *inside) {
            (Kind::Segment, Inside::Nothing) => "┌",
            (Kind::Segment, Inside::Segment) => "├",
            (Kind::Apart | Kind::Between | Kind::End, Inside::Segment) => "└",
            (Kind::Apart | Kind::Between | Kind::End, Inside::Nothing) => " ",
            (_, Inside::Segment) => "│",
            (_, Inside::Nothing) => " ",
        };
        *inside = match (block.kind, *inside) {
            (Kind::Segment, _) => Inside::Segment,
            (Kind::Apart | Kind::Between | Kind::End, _) => Inside::Nothing,
            (_, before) => before,
        };
        spans.push(self.theme.span(edge, Role::Frame));
        spans.push(self.theme.span(if block.relro { "┃" } else { " " }, Role::Good));
        let (word, role) = word(block);
        spans.push(self.theme.span(format!("{word:<WORD$} "), role));
        let at = block.at.map(|at| format!("{at:#x}")).unwrap_or_default();
        spans.push(self.theme.span(format!("{at:<0$} ", self.places), Role::Quiet));
        let rest = self.cells.saturating_sub(2 + WORD + 1 + self.places + 1);
        self.name_and_size(block, rest, spans);
    }

    fn name_and_size(self, block: &Block, cells: usize, spans: &mut Vec<Span<'static>>) {
        let size = size(block);
        let room = cells.saturating_sub(SIZE);
        let (name, role) = name(block, room.saturating_sub(1));
        let name = cut(&name, room, Cut::End).into_owned();
        let fill = match block.kind {
            Kind::Segment => "─",
            Kind::Between | Kind::Unused if block.size >= HUGE => "·",
            _ => " ",
        };
        let blank = room.saturating_sub(width(&name) + 1);
        spans.push(self.theme.span(name, role));
        spans.push(self.theme.span(format!(" {}", fill.repeat(blank)), Role::Frame));
        spans.push(self.theme.span(format!("{size:>SIZE$}"), Role::Quiet));
    }
}

/// What became of a block, where that is worth a word.
fn word(block: &Block) -> (&'static str, Role) {
    match block.kind {
        Kind::Inserted => ("new", Role::Good),
        Kind::Unused | Kind::Between | Kind::Apart => ("", Role::Quiet),
        _ => words::change(block.change),
    }
}

fn size(block: &Block) -> String {
    match block.kind {
        Kind::End => String::new(),
        Kind::Apart if block.size == 0 => String::new(),
        _ => bytes(block.size),
    }
}

/// What a block is called in `cells` cells.
fn name(block: &Block, cells: usize) -> (String, Role) {
    let quiet = matches!(block.change, Change::Same | Change::Shifted);
    let role = if quiet { Role::Quiet } else { Role::Strong };
    match block.kind {
        Kind::Segment => (format!("{} {}", block.name, block.flags), Role::Strong),
        Kind::Header => (format!("{} {}", block.name, block.flags), role),
        Kind::Section | Kind::Table => (block.name.clone(), role),
        Kind::Apart => ("not loaded".to_owned(), Role::Strong),
        Kind::Unused | Kind::Between => ("unused".to_owned(), Role::Quiet),
        Kind::Inserted => (inserted(block.size).to_owned(), Role::Strong),
        Kind::End => ("end of file".to_owned(), role),
        Kind::Folded(count) => {
            let short = counted(count, "part", "parts");
            let long = format!("{short}: {}", block.name);
            (if width(&long) <= cells { long } else { short }, Role::Quiet)
        }
    }
}

/// Inserted zeros are whole pages.
const fn inserted(size: u64) -> &'static str {
    if matches!(size, 0x1000 | 0x4000 | 0x1_0000) { "page inserted" } else { "pages inserted" }
}

/// Every part once: where it is now; what left a place is said there too.
fn one_column(text: &mut Text, picture: &Picture, places: usize, cells: usize, theme: Theme) {
    let column = Column { cells, places, theme };
    let mut inside = Inside::Nothing;
    for stripe in &picture.stripes {
        let left = match (&stripe.before, &stripe.after) {
            (Some(before), None) => Some(before),
            (Some(before), Some(after)) if before.name != after.name || before.kind != after.kind => Some(before),
            _ => None,
        };
        let left = left.filter(|block| !matches!(block.kind, Kind::Unused | Kind::Between)).map(left_here);
        for block in left.iter().chain(&stripe.after) {
            let mut spans = Vec::new();
            column.draw(Some(block), &mut inside, &mut spans);
            text.line(Line::from(spans));
        }
    }
}

/// What stood here before.
fn left_here(block: &Block) -> Block {
    Block { name: format!("was {}", block.name), ..block.clone() }
}

fn headers(text: &mut Text, picture: &Picture, cells: usize) {
    if picture.headers.is_empty() {
        return;
    }
    text.blank();
    text.heading("other program headers");
    for stripe in &picture.headers {
        header(text, stripe, cells);
    }
    let rest = counted(picture.headers_unchanged, "other is as it was", "others are as they were");
    text.paragraph(&rest, Role::Quiet);
}

fn header(text: &mut Text, stripe: &Stripe, cells: usize) {
    let Some(block) = stripe.after.as_ref().or(stripe.before.as_ref()) else { return };
    let (word, role) = words::change(block.change);
    let place = |block: &Block| format!("{:#x}, {}", block.at.unwrap_or(0), bytes(block.size));
    let places = match (&stripe.before, &stripe.after) {
        (Some(before), Some(after)) => format!("{} → {}", place(before), place(after)),
        (Some(one), None) | (None, Some(one)) => place(one),
        (None, None) => return,
    };
    let flags = if block.change == Change::Flags { format!(" {}", block.flags) } else { String::new() };
    let name = format!("{}{flags}", block.name);
    let name = if cells >= TWO_COLUMNS { format!("{name:<14}") } else { name };
    text.marked(&format!("{word:<WORD$} "), role, &format!("{name} {places}"), Role::Plain);
}
