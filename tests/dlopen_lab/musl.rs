//! musl: a name is compared with what a search found, and sought by the program's run path, not by that of the caller.

use crate::Case;
use crate::lab::{Lab, OLD, TRY, named, same, succeed};
use libtest_mimic::Failed;
use std::path::Path;
use std::process::Command;
use wheelwright::engine::report::dlopen::{OpenedVerdict, OpeningOutcome};

pub fn all() -> Vec<Case> {
    let has_compiler = Command::new("musl-gcc").arg("--version").output().is_ok();
    let found = Path::new("/lib/ld-musl-x86_64.so.1").exists() && has_compiler;
    let lacking = (!found).then(|| "needs musl-gcc".to_owned());
    vec![Case { name: "musl_asks_for_the_program", lacking, run: for_the_program }]
}

fn compile(lab: &Lab, name: &str, source: &str, arguments: &[&str]) -> Result<(), Failed> {
    let (path, text) = (lab.path(name), lab.path("source.c"));
    std::fs::create_dir_all(path.parent().ok_or("a directory")?)?;
    std::fs::write(&text, source)?;
    succeed(Command::new("musl-gcc").arg("-Wl,--no-as-needed").arg("-o").arg(&path).arg(&text).args(arguments))
}

const HOST: &str = "#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **words) {
    void *library = dlopen(words[count - 1], RTLD_NOW);
    if (!library) { puts(dlerror()); return 1; }
    void (*probe)(void) = (void (*)(void)) dlsym(library, \"probe\");
    probe();
    return 0;
}
";

/// The extension has run paths of its own; those of the program are another's.
fn for_the_program() -> Result<(), Failed> {
    let lab = Lab::new()?;
    let shared = ["-shared", "-fPIC"];
    compile(&lab, "build/of_ext/libcaller.so.1", "int c(void) { return 1; }", &shared)?;
    compile(&lab, "build/of_host/libhost.so.1", "int h(void) { return 1; }", &shared)?;
    compile(
        &lab,
        "build/of_ext/libneeded.so.1",
        "int n(void) { return 1; }",
        &[&shared[..], &["-Wl,-soname,libneeded.so.1"]].concat(),
    )?;
    let needed = lab.path("build/of_ext/libneeded.so.1").display().to_string();
    let body = "TRY(1, \"libcaller.so.1\"); TRY(2, \"libhost.so.1\"); TRY(3, \"libneeded.so.1\"); TRY(4, \"libc.so\");";
    let source = format!("{TRY}\nvoid probe(void) {{ {body} }}\n");
    let list = [OLD, "-Wl,-rpath,$ORIGIN/of_ext", &needed];
    compile(&lab, "build/ext.so", &source, &[&shared[..], &list[..]].concat())?;
    compile(&lab, "musl-host", HOST, &[OLD, "-Wl,-rpath,$ORIGIN/build/of_host"])?;
    let (extension, host) = (lab.path("build/ext.so"), lab.path("musl-host"));
    let with_host = ["--host", &host.display().to_string()];
    let predicted = lab.audit(&[&extension], &with_host)?;
    let output = Command::new(&host).arg(&extension).env_clear().current_dir("/").output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let worked = |number: u32| said.contains(&format!("MARK {number}\nDONE ok"));
    use OpeningOutcome::{Found, Loaded, Missing};
    let expected = [
        (1, "libcaller.so.1", Missing, OpenedVerdict::Missing),
        (2, "libhost.so.1", Found, OpenedVerdict::LostInBundle),
        (3, "libneeded.so.1", Loaded, OpenedVerdict::Renamed),
        (4, "libc.so", Loaded, OpenedVerdict::Works),
    ];
    for (number, name, outcome, verdict) in expected {
        let opened = named(&predicted, name)?;
        let would = opened.would_resolve.as_ref().map(|one| one.outcome);
        if (would, opened.verdict) != (Some(outcome), verdict) {
            return Err(format!("{opened:#?}").into());
        }
        same((number, worked(number)), (number, matches!(outcome, Found | Loaded)))?;
    }
    Ok(())
}
