//! Symbol tags and versioned symbols of this machine's libraries, as auditwheel's own library judges them.

use crate::Missing;
use crate::real_files::{artifact, options};
use libtest_mimic::Failed;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wheelwright::engine::Context;
use wheelwright::engine::audit::demands::{Demands, is_dynamic_linker};
use wheelwright::engine::audit::{Lenses, audit};
use wheelwright::engine::binary;
use wheelwright::engine::file::Windows;
use wheelwright::engine::report::audit::ArtifactKind;

/// Prints a line of JSON for each file: its path, symbol tag and versioned symbols.
const PROGRAM: &str = r"
import json, sys
from elftools.elf.elffile import ELFFile
from auditwheel.architecture import Architecture
from auditwheel.elfutils import elf_find_versioned_symbols
from auditwheel.libc import Libc
from auditwheel.policy import WheelPolicies
policies = WheelPolicies(libc=Libc.GLIBC, arch=Architecture.x86_64)
for path in sys.argv[1:]:
    versions = {}
    with open(path, 'rb') as file:
        for library, version in elf_find_versioned_symbols(ELFFile(file)):
            versions.setdefault(library, set()).add(version)
    tag = policies.versioned_symbols_policy(versions).name.removesuffix('_x86_64')
    print(json.dumps([path, tag, {name: sorted(found) for name, found in versions.items()}]))
";

/// The Python that has auditwheel: WHEELWRIGHT_PYTHON, else `python3`.
fn python(arguments: &[&str]) -> std::io::Result<Output> {
    let python = std::env::var_os("WHEELWRIGHT_PYTHON").unwrap_or_else(|| "python3".into());
    Command::new(python).args(arguments).output()
}

/// Whether the comparison can be made on this machine.
pub fn auditwheel() -> Result<(), Missing> {
    if !cfg!(all(target_os = "linux", target_arch = "x86_64", target_env = "gnu")) {
        return Err(Missing("only for x86_64 with glibc".into()));
    }
    match python(&["-c", "import auditwheel, elftools"]) {
        Ok(output) if output.status.success() => Ok(()),
        _ => Err(Missing("no Python with auditwheel; name one by WHEELWRIGHT_PYTHON".into())),
    }
}

fn libraries() -> Vec<PathBuf> {
    let directory = std::fs::read_dir("/usr/lib/x86_64-linux-gnu").into_iter().flatten();
    let mut files: BTreeSet<PathBuf> = directory
        .filter_map(|entry| std::fs::canonicalize(entry.ok()?.path()).ok())
        .filter(|path| path.is_file() && path.to_string_lossy().contains(".so"))
        .filter(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF\x02")))
        .collect();
    // Files that the user names, such as those of unpacked wheels.
    let more = std::env::var_os("WHEELWRIGHT_MORE_FILES").unwrap_or_default();
    files.extend(std::env::split_paths(&more).filter(|path| path.is_file()));
    files.into_iter().collect()
}

pub fn agree() -> Result<(), Failed> {
    let files = libraries();
    let names: Vec<&str> = files.iter().filter_map(|path| path.to_str()).collect();
    let output = python(&[&["-c", PROGRAM], names.as_slice()].concat())?;
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let mut options = options();
    options.lenses = Lenses::LoaderOnly;
    let (mut compared, mut differing) = (0, Vec::new());
    for line in String::from_utf8(output.stdout)?.lines() {
        let (path, tag, versions): (PathBuf, String, BTreeMap<String, Vec<String>>) = serde_json::from_str(line)?;
        let found = audit(&artifact(&path, ArtifactKind::Library), Some(&path), &options, &Context::new());
        let ours = found.report.policy.map(|policy| policy.symbol_tag);
        if ours.as_deref() != Some(tag.as_str()) || versioned(&path)? != versions {
            differing.push(format!("{}: auditwheel {tag}, we {ours:?}", path.display()));
        }
        compared += 1;
    }
    assert!(differing.is_empty(), "{} of {compared} differ:\n{}", differing.len(), differing.join("\n"));
    assert!(compared >= 30, "only {compared} libraries on this machine");
    Ok(())
}

fn versioned(path: &Path) -> Result<BTreeMap<String, Vec<String>>, Failed> {
    let windows = Windows::open(path)?;
    let binary = binary::read(&windows)?;
    let demands = Demands::of(&binary.slices[0], &windows, path.to_path_buf())?;
    let mut versions: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for demand in demands.versions.into_iter().filter(|demand| !is_dynamic_linker(&demand.library)) {
        versions.entry(demand.library).or_default().push(demand.version);
    }
    Ok(versions)
}
