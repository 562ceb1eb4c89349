//! A directory of small libraries and programs built with the C compiler, and what glibc's loader says of them.

use crate::trace;
use libtest_mimic::Failed;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::deps::{Graph, LoaderInputs, NodeKind, Placed, host_libc, resolve};
use wheelwright::engine::report::audit::{FoundBy, SearchRule};

pub const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

pub const LOADER_32: &str = "/lib/ld-linux.so.2";

/// The loader for an ELF file of this machine's two classes.
pub fn loader_of(path: &Path) -> &'static str {
    let class = std::fs::read(path).ok().and_then(|bytes| bytes.get(4).copied());
    if class == Some(1) { LOADER_32 } else { LOADER }
}

/// Why the comparison with glibc's loader can't be made here, if it can't.
pub fn lacks_glibc() -> Option<String> {
    let fits = cfg!(all(target_os = "linux", target_arch = "x86_64")) && Path::new(LOADER).exists();
    let fits = fits && host_libc() == wheelwright::engine::deps::Libc::Glibc;
    (!fits).then(|| "the machine is not x86_64 with glibc".to_string())
}

/// Needed name to path; `None` for what is not found.
pub type Found = BTreeMap<String, Option<PathBuf>>;

pub struct Lab {
    pub compiler: &'static str,
    directory: tempfile::TempDir,
    pub library_path: Option<OsString>,
    pub preload: Option<OsString>,
    pub working_directory: PathBuf,
}

impl Lab {
    pub fn new() -> Self {
        let directory = tempfile::tempdir().expect("a temporary directory");
        let root = directory.path().canonicalize().expect("its real path");
        Self { compiler: "cc", directory, library_path: None, preload: None, working_directory: root }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().expect("the lab").join(name)
    }

