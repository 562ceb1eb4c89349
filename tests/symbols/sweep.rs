//! Installed programs and libraries: what is unbound in any object of their trees must be what `ldd -r` finds.

use crate::Case;
use crate::lab::{LOADER, TRACE, graph_of, lacks_glibc, report, said_unbound, unbound};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::deps::{Loader, LoaderInputs, NodeKind};

/// How many files are compared; `WHEELWRIGHT_SWEEP=all` takes all there are.
const COMPARED: usize = 150;

pub fn all() -> Vec<Case> {
    vec![Case { name: "installed_files_lack_what_ldd_finds", lacking: lacks_glibc(), run: sweep }]
}

fn sweep() -> Result<(), Failed> {
    let mut files = Vec::new();
    let named = std::env::var_os("WHEELWRIGHT_SWEEP_IN").map(PathBuf::from);
    for directory in named
        .iter()
        .map(PathBuf::as_path)
        .chain(named.is_none().then_some(Path::new("/usr/bin")))
        .chain(named.is_none().then_some(Path::new("/usr/lib")))
    {
        collect(directory, &mut files);
    }
    files.sort();
    files.dedup();
    let all = std::env::var_os("WHEELWRIGHT_SWEEP").is_some();
    let step = if all { 1 } else { (files.len() / COMPARED).max(1) };
    let (loader, inputs) = (Loader::default(), LoaderInputs::new(PathBuf::from("/")));
    let (mut compared, mut wrong) = (0, Vec::new());
    for file in files.iter().step_by(step) {
        let output = Command::new(LOADER).arg(file).env_clear().envs(TRACE).current_dir("/").output()?;
        let truth = said_unbound(&output, file).filter(|_| output.stdout.windows(9).any(|word| word == b"libc.so.6"));
        let Some(mut truth) = truth else { continue };
        let graph = graph_of(&loader, file, &inputs)?;
        let found = report(file, &graph, &[])?;
        // Of other objects than the artifact Python's own names are only counted.
        for object in found.objects.iter().skip(1).filter(|object| object.python > 0) {
            let path = graph.nodes[object.node].path.clone().unwrap_or_default();
            let python = |name: &str| wheelwright::engine::symbols::python::is_python(name.as_bytes());
            truth.retain(|(of, name, _)| *of != path || !python(name));
        }
        let mut ours = unbound(&found, &graph);
        if graph.nodes.iter().any(|node| node.kind == NodeKind::Missing) {
            // While tracing, ld.so leaves the versions that it asks of a missing library out of its table, and shows some
            // symbols without their version.
            [&mut ours, &mut truth].into_iter().for_each(|set| {
                *set = std::mem::take(set).into_iter().map(|(of, name, _)| (of, name, None)).collect();
            });
        }
        compared += 1;
        if ours != truth {
            let (more, less): (Vec<_>, Vec<_>) = (ours.difference(&truth).collect(), truth.difference(&ours).collect());
            wrong.push(format!("{}: only ours {more:?}, only the loader's {less:?}", file.display()));
        }
    }
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
