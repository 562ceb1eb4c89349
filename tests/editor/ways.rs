//! The way that is chosen for an edit, what it says of itself, and that the result runs: needs, versions, interpreter, RELRO.

use crate::fixtures::{Chain, Loader, cc, run, rust_library, strip};
use crate::{Outcome, Test, edit, names, needed, rpath, soname};
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::binary;
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::EditRequest::{
    self, AddNeeded, AppendRunPath, ClearSymbolVersion, NoDefaultLib, RemoveNeeded, SetInterpreter, SetRunpath,
};
use wheelwright::engine::repair::{Builtin, EditOptions, EditPlan, EditRefusal, Editor};
use wheelwright::engine::report::fit::{RelroFate, Strategy, Verdict};

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("ways::a_rust_library_keeps_relro", rust_library_keeps_relro),
    ("ways::a_rust_program_keeps_relro", rust_program_keeps_relro),
    ("ways::an_edit_goes_back_in_place", in_place_again),
    ("ways::relro_is_kept_or_the_edit_refused", keep_relro),
    ("ways::a_versioned_library_is_taken_out", versioned_library_removed),
    ("ways::a_need_is_added_before_the_others", need_added),
    ("ways::a_symbol_loses_its_version", symbol_version),
    ("ways::an_interpreter_of_any_length", interpreter),
    ("ways::an_appended_search_path", appended_path),
    ("ways::no_default_directories", no_default_directories),
    ("ways::alternating_edits_do_not_grow_the_file", alternating),
    ("ways::nothing_is_inserted_into_a_large_file", large_file),
    ("ways::what_has_no_dynamic_section", without_dynamic),
];

/// A path longer than any padding.
fn long() -> String {
    "/a/long/way".repeat(400)
}

fn fate(plan: &EditPlan) -> (Strategy, RelroFate) {
    let fit = plan.fit.as_ref().unwrap();
    let chosen: Vec<_> = fit.considered.iter().filter(|one| one.verdict == Verdict::Chosen).collect();
    assert_eq!((chosen.len(), chosen[0].strategy, fit.considered.len()), (1, fit.strategy, 6));
    assert_eq!(fit.after.size, plan.size_after.unwrap());
    (fit.strategy, fit.relro)
}

/// Whether PT_DYNAMIC lies in PT_GNU_RELRO, by the program headers.
fn protected(file: &Path) -> bool {
    let binary = binary::read(&Windows::open(file).unwrap()).unwrap();
    let segments = &binary.slices[0].elf.as_ref().unwrap().tables.segments;
    let of = |kind: u32| segments.iter().find(|segment| segment.p_type == kind).unwrap();
    let (dynamic, relro) = (of(2), of(0x6474_e552));
    dynamic.p_vaddr >= relro.p_vaddr && dynamic.p_vaddr + dynamic.p_memsz <= relro.p_vaddr + relro.p_memsz
}

fn rust_library_keeps_relro() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let library = rust_library(folder.path());
    if !protected(&library) {
        return Err("this toolchain's linker leaves .dynamic out of RELRO".into());
    }
    let loader = Loader::build(&[]).unwrap();
    for requests in [vec![rpath("$ORIGIN/lib")], vec![rpath(&long()), soname("libanswer-0123abcd.so")]] {
        let relro = fate(&edit(&library, &requests)).1;
        assert_eq!((relro, protected(&library)), (RelroFate::Kept, true));
        assert_eq!(loader.call(&library, "answer").unwrap(), "42");
    }
    let stripped = folder.path().join("stripped.so");
    std::fs::copy(&library, &stripped).unwrap();
    strip(&stripped);
    assert!(protected(&stripped));
    assert_eq!(loader.call(&stripped, "answer").unwrap(), "42");
    Ok(())
}

fn rust_program_keeps_relro() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("main.rs"), "fn main() { println!(\"{}\", std::env::args().count() + 41) }\n")
        .unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
    let made = Command::new(rustc).args(["-O", "main.rs", "-o", "main"]).current_dir(folder.path()).status().unwrap();
    assert!(made.success());
    let main = folder.path().join("main");
    if !protected(&main) {
        return Err("this toolchain's linker leaves .dynamic out of RELRO".into());
    }
    let plan = edit(&main, &[rpath("$ORIGIN/lib")]);
    assert_eq!((fate(&plan).1, protected(&main)), (RelroFate::Kept, true));
    assert_eq!(run(&main).unwrap(), "42");
    strip(&main);
    assert_eq!((run(&main).unwrap().as_str(), protected(&main)), ("42", true));
    Ok(())
}

