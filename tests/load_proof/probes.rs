//! Names that are opened as the library would open them, against libraries that open them themselves.

use crate::lab::{Case, Lab};
use libtest_mimic::Failed;
use std::process::Command;
use wheelwright::engine::dlopen::proof::Probe;
use wheelwright::engine::report::dlopen::OpenedBy;
use wheelwright::engine::report::load::LoadVerdict;

/// Opens its argument and tells the path of what answered, or the loader's words.
pub const OPENER: &str = "#define _GNU_SOURCE\n#include <dlfcn.h>\n#include <link.h>\n\
    const char *tell(const char *name) {\n\
      void *handle = dlopen(name, RTLD_NOW); struct link_map *map;\n\
      if (!handle) return dlerror();\n\
      return dlinfo(handle, RTLD_DI_LINKMAP, &map) ? \"?\" : map->l_name;\n\
    }\n";

/// A program that loads the library `argv[1]` and lets it open every further argument.
const PROGRAM: &str = "#include <dlfcn.h>\n#include <stdio.h>\n\
    int main(int count, char **words) {\n\
      void *library = dlopen(words[1], RTLD_NOW);\n\
      const char *(*tell)(const char *) = (const char *(*)(const char *))dlsym(library, \"tell\");\n\
      for (int i = 2; i < count; i++) puts(tell(words[i]));\n\
    }\n";

const NAMES: [&str; 5] = ["libwanted.so.1", "wanted.so", "libc.so.6", "libabsent.so.9", "lab.libs/libwanted.so.1"];

pub fn asked(names: &[&str]) -> Vec<Probe> {
    names.iter().map(|name| Probe { name: (*name).to_owned(), by: OpenedBy::Artifact }).collect()
}

pub fn as_the_library() -> Result<(), Failed> {
    for run_path in [
        &["-Wl,--disable-new-dtags,-rpath,$ORIGIN/../lab.libs"][..],
        &["-Wl,--enable-new-dtags,-rpath,$ORIGIN/../lab.libs"],
        &[],
    ] {
        let lab = Lab::new();
        lab.library("bundle/lab/lab.so", OPENER, run_path);
        lab.library("bundle/lab.libs/libwanted.so.1", "int wanted;", &[]);
        std::fs::create_dir(lab.path("elsewhere"))?;
        std::fs::write(lab.path("program.c"), PROGRAM)?;
        let mut compile = Command::new("cc");
        assert!(compile.current_dir(&lab.root).args(["-o", "program", "program.c", "-ldl"]).status()?.success());
        let mut program = Command::new(lab.path("program"));
        program.current_dir(lab.path("elsewhere")).env_clear().arg(lab.path("bundle/lab/lab.so")).args(NAMES);
        let said = String::from_utf8(program.output()?.stdout)?;
        let bundle = format!("{}/", lab.path("bundle").display());
        let by_itself: Vec<String> =
            said.lines().map(|line| line.replace(&bundle, "bundle:").replace("lab/../", "")).collect();
        let files =
            [("lab/lab.so", "bundle/lab/lab.so"), ("lab.libs/libwanted.so.1", "bundle/lab.libs/libwanted.so.1")];
        let report = lab.load(&Case { files: &files, open: &asked(&NAMES), ..Case::default() });
        assert_eq!(report.verdict, LoadVerdict::Loads, "{report:?}");
        let by_us: Vec<String> =
            report.opened.iter().map(|probe| probe.path.clone().or(probe.error.clone()).unwrap()).collect();
        assert_eq!(by_us, by_itself, "{run_path:?}");
        assert_eq!(by_itself[0] == "bundle:lab.libs/libwanted.so.1", !run_path.is_empty(), "{by_itself:?}");
    }
    Ok(())
}

pub fn crashes() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("lab.so", "int f;", &["-Wl,-rpath,$ORIGIN"]);
    lab.library("falls.so", "__attribute__((constructor)) static void start(void) { __builtin_trap(); }", &[]);
    let files = [("lab.so", "lab.so"), ("falls.so", "falls.so")];
    let report =
        lab.load(&Case { files: &files, open: &asked(&["libc.so.6", "falls.so", "more.so"]), ..Case::default() });
    assert_eq!(report.verdict, LoadVerdict::Loads, "{report:?}");
    assert_eq!(report.opened.len(), 2, "what comes after is not tried");
    assert!(report.opened[0].path.is_some());
    let words = report.opened[1].error.as_deref().unwrap_or_default();
    assert!(words.starts_with("while it was opened, the process was ended by signal"), "{words}");
    Ok(())
}