    /// Builds `name` from C source text; arguments that begin with `@` are paths in the lab.
    fn compile(&self, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        let text = self.path("source.c");
        std::fs::write(&text, source).expect("written");
        let mut command = Command::new(self.compiler);
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

    pub fn program(&self, name: &str, arguments: &[&str]) -> PathBuf {
        let arguments: Vec<&str> = arguments.iter().copied().chain(["-Wl,--unresolved-symbols=ignore-all"]).collect();
        self.compile(name, "int main(void) { return 0; }\n", &arguments)
    }

    pub fn object(&self, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
        self.compile(name, source, arguments)
    }

    pub fn copy(&self, from: &str, to: &str) {
        let to = self.path(to);
        std::fs::create_dir_all(to.parent().expect("a directory")).expect("made");
        std::fs::copy(self.path(from), to).expect("copied");
    }

    /// Puts one name in the place of another of the same length, everywhere in a file.
    pub fn replace(&self, path: &Path, from: &str, to: &str) {
        assert_eq!(from.len(), to.len());
        let mut bytes = std::fs::read(path).expect("read");
        let starts: Vec<usize> = (0..bytes.len()).filter(|&at| bytes[at..].starts_with(from.as_bytes())).collect();
        assert!(!starts.is_empty(), "no {from}");
        for at in starts {
            bytes[at..at + to.len()].copy_from_slice(to.as_bytes());
        }
        std::fs::write(path, bytes).expect("written");
    }

    pub fn remove(&self, name: &str) {
        std::fs::remove_file(self.path(name)).expect("removed");
    }

    pub fn inputs(&self) -> LoaderInputs {
        let mut inputs = LoaderInputs::new(self.working_directory.clone());
        inputs.ld_library_path.clone_from(&self.library_path);
        inputs.ld_preload.clone_from(&self.preload);
        inputs
    }

    pub fn graph(&self, program: &Path) -> Graph {
        resolve(&Placed::in_place(program), &self.inputs(), &Context::new()).expect("the program is readable")
    }

    /// The command that makes the loader list `root` in this lab's process.
    pub fn traced_command(&self, root: &Path) -> Command {
        let mut command = trace::command(root);
        command.current_dir(&self.working_directory).env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
        command.env_remove("GLIBC_TUNABLES");
        command.envs(self.library_path.iter().map(|value| ("LD_LIBRARY_PATH", value)));
        command.envs(self.preload.iter().map(|value| ("LD_PRELOAD", value)));
        command
    }

    /// The directories that the loader says it was built with.
    pub fn default_directories(&self) -> Vec<PathBuf> {
        let help = Command::new(LOADER).arg("--help").output().expect("the loader runs");
        let help = String::from_utf8_lossy(&help.stdout).into_owned();
        help.lines().filter_map(|line| line.trim().strip_suffix(" (system search path)").map(PathBuf::from)).collect()
    }

    /// The loader and the lens must find the same, by the same search, or give up at the same file with the same message;
    /// the graph is returned for what else is to be said of it.
    pub fn agrees(&self, root: &Path) -> Result<Graph, Failed> {
        let graph = self.graph(root);
        trace::agrees(self, &graph, root)?;
        if graph.edges.iter().any(|edge| edge.gave_up.is_some()) {
            return Ok(graph);
        }
        let output = self.traced_command(root).output()?;
        let said = String::from_utf8_lossy(&output.stdout);
        let (mut ours, truth) = (found(&graph), parse_trace(&said, &self.working_directory));
        // The loader warns of a preloaded library that is missing and leaves it out of its list.
        let asked =
            |name: &str| graph.edges.iter().any(|edge| edge.needed.to_text() == name && !is_preload(self, name));
        ours.retain(|name, path| path.is_some() || asked(name));
        // "statically linked" is also what it says of a library without dependencies.
        if truth.is_empty() && !said.contains("statically linked") {
            return Err("the loader said nothing".into());
        }
        if ours != truth {
            return Err(format!("the lens finds {ours:#?}\nthe loader {truth:#?}").into());
        }
        Ok(graph)
    }
}

fn is_preload(lab: &Lab, name: &str) -> bool {
    let list = lab.preload.as_ref().map(|list| list.to_string_lossy().into_owned()).unwrap_or_default();
    list.split([' ', ':']).any(|item| item == name)
}

/// Whether `path` is an ELF file without an interpreter, which the kernel could not start as a dynamic program.
pub fn is_library_root(path: &Path) -> bool {
    let placed = Placed::in_place(path);
    let graph = resolve(&placed, &LoaderInputs::new(PathBuf::from("/")), &Context::new()).expect("readable");
    graph.nodes[0].loaded().is_none_or(|slice| slice.interpreter.is_none())
}

/// Reads the lines that the loader prints under `LD_TRACE_LOADED_OBJECTS`; the kernel's object and the loader are left out.
pub fn parse_trace(text: &str, working_directory: &Path) -> Found {
    let mut found = Found::new();
    for line in text.lines().map(str::trim) {
        let line = line.rsplit_once(" (0x").map_or(line, |(before, _)| before);
        let (name, path) = line.split_once(" => ").unwrap_or((line, line));
        let left_out = name.starts_with("linux-vdso")
            || name.starts_with("linux-gate")
            || name.contains("ld-linux")
            || name == "statically linked";
        if !name.is_empty() && !left_out {
            let path = (path != "not found").then(|| working_directory.join(path));
            found.insert(name.to_string(), path);
        }
    }
    found
}

/// The same from the lens.
pub fn found(graph: &Graph) -> Found {
    let nodes = graph.nodes.iter().filter(|node| matches!(node.kind, NodeKind::Library | NodeKind::Missing));
    nodes.map(|node| (node.name.to_text().into_owned(), node.path.clone())).collect()
}

/// What found `needed` for the object called `from`.
pub fn found_by(graph: &Graph, from: &str, needed: &str) -> Option<FoundBy> {
    let edge = graph
        .edges
        .iter()
        .find(|edge| graph.nodes[edge.from].name.to_text() == from && edge.needed.to_text() == needed);
    edge.unwrap_or_else(|| panic!("{from} does not ask for {needed}")).found_by.clone()
}

pub fn rule(graph: &Graph, from: &str, needed: &str) -> Option<SearchRule> {
    found_by(graph, from, needed).map(|by| by.rule)
}

pub fn same<T: PartialEq + std::fmt::Debug>(ours: T, expected: T) -> Result<(), Failed> {
    if ours == expected { Ok(()) } else { Err(format!("{ours:?}, expected {expected:?}").into()) }
}
