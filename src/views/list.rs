//! The list of artifacts: four lines each, in two columns.

use super::frame::{border, corner, lines};
use super::layout::{CARD_HEIGHT, Screen};
use super::row::ends;
use super::text::Text;
use super::theme::{Role, Theme};
use super::words;
use crate::app::panel::Focus;
use crate::app::state::State;
use crate::engine::stage::ArtifactSnapshot;
use ratatui::Frame;
use ratatui::layout::Rect;
use ratatui::text::Line;
use std::borrow::Cow;

/// A text in its role.
type Part = (Cow<'static, str>, Role);

/// Draws the list.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen, state: &State, theme: Theme) {
    if screen.list.is_empty() {
        return;
    }
    let focused = state.focus == Focus::Artifacts;
    let total = state.snapshot.artifacts.len();
    let title = Line::from(theme.span(" artifacts ", if focused { Role::Heading } else { Role::Quiet }));
    let block = border(focused, theme).title_top(title).title_bottom(corner(&state.artifacts, total));
    frame.render_widget(block, screen.list);
    if state.artifacts.count(total) == 0 {
        let why = if total == 0 { "no artifact was found here" } else { "no artifact holds that text" };
        let mut text = Text::new(usize::from(screen.cards.width), theme);
        text.paragraph(why, Role::Quiet);
        return lines(frame, screen.cards, text.into_lines());
    }
    // A card that does not fit whole is still drawn, as far as it goes.
    let shown = usize::from(screen.cards.height.div_ceil(CARD_HEIGHT));
    for (place, position) in state.artifacts.window(total, shown).enumerate() {
        let Some(artifact) = state.artifacts.row(position).and_then(|row| state.snapshot.artifacts.get(row)) else {
            continue;
        };
        let top = screen.cards.y + place as u16 * CARD_HEIGHT;
        let height = CARD_HEIGHT.min(screen.cards.bottom().saturating_sub(top));
        let area = Rect { y: top, height, ..screen.cards };
        card(frame, area, artifact, position == state.artifacts.index, focused, theme);
    }
}

fn card(frame: &mut Frame<'_>, area: Rect, artifact: &ArtifactSnapshot, chosen: bool, focused: bool, theme: Theme) {
    let cells = usize::from(area.width).saturating_sub(2);
    let name = if chosen { Role::Heading } else { Role::Strong };
    let pair = |left: Part, right: Part| ends(left, right, cells, theme);
    let (state, state_role) = words::staging(&artifact.staging);
    let mut content =
        vec![pair((artifact.name.clone().into(), name), (words::kind(artifact.kind).into(), Role::Quiet))];
    match artifact.report.as_deref() {
        None => {
            content.push(pair(("not audited yet".into(), Role::Quiet), ("".into(), Role::Plain)));
            content.push(pair((state.into(), state_role), ("".into(), Role::Plain)));
        }
        Some(report) if report.error.is_some() => {
            content.push(pair(("unreadable".into(), Role::Bad), size(report.size)));
            content.push(pair((state.into(), state_role), ("".into(), Role::Plain)));
        }
        Some(report) => {
            let (patch, patch_role) = words::will_patch(report.will_patch.repair);
            let tag = report.policy.as_ref().map_or("no policy", |policy| policy.tag.as_str()).to_owned();
            let worst = words::worst(report).unwrap_or_else(|| (String::new(), Role::Plain));
            content.push(pair((words::format_and_slices(report).into(), Role::Plain), size(report.size)));
            content.push(pair((state.into(), state_role), (patch.into(), patch_role)));
            content.push(pair((tag.into(), Role::Quiet), (worst.0.into(), worst.1)));
        }
    }
    let text = Rect { x: area.x + 1, width: area.width.saturating_sub(2), ..area };
    lines(frame, text, content);
    if chosen {
        let bar = theme.span("▌", if focused { Role::Next } else { Role::Frame });
        lines(frame, Rect { width: 1, ..area }, vec![Line::from(bar); usize::from(area.height)]);
    }
}

fn size(size: Option<u64>) -> Part {
    (size.map_or_else(|| "absent".to_owned(), words::bytes).into(), Role::Quiet)
}
