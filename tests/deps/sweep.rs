//! Installed programs and libraries: for each, every name must lead to the path that the loader's own list gives.
//!
//! The list of files is made at run time. `WHEELWRIGHT_SITE_PACKAGES` adds a directory of installed wheels.

use crate::Case;
use crate::lab::{LOADER_32, found, lacks_glibc, loader_of, parse_trace};
use libtest_mimic::Failed;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::deps::{Libc, Loader, LoaderInputs, Placed};

/// Every how many-th file is compared; `WHEELWRIGHT_SWEEP=1` takes all.
const EVERY: usize = 5;

pub fn all() -> Vec<Case> {
    vec![Case { name: "installed_files_resolve_as_by_the_loader", lacking: lacks_glibc(), run: sweep }]
}

/// What was compared, and what could not be.
#[derive(Default)]
struct Figures {
    files: usize,
    names: usize,
    missing: usize,
    /// Files that the loader lists nothing of, by its reason.
    unlisted: BTreeMap<String, usize>,
    wrong: Vec<String>,
}

fn sweep() -> Result<(), Failed> {
    let every = std::env::var("WHEELWRIGHT_SWEEP").ok().and_then(|text| text.parse().ok()).unwrap_or(EVERY).max(1);
    let site_packages = std::env::var_os("WHEELWRIGHT_SITE_PACKAGES").map(PathBuf::from);
    let directories = ["/usr/bin", "/usr/sbin", "/usr/lib", "/usr/lib32", "/usr/libexec"].map(PathBuf::from);
    let mut all = Figures::default();
    let loader = Loader::default();
    // glibc's loader lists whatever it is given, also what was built for musl.
    let inputs = LoaderInputs { libc: Some(Libc::Glibc), ..LoaderInputs::new(PathBuf::from("/")) };
    let mut seen = BTreeSet::new();
    for directory in directories.iter().chain(&site_packages) {
        let mut files = Vec::new();
        collect(directory, &mut files);
        files.sort();
        files.retain(|file| seen.insert(file.clone()));
        let mut here = Figures::default();
        for file in files.iter().step_by(every) {
            here.compare(&loader, &inputs, file)?;
        }
        let name = if site_packages.as_ref() == Some(directory) {
            "site-packages".into()
        } else {
            directory.display().to_string()
        };
        here.print(&name);
        all.add(here);
    }
    all.print("together");
    if all.files < 20 || (every == 1 && site_packages.is_some() && all.files < 1500) {
        return Err(format!("only {} files could be compared", all.files).into());
    }
    if all.wrong.is_empty() {
        Ok(())
    } else {
        Err(format!("{} of {}: {:#?}", all.wrong.len(), all.files, all.wrong).into())
    }
}

impl Figures {
    fn compare(&mut self, loader: &Loader, inputs: &LoaderInputs, file: &Path) -> Result<(), Failed> {
        // What ldd does: as `--list`, but it also lists what is not found.
        let mut command = Command::new(loader_of(file));
        let output = command.arg(file).env_clear().env("LD_TRACE_LOADED_OBJECTS", "1").current_dir("/").output()?;
        let (text, said) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        let truth = parse_trace(&text, Path::new("/"));
        if truth.is_empty() {
            // Without a dynamic section or a dependency there is nothing to list.
            let reason = said.rsplit(": ").next().map(str::trim).filter(|reason| !reason.is_empty());
            let reason = reason.unwrap_or("no dependencies").to_string();
            if reason == "no dependencies" {
                let graph = loader.resolve(&Placed::in_place(file), 0, inputs, &Context::new())?;
                self.files += 1;
                if !found(&graph).is_empty() {
                    self.wrong.push(format!(
                        "{}: the lens finds {:?}, the loader nothing",
                        file.display(),
                        found(&graph)
                    ));
                }
            } else {
                *self.unlisted.entry(reason).or_default() += 1;
            }
            return Ok(());
        }
        let graph = loader.resolve(&Placed::in_place(file), 0, inputs, &Context::new())?;
        let ours = found(&graph);
        self.files += 1;
        self.names += truth.len();
        self.missing += truth.values().filter(|path| path.is_none()).count();
        if ours != truth {
            let ours: Vec<_> = ours.iter().filter(|(name, path)| truth.get(*name) != Some(path)).collect();
            let theirs: Vec<_> = truth.iter().filter(|(name, path)| found(&graph).get(*name) != Some(path)).collect();
            self.wrong.push(format!("{}: the lens finds {ours:?}, the loader {theirs:?}", file.display()));
        }
        Ok(())
    }

    fn add(&mut self, other: Self) {
        self.files += other.files;
        self.names += other.names;
        self.missing += other.missing;
        for (reason, count) in other.unlisted {
            *self.unlisted.entry(reason).or_default() += count;
        }
        self.wrong.extend(other.wrong);
    }

    fn print(&self, name: &str) {
        println!(
            "sweep {name}: {} files, {} names compared ({} of them not found by either), {} differences",
            self.files,
            self.names,
            self.missing,
            self.wrong.len()
        );
        for (reason, count) in &self.unlisted {
            println!("    {count} files that the loader does not list: {reason}");
        }
    }
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
    let wide = head[4] == 2 && head[18] == 62;
    let narrow = head[4] == 1 && head[18] == 3 && Path::new(LOADER_32).exists();
    read.is_ok() && head.starts_with(b"\x7fELF") && matches!(head[16], 2 | 3) && (wide || narrow)
}
