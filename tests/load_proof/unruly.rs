//! Libraries whose start does what no library should.

use crate::lab::{Case, Lab};
use libtest_mimic::Failed;
use std::os::unix::fs::MetadataExt;
use std::time::Duration;
use wheelwright::engine::report::load::{LoadReport, LoadVerdict};
use wheelwright::engine::{Context, Error};

fn start(code: &str) -> String {
    format!(
        "#define _GNU_SOURCE\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n#include <unistd.h>\n#include <signal.h>\n\
         extern char **environ;\n__attribute__((constructor)) static void start(void) {{ {code} }}\n"
    )
}

fn load(code: &str, limit: Option<Duration>) -> LoadReport {
    let lab = Lab::new();
    lab.library("unruly.so", &start(code), &[]);
    lab.load(&Case { files: &[("lab/lab.so", "unruly.so")], limit, ..Case::default() })
}

pub fn endless() -> Result<(), Failed> {
    let report = load("for (;;) pause();", Some(Duration::from_millis(1500)));
    assert_eq!(report.verdict, LoadVerdict::Fails, "{report:?}");
    assert!(report.why.contains("its time was over"), "{}", report.why);
    Ok(())
}

pub fn crashes() -> Result<(), Failed> {
    let report = load("fputs(\"about to\\nfall\\n\", stderr); raise(SIGSEGV);", None);
    assert_eq!(report.verdict, LoadVerdict::Fails, "{report:?}");
    assert!(report.why.contains("SIGSEGV") && report.why.ends_with("last it said: fall"), "{}", report.why);
    Ok(())
}

pub fn exits() -> Result<(), Failed> {
    let report = load("_exit(0);", None);
    assert_eq!(report.verdict, LoadVerdict::Fails, "{report:?}");
    assert!(report.why.contains("ended by itself, with status 0"), "{}", report.why);
    Ok(())
}

pub fn floods() -> Result<(), Failed> {
    let code = "static char text[1 << 20]; memset(text, 'x', sizeof text);\
                for (int i = 0; i < 16; i++) { fwrite(text, 1, sizeof text, stdout); fwrite(text, 1, sizeof text, stderr); }";
    let report = load(code, None);
    assert_eq!(report.verdict, LoadVerdict::Loads, "{}", report.why);
    Ok(())
}

pub fn environment() -> Result<(), Failed> {
    // What it finds makes it crash: a variable beside the loader's, a working directory with something in it, an input.
    let code = "for (char **v = environ; *v; v++) if (strncmp(*v, \"LD_DEBUG\", 8)) { fprintf(stderr, \"%s\\n\", *v); abort(); }\
                if (getchar() != EOF) abort();\
                if (system(\"/bin/sh -c 'test -z \\\"$(/bin/ls -A)\\\"'\")) abort();";
    let report = load(code, None);
    assert_eq!(report.verdict, LoadVerdict::Loads, "{}", report.why);
    Ok(())
}

pub fn left_behind() -> Result<(), Failed> {
    let lab = Lab::new();
    std::fs::create_dir(lab.path("build"))?;
    let code = "if (fork() == 0) { for (;;) pause(); } FILE *f = fopen(\"here\", \"w\"); if (f) fclose(f);";
    let path = lab.library("unruly.so", &start(code), &[]);
    let before = (std::fs::read(&path)?, path.metadata()?.nlink(), std::fs::read_to_string("/proc/self/mountinfo")?);
    let report = lab.load(&Case { files: &[("lab/lab.so", "unruly.so")], hide: &["build"], ..Case::default() });
    assert_eq!(report.verdict, LoadVerdict::Loads, "{report:?}");
    let after = (std::fs::read(&path)?, path.metadata()?.nlink(), std::fs::read_to_string("/proc/self/mountinfo")?);
    assert!(before.0 == after.0 && before.1 == after.1, "the file is as it was, under one name");
    let ours = |mounts: &str| mounts.lines().filter(|line| line.contains(&*lab.root.to_string_lossy())).count();
    assert_eq!((ours(&before.2), ours(&after.2)), (0, 0), "no mount is left");
    // Whatever runs with the library in it runs below its path.
    let runs = || {
        let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
        let maps = processes.filter_map(|entry| std::fs::read_to_string(entry.path().join("maps")).ok());
        maps.filter(|maps| maps.contains(&*lab.root.to_string_lossy())).count()
    };
    while runs() > 0 {
        std::thread::sleep(Duration::from_millis(1));
    }
    let cancelled = Context::new();
    cancelled.cancel();
    let stopped = lab.try_load(&Case { files: &[("lab/lab.so", "unruly.so")], ..Case::default() }, &cancelled);
    assert!(matches!(stopped, Err(Error::Cancelled)));
    Ok(())
}
