//! What nobody can tell from files: a name that is put together at run time, and plug-ins in a folder. Nothing may be said of
//! them with certainty.

use crate::Case;
use crate::lab::{Lab, OLD, TRY, lacks_glibc};
use libtest_mimic::Failed;
use wheelwright::engine::report::dlopen::{OpenedName, OpenedVerdict};

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_glibc(), run };
    vec![case("name_assembled_at_run_time", assembled), case("plugins_in_a_folder", plugins)]
}

/// Every candidate must be called unknown; that the run opened `name` must not be denied by any of them.
fn all_unknown(names: &[OpenedName]) -> Result<(), Failed> {
    match names.iter().find(|name| name.verdict != OpenedVerdict::Unknown) {
        Some(certain) => Err(format!("{certain:#?}").into()),
        None => Ok(()),
    }
}

fn assembled() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/private/libpart.so.7", &[])?;
    let source = format!(
        "{TRY}\n#include <stdio.h>\nint version = 7;\nvoid probe(void) {{ char name[64]; \
         snprintf(name, sizeof name, \"lib%s.so.%d\", \"part\", version); TRY(1, name); }}\n"
    );
    let arguments = ["-shared", "-fPIC", OLD, "-Wl,-rpath,$ORIGIN/private"];
    let extension = lab.compile("build/ext.so", &source, &arguments)?;
    let predicted = lab.audit(&[&extension], &[])?;
    if !lab.run(&[&extension])?[&1].ok {
        return Err("the library is not opened".into());
    }
    if !predicted.iter().any(|opened| opened.name.contains("lib%s.so")) {
        return Err("the pattern is not among the candidates".into());
    }
    all_unknown(&predicted)
}

fn plugins() -> Result<(), Failed> {
    let lab = Lab::new()?;
    lab.library("build/plugins/one.so", &[])?;
    let folder = lab.path("build/plugins");
    let source = format!(
        "{TRY}\n#include <dirent.h>\n#include <stdio.h>\n#include <string.h>\nvoid probe(void) {{ char path[4096]; \
         DIR *folder = opendir(\"{}\"); struct dirent *entry; if (!folder) return; \
         while ((entry = readdir(folder))) {{ if (!strstr(entry->d_name, \".so\")) continue; \
         snprintf(path, sizeof path, \"%s/%s\", \"{}\", entry->d_name); TRY(1, path); }} closedir(folder); }}\n",
        folder.display(),
        folder.display()
    );
    let extension = lab.compile("build/ext.so", &source, &["-shared", "-fPIC"])?;
    let predicted = lab.audit(&[&extension], &[])?;
    if !lab.run(&[&extension])?[&1].ok {
        return Err("the plug-in is not opened".into());
    }
    all_unknown(&predicted)
}
