//! What pip and its like install: `SITE/NAME-VERSION.dist-info/RECORD` lists the files of a distribution, relative to the
//! site directory (PyPA, "Recording installed projects"), also those in `NAME.libs` and, as `../../../bin/x`, outside of
//! it. `METADATA` beside it has name and version.
//!
//! A site is sought upwards from the file, and where a prefix above it keeps one. Eggs have no such list. Of several
//! distributions with one file the first by the directory's name counts.

use super::read::{Notes, RECORD, names, read};
use super::wanted::Wanted;
use super::{Answers, Lookup, answer};
use crate::engine::Result;
use crate::engine::report::audit::Owner;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// Where a prefix keeps the directories of its interpreters.
const LIBRARIES: [&str; 2] = ["lib", "lib64"];
const SITES: [&str; 2] = ["site-packages", "dist-packages"];

/// The owners by pip.
pub(super) fn owners(lookup: &Lookup<'_>) -> Result<Answers> {
    let mut answers = lookup.unanswered();
    let (places, slots): (Vec<_>, Vec<_>) = lookup.places().into_iter().unzip();
    let above: BTreeSet<&Path> = places.iter().flat_map(|place| place.directory.ancestors()).collect();
    let sites: BTreeSet<PathBuf> = above.into_iter().flat_map(|directory| sites(directory, lookup)).collect();
    let wanted = Wanted::new(lookup.root, places);
    let mut buffer = Vec::new();
    for site in sites {
        let directory = lookup.root.outside(&site);
        for name in names(&directory, |name| name.ends_with(".dist-info")).unwrap_or_default() {
            lookup.context.advance(0)?;
            let path = directory.join(&name);
            if !load(&path.join("RECORD"), &mut buffer, lookup.notes) {
                continue;
            }
            let mut hits = BTreeSet::new();
            for file in files(&buffer) {
                wanted.met_path(Some(&site), &file, |hit| {
                    hits.insert(hit);
                });
            }
            if !hits.is_empty() {
                let owner = owner(&path, &name, &mut buffer, lookup.notes);
                hits.iter().filter_map(|&hit| slots.get(hit)).for_each(|&slot| {
                    answer(&mut answers, slot, || owner.clone());
                });
            }
        }
    }
    Ok(answers)
}

/// The directories with distributions that a file somewhere below `directory` may belong to: itself, and those of the
/// interpreters in the prefix that it may be.
fn sites(directory: &Path, lookup: &Lookup<'_>) -> Vec<PathBuf> {
    let mut sites = vec![directory.to_path_buf()];
    for library in LIBRARIES.iter().filter_map(|library| lookup.root.directory(&directory.join(library))) {
        let is_interpreters = |name: &str| name.starts_with("python") || name.starts_with("pypy");
        let interpreters = names(&lookup.root.outside(&library), is_interpreters).unwrap_or_default();
        let all = interpreters.iter().flat_map(|name| SITES.map(|site| library.join(name).join(site)));
        sites.extend(all.filter_map(|site| lookup.root.directory(&site)));
    }
    sites
}

/// Reads `path` if it is there.
fn load(path: &Path, buffer: &mut Vec<u8>, notes: &Notes) -> bool {
    match read(path, RECORD, buffer) {
        Ok(()) => true,
        Err(error) => {
            // Distributions of other installers may come without one.
            if error.kind() != std::io::ErrorKind::NotFound {
                notes.add(path, error);
            }
            false
        }
    }
}

/// The first field of every row of a RECORD, which is CSV: a quoted field may hold commas, doubled quotes and line ends.
fn files(bytes: &[u8]) -> impl Iterator<Item = Vec<u8>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let mut file = Vec::new();
        let (mut quoted, mut field) = (false, 0);
        let mut at = 0;
        while let Some(&byte) = rest.get(at) {
            at += 1;
            match byte {
                b'"' if quoted && rest.get(at) == Some(&b'"') => at += 1,
                b'"' => {
                    quoted = !quoted;
                    continue;
                }
                b',' if !quoted => {
                    field += 1;
                    continue;
                }
                b'\n' if !quoted => break,
                b'\r' if !quoted => continue,
                _ => {}
            }
            if field == 0 {
                file.push(byte);
            }
        }
        rest = rest.get(at..).unwrap_or_default();
        Some(file)
    })
}

/// The distribution of the directory `path`: by its METADATA, or by the directory's `name`.
fn owner(path: &Path, name: &str, buffer: &mut Vec<u8>, notes: &Notes) -> Owner {
    let stem = name.strip_suffix(".dist-info").unwrap_or(name);
    let (package, version) = stem.rsplit_once('-').map_or((stem, None), |(name, version)| (name, Some(version)));
    if !load(&path.join("METADATA"), buffer, notes) {
        buffer.clear();
    }
    let header = |name: &str| {
        let lines = buffer.split(|&byte| byte == b'\n').map(<[u8]>::trim_ascii_end);
        let value = lines.take_while(|line| !line.is_empty()).find_map(|line| {
            let (key, value) = line.split_at_checked(name.len())?;
            let value = value.strip_prefix(b":").filter(|_| key.eq_ignore_ascii_case(name.as_bytes()))?;
            Some(String::from_utf8_lossy(value.trim_ascii()).into_owned())
        });
        value.filter(|value| !value.is_empty())
    };
    Owner {
        kind: "pip".to_owned(),
        package: header("Name").unwrap_or_else(|| package.to_owned()),
        version: header("Version").or_else(|| version.map(str::to_owned)),
        build: None,
    }
}
