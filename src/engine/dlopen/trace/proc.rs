//! What `/proc` tells of a process. Everything may be gone the next moment, or not be ours to see: then it is `None`.

use memchr::memmem;
use std::ffi::{OsStr, OsString};
use std::io::Read;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

/// The most that is read of one file of `/proc`, in bytes.
const MOST: u64 = 4 << 20;

/// What `/proc/PID/stat` says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stat {
    /// The parent's process id.
    pub(super) parent: u32,
    /// When it began, in clock ticks after the machine's start: with the id it names one process.
    pub(super) start: u64,
    /// Whether it has ended, and waits for its parent.
    pub(super) is_zombie: bool,
}

fn read(pid: u32, file: &str) -> Option<Vec<u8>> {
    let file = std::fs::File::open(format!("/proc/{pid}/{file}")).ok()?;
    let mut bytes = Vec::new();
    file.take(MOST).read_to_end(&mut bytes).ok()?;
    Some(bytes)
}

pub(super) fn stat(pid: u32) -> Option<Stat> {
    let bytes = read(pid, "stat")?;
    // The name in parentheses may hold anything.
    let end = memchr::memrchr(b')', &bytes)?;
    let rest = std::str::from_utf8(bytes.get(end + 1..)?).ok()?;
    let mut fields = rest.split_ascii_whitespace();
    let is_zombie = matches!(fields.next()?, "Z" | "X");
    let parent = fields.next()?.parse().ok()?;
    let start = fields.nth(17)?.parse().ok()?;
    Some(Stat { parent, start, is_zombie })
}

/// The program's file. One that was deleted keeps its name.
pub(super) fn program(pid: u32) -> Option<PathBuf> {
    let link = std::fs::read_link(format!("/proc/{pid}/exe")).ok()?;
    Some(without_deleted(link.as_os_str().as_bytes()))
}

fn without_deleted(path: &[u8]) -> PathBuf {
    PathBuf::from(OsStr::from_bytes(path.strip_suffix(b" (deleted)").unwrap_or(path)))
}

pub(super) fn directory(pid: u32) -> Option<PathBuf> {
    std::fs::read_link(format!("/proc/{pid}/cwd")).ok()
}

/// The environment that its program was started with.
pub(super) fn environment(pid: u32) -> Option<Vec<u8>> {
    read(pid, "environ")
}

/// The value of a variable in [`environment`]'s answer.
pub(super) fn variable(environment: &[u8], name: &str) -> Option<OsString> {
    environment.split(|byte| *byte == 0).find_map(|one| {
        let value = one.strip_prefix(name.as_bytes())?.strip_prefix(b"=")?;
        Some(OsString::from_vec(value.to_vec()))
    })
}

/// Whether a process was started with `mark` in its environment.
pub(super) fn is_marked(pid: u32, mark: &[u8]) -> bool {
    environment(pid).is_some_and(|environment| memmem::find(&environment, mark).is_some())
}

/// The files whose code is mapped, in the order of their addresses.
pub(super) fn mapped(pid: u32) -> Vec<PathBuf> {
    read(pid, "maps").map(|maps| mapped_files(&maps)).unwrap_or_default()
}

fn mapped_files(maps: &[u8]) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = Vec::new();
    for line in maps.split(|byte| *byte == b'\n') {
        let mut fields = line.splitn(6, |byte| *byte == b' ');
        let rights = fields.nth(1).unwrap_or_default();
        let path = fields.nth(3).unwrap_or_default().trim_ascii_start();
        if rights.contains(&b'x') && path.starts_with(b"/") {
            let path = without_deleted(path);
            if !found.contains(&path) {
                found.push(path);
            }
        }
    }
    found
}

/// All processes that can be seen.
pub(super) fn all() -> Vec<u32> {
    numbers(Path::new("/proc"))
}

/// The children of a process, of all its threads.
pub(super) fn children(pid: u32) -> Vec<u32> {
    let mut found = Vec::new();
    for thread in numbers(Path::new(&format!("/proc/{pid}/task"))) {
        let Some(text) = read(pid, &format!("task/{thread}/children")) else { continue };
        let words = String::from_utf8_lossy(&text);
        found.extend(words.split_ascii_whitespace().filter_map(|word| word.parse::<u32>().ok()));
    }
    found
}

fn numbers(directory: &Path) -> Vec<u32> {
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let mut found: Vec<u32> = entries.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).collect();
    found.sort_unstable();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_as_it_is() {
        let pid = std::process::id();
        let stat = stat(pid).unwrap();
        assert_eq!(Some(stat.parent), Some(std::os::unix::process::parent_id()));
        assert!(!stat.is_zombie && stat.start > 0);
        assert_eq!(program(pid), std::env::current_exe().ok());
        assert!(mapped(pid).contains(&std::env::current_exe().unwrap()));
        assert_eq!(variable(b"A=1\0AB=2\0", "AB"), Some("2".into()));
        assert_eq!(variable(b"A=1\0AB=2\0", "B"), None);
        assert!(all().contains(&pid));
    }

    #[test]
    fn maps_name_files_with_blanks() {
        let maps = b"1-2 r-xp 0 fd:01 12                  /a b.so\n2-3 r--p 0 fd:01 12    /c.so\n3-4 r-xp 0 00:00 0 [vdso]\n4-5 r-xp 0 fd:01 3   /d.so (deleted)\n5-6 r-xp 0 fd:01 12 /a b.so\n";
        assert_eq!(mapped_files(maps), [PathBuf::from("/a b.so"), PathBuf::from("/d.so")]);
    }
}
