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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::Context;
    use crate::engine::project::{CargoOutput, DiscoverOptions, discover};
    use std::fs;

    #[test]
    fn the_package_around_a_loose_file_and_that_of_a_project_are_found() {
        let directory = tempfile::tempdir().unwrap();
        let root = directory.path().canonicalize().unwrap();
        for folder in ["site/pkg/sub", "site/pkg.libs", "python/pkg"] {
            fs::create_dir_all(root.join(folder)).unwrap();
        }
        for file in ["site/pkg/__init__.py", "site/pkg/sub/__init__.py"] {
            fs::write(root.join(file), "").unwrap();
        }
        fs::write(root.join("a.c"), "int a;").unwrap();
        let found = |place: &str| {
            let path = root.join(place);
            let built =
                std::process::Command::new("cc").args(["-shared", "-o"]).arg(&path).arg(root.join("a.c")).status();
            assert!(built.unwrap().success());
            let options = DiscoverOptions { current_directory: root.clone(), ..DiscoverOptions::default() };
            discover(&[path], &options, &Context::new()).unwrap()
        };
        for (place, expected) in
            [("site/pkg/sub/x.so", Some("site/pkg")), ("site/pkg.libs/libx.so", Some("site/pkg")), ("site/x.so", None)]
        {
            let project = found(place);
            let expected: Vec<PathBuf> = expected.map(|folder| root.join(folder)).into_iter().collect();
            assert_eq!(python_sources(&project.artifacts[0], &project), expected, "{place}");
        }
        let mut project = found("site/x.so");
        project.root = Some(root.clone());
        let mut artifact = project.artifacts[0].clone();
        artifact.names.module = "pkg._x".into();
        artifact.cargo = Some(CargoOutput {
            target_directory: root.join("target"),
            profile_directory: root.join("target/release"),
            build_profile_directory: root.join("target/release"),
            triple: None,
            profile: "release".into(),
            package: "x".into(),
            target: "x".into(),
        });
        assert!(python_sources(&artifact, &project).is_empty());
        fs::write(root.join("pyproject.toml"), "[tool.maturin]\npython-source = \"python\"\n").unwrap();
        assert_eq!(python_sources(&artifact, &project), [root.join("python/pkg")]);
    }
}
