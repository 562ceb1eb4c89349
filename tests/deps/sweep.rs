//! Installed programs and libraries: for each, every name must lead to the path that the loader's own list gives.

use crate::Case;
use crate::lab::{LOADER, found, lacks_glibc, parse_trace};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::deps::{Loader, LoaderInputs, Placed};

/// Every how many-th file is compared; `WHEELWRIGHT_SWEEP=1` takes all, and those of the folder that
/// `WHEELWRIGHT_SITE_PACKAGES` names.
const EVERY: usize = 5;

pub fn all() -> Vec<Case> {
    vec![Case { name: "installed_files_resolve_as_by_the_loader", lacking: lacks_glibc(), run: sweep }]
}

#[allow(clippy::print_stdout)]
fn sweep() -> Result<(), Failed> {
    let every = std::env::var("WHEELWRIGHT_SWEEP").ok().and_then(|text| text.parse().ok()).unwrap_or(EVERY).max(1);
    let mut files = Vec::new();
    let packages = std::env::var_os("WHEELWRIGHT_SITE_PACKAGES").map(PathBuf::from);
    let system = ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/libexec"].map(PathBuf::from);
    for directory in system.into_iter().chain(packages) {
        collect(&directory, &mut files);
    }
    files.sort();
    files.dedup();
    let loader = Loader::default();
    let inputs = LoaderInputs::new(PathBuf::from("/"));
    let (mut compared, mut names, mut missing, mut wrong) = (0, 0, 0, Vec::new());
    for file in files.iter().step_by(every) {
        let output = Command::new(LOADER).arg("--list").arg(file).env_clear().current_dir("/").output()?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        if text.contains("statically linked") || !text.contains("libc.so.6") || !output.status.success() {
            continue;
        }
        let graph = loader.resolve(&Placed::in_place(file), 0, &inputs, &Context::new())?;
        let (ours, truth) = (found(&graph), parse_trace(&text, Path::new("/")));
        compared += 1;
        names += truth.len();
        missing += truth.values().filter(|path| path.is_none()).count();
        if ours != truth {
            wrong.push(format!("{}: the lens finds {ours:?}, the loader {truth:?}", file.display()));
        }
    }
    println!("{compared} files, {names} names, of which {missing} are found nowhere; {} files differ", wrong.len());
    if compared < 20 {
        return Err(format!("only {compared} files could be compared").into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} of {compared}: {wrong:#?}", wrong.len()).into()) }
}

/// The ELF files of a directory and those below it, by their real paths.
fn collect(directory: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(directory) else { return };
    for entry in entries.flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            collect(&entry.path(), files);
        } else if kind.is_file() && begins_as_elf(&entry.path()) {
            files.extend(entry.path().canonicalize());
        }
    }
}

/// Whether the file is a shared object or program of this machine (relocatable files are no matter of the loader).
fn begins_as_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 20];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head.starts_with(b"\x7fELF\x02\x01") && matches!(head[16], 2 | 3) && head[18] == 62
}