fn in_place_again() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let library = chain.path("libgreet.so.1");
    let first = edit(&library, &[rpath("/the/first/place/of/all")]);
    assert_ne!(fate(&first).0, Strategy::InPlace);
    // What the first left is room for the second.
    for text in ["/the/other/place/of/all", "/short", "/the/first/place/of/all"] {
        assert_eq!(fate(&edit(&library, &[rpath(text)])).0, Strategy::InPlace, "{text}");
        assert_eq!(names(&library).2, [format!("Rpath {text}")]);
    }
    edit(&library, &[rpath(&chain.path("").display().to_string())]);
    assert_eq!(Loader::build(&[]).unwrap().call(&library, "greet").unwrap(), "42");
    Ok(())
}

fn keep_relro() -> Outcome {
    let chain = Chain::build(&["-Wl,-z,relro,-z,now"]).unwrap();
    let library = chain.path("libdeep.so.2");
    let requests: Vec<EditRequest> =
        (0..30).map(|number| AddNeeded(format!("libmore{number}.so").as_str().into())).collect();
    if !protected(&library) {
        return Err("this linker leaves .dynamic out of RELRO".into());
    }
    let strict = Builtin { options: EditOptions { keep_relro: true, page_size: None } };
    let plan = |editor: &Builtin| editor.plan(&Windows::open(&library).unwrap(), &requests).unwrap();
    let loose = plan(&Builtin::default()).unwrap();
    let (strategy, relro) = fate(&loose);
    if strategy != Strategy::DynamicMoved {
        return Err(format!("this linker leaves room for thirty entries: {}", loose.layout));
    }
    assert_eq!(relro, RelroFate::Lost);
    assert!(loose.layout.contains("leaves RELRO"), "{}", loose.layout);
    let EditRefusal { reason, need, room, .. } = plan(&strict).unwrap_err();
    assert!(reason.contains("RELRO") && need > room && room.is_some(), "{reason} {need:?} {room:?}");
    Ok(())
}

/// A program that takes `value` from `libold.so`, with a version, and what stands in for that library without versions.
fn versioned() -> (tempfile::TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    write("old.c", "int value(void) { return 1; }\n");
    write("old.map", "OLD_1 { global: value; };\n");
    write("new.c", "int value(void) { return 42; }\n");
    write("main.c", "#include <stdio.h>\nint value(void);\nint main(void) { printf(\"%d\\n\", value()); return 0; }\n");
    let make = |arguments: &[&str]| cc(folder.path(), arguments).unwrap();
    make(&["-shared", "-fPIC", "old.c", "-Wl,--version-script=old.map", "-Wl,-soname,libold.so", "-o", "libold.so"]);
    make(&["-shared", "-fPIC", "new.c", "-Wl,-soname,libnew.so", "-o", "libnew.so"]);
    make(&["main.c", "libold.so", "-Wl,-rpath,$ORIGIN", "-o", "main"]);
    let main = folder.path().join("main");
    assert_eq!(run(&main).unwrap(), "1");
    (folder, main)
}

fn versioned_library_removed() -> Outcome {
    let (folder, main) = versioned();
    assert!(names(&main).3.contains(&"libold.so".to_owned()));
    edit(&main, &[RemoveNeeded("libold.so".into()), AddNeeded("libnew.so".into())]);
    let (_, needs, _, versions) = names(&main);
    assert_eq!(needs.first().map(String::as_str), Some("libnew.so"));
    assert!(
        !needs.contains(&"libold.so".to_owned()) && !versions.contains(&"libold.so".to_owned()),
        "{needs:?} {versions:?}"
    );
    std::fs::remove_file(folder.path().join("libold.so")).unwrap();
    assert_eq!(run(&main).unwrap(), "42");
    strip(&main);
    assert_eq!(run(&main).unwrap(), "42");
    Ok(())
}

fn need_added() -> Outcome {
    let (_folder, main) = versioned();
    // The first library that is loaded stands before the others in the search for symbols.
    edit(&main, &[AddNeeded("libnew.so".into()), ClearSymbolVersion("value".into())]);
    assert_eq!(names(&main).1.first().map(String::as_str), Some("libnew.so"));
    assert_eq!(run(&main).unwrap(), "42");
    Ok(())
}

fn symbol_version() -> Outcome {
    let (_folder, main) = versioned();
    let version = |file: &Path| {
        let source = Windows::open(file).unwrap();
        let binary = binary::read(&source).unwrap();
        let symbols = binary::elf::Symbols::open(&source, &binary.slices[0].elf.as_ref().unwrap().tables).unwrap();
        symbols.undefined().unwrap().into_iter().find(|symbol| symbol.name == "value".into()).unwrap().version
    };
    assert!(version(&main).is_some());
    let plan = edit(&main, &[ClearSymbolVersion("value".into())]);
    assert_eq!((plan.layout.as_str(), plan.writes, version(&main)), ("in place", 2, None));
    assert_eq!(run(&main).unwrap(), "1");
    let again = Builtin::default().plan(&Windows::open(&main).unwrap(), &[ClearSymbolVersion("absent".into())]);
    assert!(again.unwrap().unwrap().is_empty());
    Ok(())
}

