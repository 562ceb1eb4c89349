//! A Python that imports numpy, whose own word on what is mapped is the oracle.

use crate::lab::{Lab, unattributed};
use libtest_mimic::Failed;
use std::collections::BTreeSet;
use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::report::trace::{ComparedStatus, LoadResult};

/// The Python that has numpy: WHEELWRIGHT_PYTHON, else `python3`.
fn python() -> OsString {
    std::env::var_os("WHEELWRIGHT_PYTHON").unwrap_or_else(|| "python3".into())
}

pub fn lacks_numpy() -> Option<String> {
    let imports =
        Command::new(python()).args(["-c", "import numpy"]).output().is_ok_and(|output| output.status.success());
    let lacking = || "no Python with numpy; name one by WHEELWRIGHT_PYTHON".to_owned();
    crate::lacks_glibc().or_else(|| (!imports).then(lacking))
}

pub fn numpy_is_told_to_the_last_file() -> Result<(), Failed> {
    let lab = Lab::new();
    let script = "import numpy\nprint(open('/proc/self/maps').read())";
    let python = python().into_string().unwrap();
    let document = lab.run(&lab.options(&[&python, "-c", script]), &Context::new());
    assert_eq!(document.ended.as_ref().and_then(|ended| ended.status), Some(0));
    let open = unattributed(&document);
    assert!(open.is_empty(), "{open:#?}");
    // What is mapped as code: a file that numpy only reads is no object.
    let maps = lab.printed();
    let mapped: BTreeSet<PathBuf> = maps
        .lines()
        .map(|line| line.split_ascii_whitespace().collect::<Vec<_>>())
        .filter(|fields| fields.len() > 5 && fields[1].contains('x') && fields[5].starts_with('/'))
        .map(|fields| PathBuf::from(fields[5]).canonicalize().unwrap())
        .collect();
    // A wrapper (pyenv, a shell script) may have run before in the same process; the last one is Python.
    let process = document.processes.last().ok_or("no process")?;
    let loaded = process.loads.iter().filter(|load| load.result == LoadResult::Loaded);
    let loaded: BTreeSet<PathBuf> = loaded.filter_map(|load| load.path.as_ref()?.canonicalize().ok()).collect();
    assert_eq!(loaded, mapped);
    let rows = process.compared.as_ref().ok_or("not compared")?;
    let count = |status| rows.iter().filter(|row| row.status == status).count();
    assert!(count(ComparedStatus::NotPredicted) > 5, "{rows:#?}");
    assert_eq!(count(ComparedStatus::Elsewhere) + count(ComparedStatus::NotLoaded), 0, "{rows:#?}");
    Ok(())
}
