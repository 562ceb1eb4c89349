//! What these tests work on: a library and a program from the C compiler, and the ways to edit and compare them.

use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::binary::Name;
use wheelwright::engine::compare::{Input, Logged, Question, answer_streaming};
use wheelwright::engine::file::Windows;
use wheelwright::engine::repair::{Builtin, EditPlan, EditRequest, Editor, Patchelf};
use wheelwright::engine::report::diff::{AlignedBy, DiffDocument, Run};

/// A directory with `liba.so` and `tool`, both of which need `libneed.so.1`.
pub struct Shop {
    directory: tempfile::TempDir,
}

impl Shop {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(directory.path().join(name), text).unwrap();
        write("need.c", "int need(void) { return 1; }\n");
        let source = "int need(void); int puts(const char *); static int table[64] = {1};\n\
                      int a(int n) { puts(\"a\"); return need() + table[n & 63]; }\n";
        write("a.c", source);
        write("tool.c", "int need(void); int main(void) { return need() - 1; }\n");
        let cc = |arguments: &[&str]| {
            let output = Command::new("cc").current_dir(directory.path()).args(arguments).output().unwrap();
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        cc(&["-shared", "-fPIC", "-Wl,-soname,libneed.so.1", "-o", "libneed.so.1", "need.c"]);
        let library = ["-shared", "-fPIC", "-g", "-Wl,-soname,liba.so.1", "-Wl,-rpath,/old", "-Wl,--build-id=sha1"];
        cc(&[&library[..], &["-o", "liba.so", "a.c", "-L.", "-l:libneed.so.1"]].concat());
        cc(&["-o", "tool", "tool.c", "-L.", "-l:libneed.so.1", "-Wl,-rpath,$ORIGIN"]);
        Self { directory }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn copy(&self, name: &str) -> PathBuf {
        let copy = self.path(&format!("{name}.edited"));
        std::fs::copy(self.path(name), &copy).unwrap();
        copy
    }

    /// `name`, edited by `editor`; the plan and the result.
    pub fn edited(&self, name: &str, editor: &dyn Editor, requests: &[EditRequest]) -> (EditPlan, PathBuf) {
        let copy = self.copy(name);
        (edit(&copy, editor, requests), copy)
    }

    pub fn compared(&self, name: &str, other: &Path, edits: Option<Vec<Logged>>) -> DiffDocument {
        compared(&self.path(name), other, None, edits)
    }
}

pub fn edit(path: &Path, editor: &dyn Editor, requests: &[EditRequest]) -> EditPlan {
    let plan = editor.plan(&Windows::open(path).unwrap(), requests).unwrap().unwrap();
    editor.apply(path, &plan, &Context::new()).unwrap();
    plan
}

pub fn compared(a: &Path, b: &Path, alignment: Option<AlignedBy>, edits: Option<Vec<Logged>>) -> DiffDocument {
    let question = Question { alignment, edits, ..Question::default() };
    let (a, b) = (Input::open(a).unwrap(), Input::open(b).unwrap());
    let document = answer_streaming(&a, &b, &question, &mut |_| (), &Context::new()).unwrap();
    let told = document.runs.iter().filter(|run| run.explained_by.as_deref() == Some(&[])).count() as u64;
    assert_eq!(document.unexplained, document.edits.as_ref().map(|_| told), "the count is that of the runs");
    assert_eq!(document.findings.iter().any(|finding| finding.code == "WW031"), told > 0);
    document
}

pub fn unexplained(document: &DiffDocument) -> Vec<&Run> {
    document.runs.iter().filter(|run| run.explained_by.as_deref() == Some(&[])).collect()
}

pub fn assert_explained(document: &DiffDocument, what: &str) {
    assert!(!document.equal, "{what}: nothing differs");
    let left: Vec<String> = unexplained(document)
        .iter()
        .map(|run| {
            let (region, meaning) = (run.region.as_deref(), run.meaning.as_deref());
            format!("{:#x} {} {:?} {region:?} {:?} {meaning:?}", run.offset, run.len, run.kind, run.class)
        })
        .collect();
    assert!(left.is_empty(), "{what}: {} of {} runs\n{}", left.len(), document.runs.len(), left.join("\n"));
    assert_eq!(document.bytes.code, 0, "{what}");
}

pub fn builtin() -> Builtin {
    Builtin::default()
}

pub fn patchelf() -> Option<Patchelf> {
    Patchelf::find(&std::env::var_os("PATH").unwrap_or_default()).ok().flatten()
}

pub fn replace(from: &str, to: &str) -> EditRequest {
    EditRequest::ReplaceNeeded { from: Name::from(from), to: Name::from(to) }
}

/// Sets of requests, from one that fits in place to one that needs room for all it brings.
pub fn requests() -> Vec<Vec<EditRequest>> {
    let long = "$ORIGIN/../a/very/long/way/to/where/the/libraries/of/this/bundle/are:/and/one/more";
    vec![
        vec![EditRequest::SetRunpath("/new".into())],
        vec![EditRequest::SetRunpath(long.into())],
        vec![EditRequest::SetRpath(long.into())],
        vec![EditRequest::AppendRunPath(long.into())],
        vec![EditRequest::RemoveRunPaths],
        vec![EditRequest::SetSoname("libanother-0123456789abcdef.so.1".into())],
        vec![replace("libneed.so.1", "libneed-0123456789abcdef.so.1")],
        vec![replace("libneed.so.1", "n")],
        vec![EditRequest::AddNeeded("libmore.so.3".into())],
        vec![EditRequest::RemoveNeeded("libneed.so.1".into())],
        vec![
            EditRequest::SetSoname("liba-0123456789abcdef.so.1".into()),
            replace("libneed.so.1", "libneed-0123456789abcdef.so.1"),
            replace("libc.so.6", "libc-of-another-name.so.6"),
            EditRequest::SetRunpath(long.into()),
        ],
    ]
}
