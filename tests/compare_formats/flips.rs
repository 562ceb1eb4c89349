//! A file of the lab, and the same with bytes changed, compared.

use std::path::{Path, PathBuf};
use tempfile::TempDir;
use wheelwright::engine::Context;
use wheelwright::engine::binary;
use wheelwright::engine::compare::compare;
use wheelwright::engine::file::MemoryBytes;
use wheelwright::engine::report::diff::{DiffDocument, Run};

/// A file, and a place for edited copies.
pub struct Subject {
    directory: TempDir,
    pub bytes: Vec<u8>,
}

impl Subject {
    /// The lab's file `name`.
    pub fn lab(name: &str) -> Self {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/lab/built").join(name);
        Self::of(std::fs::read(path).unwrap())
    }

    pub fn of(bytes: Vec<u8>) -> Self {
        let subject = Self { directory: tempfile::tempdir().unwrap(), bytes };
        std::fs::write(subject.path("a"), &subject.bytes).unwrap();
        subject
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// The file against `edited`.
    pub fn against(&self, edited: &[u8]) -> DiffDocument {
        compare(&self.path("a"), &self.write(edited), &Context::new()).unwrap()
    }

    /// `edited` against the file.
    pub fn from(&self, edited: &[u8]) -> DiffDocument {
        compare(&self.write(edited), &self.path("a"), &Context::new()).unwrap()
    }

    /// Writes `edited` beside the file.
    pub fn write(&self, edited: &[u8]) -> PathBuf {
        std::fs::write(self.path("b"), edited).unwrap();
        self.path("b")
    }

    /// The file with the bytes at `offset` set to `new`.
    pub fn with(&self, edits: &[(usize, &[u8])]) -> Vec<u8> {
        let mut bytes = self.bytes.clone();
        for (offset, new) in edits {
            bytes[*offset..offset + new.len()].copy_from_slice(new);
        }
        bytes
    }

    /// What is said of the file with the byte at `offset` flipped; `None` where the result can't be read any more, or is not
    /// one run.
    pub fn flipped(&self, offset: usize, mask: u8) -> Option<Run> {
        let edited = self.with(&[(offset, &[self.bytes[offset] ^ mask])]);
        if binary::read(&MemoryBytes::new("b".into(), edited.clone())).is_err() {
            return None;
        }
        let mut document = self.against(&edited);
        assert!(!document.equal);
        for run in &document.runs {
            assert!(run.meaning.is_some() && run.region.is_some(), "{offset:#x}: {run:?}");
        }
        let run = document.runs.remove(0);
        (document.runs.is_empty() && run.offset == offset as u64).then_some(run)
    }

    pub fn position(&self, text: &[u8]) -> usize {
        self.bytes.windows(text.len()).position(|window| window == text).unwrap()
    }
}

/// The run that says something with all of `words`.
#[track_caller]
pub fn run_with<'a>(document: &'a DiffDocument, words: &[&str]) -> &'a Run {
    let says = |run: &&Run| run.meaning.as_ref().is_some_and(|said| words.iter().all(|word| said.contains(word)));
    document.runs.iter().find(says).unwrap_or_else(|| panic!("no run says {words:?}: {:#?}", document.runs))
}

/// What the structure says of `what`, before and after.
pub fn change<'a>(document: &'a DiffDocument, what: &str) -> Option<(&'a str, &'a str)> {
    let found = document.structure.iter().find(|change| change.what == what)?;
    Some((found.before.as_deref().unwrap_or("-"), found.after.as_deref().unwrap_or("-")))
}
