//! Owners in the audit's report and in what the program prints, of an extension that links a library of a conda prefix.

use libtest_mimic::Failed;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use wheelwright::engine::Context;
use wheelwright::engine::audit::owned::fill_owners;
use wheelwright::engine::audit::{AuditOptions, Lenses, Questions, audit};
use wheelwright::engine::deps::LoaderInputs;
use wheelwright::engine::project::{DiscoverOptions, discover};
use wheelwright::engine::report::audit::{ArtifactReport, Owner};
use wheelwright::engine::report::words;

fn compile(output: &Path, code: &str, arguments: &[&str]) -> Result<(), Failed> {
    let source = output.with_extension("c");
    std::fs::write(&source, code)?;
    let mut command = Command::new("cc");
    command.args(["-shared", "-fPIC", "-o"]).arg(output).arg(&source).args(arguments);
    let result = command.output()?;
    if result.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&result.stderr).into_owned().into()) }
}

/// A prefix with `lib/libgreet.so.1`, a link of the package `greet` to the file of the package `realgreet`, and the
/// extension `lib/ext.so` that needs it and is nobody's.
fn prefix() -> Result<(TempDir, PathBuf), Failed> {
    let scratch = tempfile::tempdir()?;
    let (lib, records) = (scratch.path().join("lib"), scratch.path().join("conda-meta"));
    std::fs::create_dir_all(&lib)?;
    std::fs::create_dir_all(&records)?;
    compile(&lib.join("libgreet.so.1.2"), "int greet(void) { return 2; }", &["-Wl,-soname,libgreet.so.1"])?;
    symlink("libgreet.so.1.2", lib.join("libgreet.so.1"))?;
    let search = format!("-L{}", lib.display());
    let code = "int greet(void); int ext(void) { return greet(); }";
    compile(&lib.join("ext.so"), code, &[&search, "-l:libgreet.so.1", "-Wl,-rpath,$ORIGIN"])?;
    for (name, file) in [("greet", "lib/libgreet.so.1"), ("realgreet", "lib/libgreet.so.1.2")] {
        let record = serde_json::json!({"name": name, "version": "1.2", "build": "h1_0", "files": [file]});
        std::fs::write(records.join(format!("{name}-1.2-h1_0.json")), record.to_string())?;
    }
    let extension = lib.join("ext.so");
    Ok((scratch, extension))
}

fn options(owners: bool, lenses: Lenses) -> AuditOptions {
    let questions = Questions { owners, ..Questions::default() };
    AuditOptions { lenses, questions, ..AuditOptions::new(LoaderInputs::new("/".into())) }
}

fn report(extension: &Path, options: &AuditOptions) -> Result<ArtifactReport, Failed> {
    let project = discover(&[extension.to_path_buf()], &DiscoverOptions::default(), &Context::new())?;
    let artifact = project.artifacts.first().ok_or("an artifact")?;
    let found = audit(artifact, Some(extension), options, &Context::new());
    assert_eq!(found.report.error, None);
    Ok(found.report)
}

/// The owner of the tree's node of that name.
fn in_tree(report: &ArtifactReport, name: &str) -> Option<Owner> {
    let nodes = report.slices.iter().filter_map(|slice| slice.tree.as_ref()).flat_map(|tree| &tree.nodes);
    nodes.filter(|node| node.name == name).find_map(|node| node.owner.clone())
}

fn in_external(report: &ArtifactReport, name: &str) -> Option<Owner> {
    report.external_libs.iter().flatten().find(|library| library.name == name)?.owner.clone()
}

fn greet() -> Option<Owner> {
    let text = |text: &str| Some(text.to_owned());
    Some(Owner { kind: "conda".into(), package: "greet".into(), version: text("1.2"), build: text("h1_0") })
}

pub fn external() -> Result<(), Failed> {
    let (_scratch, extension) = prefix()?;
    let report = report(&extension, &options(false, Lenses::Both))?;
    // The link's package, though the external library is known by its real path.
    assert_eq!(in_external(&report, "libgreet.so.1"), greet());
    assert_eq!(in_tree(&report, "libgreet.so.1"), None, "trees were not asked for");
    Ok(())
}

pub fn trees() -> Result<(), Failed> {
    let (_scratch, extension) = prefix()?;
    let asked = report(&extension, &options(true, Lenses::Both))?;
    assert_eq!((in_external(&asked, "libgreet.so.1"), in_tree(&asked, "libgreet.so.1")), (greet(), greet()));
    assert_eq!(in_tree(&asked, "ext.so"), None, "it is nobody's");
    let alone = report(&extension, &options(true, Lenses::LoaderOnly))?;
    assert_eq!((in_tree(&alone, "libgreet.so.1"), &alone.external_libs), (greet(), &None));
    let settings = options(false, Lenses::Both);
    let mut later = report(&extension, &settings)?;
    fill_owners(&mut later, &settings.owners, &Context::new())?;
    assert_eq!(serde_json::to_value(&later)?, serde_json::to_value(&asked)?);
    Ok(())
}

pub fn program() -> Result<(), Failed> {
    let (_scratch, extension) = prefix()?;
    let run = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_wheelwright")).args(arguments).arg(&extension).output();
        String::from_utf8_lossy(&output.expect("it runs").stdout).into_owned()
    };
    let words = format!("owner {}", words::owner(&greet().ok_or("an owner")?));
    assert_eq!(words, "owner greet 1.2 h1_0 (conda)");
    for (arguments, expected) in [
        (["audit"].as_slice(), true),
        (&["tree", "--owners"], true),
        (&["tree", "--owners", "--lens", "lddtree"], true),
        (&["tree"], false),
    ] {
        let text = run(arguments);
        assert_eq!(text.contains(&words), expected, "{arguments:?}: {text}");
    }
    let tree: serde_json::Value = serde_json::from_str(&run(&["tree", "--owners", "--json"]))?;
    assert_eq!(tree["tree"]["nodes"][1]["owner"]["package"], "greet", "{tree:#}");
    Ok(())
}
