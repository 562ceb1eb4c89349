//! The editors against `readelf` and `patchelf`.

use crate::fixtures::{Chain, Loader, missing, rust_library, warnings};
use crate::{Outcome, Test, edit, names, needed, rpath, soname};
use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::EditRequest::{self, RemoveRunPaths};
use wheelwright::engine::repair::{Editor, Patchelf};

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("tools::readelf_warns_of_nothing_new", readelf),
    ("tools::readelf_sees_dynamic_where_its_symbol_is", dynamic_symbol),
    ("tools::same_names_as_patchelf", differential),
    ("tools::patchelf_leaves_links_alone", links),
];

fn readelf() -> Outcome {
    if let Some(reason) = missing("readelf") {
        return Err(reason);
    }
    let folder = tempfile::tempdir().unwrap();
    let mut files = vec![rust_library(folder.path())];
    let mut chains = vec![Chain::build(&[]).unwrap(), Chain::build(&["-no-pie"]).unwrap()];
    chains.extend(["gold", "lld"].iter().filter_map(|linker| Chain::build(&[&format!("-fuse-ld={linker}")]).ok()));
    for chain in &chains {
        files.extend(["libdeep.so.2", "libgreet.so.1", "main"].map(|name| chain.path(name)));
    }
    for file in files {
        let before = warnings(&file);
        for number in 0..3 {
            let text = format!("$ORIGIN/libs:/number/{number}");
            edit(&file, &[soname(&format!("renamed-{number}")), rpath(&text), needed("libc.so.6", "libother.so.6")]);
            assert_eq!(warnings(&file), before, "{}", file.display());
        }
    }
    Ok(())
}

fn dynamic_symbol() -> Outcome {
    if let Some(reason) = missing("readelf") {
        return Err(reason);
    }
    let folder = tempfile::tempdir().unwrap();
    let library = rust_library(folder.path());
    edit(&library, &[soname("a-new-name.so"), rpath("/a/new/path")]);
    let readelf = |option: &str| {
        let output = std::process::Command::new("readelf").args([option, "-W"]).arg(&library).output().unwrap();
        String::from_utf8(output.stdout).unwrap()
    };
    let segments = readelf("-l");
    let line = segments.lines().find(|line| line.trim().starts_with("DYNAMIC")).unwrap();
    let address = line.split_whitespace().nth(2).unwrap().trim_start_matches("0x").to_owned();
    let symbols = readelf("-s");
    let Some(line) = symbols.lines().find(|line| line.ends_with(" _DYNAMIC")) else {
        return Err("the linker gives no _DYNAMIC symbol".into());
    };
    assert_eq!(line.split_whitespace().nth(1).unwrap(), address);
    Ok(())
}

fn patchelf() -> Result<Patchelf, String> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Patchelf::find(&path).map_err(|error| error.to_string())?.ok_or_else(|| "patchelf is not installed".to_owned())
}

fn apply(editor: &Patchelf, file: &Path, requests: &[EditRequest]) {
    let plan = editor.plan(&Windows::open(file).unwrap(), requests).unwrap().unwrap();
    assert_eq!((plan.layout.as_str(), plan.size_after), ("layout unknown", None));
    editor.apply(file, &plan, &Context::new()).unwrap();
    assert!(editor.plan(&Windows::open(file).unwrap(), requests).unwrap().unwrap().is_empty());
}

fn differential() -> Outcome {
    let editor = patchelf()?;
    let chain = Chain::build(&["-Wl,--enable-new-dtags,-rpath,/old"]).unwrap();
    let bare = Chain::build(&[]).unwrap();
    let rust = tempfile::tempdir().unwrap();
    let library = rust_library(rust.path());
    let (new, to) = (soname("libnew-0123abcd.so.1"), rpath("$ORIGIN/../x.libs"));
    let edits: &[Vec<EditRequest>] = &[
        vec![new.clone()],
        vec![to.clone()],
        vec![rpath("/old")],
        vec![RemoveRunPaths],
        vec![needed("libc.so.6", "libc-0123abcd.so.6"), needed("libdeep.so.2", "libdeep-0123abcd.so.2")],
        vec![new, to, needed("libdeep.so.2", "libdeep-0123abcd.so.2"), needed("libgreet.so.1", "libg-0.so.1")],
        vec![needed("libabsent.so.1", "libother.so.1")],
    ];
    let files = ["libgreet.so.1", "libdeep.so.2", "main"];
    let files = [&files.map(|name| chain.path(name))[..], &files.map(|name| bare.path(name)), &[library]].concat();
    for file in &files {
        for requests in edits {
            let folder = tempfile::tempdir().unwrap();
            let (ours, theirs) = (folder.path().join("ours"), folder.path().join("theirs"));
            std::fs::copy(file, &ours).unwrap();
            std::fs::copy(file, &theirs).unwrap();
            let plan = edit(&ours, requests);
            let other = editor.plan(&Windows::open(&theirs).unwrap(), requests).unwrap().unwrap();
            assert_eq!(plan.requests, other.requests, "both see the same to do");
            if !other.is_empty() {
                apply(&editor, &theirs, requests);
            }
            assert_eq!(names(&ours), names(&theirs), "{} {requests:?}", file.display());
        }
    }
    Ok(())
}

fn links() -> Outcome {
    let editor = patchelf()?;
    let chain = Chain::build(&[]).unwrap();
    let library = chain.path("libdeep.so.2");
    let plan = editor.plan(&Windows::open(&library).unwrap(), &[soname("x")]).unwrap().unwrap();
    std::fs::hard_link(&library, chain.path("alias")).unwrap();
    let before = std::fs::read(&library).unwrap();
    assert!(editor.apply(&library, &plan, &Context::new()).is_err());
    assert_eq!(std::fs::read(&library).unwrap(), before);
    std::fs::remove_file(chain.path("alias")).unwrap();
    editor.apply(&library, &plan, &Context::new()).unwrap();
    Loader::build(&[]).unwrap().loads(&library).unwrap();
    Ok(())
}
