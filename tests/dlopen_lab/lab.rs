//! A directory in which libraries and extensions are built, audited, run, bundled and run again.

use crate::runs::{Ran, run};
use libtest_mimic::Failed;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::deps::{Libc, host_libc};
use wheelwright::engine::report::audit::AuditDocument;
use wheelwright::engine::report::dlopen::{OpenedName, OpenedVerdict, Opening, OpeningOutcome};

const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";
pub const OLD: &str = "-Wl,--disable-new-dtags";
pub const NEW: &str = "-Wl,--enable-new-dtags";

/// Why the comparison with glibc's loader can't be made here, if it can't.
pub fn lacks_glibc() -> Option<String> {
    let fits = cfg!(all(target_os = "linux", target_arch = "x86_64")) && Path::new(LOADER).exists();
    (!(fits && host_libc() == Libc::Glibc)).then(|| "the machine is not x86_64 with glibc".to_owned())
}

/// The program that loads extensions and has the last one open what it opens.
const HOST: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
int main(int count, char **words) {
    void *library = NULL;
    for (int at = 1; at < count; at++) {
        library = dlopen(words[at], RTLD_NOW | RTLD_LOCAL);
        if (!library) { puts(dlerror()); return 1; }
    }
    void (*probe)(void) = (void (*)(void)) dlsym(library, "probe");
    if (!probe) { puts(dlerror()); return 1; }
    probe();
    return 0;
}
"#;

/// What every opening piece of C begins with.
pub const TRY: &str = r#"
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stddef.h>
#include <unistd.h>
#define SAY(text) do { if (write(2, text "\n", sizeof(text)) < 0) return; } while (0)
#define ENDED(handle) do { if (handle) SAY("DONE ok"); else SAY("DONE failed"); } while (0)
#define TRY(number, name) do { SAY("MARK " #number); void *handle = dlopen(name, RTLD_NOW); ENDED(handle); } while (0)
"#;

pub struct Lab {
    directory: tempfile::TempDir,
}

impl Lab {
    pub fn new() -> Result<Self, Failed> {
        let lab = Self { directory: tempfile::tempdir()? };
        std::fs::create_dir(lab.path("build"))?;
        lab.compile("host", HOST, &["-ldl"])?;
        Ok(lab)
    }

    /// A path in the lab.
    pub fn path(&self, name: &str) -> PathBuf {
        let root = self.directory.path().canonicalize().unwrap_or_else(|_| self.directory.path().to_path_buf());
        root.join(name)
    }

