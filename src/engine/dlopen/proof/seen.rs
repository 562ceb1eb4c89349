//! Which libraries the artifact brought into the process, and who asked for each.

use super::answer::Answer;
use std::collections::BTreeSet;
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

/// What came into the process for the artifact before the first probe, the artifact included.
pub(super) fn all(answer: &Answer) -> Vec<Seen> {
    by_maps(answer)
}

/// By the memory maps before and after: what is new, in the order of addresses, and not for whom.
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

    #[test]
    fn a_path_without_its_ways_up() {
        for (path, expected) in [("/s/a/../a.libs/./x.so", "/s/a.libs/x.so"), ("/../x", "/x"), ("/a/b/", "/a/b")] {
            assert_eq!(plain(Path::new(path)), Path::new(expected));
        }
    }
}
