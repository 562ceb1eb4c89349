//! A directory of small libraries and programs built with the C compiler, and what a loader says of their symbols.

use libtest_mimic::Failed;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wheelwright::engine::Context;
use wheelwright::engine::deps::{Graph, Libc, Loader, LoaderInputs, Node, Placed, guess_libc, host_libc};
use wheelwright::engine::file::Windows;
use wheelwright::engine::report::symbols::{BindingState, ObjectSymbols, SymbolBinding, SymbolsReport};
use wheelwright::engine::symbols::bind;

pub const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Object, symbol and version of what stays unbound.
pub type Unbound = BTreeSet<(PathBuf, String, Option<String>)>;
/// Symbol and version, and the file that defines it.
pub type Bindings = BTreeMap<(String, Option<String>), PathBuf>;

/// Why the comparison with glibc's loader can't be made here, if it can't.
pub fn lacks_glibc() -> Option<String> {
    let fits = cfg!(all(target_os = "linux", target_arch = "x86_64")) && Path::new(LOADER).exists();
    (!fits || host_libc() != Libc::Glibc).then(|| "needs x86_64 and glibc".to_string())
}

pub struct Lab {
    pub compiler: &'static str,
    directory: tempfile::TempDir,
    pub preload: Option<PathBuf>,
}

impl Lab {
    pub fn new() -> Self {
        Self { compiler: "cc", directory: tempfile::tempdir().expect("a temporary directory"), preload: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().expect("the lab").join(name)
    }

    /// Builds `name`; arguments that begin with `@` are paths in the lab. Libraries are found beside who needs them.
    pub fn build(&self, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().expect("a directory")).expect("made");
        let text = self.path("source.c");
        std::fs::write(&text, source).expect("written");
        let mut command = Command::new(self.compiler);
        command.arg("-o").arg(&path).arg(&text).args(["-O1", "-fno-builtin", "-Wl,--no-as-needed"]);
        command.args(["-Wl,--unresolved-symbols=ignore-all", "-Wl,-rpath,$ORIGIN"]).current_dir(self.path(""));
        for argument in arguments {
            match argument.split_once('@') {
                Some((before, file)) => command.arg(format!("{before}{}", self.path(file).display())),
                None => command.arg(argument),
            };
        }
        let output = command.output().expect("cc runs");
        assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        path
    }

    /// A library whose SONAME is its file name.
    pub fn library(&self, name: &str, source: &str, arguments: &[&str]) -> PathBuf {
        let soname = format!("-Wl,-soname,{}", name.rsplit('/').next().expect("a name"));
        let all: Vec<&str> = ["-shared", "-fPIC", &soname].into_iter().chain(arguments.iter().copied()).collect();
        self.build(name, source, &all)
    }

    /// A library with a version script.
    pub fn versioned(&self, name: &str, source: &str, script: &str, arguments: &[&str]) -> PathBuf {
        std::fs::write(self.path("script.map"), script).expect("written");
        let all: Vec<&str> =
            ["-Wl,--version-script=@script.map"].into_iter().chain(arguments.iter().copied()).collect();
        self.library(name, source, &all)
    }

    pub fn graph(&self, program: &Path) -> Graph {
        let mut inputs = LoaderInputs::new(self.path(""));
        inputs.ld_preload = self.preload.as_ref().map(|path| path.clone().into_os_string());
        graph_of(&Loader::default(), program, &inputs).expect("the program is readable")
    }

    pub fn report(&self, program: &Path) -> SymbolsReport {
        report(program, &self.graph(program), &[]).expect("an ELF file")
    }

    /// The loader, to be run on `program` with `variables`.
    pub fn run(&self, program: &Path, variables: &[(&str, &str)]) -> Output {
        let mut command = Command::new(LOADER);
        command.arg(program).current_dir(self.path("")).env_clear().envs(variables.iter().copied());
        command.envs(self.preload.iter().map(|path| ("LD_PRELOAD", path)));
        command.output().expect("the loader runs")
    }

    /// Both must find the same symbols unbound in the same objects; the report is returned for what else is to be said.
    pub fn agrees(&self, program: &Path) -> Result<SymbolsReport, Failed> {
        let graph = self.graph(program);
        let report = report(program, &graph, &[])?;
        let output = self.run(program, &TRACE);
        let truth = said_unbound(&output, program).ok_or_else(|| format!("the loader failed: {output:?}"))?;
        same(unbound(&report, &graph), truth)?;
        Ok(report)
    }

    /// Both must bind the artifact's symbols to the same files, in a real load.
    pub fn binds_alike(&self, program: &Path) -> Result<SymbolsReport, Failed> {
        let report = self.agrees(program)?;
        let output = self.run(program, &[("LD_DEBUG", "bindings"), ("LD_BIND_NOW", "1")]);
        let ours = bindings(&report, &self.graph(program));
        same(ours.clone(), said_bound(&output, program, &ours))?;
        Ok(report)
    }
}

