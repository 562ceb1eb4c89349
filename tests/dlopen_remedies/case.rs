//! The known case as a cargo project, and the program that loads its bundle.

use crate::support::{cargo_build, found, options, run, write};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tempfile::TempDir;
use wheelwright::engine::Context;
use wheelwright::engine::dlopen::proof::{Loading, StartClock, Which};
use wheelwright::engine::project::ArtifactId;
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::audit::{ArtifactReport, Host};
use wheelwright::engine::report::dlopen::{OpenedName, RemedyKind};
use wheelwright::engine::report::plan::Step;
use wheelwright::engine::stage::{Outcome, Session};

/// Opens the file that it is given and calls its `answer`.
const DRIVER: &str = r#"#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **arguments) {
    for (int at = 2; at < count; at++)
        if (!dlopen(arguments[at], RTLD_NOW)) { printf("preload: %s\n", dlerror()); return 3; }
    void *handle = dlopen(arguments[1], RTLD_NOW);
    if (!handle) { printf("load: %s\n", dlerror()); return 2; }
    int (*answer)(void) = (int (*)(void))dlsym(handle, "answer");
    printf("answer %d\n", answer());
    return 0;
}
"#;

/// Opens libfoo.so.1 and asks it; says why where that fails.
const OPENER: &str = r#"use std::ffi::{CStr, c_char, c_int, c_void};

unsafe extern "C" {
    fn dlopen(name: *const c_char, flags: c_int) -> *mut c_void;
    fn dlsym(handle: *mut c_void, name: *const c_char) -> *mut c_void;
    fn dlerror() -> *const c_char;
}

#[unsafe(no_mangle)]
pub extern "C" fn answer() -> c_int {
    unsafe {
        let handle = dlopen(c"libfoo.so.1".as_ptr(), 2);
        if handle.is_null() {
            println!("dlopen: {}", CStr::from_ptr(dlerror()).to_string_lossy());
            return -1;
        }
        let foo: extern "C" fn() -> c_int = std::mem::transmute(dlsym(handle, c"foo".as_ptr()));
        foo()
    }
}
"#;

/// Calls a linked libfoo.
pub const LINKING: &str = "unsafe extern \"C\" { safe fn foo() -> i32; }\n\
    #[unsafe(no_mangle)] pub extern \"C\" fn answer() -> i32 { foo() }\n";

/// The remedies that can be part of a plan.
pub const PLANNED: [RemedyKind; 5] =
    [RemedyKind::AddRpath, RemedyKind::AddNeeded, RemedyKind::KeepSoname, RemedyKind::KeepName, RemedyKind::Preload];

/// Why the loader's behaviour can't be asked here, if it can't.
pub fn lacks_glibc() -> Option<String> {
    use wheelwright::engine::deps::{Libc, host_libc};
    (host_libc() != Libc::Glibc).then(|| "this machine's C library is not glibc".to_owned())
}

/// The project, built.
pub struct Built {
    directory: TempDir,
    pub project: PathBuf,
}

