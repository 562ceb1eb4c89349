//! One search for one name: the list of places, made by a loader's rules, is walked and every refusal recorded.

use super::candidate::{Judge, Verdict, judge};
use super::objects::{Object, Objects};
use super::tokens::as_path;
use crate::engine::binary::{Arch, Binary, Name};
use crate::engine::report::audit::{Candidate, FoundBy, Rejection, SearchRule};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Where one rule looks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum At {
    /// For the name in this directory.
    Directory(PathBuf),
    /// For the name in this directory, upper and lower case alike.
    DirectoryIgnoringCase(PathBuf),
    /// At this file.
    File(PathBuf),
}

/// One place that a loader looks at, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Place {
    /// The rule.
    pub(super) rule: SearchRule,
    /// The list entry as it stands in the file or variable.
    pub(super) entry: Option<String>,
    /// Whose entry.
    pub(super) owner: Option<String>,
    /// The glibc-hwcaps subdirectory that the place lies in.
    pub(super) hwcaps: Option<String>,
    /// Where.
    pub(super) at: At,
}

impl Place {
    /// A place of `rule` that stands in no list.
    pub(super) fn new(rule: SearchRule, at: At) -> Self {
        Self { rule, entry: None, owner: None, hwcaps: None, at }
    }

    /// A place by a list entry.
    pub(super) fn entry(rule: SearchRule, entry: impl Into<String>, owner: Option<String>, at: At) -> Self {
        Self { rule, entry: Some(entry.into()), owner, hwcaps: None, at }
    }
}

/// What is searched for, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// The name.
    pub(super) name: &'a Name,
    /// The process's machine.
    pub(super) arch: &'a Arch,
    /// Whose rules judge a file.
    pub(super) judge: Judge,
    /// The glibc-hwcaps subdirectories to try in each directory, best first.
    pub(super) hwcaps: &'a [String],
}

/// A library that was found.
#[derive(Debug)]
pub(super) struct Found {
    /// The path that it was found under.
    pub(super) path: PathBuf,
    /// The file.
    pub(super) object: Arc<Object>,
    /// Its parsed form.
    pub(super) binary: Arc<Binary>,
    /// The fitting slice's number.
    pub(super) slice: usize,
    /// What found it.
    pub(super) by: FoundBy,
}

/// What a search came to.
#[derive(Debug, Default)]
pub(super) struct Outcome {
    /// The library, if one was found.
    pub(super) found: Option<Found>,
    /// The files that were tried before, in order.
    pub(super) candidates: Vec<Candidate>,
    /// What the loader says, when a file made it give up.
    pub(super) gave_up: Option<String>,
}

/// Looks at `places`, in order.
///
/// The candidates hold every directory's file. Of its glibc-hwcaps subdirectories only those that exist are tried, since
/// the loader asks for a directory once and then leaves it out.
pub(super) fn search(objects: &Objects, request: Request<'_>, places: &[Place]) -> Outcome {
    let mut outcome = Outcome::default();
    for place in places {
        for (path, hwcaps) in files(place, request) {
            match judge(objects, &path, request.arch, request.judge) {
                Verdict::Taken { object, binary, slice } => {
                    let (entry, owner) = (place.entry.clone(), place.owner.clone());
                    let by = FoundBy { rule: place.rule, entry, owner, hwcaps };
                    outcome.found = Some(Found { path, object, binary, slice, by });
                    return outcome;
                }
                Verdict::PassedOver(rejected) => outcome.candidates.push(refused(place, path, hwcaps, rejected)),
                Verdict::Ends(rejected, message) => {
                    outcome.gave_up = Some(format!("{}: {message}", path.display()));
                    outcome.candidates.push(refused(place, path, hwcaps, rejected));
                    return outcome;
                }
            }
        }
    }
    outcome
}

fn refused(place: &Place, path: PathBuf, hwcaps: Option<String>, rejected: Rejection) -> Candidate {
    Candidate { path, rule: place.rule, entry: place.entry.clone(), owner: place.owner.clone(), hwcaps, rejected }
}

/// The files of one place, in the order in which they are tried, each with its glibc-hwcaps subdirectory.
fn files(place: &Place, request: Request<'_>) -> Vec<(PathBuf, Option<String>)> {
    let name = as_path(request.name.as_bytes());
    match &place.at {
        At::File(path) => vec![(path.clone(), place.hwcaps.clone())],
        At::DirectoryIgnoringCase(directory) => vec![(ignoring_case(directory, name), None)],
        At::Directory(directory) => {
            let mut files = Vec::new();
            let levels = directory.join("glibc-hwcaps");
            if !request.hwcaps.is_empty() && takes_hwcaps(place.rule) && levels.is_dir() {
                let usable = request.hwcaps.iter().map(|level| (levels.join(level), level));
                let usable = usable.filter(|(directory, _)| directory.is_dir());
                files.extend(usable.map(|(directory, level)| (directory.join(name), Some(level.clone()))));
            }
            files.push((directory.join(name), None));
            files
        }
    }
}

/// Directories that no loader knows are searched plainly.
fn takes_hwcaps(rule: SearchRule) -> bool {
    !matches!(rule, SearchRule::LinkedPath | SearchRule::LdPath)
}

/// `name` in `directory` under the spelling that stands there; the first by byte order where several do.
fn ignoring_case(directory: &Path, name: &Path) -> PathBuf {
    let exact = directory.join(name);
    if exact.is_file() {
        return exact;
    }
    let wanted = name.as_os_str().to_ascii_lowercase();
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let spelled = entries.filter(|entry| entry.file_name().to_ascii_lowercase() == wanted).map(|entry| entry.path());
    spelled.min().unwrap_or(exact)
}
