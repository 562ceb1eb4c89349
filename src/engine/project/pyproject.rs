//! What `pyproject.toml` says of the wheel: `[project] name` and the keys of `[tool.maturin]` that decide names.

use std::path::{Path, PathBuf};

/// The keys that we read. All are as written; nothing is checked against maturin's own rules.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Pyproject {
    /// The file's directory.
    pub directory: PathBuf,
    /// `[project] name`.
    pub name: Option<String>,
    /// `[tool.maturin] module-name`.
    pub module: Option<String>,
    /// `[tool.maturin] bindings`.
    pub bindings: Option<String>,
    /// `[tool.maturin] features`.
    pub features: Vec<String>,
    /// `[tool.maturin] all-features`.
    pub all_features: bool,
    /// `[tool.maturin] no-default-features`.
    pub no_default_features: bool,
    /// `[tool.maturin] python-source`, from the file's directory: where the Python files lie.
    pub python_source: Option<PathBuf>,
    /// `[tool.maturin] manifest-path`, from the file's directory.
    pub manifest: Option<PathBuf>,
}

impl Pyproject {
    /// Reads the file in `directory`: `None` when there is none, an error sentence when it can't be understood.
    pub fn read(directory: &Path) -> Option<Result<Self, String>> {
        let path = directory.join("pyproject.toml");
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return None,
            Err(error) => return Some(Err(format!("{}: cannot read: {error}", path.display()))),
        };
        Some(Self::parse(directory, &text).map_err(|message| format!("{}: {message}", path.display())))
    }

    fn parse(directory: &Path, text: &str) -> Result<Self, String> {
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| error.message().to_string())?;
        let maturin = table.get("tool").and_then(|tool| tool.get("maturin"));
        let key = |name: &str| maturin.and_then(|table| table.get(name));
        let text = |value: Option<&toml::Value>| value.and_then(toml::Value::as_str).map(str::to_string);
        let flag = |name: &str| key(name).and_then(toml::Value::as_bool).unwrap_or(false);
        let features = key("features").and_then(toml::Value::as_array);
        Ok(Self {
            directory: directory.to_path_buf(),
            name: text(table.get("project").and_then(|project| project.get("name"))),
            module: text(key("module-name")),
            bindings: text(key("bindings")),
            features: features.into_iter().flatten().filter_map(toml::Value::as_str).map(str::to_string).collect(),
            all_features: flag("all-features"),
            no_default_features: flag("no-default-features"),
            python_source: text(key("python-source")).map(|path| directory.join(path)),
            manifest: text(key("manifest-path")).map(|path| directory.join(path)),
        })
    }

    /// The manifest that it builds, by maturin's search: `manifest-path`, `Cargo.toml` beside it, `rust/Cargo.toml`.
    pub fn manifest(&self) -> Option<PathBuf> {
        if let Some(path) = &self.manifest {
            return Some(path.clone()).filter(|path| path.is_file());
        }
        ["Cargo.toml", "rust/Cargo.toml"].iter().map(|name| self.directory.join(name)).find(|path| path.is_file())
    }
}

/// The folder of the Python files that `pyproject.toml` in `directory` names; `None` where it names none.
#[must_use]
pub fn python_source(directory: &Path) -> Option<PathBuf> {
    Pyproject::read(directory).and_then(Result::ok).and_then(|found| found.python_source)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_found_where_they_stand() {
        let text = r#"
            [project]
            name = "Lab.Ext"
            [tool.maturin]
            module-name = "lab._native"
            bindings = "pyo3"
            features = ["pyo3/abi3-py39", "fast"]
            no-default-features = true
            python-source = "python"
            manifest-path = "crates/py/Cargo.toml"
        "#;
        let found = Pyproject::parse(Path::new("/p"), text).unwrap();
        assert_eq!(found.name.as_deref(), Some("Lab.Ext"));
        assert_eq!(found.module.as_deref(), Some("lab._native"));
        assert_eq!(found.features, ["pyo3/abi3-py39", "fast"]);
        assert!(found.no_default_features && !found.all_features);
        assert_eq!(found.python_source.as_deref(), Some(Path::new("/p/python")));
        assert_eq!(found.manifest.as_deref(), Some(Path::new("/p/crates/py/Cargo.toml")));
    }

    #[test]
    fn other_tools_and_wrong_types_give_nothing() {
        let found = Pyproject::parse(Path::new("/p"), "[tool]\nmaturin = 3\n[project]\nname = []\n").unwrap();
        assert_eq!(found, Pyproject { directory: "/p".into(), ..Pyproject::default() });
        assert!(Pyproject::parse(Path::new("/p"), "[tool").is_err());
    }

    #[test]
    fn the_manifest_is_sought_as_maturin_does() {
        let directory = tempfile::tempdir().unwrap();
        let here = Pyproject { directory: directory.path().into(), ..Pyproject::default() };
        assert_eq!(here.manifest(), None);
        std::fs::create_dir(directory.path().join("rust")).unwrap();
        std::fs::write(directory.path().join("rust/Cargo.toml"), "").unwrap();
        assert_eq!(here.manifest(), Some(directory.path().join("rust/Cargo.toml")));
        std::fs::write(directory.path().join("Cargo.toml"), "").unwrap();
        assert_eq!(here.manifest(), Some(directory.path().join("Cargo.toml")));
    }
}
