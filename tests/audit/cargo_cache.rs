//! WW001 with a real cargo: the state that an in-place repair leaves behind, and the fix that the finding gives.

use crate::real_files::{artifact, options};
use libtest_mimic::Failed;
use std::os::unix::fs::MetadataExt;
use std::path::Path;
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::audit::audit;
use wheelwright::engine::audit::findings::{Circumstances, findings};
use wheelwright::engine::file::sha256;
use wheelwright::engine::project::CargoOutput;
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::audit::{ArtifactKind, RelatedFile};

fn build(project: &Path) -> Result<String, Failed> {
    let mut command = Command::new(env!("CARGO"));
    command.args(["build", "--release", "--offline", "--verbose"]).current_dir(project);
    let output = command.env_remove("CARGO_TARGET_DIR").env_remove("RUSTFLAGS").output()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    if output.status.success() { Ok(text) } else { Err(text.into()) }
}

pub fn fix_works() -> Result<(), Failed> {
    let directory = tempfile::tempdir()?;
    // A path that needs quoting.
    let project = directory.path().join("it's a project");
    std::fs::create_dir_all(project.join("src"))?;
    let manifest =
        "[package]\nname = \"labext\"\nversion = \"0.1.0\"\nedition = \"2021\"\n[lib]\ncrate-type = [\"cdylib\"]\n";
    std::fs::write(project.join("Cargo.toml"), manifest)?;
    std::fs::write(project.join("src/lib.rs"), "#[no_mangle] pub extern \"C\" fn answer() -> i32 { 42 }\n")?;
    build(&project)?;
    let profile = project.join("target/release");
    let (output, deps) = (profile.join("liblabext.so"), profile.join("deps/liblabext.so"));
    let clean = sha256(&output, &Context::new())?;

    // As maturin leaves it: renamed away, then edited in place, so that deps/ has the edited bytes too.
    let staged = project.join("target/maturin/liblabext.so");
    std::fs::create_dir_all(project.join("target/maturin"))?;
    std::fs::rename(&output, &staged)?;
    let mut bytes = std::fs::read(&staged)?;
    bytes.extend_from_slice(b"edited");
    std::fs::write(&staged, bytes)?;
    let told = build(&project)?;
    assert!(told.contains("Fresh labext"), "{told}");
    assert_ne!(sha256(&output, &Context::new())?, clean, "cargo gives the edited bytes back");
    std::fs::remove_file(&output)?;

    let mut artifact = artifact(&output, ArtifactKind::Cdylib);
    artifact.cargo = Some(CargoOutput {
        target_directory: project.join("target"),
        profile_directory: profile.clone(),
        build_profile_directory: profile,
        triple: None,
        profile: "release".into(),
        package: "labext".into(),
        target: "labext".into(),
    });
    let found = audit(&artifact, None, &options(), &Context::new());
    assert!(found.report.error.is_none() && found.report.size.is_none());
    let mut staging = found.report.staging.clone();
    for (path, role) in [(&deps, "deps"), (&staged, "maturin_staged")] {
        let metadata = std::fs::metadata(path)?;
        staging.related.push(RelatedFile {
            path: path.clone(),
            role: role.into(),
            tie: "name".into(),
            device: metadata.dev(),
            inode: metadata.ino(),
            links: metadata.nlink(),
            size: metadata.len(),
            repaired: true,
        });
    }
    let all = findings(&found, &Circumstances { staging: &staging, refusal: None, changed: None, mode: Mode::Repair });
    assert_eq!(all.iter().map(|one| one.code.as_str()).collect::<Vec<_>>(), ["WW001", "WW002"]);
    let inode = std::fs::metadata(&deps)?.ino();
    for finding in &all {
        for path in [&deps, &staged] {
            let line =
                |line: &&String| line.contains(&path.display().to_string()) && line.contains(&format!("inode {inode}"));
            assert!(finding.evidence.iter().any(|text| line(&text)), "{finding:?}");
        }
    }

    let shell = Command::new("sh").arg("-ec").arg(all[0].fix.join("\n")).current_dir("/").output()?;
    assert!(shell.status.success(), "{}", String::from_utf8_lossy(&shell.stderr));
    let told = build(&project)?;
    assert!(told.contains("Compiling labext"), "{told}");
    assert_eq!(sha256(&output, &Context::new())?, clean);
    assert_eq!(std::fs::metadata(&output)?.ino(), std::fs::metadata(&deps)?.ino());
    Ok(())
}
