//! Files of this machine, and what dpkg says of them.

use super::owned;
use libtest_mimic::Failed;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::owners::Owners;

pub fn has_dpkg() -> Result<(), String> {
    let runs = Command::new("dpkg-query").arg("--version").output().is_ok_and(|output| output.status.success());
    let admin = Path::new("/var/lib/dpkg/status").is_file();
    if runs && admin { Ok(()) } else { Err("this machine has no dpkg".into()) }
}

/// Every regular file and link below `directory`, sorted.
fn files(directory: &str) -> Vec<PathBuf> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::from(directory)]);
    while let Some(directory) = open.pop() {
        for entry in std::fs::read_dir(directory).into_iter().flatten().flatten() {
            let Ok(kind) = entry.file_type() else { continue };
            if kind.is_dir() { open.push(entry.path()) } else { found.push(entry.path()) }
        }
    }
    found.sort();
    found
}

/// `count` of `all`, spread by a fixed linear congruential generator.
fn chosen(all: &[PathBuf], count: usize) -> Vec<PathBuf> {
    let mut state = 0x5eed_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize
    };
    (0..count).filter_map(|_| all.get(next() % all.len().max(1)).cloned()).collect()
}

/// `path` as a pattern for `dpkg -S` that fits nothing else.
fn pattern(path: &Path) -> String {
    let special = |letter: char| if r"\*?[".contains(letter) { format!(r"\{letter}") } else { letter.to_string() };
    path.to_string_lossy().chars().map(special).collect()
}

/// The packages that `dpkg -S` names for each of `paths`; diversions are left out.
fn searched(paths: &BTreeSet<PathBuf>) -> BTreeMap<PathBuf, BTreeSet<String>> {
    let mut found: BTreeMap<PathBuf, BTreeSet<String>> = BTreeMap::new();
    for part in paths.iter().collect::<Vec<_>>().chunks(200) {
        let output = Command::new("dpkg")
            .env("LC_ALL", "C")
            .arg("-S")
            .args(part.iter().map(|path| pattern(path)))
            .output()
            .expect("dpkg runs");
        for line in String::from_utf8_lossy(&output.stdout).lines() {
            let Some((packages, path)) = line.split_once(": /") else { continue };
            if !line.starts_with("diversion by") && !line.starts_with("local diversion") {
                found.entry(format!("/{path}").into()).or_default().extend(packages.split(", ").map(str::to_owned));
            }
        }
    }
    found
}

/// The versions of all installed packages, under `name` and `name:architecture`.
fn versions() -> BTreeMap<String, String> {
    let output = Command::new("dpkg-query").args(["-W", "-f", "${Package} ${Architecture} ${Version}\n"]).output();
    let text = String::from_utf8(output.expect("dpkg-query runs").stdout).expect("it says UTF-8");
    let mut found = BTreeMap::new();
    for line in text.lines() {
        let [name, architecture, version] = line.split(' ').collect::<Vec<_>>()[..] else { continue };
        found.insert(format!("{name}:{architecture}"), version.to_owned());
        found.entry(name.to_owned()).or_insert(version.to_owned());
    }
    found
}

/// The spellings of one file: as found, and with `/usr` left out where that leads to the same directory.
fn spellings(path: &Path) -> Vec<PathBuf> {
    let short = path.strip_prefix("/usr").map(|rest| Path::new("/").join(rest)).ok();
    let same = |short: &PathBuf| {
        let (a, b) = (short.parent().map(std::fs::canonicalize), path.parent().map(std::fs::canonicalize));
        matches!((a, b), (Some(Ok(a)), Some(Ok(b))) if a == b)
    };
    [Some(path.to_path_buf()), short.filter(same)].into_iter().flatten().collect()
}

pub fn as_dpkg() -> Result<(), Failed> {
    let mut all = files("/usr/lib");
    all.extend(files("/usr/bin"));
    let chosen = chosen(&all, 200);
    // Of a link the file behind it counts first.
    let real = |path: &PathBuf| std::fs::canonicalize(path).unwrap_or_else(|_| path.clone());
    let everything: BTreeSet<PathBuf> =
        chosen.iter().flat_map(|path| [spellings(path), spellings(&real(path))].concat()).collect();
    let (searched, versions) = (searched(&everything), versions());
    let listed = |path: &Path| -> BTreeSet<String> {
        let packages = spellings(path).into_iter().filter_map(|path| searched.get(&path)).flatten();
        packages
            .map(|package| {
                let name = package.split(':').next().unwrap_or_default();
                format!("{name} {} (dpkg)", versions.get(package).map_or("?", String::as_str))
            })
            .collect()
    };
    let owners = Owners::new(None);
    let found = owned(&owners, &chosen);
    let (mut known, mut wrong) = (0, Vec::new());
    for (path, found) in chosen.iter().zip(found) {
        let (by_file, by_name) = (listed(&real(path)), listed(path));
        let expected = if by_file.is_empty() { by_name } else { by_file };
        known += usize::from(!expected.is_empty());
        let agrees = if expected.is_empty() { !found.ends_with("(dpkg)") } else { expected.contains(&found) };
        if !agrees {
            wrong.push(format!("{}: {found}, dpkg says {expected:?}", path.display()));
        }
    }
    if !wrong.is_empty() {
        return Err(wrong.join("\n").into());
    }
    // Were nothing of this owned, nothing would have been compared.
    if known < 100 { Err(format!("only {known} of {} files belong to a package", chosen.len()).into()) } else { Ok(()) }
}

/// The diversions of this machine of which a regular file lies at one of the names: name, other name, by whom.
fn diversions() -> Vec<[String; 3]> {
    let text = std::fs::read_to_string("/var/lib/dpkg/diversions").unwrap_or_default();
    let lines: Vec<String> = text.lines().map(str::to_owned).collect();
    let (threes, _) = lines.as_chunks::<3>();
    threes.iter().filter(|[from, to, _]| is_file(from) || is_file(to)).cloned().collect()
}

/// A link counts for what is behind it, which has nothing to do with a diversion.
fn is_file(path: &str) -> bool {
    std::fs::symlink_metadata(path).is_ok_and(|metadata| metadata.is_file())
}

pub fn has_diversions() -> Result<(), String> {
    has_dpkg()?;
    if diversions().is_empty() { Err("no regular file is diverted here".into()) } else { Ok(()) }
}

pub fn diverted() -> Result<(), Failed> {
    let owners = Owners::new(None);
    let mut wrong = Vec::new();
    for [from, to, by] in diversions() {
        let everything: BTreeSet<PathBuf> = spellings(Path::new(&from)).into_iter().collect();
        let listing: BTreeSet<String> = searched(&everything).into_values().flatten().collect();
        let others: Vec<&str> =
            listing.iter().filter_map(|package| package.split(':').next()).filter(|package| *package != by).collect();
        let found = owned(&owners, &[&from, &to]);
        let name = |at: usize| found[at].split(' ').next().unwrap_or_default();
        if is_file(&from) && by != ":" && name(0) != by {
            wrong.push(format!("{from}: {}, diverted by {by}", found[0]));
        }
        if is_file(&to) && !others.contains(&name(1)) && !others.is_empty() {
            wrong.push(format!("{to}: {}, from {from} of {others:?}", found[1]));
        }
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}
