//! The files of Python that are read: how many, how deep, how large.

use super::is_python;
use std::path::{Path, PathBuf};

/// More files than this are not read.
const MOST_FILES: usize = 2000;
/// More entries of folders than this are not looked at.
const MOST_ENTRIES: usize = 50_000;
/// Folders within folders are entered so deep.
const DEEPEST: usize = 8;
/// A larger file is no source, in bytes.
const LARGEST: u64 = 4 << 20;

/// The files of Python at `places`, folders entered, sorted; that some are left out is added to `notes`.
pub(super) fn python_files(places: &[PathBuf], notes: &mut Vec<String>) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<(PathBuf, usize)> = places.iter().map(|place| (place.clone(), 0)).collect();
    let mut entries = 0;
    while let Some((path, depth)) = open.pop() {
        // Only the named places may be links: a link within them could lead anywhere, or round in a circle.
        let kind = if depth == 0 { std::fs::metadata(&path) } else { std::fs::symlink_metadata(&path) };
        let Ok(kind) = kind else { continue };
        if kind.is_file() && (depth == 0 || is_python(&path)) {
            found.push(path);
        } else if kind.is_dir() && depth <= DEEPEST {
            let Ok(listed) = std::fs::read_dir(&path) else {
                notes.push(format!("{}: the folder can't be read", path.display()));
                continue;
            };
            for entry in listed.flatten() {
                entries += 1;
                if entries <= MOST_ENTRIES && entry.file_name() != "__pycache__" {
                    open.push((entry.path(), depth + 1));
                }
            }
        }
    }
    found.sort();
    found.dedup();
    if found.len() > MOST_FILES || entries > MOST_ENTRIES {
        notes.push(format!("of the Python files, only the first {MOST_FILES} were read"));
        found.truncate(MOST_FILES);
    }
    found
}

/// The source in the file `path`; `None`, with a note, where it can't be read as one.
pub(super) fn source(path: &Path, notes: &mut Vec<String>) -> Option<String> {
    match std::fs::metadata(path) {
        Ok(metadata) if metadata.len() > LARGEST => {
            notes.push(format!("{}: not read, larger than {LARGEST} bytes", path.display()));
            return None;
        }
        _ => {}
    }
    match std::fs::read(path) {
        Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
        Err(error) => {
            notes.push(format!("{}: cannot read: {error}", path.display()));
            None
        }
    }
}
