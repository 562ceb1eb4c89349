//! The directories that glibc's ldconfig would put into its cache: `/etc/ld.so.conf` (glibc `elf/ldconfig.c`, `parse_conf`).
//!
//! They stand in for a cache that a sysroot does not have; the loader itself reads the cache only. Directories are listed,
//! not looked into: that a file is there under its SONAME is what ldconfig makes sure of.

use super::sysroot::{Root, View};
use super::tokens::as_path;
use crate::engine::file::{ReadAt, Windows};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

/// Files include each other no deeper than this.
const DEEPEST: usize = 8;
/// More directories than this are no list of a real system.
const MOST: usize = 4096;
/// A larger file is no list of directories.
const LARGEST: u64 = 1 << 20;

/// The directories that `/etc/ld.so.conf` names, in order, each once.
pub(super) fn directories(root: &Root) -> Vec<PathBuf> {
    let mut found = Vec::new();
    read(root, Path::new("/etc/ld.so.conf"), 0, &mut found);
    found
}

fn read(root: &Root, file: &Path, depth: usize, found: &mut Vec<PathBuf>) {
    let Some(text) = text_of(root, file).filter(|_| depth < DEEPEST) else { return };
    for line in text.split(|&byte| byte == b'\n') {
        let line = line.split(|&byte| byte == b'#').next().unwrap_or_default().trim_ascii();
        if let Some(patterns) = line.strip_prefix(b"include").filter(|rest| rest.first().is_some_and(is_blank)) {
            for pattern in patterns.split(is_blank).filter(|pattern| !pattern.is_empty()) {
                let beside = file.parent().unwrap_or(Path::new("/")).join(as_path(pattern));
                for included in matching(root, &beside) {
                    read(root, &included, depth + 1, found);
                }
            }
        } else if line.get(..5).is_some_and(|word| word.eq_ignore_ascii_case(b"hwcap")) {
            // ldconfig ignores the directive since glibc 2.33; it never named a directory.
        } else if let Some(directory) = directory_of(line).filter(|_| found.len() < MOST)
            && !found.contains(&directory)
        {
            found.push(directory);
        }
    }
}

fn is_blank(byte: &u8) -> bool {
    matches!(byte, b' ' | b'\t')
}

/// The directory of one line, without `=type` and trailing slashes.
fn directory_of(line: &[u8]) -> Option<PathBuf> {
    let path = line.split(|&byte| byte == b'=').next()?.trim_ascii_end();
    let end = path.iter().rposition(|&byte| byte != b'/')?;
    let directory = as_path(path.get(..=end)?);
    directory.is_absolute().then(|| directory.to_path_buf())
}

fn text_of(root: &Root, file: &Path) -> Option<Vec<u8>> {
    let windows = Windows::open(&root.openable(View::Process, file).ok()?).ok()?;
    windows.bytes(0, windows.size().min(LARGEST)).ok()
}

/// The files that the shell pattern `pattern` names (glob(7)), sorted.
fn matching(root: &Root, pattern: &Path) -> Vec<PathBuf> {
    let mut paths = vec![PathBuf::from("/")];
    for part in pattern.components().skip(1) {
        let part = part.as_os_str().as_bytes();
        let is_pattern = part.iter().any(|byte| b"*?[".contains(byte));
        let entries = |directory: PathBuf| -> Vec<PathBuf> {
            if !is_pattern {
                return vec![directory.join(as_path(part))];
            }
            let here = root.openable(View::Process, &directory).ok().and_then(|path| std::fs::read_dir(path).ok());
            let names = here.into_iter().flatten().flatten().map(|entry| entry.file_name());
            let mut names: Vec<_> = names.filter(|name| fits(part, name.as_bytes())).collect();
            names.sort();
            names.into_iter().map(|name| directory.join(name)).collect()
        };
        paths = paths.into_iter().flat_map(entries).take(MOST).collect();
    }
    paths
}

