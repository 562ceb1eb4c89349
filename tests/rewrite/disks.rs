//! Filesystems of every kind, in images of their own, mounted for one test.

use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A mounted filesystem, which goes when it is dropped.
pub struct Disk {
    _directory: TempDir,
    pub root: PathBuf,
}

/// Why `kind` can't be mounted here, if so.
pub fn missing(kind: &str) -> Option<String> {
    let make = if kind == "tmpfs" { "true".to_owned() } else { format!("mkfs.{kind}") };
    let script = format!("[ \"$(id -u)\" = 0 ] && command -v {make} && unshare -m true");
    let able = Command::new("sh").args(["-c", &script]).output().is_ok_and(|output| output.status.success());
    let known = || std::fs::read_to_string("/proc/filesystems").is_ok_and(|known| known.contains(kind));
    if !able {
        return Some(format!("needs root and {make}"));
    }
    (!known() && !Command::new("modprobe").arg(kind).output().is_ok_and(|output| output.status.success()))
        .then(|| format!("this kernel has no {kind}"))
}

fn run(program: &str, arguments: &[&str]) {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

impl Disk {
    /// A new filesystem of `kind` with `mebibytes` (as many as it takes at least).
    pub fn new(kind: &str, mebibytes: u64) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().join("mount");
        std::fs::create_dir(&root).unwrap();
        let mount = root.to_str().unwrap().to_owned();
        if kind == "tmpfs" {
            run("mount", &["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "none", &mount]);
        } else {
            let image = directory.path().join("image");
            std::fs::File::create(&image).unwrap().set_len(mebibytes << 20).unwrap();
            let image = image.to_str().unwrap();
            let options: &[&str] = match kind {
                "ext4" => &["-q", "-F", "-m", "0", "-b", "4096"],
                "xfs" => &["-q", "-m", "reflink=1"],
                _ => &["-q"],
            };
            run(&format!("mkfs.{kind}"), &[options, &[image]].concat());
            run("mount", &["-o", "loop", image, &mount]);
        }
        Self { _directory: directory, root }
    }

    /// Makes it read-only, or not again.
    pub fn read_only(&self, is: bool) {
        run("mount", &["-o", if is { "remount,ro" } else { "remount,rw" }, self.root.to_str().unwrap()]);
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(&self.root).status();
    }
}

/// The names in `directory`, sorted.
pub fn names(directory: &Path) -> Vec<String> {
    let entries = std::fs::read_dir(directory).unwrap();
    let mut names: Vec<String> =
        entries.map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned()).collect();
    names.retain(|name| name != "lost+found");
    names.sort();
    names
}
