//! The demo lab: small artifacts of all three formats that are part of the program, laid out as a cargo target directory.
//!
//! How they are built and what each one shows stands in `assets/lab/README.md`. [`lay_out`] writes a copy, with the link
//! structure that cargo leaves, and answers with the project that discovery would find there, so that neither cargo nor
//! anything else need be installed. Choosing the directory and removing it are left to the caller.

use super::{Artifact, ArtifactId, CargoOutput, LinkedPathSource, LinkedPaths, Project};
use crate::engine::report::audit::{ArtifactKind, BundleNames};
use crate::engine::{Error, Result};
use std::fs::{DirBuilder, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// A lab that was laid out.
#[derive(Debug, Clone)]
pub struct Lab {
    /// Its project: ten artifacts, in discovery's order.
    pub project: Project,
    /// The directory of `libgreet.so.1` and `libdeep.so.2`, which only a build script's `-L` leads to.
    pub private_libraries: PathBuf,
}

/// A file that is part of the program.
struct File {
    name: &'static str,
    bytes: &'static [u8],
}

macro_rules! built {
    ($name:literal) => {
        File { name: $name, bytes: include_bytes!(concat!("../../../assets/lab/built/", $name)) }
    };
}

/// A cargo package of the lab, and what it yields.
struct Package {
    name: &'static str,
    /// The distribution that its outputs go into.
    distribution: &'static str,
    triple: Option<&'static str>,
    kind: ArtifactKind,
    /// Whether it depends on `greet-sys`, whose build script gives a linked path.
    links_greet: bool,
    outputs: &'static [File],
}

const fn cdylib(name: &'static str, links_greet: bool, outputs: &'static [File]) -> Package {
    Package { name, distribution: name, triple: None, kind: ArtifactKind::Cdylib, links_greet, outputs }
}

const MAC: &str = "aarch64-apple-darwin";
const WINDOWS: &str = "x86_64-pc-windows-gnu";

/// In discovery's order: the host's directory before those of triples, packages by name, programs by name.
static PACKAGES: [Package; 8] = [
    cdylib("labclean", false, &[built!("liblabclean.so")]),
    // In one wheel with what needs the library that it opens.
    Package { distribution: "labext", ..cdylib("labdlopen", false, &[built!("liblabdlopen.so")]) },
    cdylib("labdone", true, &[built!("liblabdone.so")]),
    cdylib("labext", true, &[built!("liblabext.so")]),
    cdylib("labmissing", false, &[built!("liblabmissing.so")]),
    Package {
        name: "labtools",
        distribution: "labtools",
        triple: None,
        kind: ArtifactKind::Bin,
        links_greet: true,
        outputs: &[built!("labctl"), built!("labprobe"), built!("labtool")],
    },
    Package { triple: Some(MAC), ..cdylib("labmac", true, &[built!("liblabmac.dylib")]) },
    Package { triple: Some(WINDOWS), ..cdylib("labwin", true, &[built!("labwin.dll")]) },
];

/// The external libraries, by the triple that they are for.
static LIBRARIES: [(Option<&str>, &[File]); 3] = [
    (None, &[built!("libgreet.so.1"), built!("libdeep.so.2")]),
    (Some(MAC), &[built!("libgreet.1.dylib")]),
    (Some(WINDOWS), &[built!("greet.dll")]),
];

/// The unit hash in the lab's file names.
const HASH: &str = "0123456789abcdef";

/// The outputs of this package are also where maturin's first build leaves them.
const STAGED_BY_MATURIN: &str = "labdone";

/// Writes the lab into `directory`, which must be empty or absent, and nowhere else.
///
/// # Errors
/// [`Error::Refused`] when something is in `directory`; [`Error::Io`] with the file that could not be written. What was
/// written before stays then.
pub fn lay_out(directory: &Path) -> Result<Lab> {
    DirBuilder::new().recursive(true).create(directory).map_err(Error::io("create", directory))?;
    if std::fs::read_dir(directory).map_err(Error::io("list", directory))?.next().is_some() {
        return Err(Error::Refused {
            path: directory.to_path_buf(),
            reason: "the directory is not empty".into(),
            way_out: "name an empty one for the lab".into(),
        });
    }
    let root = directory.canonicalize().map_err(Error::io("resolve", directory))?;
    write_manifests(&root)?;
    let target = root.join("target");
    for (triple, files) in &LIBRARIES {
        write_libraries(&target, *triple, files)?;
    }
    let mut artifacts = Vec::new();
    for package in &PACKAGES {
        for output in package.outputs {
            write_output(&target, package, output)?;
            artifacts.push(artifact(ArtifactId(artifacts.len()), &target, package, output));
        }
    }
    Ok(Lab {
        private_libraries: library_directory(&target, None),
        project: Project {
            root: Some(root),
            target_directory: Some(target),
            build_directory: None,
            artifacts,
            notes: Vec::new(),
        },
    })
}

fn profile_directory(target: &Path, triple: Option<&str>) -> PathBuf {
    triple.map_or_else(|| target.to_path_buf(), |triple| target.join(triple)).join("release")
}

fn out_directory(target: &Path, triple: Option<&str>) -> PathBuf {
    profile_directory(target, triple).join(format!("build/greet-sys-{HASH}/out"))
}

fn library_directory(target: &Path, triple: Option<&str>) -> PathBuf {
    out_directory(target, triple).join("lib")
}

/// The external libraries as `greet-sys`' build script leaves them, with what cargo keeps of that script's words.
fn write_libraries(target: &Path, triple: Option<&str>, files: &[File]) -> Result<()> {
    let libraries = library_directory(target, triple);
    for file in files {
        write(&libraries.join(file.name), file.bytes, 0o755)?;
    }
    if triple.is_none() {
        let link = libraries.join("libgreet.so");
        std::os::unix::fs::symlink("libgreet.so.1", &link).map_err(Error::io("create", &link))?;
    }
    let out = out_directory(target, triple);
    let said = format!("cargo:rustc-link-search=native={}\ncargo:rustc-link-lib=greet\n", libraries.display());
    write(&out.with_file_name("output"), said.as_bytes(), 0o644)?;
    write(&out.with_file_name("root-output"), out.display().to_string().as_bytes(), 0o644)
}

/// An output under the names that cargo gives it, all of one inode.
fn write_output(target: &Path, package: &Package, output: &File) -> Result<()> {
    let profile = profile_directory(target, package.triple);
    let deps = profile.join("deps").join(match package.kind {
        ArtifactKind::Bin => format!("{}-{HASH}", output.name),
        _ => output.name.to_string(),
    });
    write(&deps, output.bytes, 0o755)?;
    link(&deps, &profile.join(output.name))?;
    if package.name == STAGED_BY_MATURIN {
        link(&deps, &target.join("maturin").join(output.name))?;
    }
    Ok(())
}

fn artifact(id: ArtifactId, target: &Path, package: &Package, output: &File) -> Artifact {
    let profile = profile_directory(target, package.triple);
    let mut linked_paths = LinkedPaths::default();
    let mut out_directories = Vec::new();
    if package.links_greet {
        linked_paths.paths.push(library_directory(target, package.triple));
        linked_paths.source = Some(LinkedPathSource::BuildOutput);
        out_directories.push(out_directory(target, package.triple));
    }
    Artifact {
        id,
        path: profile.join(output.name),
        loaded_as: profile.join(output.name),
        name: output.name.into(),
        kind: package.kind,
        cargo: Some(CargoOutput {
            target_directory: target.to_path_buf(),
            profile_directory: profile.clone(),
            build_profile_directory: profile,
            triple: package.triple.map(str::to_string),
            profile: "release".into(),
            package: package.name.into(),
            target: if package.kind == ArtifactKind::Bin { output.name } else { package.name }.into(),
        }),
        linked_paths,
        out_directories,
        names: names(package, output),
        expected_entry_point: (package.kind == ArtifactKind::Cdylib).then(|| package.name.to_owned()),
    }
}

/// The names that maturin's rules give, with the project files that [`write_manifests`] lays down.
fn names(package: &Package, output: &File) -> BundleNames {
    let (name, wheel) = (package.name, package.distribution);
    let (file_name, artifact_dir) = match (package.kind, package.triple) {
        (ArtifactKind::Bin, _) => (output.name.to_string(), format!("{wheel}.scripts")),
        (_, Some(WINDOWS)) => (format!("{name}.pyd"), name.to_string()),
        _ => (format!("{name}.so"), name.to_string()),
    };
    let libraries = if package.triple == Some(MAC) { "dylibs" } else { "libs" };
    BundleNames {
        distribution: wheel.into(),
        module: name.into(),
        file_name,
        artifact_dir,
        libs_dir: format!("{wheel}.{libraries}"),
        defaulted: if package.kind == ArtifactKind::Bin { vec!["module".into()] } else { Vec::new() },
    }
}

/// A workspace that names the outputs, so that `cargo metadata` and the project files say what the lab says.
fn write_manifests(root: &Path) -> Result<()> {
    let workspace = "[workspace]\nresolver = \"3\"\nmembers = [\"crates/*\"]\n";
    write(&root.join("Cargo.toml"), workspace.as_bytes(), 0o644)?;
    let mut lock = String::from("version = 4\n\n[[package]]\nname = \"greet-sys\"\nversion = \"0.1.0\"\n");
    write_greet_sys(&root.join("crates/greet-sys"))?;
    for package in sorted_packages() {
        let dependencies = if package.links_greet { "dependencies = [\n \"greet-sys\",\n]\n" } else { "" };
        lock += &format!("\n[[package]]\nname = \"{}\"\nversion = \"0.1.0\"\n{dependencies}", package.name);
        write_package(&root.join("crates").join(package.name), package)?;
    }
    write(&root.join("Cargo.lock"), lock.as_bytes(), 0o644)
}

/// By name, as cargo's lock file has them.
fn sorted_packages() -> Vec<&'static Package> {
    let mut packages: Vec<&Package> = PACKAGES.iter().collect();
    packages.sort_by_key(|package| package.name);
    packages
}

