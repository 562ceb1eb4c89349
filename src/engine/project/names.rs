//! The names that an artifact gets in its wheel, by maturin's rules from pyproject.toml, Cargo.toml and flags.

use super::cargo::Package;
use super::pyproject::Pyproject;
use crate::engine::binary::Format;
use crate::engine::report::audit::{ArtifactKind, BundleNames};
use std::collections::BTreeSet;
use std::path::Path;

/// What the command line says about names.
#[derive(Debug, Clone, Default)]
pub(super) struct NameFlags {
    /// `--dist-name`.
    pub distribution: Option<String>,
    /// `--module-name`.
    pub module: Option<String>,
    /// The interpreter's `EXT_SUFFIX`, where one was given.
    pub extension_suffix: Option<String>,
}

/// How the library is offered to Python.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Bindings {
    /// A Python extension module, by pyo3 or pyo3-ffi.
    Pyo3,
    /// Anything else: cffi, uniffi, a program.
    Other,
}

/// The bindings of `package`: as `[tool.maturin] bindings` says, else by its dependencies.
pub(super) fn bindings(package: &Package, pyproject: Option<&Pyproject>) -> Bindings {
    let is_pyo3 = |name: &str| matches!(name, "pyo3" | "pyo3-ffi");
    let named = pyproject.and_then(|one| one.bindings.as_deref());
    let found = match named {
        Some(name) => is_pyo3(name),
        None => package.dependencies.iter().any(|one| is_pyo3(&one.name)),
    };
    if found { Bindings::Pyo3 } else { Bindings::Other }
}

/// Whether pyo3's stable-ABI feature is on: asked of the dependency, or by the features that maturin switches on.
pub(super) fn uses_abi3(package: &Package, pyproject: Option<&Pyproject>) -> bool {
    let is_abi3 = |feature: &str| feature == "abi3" || feature.starts_with("abi3-");
    let keys: BTreeSet<&str> = package
        .dependencies
        .iter()
        .filter(|one| matches!(one.name.as_str(), "pyo3" | "pyo3-ffi"))
        .map(|one| one.key.as_str())
        .collect();
    let of_dependency = package.dependencies.iter().filter(|one| keys.contains(one.key.as_str()));
    if of_dependency.flat_map(|one| &one.features).any(|feature| is_abi3(feature)) {
        return true;
    }
    let mut open: Vec<&str> = Vec::new();
    if pyproject.is_none_or(|one| !one.no_default_features) {
        open.push("default");
    }
    if let Some(pyproject) = pyproject {
        open.extend(pyproject.features.iter().map(String::as_str));
        if pyproject.all_features {
            open.extend(package.features.keys().map(String::as_str));
        }
    }
    let mut seen = BTreeSet::new();
    while let Some(feature) = open.pop() {
        if !seen.insert(feature) {
            continue;
        }
        match feature.split_once('/') {
            Some((key, feature)) if keys.contains(key.trim_end_matches('?')) && is_abi3(feature) => return true,
            Some(_) => {}
            None => open.extend(package.features.get(feature).into_iter().flatten().map(String::as_str)),
        }
    }
    false
}

/// What is known of an artifact before it has names.
#[derive(Debug, Clone, Copy)]
pub(super) struct Named<'a> {
    /// Its file name in the target directory.
    pub file_name: &'a str,
    /// What it is.
    pub kind: ArtifactKind,
    /// Its format; `None` where nothing is there to look at.
    pub format: Option<Format>,
    /// Its package.
    pub package: &'a Package,
    /// The package's pyproject.toml.
    pub pyproject: Option<&'a Pyproject>,
}

/// The names of a cargo artifact in its wheel (maturin's rules, measured on 1.16.0).
pub(super) fn of_cargo(artifact: Named<'_>, flags: &NameFlags) -> BundleNames {
    let Named { package, pyproject, .. } = artifact;
    let mut defaulted = Vec::new();
    let distribution =
        flags.distribution.clone().or_else(|| pyproject.and_then(|one| one.name.clone())).unwrap_or_else(|| {
            defaulted.push("distribution".to_string());
            package.name.clone()
        });
    let module = flags.module.clone().or_else(|| pyproject.and_then(|one| one.module.clone())).unwrap_or_else(|| {
        defaulted.push("module".to_string());
        package.library.clone().unwrap_or_else(|| package.name.replace('-', "_"))
    });
    let distribution = escape(&distribution);
    let libs_dir = libs_directory(&distribution, artifact.format, artifact.file_name);
    if artifact.kind == ArtifactKind::Bin {
        let artifact_dir = format!("{distribution}.scripts");
        let file_name = artifact.file_name.to_string();
        return BundleNames { distribution, module, file_name, artifact_dir, libs_dir, defaulted };
    }
    let stem = last_component(&module);
    let file_name = match (artifact.format, flags.extension_suffix.as_deref()) {
        (Some(Format::Pe), None) => format!("{stem}.pyd"),
        (Some(Format::Pe), Some(suffix)) if suffix.ends_with(".pyd") => format!("{stem}{suffix}"),
        (Some(Format::Pe), Some(_)) => format!("{stem}.pyd"),
        _ if uses_abi3(package, pyproject) => format!("{stem}.abi3.so"),
        (_, Some(suffix)) => format!("{stem}{suffix}"),
        (_, None) => format!("{stem}.so"),
    };
    BundleNames { artifact_dir: artifact_directory(&module), distribution, module, file_name, libs_dir, defaulted }
}

