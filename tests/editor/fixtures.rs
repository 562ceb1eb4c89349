//! The files that the editor's tests edit: small libraries and programs from C, and a library from Rust.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use tempfile::TempDir;

const DEEP: &str = "int deep(void) { return 41; }\n";
const DEEP_VERSIONS: &str = "DEEP_1 { global: deep; local: *; };\n";
const GREET: &str = "int deep(void);\nint greet(void) { return deep() + 1; }\n";
const MAIN: &str = "#include <stdio.h>\nint greet(void);\nint main(void) { printf(\"%d\\n\", greet()); return 0; }\n";
const LOADER: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **words) {
    void *library = dlopen(words[1], RTLD_NOW);
    if (!library) { puts(dlerror()); return 1; }
    if (count < 3) return 0;
    int (*function)(void) = (int (*)(void)) dlsym(library, words[2]);
    if (!function) { puts(dlerror()); return 2; }
    printf("%d\n", function());
    return 0;
}
"#;
const RUST: &str = r#"
#[unsafe(no_mangle)]
pub extern "C" fn answer() -> i32 {
    let caught = std::panic::catch_unwind(|| if std::env::args().count() > 0 { panic!("unwinding works") });
    let words: Vec<String> = std::thread::spawn(|| vec!["forty".to_string(), "two".to_string()]).join().unwrap();
    if caught.is_err() && words.join("-") == "forty-two" { 42 } else { 0 }
}
"#;

/// What the linker is told besides.
pub type Flags<'a> = &'a [&'a str];

/// A folder with `libdeep.so.2` (with symbol versions), `libgreet.so.1`, which needs it, and a program, which needs both.
pub struct Chain {
    folder: TempDir,
}

impl Chain {
    /// Builds it with `flags`; `Err` says why the compiler can't.
    pub fn build(flags: Flags<'_>) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
        write("deep.c", DEEP);
        write("deep.map", DEEP_VERSIONS);
        write("greet.c", GREET);
        write("main.c", MAIN);
        // The flag is for programs; a library that is linked with it would be taken for one.
        let shared: Vec<&str> = flags.iter().copied().filter(|flag| *flag != "-no-pie").collect();
        let deep = ["-Wl,--version-script=deep.map", "-Wl,-soname,libdeep.so.2", "-o", "libdeep.so.2"];
        cc(folder.path(), &[&["-shared", "-fPIC", "deep.c"], &deep[..], &shared].concat())?;
        let greet = ["libdeep.so.2", "-Wl,-soname,libgreet.so.1", "-o", "libgreet.so.1"];
        cc(folder.path(), &[&["-shared", "-fPIC", "greet.c"], &greet[..], &shared].concat())?;
        let main = ["main.c", "libgreet.so.1", "libdeep.so.2", "-o", "main"];
        cc(folder.path(), &[&main[..], flags].concat())?;
        Ok(Self { folder })
    }

    /// The path of its file `name`.
    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }
}

/// A cdylib as rustc makes it by default.
pub fn rust_library(folder: &Path) -> PathBuf {
    std::fs::write(folder.join("answer.rs"), RUST).unwrap();
    let rustc = std::env::var_os("RUSTC").unwrap_or_else(|| OsString::from("rustc"));
    let mut command = Command::new(rustc);
    command
        .args(["--edition=2024", "--crate-type=cdylib", "-O", "answer.rs", "-o", "libanswer.so"])
        .current_dir(folder);
    expect_success(&mut command);
    folder.join("libanswer.so")
}

/// Runs the C compiler in `folder`.
pub fn cc(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let output = Command::new("cc").args(arguments).current_dir(folder).output().map_err(|error| error.to_string())?;
    if output.status.success() { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned()) }
}

/// A program that loads the library of its first argument and prints what the function of its second returns.
pub struct Loader {
    folder: TempDir,
}

impl Loader {
    /// Builds it.
    pub fn build(flags: Flags<'_>) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("load.c"), LOADER).unwrap();
        cc(folder.path(), &[&["load.c", "-o", "load", "-ldl"], flags].concat())?;
        Ok(Self { folder })
    }

    /// Whether `library` loads in a child process; else what the loader said.
    pub fn loads(&self, library: &Path) -> Result<(), String> {
        self.run(library, None).map(drop)
    }

    /// What `function` of `library` returns, in a child process.
    pub fn call(&self, library: &Path, function: &str) -> Result<String, String> {
        self.run(library, Some(function))
    }

    fn run(&self, library: &Path, function: Option<&str>) -> Result<String, String> {
        let mut command = Command::new(self.folder.path().join("load"));
        output_of(command.arg(library).args(function).env_remove("LD_LIBRARY_PATH"))
    }
}

/// What `program` prints in a child process.
pub fn run(program: &Path) -> Result<String, String> {
    output_of(Command::new(program).env_remove("LD_LIBRARY_PATH"))
}

fn output_of(command: &mut Command) -> Result<String, String> {
    let mut output = command.output();
    // A child that another test starts meanwhile can hold the file open for writing for a moment.
    while output.as_ref().is_err_and(|error| error.kind() == std::io::ErrorKind::ExecutableFileBusy) {
        output = command.output();
    }
    let output = output.map_err(|error| error.to_string())?;
    let said = text(&output.stdout);
    if output.status.success() { Ok(said) } else { Err(format!("{}: {said} {}", output.status, text(&output.stderr))) }
}

/// What `readelf -aW` warns of.
pub fn warnings(file: &Path) -> Vec<String> {
    let output = expect_success(Command::new("readelf").arg("-aW").arg(file));
    let mut lines: Vec<String> = text(&output.stderr).lines().map(str::to_owned).collect();
    lines.extend(text(&output.stdout).lines().filter(|line| line.contains("arning")).map(str::to_owned));
    lines
}

/// Strips `file` of its symbols.
pub fn strip(file: &Path) {
    expect_success(Command::new("strip").arg(file));
}

/// Whether `program` can be run; else the reason, for a test that is then ignored.
pub fn missing(program: &str) -> Option<String> {
    match Command::new(program).arg("--version").output() {
        Ok(output) if output.status.success() => None,
        _ => Some(format!("{program} is not installed")),
    }
}

fn expect_success(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    assert!(output.status.success(), "{command:?}: {}", text(&output.stderr));
    output
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).trim().to_owned()
}