/// Whether `name` fits `pattern`; a dot at its beginning is matched by a dot only.
fn fits(pattern: &[u8], name: &[u8]) -> bool {
    (name.first() != Some(&b'.') || pattern.first() == Some(&b'.')) && fits_rest(pattern, name)
}

fn fits_rest(mut pattern: &[u8], mut name: &[u8]) -> bool {
    // Where the last star stands and what it has taken so far: one star to go back to is enough.
    let mut star: Option<(&[u8], &[u8])> = None;
    loop {
        let step = match (pattern.split_first(), name.split_first()) {
            (Some((b'*', rest)), _) => {
                star = Some((rest, name));
                pattern = rest;
                continue;
            }
            (None, None) => return true,
            (Some((b'?', rest)), Some((_, left))) => Some((rest, left)),
            (Some((b'[', _)), Some((&byte, left))) => in_class(pattern, byte).map(|rest| (rest, left)),
            (Some((wanted, rest)), Some((byte, left))) if wanted == byte => Some((rest, left)),
            _ => None,
        };
        (pattern, name) = match (step, star) {
            (Some(step), _) => step,
            (None, Some((rest, [_, left @ ..]))) => {
                star = Some((rest, left));
                (rest, left)
            }
            (None, _) => return false,
        };
    }
}

/// What follows the class that `pattern` begins with, where `byte` is in it.
fn in_class(pattern: &[u8], byte: u8) -> Option<&[u8]> {
    let inner = pattern.get(1..)?;
    let negated = matches!(inner.first(), Some(b'!' | b'^'));
    let inner = inner.get(usize::from(negated)..)?;
    // A bracket that comes first is a member.
    let end = inner.iter().skip(1).position(|&byte| byte == b']')? + 1;
    let (mut members, mut found) = (inner.get(..end)?, false);
    while let Some((&first, rest)) = members.split_first() {
        match rest {
            [b'-', last, after @ ..] => {
                found |= (first..=*last).contains(&byte);
                members = after;
            }
            _ => {
                found |= first == byte;
                members = rest;
            }
        }
    }
    if found == negated { None } else { inner.get(end + 1..) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_is_read_as_ldconfig_reads_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().canonicalize().unwrap();
        let write = |name: &str, text: &str| {
            let file = path.join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, text).unwrap();
        };
        let main = "# a comment\n  /opt/one/  # behind\n\ninclude ld.so.conf.d/*.conf\tld.so.conf.d/extra\nhwcap 0 nosegneg\n\
                    relative/dir\n/opt/typed=libc6\n/opt/one\ninclude /etc/ld.so.conf\nincluded/no\n/last";
        write("etc/ld.so.conf", main);
        write("etc/ld.so.conf.d/b.conf", "/b\n");
        write("etc/ld.so.conf.d/a.conf", "/a\n");
        write("etc/ld.so.conf.d/.hidden.conf", "/hidden\n");
        write("etc/ld.so.conf.d/extra", "/extra\n");
        let found = directories(&Root::new(Some(&path)));
        let expected: Vec<&Path> = ["/opt/one", "/a", "/b", "/extra", "/opt/typed", "/last"].map(Path::new).into();
        assert_eq!(found, expected);
    }

    #[test]
    fn patterns_are_matched_as_in_the_shell() {
        let table = [
            ("*.conf", "a.conf", true),
            ("*.conf", ".a.conf", false),
            (".*", ".a", true),
            ("a*b*c", "aXbbYc", true),
            ("a*b*c", "aXbbY", false),
            ("?x", "ax", true),
            ("?x", "x", false),
            ("[a-c]1", "b1", true),
            ("[!a-c]1", "b1", false),
            ("[]]", "]", true),
            ("[a", "[a", false),
            ("**", "", true),
        ];
        for (pattern, name, expected) in table {
            assert_eq!(fits(pattern.as_bytes(), name.as_bytes()), expected, "{pattern} {name}");
        }
    }
}
