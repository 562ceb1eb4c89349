//! Ways between paths, worked out without touching the disk.

use std::path::{Component, Path, PathBuf};

/// `name` below `directory`, wherever else it may lead: names in a wheel come from files that we did not write.
#[must_use]
pub fn below(directory: &Path, name: &str) -> PathBuf {
    let mut path = directory.to_path_buf();
    path.extend(Path::new(name).components().filter(|part| matches!(part, Component::Normal(_))));
    path
}

/// The way from directory `from` to `to`, both absolute, without touching the disk.
#[must_use]
pub fn relative_path(from: &Path, to: &Path) -> PathBuf {
    let shared = from.components().zip(to.components()).take_while(|(one, other)| one == other).count();
    let mut way = PathBuf::new();
    for _ in from.components().skip(shared) {
        way.push("..");
    }
    way.extend(to.components().skip(shared));
    way
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_between_directories() {
        for (from, to, way) in [
            ("/t/wheelwright/release/bundle/labext", "/t/release/liblabext.so", "../../../../release/liblabext.so"),
            ("/a/b", "/a/b/c", "c"),
            ("/a", "/b", "../b"),
            ("/labext", "/labext.libs", "../labext.libs"),
        ] {
            assert_eq!(relative_path(Path::new(from), Path::new(to)), Path::new(way));
        }
    }
}
