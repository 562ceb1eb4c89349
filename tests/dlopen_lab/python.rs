//! What Python opens through ctypes: by the search path of `_ctypes`, not by that of the extension beside it.

use crate::Case;
use crate::lab::{Lab, OLD, lacks_glibc, named, same};
use crate::runs::run;
use libtest_mimic::Failed;
use std::path::Path;
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::audit::{AuditOptions, audit};
use wheelwright::engine::deps::{Loader, LoaderInputs};
use wheelwright::engine::dlopen::evidence::{EvidenceOptions, collect};
use wheelwright::engine::dlopen::predict::{Member, PredictSubject, predict};
use wheelwright::engine::file::Windows;
use wheelwright::engine::project::{DiscoverOptions, discover};
use wheelwright::engine::repair::{Builtin, Mode, RepairOptions, Subject, prepare};
use wheelwright::engine::report::dlopen::{OpenedBy, OpenedName, OpenedVerdict, OpeningOutcome};

pub fn all() -> Vec<Case> {
    let python = Command::new("python3").args(["-c", "import ctypes"]).output();
    let lacks_python = python.is_ok_and(|output| output.status.success());
    let lacking = lacks_glibc().or_else(|| (!lacks_python).then(|| "needs python3 with ctypes".to_owned()));
    vec![Case { name: "ctypes", lacking, run: ctypes }]
}

const SOURCE: &str = r#"
import ctypes
import os


def attempt(number, load):
    os.write(2, b"MARK %d\n" % number)
    try:
        load()
        os.write(2, b"DONE ok\n")
    except OSError:
        os.write(2, b"DONE failed\n")


attempt(1, lambda: ctypes.CDLL("libm.so.6"))
attempt(2, lambda: ctypes.CDLL("libfoo.so.1"))
attempt(3, lambda: ctypes.CDLL(os.path.join(os.path.dirname(__file__), "libbeside.so")))
"#;

fn ctypes() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/lab/private/libfoo.so.1", &[])?;
    lab.library("build/lab/libbeside.so", &[])?;
    let list = ["@build/lab/private/libfoo.so.1", OLD, "-Wl,-rpath,$ORIGIN/private"];
    let extension = lab.extension("build/lab/ext.so", "", &list)?;
    let python = lab.path("build/lab/opens.py");
    std::fs::write(&python, SOURCE)?;
    let predicted = predicted(&lab, &extension, &python)?;
    let mut command = Command::new("python3");
    let ran = run(command.arg("-S").arg(&python).env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD"))?;
    for (number, name) in [(1, "libm.so.6"), (2, "libfoo.so.1"), (3, "$PACKAGE/libbeside.so")] {
        let opened = named(&predicted, name)?;
        lab.agrees("here", opened, opened.would_resolve.as_ref(), ran.get(&number).ok_or("not run")?)?;
    }
    same(named(&predicted, "libm.so.6")?.verdict, OpenedVerdict::Works)?;
    // The extension's run path is not Python's, and nothing else brings the library under that name.
    let private = named(&predicted, "libfoo.so.1")?;
    same(private.would_resolve.as_ref().map(|one| one.outcome), Some(OpeningOutcome::OnlyIfLoadedBefore))?;
    same(private.verdict, OpenedVerdict::Renamed)?;
    let beside = named(&predicted, "$PACKAGE/libbeside.so")?;
    same(beside.would_resolve.as_ref().map(|one| one.outcome), Some(OpeningOutcome::Found))
}

fn predicted(lab: &Lab, extension: &Path, python: &Path) -> Result<Vec<OpenedName>, Failed> {
    let context = Context::new();
    let options = DiscoverOptions {
        current_directory: lab.path(""),
        distribution: Some("lab".to_owned()),
        module: Some("lab.x".to_owned()),
        ..DiscoverOptions::default()
    };
    let project = discover(&[extension.to_path_buf()], &options, &context)?;
    let artifact = project.artifacts.first().ok_or("no artifact")?;
    let inputs = LoaderInputs::new(lab.path(""));
    let found = audit(artifact, Some(extension), &AuditOptions::new(inputs.clone()), &context);
    let binary = found.binary.as_ref().ok_or("not read")?;
    let subject = Subject { artifact, clean: extension, binary, externals: found.externals.as_deref() };
    let repair = prepare(&subject, &RepairOptions::default(), &Builtin::default(), &context)?;
    let options = EvidenceOptions { python: vec![python.to_path_buf()], most_text: None };
    let mut report = collect(extension, binary, &Windows::open(extension)?, &options, &context)?;
    let subject = PredictSubject {
        member: Member { artifact, clean: extension, binary, repair: &repair },
        others: &[],
        mode: Mode::Repair,
        tag: found.report.policy.as_ref().map(|policy| policy.tag.as_str()),
        inputs: &inputs,
        hidden: &[],
        loader: &Loader::default(),
    };
    predict(&mut report, &subject, &context)?;
    // The name that the extension needs is a text of its own, too.
    let names = report.candidates.unwrap_or_default();
    Ok(names.into_iter().filter(|name| name.caller == OpenedBy::Python).collect())
}
