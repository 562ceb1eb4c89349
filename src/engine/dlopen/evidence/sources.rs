//! Where the Python files lie that go into a wheel together with an artifact.

use crate::engine::project::{Artifact, Project, python_source};
use std::path::PathBuf;

/// Where the Python files lie that go into the wheel with `artifact`: its package below the project's `python-source`, or,
/// for a file without a project, the package in whose folder it lies. Nothing where there is none.
#[must_use]
pub fn python_sources(artifact: &Artifact, project: &Project) -> Vec<PathBuf> {
    let module = artifact.names.module.split('.').next().unwrap_or_default();
    if let Some(root) = project.root.as_deref().filter(|_| artifact.cargo.is_some()) {
        if module.is_empty() {
            return Vec::new();
        }
        // maturin's search: `python-source`, else the project's own folder.
        let folder = python_source(root).unwrap_or_else(|| root.to_path_buf()).join(module);
        return Some(folder).filter(|folder| folder.is_dir()).into_iter().collect();
    }
    let Some(folder) = artifact.path.parent() else { return Vec::new() };
    let mut package = folder;
    // A package within a package: the outermost is what a wheel holds.
    while let Some(parent) = package.parent().filter(|parent| parent.join("__init__.py").is_file()) {
        package = parent;
    }
    if package.join("__init__.py").is_file() {
        return vec![package.to_path_buf()];
    }
    // Libraries that a wheel keeps for itself lie beside the package.
    let beside = folder.file_name().and_then(|name| name.to_str()).and_then(|name| name.strip_suffix(".libs"));
    let package = beside.and_then(|name| Some(folder.parent()?.join(name)));
    package.filter(|package| package.join("__init__.py").is_file()).into_iter().collect()
}
