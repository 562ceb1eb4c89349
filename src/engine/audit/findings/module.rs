//! WW004, libpython is linked; WW011, search paths of the build machine; WW012, no entry point.

use super::super::demands::is_libpython;
use super::super::entry_points::is_importable;
use super::super::search_path::objection;
use super::editable::is_cargo_path;
use super::{finding, quoted};
use crate::engine::binary::Format;
use crate::engine::report::audit::{ArtifactKind, ArtifactReport, Finding, Severity};
use std::collections::BTreeSet;

/// WW004: an extension module links libpython, which the interpreter has already (PE modules have to).
pub(super) fn libpython(report: &ArtifactReport) -> Option<Finding> {
    let is_extension = matches!(report.kind, ArtifactKind::Cdylib | ArtifactKind::Extension);
    if !is_extension || report.format == Some(Format::Pe) {
        return None;
    }
    let needed: BTreeSet<&String> = report.slices.iter().flat_map(|slice| &slice.needed).collect();
    let linked: Vec<&String> = needed.into_iter().filter(|name| is_libpython(name)).collect();
    let first = linked.first()?;
    let evidence = linked.iter().map(|name| format!("{} needs {name}", report.path.display())).collect();
    let fix = vec![
        "# build as an extension module; from PyO3 0.27 on:".to_string(),
        "# PYO3_BUILD_EXTENSION_MODULE=1 cargo build --release".to_string(),
        "# before: the feature pyo3/extension-module, in pyproject.toml under [tool.maturin] as".to_string(),
        "# features = [\"pyo3/extension-module\"]".to_string(),
    ];
    Some(finding("WW004", Severity::Error, format!("{first} is linked"), evidence, fix))
}

/// WW011: entries of the search path that have no place in a wheel. Cargo's own paths are WW027's.
pub(super) fn build_machine_paths(report: &ArtifactReport) -> Option<Finding> {
    let directory = report.names.as_ref().map(|names| names.artifact_dir.as_str());
    let mut seen = BTreeSet::new();
    let mut evidence = Vec::new();
    let entries = report.slices.iter().flat_map(|slice| &slice.rpath.entries);
    for entry in entries.filter(|entry| !is_cargo_path(report, entry)) {
        let Some(why) = objection(&entry.literal, directory).filter(|_| seen.insert(&entry.literal)) else { continue };
        let exists = if entry.exists == Some(true) { "; it exists here" } else { "" };
        evidence.push(format!("\"{}\" {why}{exists}", entry.literal));
    }
    let title = match evidence.as_slice() {
        [] => return None,
        [_] => "a search path entry of the build machine".to_string(),
        more => format!("{} search path entries of the build machine", more.len()),
    };
    let fix = vec![
        "# leave them out when repairing:".to_string(),
        format!("# wheelwright run --drop-build-rpaths {}", quoted(&report.path)),
        "# or don't ask the linker for them: see `cargo:rustc-link-arg=-Wl,-rpath,...` in build scripts and RUSTFLAGS"
            .into(),
    ];
    Some(finding("WW011", Severity::Warning, title, evidence, fix))
}

/// WW012: Python will not find the module in the file.
pub(super) fn no_entry_point(report: &ArtifactReport) -> Option<Finding> {
    let points = report.entry_points.as_ref().filter(|points| is_importable(points) == Some(false))?;
    let expected = points.expected.as_deref()?;
    let evidence = if points.found.is_empty() {
        format!("{} exports no PyInit_* and no PyModExport_*", report.path.display())
    } else {
        format!("{} exports {}", report.path.display(), points.found.join(", "))
    };
    let mut fix = vec![format!("# give the #[pymodule] function the name {expected}")];
    let other = points.found.iter().find_map(|name| name.split_once('_').map(|(_, module)| module));
    match other {
        Some(other) => fix.push(format!("# or end module-name in pyproject.toml, under [tool.maturin], in {other}")),
        None => fix.push("# if the module was made: a linker script or version script may hide it".to_string()),
    }
    Some(finding("WW012", Severity::Error, format!("no entry point for module {expected}"), vec![evidence], fix))
}
