//! What the bytes panel shows of one artifact: the comparison as far as it has come, its list, and where the user looks.

use super::changes::{Changes, Entry, Order};
use super::chunks::Chunks;
use crate::engine::compare::{Aligned, Place, Rows, Which};
use crate::engine::project::ArtifactId;
use crate::engine::report::diff::{DiffDocument, RunKind};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A comparison on the screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Compared {
    /// Whose bytes.
    pub artifact: ArtifactId,
    /// The clean file.
    pub clean: PathBuf,
    /// The staged file.
    pub staged: PathBuf,
    /// What differs, as far as is known; `None` until the job has said something.
    pub diff: Option<Arc<DiffDocument>>,
    /// Why it could not be compared, or not to the end.
    pub problem: Option<String>,
    /// Why bytes could not be read.
    pub unread: Option<String>,
    /// What belongs to what.
    pub aligned: Arc<Aligned>,
    /// The list.
    pub changes: Changes,
    /// Where the first line of bytes stands; where the chosen row lies when it is not said.
    pub top: Option<Place>,
    /// The place that the user went to, if it is not that of a row.
    pub open: Option<Place>,
    /// The bytes that were read.
    pub bytes: Chunks,
    /// What was searched for last.
    pub sought: Option<Sought>,
}

/// A search, and what it came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sought {
    /// What the user typed.
    pub text: String,
    /// The bytes.
    pub needle: Vec<u8>,
    /// The file that is searched; both when it is not said.
    pub which: Option<Which>,
    /// Where it was found last.
    pub at: Option<(Which, u64)>,
}

impl Compared {
    /// Nothing yet of the files of `artifact`.
    #[must_use]
    pub fn new(artifact: ArtifactId, clean: PathBuf, staged: PathBuf, order: Order) -> Self {
        Self {
            artifact,
            clean,
            staged,
            diff: None,
            problem: None,
            unread: None,
            aligned: Arc::default(),
            changes: Changes { order, ..Changes::default() },
            top: None,
            open: None,
            bytes: Chunks::default(),
            sought: None,
        }
    }

    /// Whether it is that of these files.
    #[must_use]
    pub fn is_of(&self, artifact: ArtifactId, clean: &Path, staged: &Path) -> bool {
        self.artifact == artifact && self.clean == clean && self.staged == staged
    }

    /// Takes a document, which may be one of a comparison that still runs; the row of the new list that says what `row` of
    /// the old one said.
    pub fn take(&mut self, document: Arc<DiffDocument>, row: Option<usize>) -> Option<usize> {
        let entry = row.and_then(|row| self.changes.entries.get(row).copied());
        let changes = Changes::of(&document, self.changes.order);
        let same = entry.zip(self.diff.as_deref());
        let row = same.and_then(|(entry, before)| changes.same_row(&document, entry, (&self.changes, before)));
        let aligned = Aligned::of(&document);
        let moved = |place: Place| {
            let inserted =
                self.aligned.piece(place.number()).is_some_and(|piece| piece.kind == Some(RunKind::Inserted));
            if inserted { aligned.place(Which::B, place.b) } else { aligned.place(Which::A, place.a) }
        };
        (self.top, self.open) = (self.top.map(moved), self.open.map(moved));
        (self.aligned, self.changes, self.diff) = (Arc::new(aligned), changes, Some(document));
        row
    }

    /// Orders the list anew; the row that says what `row` said.
    pub fn reorder(&mut self, order: Order, row: Option<usize>) -> Option<usize> {
        let document = self.diff.clone()?;
        let changes = Changes::of(&document, order);
        let entry = row.and_then(|row| self.changes.entries.get(row).copied());
        let row = entry.and_then(|entry| changes.same_row(&document, entry, (&self.changes, &document)));
        self.changes = changes;
        row
    }

    /// Whether the comparison has come to its end.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.diff.as_ref().is_some_and(|diff| diff.is_complete())
    }

    /// The lines of the two files, with `bytes` of each on a line.
    #[must_use]
    pub fn rows(&self, bytes: u64) -> Rows<'_> {
        Rows { aligned: &self.aligned, bytes, open: self.open.map(Place::number) }
    }

    /// Where an entry of the list begins; nowhere for what is no range.
    #[must_use]
    pub fn start(&self, entry: Entry) -> Option<Place> {
        match entry {
            Entry::Run(number) => self.aligned.start(number),
            Entry::Group(_) | Entry::Structure(_) => None,
        }
    }

    /// The number of the place whose line stands first among the bytes, when `row` of the list is chosen.
    #[must_use]
    pub fn first_line(&self, row: Option<usize>, bytes: u64) -> u64 {
        let entry = row.and_then(|row| self.changes.entries.get(row).copied());
        match (self.top, entry.and_then(|entry| self.start(entry))) {
            (Some(top), _) => top.number(),
            (None, Some(start)) => self.rows(bytes).moved(start.number(), -1),
            (None, None) => 0,
        }
    }

    /// The part of the document's map in which a place lies: by its offset in the first file, or in what was inserted.
    #[must_use]
    pub fn part(&self, place: Place) -> usize {
        let Some(diff) = &self.diff else { return 0 };
        let piece = self.aligned.piece(place.number());
        let inserted = piece.is_some_and(|piece| piece.kind == Some(RunKind::Inserted));
        diff.map.part(if inserted { place.b } else { place.a })
    }
}
