//! One request while the log of it is read: what was tried so far, and what came of it once the next thing happens.
//!
//! The loader says nothing when a search fails, nor when it finds a file that is in the process under another name; both are
//! told by what follows, or does not.

use super::rules;
use crate::engine::report::audit::SearchRule;
use crate::engine::report::trace::{LoadCause, LoadResult, SearchedList, TracedLoad};
use std::path::{Path, PathBuf};

/// A request with what the document does not hold.
#[derive(Debug, Clone)]
pub(super) struct Request {
    /// What is known so far.
    pub(super) load: TracedLoad,
    /// The file was mapped.
    pub(super) is_mapped: bool,
    /// What came of it is decided.
    is_settled: bool,
    /// The loader said who asked, so that mapping will be said too.
    is_announced: bool,
    /// The file that was tried last was refused.
    is_refused: bool,
}

/// How the load went on after a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum After {
    /// The load went on, so that the request was answered.
    WentOn,
    /// The load went on in any case: what is preloaded may be missing.
    Optional,
    /// The load ended with it.
    Ended,
}

impl Request {
    /// A request for `name`; `announced` with who asks.
    pub(super) fn new(name: &[u8], namespace: u32, cause: LoadCause, announced: Option<&[u8]>) -> Self {
        Self {
            load: TracedLoad {
                name: rules::text(name),
                namespace,
                cause,
                asked_by: announced.map(rules::path),
                result: LoadResult::Failed,
                path: None,
                found_by: None,
                searched: Vec::new(),
                tried: Vec::new(),
                error: None,
            },
            is_mapped: false,
            is_settled: false,
            is_announced: announced.is_some(),
            is_refused: false,
        }
    }

    /// A file that is in the process, however it came there.
    pub(super) fn present(name: &[u8], namespace: u32, cause: LoadCause, result: LoadResult) -> Self {
        let mut request = Self::new(name, namespace, cause, None);
        request.load.result = result;
        request.load.path = Some(rules::path(name));
        if result == LoadResult::AlreadyLoaded {
            request.load.found_by = Some(rules::plain(SearchRule::AlreadyLoaded));
        }
        Self { is_mapped: result == LoadResult::Loaded, is_settled: true, ..request }
    }

    /// Whether the request waits for what comes of it.
    pub(super) fn is_open(&self) -> bool {
        !self.is_settled
    }

    /// A list is walked.
    pub(super) fn walk(&mut self, list: SearchedList) {
        self.load.searched.push(list);
    }

    /// A file is tried.
    pub(super) fn try_file(&mut self, path: &[u8]) {
        self.load.tried.push(rules::path(path));
        self.is_refused = false;
    }

    /// The file that was tried last is not it.
    pub(super) fn refuse(&mut self) {
        self.is_refused = true;
    }

    /// The file that the search ended with, or that the name is; `None` where the lists were walked to their end.
    pub(super) fn candidate(&self) -> Option<&Path> {
        let name = Path::new(&self.load.name);
        if self.load.searched.is_empty() && self.load.tried.is_empty() {
            return self.load.name.contains('/').then_some(name);
        }
        let last = self.load.tried.last()?;
        let list = self.load.searched.last();
        // The default directories come last: whoever tried the last of them has nothing left.
        let at_end = list.is_some_and(|list| {
            list.rule.rule == SearchRule::Default
                && list.directories.last().is_some_and(|directory| directory.join(name) == *last)
        });
        // After the cache's file come the default directories, if it is not taken; another list has been tried then.
        (!at_end && !self.is_refused).then_some(last)
    }

    /// The file is mapped: by the path that was tried last, or by its name.
    pub(super) fn map(&mut self) -> Option<PathBuf> {
        self.is_mapped = true;
        let name = || self.load.name.contains('/').then(|| PathBuf::from(&self.load.name));
        self.load.path = self.load.tried.last().cloned().or_else(name);
        self.load.result = LoadResult::Loaded;
        self.load.found_by = self.rule();
        self.load.path.clone()
    }

    /// The rule that found the file.
    fn rule(&self) -> Option<crate::engine::report::audit::FoundBy> {
        if self.load.cause == LoadCause::Preload {
            return Some(rules::plain(SearchRule::LdPreload));
        }
        match (self.load.searched.last(), self.load.tried.last()) {
            (Some(list), Some(found)) => Some(rules::found_by(list, found)),
            _ if self.load.name.starts_with('/') => Some(rules::plain(SearchRule::Absolute)),
            _ if self.load.name.contains('/') => Some(rules::plain(SearchRule::Relative)),
            _ => None,
        }
    }

    /// Decides what came of the request. `known` gives the object of the process that is the same file as a path.
    pub(super) fn settle(&mut self, after: After, known: impl Fn(&Path) -> Option<PathBuf>) {
        if self.is_settled {
            return;
        }
        self.is_settled = true;
        if self.is_mapped {
            return;
        }
        let candidate = self.candidate().map(Path::to_path_buf);
        let same = candidate.as_deref().or(self.load.tried.last().map(PathBuf::as_path)).and_then(known);
        if !self.is_announced && same.is_none() && candidate.is_some() {
            // Such a log does not tell what is mapped; a search that ends with a file has found it.
            self.map();
        } else if let Some(path) = same.or_else(|| candidate.clone().filter(|_| self.is_answered(after))) {
            self.be_there(path);
        } else {
            self.load.error = Some(match candidate {
                Some(path) if path.as_os_str() != self.load.name.as_str() => {
                    let path = path.display();
                    format!(
                        "{path} was found, and not loaded: the loader refused it, or was not to load it (RTLD_NOLOAD)"
                    )
                }
                Some(_) => "the file was not loaded".to_owned(),
                None => "no file of that name in the places searched".to_owned(),
            });
        }
    }

    /// Whether a request that found a file, and mapped none, was answered by what is there. A preloaded file that the loader
    /// refuses is passed over, but a search passes over it too, and does not end with it.
    fn is_answered(&self, after: After) -> bool {
        after == After::WentOn || (after == After::Optional && !self.load.name.contains('/'))
    }

    /// The file was in the process already, as `path`.
    pub(super) fn be_there(&mut self, path: PathBuf) {
        self.is_settled = true;
        self.load.result = LoadResult::AlreadyLoaded;
        self.load.path = Some(path);
        self.load.found_by = Some(rules::plain(SearchRule::AlreadyLoaded));
    }

    /// The load came to nothing, for the reason `why`.
    pub(super) fn fail(&mut self, why: String) {
        self.is_settled = true;
        self.load.result = LoadResult::Failed;
        self.load.path = None;
        self.load.found_by = None;
        self.load.error = Some(why);
    }
}