    /// Builds `name` from C; arguments that begin with `@` are paths in the lab.
    pub fn compile(&self, name: &str, source: &str, arguments: &[&str]) -> Result<PathBuf, Failed> {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().ok_or("a directory")?)?;
        let text = self.path("source.c");
        std::fs::write(&text, source)?;
        let mut command = Command::new("cc");
        command.args(["-O1", "-Wl,--no-as-needed", "-o"]).arg(&path).arg(&text);
        for argument in arguments {
            match argument.strip_prefix('@') {
                Some(file) => command.arg(self.path(file)),
                None => command.arg(argument),
            };
        }
        succeed(&mut command)?;
        Ok(path)
    }

    /// A library whose SONAME is its file name.
    pub fn library(&self, name: &str, arguments: &[&str]) -> Result<PathBuf, Failed> {
        let file = name.rsplit('/').next().unwrap_or(name);
        let function: String = file.chars().map(|letter| if letter.is_alphanumeric() { letter } else { '_' }).collect();
        let soname = format!("-Wl,-soname,{file}");
        let arguments: Vec<&str> = ["-shared", "-fPIC", &soname].into_iter().chain(arguments.iter().copied()).collect();
        self.compile(name, &format!("int {function}(void) {{ return 1; }}\n"), &arguments)
    }

    /// An extension whose `probe` is `body`.
    pub fn extension(&self, name: &str, body: &str, arguments: &[&str]) -> Result<PathBuf, Failed> {
        let arguments: Vec<&str> = ["-shared", "-fPIC"].into_iter().chain(arguments.iter().copied()).collect();
        self.compile(name, &format!("{TRY}\nvoid probe(void) {{ {body} }}\n"), &arguments)
    }

    fn wheelwright(&self, command: &str, files: &[&Path], arguments: &[&str]) -> Command {
        let mut program = Command::new(env!("CARGO_BIN_EXE_wheelwright"));
        program.current_dir(self.path("")).env("XDG_CACHE_HOME", self.path("cache")).env_remove("LD_LIBRARY_PATH");
        program.arg(command).args(files).args(["--dist-name", "lab", "--module-name", "lab.x"]).args(arguments);
        program
    }

    /// What the program says of what the last of `files` opens, all in one wheel.
    pub fn audit(&self, files: &[&Path], arguments: &[&str]) -> Result<Vec<OpenedName>, Failed> {
        let mut command = self.wheelwright("audit", files, arguments);
        let output = command.args(["--dlopen", "--json"]).output()?;
        let document: AuditDocument = serde_json::from_slice(&output.stdout)
            .map_err(|error| format!("{command:?}: {error}\n{}", String::from_utf8_lossy(&output.stderr)))?;
        let last = files.last().ok_or("no file")?;
        let report = document.artifacts.into_iter().find(|artifact| artifact.path == *last).ok_or("no report")?;
        let dlopen = report.dlopen.ok_or("dlopen is null")?;
        Ok(dlopen.candidates.ok_or("candidates is null")?)
    }

    /// Runs the probe of the last of `files` in a process that has loaded them all.
    pub fn run(&self, files: &[&Path]) -> Result<BTreeMap<u32, Ran>, Failed> {
        let mut command = Command::new(self.path("host"));
        run(command.args(files).env_clear().current_dir("/"))
    }

    /// Makes the bundle of `files` and takes the build away; where each of them lies then.
    pub fn bundle(&self, files: &[&Path], arguments: &[&str]) -> Result<Vec<PathBuf>, Failed> {
        let mut command = self.wheelwright("run", files, arguments);
        let output = command.arg("-o").arg(self.path("bundle")).output()?;
        let places: Vec<PathBuf> =
            files.iter().filter_map(|file| Some(self.path("bundle/lab").join(file.file_name()?))).collect();
        if let Some(lost) = places.iter().find(|place| !place.exists()) {
            let said = String::from_utf8_lossy(&output.stderr);
            return Err(format!("{} is not in the bundle\n{said}", lost.display()).into());
        }
        std::fs::rename(self.path("build"), self.path("gone"))?;
        Ok(places)
    }

    /// A path of the bundle as documents show it.
    pub fn shown(&self, path: &Path) -> String {
        match path.canonicalize().unwrap_or_else(|_| path.to_path_buf()).strip_prefix(self.path("bundle")) {
            Ok(inside) => format!("bundle:{}", inside.display()),
            Err(_) => path.display().to_string(),
        }
    }

    /// Audits, runs, bundles and runs again; `names` are the numbered names with the verdict that each shall have.
    pub fn holds(
        &self,
        files: &[&Path],
        arguments: &[&str],
        names: &[(u32, &str, OpenedVerdict)],
    ) -> Result<Vec<OpenedName>, Failed> {
        let predicted = self.audit(files, arguments)?;
        let last = files.last().ok_or("no file")?;
        let here = self.run(&[last])?;
        let places = self.bundle(files, arguments)?;
        let there = self.run(&[places.last().ok_or("no file")?])?;
        let mut found = Vec::new();
        for (number, name, verdict) in names {
            let opened = named(&predicted, name)?;
            let (here, there) = (here.get(number).ok_or("not run")?, there.get(number).ok_or("not run in the bundle")?);
            self.agrees("here", opened, opened.would_resolve.as_ref(), here)?;
            self.agrees("in the bundle", opened, opened.in_bundle.as_ref(), there)?;
            if opened.verdict != *verdict {
                return Err(format!("{name}: {:?}, expected {verdict:?}\n{opened:#?}", opened.verdict).into());
            }
            found.push(opened.clone());
        }
        Ok(found)
    }

    /// No prediction but `Unknown` may be contradicted by a run of the artifact alone.
    pub fn agrees(&self, at: &str, opened: &OpenedName, said: Option<&Opening>, ran: &Ran) -> Result<(), Failed> {
        let said = said.ok_or("nothing was predicted")?;
        let wrong = |why: &str| Failed::from(format!("{at}: {why}\n{opened:#?}\n{ran:#?}"));
        match said.outcome {
            OpeningOutcome::Unknown => Ok(()),
            OpeningOutcome::Found | OpeningOutcome::Loaded => {
                let path = ran.path.as_deref().ok_or_else(|| wrong("predicted to work, and it fails"))?;
                let (ours, theirs) = (said.path.clone().unwrap_or_default(), self.shown(path));
                let same = ours == theirs
                    || Path::new(&ours).canonicalize().ok().is_some_and(|ours| Some(ours) == path.canonicalize().ok())
                    || same_after_move(&ours, path);
                if same { Ok(()) } else { Err(wrong("another file")) }
            }
            OpeningOutcome::Missing | OpeningOutcome::Incomplete | OpeningOutcome::OnlyIfLoadedBefore => {
                if ran.ok {
                    Err(wrong("predicted to fail alone, and it works"))
                } else {
                    Ok(())
                }
            }
        }
    }
}

/// Whether the predicted path is that of the run, where the build was moved away since.
fn same_after_move(ours: &str, theirs: &Path) -> bool {
    let theirs: PathBuf = theirs.components().collect();
    Path::new(ours).components().collect::<PathBuf>() == theirs
        || wheelwright::engine::deps::normal(Path::new(ours)) == wheelwright::engine::deps::normal(&theirs)
}

pub fn named<'a>(names: &'a [OpenedName], name: &str) -> Result<&'a OpenedName, Failed> {
    let found = names.iter().find(|opened| opened.name == name);
    found.ok_or_else(|| format!("no candidate {name} among {:?}", all_names(names)).into())
}

fn all_names(names: &[OpenedName]) -> Vec<&str> {
    names.iter().map(|opened| opened.name.as_str()).collect()
}

pub fn succeed(command: &mut Command) -> Result<(), Failed> {
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{command:?}: {}", String::from_utf8_lossy(&output.stderr)).into())
}

pub fn same<T: PartialEq + std::fmt::Debug>(ours: T, expected: T) -> Result<(), Failed> {
    if ours == expected { Ok(()) } else { Err(format!("{ours:?}, expected {expected:?}").into()) }
}
