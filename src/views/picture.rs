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
use crate::engine::report::picture::{Block, Change, Kind, Order, Parts, Picture, Stripe};
use ratatui::text::{Line, Span};

/// From this width on, before and after stand side by side.
const TWO_COLUMNS: usize = 64;
/// Cells between the columns.
const BETWEEN: usize = 2;
/// Cells of the widest word for what became of a part.
const WORD: usize = 6;
/// Cells of a size.
const SIZE: usize = 7;
/// From this many bytes on, a gap is marked as a break in the picture.
const HUGE: u64 = 64 * 1024;

/// The page's lines.
#[must_use]
pub fn page(state: &State, page: FitPage, theme: Theme, cells: usize) -> Vec<Line<'static>> {
    let mut text = Text::new(cells, theme);
    let Some((_, fit)) = room::head(&mut text, state, page) else { return text.into_lines() };
    let picture = &state.picture;
    let places = places(picture);
    if cells >= TWO_COLUMNS {
        room::way(&mut text, fit);
        legend(&mut text, picture);
        text.blank();
        side_by_side(&mut text, (fit, picture), places, cells, theme);
        headers(&mut text, picture, cells);
    } else {
        one_column(&mut text, picture, places, cells, theme);
        headers(&mut text, picture, cells);
        text.blank();
        room::way(&mut text, fit);
        legend(&mut text, picture);
    }
    text.into_lines()
}

fn legend(text: &mut Text, picture: &Picture) {
    let order = match picture.order {
        Order::Offset => "by places in the file",
        Order::Address => "by addresses in memory",
    };
    let relro = picture.stripes.iter().flat_map(|stripe| [&stripe.before, &stripe.after]).flatten();
    let mut parts = vec![(order, Role::Quiet)];
    if relro.into_iter().any(|block| block.relro) {
        parts.push(("┃ RELRO", Role::Good));
    }
    let mut after = picture.stripes.iter().filter_map(|stripe| stripe.after.as_ref());
    if after.any(|block| block.change == Change::Shifted && !word(block).0.is_empty()) {
        parts.push(("higher: behind what was inserted", Role::Quiet));
    }
    text.parts(&parts);
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
    order: Order,
    cells: usize,
    places: usize,
    theme: Theme,
}

fn side_by_side(text: &mut Text, (fit, picture): (&Fit, &Picture), places: usize, cells: usize, theme: Theme) {
    let half = (cells - BETWEEN) / 2;
    let column = Column { order: picture.order, cells: half, places, theme };
    let heads = [("before", fit.before.size), ("after", fit.after.size)];
    let titles = heads.map(|(word, size)| format!("{word}, {} bytes", grouped(size)));
    let [before, after] = titles.map(|title| cut(&title, half, Cut::End).into_owned());
    let gap = " ".repeat(BETWEEN + half.saturating_sub(width(&before)));
    text.line(Line::from(vec![theme.span(before, Role::Heading), Span::raw(gap), theme.span(after, Role::Heading)]));
    let (left, right) =
        (edges(picture, |stripe| stripe.before.as_ref()), edges(picture, |stripe| stripe.after.as_ref()));
    for ((stripe, left), right) in picture.stripes.iter().zip(left).zip(right) {
        let mut spans = Vec::new();
        column.draw(stripe.before.as_ref(), left, &mut spans);
        spans.push(Span::raw(" ".repeat(BETWEEN)));
        column.draw(stripe.after.as_ref(), right, &mut spans);
        text.line(Line::from(spans));
    }
}

/// The left edge of every line of a column: a bracket around each segment.
fn edges(picture: &Picture, side: fn(&Stripe) -> Option<&Block>) -> Vec<&'static str> {
    let mut edges = vec![" "; picture.stripes.len()];
    let mut open: Option<(usize, usize)> = None;
    let mut close = |open: &mut Option<(usize, usize)>| {
        let Some((first, last)) = open.take() else { return };
        for (place, edge) in edges.iter_mut().enumerate().take(last + 1).skip(first) {
            *edge = match place {
                _ if first == last => "─",
                _ if place == first => "┌",
                _ if place == last => "└",
                _ => "│",
            };
        }
    };
    for (place, stripe) in picture.stripes.iter().enumerate() {
        match side(stripe).map(|block| block.kind) {
            Some(Kind::Segment) => {
                close(&mut open);
                open = Some((place, place));
            }
            Some(Kind::Whole(_)) => {
                close(&mut open);
                open = Some((place, place));
                close(&mut open);
            }
            Some(Kind::Apart | Kind::Between | Kind::End) => close(&mut open),
            Some(_) => open = open.map(|(first, _)| (first, place)),
            None => {}
        }
    }
    close(&mut open);
    edges
}