fn interpreter() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let main = chain.path("main");
    let here = chain.path("").display().to_string();
    let binary = binary::read(&Windows::open(&main).unwrap()).unwrap();
    let old = binary.slices[0].interpreter.clone().unwrap().to_string();
    for name in ["a-rather-long-name-of-an-interpreter".repeat(3), "i".to_owned()] {
        let link = chain.path(&name);
        std::os::unix::fs::symlink(&old, &link).unwrap();
        let text = link.to_string_lossy();
        edit(&main, &[SetInterpreter(text.as_ref().into()), rpath(&here)]);
        let binary = binary::read(&Windows::open(&main).unwrap()).unwrap();
        assert_eq!(binary.slices[0].interpreter, Some(text.as_ref().into()));
        assert_eq!(run(&main).unwrap(), "42");
    }
    strip(&main);
    assert_eq!(run(&main).unwrap(), "42");
    std::fs::remove_file(chain.path("i")).unwrap();
    assert!(run(&main).is_err(), "it is the new interpreter that starts the program");
    let library = Windows::open(&chain.path("libdeep.so.2")).unwrap();
    let refusal = Builtin::default().plan(&library, &[SetInterpreter("/ld.so".into())]).unwrap().unwrap_err();
    assert!(refusal.reason.contains("no interpreter"), "{refusal}");
    Ok(())
}

fn appended_path() -> Outcome {
    let chain = Chain::build(&["-Wl,-rpath,/old"]).unwrap();
    let (main, here) = (chain.path("main"), chain.path("").display().to_string());
    let before = names(&main).2.remove(0);
    let plan = Builtin::default().plan(&Windows::open(&main).unwrap(), &[AppendRunPath(here.as_str().into())]);
    let plan = plan.unwrap().unwrap();
    Builtin::default().apply(&main, &plan, &wheelwright::engine::Context::new()).unwrap();
    assert_eq!(names(&main).2, [format!("{before}:{here}")]);
    edit(&main, &[SetRunpath(here.as_str().into())]);
    assert_eq!(names(&main).2, [format!("Runpath {here}")]);
    Ok(())
}

fn no_default_directories() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let main = chain.path("main");
    edit(&main, &[NoDefaultLib, needed("libgreet.so.1", "libgreet.so.1")]);
    let binary = binary::read(&Windows::open(&main).unwrap()).unwrap();
    let flags = binary.slices[0].elf.as_ref().unwrap().tables.dynamic_value(0x6fff_fffb).unwrap();
    assert_eq!(flags & 0x800, 0x800);
    Ok(())
}

fn alternating() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    for file in ["main", "libgreet.so.1"].map(|name| chain.path(name)) {
        let size = || std::fs::metadata(&file).unwrap().len();
        let texts = ["/one/place".repeat(40), "/another/one".repeat(30), "/x".to_owned(), "/and/a/third".repeat(35)];
        let mut largest = 0;
        let fresh = std::fs::read(&file).unwrap();
        for text in &texts {
            std::fs::write(&file, &fresh).unwrap();
            edit(&file, &[rpath(text), soname(text)]);
            largest = largest.max(size());
        }
        for number in 0..100 {
            let (one, other) = (&texts[number % 4], &texts[number * 3 % 4]);
            edit(&file, &[rpath(one), soname(other)]);
        }
        assert!(size() <= largest + 2 * 4096, "{} after the largest of {largest}", size());
    }
    Ok(())
}

fn large_file() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    let library = rust_library(folder.path());
    if !protected(&library) {
        return Err("this toolchain's linker leaves .dynamic out of RELRO".into());
    }
    let requests = [rpath("$ORIGIN/lib"), AddNeeded("libm.so.6".into())];
    let plan = || Builtin::default().plan(&Windows::open(&library).unwrap(), &requests).unwrap().unwrap();
    let small = plan();
    std::fs::OpenOptions::new().write(true).open(&library).unwrap().set_len(300 << 20).unwrap();
    let large = plan();
    if small.insertion.is_none() {
        return Err(format!("this toolchain's linker leaves room for two entries: {}", small.layout));
    }
    assert_eq!((large.insertion, large.shifted, fate(&large).1), (None, 0, RelroFate::Kept));
    Builtin::default().apply(&library, &large, &wheelwright::engine::Context::new()).unwrap();
    assert!(protected(&library));
    assert_eq!(Loader::build(&[]).unwrap().call(&library, "answer").unwrap(), "42");
    Ok(())
}

fn without_dynamic() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.c"), "int main(void) { return 0; }\n").unwrap();
    cc(folder.path(), &["-static", "-no-pie", "a.c", "-o", "a"]).map_err(|said| format!("no static libc: {said}"))?;
    let program = folder.path().join("a");
    let stack = EditRequest::SetExecStack(wheelwright::engine::repair::ExecStack::Asked);
    assert_eq!(edit(&program, &[stack]).layout, "in place");
    assert!(Command::new(&program).status().unwrap().success());
    Ok(())
}
