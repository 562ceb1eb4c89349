//! The files that the tests edit, made by the C compiler, and edits of them in memory.

use crate::elf64::Elf64;
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;
use wheelwright::engine::file::{MemoryBytes, ReadAt};
use wheelwright::engine::repair::proof::{Overlay, prove};
use wheelwright::engine::repair::{Builtin, EditPlan, EditRequest, Editor};
use wheelwright::engine::report::proof::{Checked, Proof};

const DEEP: &str = "__thread int kept = 41; int deep(void) { return kept; }\n\
    __asm__(\".symver deeper_one, deeper@DEEP_1\"); int deeper_one(void) { return 1; }\n";
const VERSIONS: &str = "DEEP_1 { global: deep; deeper; local: *; };\nDEEP_2 { } DEEP_1;\n";
const GREET: &str = "#include <stdio.h>\nint deep(void);\nstatic int (*const table[])(void) = { deep };\n\
    int greet(void) { puts(\"greet\"); return table[0]() + 1; }\n";
const MAIN: &str = "#include <stdio.h>\nint greet(void);\nint main(void) { printf(\"%d\\n\", greet()); return 0; }\n";
const SILENT: &str =
    "int puts(const char *);\nstatic void __attribute__((constructor)) begin(void) { puts(\"begin\"); }\n";
/// Linked as rustc links by default, which on many machines is by lld: RELRO with padding, PT_PHDR in a library.
const TINY: &str = r#"#![no_std]
#[panic_handler]
fn stop(_: &core::panic::PanicInfo) -> ! { loop {} }
unsafe extern "C" { fn puts(text: *const core::ffi::c_char) -> i32; }
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> i32 { unsafe { puts(c"tiny".as_ptr()) } }
"#;

/// A folder with compiled files.
pub struct Built {
    folder: TempDir,
}

impl Built {
    /// `libdeep.so.2` with symbol versions and TLS, `libgreet.so.1` that needs it, the programs `main` (position-independent)
    /// and `fixed` that need both, `libstripped.so.1`, a `libgreet.so.1` without symbol table, `libsilent.so`, which exports
    /// nothing, and `libtiny.so`, which rustc links.
    pub fn new() -> Self {
        let built = Self { folder: tempfile::tempdir().unwrap() };
        for (name, text) in [("deep.c", DEEP), ("deep.map", VERSIONS), ("greet.c", GREET), ("main.c", MAIN)] {
            std::fs::write(built.path(name), text).unwrap();
        }
        let deep = ["-Wl,--version-script=deep.map", "-Wl,-soname,libdeep.so.2", "-o", "libdeep.so.2"];
        built.cc(&[&["-shared", "-fPIC", "-Wl,--build-id", "deep.c"], &deep[..]].concat());
        let greet = [
            "-shared",
            "-fPIC",
            "-Wl,-z,relro,-z,now",
            "greet.c",
            "libdeep.so.2",
            "-Wl,-soname,libgreet.so.1",
            "-Wl,-rpath,$ORIGIN",
        ];
        built.cc(&[&greet[..], &["-Wl,--build-id", "-o", "libgreet.so.1"]].concat());
        built.cc(&[&greet[..], &["-s", "-o", "libstripped.so.1"]].concat());
        let main = ["main.c", "libgreet.so.1", "libdeep.so.2", "-Wl,-rpath,$ORIGIN", "-o"];
        built.cc(&[&["-pie", "-fPIE", "-Wl,-z,relro,-z,now"], &main[..], &["main"]].concat());
        built.cc(&[&["-no-pie", "-Wl,-z,relro"], &main[..], &["fixed"]].concat());
        std::fs::write(built.path("silent.c"), SILENT).unwrap();
        built.cc(&["-shared", "-fPIC", "silent.c", "-o", "libsilent.so"]);
        std::fs::write(built.path("tiny.rs"), TINY).unwrap();
        let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into());
        let tiny = ["--edition=2024", "--crate-type=cdylib", "-O", "-Cpanic=abort", "tiny.rs", "-o", "libtiny.so"];
        built.succeeds(Command::new(rustc).args(tiny));
        built
    }

    /// The path of its file `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The bytes of its file `name`.
    pub fn bytes(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.path(name)).unwrap()
    }

    fn cc(&self, arguments: &[&str]) {
        self.succeeds(Command::new("cc").args(arguments));
    }

    fn succeeds(&self, command: &mut Command) {
        let output = command.current_dir(self.folder.path()).output().unwrap();
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
}

/// The names of the files of [`Built`].
pub const FILES: [&str; 7] =
    ["libsilent.so", "libdeep.so.2", "libgreet.so.1", "libstripped.so.1", "libtiny.so", "main", "fixed"];

/// `bytes` as a source.
pub fn source(bytes: &[u8]) -> MemoryBytes {
    MemoryBytes::new(PathBuf::from("memory"), bytes.to_vec())
}

/// An edit in memory.
pub struct Edited {
    /// The file before.
    pub before: Vec<u8>,
    /// The file after, as the plan makes it.
    pub after: Elf64,
    /// The plan.
    pub plan: EditPlan,
}

impl Edited {
    /// `requests` on `before`.
    pub fn new(before: Vec<u8>, requests: &[EditRequest]) -> Self {
        let plan = Builtin::default().plan(&source(&before), requests).unwrap().unwrap();
        let after = overlaid(&before, &plan);
        Self { before, after: Elf64(after), plan }
    }

    /// The proof of the result as it stands in `after`.
    pub fn proof(&self) -> Proof {
        prove(&source(&self.before), &source(&self.after.0), &self.plan).unwrap()
    }

    /// Whether check `what` fails on the result; else which do.
    pub fn fails(&self, what: Checked) -> Result<String, String> {
        let proof = self.proof();
        let failed = proof.checks.iter().find(|check| check.what == what && !check.ok);
        failed.map(|check| check.detail.clone()).ok_or_else(|| format!("{:?}", proof.failure()))
    }
}

/// What `plan` makes of `before`.
pub fn overlaid(before: &[u8], plan: &EditPlan) -> Vec<u8> {
    let source = source(before);
    let overlay = Overlay::new(&source, plan);
    overlay.bytes(0, overlay.size()).unwrap()
}

/// What `program` prints.
pub fn run(program: &Path) -> String {
    let mut output = Command::new(program).env_remove("LD_LIBRARY_PATH").output();
    // A child that another test starts meanwhile can hold the file open for writing for a moment.
    while output.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ExecutableFileBusy) {
        output = Command::new(program).env_remove("LD_LIBRARY_PATH").output();
    }
    let output = output.unwrap();
    assert!(output.status.success(), "{}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}
