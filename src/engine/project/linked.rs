//! The directories that build scripts gave to the linker, and the scripts' OUT_DIRs: from kept messages where these are of
//! the last build, else from the scripts' recorded output.

use super::artifact::{LinkedPathSource, LinkedPaths};
use super::cargo::{Package, Workspace};
use super::leftovers::sorted_entries;
use super::messages::{self, Messages, Script};
use super::outputs::ProfileDirectory;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// What is known of the build scripts of one profile directory.
#[derive(Debug, Clone, Default)]
pub(super) struct Scripts {
    kept: Option<Messages>,
    recorded: Vec<Script>,
    /// Why kept messages are not used.
    pub note: Option<String>,
}

impl Scripts {
    /// Reads what there is of `directory`.
    pub fn read(workspace: &Workspace, directory: &ProfileDirectory) -> Self {
        let records = records(&directory.build_path.join("build"));
        let newest = records.iter().map(|record| record.written).max();
        let path = messages::path(&workspace.target_directory, directory.triple.as_deref(), &directory.profile);
        let ignored = |why: &str| Some(format!("{}: ignored, {why}", path.display()));
        let (kept, note) = match Messages::read(&path) {
            Ok(None) => (None, None),
            Err(error) => (None, Some(error.to_string())),
            Ok(Some(messages)) => match why_stale(&messages, workspace, newest) {
                Some(why) => (None, ignored(&why)),
                None => (Some(messages), None),
            },
        };
        let recorded = records.iter().map(Record::parse).collect();
        Self { kept, recorded, note }
    }

    /// The linked paths and OUT_DIRs for the output `path` of `package`. Scripts of workspace members whose code is not
    /// linked in are left out; a package from elsewhere counts for all, as nothing is known of who uses it.
    pub fn of(&self, path: &Path, package: Option<&Package>, build_path: &Path) -> (LinkedPaths, Vec<PathBuf>) {
        let (scripts, source) = match &self.kept {
            Some(kept) if kept.files().contains(path) => (&kept.scripts, LinkedPathSource::Messages),
            _ => (&self.recorded, LinkedPathSource::BuildOutput),
        };
        let mut linked = LinkedPaths::default();
        let mut out_directories = Vec::new();
        for script in scripts {
            let is_stranger = package.is_some_and(|package| package.strangers.contains(&script.package));
            // Scripts of the host's tools run in the host's directory when a triple was named.
            if is_stranger || !script.out_directory.starts_with(build_path) {
                continue;
            }
            for path in &script.linked_paths {
                if !linked.paths.contains(path) {
                    linked.paths.push(path.clone());
                }
            }
            if script.out_directory.is_dir() {
                out_directories.push(script.out_directory.clone());
            }
        }
        linked.source = (!linked.paths.is_empty()).then_some(source);
        (linked, out_directories)
    }
}

impl LinkedPaths {
    /// Appends the paths that are not there yet.
    pub(super) fn append(&mut self, paths: &[PathBuf], source: LinkedPathSource) {
        for path in paths {
            if !self.paths.contains(path) {
                self.paths.push(path.clone());
                self.source = Some(self.source.map_or(source, |first| first.min(source)));
            }
        }
    }
}

/// Why `messages` can't be of the last build of this workspace; `None` when they can.
fn why_stale(messages: &Messages, workspace: &Workspace, newest: Option<SystemTime>) -> Option<String> {
    for artifact in &messages.artifacts {
        let Some(package) = workspace.packages.iter().find(|package| package.manifest == artifact.manifest) else {
            continue;
        };
        let is_known = package.targets.iter().any(|target| target.name == artifact.target);
        if artifact.native && !is_known {
            return Some(format!("they name {}, which cargo's metadata does not", artifact.target));
        }
    }
    if let Some(gone) = messages.scripts.iter().find(|script| !script.out_directory.is_dir()) {
        return Some(format!("{} is gone since", gone.out_directory.display()));
    }
    match (newest, messages.written) {
        (Some(newest), Some(written)) if newest > written => Some("build scripts ran since".into()),
        _ => None,
    }
}

/// A build script's recorded output.
#[derive(Debug)]
struct Record {
    package: String,
    output: PathBuf,
    root_output: PathBuf,
    out_directory: PathBuf,
    written: SystemTime,
}

