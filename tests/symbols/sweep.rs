//! Installed programs and libraries: what stays unbound must be what `ldd -r` finds, and programs that only say their version
//! must be bound as their real run is.

use crate::Case;
use crate::lab::{LOADER, bound, lacks_glibc, logged, providers, unbound, warned};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::deps::LoaderInputs;

/// Every how many-th file is looked at; `WHEELWRIGHT_SWEEP=1` takes all.
const EVERY: usize = 9;

pub fn all() -> Vec<Case> {
    vec![
        Case { name: "installed_files_leave_unbound_what_the_loader_does", lacking: lacks_glibc(), run: files },
        Case { name: "programs_are_bound_as_they_run", lacking: lacks_glibc(), run: programs },
    ]
}

#[allow(clippy::print_stdout)]
fn files() -> Result<(), Failed> {
    let every = std::env::var("WHEELWRIGHT_SWEEP").ok().and_then(|text| text.parse().ok()).unwrap_or(EVERY).max(1);
    let mut files = Vec::new();
    for directory in ["/usr/bin", "/usr/lib/x86_64-linux-gnu", "/usr/lib/python3"] {
        collect(Path::new(directory), &mut files);
    }
    files.sort();
    let inputs = LoaderInputs::new(PathBuf::from("/"));
    let (mut compared, mut symbols, mut wrong) = (0, 0, Vec::new());
    for file in files.iter().step_by(every) {
        let mut command = Command::new(LOADER);
        command.arg(file).env_clear().current_dir("/");
        let output =
            command.env("LD_TRACE_LOADED_OBJECTS", "1").env("LD_WARN", "yes").env("LD_BIND_NOW", "1").output()?;
        let listing = String::from_utf8_lossy(&output.stdout).into_owned();
        if !output.status.success() || !listing.contains("libc.so.6") || listing.contains("not found") {
            continue;
        }
        let (graph, report) = bound(file, &inputs)?;
        let (ours, truth) = (unbound(&graph, &report), warned(&output));
        compared += 1;
        symbols += report.objects.iter().map(|object| object.bound + object.unbound).sum::<usize>();
        if ours != truth {
            let more: Vec<_> = ours.difference(&truth).take(5).collect();
            let less: Vec<_> = truth.difference(&ours).take(5).collect();
            wrong.push(format!("{}: only ours: {more:?}; only the loader's: {less:?}", file.display()));
        }
    }
    println!("{compared} files, {symbols} symbols, {} differ", wrong.len());
    if compared < 20 {
        return Err(format!("only {compared} files could be compared").into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(format!("{} of {compared}: {wrong:#?}", wrong.len()).into()) }
}

fn programs() -> Result<(), Failed> {
    let inputs = LoaderInputs::new(PathBuf::from("/"));
    let mut compared = 0;
    for name in ["true", "ls", "cat", "grep", "sed", "tar", "find", "sort", "gzip", "diff", "bash", "env", "as", "ld"] {
        let Ok(file) = Path::new("/usr/bin").join(name).canonicalize() else { continue };
        let mut command = Command::new(LOADER);
        command.arg(&file).arg("--version").env_clear().env("LD_BIND_NOW", "1").env("LD_DEBUG", "bindings");
        let output = command.current_dir("/").output()?;
        let truth = logged(&String::from_utf8_lossy(&output.stderr), &file);
        if truth.is_empty() {
            continue;
        }
        let (graph, report) = bound(&file, &inputs)?;
        let ours = providers(&graph, &report);
        for (symbol, path) in &truth {
            // A symbol that the program defines too, weakly or for others, is bound without being asked for.
            if let Some(our) = ours.get(symbol)
                && our != path
            {
                return Err(
                    format!("{name}: {symbol} is bound to {}, ours says {}", path.display(), our.display()).into()
                );
            }
        }
        // A symbol that no relocation asks for is undefined and yet never bound.
        let asked = relocations(&file);
        let is_asked = |symbol: &&String| asked.as_ref().is_some_and(|text| text.contains(symbol.as_str()));
        let unseen: Vec<_> = ours.keys().filter(|symbol| !truth.contains_key(*symbol)).filter(is_asked).collect();
        if !unseen.is_empty() {
            return Err(format!("{name}: the loader binds no {unseen:?}").into());
        }
        compared += 1;
    }
    if compared < 5 { Err(format!("only {compared} programs could be compared").into()) } else { Ok(()) }
}

/// What readelf says of the relocations of `file`; `None` where there is no readelf.
fn relocations(file: &Path) -> Option<String> {
    let output = Command::new("readelf").arg("-rW").arg(file).output().ok()?;
    Some(String::from_utf8_lossy(&output.stdout).into_owned())
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

fn begins_as_elf(path: &Path) -> bool {
    use std::io::Read;
    let mut head = [0; 20];
    let read = std::fs::File::open(path).and_then(|mut file| file.read_exact(&mut head));
    read.is_ok() && head.starts_with(b"\x7fELF\x02\x01") && matches!(head[16], 2 | 3) && head[18] == 62
}
