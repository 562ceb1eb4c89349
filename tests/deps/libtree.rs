//! The test directories of the public resolver libtree, built by their own Makefiles from the checkout that
//! `WHEELWRIGHT_LIBTREE` names; none of it is kept here.
//!
//! Every ELF file of each directory is loaded without variables and with each subdirectory as `LD_LIBRARY_PATH`, which covers
//! the commands of their `check` targets. Their exit codes are not the measure: ld.so's whole search is.

use crate::Case;
use crate::lab::{Lab, found, lacks_glibc};
use libtest_mimic::Failed;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::report::audit::SearchRule;

pub fn all() -> Vec<Case> {
    let unset =
        || std::env::var_os("WHEELWRIGHT_LIBTREE").is_none().then(|| "WHEELWRIGHT_LIBTREE is not set".to_string());
    vec![Case { name: "test_directories_of_libtree", lacking: lacks_glibc().or_else(unset), run: directories }]
}

fn directories() -> Result<(), Failed> {
    let checkout = PathBuf::from(std::env::var_os("WHEELWRIGHT_LIBTREE").ok_or("not set")?);
    let mut lab = Lab::new();
    copy(&checkout.join("tests"), &lab.path("tests"))?;
    // Their `check` targets start the program that they test; here only what they build counts.
    std::fs::write(lab.path("libtree"), "#!/bin/sh\nexit 0\n")?;
    std::fs::set_permissions(lab.path("libtree"), std::fs::Permissions::from_mode(0o755))?;
    let root = format!("{}/", lab.path("tests").display());
    let (mut loads, mut names, mut wrong, mut directories) = (0, 0, Vec::new(), 0);
    for directory in sorted(&lab.path("tests"))?.into_iter().filter(|path| path.join("Makefile").exists()) {
        Command::new("make").args(["-k", "-C"]).arg(&directory).output()?;
        directories += 1;
        let mut files = Vec::new();
        let mut variables = vec![None, Some(directory.clone())];
        for path in sorted(&directory)? {
            if path.is_dir() {
                variables.push(Some(path.clone()));
                files.extend(sorted(&path)?);
            } else {
                files.push(path);
            }
        }
        files.retain(|path| std::fs::read(path).is_ok_and(|bytes| bytes.starts_with(b"\x7fELF")));
        if !files.iter().any(|path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("exe"))) {
            return Err(format!("{} was not built", directory.display()).into());
        }
        lab.working_directory.clone_from(&directory);
        let before = (loads, names, wrong.len());
        for (file, variable) in files.iter().flat_map(|file| variables.iter().map(move |variable| (file, variable))) {
            lab.library_path = variable.as_ref().map(|path| path.clone().into_os_string());
            let line = line(&lab, file, variable.as_deref());
            let outcome = lab.agrees(file);
            loads += 1;
            match outcome {
                Ok(graph) => {
                    let needs: Vec<String> = graph
                        .edges
                        .iter()
                        .map(|edge| {
                            let by = edge.found_by.as_ref().map_or("not found".into(), |by| rule(by.rule));
                            format!("{} [{by}]", edge.needed.to_text().replace(&root, ""))
                        })
                        .collect();
                    names += found(&graph).len();
                    println!("{}", format!("same   {line}: {}", needs.join(", ")).trim_end());
                }
                Err(why) => {
                    println!("DIFFER {line}");
                    wrong.push(format!("{line}: {}", why.message().unwrap_or_default()));
                }
            }
        }
        let name = directory.file_name().unwrap_or_default().to_string_lossy();
        let (loads, names, wrong) = (loads - before.0, names - before.1, wrong.len() - before.2);
        println!("directory {name}: {} files, {loads} loads, {names} names, {wrong} differences", files.len());
    }
    println!("{directories} directories, {loads} loads, {names} names, {} differences", wrong.len());
    if directories < 9 {
        return Err(format!("only {directories} directories").into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn rule(rule: SearchRule) -> String {
    format!("{rule:?}")
}

/// What was loaded, with paths as seen from the directory of tests.
fn line(lab: &Lab, file: &Path, variable: Option<&Path>) -> String {
    let root = lab.path("tests");
    let short = |path: &Path| path.strip_prefix(&root).unwrap_or(path).display().to_string();
    match variable {
        None => short(file),
        Some(value) => format!("{} with LD_LIBRARY_PATH={}", short(file), short(value)),
    }
}

fn sorted(directory: &Path) -> std::io::Result<Vec<PathBuf>> {
    let entries: std::io::Result<Vec<_>> = std::fs::read_dir(directory)?.map(|entry| Ok(entry?.path())).collect();
    let mut entries = entries?;
    entries.sort();
    Ok(entries)
}

fn copy(from: &Path, to: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(to)?;
    for path in sorted(from)? {
        let target = to.join(path.file_name().unwrap_or_default());
        if path.is_dir() { copy(&path, &target)? } else { std::fs::copy(&path, &target).map(drop)? }
    }
    Ok(())
}