/// The names of a file that no project is known of: its own, with defaults made from it.
pub(super) fn of_file(path: &Path, format: Option<Format>, flags: &NameFlags) -> BundleNames {
    let file_name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let mut defaulted = Vec::new();
    let module = flags.module.clone().unwrap_or_else(|| {
        defaulted.push("module".to_string());
        stem(&file_name).to_string()
    });
    let distribution = flags.distribution.clone().unwrap_or_else(|| {
        defaulted.insert(0, "distribution".to_string());
        last_component(&module).to_string()
    });
    let distribution = escape(&distribution);
    let libs_dir = libs_directory(&distribution, format, &file_name);
    BundleNames { artifact_dir: artifact_directory(&module), distribution, module, file_name, libs_dir, defaulted }
}

/// The module name in the file name of an extension module; `None` for a name that no Python interpreter would import
/// as one for sure (a bare `.so` is any library).
pub(super) fn extension_module(file_name: &str) -> Option<&str> {
    let (stem, rest) = file_name.split_once('.')?;
    let (tag, suffix) = rest.rsplit_once('.').unwrap_or(("", rest));
    let is_tagged = tag == "abi3" || tag == "abi3t" || tag.starts_with("cpython-") || tag.starts_with("pypy");
    match suffix {
        "so" if is_tagged => Some(stem),
        "pyd" => Some(stem),
        _ => None,
    }
}

/// A distribution name as wheel file names carry it: lower-case, runs of `-`, `_` and `.` as one `_` (PEP 427, PEP 503).
pub(super) fn escape(name: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for letter in name.chars() {
        match letter {
            '-' | '_' | '.' if escaped.ends_with('_') => {}
            '-' | '_' | '.' => escaped.push('_'),
            other => escaped.extend(other.to_lowercase()),
        }
    }
    escaped
}

/// The last component of a dotted module name.
pub(super) fn last_component(module: &str) -> &str {
    module.rsplit('.').next().unwrap_or(module)
}

fn artifact_directory(module: &str) -> String {
    module.rsplit_once('.').map_or(module, |(package, _)| package).replace('.', "/")
}

fn libs_directory(distribution: &str, format: Option<Format>, file_name: &str) -> String {
    let is_macho = match format {
        Some(format) => format == Format::MachO,
        None => file_name.ends_with(".dylib"),
    };
    format!("{distribution}.{}", if is_macho { "dylibs" } else { "libs" })
}

