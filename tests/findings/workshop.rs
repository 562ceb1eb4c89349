//! A directory of small libraries made by the C compiler, the findings on them, and what the loader says of them.

use libtest_mimic::Failed;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::audit::findings::{Circumstances, findings};
use wheelwright::engine::audit::{AuditOptions, audit};
use wheelwright::engine::deps::{Libc, LoaderInputs, host_libc};
use wheelwright::engine::project::{Artifact, ArtifactId, LinkedPathSource, LinkedPaths};
use wheelwright::engine::repair::Mode;
use wheelwright::engine::report::audit::{ArtifactKind, BundleNames, Finding, Severity};

pub const OLD_TAGS: &str = "-Wl,--disable-new-dtags";
pub const NEW_TAGS: &str = "-Wl,--enable-new-dtags";

/// Loads the library that it is given, and says what the loader says and what permissions the stack then has.
const PROBE: &str = r#"
#include <dlfcn.h>
#include <stdio.h>
#include <string.h>
int main(int count, char **words) {
    void *library = dlopen(words[count - 1], RTLD_NOW);
    printf("%s\n", library ? "loaded" : dlerror());
    FILE *maps = fopen("/proc/self/maps", "r");
    char line[4096];
    while (maps && fgets(line, sizeof line, maps))
        if (strstr(line, "[stack]")) printf("stack %.4s\n", strchr(line, ' ') + 1);
    return !library;
}
"#;

/// Why the comparison with glibc's loader can't be made here, if it can't.
pub fn lacks_glibc() -> Option<String> {
    let fits = cfg!(all(target_os = "linux", target_arch = "x86_64")) && host_libc() == Libc::Glibc;
    (!fits).then(|| "needs x86_64 and glibc".to_string())
}

/// Why `tool` can't be used, if it can't: it is not there, or its help does not name `option`.
pub fn lacks(tool: &str, option: &str) -> Option<String> {
    match Command::new(tool).arg("--help").output() {
        Err(_) => Some(format!("{tool} is not installed")),
        Ok(output) => {
            let text = [output.stdout, output.stderr].concat();
            let knows = String::from_utf8_lossy(&text).contains(option);
            (!knows).then(|| format!("this {tool} has no {option}"))
        }
    }
}

pub struct Workshop {
    directory: tempfile::TempDir,
    pub library_path: Option<OsString>,
    pub linked_paths: Vec<PathBuf>,
    pub sysroot: Option<PathBuf>,
    pub mode: Mode,
}

