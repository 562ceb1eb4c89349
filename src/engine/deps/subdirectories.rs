//! Which subdirectories of a directory glibc looks into before the directory itself, and in which order.
//!
//! glibc-hwcaps since 2.33, the legacy ones before 2.37, both in between, the former first (`elf/dl-hwcaps.c`). ld.so asks for
//! a directory once and then leaves out what is not there; so do we.

use super::processor::Legacy;
use super::sysroot::{Root, View};
use std::cell::RefCell;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// A directory and what lies in it for this processor.
#[derive(Debug)]
pub(super) struct Known {
    /// Whether it is there.
    pub(super) exists: bool,
    /// The subdirectories that are there, by path and name, in the order in which they are tried.
    pub(super) inner: Vec<(PathBuf, String)>,
}

/// What is known of directories in one load.
#[derive(Debug, Default)]
pub(super) struct Subdirectories {
    /// Names below `glibc-hwcaps`, best first.
    pub(super) levels: Vec<String>,
    /// Legacy names; the last is the outermost.
    pub(super) legacy: Vec<Legacy>,
    known: RefCell<HashMap<(View, PathBuf), Arc<Known>>>,
}

impl Subdirectories {
    /// What a processor with these levels and legacy names looks for.
    pub(super) fn new(levels: Vec<String>, legacy: Vec<Legacy>) -> Self {
        Self { levels, legacy, known: RefCell::default() }
    }

    /// What lies in `directory`.
    pub(super) fn of(&self, root: &Root, view: View, directory: &Path) -> Arc<Known> {
        let key = (view, directory.to_path_buf());
        if let Some(known) = self.known.borrow().get(&key) {
            return Arc::clone(known);
        }
        let exists = root.is_directory(view, directory);
        let mut inner = Vec::new();
        if exists {
            let named = directory.join("glibc-hwcaps");
            if !self.levels.is_empty() && root.is_directory(view, &named) {
                let there = |level: &&String| root.is_directory(view, &named.join(level));
                inner.extend(self.levels.iter().filter(there).map(|level| (named.join(level), level.clone())));
            }
            self.add_legacy(root, view, (directory, Path::new("")), self.legacy.len(), &mut inner);
        }
        let known = Arc::new(Known { exists, inner });
        self.known.borrow_mut().insert(key, Arc::clone(&known));
        known
    }

    /// Every combination of the first `count` legacy names below `base`: with the outermost first, then without it.
    fn add_legacy(
        &self,
        root: &Root,
        view: View,
        (base, name): (&Path, &Path),
        count: usize,
        inner: &mut Vec<(PathBuf, String)>,
    ) {
        let Some((outermost, rest)) = self.legacy.get(..count).and_then(<[Legacy]>::split_last) else {
            if name != Path::new("") {
                inner.push((base.to_path_buf(), name.display().to_string()));
            }
            return;
        };
        let with = base.join(&outermost.name);
        if root.is_directory(view, &with) {
            self.add_legacy(root, view, (&with, &name.join(&outermost.name)), rest.len(), inner);
        }
        self.add_legacy(root, view, (base, name), rest.len(), inner);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn subdirectories_are_tried_in_the_order_of_glibc_2_36() {
        let directory = tempfile::tempdir().unwrap();
        for path in ["glibc-hwcaps/x86-64-v2", "tls/x86_64/x86_64", "x86_64", "tls/other", "haswell"] {
            std::fs::create_dir_all(directory.path().join(path)).unwrap();
        }
        let legacy = ["x86_64", "x86_64", "tls"].map(|name| Legacy { name: name.into(), bit: None });
        let subdirectories = Subdirectories::new(vec!["x86-64-v3".into(), "x86-64-v2".into()], legacy.into());
        let known = subdirectories.of(&Root::default(), View::Process, directory.path());
        let names: Vec<&str> = known.inner.iter().map(|(_, name)| name.as_str()).collect();
        let expected = ["x86-64-v2", "tls/x86_64/x86_64", "tls/x86_64", "tls/x86_64", "tls", "x86_64", "x86_64"];
        assert_eq!(names, expected);
        assert!(known.exists);
        let none = subdirectories.of(&Root::default(), View::Process, &directory.path().join("none"));
        assert!(!none.exists && none.inner.is_empty());
    }
}
