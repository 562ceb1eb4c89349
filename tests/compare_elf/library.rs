//! The library that is edited: versioned symbols, several NEEDED, an initializer, RELRO, a RUNPATH.

use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::compare::{Input, Question, answer_streaming};
use wheelwright::engine::report::diff::{AlignedBy, DiffDocument};

const SOURCE: &str = r#"
int puts(const char *);
double sin(double);
int one(int);
int two(int);
int table[64] = {1, 2, 3};
static const char *names[] = {"first name", "second name"};
__attribute__((constructor)) static void start(void) { table[1] = 7; }
__attribute__((noinline)) int known(int x) { int s = 0; for (int i = 0; i < x; i++) s += table[i & 63] * i; return s; }
int other(int x) { puts(names[x & 1]); return known(x) + one(x) + two(x) + (int)sin(x); }
int old_versioned(int x) { return x; }
__asm__(".symver old_versioned,versioned@V1");
int new_versioned(int x) { return x + 1; }
__asm__(".symver new_versioned,versioned@@V2");
"#;
const VERSIONS: &str = "V1 { global: versioned; known; };\nV2 { global: other; versioned; table; local: *; } V1;\n";
const LINKED: [&str; 11] = [
    "-shared",
    "-fPIC",
    "-O1",
    "-Wl,-soname,libwhole.so.1",
    "-Wl,--version-script=versions",
    "-Wl,-z,relro,-z,now",
    "-Wl,--hash-style=both",
    "-Wl,--enable-new-dtags,-rpath,/x",
    "-Wl,--build-id=0x00112233445566778899aabbccddeeff",
    "-o",
    "libwhole.so",
];

/// A directory with `libwhole.so`, and the library's path.
pub fn built() -> (tempfile::TempDir, PathBuf) {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path();
    for (name, text) in [("one", "int one(int x) { return x + 1; }"), ("two", "int two(int x) { return x + 2; }")] {
        std::fs::write(place.join(format!("{name}.c")), text).unwrap();
        let soname = format!("-Wl,-soname,lib{name}.so.1");
        let (source, output) = (format!("{name}.c"), format!("lib{name}.so.1"));
        run(Command::new("cc").current_dir(place).args(["-shared", "-fPIC", &soname, "-o", &output, &source]));
    }
    std::fs::write(place.join("whole.c"), SOURCE).unwrap();
    std::fs::write(place.join("versions"), VERSIONS).unwrap();
    let libraries = ["whole.c", "-L.", "-l:libone.so.1", "-l:libtwo.so.1", "-lm"];
    run(Command::new("cc").current_dir(place).args(LINKED).args(libraries));
    let path = place.join("libwhole.so");
    (directory, path)
}

/// Runs a command that must succeed; what it prints.
#[track_caller]
pub fn run(command: &mut Command) -> String {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The comparison of two files, their bytes set against each other as `by` says, or as the program chooses.
#[track_caller]
pub fn compared(a: &Path, b: &Path, by: Option<AlignedBy>) -> DiffDocument {
    let (a, b) = (Input::open(a).unwrap(), Input::open(b).unwrap());
    let question = Question { alignment: by, ..Question::default() };
    answer_streaming(&a, &b, &question, &mut |_| (), &Context::new()).unwrap()
}

/// `bytes` as the file `name` in `directory`.
pub fn written(directory: &Path, name: &str, bytes: &[u8]) -> PathBuf {
    let path = directory.join(name);
    std::fs::write(&path, bytes).unwrap();
    path
}