impl Workshop {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        Self { directory, library_path: None, linked_paths: Vec::new(), sysroot: None, mode: Mode::Repair }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().expect("the workshop").join(name)
    }

    /// Builds `name` from C source text; arguments that begin with `@` are paths in the workshop.
    pub fn compile(&self, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        let text = self.path("source.c");
        std::fs::write(&text, source).expect("written");
        let mut command = Command::new("cc");
        command.arg("-o").arg(&path).arg(&text).arg("-Wl,--no-as-needed").current_dir(self.path(""));
        for argument in arguments {
            match argument.strip_prefix('@') {
                Some(file) => command.arg(self.path(file)),
                None => command.arg(argument),
            };
        }
        let output = command.output().expect("cc runs");
        assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        path
    }

    /// A library whose SONAME is its file name, with a function of the given name.
    pub fn library(&self, name: &str, function: &str, arguments: &[&str]) -> PathBuf {
        let soname = format!("-Wl,-soname,{}", name.rsplit('/').next().expect("a name"));
        let arguments: Vec<&str> = ["-shared", "-fPIC", &soname].into_iter().chain(arguments.iter().copied()).collect();
        self.compile(name, &format!("int {function}(void) {{ return 1; }}\n"), &arguments)
    }

    pub fn copy(&self, from: &str, to: &str) {
        let to = self.path(to);
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("made");
        std::fs::copy(self.path(from), to).expect("copied");
    }

    fn artifact(&self, path: &Path) -> Artifact {
        let source = (!self.linked_paths.is_empty()).then_some(LinkedPathSource::BuildOutput);
        Artifact {
            id: ArtifactId(0),
            path: path.to_path_buf(),
            loaded_as: path.to_path_buf(),
            name: path.file_name().expect("a name").to_string_lossy().into_owned(),
            kind: ArtifactKind::Library,
            cargo: None,
            linked_paths: LinkedPaths { paths: self.linked_paths.clone(), source },
            out_directories: Vec::new(),
            expected_entry_point: None,
            names: BundleNames {
                distribution: "it".into(),
                module: "it".into(),
                file_name: "it.so".into(),
                artifact_dir: "it".into(),
                libs_dir: "it.libs".into(),
                defaulted: Vec::new(),
            },
        }
    }

    /// All findings on the file.
    pub fn findings(&self, path: &Path) -> Vec<Finding> {
        let mut loader = LoaderInputs::new(self.path(""));
        loader.ld_library_path.clone_from(&self.library_path);
        loader.sysroot.clone_from(&self.sysroot);
        let found = audit(&self.artifact(path), Some(path), &AuditOptions::new(loader), &Context::new());
        assert_eq!(found.report.error, None);
        let staging = found.report.staging.clone();
        findings(&found, &Circumstances { staging: &staging, refusal: None, changed: None, mode: self.mode })
    }

    /// The findings of one code.
    pub fn of_code(&self, path: &Path, code: &str) -> Vec<Finding> {
        self.findings(path).into_iter().filter(|one| one.code == code).collect()
    }

    /// The only finding of this code, which must weigh `severity`.
    pub fn the(&self, path: &Path, code: &str, severity: Severity) -> Result<Finding, Failed> {
        let all = self.findings(path);
        let mut found: Vec<Finding> = all.iter().filter(|one| one.code == code).cloned().collect();
        match (found.pop(), found.is_empty()) {
            (Some(one), true) if one.severity == severity => Ok(one),
            _ => Err(format!("no single {code} of {severity:?} in {all:#?}").into()),
        }
    }

    /// What the loader says when a program loads `library`.
    pub fn load(&self, library: &Path) -> String {
        let probe = self.path("probe");
        if !probe.exists() {
            self.compile("probe", PROBE, &["-ldl"]);
        }
        let mut command = Command::new(probe);
        command.arg(library).env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
        command.envs(self.library_path.iter().map(|value| ("LD_LIBRARY_PATH", value)));
        String::from_utf8_lossy(&command.output().expect("the probe starts").stdout).into_owned()
    }

    /// What the loader says of its search and of what it loads (`LD_DEBUG=libs,files`) when a program loads `library`.
    pub fn debug(&self, library: &Path) -> String {
        self.load(library);
        let mut command = Command::new(self.path("probe"));
        command.arg(library).env_remove("LD_PRELOAD").env_remove("LD_LIBRARY_PATH").env("LD_DEBUG", "libs,files");
        command.envs(self.library_path.iter().map(|value| ("LD_LIBRARY_PATH", value)));
        String::from_utf8_lossy(&command.output().expect("the probe starts").stderr).into_owned()
    }
}

/// Runs the lines of a fix as a user would paste them; some of them must not be mere sentences.
pub fn run_fix(finding: &Finding) -> Result<(), Failed> {
    if finding.fix.iter().all(|line| line.starts_with('#')) {
        return Err(format!("nothing to run in {:#?}", finding.fix).into());
    }
    let output = Command::new("sh").arg("-e").arg("-c").arg(finding.fix.join("\n")).current_dir("/").output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("{:#?}: {}", finding.fix, String::from_utf8_lossy(&output.stderr)).into())
}

/// Every word must stand in some line of the evidence.
pub fn says(finding: &Finding, words: &[&str]) -> Result<(), Failed> {
    let absent: Vec<&&str> =
        words.iter().filter(|word| !finding.evidence.iter().any(|line| line.contains(**word))).collect();
    if absent.is_empty() { Ok(()) } else { Err(format!("{absent:?} are not in {finding:#?}").into()) }
}

pub fn holds(what: &str, is: bool) -> Result<(), Failed> {
    if is { Ok(()) } else { Err(format!("not so: {what}").into()) }
}