impl Built {
    /// Builds it: `liba.so` links libfoo.so.1 where `links` says so, `libb.so` opens it. libfoo needs libdeep.so.2.
    pub fn new(links: bool) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let private = directory.path().join("private");
        write(&private.join("deep.c"), "int deep(void) { return 40; }\n");
        write(&private.join("foo.c"), "int deep(void); int foo(void) { return deep() + 2; }\n");
        let cc = |arguments: &[&str]| {
            run(Command::new("cc").current_dir(&private).args(["-shared", "-fPIC"]).args(arguments));
        };
        cc(&["-Wl,-soname,libdeep.so.2", "-o", "libdeep.so.2", "deep.c"]);
        cc(&["-Wl,-soname,libfoo.so.1", "-Wl,-rpath,$ORIGIN", "-o", "libfoo.so.1", "foo.c", "-L.", "-l:libdeep.so.2"]);
        std::os::unix::fs::symlink("libfoo.so.1", private.join("libfoo.so")).unwrap();
        let project = directory.path().join("project");
        write(&project.join("Cargo.toml"), "[workspace]\nmembers = [\"a\", \"b\"]\nresolver = \"3\"\n");
        let script = |flags: &str| {
            format!(
                "fn main() {{\n    println!(\"cargo:rustc-link-search=native={}\");\n    {flags}\n}}\n",
                private.display()
            )
        };
        let link = "println!(\"cargo:rustc-link-lib=dylib=foo\");";
        let plain = "#[unsafe(no_mangle)] pub extern \"C\" fn answer() -> i32 { 1 }\n";
        let a = if links { LINKING } else { plain };
        for (name, source, flags) in [("a", a, if links { link } else { "" }), ("b", OPENER, "")] {
            let member = project.join(name);
            write(
                &member.join("Cargo.toml"),
                &format!(
                    "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\n\n[lib]\ncrate-type = [\"cdylib\"]\n"
                ),
            );
            write(
                &member.join("pyproject.toml"),
                &format!("[project]\nname = \"labext\"\n\n[tool.maturin]\nmodule-name = \"labext.{name}\"\n"),
            );
            write(&member.join("build.rs"), &script(flags));
            write(&member.join("src/lib.rs"), source);
        }
        cargo_build(&project);
        let driver = directory.path().join("driver");
        write(&directory.path().join("driver.c"), DRIVER);
        run(Command::new("cc").current_dir(directory.path()).args(["-o", "driver", "driver.c", "-ldl"]));
        assert!(driver.is_file());
        Self { directory, project }
    }

    /// A session on it, which is told where the build's libraries lie. What earlier ones left is gone.
    pub fn session(&self) -> Session {
        self.session_with(None)
    }

    /// The same, which may load what it finds, by the program `helper`.
    pub fn loading_session(&self, helper: &Path) -> Session {
        self.session_with(Some(loading(helper)))
    }

    fn session_with(&self, loading: Option<Loading>) -> Session {
        let staging = self.project.join("target/wheelwright");
        if staging.exists() {
            std::fs::remove_dir_all(staging).unwrap();
        }
        let mut options = options(Mode::Repair, None);
        options.audit.ld_paths.push(self.directory.path().join("private"));
        options.loading = loading;
        Session::open(found(&self.project), options).unwrap()
    }

    /// What the driver says that loads `file` under an empty environment, `before` being loaded first; the build's libraries
    /// are away meanwhile.
    pub fn load(&self, file: &Path, before: &[PathBuf]) -> String {
        self.hidden(Command::new(self.directory.path().join("driver")).arg(file).args(before).env_clear())
    }

    /// What `command` prints while the build's libraries are away.
    pub fn hidden(&self, command: &mut Command) -> String {
        let (private, away) = (self.private(), self.directory.path().join("away"));
        std::fs::rename(&private, &away).unwrap();
        let output = command.output();
        std::fs::rename(&away, &private).unwrap();
        String::from_utf8_lossy(&output.unwrap().stdout).into_owned()
    }

    /// The libraries' directory of the build.
    pub fn private(&self) -> PathBuf {
        self.directory.path().join("private")
    }
}

/// Loading by the program `helper`, a minute at most.
pub fn loading(helper: &Path) -> Loading {
    let clock: StartClock = Arc::new(|| {
        let begun = Instant::now();
        Box::new(move || begun.elapsed() > Duration::from_secs(60))
    });
    Loading::new(helper.to_path_buf(), None, Which::Outputs, clock)
}

/// The artifact of this file name.
pub fn by_name(session: &Session, name: &str) -> ArtifactId {
    session.project().artifacts.iter().find(|artifact| artifact.name == name).unwrap().id
}

/// What the session's audit says of the artifact of this file name.
pub fn report(session: &mut Session, name: &str) -> ArtifactReport {
    let host = Host { os: "linux".to_owned(), arch: "x86_64".to_owned(), libc: Some("glibc".to_owned()) };
    let document = session.audit_document(host, &Context::new()).unwrap();
    document.artifacts.into_iter().find(|report| report.name == name).unwrap()
}

/// What it says of libfoo.so.1.
pub fn opened(report: &ArtifactReport) -> OpenedName {
    let candidates = report.dlopen.as_ref().unwrap().candidates.clone().unwrap();
    candidates.into_iter().find(|candidate| candidate.name == "libfoo.so.1").unwrap()
}

/// Adopts `kind` for libfoo.so.1 as libb.so opens it.
pub fn adopt(session: &mut Session, kind: RemedyKind) {
    let id = by_name(session, "libb.so");
    let adoption = session.adoption(id, kind, "libfoo.so.1", &Context::new()).unwrap();
    session.adopt(adoption, &Context::new()).unwrap();
}

/// Takes every artifact through the steps up to and with `until`, step by step.
pub fn advance(session: &mut Session, until: Step) {
    let ids: Vec<ArtifactId> = session.project().artifacts.iter().map(|artifact| artifact.id).collect();
    for step in Step::ALL.into_iter().filter(|step| *step <= until) {
        for id in &ids {
            if session.next_step(*id) == Some(step) {
                advance_one(session, *id, step);
            }
        }
    }
}

/// Takes one artifact through the steps up to and with `until`.
pub fn advance_one(session: &mut Session, id: ArtifactId, until: Step) {
    while let Some(step) = session.next_step(id).filter(|next| *next <= until) {
        match session.step(id, &Context::new()).unwrap() {
            Outcome::Taken(_) => {}
            other => panic!("{step:?}: {other:?}"),
        }
    }
}

/// The one bundle, as real files.
pub fn bundle(session: &Session, to: &Path) -> PathBuf {
    let bundles = session.bundles();
    assert_eq!(bundles.len(), 1, "{bundles:?}");
    for (bundle, files) in &bundles {
        wheelwright::engine::stage::copy_bundle(bundle, files, to, &Context::new()).unwrap();
    }
    to.to_path_buf()
}
