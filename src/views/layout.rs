//! Where everything stands. One pure function that drawing, scrolling and the mouse all ask, so that they can't disagree.

use super::fit::width;
use super::rows;
use crate::app::panel::{Focus, Panel};
use crate::app::state::State;
use ratatui::layout::{Position, Rect};

/// Below this many columns or rows there is one sentence only.
pub const SMALLEST: (u16, u16) = (40, 10);
/// Rows that an artifact takes in the list.
pub const CARD_HEIGHT: u16 = 4;

/// From this size on, the list stands beside the panel.
const TWO_COLUMNS: (u16, u16) = (72, 14);
/// From this height on, the step line is shown.
const STEP_LINE: u16 = 12;
/// The fewest rows, of those left for rows and detail, that make a lower part worth while.
const DETAIL_FROM: u16 = 9;

/// Where everything stands, in cells. What is not shown is empty.
#[derive(Debug, Clone, Default)]
pub struct Screen {
    /// The whole terminal.
    pub area: Rect,
    /// The head line.
    pub head: Rect,
    /// The step line.
    pub steps: Rect,
    /// Everything between step line and foot.
    pub body: Rect,
    /// The list's frame.
    pub list: Rect,
    /// The artifacts in it.
    pub cards: Rect,
    /// The panel's frame.
    pub panel: Rect,
    /// The tabs in the frame's upper edge.
    pub tabs: Vec<(Rect, Panel)>,
    /// The lines above the rows.
    pub summary: Rect,
    /// The rows.
    pub rows: Rect,
    /// The line between rows and detail.
    pub rule: Rect,
    /// The lower part.
    pub detail: Rect,
    /// The foot line.
    pub foot: Rect,
}

/// Where everything stands in `area`; `None` when it is too small for anything.
#[must_use]
pub fn compute(area: Rect, state: &State) -> Option<Screen> {
    if area.width < SMALLEST.0 || area.height < SMALLEST.1 {
        return None;
    }
    let mut screen = Screen { area, ..Screen::default() };
    let mut top = area.y;
    let mut take = |height: u16| {
        let line = Rect::new(area.x, top, area.width, height);
        top += height;
        line
    };
    screen.head = take(1);
    if area.height >= STEP_LINE {
        screen.steps = take(1);
    }
    let body_height = area.height - screen.head.height - screen.steps.height - 1;
    screen.body = take(body_height);
    screen.foot = take(1);
    let body = screen.body;
    if area.width >= TWO_COLUMNS.0 && area.height >= TWO_COLUMNS.1 {
        let list = if area.width >= 132 { 32 } else { 28 };
        screen.list = Rect { width: list, ..body };
        screen.panel = Rect { x: body.x + list, width: body.width - list, ..body };
    } else if state.focus == Focus::Artifacts {
        screen.list = body;
    } else {
        screen.panel = body;
    }
    screen.cards = inside(screen.list);
    screen.tabs = tabs(screen.panel, state.panel());
    divide(&mut screen, state);
    Some(screen)
}

/// The same for the terminal's size as last heard.
#[must_use]
pub fn of(state: &State) -> Option<Screen> {
    compute(Rect::new(0, 0, state.size.width, state.size.height), state)
}

impl Screen {
    /// The tab at a place.
    #[must_use]
    pub fn tab_at(&self, at: Position) -> Option<Panel> {
        self.tabs.iter().find(|(tab, _)| tab.contains(at)).map(|(_, panel)| *panel)
    }

    /// Where a page stands: on the whole body.
    #[must_use]
    pub fn page(&self) -> Rect {
        self.body
    }

    /// Where the help stands.
    #[must_use]
    pub fn palette(&self) -> Rect {
        let width = self.body.width.min(84);
        let height = self.body.height.min(30);
        Rect {
            x: self.body.x + (self.body.width - width) / 2,
            y: self.body.y + (self.body.height - height) / 2,
            width,
            height,
        }
    }

