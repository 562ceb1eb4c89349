//! The edits, each a row of steps, and what a file shall name after them: worked out here once more, by hand.

use crate::workshop::Kind;
use std::collections::BTreeMap;
use wheelwright::engine::repair::EditRequest;

/// One step of a case.
#[derive(Debug, Clone)]
pub enum Step {
    /// The editor fulfils these at once.
    Edit(Vec<EditRequest>),
    /// The machine's first `strip` runs over the file.
    Strip,
}

/// A case: its name in the table and its steps.
#[derive(Debug, Clone)]
pub struct Case {
    /// Its name.
    pub name: &'static str,
    /// Its steps.
    pub steps: Vec<Step>,
}

/// What the loader is told by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Names {
    /// `NEEDED`, in order.
    pub needed: Vec<String>,
    /// The search path: its tag and text.
    pub run_path: Option<(&'static str, String)>,
    /// `SONAME`.
    pub soname: Option<String>,
    /// The interpreter.
    pub interpreter: Option<String>,
}

impl Names {
    /// These names after `requests`.
    pub fn after(mut self, requests: &[EditRequest]) -> Self {
        for request in requests {
            match request {
                EditRequest::SetRpath(text) => self.run_path = Some(("RPATH", text.to_string())),
                EditRequest::SetRunpath(text) => self.run_path = Some(("RUNPATH", text.to_string())),
                EditRequest::RemoveRunPaths => self.run_path = None,
                EditRequest::SetSoname(name) => self.soname = Some(name.to_string()),
                EditRequest::SetInterpreter(name) => self.interpreter = Some(name.to_string()),
                EditRequest::ReplaceNeeded { from, to } => {
                    let named = self.needed.iter_mut().filter(|name| **name == from.to_string());
                    named.for_each(|name| *name = to.to_string());
                }
                EditRequest::AddNeeded(name) => self.needed.insert(0, name.to_string()),
                EditRequest::RemoveNeeded(gone) => self.needed.retain(|name| *name != gone.to_string()),
                other => panic!("no case asks for {other:?}"),
            }
        }
        self
    }
}

/// The libraries beside the subject after `requests`: under the name that it knows them by, the name of the real file.
pub fn renamed(libraries: &mut BTreeMap<String, &'static str>, requests: &[EditRequest]) {
    for request in requests {
        match request {
            EditRequest::ReplaceNeeded { from, to } => {
                if let Some(file) = libraries.remove(&from.to_string()) {
                    libraries.insert(to.to_string(), file);
                }
            }
            EditRequest::AddNeeded(name) => drop(libraries.insert(name.to_string(), "libextra.so.1")),
            EditRequest::RemoveNeeded(name) => drop(libraries.remove(&name.to_string())),
            _ => {}
        }
    }
}

const BESIDE: &str = "$ORIGIN/libs";

/// A search path of `length` bytes that ends beside the subject.
pub fn path_of(length: usize) -> String {
    let mut text = String::new();
    while text.len() + BESIDE.len() < length {
        let room = (length - text.len() - BESIDE.len()).min(60);
        let part = if room < 3 { "/".repeat(room - 1) } else { format!("/{}", "x".repeat(room - 2)) };
        text.push_str(&part);
        text.push(':');
    }
    text + BESIDE
}

fn rpath(length: usize) -> EditRequest {
    EditRequest::SetRpath(path_of(length).as_str().into())
}

fn replace(from: &str, to: &str) -> EditRequest {
    EditRequest::ReplaceNeeded { from: from.into(), to: to.into() }
}

const LONG_DEEP: &str = "libdeep-845b8c15-with-a-name-that-is-much-longer-than-it-was.so.2";
const LONG_PLAIN: &str = "libplain-47542e49-with-a-name-that-is-much-longer-than-it-was.so.1";
const LONG_SONAME: &str = "libsubject-0123abcd-with-a-name-that-is-much-longer-than-it-was.so.1";