impl Column {
    /// One line of the column, as many cells wide as it is.
    fn draw(self, block: Option<&Block>, edge: &'static str, spans: &mut Vec<Span<'static>>) {
        spans.push(self.theme.span(edge, Role::Frame));
        let Some(block) = block else {
            spans.push(Span::raw(" ".repeat(self.cells.saturating_sub(1))));
            return;
        };
        spans.push(self.theme.span(if block.relro { "┃" } else { " " }, Role::Good));
        let (word, role) = word(block);
        let at = block.at.map(|at| format!("{at:#x}")).unwrap_or_default();
        if block.kind == Kind::Inserted {
            // The word needs the room of the place too; the place then stands where other parts have their name.
            let room = WORD + 1 + self.places + 1;
            spans.push(self.theme.span(format!("{:<room$}", cut(word, room, Cut::End)), role));
            self.name_and_size(block, (at, Role::Quiet), spans);
            return;
        }
        spans.push(self.theme.span(format!("{word:<WORD$} "), role));
        spans.push(self.theme.span(format!("{at:<0$} ", self.places), Role::Quiet));
        self.name_and_size(block, name(block, self.order, self.names()), spans);
    }

    /// Cells of a name.
    const fn names(self) -> usize {
        self.cells.saturating_sub(2 + WORD + 1 + self.places + 1 + 1 + SIZE)
    }

    fn name_and_size(self, block: &Block, (name, role): (String, Role), spans: &mut Vec<Span<'static>>) {
        let room = self.names();
        let name = cut(&name, room, Cut::End).into_owned();
        let fill = match block.kind {
            Kind::Segment | Kind::Whole(_) => "─",
            Kind::Between | Kind::Unused if block.size >= HUGE => "·",
            _ => " ",
        };
        let blank = room.saturating_sub(width(&name));
        let fill = if blank == 0 { String::new() } else { format!(" {}", fill.repeat(blank - 1)) };
        spans.push(self.theme.span(name, role));
        spans.push(self.theme.span(fill, Role::Frame));
        spans.push(self.theme.span(format!(" {:>SIZE$}", size(block)), Role::Quiet));
    }
}

/// What became of a block, where that is worth a word.
fn word(block: &Block) -> (&'static str, Role) {
    match block.kind {
        Kind::Inserted => (inserted(block.size), Role::Good),
        Kind::Unused | Kind::Between | Kind::Apart => ("", Role::Quiet),
        // What has no place in this order can't stand higher.
        _ if block.at.is_none() && block.change == Change::Shifted => ("", Role::Quiet),
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
fn name(block: &Block, order: Order, cells: usize) -> (String, Role) {
    let quiet = matches!(block.change, Change::Same | Change::Shifted);
    let role = if quiet { Role::Quiet } else { Role::Strong };
    match block.kind {
        Kind::Segment => (format!("{} {}", block.name, block.flags), Role::Strong),
        Kind::Header => (format!("{} {}", block.name, block.flags), role),
        Kind::Whole(count) => {
            let name = format!("{} {}", block.name, block.flags);
            let short = format!("{name}, {}", parts(count));
            let unchanged = if block.change == Change::Same { " unchanged" } else { "" };
            (first_to_fit([format!("{short}{unchanged}"), short, name.clone(), name], cells), Role::Quiet)
        }
        Kind::Section | Kind::Table => (block.name.clone(), role),
        Kind::Apart => ("not loaded".to_owned(), Role::Strong),
        Kind::Between if order == Order::Address => ("gap".to_owned(), Role::Quiet),
        Kind::Unused | Kind::Between => ("unused".to_owned(), Role::Quiet),
        Kind::Inserted => (String::new(), Role::Quiet),
        Kind::End => ("end of file".to_owned(), role),
        Kind::Folded(count) => {
            let short = parts(count);
            let all = counted(count.tables + count.sections, "part", "parts");
            let unchanged = if block.change == Change::Same { " unchanged" } else { "" };
            let long = format!("{short}{unchanged}");
            (first_to_fit([format!("{long}: {}", block.name), long, short, all], cells), Role::Quiet)
        }
    }
}

/// The first of `forms` that fits into `cells`, or else the last.
fn first_to_fit(forms: [String; 4], cells: usize) -> String {
    let [.., last] = &forms;
    forms.iter().find(|form| width(form) <= cells).unwrap_or(last).clone()
}

/// How many parts were folded: `headers, 5 sections`.
fn parts(parts: Parts) -> String {
    let sections = counted(parts.sections, "section", "sections");
    match (parts.tables, parts.sections) {
        (0, _) => sections,
        (_, 0) => "headers".to_owned(),
        (_, _) => format!("headers, {sections}"),
    }
}

/// Inserted zeros are whole pages.
const fn inserted(size: u64) -> &'static str {
    if matches!(size, 0x1000 | 0x4000 | 0x1_0000) { "page inserted" } else { "pages inserted" }
}

/// Every part once: where it is now; what left a place is said there too.
fn one_column(text: &mut Text, picture: &Picture, places: usize, cells: usize, theme: Theme) {
    let column = Column { order: picture.order, cells, places, theme };
    for stripe in &picture.stripes {
        let left = match (&stripe.before, &stripe.after) {
            (Some(before), None) => Some(before),
            (Some(before), Some(after)) if before.name != after.name || before.kind != after.kind => Some(before),
            _ => None,
        };
        let left = left.filter(|block| !matches!(block.kind, Kind::Unused | Kind::Between)).map(left_here);
        for block in left.iter().chain(&stripe.after) {
            let mut spans = Vec::new();
            let is_segment = matches!(block.kind, Kind::Segment | Kind::Whole(_));
            column.draw(Some(block), if is_segment { "─" } else { " " }, &mut spans);
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