    /// The rows of the help: below the line in which the filter stands, above the line that explains.
    #[must_use]
    pub fn palette_rows(&self) -> Rect {
        let inner = inside(self.palette());
        Rect { y: inner.y + inner.height.min(1), height: inner.height.saturating_sub(2), ..inner }
    }
}

/// What a frame surrounds.
#[must_use]
pub const fn inside(frame: Rect) -> Rect {
    if frame.width < 2 || frame.height < 2 {
        return Rect::ZERO;
    }
    Rect { x: frame.x + 1, y: frame.y + 1, width: frame.width - 2, height: frame.height - 2 }
}

/// The tabs' words and the spaces between them: with all titles where they fit, be it in short, else with the chosen one's
/// only.
#[must_use]
pub fn tab_words(cells: usize, chosen: Panel) -> (Vec<(String, Panel)>, u16) {
    let words = |title: &dyn Fn(Panel) -> Option<&'static str>| -> Vec<(String, Panel)> {
        let word = |panel: Panel| match title(panel) {
            Some(title) => format!("{} {title}", tab_key(panel)),
            None => tab_key(panel),
        };
        Panel::ALL.into_iter().map(|panel| (word(panel), panel)).collect()
    };
    let gaps = Panel::ALL.len() - 1;
    let room = |words: &[(String, Panel)]| cells.checked_sub(words.iter().map(|(word, _)| width(word)).sum());
    let fits = |words: &[(String, Panel)]| room(words).is_some_and(|spare: usize| spare >= gaps);
    let forms: [&dyn Fn(Panel) -> Option<&'static str>; 3] = [
        &|panel| Some(panel.title()),
        &|panel| Some(if panel == chosen { panel.title() } else { panel.short_title() }),
        &|panel| Some(panel.short_title()),
    ];
    let chosen_only = || words(&|panel| (panel == chosen).then(|| panel.title()));
    let words = forms.iter().map(|form| words(form)).find(|words| fits(words)).unwrap_or_else(chosen_only);
    let gap = if room(&words).is_some_and(|spare| spare >= 2 * gaps) { 2 } else { 1 };
    (words, gap)
}

/// The key that stands before a tab's title, read from the key table.
fn tab_key(panel: Panel) -> String {
    use crate::app::action::Action;
    let binding = crate::app::keymap::BINDINGS.iter().find(|binding| binding.action == Action::Show(panel));
    binding.and_then(|binding| binding.keys.first()).map_or_else(String::new, |key| key.label())
}

fn tabs(frame: Rect, chosen: Panel) -> Vec<(Rect, Panel)> {
    if frame.width < 4 {
        return Vec::new();
    }
    let end = frame.x + frame.width - 1;
    let mut x = frame.x + 2;
    let mut tabs = Vec::new();
    let (words, gap) = tab_words(usize::from(frame.width) - 4, chosen);
    for (word, panel) in words {
        let width = (width(&word) as u16).min(end.saturating_sub(x));
        if width == 0 {
            break;
        }
        tabs.push((Rect { x, y: frame.y, width, height: 1 }, panel));
        x += width + gap;
    }
    tabs
}

/// Divides the panel into summary, rows and detail: a short list leaves its room to the detail.
fn divide(screen: &mut Screen, state: &State) {
    let mut inner = inside(screen.panel);
    // One column of air on both sides.
    inner.x += inner.width.min(1);
    inner.width = inner.width.saturating_sub(2);
    let content = rows::of(state.panel());
    let head = content.head(state, rows::PLAIN, usize::from(inner.width)).len();
    // An empty line below the summary, where there is room for it.
    let air = u16::from(head > 0 && inner.height >= DETAIL_FROM);
    let head = (head as u16 + air).min(inner.height / 2);
    screen.summary = Rect { height: head, ..inner };
    let rest = Rect { y: inner.y + head, height: inner.height - head, ..inner };
    screen.rows = rest;
    if !content.has_detail() || rest.height < DETAIL_FROM {
        return;
    }
    let count = state.cursor(state.panel()).count(content.count(state));
    // Without rows one line says why.
    if count == 0 && content.floor(state, rows::PLAIN, (usize::from(rest.width), 1)).is_none() {
        return;
    }
    let (share, of) = content.detail_share();
    let most = rest.height - rest.height * share / of - 1;
    let rows = most.min(u16::try_from(count.max(1)).unwrap_or(u16::MAX));
    screen.rows.height = rows;
    screen.rule = Rect { y: rest.y + rows, height: 1, ..rest };
    screen.detail = Rect { y: rest.y + rows + 1, height: rest.height - rows - 1, ..rest };
}

