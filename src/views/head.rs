//! The head line: what is being worked on, and the chosen artifact's tag and findings.

use super::frame::lines;
use super::layout::Screen;
use super::row::ends;
use super::theme::{Role, Theme};
use super::words;
use crate::app::state::State;
use ratatui::Frame;

/// Draws the head line.
pub fn draw(frame: &mut Frame<'_>, screen: &Screen, state: &State, theme: Theme) {
    let narrow = screen.list.is_empty() || screen.panel.is_empty();
    let left = match state.artifact().filter(|_| narrow) {
        Some(artifact) => artifact.name.clone(),
        None => title(state),
    };
    let (right, role) = right(state, narrow, screen.head.width);
    let line = ends((left.into(), Role::Strong), (right.into(), role), usize::from(screen.head.width), theme);
    lines(frame, screen.head, vec![line]);
}

fn title(state: &State) -> String {
    let snapshot = &state.snapshot;
    let mut parts = vec!["wheelwright"];
    parts.extend([snapshot.title.as_str(), snapshot.profile.as_deref().unwrap_or_default(), snapshot.mode.as_str()]);
    if snapshot.read_only.is_some() {
        parts.push("read-only");
    }
    parts.retain(|part| !part.is_empty());
    parts.join(" · ")
}

fn right(state: &State, narrow: bool, screen_width: u16) -> (String, Role) {
    let Some(artifact) = state.artifact() else { return (String::new(), Role::Plain) };
    let Some(report) = &artifact.report else { return ("not audited yet".into(), Role::Quiet) };
    if report.error.is_some() {
        return ("unreadable".into(), Role::Bad);
    }
    let mut parts = Vec::new();
    if let Some(policy) = report.policy.as_ref().filter(|_| !narrow) {
        parts.push(format!("tag {}", policy.tag));
    }
    let (mut count, role) = words::findings(report);
    if screen_width < 100 {
        // There is room for one figure; the colour still tells the worst.
        count.truncate(count.find(',').unwrap_or(count.len()));
    }
    parts.push(count);
    (parts.join("   "), role)
}