/// The newest record of each package, by package: `<pkg>-<hash>/output`, or `<pkg>/<hash>/run/stdout` in cargo's newer layout.
fn records(build: &Path) -> Vec<Record> {
    let mut newest: BTreeMap<String, Record> = BTreeMap::new();
    let mut add = |package: &str, unit: &Path, run: &Path, name: &str| {
        let output = run.join(name);
        let Ok(written) = std::fs::metadata(&output).and_then(|metadata| metadata.modified()) else { return };
        let is_newer = newest.get(package).is_none_or(|other| other.written <= written);
        if is_newer {
            let record = Record {
                package: package.to_string(),
                output,
                root_output: run.join("root-output"),
                out_directory: unit.join("out"),
                written,
            };
            newest.insert(package.to_string(), record);
        }
    };
    for unit in sorted_entries(build) {
        let name = unit.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if let Some((package, _)) = name.rsplit_once('-') {
            add(package, &unit, &unit, "output");
        }
        for inner in sorted_entries(&unit) {
            add(&name, &inner, &inner.join("run"), "stdout");
        }
    }
    newest.into_values().collect()
}

impl Record {
    fn parse(&self) -> Script {
        let text = std::fs::read(&self.output).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let told = Told::parse(&text);
        let mut linked_paths =
            messages::linked_paths(told.libraries.iter().map(String::as_str), told.paths.iter().map(String::as_str));
        // A target directory that was moved keeps its old OUT_DIR in the output; cargo replaces it too.
        let old = std::fs::read_to_string(&self.root_output).unwrap_or_default();
        for path in &mut linked_paths {
            if let Ok(rest) = path.strip_prefix(old.trim_end())
                && !old.is_empty()
            {
                *path = if rest.as_os_str().is_empty() {
                    self.out_directory.clone()
                } else {
                    self.out_directory.join(rest)
                };
            }
        }
        Script { package: self.package.clone(), linked_paths, out_directory: self.out_directory.clone() }
    }
}

/// The linker's part of what a build script printed.
#[derive(Debug, Default, PartialEq, Eq)]
struct Told {
    libraries: Vec<String>,
    paths: Vec<String>,
}

impl Told {
    /// Lines `cargo:KEY=VALUE` and `cargo::KEY=VALUE` (the cargo book, "Build Scripts").
    fn parse(text: &str) -> Self {
        let mut told = Self::default();
        for line in text.lines() {
            let rest = line.trim().strip_prefix("cargo:").map(|rest| rest.strip_prefix(':').unwrap_or(rest));
            match rest.and_then(|rest| rest.split_once('=')) {
                Some(("rustc-link-lib", value)) => told.libraries.push(value.trim().to_string()),
                Some(("rustc-link-search", value)) => told.paths.push(value.trim().to_string()),
                Some(("rustc-flags", value)) => told.flags(value),
                _ => {}
            }
        }
        told
    }

    fn flags(&mut self, value: &str) {
        let mut words = value.split_whitespace();
        while let Some(word) = words.next() {
            let (flag, joined) = word.split_at_checked(2).unwrap_or((word, ""));
            let value = if joined.is_empty() { words.next().unwrap_or_default() } else { joined };
            match flag {
                "-l" => self.libraries.push(value.to_string()),
                "-L" => self.paths.push(value.to_string()),
                _ => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_spellings_and_flags_are_read() {
        let text = "cargo:rustc-link-lib=dylib=a\ncargo::rustc-link-search=native=/x y\nnoise\ncargo:rerun-if-changed=b\n\
                    cargo:rustc-flags=-l c -L /z -Lall=/w\n";
        let told = Told::parse(text);
        assert_eq!(told.libraries, ["dylib=a", "c"]);
        assert_eq!(told.paths, ["native=/x y", "/z", "all=/w"]);
    }

    #[test]
    fn the_newest_record_of_a_package_counts_and_a_moved_directory_is_followed() {
        let directory = tempfile::tempdir().unwrap();
        let build = directory.path().join("release/build");
        let record = |unit: &str, name: &str, text: &str, age: u64| {
            let run = build.join(unit);
            std::fs::create_dir_all(&run).unwrap();
            let file = std::fs::File::create(run.join(name)).unwrap();
            std::fs::write(run.join(name), text).unwrap();
            std::fs::write(run.join("root-output"), "/old/out").unwrap();
            file.set_modified(SystemTime::UNIX_EPOCH + std::time::Duration::from_secs(1_000_000 - age)).unwrap();
        };
        let link = "cargo:rustc-link-lib=x\ncargo:rustc-link-search=";
        record("a-b-0000000000000001", "output", &format!("{link}/first\n"), 5);
        record("a-b-0000000000000000", "output", &format!("{link}/second\n"), 1);
        record("new/0123/run", "stdout", &format!("{link}/old/out/lib\n"), 1);
        std::fs::create_dir_all(build.join("a-b-0000000000000002")).unwrap();
        let scripts: Vec<Script> = records(&build).iter().map(Record::parse).collect();
        let found: Vec<_> = scripts.iter().map(|one| (one.package.as_str(), one.linked_paths.clone())).collect();
        let followed = build.join("new/0123/out/lib");
        assert_eq!(found, [("a-b", vec![PathBuf::from("/second")]), ("new", vec![followed])]);
    }
}