/// How many artifacts the list shows at once.
#[must_use]
pub fn cards_shown(state: &State) -> usize {
    of(state).map_or(1, |screen| usize::from((screen.cards.height / CARD_HEIGHT).max(1)))
}

/// How many rows the panel shows at once.
#[must_use]
pub fn rows_shown(state: &State) -> usize {
    of(state).map_or(1, |screen| usize::from(screen.rows.height.max(1)))
}

/// How many lines of the help are shown at once.
#[must_use]
pub fn palette_rows_shown(state: &State) -> usize {
    of(state).map_or(1, |screen| usize::from(screen.palette_rows().height.max(1)))
}

/// How many lines of the detail are shown at once, and how many it has.
#[must_use]
pub fn detail_extent(state: &State) -> (u64, u64) {
    let Some(screen) = of(state) else { return (0, 0) };
    let content = rows::of(state.panel());
    let Some(row) = state.chosen_row(content.count(state)) else { return (0, 0) };
    (u64::from(screen.detail.height), content.lower_length(state, row, usize::from(screen.detail.width)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::fixture;

    #[test]
    fn parts_lie_in_the_terminal_and_do_not_overlap() {
        for (width, height) in [(40, 10), (71, 13), (72, 14), (80, 24), (120, 40), (300, 100)] {
            for panel in Panel::ALL {
                let state = fixture::showing(fixture::LABEXT, panel, width, height);
                let screen = of(&state).unwrap();
                let parts = [screen.head, screen.steps, screen.list, screen.panel, screen.foot];
                let cells: u32 = parts.iter().map(|part| part.area()).sum();
                assert_eq!(cells, u32::from(width) * u32::from(height), "{panel:?} at {width}x{height}");
                let inner = [screen.summary, screen.rows, screen.rule, screen.detail];
                for inner in inner.into_iter().filter(|inner| !inner.is_empty()) {
                    assert_eq!(inner.intersection(screen.panel), inner, "{panel:?} at {width}x{height}");
                }
            }
        }
    }

    #[test]
    fn a_small_terminal_has_the_focused_side_alone_and_a_smaller_one_nothing() {
        let mut state = fixture::showing(fixture::LABEXT, Panel::Tree, 40, 10);
        assert_eq!(of(&state).unwrap().list, Rect::ZERO);
        state.focus = Focus::Artifacts;
        assert_eq!(of(&state).unwrap().panel, Rect::ZERO);
        for (width, height) in [(39, 10), (40, 9), (0, 0)] {
            assert!(compute(Rect::new(0, 0, width, height), &state).is_none());
        }
    }

    #[test]
    fn tabs_name_all_panels_where_there_is_room_and_the_chosen_one_always() {
        let titles = |cells| tab_words(cells, Panel::Bytes).0.into_iter().map(|(word, _)| word).collect::<Vec<_>>();
        assert_eq!(titles(140)[1], "2 tree");
        assert_eq!(titles(140)[8], "9 findings");
        assert_eq!(titles(88)[8], "9 finds");
        assert_eq!(titles(40), ["1", "2", "3", "4", "5", "6", "7", "8 bytes", "9", "s", "c", "d", "L"]);
    }
}
