//! Which libraries the artifact brought into the process, and who asked for each.
//!
//! The loader's log tells both. What was in the process before it does not tell of: that is read from the headers of what came.
//! Where there is no log, memory maps have to do, which don't say for whom.

use super::answer::{Answer, TRACE};
use crate::engine::binary;
use crate::engine::dlopen::trace::read_log;
use crate::engine::file::Windows;
use crate::engine::report::trace::{LoadResult, TracedLoad};
use std::collections::BTreeSet;
use std::fs::File;
use std::io::BufReader;
use std::path::{Component, Path, PathBuf};

/// A file that came into the process for the artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Seen {
    /// The name that was asked for.
    pub name: String,
    /// The file, without `..`.
    pub path: PathBuf,
    /// The path of whoever asked for it, without `..`; `None` where that is not known.
    pub asked_by: Option<PathBuf>,
}

/// What came into the process `pid` for the artifact and for `first`, which is loaded before it, until the first probe; the
/// artifact itself is left out.
pub(super) fn all(answer: &Answer, artifact: &Path, first: &[PathBuf], said: &Path, pid: u32) -> Vec<Seen> {
    let logged = logged(said, pid);
    let mut seen = by_log(&logged, artifact, first);
    if logged.is_empty() {
        seen = by_maps(answer);
    } else if answer.loaded {
        // Probes come later, and what they bring is not the artifact's.
        let after: BTreeSet<&Path> = answer.after.iter().map(Path::new).collect();
        let is_there = |path: &Path| path.canonicalize().is_ok_and(|real| after.contains(real.as_path()));
        seen.retain(|seen| after.contains(seen.path.as_path()) || is_there(&seen.path));
    }
    add_what_was_there(&mut seen, artifact, answer);
    seen.retain(|seen| seen.path != artifact);
    seen
}

/// The requests of process `pid` in the loader's log.
fn logged(said: &Path, pid: u32) -> Vec<TracedLoad> {
    let path = said.join(format!("{TRACE}.{pid}"));
    let Ok(file) = File::open(&path) else { return Vec::new() };
    let processes = read_log(&path, BufReader::new(file)).unwrap_or_default();
    // The last: before it was the loading program, it was the one that hid the build, which had no log.
    processes.into_iter().rfind(|process| process.pid == pid).map(|process| process.loads).unwrap_or_default()
}

/// What was asked for by the artifact, by what is loaded first, or by what these brought.
fn by_log(loads: &[TracedLoad], artifact: &Path, first: &[PathBuf]) -> Vec<Seen> {
    let mut ours = BTreeSet::from([artifact.to_path_buf()]);
    let mut seen = Vec::new();
    for load in loads.iter().filter(|load| load.result != LoadResult::Failed) {
        let Some(path) = load.path.as_deref().map(plain) else { continue };
        let asked_by = load.asked_by.as_deref().map(plain).filter(|by| ours.contains(by));
        let is_root = first.contains(&path);
        if (is_root || asked_by.is_some()) && ours.insert(path.clone()) {
            seen.push(Seen { name: load.name.clone(), path, asked_by });
        }
    }
    seen
}

/// Adds the libraries that `seen` need and that the loading program had brought before.
fn add_what_was_there(seen: &mut Vec<Seen>, artifact: &Path, answer: &Answer) {
    let before: Vec<&Path> = answer.before.iter().map(Path::new).collect();
    let came: Vec<PathBuf> =
        std::iter::once(artifact.to_path_buf()).chain(seen.iter().map(|seen| seen.path.clone())).collect();
    for file in came {
        for name in needed(&file) {
            let is_known = seen.iter().any(|seen| seen.name == name || seen.path.ends_with(&name));
            let there = before.iter().find(|path| is_called(path, &name)).filter(|_| !is_known);
            if let Some(path) = there {
                seen.push(Seen { name, path: path.to_path_buf(), asked_by: Some(file.clone()) });
            }
        }
    }
}

