//! The files of this system: no edit of one that loads is refused for its proof.
//!
//! One file in 40 by default; all of them, and those below `WHEELWRIGHT_SITE_PACKAGES`, with `WHEELWRIGHT_SWEEP=1`.

use std::path::{Path, PathBuf};
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::EditRequest::{
    self, AddNeeded, ClearSymbolVersion, RemoveNeeded, ReplaceNeeded, SetRpath, SetRunpath, SetSoname,
};
use wheelwright::engine::repair::{Builtin, Editor};

/// Where programs and libraries are.
const PLACES: [&str; 4] = ["/usr/lib", "/usr/libexec", "/usr/bin", "/usr/local/lib"];
/// Every so many files one is looked at.
const SAMPLE: usize = 40;

fn requests() -> Vec<Vec<EditRequest>> {
    let long = "/a/long/way".repeat(400);
    vec![
        vec![SetRpath("$ORIGIN/../x.libs".into())],
        vec![SetRunpath(long.as_str().into()), SetSoname("libanother-0123abcd.so.1".into())],
        vec![ReplaceNeeded { from: "libc.so.6".into(), to: "libc-0123abcd.so.6".into() }],
        (0..8).map(|number| AddNeeded(format!("libnew{number}.so").as_str().into())).collect(),
        vec![RemoveNeeded("libc.so.6".into()), RemoveNeeded("libm.so.6".into())],
        vec![ClearSymbolVersion("malloc".into()), ClearSymbolVersion("puts".into())],
    ]
}

/// The files below `place` that begin as ELF files do.
fn collect(place: &Path, files: &mut Vec<PathBuf>) {
    let Ok(entries) = std::fs::read_dir(place) else { return };
    let mut paths: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    paths.sort();
    for path in paths {
        let Ok(metadata) = std::fs::symlink_metadata(&path) else { continue };
        if metadata.is_dir() {
            collect(&path, files);
        } else if metadata.is_file() && is_elf(&path) {
            files.push(path);
        }
    }
}

fn is_elf(path: &Path) -> bool {
    let mut head = [0; 4];
    let read = std::fs::File::open(path).and_then(|mut file| std::io::Read::read_exact(&mut file, &mut head));
    read.is_ok() && &head == b"\x7fELF"
}

#[test]
fn no_file_of_the_system_is_refused_for_its_proof() {
    let all = std::env::var_os("WHEELWRIGHT_SWEEP").is_some_and(|value| value == "1");
    let mut files = Vec::new();
    let packages = std::env::var_os("WHEELWRIGHT_SITE_PACKAGES").map(PathBuf::from).filter(|_| all);
    PLACES.iter().map(PathBuf::from).chain(packages).for_each(|place| collect(&place, &mut files));
    let (mut planned, mut failures) = (0, Vec::new());
    for file in files.iter().step_by(if all { 1 } else { SAMPLE }) {
        for requests in requests() {
            match Builtin::default().plan(&Windows::open(file).unwrap(), &requests) {
                Ok(Ok(plan)) => planned += usize::from(!plan.is_empty()),
                Ok(Err(refusal)) if refusal.reason.contains("proof") => {
                    failures.push(format!("{}: {:?}: {refusal}", file.display(), requests[0]));
                }
                // What has no dynamic section, or can't be read, is none of the proof's.
                Ok(Err(_)) | Err(_) => {}
            }
        }
    }
    assert!(failures.is_empty(), "{} of {planned}:\n{}", failures.len(), failures.join("\n"));
}
