//! Where the result of a repair differs from maturin's because maturin's does not load: both are made and given to ld.so, in a
//! child process, with the build machine's directories gone. `docs/maturin.md` lists the cases.
#![allow(missing_docs)]
#![cfg(all(target_os = "linux", target_env = "gnu"))]

mod support;

use goblin::elf::Elf;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::{run, write};
use wheelwright::engine::Context;
use wheelwright::engine::binary::Name;
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::{Builtin, EditRequest, Editor};

const LOADER: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **words) {
    void *library = dlopen(words[count - 1], RTLD_NOW);
    if (!library) { puts(dlerror()); return 1; }
    int (*function)(void) = (int (*)(void)) dlsym(library, "answer");
    if (!function) { puts(dlerror()); return 1; }
    printf("%d\n", function());
    return 0;
}
"#;

/// An extension that needs libgreet.so.1, which needs libdeep.so.2 beside it; repaired into `bundle`, and then alone.
struct Repaired {
    directory: tempfile::TempDir,
    greet: PathBuf,
    deep: PathBuf,
    extension: PathBuf,
    original_greet: Vec<u8>,
}

/// libgreet.so.1 gets `run_path` as its DT_RUNPATH, the library that it needs being found by `--ld-path`.
fn repaired(run_path: &str) -> Repaired {
    let directory = tempfile::tempdir().unwrap();
    let (root, private) = (directory.path().to_path_buf(), directory.path().join("private"));
    write(&private.join("deep.c"), "int deep(void) { return 40; }\n");
    write(&private.join("greet.c"), "int deep(void); int greet(void) { return deep() + 2; }\n");
    write(&root.join("needy.c"), "int greet(void); int answer(void) { return greet(); }\n");
    write(&root.join("loader.c"), LOADER);
    let cc = |directory: &Path, arguments: &[&str]| run(Command::new("cc").current_dir(directory).args(arguments));
    let run_path = format!("-Wl,--enable-new-dtags,-rpath,{run_path}");
    cc(&private, &["-shared", "-fPIC", "-Wl,-soname,libdeep.so.2", "-o", "libdeep.so.2", "deep.c"]);
    let greet = ["-Wl,-soname,libgreet.so.1", &run_path, "-o", "libgreet.so.1", "greet.c", "-L.", "-l:libdeep.so.2"];
    cc(&private, &[&["-shared", "-fPIC"], &greet[..]].concat());
    let libraries = ["-Lprivate", "-l:libgreet.so.1", "-Wl,-rpath-link,private"];
    cc(&root, &[&["-shared", "-fPIC", "-o", "needy.so", "needy.c"], &libraries[..]].concat());
    cc(&root, &["-o", "loader", "loader.c", "-ldl"]);
    let original_greet = std::fs::read(private.join("libgreet.so.1")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
    command.current_dir(&root).env("XDG_CACHE_HOME", root.join("cache")).env_remove("LD_LIBRARY_PATH");
    run(command.args(["run", "needy.so", "--ld-path", "private", "-o", "bundle"]));
    std::fs::rename(&private, root.join("gone")).unwrap();
    let found = |start: &str| {
        let mut open = vec![root.join("bundle")];
        while let Some(directory) = open.pop() {
            for entry in std::fs::read_dir(directory).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    open.push(path);
                } else if path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(start)) {
                    return path;
                }
            }
        }
        panic!("no {start} in the bundle")
    };
    let (greet, deep, extension) = (found("libgreet-"), found("libdeep-"), found("needy"));
    Repaired { directory, greet, deep, extension, original_greet }
}

impl Repaired {
    /// What a child says that loads the extension and calls it.
    fn load(&self) -> Result<String, String> {
        let loader = self.directory.path().join("loader");
        let output = Command::new(loader).arg(&self.extension).env_remove("LD_LIBRARY_PATH").output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).trim().to_owned();
        if output.status.success() { Ok(said) } else { Err(said) }
    }

    /// Puts libgreet into the bundle as maturin 1.16 edits it where lddtree finds none of its search directories: the names
    /// are replaced, the search path is left.
    fn edit_as_maturin(&self) {
        std::fs::write(&self.greet, &self.original_greet).unwrap();
        let name = |path: &Path| Name::from(path.file_name().unwrap().to_str().unwrap());
        let requests = [
            EditRequest::SetSoname(name(&self.greet)),
            EditRequest::ReplaceNeeded { from: Name::from("libdeep.so.2"), to: name(&self.deep) },
        ];
        let plan = Builtin::default().plan(&Windows::open(&self.greet).unwrap(), &requests).unwrap().unwrap();
        Builtin::default().apply(&self.greet, &plan, &Context::new()).unwrap();
    }
}

/// DT_RPATH and DT_RUNPATH of `path`, by another parser than ours.
fn run_paths(path: &Path) -> (Vec<String>, Vec<String>) {
    let bytes = std::fs::read(path).unwrap();
    let elf = Elf::parse(&bytes).unwrap();
    let owned = |texts: &[&str]| texts.iter().map(ToString::to_string).collect();
    (owned(&elf.rpaths), owned(&elf.runpaths))
}

#[test]
fn a_runpath_of_no_directory_does_not_keep_a_grafted_library_from_its_sibling() {
    let repaired = repaired("/no/such/directory");
    assert_eq!(run_paths(&repaired.greet), (vec!["$ORIGIN".to_owned()], vec![]));
    assert_eq!(run_paths(&repaired.deep), (vec![], vec![]), "it needs no sibling");
    assert_eq!(repaired.load(), Ok("42".to_owned()));

    repaired.edit_as_maturin();
    assert_eq!(run_paths(&repaired.greet), (vec![], vec!["/no/such/directory".to_owned()]));
    let refused = repaired.load().unwrap_err();
    let deep = repaired.deep.file_name().unwrap().to_str().unwrap();
    assert!(refused.contains(deep) && refused.contains("cannot open shared object file"), "{refused}");
}

#[test]
fn the_plan_says_why_it_differs() {
    let repaired = repaired("/no/such/directory");
    std::fs::rename(repaired.directory.path().join("gone"), repaired.directory.path().join("private")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
    command.current_dir(repaired.directory.path()).env("XDG_CACHE_HOME", repaired.directory.path().join("cache"));
    let plan = run(command.args(["plan", "needy.so", "--ld-path", "private", "--json"]));
    let plan: serde_json::Value = serde_json::from_str(&plan).unwrap();
    let edits = plan["steps"][5]["effects"].as_array().unwrap();
    let greet = edits.iter().find(|effect| effect["path"].as_str().unwrap().contains("libgreet-")).unwrap();
    assert!(greet["why"].as_str().unwrap().contains("maturin leaves it"), "{greet}");
    assert!(greet["detail"].as_str().unwrap().contains("DT_RPATH = $ORIGIN"), "{greet}");
}