/// The names that the file at `path` needs; none where it can't be read.
fn needed(path: &Path) -> Vec<String> {
    let binary = Windows::open(path).and_then(|windows| binary::read(&windows)).ok();
    let slice = binary.and_then(|binary| binary.slices.into_iter().next());
    let needed = slice.map(|slice| slice.needed).unwrap_or_default();
    needed.iter().map(|needed| needed.name.to_text().into_owned()).collect()
}

/// Whether the file `path` has the name `name`, or is what the link of that name beside it leads to.
fn is_called(path: &Path, name: &str) -> bool {
    let beside = || path.parent().and_then(|directory| directory.join(name).canonicalize().ok());
    path.ends_with(name) || (!name.contains('/') && beside().as_deref() == Some(path))
}

/// By the memory maps before and after: what is new, in the order of addresses.
fn by_maps(answer: &Answer) -> Vec<Seen> {
    let before: BTreeSet<&String> = answer.before.iter().collect();
    let fresh = answer.after.iter().filter(|path| !before.contains(path));
    let seen = fresh.map(|path| {
        let name = path.rsplit('/').next().unwrap_or_default().to_owned();
        Seen { name, path: PathBuf::from(path), asked_by: None }
    });
    seen.collect()
}

/// `path` with its `.` and `..` taken away, as they can be where no directory of it is a symbolic link.
pub(super) fn plain(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                plain.pop();
            }
            Component::CurDir => {}
            other => plain.push(other),
        }
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::report::trace::LoadCause;

    #[test]
    fn a_path_without_its_ways_up() {
        for (path, expected) in [("/s/a/../a.libs/./x.so", "/s/a.libs/x.so"), ("/../x", "/x"), ("/a/b/", "/a/b")] {
            assert_eq!(plain(Path::new(path)), Path::new(expected));
        }
    }

    fn load(name: &str, by: &str, path: Option<&str>) -> TracedLoad {
        TracedLoad {
            name: name.to_owned(),
            namespace: 0,
            cause: LoadCause::Needed,
            asked_by: Some(by.into()),
            result: if path.is_some() { LoadResult::Loaded } else { LoadResult::Failed },
            path: path.map(PathBuf::from),
            found_by: None,
            searched: Vec::new(),
            tried: Vec::new(),
            error: None,
        }
    }

    #[test]
    fn only_what_the_artifact_brought_is_seen() {
        let loads = [
            load("libm.so.6", "/usr/bin/python3", Some("/lib/libm.so.6")),
            load("/s/b/a.so", "/usr/bin/python3", Some("/s/b/a.so")),
            load("libg.so", "/s/b/a.so", Some("/s/b/../libs/libg.so")),
            load("libabsent.so", "/s/b/a.so", None),
            load("libz.so.1", "/s/b/../libs/libg.so", Some("/lib/libz.so.1")),
            load("_json.so", "/usr/bin/python3", Some("/usr/lib/_json.so")),
            load("libg.so", "/s/b/a.so", Some("/s/b/../libs/libg.so")),
        ];
        let seen = by_log(&loads, Path::new("/s/b/a.so"), &[]);
        let names: Vec<&str> = seen.iter().map(|seen| seen.name.as_str()).collect();
        assert_eq!(names, ["libg.so", "libz.so.1"]);
        assert_eq!(seen[0].path, Path::new("/s/libs/libg.so"));
        assert_eq!(seen[1].asked_by.as_deref(), Some(Path::new("/s/libs/libg.so")));
        let first = by_log(&loads, Path::new("/nowhere"), &["/s/b/a.so".into()]);
        let names: Vec<&str> = first.iter().map(|seen| seen.name.as_str()).collect();
        assert_eq!(names, ["/s/b/a.so", "libg.so", "libz.so.1"]);
    }

    #[test]
    fn maps_tell_what_is_new() {
        let text = |paths: &[&str]| paths.iter().map(|path| (*path).to_owned()).collect();
        let answer = Answer { before: text(&["/a"]), after: text(&["/a", "/b/c"]), ..Answer::default() };
        let expected = Seen { name: "c".to_owned(), path: "/b/c".into(), asked_by: None };
        assert_eq!(by_maps(&answer), [expected]);
    }
}
