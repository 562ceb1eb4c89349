//! What the built-in editor refuses, and that nothing is changed then.

use crate::fixtures::{Chain, cc};
use crate::{Outcome, Test, needed, rpath, soname};
use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::EditRequest::{self, RemoveRunPaths};
use wheelwright::engine::repair::{Builtin, EditRefusal, Editor, ExecStack};

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("refusals::files_that_no_loader_reads", object_files),
    ("refusals::contradicting_requests", contradictions),
    ("refusals::another_name_of_the_file", links),
    ("refusals::a_file_that_changed", changed),
    ("refusals::static_pie", static_pie),
];

fn refusal(file: &Path, requests: &[EditRequest]) -> EditRefusal {
    let refusal = Builtin::default().plan(&Windows::open(file).unwrap(), requests).unwrap().unwrap_err();
    assert!(!refusal.reason.is_empty() && !refusal.way_out.is_empty());
    refusal
}

fn object_files() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.c"), "int main(void) { return 0; }\n").unwrap();
    cc(folder.path(), &["-c", "a.c", "-o", "a.o"]).unwrap();
    assert!(refusal(&folder.path().join("a.o"), &[soname("a")]).reason.contains("object file"));
    assert!(refusal(&folder.path().join("a.c"), &[soname("a")]).reason.contains("not an ELF file"));
    cc(folder.path(), &["-static", "-no-pie", "a.c", "-o", "a"]).map_err(|said| format!("no static libc: {said}"))?;
    assert!(refusal(&folder.path().join("a"), &[rpath("/a")]).reason.contains("no dynamic section"));
    Ok(())
}

fn static_pie() -> Outcome {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("a.c"), "int main(void) { return 0; }\n").unwrap();
    cc(folder.path(), &["-static-pie", "a.c", "-o", "a"]).map_err(|said| format!("no static libc: {said}"))?;
    assert!(refusal(&folder.path().join("a"), &[rpath("/a")]).reason.contains("static-pie"));
    let program = folder.path().join("a");
    assert!(refusal(&program, &[soname(&"n".repeat(300))]).reason.contains("static-pie"), "tables would move");
    let stack = [EditRequest::SetExecStack(ExecStack::Asked)];
    assert_eq!(super::edit(&program, &stack).layout, "in place");
    assert!(std::process::Command::new(&program).status().unwrap().success());
    Ok(())
}

fn contradictions() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let library = chain.path("libgreet.so.1");
    for requests in [
        [soname("a"), soname("b")],
        [rpath("a"), rpath("b")],
        [rpath("a"), RemoveRunPaths],
        [needed("libdeep.so.2", "a"), needed("libdeep.so.2", "b")],
    ] {
        assert!(refusal(&library, &requests).reason.contains("contradict"));
    }
    assert!(refusal(&library, &[soname("a\0b")]).reason.contains("NUL"));
    Ok(())
}

fn links() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let library = chain.path("libdeep.so.2");
    let plan = Builtin::default().plan(&Windows::open(&library).unwrap(), &[soname("x")]).unwrap().unwrap();
    let before = std::fs::read(&library).unwrap();
    std::fs::hard_link(&library, chain.path("alias")).unwrap();
    let error = Builtin::default().apply(&library, &plan, &Context::new()).unwrap_err();
    assert!(error.to_string().contains("2 names"), "{error}");
    std::fs::remove_file(chain.path("alias")).unwrap();
    std::os::unix::fs::symlink(&library, chain.path("symlink")).unwrap();
    assert!(Builtin::default().apply(&chain.path("symlink"), &plan, &Context::new()).is_err());
    assert_eq!(std::fs::read(&library).unwrap(), before);
    Ok(())
}

fn changed() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let library = chain.path("libdeep.so.2");
    let plan = Builtin::default().plan(&Windows::open(&library).unwrap(), &[soname("x")]).unwrap().unwrap();
    let original = std::fs::read(&library).unwrap();
    std::fs::write(&library, [&original[..], b"more"].concat()).unwrap();
    assert!(Builtin::default().apply(&library, &plan, &Context::new()).is_err(), "another size");
    std::fs::copy(chain.path("libdeep.so.2"), chain.path("kept")).unwrap();
    std::fs::write(&library, &original).unwrap();
    let other = Builtin::default().plan(&Windows::open(&library).unwrap(), &[soname("another")]).unwrap().unwrap();
    Builtin::default().apply(&library, &other, &Context::new()).unwrap();
    let edited = std::fs::read(&library).unwrap();
    assert!(Builtin::default().apply(&library, &plan, &Context::new()).is_err(), "other tables");
    assert_eq!(std::fs::read(&library).unwrap(), edited);
    let cancelled = Context::new();
    cancelled.cancel();
    std::fs::write(&library, &original).unwrap();
    assert!(Builtin::default().apply(&library, &plan, &cancelled).is_err());
    assert_eq!(std::fs::read(&library).unwrap(), original);
    Ok(())
}
