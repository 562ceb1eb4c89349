//! Audits of libraries that the C compiler makes here, and of damaged ones.

use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::audit::{Audit, AuditOptions, Lenses, Tag, audit};
use wheelwright::engine::deps::LoaderInputs;
use wheelwright::engine::file::sha256;
use wheelwright::engine::project::{Artifact, ArtifactId, LinkedPathSource, LinkedPaths};
use wheelwright::engine::report::audit::{ArtifactKind, BundleNames, NodeRole};

pub fn artifact(path: &Path, kind: ArtifactKind) -> Artifact {
    Artifact {
        id: ArtifactId(0),
        path: path.to_path_buf(),
        loaded_as: path.to_path_buf(),
        name: path.file_name().unwrap().to_string_lossy().into_owned(),
        kind,
        cargo: None,
        linked_paths: LinkedPaths::default(),
        out_directories: Vec::new(),
        expected_entry_point: None,
        names: BundleNames {
            distribution: "labext".into(),
            module: "labext".into(),
            file_name: "labext.so".into(),
            artifact_dir: "labext".into(),
            libs_dir: "labext.libs".into(),
            defaulted: Vec::new(),
        },
    }
}

pub fn options() -> AuditOptions {
    AuditOptions::new(LoaderInputs::new(PathBuf::from("/")))
}

fn compile(directory: &Path, name: &str, code: &str, arguments: &[&str]) -> Result<PathBuf, Failed> {
    let source = directory.join(format!("{name}.c"));
    let output = directory.join(name);
    std::fs::write(&source, code)?;
    let soname = format!("-Wl,-soname,{name}");
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-Wl,--no-as-needed", &soname, "-o"]).arg(&output).arg(&source);
    let result = command.arg("-L").arg(directory).args(arguments).output()?;
    if result.status.success() { Ok(output) } else { Err(String::from_utf8_lossy(&result.stderr).into_owned().into()) }
}

/// An extension that needs libgreet.so.1, which needs libdeep.so.2; the libraries are in `private/`.
fn extension(directory: &Path) -> Result<Artifact, Failed> {
    let private = directory.join("private");
    std::fs::create_dir_all(&private)?;
    compile(&private, "libdeep.so.2", "int deep(void) { return 2; }", &[])?;
    let code = "int deep(void); int greet(void) { return deep(); }";
    compile(&private, "libgreet.so.1", code, &["-l:libdeep.so.2", "-Wl,-rpath,$ORIGIN"])?;
    let code = "int greet(void); void *PyInit_labext(void) { return greet() ? 0 : (void *)1; }";
    let search = format!("-L{}", private.display());
    let output = compile(directory, "liblabext.so", code, &[&search, "-l:libgreet.so.1"])?;
    let mut artifact = artifact(&output, ArtifactKind::Cdylib);
    artifact.linked_paths = LinkedPaths { paths: vec![private], source: Some(LinkedPathSource::BuildOutput) };
    Ok(artifact)
}

fn look(artifact: &Artifact, options: &AuditOptions) -> Audit {
    audit(artifact, Some(&artifact.path), options, &Context::new())
}

fn roles(found: &Audit) -> Vec<(String, NodeRole)> {
    let nodes = found.report.slices.iter().filter_map(|slice| slice.tree.as_ref()).flat_map(|tree| &tree.nodes);
    nodes.map(|node| (node.name.clone(), node.role)).collect()
}

pub fn external_library() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let artifact = extension(directory.path())?;
    let mut options = options();
    options.expected_entry_point = Some("labext".into());
    let found = look(&artifact, &options);
    assert_eq!(found.report.error, None);
    let externals = found.report.external_libs.clone().unwrap();
    let names: Vec<&str> = externals.iter().map(|library| library.name.as_str()).collect();
    assert_eq!(names, ["libdeep.so.2", "libgreet.so.1"]);
    for library in &externals {
        let realpath = library.realpath.as_ref().unwrap();
        let hash = sha256(realpath, &Context::new())?;
        let (stem, version) = library.name.split_once('.').unwrap();
        assert_eq!(library.grafted_name.as_deref(), Some(format!("{stem}-{}.{version}", &hash[..8]).as_str()));
    }
    assert_eq!(found.externals.as_ref().unwrap()[1].rpath.len(), 1, "libgreet had a search path that exists");
    let all = roles(&found);
    for name in names {
        assert!(all.contains(&(name.to_string(), NodeRole::External)), "{all:?}");
    }
    let points = found.report.entry_points.as_ref().unwrap();
    assert_eq!(points.found, ["PyInit_labext"]);
    let policy = found.report.policy.unwrap();
    assert_eq!(policy.requested, None);
    assert!(policy.reasons.iter().any(|row| row.rule.as_deref() == Some("library")));

    // Asked for `linux` maturin bundles nothing; so do we, and nothing is external then.
    options.compatibility = Some(Tag::Linux);
    let found = look(&artifact, &options);
    assert_eq!(found.report.external_libs, Some(Vec::new()));
    assert_eq!(found.report.policy.as_ref().unwrap().tag, "linux");
    assert!(roles(&found).iter().all(|(_, role)| *role != NodeRole::External));

    options.compatibility = None;
    options.exclude = vec!["libgreet.so.*".into()];
    let found = look(&artifact, &options);
    assert_eq!(found.report.external_libs, Some(Vec::new()));
    let all = roles(&found);
    for name in ["libgreet.so.1", "libdeep.so.2"] {
        assert!(all.contains(&(name.to_string(), NodeRole::Excluded)), "{all:?}");
    }

    options.lenses = Lenses::LoaderOnly;
    let found = look(&artifact, &options);
    assert!(found.report.external_libs.is_none() && found.externals.is_none());
    assert!(found.report.slices[0].tree.is_some() && found.report.policy.is_some());
    Ok(())
}

pub fn damaged_files() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let whole = std::fs::read(extension(directory.path())?.path)?;
    let path = directory.path().join("damaged.so");
    let subject = artifact(&path, ArtifactKind::Extension);
    std::fs::write(&path, b"no binary at all")?;
    let found = look(&subject, &options());
    assert!(found.report.error.is_some() && found.report.format.is_none());
    assert_eq!(found.report.size, Some(16));
    // Cut short and with bytes turned over: an error or a report, never a panic.
    let mut errors = 0;
    for number in 0..120 {
        let mut bytes = whole.clone();
        if number % 2 == 0 {
            bytes.truncate(whole.len() * number / 120);
        } else {
            for place in (number * 7..4096.min(bytes.len())).step_by(113) {
                bytes[place] ^= 0xff;
            }
        }
        std::fs::write(&path, bytes)?;
        errors += usize::from(look(&subject, &options()).report.error.is_some());
    }
    assert!(errors > 60, "{errors} of 120 were seen to be damaged");
    Ok(())
}

pub fn gone() -> Result<(), Failed> {
    let found =
        audit(&artifact(Path::new("/nowhere/liba.so"), ArtifactKind::Cdylib), None, &options(), &Context::new());
    let error = found.report.error.unwrap();
    assert!(error.message.starts_with("/nowhere/liba.so: cannot open"), "{}", error.message);
    assert!(found.report.size.is_none() && found.binary.is_none());
    Ok(())
}

pub fn twice_the_same() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    let artifact = extension(directory.path())?;
    let text = || serde_json::to_string(&look(&artifact, &options()).report);
    let first = text()?;
    for _ in 0..5 {
        assert_eq!(text()?, first);
    }
    Ok(())
}