/// What the report notes of a symbol that the loader never looks up.
const UNUSED: &str = "no relocation asks for it";

/// What `ldd -r` sets.
pub const TRACE: [(&str, &str); 3] = [("LD_TRACE_LOADED_OBJECTS", "1"), ("LD_WARN", "1"), ("LD_BIND_NOW", "1")];

pub fn graph_of(loader: &Loader, program: &Path, inputs: &LoaderInputs) -> Result<Graph, Failed> {
    Ok(loader.resolve(&Placed::in_place(program), 0, inputs, &Context::new())?)
}

pub fn report(program: &Path, graph: &Graph, before: &[&Node]) -> Result<SymbolsReport, Failed> {
    let root = graph.nodes.first().and_then(|node| node.binary.as_deref()).ok_or("no root")?;
    let source = Windows::open(program)?;
    Ok(bind(graph, &source, guess_libc(root), before, &Context::new())?.ok_or("no ELF file")?)
}

/// What the report says is unbound, Python's names included.
pub fn unbound(report: &SymbolsReport, graph: &Graph) -> Unbound {
    let path = |object: &ObjectSymbols| graph.nodes[object.node].path.clone().unwrap_or_default();
    let lacks = |symbol: &&SymbolBinding| match symbol.state {
        BindingState::Unbound => true,
        BindingState::Python => !symbol.weak,
        _ => false,
    };
    let of = |object: &ObjectSymbols| -> Vec<_> {
        let found = object.symbols.iter().filter(lacks);
        found.map(|symbol| (path(object), symbol.name.clone(), symbol.version.clone())).collect()
    };
    report.objects.iter().flat_map(of).collect()
}

/// The same as the loader says it; `None` when it fell over.
pub fn said_unbound(output: &Output, program: &Path) -> Option<Unbound> {
    let text = format!("{}\n{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if text.contains("Inconsistency detected") || text.contains("error while loading") {
        return None;
    }
    let mut found = Unbound::new();
    for line in text.lines() {
        let Some((said, object)) = line.strip_prefix("undefined symbol: ").and_then(|rest| rest.split_once("\t("))
        else {
            continue;
        };
        let object = object.trim_end_matches(')');
        let object = if object.is_empty() { program } else { Path::new(object) };
        let (name, version) =
            said.split_once(", version ").map_or((said, None), |(name, version)| (name, Some(version)));
        found.insert((object.to_path_buf(), name.to_string(), version.map(str::to_string)));
    }
    Some(found)
}

/// Which file the report binds each of the artifact's symbols to, as far as the loader looks them up.
pub fn bindings(report: &SymbolsReport, graph: &Graph) -> Bindings {
    let symbols = report.objects.first().map(|object| object.symbols.as_slice()).unwrap_or_default();
    let bound = symbols.iter().filter_map(|symbol| {
        let path = graph.nodes[symbol.to?].path.clone().filter(|_| symbol.note.as_deref() != Some(UNUSED))?;
        Some(((symbol.name.clone(), symbol.version.clone()), path))
    });
    bound.collect()
}

/// The same as the loader says it, of the symbols that `ours` knows: a program also binds what it defines itself.
pub fn said_bound(output: &Output, program: &Path, ours: &Bindings) -> Bindings {
    let text = String::from_utf8_lossy(&output.stderr);
    let mut found = Bindings::new();
    for line in text.lines() {
        let parsed = line.split_once("binding file ").and_then(|(_, rest)| {
            let (from, rest) = rest.split_once(" [0] to ")?;
            let (to, rest) = rest.split_once(" [0]: ")?;
            let (_, rest) = rest.split_once('`')?;
            let (name, version) = rest.split_once('\'')?;
            let version = version.trim().strip_prefix('[').and_then(|version| version.strip_suffix(']'));
            Some((from, to, (name.to_string(), version.map(str::to_string))))
        });
        let Some((from, to, key)) = parsed else { continue };
        if Path::new(from) == program && ours.contains_key(&key) {
            found.entry(key).or_insert_with(|| PathBuf::from(to));
        }
    }
    found
}

pub fn same<T: PartialEq + std::fmt::Debug>(ours: T, truth: T) -> Result<(), Failed> {
    if ours == truth { Ok(()) } else { Err(format!("found {ours:#?}\nexpected {truth:#?}").into()) }
}

/// The artifact's symbol of that name.
pub fn symbol(report: &SymbolsReport, name: &str) -> Result<SymbolBinding, Failed> {
    let found = report.objects.first().and_then(|object| object.symbols.iter().find(|symbol| symbol.name == name));
    found.cloned().ok_or_else(|| format!("no symbol {name}").into())
}
