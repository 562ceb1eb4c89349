//! Everything the screen shows, as plain data: the session's snapshot, what the user has chosen, and what is going on.

use super::changes::Order;
use super::compared::Compared;
use super::cursor::Cursor;
use super::fits::FitPage;
use super::jobs::Jobs;
use super::keymap::Context;
use super::lenses::LensRow;
use super::panel::{Focus, Panel};
use super::tree::TreeRows;
use crate::engine::audit::Question;
use crate::engine::project::ArtifactId;
use crate::engine::report::audit::{ArtifactReport, StagingState};
use crate::engine::report::picture::Picture;
use crate::engine::stage::{ArtifactSnapshot, Snapshot};
use ratatui::layout::Size;
use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The whole state of the screen.
#[derive(Debug, Default)]
pub struct State {
    /// The session, as last heard.
    pub snapshot: Arc<Snapshot>,
    /// The terminal's size in cells.
    pub size: Size,
    /// The place in the list of artifacts.
    pub artifacts: Cursor,
    /// Which side moves.
    pub focus: Focus,
    /// The chosen panel.
    pub panel: Option<Panel>,
    /// The place in each panel.
    pub cursors: [Cursor; Panel::ALL.len()],
    /// How many lines the panel's lower part is scrolled.
    pub detail_scroll: u64,
    /// The tree, laid out.
    pub tree: TreeRows,
    /// What lies over the screen.
    pub overlay: Overlay,
    /// What the bytes panel shows.
    pub compared: Option<Compared>,
    /// What the list of the bytes panel is ordered by.
    pub order: Order,
    /// The hashes that were asked for, by path.
    pub hashes: BTreeMap<PathBuf, String>,
    /// What runs and waits.
    pub jobs: Jobs,
    /// The artifacts whose first audit was asked for.
    pub audited: BTreeSet<ArtifactId>,
    /// What was looked into, or is being.
    pub looked_into: HashSet<(ArtifactId, Question)>,
    /// The rows of the two lenses side by side.
    pub lens_rows: Vec<LensRow>,
    /// Whether the tree panel shows the two lenses side by side.
    pub lenses: bool,
    /// The remedy that the user chose for the chosen name that is opened; the one to take when it is not said.
    pub remedy: Option<usize>,
    /// The layout that the page on an edit shows; empty while it shows none.
    pub picture: Picture,
    /// A sentence that goes away by itself.
    pub toast: Option<Toast>,
    /// Whether the program is on its way out.
    pub leaving: bool,
}

/// What lies over the screen.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub enum Overlay {
    /// Nothing.
    #[default]
    None,
    /// The line in which a filter is typed.
    Find,
    /// The line in which is typed where to go in the compared files, or what to search them for.
    Prompt(Prompt),
    /// All keys.
    Palette(Palette),
    /// A whole page.
    Page(Page),
}

/// A line to type in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    /// What is asked.
    pub ask: Ask,
    /// What was typed.
    pub text: String,
}

/// What a line to type in asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ask {
    /// A place in the compared files.
    Place,
    /// Something to search them for.
    Search,
}

/// The help that is also a palette.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Palette {
    /// What was typed, and the place in what is left.
    pub cursor: Cursor,
}

/// A whole page of text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// What it shows.
    pub source: PageSource,
    /// The first visible line.
    pub scroll: usize,
}

/// What a page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PageSource {
    /// The chosen row of the panel in full.
    Detail,
    /// How an edit fits.
    Fit(FitPage),
    /// What it would take to bear a tag.
    Reach {
        /// The tag.
        tag: String,
    },
    /// A finding: what was seen here, then its page.
    Finding {
        /// The finding's place among the artifact's findings.
        index: usize,
        /// The page's text.
        text: &'static str,
    },
}

/// A sentence that goes away by itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Toast {
    /// The sentence.
    pub text: String,
    /// Whether it reports a failure.
    pub failed: bool,
    /// How many more ticks it stays.
    pub ticks: u16,
}

impl State {
    /// The state at the beginning: nothing audited, the first artifact chosen.
    #[must_use]
    pub fn new(snapshot: Arc<Snapshot>, size: Size) -> Self {
        Self { snapshot, size, ..Self::default() }
    }

    /// The chosen panel.
    #[must_use]
    pub fn panel(&self) -> Panel {
        self.panel.unwrap_or(Panel::Overview)
    }

    /// The chosen artifact; `None` when there is none, or the filter hides all.
    #[must_use]
    pub fn artifact(&self) -> Option<&ArtifactSnapshot> {
        let chosen = self.artifacts.chosen(self.snapshot.artifacts.len())?;
        self.snapshot.artifacts.get(chosen)
    }

    /// What was found out about the chosen artifact.
    #[must_use]
    pub fn report(&self) -> Option<&ArtifactReport> {
        self.artifact()?.report.as_deref()
    }

    /// The place in `panel`.
    #[must_use]
    pub fn cursor(&self, panel: Panel) -> &Cursor {
        &self.cursors[panel.index()]
    }

    /// The chosen panel's chosen row, of `total`.
    #[must_use]
    pub fn chosen_row(&self, total: usize) -> Option<usize> {
        self.cursor(self.panel()).chosen(total)
    }

    /// Where keys are looked up, first come first served.
    #[must_use]
    pub fn contexts(&self) -> &'static [Context] {
        match (&self.overlay, self.panel()) {
            (Overlay::Palette(_), _) => &[Context::Palette, Context::Always],
            (Overlay::Page(Page { source: PageSource::Fit(_), .. }), _) => {
                &[Context::Fit, Context::Page, Context::Always]
            }
            (Overlay::Page(Page { source: PageSource::Detail, .. }), Panel::Dlopen) => {
                &[Context::Dlopen, Context::Page, Context::Always]
            }
            (Overlay::Page(_), _) => &[Context::Page, Context::Always],
            (Overlay::Find, _) => &[Context::Find, Context::Always],
            (Overlay::Prompt(_), _) => &[Context::Prompt, Context::Always],
            (Overlay::None, Panel::Tree) => &[Context::Tree, Context::Main, Context::Always],
            (Overlay::None, Panel::Policy) => &[Context::Policy, Context::Main, Context::Always],
            (Overlay::None, Panel::Plan) => &[Context::Plan, Context::Main, Context::Always],
            (Overlay::None, Panel::Bytes) => &[Context::Bytes, Context::Main, Context::Always],
            (Overlay::None, Panel::Dlopen) => &[Context::Dlopen, Context::Main, Context::Always],
            (Overlay::None, _) => &[Context::Main, Context::Always],
        }
    }

    /// What the bytes panel may show now: the comparison, if it is the chosen artifact's.
    #[must_use]
    pub fn compared(&self) -> Option<&Compared> {
        let artifact = self.artifact()?;
        self.compared.as_ref().filter(|compared| compared.artifact == artifact.id)
    }
}

/// The two files of a comparison, the clean one first; the reason in words where there is only one.
///
/// # Errors
/// The reason.
pub fn files_to_compare(artifact: &ArtifactSnapshot) -> Result<(&Path, &Path), &'static str> {
    let staging = &artifact.staging;
    match (staging.state, &staging.staged) {
        (StagingState::NotStaged, _) => Err("not staged: there is one file, and nothing to compare it with"),
        (StagingState::Renamed, _) => Err("renamed: until copy back the staged file is cargo's output itself"),
        (StagingState::Mirrored | StagingState::Patched, None) => Err("there is no staged file"),
        (StagingState::Mirrored | StagingState::Patched, Some(staged)) => {
            Ok((staging.cargo_output.as_deref().unwrap_or(&artifact.path), staged))
        }
    }
}
