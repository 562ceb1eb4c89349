//! WW027: an editable install left paths of cargo's target directory in the artifact's search path.
//!
//! maturin writes the linked paths into the artifact in editable mode, and edits it in an inode that cargo shares, so that the
//! next build hands the edited bytes out again. WW011 is about other entries of the build machine.

use super::super::Audit;
use super::answer::set_run_path;
use super::cache::rebuild;
use super::{finding, quoted};
use crate::engine::repair::Mode;
use crate::engine::report::audit::{ArtifactReport, Finding, RpathEntry, Severity, StagingReport};
use std::collections::BTreeSet;
use std::path::{Component, Path};

/// Digits of the hash in the name of a unit's directory.
const HASH_DIGITS: usize = 16;

/// Whether `entry` is a directory that cargo made or gave to the linker for this artifact.
pub(super) fn is_cargo_path(report: &ArtifactReport, entry: &RpathEntry) -> bool {
    let path = Path::new(&entry.literal);
    path.is_absolute()
        && (report.linked_paths.paths.iter().any(|linked| path.starts_with(linked)) || is_out_directory(path))
}

/// Whether `path` is or lies in an OUT_DIR: `build/<package>-<hash>/out`, or in cargo's newer layout
/// `build/<package>/<hash>/out`.
fn is_out_directory(path: &Path) -> bool {
    let parts: Vec<&str> = path
        .components()
        .map(|part| match part {
            Component::Normal(name) => name.to_str().unwrap_or_default(),
            _ => "",
        })
        .collect();
    let is_hash =
        |text: &str| text.len() == HASH_DIGITS && text.bytes().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'));
    let old = |window: &[&str]| match window {
        ["build", unit, "out"] => unit.rsplit_once('-').is_some_and(|(_, hash)| is_hash(hash)),
        _ => false,
    };
    let new = |window: &[&str]| matches!(window, ["build", _, hash, "out"] if is_hash(hash));
    parts.windows(3).any(old) || parts.windows(4).any(new)
}

/// WW027, unless the artifact is being made ready for an editable install, which wants these entries.
pub(super) fn cargo_paths(audit: &Audit, staging: &StagingReport, mode: Mode) -> Option<Finding> {
    let report = &audit.report;
    if mode == Mode::Editable {
        return None;
    }
    let mut seen = BTreeSet::new();
    let mut evidence = Vec::new();
    for slice in &report.slices {
        let tag = slice.rpath.tag.map(crate::engine::report::words::run_path_tag).unwrap_or_default();
        for entry in slice.rpath.entries.iter().filter(|entry| is_cargo_path(report, entry)) {
            if seen.insert(entry.literal.as_str()) {
                let linked = report.linked_paths.paths.iter().any(|path| Path::new(&entry.literal).starts_with(path));
                let what = if linked { "a linked path of this artifact" } else { "a build script's OUT_DIR" };
                let exists = if entry.exists == Some(true) { "it exists here" } else { "it does not exist here" };
                evidence.push(format!("{}: {tag} {}: {what}; {exists}", report.path.display(), entry.literal));
            }
        }
    }
    let title = match evidence.as_slice() {
        [] => return None,
        [_] => "a path that an editable install leaves is in the search path".to_string(),
        more => format!("{} paths that an editable install leaves are in the search path", more.len()),
    };
    let mut fix = Vec::new();
    if staging.cargo_output.is_some() {
        fix.extend(rebuild(report, staging));
        fix.push(
            "# if they come back, a build script or RUSTFLAGS asks the linker for them by -rpath; then:".to_string(),
        );
        fix.push(format!("# wheelwright run --drop-build-rpaths {}", quoted(&report.path)));
    } else {
        fix.push("# build the file anew for a wheel, or take the entries out:".to_string());
        let graph = audit.graph.as_ref();
        let line = graph.and_then(|graph| set_run_path(graph, 0, &report.path, |kept| !seen.contains(*kept)));
        fix.push(line.unwrap_or_else(|| format!("# wheelwright run --drop-build-rpaths {}", quoted(&report.path))));
    }
    Some(finding("WW027", Severity::Warning, title, evidence, fix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn out_directories_of_both_layouts() {
        for (path, is) in [
            ("/p/target/release/build/greet-sys-0123456789abcdef/out", true),
            ("/p/target/release/build/greet-sys-0123456789abcdef/out/lib", true),
            ("/p/target/release/build/greet-sys/0123456789abcdef/out/lib", true),
            ("/p/target/release/build/greet-sys-0123456789abcde/out", false),
            ("/home/me/build/out", false),
            ("/home/me/build/x-y/out", false),
            ("$ORIGIN/build/greet-sys-0123456789abcdef/out", true),
        ] {
            assert_eq!(is_out_directory(Path::new(path)), is, "{path}");
        }
    }
}