/// The cases for a file of `kind`, whose interpreter may also be called `interpreter`.
pub fn cases(kind: Kind, interpreter: &str) -> Vec<Case> {
    let one = |name: &'static str, requests: Vec<EditRequest>| Case { name, steps: vec![Step::Edit(requests)] };
    let mut cases = vec![
        one("rpath short", vec![rpath(BESIDE.len())]),
        one("runpath short", vec![EditRequest::SetRunpath(BESIDE.into())]),
        one("rpath 200", vec![rpath(200)]),
        one("rpath 4096", vec![rpath(4096)]),
        one("needed shorter", vec![replace("libplain.so.1", "p.so")]),
        one("needed longer", vec![replace("libplain.so.1", LONG_PLAIN)]),
        one("needed versioned shorter", vec![replace("libdeep.so.2", "d.so")]),
        one("needed versioned longer", vec![replace("libdeep.so.2", LONG_DEEP)]),
        one("needed added", vec![EditRequest::AddNeeded("libextra.so.1".into())]),
        one("needed removed", vec![EditRequest::RemoveNeeded("libspare.so.1".into())]),
    ];
    let own = match kind {
        Kind::Library => EditRequest::SetSoname(LONG_SONAME.into()),
        Kind::Fixed | Kind::Pie => EditRequest::SetInterpreter(interpreter.into()),
    };
    cases.push(one(if kind == Kind::Library { "soname" } else { "interpreter" }, vec![own.clone()]));
    let all = vec![
        rpath(200),
        replace("libdeep.so.2", LONG_DEEP),
        replace("libplain.so.1", "p.so"),
        EditRequest::AddNeeded("libextra.so.1".into()),
        EditRequest::RemoveNeeded("libspare.so.1".into()),
        own.clone(),
    ];
    cases.push(one("all at once", all.clone()));
    let ten = vec![
        vec![rpath(BESIDE.len())],
        vec![replace("libplain.so.1", LONG_PLAIN)],
        vec![rpath(500)],
        vec![own],
        vec![replace("libdeep.so.2", LONG_DEEP)],
        vec![EditRequest::SetRunpath(path_of(3000).as_str().into())],
        vec![replace(LONG_DEEP, "libdeep.so.2"), replace(LONG_PLAIN, "libplain.so.1")],
        vec![EditRequest::AddNeeded("libextra.so.1".into())],
        vec![rpath(40), EditRequest::RemoveNeeded("libextra.so.1".into())],
        vec![replace("libdeep.so.2", LONG_DEEP), rpath(800)],
    ];
    cases.push(Case { name: "ten edits", steps: ten.into_iter().map(Step::Edit).collect() });
    let again = vec![rpath(1000), replace(LONG_DEEP, "libdeep.so.2")];
    let stripped = vec![Step::Edit(all), Step::Strip, Step::Edit(again), Step::Strip];
    cases.push(Case { name: "edit, strip, edit, strip", steps: stripped });
    cases
}

/// Two edits of a file of `kind` that undo each other, of names that are long both ways; the first is for the file as built.
pub fn by_turns(kind: Kind, interpreter: &str) -> [Vec<EditRequest>; 2] {
    let other = "libdeep-00112233-with-another-long-name-so-that-no-string-can-serve-twice.so.2";
    let own = |number: u32| match kind {
        Kind::Library => EditRequest::SetSoname(format!("libsubject-{number:08x}-{LONG_SONAME}").as_str().into()),
        Kind::Fixed | Kind::Pie => {
            EditRequest::SetInterpreter(format!("{}{interpreter}", "/".repeat(1 + number as usize)).as_str().into())
        }
    };
    [
        vec![rpath(700), replace("libdeep.so.2", LONG_DEEP), replace(other, LONG_DEEP), own(1)],
        vec![rpath(640), replace("libdeep.so.2", other), replace(LONG_DEEP, other), own(2)],
    ]
}
