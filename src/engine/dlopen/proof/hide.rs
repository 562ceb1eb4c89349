//! The build out of reach: which directories can be hidden, and empty ones mounted over them in a mount namespace of the child.
//!
//! Nothing of it is seen outside, and all of it goes with the process. Where the kernel gives no such namespace, the loader's
//! log has to tell what came from the build.

use super::answer::{Hidden, Request};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// How the report calls it.
const NAMESPACE: &str = "mount namespace";
const TRACE_ONLY: &str = "trace only";

/// The directories that hold a system's libraries, below which much more lies than a build: never hidden.
const SYSTEM: [&str; 8] =
    ["/lib", "/lib64", "/usr/lib", "/usr/lib64", "/usr/local/lib", "/usr/local/lib64", "/etc", "/proc"];

/// Which of the directories `hide` can be hidden, as they really are and none below another, and which have to be left because
/// something of `keep` or of the system lies in them.
pub(super) fn choose(hide: &[PathBuf], keep: &[PathBuf]) -> (Vec<PathBuf>, Vec<PathBuf>) {
    let mut kept: BTreeSet<PathBuf> = SYSTEM.iter().map(PathBuf::from).collect();
    kept.extend(multiarch_directories());
    kept.extend(keep.iter().flat_map(|path| [Some(path.clone()), path.canonicalize().ok()]).flatten());
    let (mut chosen, mut left): (BTreeSet<PathBuf>, BTreeSet<PathBuf>) = Default::default();
    for directory in hide.iter().filter_map(|path| path.canonicalize().ok()).filter(|path| path.is_dir()) {
        let needed = kept.iter().any(|kept| kept.starts_with(&directory));
        if needed {
            left.insert(directory)
        } else {
            chosen.insert(directory)
        };
    }
    let below_another = |path: &PathBuf| path.ancestors().skip(1).any(|above| chosen.contains(above));
    let outermost = chosen.iter().filter(|path| !below_another(path)).cloned().collect();
    (outermost, left.into_iter().collect())
}

/// Debian's `/usr/lib/x86_64-linux-gnu` and its like.
fn multiarch_directories() -> Vec<PathBuf> {
    let is_one = |path: &PathBuf| {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        name.split('-').count() == 3 && name.contains("-linux-")
    };
    let below = |directory| std::fs::read_dir(directory).into_iter().flatten().flatten().map(|entry| entry.path());
    ["/lib", "/usr/lib"].into_iter().flat_map(below).filter(is_one).collect()
}

/// Hides what `request` asks for from this process.
#[cfg(target_os = "linux")]
pub(super) fn hide(request: &Request) -> Hidden {
    let (chosen, left) = choose(&request.hide, &request.keep);
    if chosen.is_empty() {
        return Hidden { by: None, left };
    }
    let by = if mount(request, &chosen).is_some() { NAMESPACE } else { TRACE_ONLY };
    Hidden { by: Some(by.to_owned()), left }
}

#[cfg(target_os = "linux")]
fn mount(request: &Request, chosen: &[PathBuf]) -> Option<()> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use rustix::mount::{MountFlags, MountPropagationFlags, mount, mount_bind, mount_change, mount_remount};
    use std::os::fd::AsRawFd;

    super::native::enter_mount_namespace().ok()?;
    mount_change("/", MountPropagationFlags::PRIVATE | MountPropagationFlags::REC).ok()?;
    let scratch =
        openat(CWD, &request.scratch, OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty()).ok()?;
    let flags = MountFlags::NOSUID | MountFlags::NODEV;
    for directory in chosen {
        mount("wheelwright", directory, "tmpfs", flags, c"mode=755").ok()?;
        if request.scratch.starts_with(directory) {
            // The bundle lies in the build's own directory: of that it stays in reach, at the same path.
            std::fs::create_dir_all(&request.scratch).ok()?;
            mount_bind(Path::new(&format!("/proc/self/fd/{}", scratch.as_raw_fd())), &request.scratch).ok()?;
        }
    }
    // Laid out by hard links, it could be written to by what is loaded. Where the kernel refuses, it is as everywhere else.
    if mount_bind(&request.bundle, &request.bundle).is_ok() {
        let _ = mount_remount(&request.bundle, MountFlags::BIND | MountFlags::RDONLY | flags, c"");
    }
    std::env::set_current_dir(&request.empty).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_needed_is_left_and_the_rest_hidden_once() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        let place = |name: &str| {
            let path = root.join(name);
            std::fs::create_dir_all(&path).unwrap();
            path
        };
        let (target, out, venv, python) =
            (place("target"), place("target/out"), place("venv"), place("venv/bin/python"));
        std::os::unix::fs::symlink(&target, root.join("link")).unwrap();
        let hide = [
            out,
            target.clone(),
            root.join("link"),
            venv.clone(),
            root.join("absent"),
            PathBuf::from("/usr/lib"),
            PathBuf::from("/"),
        ];
        let (chosen, left) = choose(&hide, &[python]);
        assert_eq!(chosen, [target]);
        assert_eq!(
            left,
            [PathBuf::from("/"), PathBuf::from("/usr/lib").canonicalize().unwrap(), venv]
                .into_iter()
                .collect::<BTreeSet<_>>()
                .into_iter()
                .collect::<Vec<_>>()
        );
    }
}
