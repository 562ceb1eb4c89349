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
    let (right, role) = right(state, narrow);
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

fn right(state: &State, narrow: bool) -> (String, Role) {
    let Some(artifact) = state.artifact() else { return (String::new(), Role::Plain) };
    let Some(report) = &artifact.report else { return ("not audited yet".into(), Role::Quiet) };
    if report.error.is_some() {
        return ("unreadable".into(), Role::Bad);
    }
    let mut parts = Vec::new();
    if let Some(policy) = report.policy.as_ref().filter(|_| !narrow) {
        parts.push(format!("tag {}", policy.tag));
    }
    let (count, role) = match words::worst(report) {
        Some((_, role)) if narrow => (words::counted(report.findings.len(), "finding", "findings"), role),
        Some((worst, role)) if worst.starts_with(&report.findings.len().to_string()) => (worst, role),
        Some((worst, role)) => {
            (format!("{}, {worst}", words::counted(report.findings.len(), "finding", "findings")), role)
        }
        None => ("no findings".into(), Role::Plain),
    };
    parts.push(count);
    (parts.join("   "), role)
}