fn write_package(directory: &Path, package: &Package) -> Result<()> {
    let name = package.name;
    let mut manifest = package_table(name);
    let bindings = if package.kind == ArtifactKind::Bin {
        for output in package.outputs {
            manifest += &format!("\n[[bin]]\nname = \"{0}\"\npath = \"src/{0}.rs\"\n", output.name);
            write(&directory.join(format!("src/{}.rs", output.name)), b"fn main() {}\n", 0o644)?;
        }
        "bindings = \"bin\"".to_string()
    } else {
        manifest += "\n[lib]\ncrate-type = [\"cdylib\"]\n";
        write(&directory.join("src/lib.rs"), b"", 0o644)?;
        format!("bindings = \"pyo3\"\nmodule-name = \"{name}\"")
    };
    if package.links_greet {
        manifest += "\n[dependencies]\ngreet-sys = { path = \"../greet-sys\" }\n";
    }
    let pyproject = format!(
        "[build-system]\nrequires = [\"maturin>=1.16,<2\"]\nbuild-backend = \"maturin\"\n\n\
         [project]\nname = \"{}\"\nversion = \"0.1.0\"\n\n[tool.maturin]\n{bindings}\n",
        package.distribution
    );
    write(&directory.join("Cargo.toml"), manifest.as_bytes(), 0o644)?;
    write(&directory.join("pyproject.toml"), pyproject.as_bytes(), 0o644)
}

