//! One search for one name: the list of places, made by a loader's rules, is walked and every refusal recorded.

use super::bounds::Bounds;
use super::candidate::{Judge, Verdict, judge};
use super::objects::{Looked, Object, Objects};
use super::subdirectories::Subdirectories;
use super::sysroot::{Root, View};
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
    pub(super) entry: Option<Arc<str>>,
    /// Whose entry.
    pub(super) owner: Option<Arc<str>>,
    /// The glibc-hwcaps subdirectory that the place lies in.
    pub(super) hwcaps: Option<String>,
    /// Whose path it is.
    pub(super) view: View,
    /// Where.
    pub(super) at: At,
}

/// The places of one list, made once and walked by every request that comes to it.
pub(super) type Group = Arc<[Place]>;

impl Place {
    /// A place of `rule` that stands in no list.
    pub(super) fn new(rule: SearchRule, at: At) -> Self {
        Self { rule, entry: None, owner: None, hwcaps: None, view: View::Process, at }
    }

    /// A place by a list entry.
    pub(super) fn entry(rule: SearchRule, entry: &str, owner: Option<Arc<str>>, at: At) -> Self {
        Self { entry: Some(entry.into()), owner, ..Self::new(rule, at) }
    }

    /// The same place, which is a path of `view`.
    pub(super) fn seen_by(self, view: View) -> Self {
        Self { view, ..self }
    }
}

/// What is searched for, and for whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Request<'a> {
    /// The name.
    pub(super) name: &'a Name,
    /// The process's root directory.
    pub(super) root: &'a Root,
    /// The process's machine.
    pub(super) arch: &'a Arch,
    /// Whose rules judge a file.
    pub(super) judge: Judge,
    /// The subdirectories to try before each directory.
    pub(super) subdirectories: &'a Subdirectories,
    /// How much may be looked at and recorded.
    pub(super) bounds: &'a Bounds,
}

/// A library that was found.
#[derive(Debug)]
pub(super) struct Found {
    /// The path that it was found under.
    pub(super) path: PathBuf,
    /// That path with symbolic links resolved.
    pub(super) realpath: Option<PathBuf>,
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
    /// How many files were tried besides, and not recorded.
    pub(super) unrecorded: usize,
}

/// Looks at the places of `groups`, in order.
///
/// The candidates hold every directory's file. Of its subdirectories for hardware capabilities only those that exist are tried, since
/// the loader asks for a directory once and then leaves it out.
pub(super) fn search(objects: &Objects, request: Request<'_>, groups: &[Group]) -> Outcome {
    let mut outcome = Outcome::default();
    let root = request.root;
    'groups: for group in groups {
        for place in group.iter() {
            let (files, exists) = files(place, request);
            for (path, hwcaps) in files {
                if !request.bounds.may_look() {
                    outcome.gave_up = Some("this load looks at too many places; the search is cut here".into());
                    return outcome;
                }
                let looked = if exists { objects.look_from(root, place.view, &path) } else { Looked::Missing };
                let rejected = match judge(looked, request.arch, request.judge) {
                    Verdict::Taken { object, binary, slice } => {
                        let (entry, owner) = (place.entry.as_deref(), place.owner.as_deref());
                        let (entry, owner) = (entry.map(str::to_string), owner.map(str::to_string));
                        let by = FoundBy { rule: place.rule, entry, owner, hwcaps };
                        let realpath = root.real(place.view, &path).ok();
                        let path = root.shown_file(place.view, &path);
                        outcome.found = Some(Found { path, realpath, object, binary, slice, by });
                        return outcome;
                    }
                    Verdict::PassedOver(rejected) => rejected,
                    Verdict::EndsList(rejected) => {
                        outcome.refuse(request, place, (path, hwcaps), rejected);
                        continue 'groups;
                    }
                    Verdict::Ends(rejected, message) => {
                        outcome.gave_up = Some(format!("{}: {message}", root.shown(place.view, &path).display()));
                        outcome.refuse(request, place, (path, hwcaps), rejected);
                        return outcome;
                    }
                };
                outcome.refuse(request, place, (path, hwcaps), rejected);
            }
        }
    }
    outcome
}

impl Outcome {
    /// Records that the file of `place` was refused, as far as there is room for it.
    fn refuse(
        &mut self,
        request: Request<'_>,
        place: &Place,
        (path, hwcaps): (PathBuf, Option<String>),
        rejected: Rejection,
    ) {
        let (entry, owner) = (place.entry.as_deref().map(str::to_string), place.owner.as_deref().map(str::to_string));
        let path = request.root.shown(place.view, &path);
        let candidate = Candidate { path, rule: place.rule, entry, owner, hwcaps, rejected };
        if request.bounds.may_record(&candidate) {
            self.candidates.push(candidate);
        } else {
            self.unrecorded += 1;
        }
    }
}

/// The files of one place, in the order in which they are tried, each with its subdirectory for hardware capabilities; and
/// whether the directory is there at all.
fn files(place: &Place, request: Request<'_>) -> (Vec<(PathBuf, Option<String>)>, bool) {
    let name = as_path(request.name.as_bytes());
    match &place.at {
        At::File(path) => (vec![(path.clone(), place.hwcaps.clone())], true),
        At::DirectoryIgnoringCase(directory) => {
            (vec![(ignoring_case(request.root, place.view, directory, name), None)], true)
        }
        At::Directory(directory) => {
            let known = request.subdirectories.of(request.root, place.view, directory);
            let inner = known.inner.iter().filter(|_| takes_hwcaps(place.rule));
            let mut files: Vec<_> = inner.map(|(inner, called)| (inner.join(name), Some(called.clone()))).collect();
            files.push((directory.join(name), None));
            (files, known.exists)
        }
    }
}

/// Directories that no loader knows are searched plainly.
fn takes_hwcaps(rule: SearchRule) -> bool {
    !matches!(rule, SearchRule::LinkedPath | SearchRule::LdPath)
}

/// `name` in `directory` under the spelling that stands there; the first by byte order where several do.
fn ignoring_case(root: &Root, view: View, directory: &Path, name: &Path) -> PathBuf {
    let exact = directory.join(name);
    let overlaid = |path: &Path| root.overlay().is_some_and(|overlay| overlay.file(path).is_some());
    if root.openable(view, &exact).is_ok_and(|path| overlaid(&path) || path.is_file()) {
        return exact;
    }
    let wanted = name.as_os_str().to_ascii_lowercase();
    let here = root.openable(view, directory).and_then(std::fs::read_dir);
    let added = root.overlay().map(|overlay| overlay.names(directory)).unwrap_or_default();
    let names = here.into_iter().flatten().flatten().map(|entry| entry.file_name()).chain(added);
    names.filter(|name| name.to_ascii_lowercase() == wanted).min().map_or(exact, |name| directory.join(name))
}