/// `foo` of `libfoo.so.1`, `foo.abi3.so` and `foo`.
fn stem(file_name: &str) -> &str {
    let name = file_name.split('.').find(|part| !part.is_empty()).unwrap_or(file_name);
    match name.strip_prefix("lib") {
        Some(rest) if !rest.is_empty() && extension_module(file_name).is_none() => rest,
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use super::super::cargo::Dependency;
    use super::*;

    fn package() -> Package {
        Package {
            name: "lab-ext".into(),
            manifest: "/p/Cargo.toml".into(),
            targets: Vec::new(),
            library: Some("lab_ext".into()),
            features: [("default", vec!["stable"]), ("stable", vec!["py?/abi3-py39"]), ("loop", vec!["loop"])]
                .map(|(name, list)| (name.to_string(), list.into_iter().map(str::to_string).collect()))
                .into(),
            dependencies: vec![Dependency {
                name: "pyo3".into(),
                key: "py".into(),
                features: Vec::new(),
                path: None,
                linked: true,
            }],
            strangers: BTreeSet::new(),
        }
    }

    fn named<'a>(package: &'a Package, pyproject: Option<&'a Pyproject>, file_name: &'a str) -> Named<'a> {
        let kind = if file_name.contains('.') { ArtifactKind::Cdylib } else { ArtifactKind::Bin };
        let format = match file_name.rsplit_once('.') {
            Some((_, "dll")) => Format::Pe,
            Some((_, "dylib")) => Format::MachO,
            _ => Format::Elf,
        };
        Named { file_name, kind, format: Some(format), package, pyproject }
    }

    #[test]
    fn the_stable_abi_is_found_through_features() {
        let mut package = package();
        let mut pyproject = Pyproject { no_default_features: true, ..Pyproject::default() };
        assert!(uses_abi3(&package, None), "default switches stable on");
        assert!(!uses_abi3(&package, Some(&pyproject)));
        pyproject.features = vec!["loop".into(), "py/abi3".into()];
        assert!(uses_abi3(&package, Some(&pyproject)));
        pyproject.features = vec!["other/abi3".into(), "py/abi3zzz".into()];
        assert!(!uses_abi3(&package, Some(&pyproject)));
        pyproject.all_features = true;
        assert!(uses_abi3(&package, Some(&pyproject)));
        package.features.clear();
        assert!(!uses_abi3(&package, Some(&pyproject)));
        package.dependencies[0].features.push("abi3-py310".into());
        assert!(uses_abi3(&package, None));
    }

    #[test]
    fn bindings_are_as_said_else_by_dependency() {
        let package = package();
        let said = |name: &str| Pyproject { bindings: Some(name.into()), ..Pyproject::default() };
        assert_eq!(bindings(&package, None), Bindings::Pyo3);
        assert_eq!(bindings(&package, Some(&said("cffi"))), Bindings::Other);
        assert_eq!(bindings(&package, Some(&said("pyo3-ffi"))), Bindings::Pyo3);
        assert_eq!(bindings(&Package { dependencies: Vec::new(), ..package }, None), Bindings::Other);
    }

    #[test]
    fn names_come_from_pyproject_and_flags_override() {
        let package = package();
        let pyproject = Pyproject {
            name: Some("Lab--Ext.X".into()),
            module: Some("lab.sub._native".into()),
            ..Pyproject::default()
        };
        let names = of_cargo(named(&package, Some(&pyproject), "liblab_ext.so"), &NameFlags::default());
        assert_eq!(names.distribution, "lab_ext_x");
        assert_eq!(names.module, "lab.sub._native");
        assert_eq!(names.file_name, "_native.abi3.so");
        assert_eq!(names.artifact_dir, "lab/sub");
        assert_eq!(names.libs_dir, "lab_ext_x.libs");
        assert!(names.defaulted.is_empty());
        let flags = NameFlags { distribution: Some("D".into()), module: Some("m".into()), extension_suffix: None };
        let names = of_cargo(named(&package, Some(&pyproject), "liblab_ext.so"), &flags);
        assert_eq!((names.distribution.as_str(), names.artifact_dir.as_str()), ("d", "m"));
    }

    #[test]
    fn without_pyproject_names_are_defaults_and_say_so() {
        let package = Package { features: Default::default(), ..package() };
        let flags = NameFlags::default();
        let table = [
            ("liblab_ext.so", "lab_ext.so", "lab_ext", "lab_ext.libs"),
            ("liblab_ext.dylib", "lab_ext.so", "lab_ext", "lab_ext.dylibs"),
            ("lab_ext.dll", "lab_ext.pyd", "lab_ext", "lab_ext.libs"),
            ("lab-tool", "lab-tool", "lab_ext.scripts", "lab_ext.libs"),
        ];
        for (given, file_name, artifact_dir, libs_dir) in table {
            let names = of_cargo(named(&package, None, given), &flags);
            assert_eq!((names.file_name.as_str(), names.artifact_dir.as_str()), (file_name, artifact_dir));
            assert_eq!(names.libs_dir, libs_dir);
            assert_eq!(names.defaulted, ["distribution", "module"]);
        }
        let suffix = |text: &str| NameFlags { extension_suffix: Some(text.into()), ..NameFlags::default() };
        let elf = of_cargo(named(&package, None, "liblab_ext.so"), &suffix(".cpython-311-x86_64-linux-gnu.so"));
        assert_eq!(elf.file_name, "lab_ext.cpython-311-x86_64-linux-gnu.so");
        let pe = of_cargo(named(&package, None, "lab_ext.dll"), &suffix(".cp311-win_amd64.pyd"));
        assert_eq!(pe.file_name, "lab_ext.cp311-win_amd64.pyd");
    }

    #[test]
    fn a_loose_file_is_named_after_itself() {
        let table = [
            ("x.abi3.so", "x", Some("x")),
            ("_a.cpython-311-x86_64-linux-gnu.so", "_a", Some("_a")),
            ("libx.pyd", "libx", Some("libx")),
            ("libfoo.so.1", "foo", None),
            ("lib.so", "lib", None),
            (".hidden", "hidden", None),
            ("tool", "tool", None),
        ];
        for (file_name, module, extension) in table {
            assert_eq!(extension_module(file_name), extension, "{file_name}");
            let names = of_file(&Path::new("/d").join(file_name), None, &NameFlags::default());
            assert_eq!((names.module.as_str(), names.file_name.as_str()), (module, file_name));
            assert_eq!(names.defaulted, ["distribution", "module"]);
        }
    }
}