fn write_greet_sys(directory: &Path) -> Result<()> {
    let manifest = package_table("greet-sys") + "links = \"greet\"\nbuild = \"build.rs\"\n";
    // A build would replace what there is to see by empty crates, so it stops with a reason.
    let script =
        "fn main() {\n    panic!(\"the lab's outputs were built beforehand; there is nothing to build\");\n}\n";
    write(&directory.join("Cargo.toml"), manifest.as_bytes(), 0o644)?;
    write(&directory.join("build.rs"), script.as_bytes(), 0o644)?;
    write(&directory.join("src/lib.rs"), b"", 0o644)
}

fn package_table(name: &str) -> String {
    format!("[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n")
}

fn create_parent(path: &Path) -> Result<()> {
    let Some(parent) = path.parent() else { return Ok(()) };
    DirBuilder::new().recursive(true).create(parent).map_err(Error::io("create", parent))
}

fn write(path: &Path, bytes: &[u8], mode: u32) -> Result<()> {
    create_parent(path)?;
    let mut file =
        OpenOptions::new().write(true).create_new(true).mode(mode).open(path).map_err(Error::io("create", path))?;
    file.write_all(bytes).map_err(Error::io("write", path))?;
    // The mode given to open() went through the umask.
    file.set_permissions(Permissions::from_mode(mode)).map_err(Error::io("set the mode of", path))
}

fn link(from: &Path, to: &Path) -> Result<()> {
    create_parent(to)?;
    std::fs::hard_link(from, to).map_err(Error::io("link", to))
}
