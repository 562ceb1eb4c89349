//! Files that pip installed, and what importlib.metadata says of them.

use super::owned;
use libtest_mimic::Failed;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use wheelwright::engine::owners::Owners;

/// Prints one line for every file of every distribution on the path: its owner, and its path.
const LISTING: &str = r"
import functools, importlib.metadata as m, os, stat, sysconfig
real = functools.cache(os.path.realpath)
for site in sorted({sysconfig.get_path('purelib'), sysconfig.get_path('platlib')}):
    for d in m.distributions(path=[site]):
        if not str(d._path).endswith('.dist-info') or not (d._path / 'RECORD').exists():
            continue
        owner = d.metadata['Name'] + ' ' + d.version
        for f in d.files:
            directory, base = os.path.split(os.path.join(site, str(f)))
            path = os.path.join(real(directory), base)
            try:
                if stat.S_ISREG(os.lstat(path).st_mode):
                    print(owner + '\t' + path)
            except FileNotFoundError:
                pass
";

/// Says whether there is a distribution to look at.
const PRESENCE: &str = "import glob, sysconfig, importlib.metadata
assert glob.glob(glob.escape(sysconfig.get_path('purelib')) + '/*.dist-info/RECORD')";

fn python(program: &str) -> Option<String> {
    let output = Command::new("python3").args(["-I", "-c", program]).output().ok()?;
    output.status.success().then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

pub fn has_python() -> Result<(), String> {
    python(PRESENCE).map(drop).ok_or_else(|| "there is no python3 with a distribution".to_owned())
}

pub fn as_importlib() -> Result<(), Failed> {
    let mut expected: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for line in python(LISTING).ok_or("python3 lists nothing")?.lines() {
        if let Some((owner, path)) = line.split_once('\t') {
            expected.entry(path.to_owned()).or_default().insert(format!("{owner} (pip)"));
        }
    }
    let paths: Vec<&String> = expected.keys().collect();
    let found = owned(&Owners::new(None), &paths);
    // What a distribution's own package manager owns too is its.
    let agrees = |found: &String, owners: &BTreeSet<String>| owners.contains(found) || found.ends_with("(dpkg)");
    let wrong: Vec<String> = (expected.iter().zip(&found))
        .filter(|((_, owners), found)| !agrees(found, owners))
        .map(|((path, owners), found)| format!("{path}: {found}, importlib says {owners:?}"))
        .take(20)
        .collect();
    let by_pip = found.iter().filter(|found| found.ends_with("(pip)")).count();
    if wrong.is_empty() && by_pip > 0 { Ok(()) } else { Err(format!("{by_pip} by pip\n{}", wrong.join("\n")).into()) }
}
