//! musl's loader has no log: what is mapped is seen, and it is said what that does not tell.

use crate::lab::Lab;
use libtest_mimic::Failed;
use std::path::Path;
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::report::trace::{ComparedStatus, LoadCause, TraceMethod};

pub fn lacks_musl() -> Option<String> {
    let found = Path::new("/proc/self/exe").exists() && Command::new("musl-gcc").arg("--version").output().is_ok();
    (!found).then(|| "needs musl-gcc".to_string())
}

pub fn musl_is_seen_by_its_maps() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.compiler = "musl-gcc";
    let near = lab.library("near/libnear.so", "int near(void) { return 1; }\n", &[]);
    let late = lab.library("late/liblate.so", "int late(void) { return 1; }\n", &[]);
    let source = "#include <dlfcn.h>\n#include <unistd.h>\nint near(void);\n\
                  int main(int n, char **w) { int no = !dlopen(w[n - 1], RTLD_NOW); sleep(2); return no || !near(); }\n";
    let program = lab.build("host", source, &["-Lnear", "-lnear", "-Wl,-rpath,$ORIGIN/near"]);
    let document =
        lab.run(&lab.options(&[&program.display().to_string(), &late.display().to_string()]), &Context::new());
    assert_eq!(document.ended.as_ref().and_then(|ended| ended.status), Some(0), "{document:#?}");
    let [process] = document.processes.as_slice() else { panic!("{document:#?}") };
    assert_eq!((process.method, process.program.as_deref()), (TraceMethod::Maps, Some(program.as_path())));
    let cause =
        |path: &Path| process.loads.iter().find(|load| load.path.as_deref() == Some(path)).map(|load| load.cause);
    assert_eq!(cause(&program), Some(LoadCause::Program));
    assert_eq!(cause(&near), Some(LoadCause::Unknown));
    assert_eq!(cause(&late), Some(LoadCause::Unknown));
    assert!(process.loads.iter().all(|load| load.asked_by.is_none() && load.found_by.is_none()));
    let [said] = document.unseen.as_slice() else { panic!("{:?}", document.unseen) };
    assert!(said.starts_with(&format!("{} has musl's loader, which has no log; its memory map", program.display())));
    let rows = process.compared.as_ref().unwrap();
    let status = |name: &str| rows.iter().find(|row| row.name == name).map(|row| row.status);
    assert_eq!(status("libnear.so"), Some(ComparedStatus::AsPredicted), "{rows:#?}");
    assert_eq!(status("liblate.so"), Some(ComparedStatus::NotPredicted), "{rows:#?}");
    Ok(())
}
