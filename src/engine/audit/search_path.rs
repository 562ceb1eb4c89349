//! The search path of a slice as the report shows it: each entry as it stands, filled in, and whether it is there.

use crate::engine::binary::{RunPath, RunPathTag, Slice};
use crate::engine::report::audit::{RpathEntry, RpathReport};
use std::path::{Component, Path, PathBuf};

/// The search path that the loader heeds: with both ELF kinds in a file, RUNPATH (gABI, "Shared Object Dependencies").
#[must_use]
pub fn heeded(slice: &Slice) -> Option<&RunPath> {
    let runpath = slice.run_paths.iter().find(|path| path.tag == RunPathTag::Runpath);
    runpath.or_else(|| slice.run_paths.first())
}

/// The report on the search path of `slice` of the artifact at `path`; `build_directories` are known to exist only where
/// it was built.
#[must_use]
pub fn report(slice: &Slice, path: &Path, build_directories: &[PathBuf]) -> RpathReport {
    let Some(heeded) = heeded(slice) else { return RpathReport::default() };
    let directory = path.parent().unwrap_or(Path::new("/"));
    let same = slice.run_paths.iter().filter(|other| other.tag == heeded.tag);
    let literals = same.flat_map(|other| {
        let text = other.text.to_text().into_owned();
        match other.tag {
            RunPathTag::LcRpath => vec![text],
            RunPathTag::Rpath | RunPathTag::Runpath => text.split(':').map(str::to_string).collect(),
        }
    });
    let entry = |literal: String| {
        let expanded = expand(&literal, directory);
        let exists = expanded.as_deref().map(Path::is_dir);
        let note = note(&literal, expanded.as_deref(), exists, build_directories);
        RpathEntry { literal, expanded, exists, note }
    };
    RpathReport { tag: Some(heeded.tag), entries: literals.map(entry).collect() }
}

/// `literal` with its leading `$ORIGIN`, `@loader_path` or `@executable_path` filled in; `None` where that can't be done
/// without a process: other tokens, entries relative to the working directory.
fn expand(literal: &str, directory: &Path) -> Option<PathBuf> {
    let tokens = ["$ORIGIN", "${ORIGIN}", "@loader_path", "@executable_path"];
    let rest = tokens.iter().find_map(|token| literal.strip_prefix(token));
    let path = match rest {
        Some("") => directory.to_path_buf(),
        Some(rest) => directory.join(rest.strip_prefix('/')?),
        None => PathBuf::from(literal),
    };
    (path.is_absolute() && !path.to_string_lossy().contains('$')).then(|| without_dots(&path))
}

/// `path` without `.` and `..`, by its text alone.
fn without_dots(path: &Path) -> PathBuf {
    let mut plain = PathBuf::new();
    for part in path.components() {
        match part {
            Component::CurDir => {}
            Component::ParentDir => {
                plain.pop();
            }
            other => plain.push(other),
        }
    }
    plain
}

fn note(literal: &str, expanded: Option<&Path>, exists: Option<bool>, build_directories: &[PathBuf]) -> Option<String> {
    let text = if literal.is_empty() {
        "empty: the working directory"
    } else if literal.starts_with('$') || literal.starts_with('@') {
        match (expanded, exists) {
            (None, _) => "not filled in here",
            (Some(_), Some(false)) => "no such directory",
            _ => return None,
        }
    } else if !literal.starts_with('/') {
        "relative to the working directory"
    } else if expanded.is_some_and(|path| build_directories.iter().any(|directory| path.starts_with(directory))) {
        "build machine only"
    } else if exists == Some(false) {
        "absolute; no such directory"
    } else {
        "absolute"
    };
    Some(text.to_string())
}

/// Why an entry has no place in a wheel: it is absolute or relative to the working directory, or leads out of the wheel
/// from `artifact_directory` (the artifact's place in it, where that is known).
#[must_use]
pub fn objection(literal: &str, artifact_directory: Option<&str>) -> Option<String> {
    let tokens = ["$ORIGIN", "${ORIGIN}", "@loader_path", "@executable_path"];
    let Some(rest) = tokens.iter().find_map(|token| literal.strip_prefix(token)) else {
        return match literal {
            "" => Some("is empty, which means the working directory".to_string()),
            // @rpath and tokens of the processor lead where the loader decides.
            _ if literal.starts_with(['@', '$']) => None,
            _ if literal.starts_with('/') => Some("is an absolute path of the build machine".to_string()),
            _ => Some("is relative to the working directory".to_string()),
        };
    };
    let mut depth = Path::new(artifact_directory?).components().count();
    for part in Path::new(rest).components() {
        match part {
            Component::ParentDir => match depth.checked_sub(1) {
                Some(less) => depth = less,
                None => return Some("leads out of the wheel".to_string()),
            },
            Component::Normal(_) => depth += 1,
            _ => {}
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_filled_in_where_that_needs_no_process() {
        for (literal, expanded) in [
            ("$ORIGIN", Some("/a/b")),
            ("${ORIGIN}/../lib", Some("/a/lib")),
            ("@loader_path/x", Some("/a/b/x")),
            ("/opt/lib", Some("/opt/lib")),
            ("$ORIGINAL", None),
            ("/opt/$LIB", None),
            ("lib", None),
            ("", None),
        ] {
            assert_eq!(expand(literal, Path::new("/a/b")), expanded.map(PathBuf::from), "{literal}");
        }
    }

    #[test]
    fn entries_that_have_no_place_in_a_wheel() {
        for (literal, directory, objects) in [
            ("/home/me/lib", None, true),
            ("lib", None, true),
            ("", None, true),
            ("$ORIGIN/../labext.libs", Some("labext"), false),
            ("$ORIGIN/../labext.libs", Some(""), true),
            ("$ORIGIN/../../x", Some("a/b"), false),
            ("$ORIGIN/../../../x", Some("a/b"), true),
            ("$ORIGIN/x/../../y", Some(""), true),
            ("$ORIGIN/../../../x", None, false),
            ("@rpath/x", None, false),
        ] {
            assert_eq!(objection(literal, directory).is_some(), objects, "{literal} {directory:?}");
        }
    }
}
