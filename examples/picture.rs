//! Draws the picture of the screen that stands in the README: the demo lab, some steps on, as an SVG on standard output.
//!
//! `cargo run --release --example picture > assets/screen.svg`
//!
//! The picture is the program's own buffer, cell by cell. Only the temporary directory's name is replaced, by one that says
//! what it stands for.

use ratatui::Terminal;
use ratatui::backend::TestBackend;
use ratatui::buffer::{Buffer, Cell};
use ratatui::layout::Size;
use ratatui::style::{Color, Modifier};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use wheelwright::app::action::Action;
use wheelwright::app::cursor::Motion;
use wheelwright::app::features::TerminalFeatures;
use wheelwright::app::panel::Panel;
use wheelwright::app::state::State;
use wheelwright::app::update::update;
use wheelwright::engine::Context;
use wheelwright::engine::audit::AuditOptions;
use wheelwright::engine::deps::LoaderInputs;
use wheelwright::engine::project::lab;
use wheelwright::engine::repair::{Builtin, RepairOptions};
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::{Session, SessionOptions, Snapshot};
use wheelwright::views;
use wheelwright::views::theme::Theme;

const COLUMNS: u16 = 120;
const ROWS: u16 = 32;
/// What stands for the temporary directory.
const SHOWN: &str = "/home/you/labext";

fn main() -> color_eyre::Result<()> {
    let directory = tempfile::tempdir()?;
    let project = lab::lay_out(directory.path())?.project;
    let chosen = project.artifacts.iter().position(|artifact| artifact.name == "liblabext.so").unwrap_or(0);
    let options = SessionOptions {
        audit: AuditOptions::new(LoaderInputs::new(directory.path().to_path_buf())),
        repair: RepairOptions::default(),
        staging: None,
        scratch: directory.path().to_path_buf(),
        editor: Box::new(Builtin::default()),
        loading: None,
        observer: None,
    };
    let mut session = Session::open(project, options)?;
    let ids: Vec<_> = session.project().artifacts.iter().map(|artifact| artifact.id).collect();
    for id in &ids {
        session.audit(*id, &Context::new())?;
    }
    while session.next_step(ids[chosen]).is_some_and(|step| step <= Step::CopyBack) {
        session.step(ids[chosen], &Context::new())?;
    }
    let snapshot = named(session.snapshot(), directory.path())?;
    session.leave()?;

    let mut state = State::new(Arc::new(snapshot), Size::new(COLUMNS, ROWS));
    let to_the_artifact = std::iter::repeat_n(Action::Artifact(Motion::Down), chosen);
    for action in to_the_artifact.chain([Action::Show(Panel::Tree), Action::FocusPanel, Action::Move(Motion::Down)]) {
        update(&mut state, action);
    }
    let mut terminal = Terminal::new(TestBackend::new(COLUMNS, ROWS))?;
    let theme = Theme::new(TerminalFeatures { color: true, unicode: true });
    terminal.draw(|frame| views::draw(frame, &state, theme))?;
    let mut output = std::io::stdout().lock();
    std::io::Write::write_all(&mut output, svg(terminal.backend().buffer()).as_bytes())?;
    Ok(())
}

/// The snapshot with the temporary directory's name replaced.
fn named(mut snapshot: Snapshot, directory: &Path) -> color_eyre::Result<Snapshot> {
    let from = directory.to_string_lossy();
    "labext".clone_into(&mut snapshot.title);
    for artifact in &mut snapshot.artifacts {
        artifact.path = renamed(&artifact.path, &from)?;
        artifact.staging = renamed(&artifact.staging, &from)?;
        if let Some(report) = &artifact.report {
            artifact.report = Some(Arc::new(renamed(&**report, &from)?));
        }
    }
    Ok(snapshot)
}

fn renamed<T: Serialize + DeserializeOwned>(value: &T, from: &str) -> color_eyre::Result<T> {
    Ok(serde_json::from_str(&serde_json::to_string(value)?.replace(from, SHOWN))?)
}

fn svg(buffer: &Buffer) -> String {
    const WIDTH: f32 = 8.4;
    const HEIGHT: f32 = 18.0;
    let (columns, rows) = (buffer.area.width, buffer.area.height);
    let mut text = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {:.0} {:.0}\" font-family=\"ui-monospace, 'DejaVu Sans Mono', \
         Menlo, Consolas, monospace\" font-size=\"14\">\n<rect width=\"100%\" height=\"100%\" rx=\"8\" fill=\"#16181d\"/>\n",
        f32::from(columns) * WIDTH + 24.0,
        f32::from(rows) * HEIGHT + 24.0
    );
    for row in 0..rows {
        let mut column = 0;
        while column < columns {
            let first = &buffer[(column, row)];
            let start = column;
            let mut run = String::new();
            while column < columns && same_look(first, &buffer[(column, row)]) {
                run.push_str(buffer[(column, row)].symbol());
                column += 1;
            }
            let (x, y) = (f32::from(start) * WIDTH + 12.0, f32::from(row) * HEIGHT + 12.0);
            let length = f32::from(column - start) * WIDTH;
            let reversed = first.modifier.contains(Modifier::REVERSED);
            let (ink, paper) = (color(first.fg, "#c8ccd4"), color(first.bg, "#16181d"));
            let (ink, paper) = if reversed { (paper, ink) } else { (ink, paper) };
            if paper != "#16181d" {
                let _ = writeln!(
                    text,
                    "<rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"{length:.1}\" height=\"{HEIGHT}\" fill=\"{paper}\"/>"
                );
            }
            if !run.trim().is_empty() {
                let weight = if first.modifier.contains(Modifier::BOLD) { " font-weight=\"bold\"" } else { "" };
                let faint = if first.modifier.contains(Modifier::DIM) { " opacity=\"0.6\"" } else { "" };
                let run = run.replace('&', "&amp;").replace('<', "&lt;");
                let _ = writeln!(
                    text,
                    "<text x=\"{x:.1}\" y=\"{:.1}\" textLength=\"{length:.1}\" lengthAdjust=\"spacingAndGlyphs\" \
                     xml:space=\"preserve\" fill=\"{ink}\"{weight}{faint}>{run}</text>",
                    y + 13.5
                );
            }
        }
    }
    text.push_str("</svg>\n");
    text
}

fn same_look(one: &Cell, other: &Cell) -> bool {
    one.fg == other.fg && one.bg == other.bg && one.modifier == other.modifier
}

fn color(color: Color, reset: &'static str) -> &'static str {
    match color {
        Color::Black => "#16181d",
        Color::Red | Color::LightRed => "#e06c75",
        Color::Green | Color::LightGreen => "#98c379",
        Color::Yellow | Color::LightYellow => "#e5c07b",
        Color::Blue | Color::LightBlue => "#61afef",
        Color::Magenta | Color::LightMagenta => "#c678dd",
        Color::Cyan | Color::LightCyan => "#56b6c2",
        Color::Gray | Color::White => "#c8ccd4",
        Color::DarkGray => "#7f848e",
        _ => reset,
    }
}
