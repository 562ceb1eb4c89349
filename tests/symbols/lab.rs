//! Small objects made with the machine's compiler, our binding of them, and what the loader says of the same.

use libtest_mimic::Failed;
use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use wheelwright::engine::Context;
use wheelwright::engine::deps::{Graph, Libc, Loader, LoaderInputs, Placed};
use wheelwright::engine::report::symbols::{BindingState, SymbolsReport};
use wheelwright::engine::symbols::{Circumstances, bind};

pub const LOADER: &str = "/lib64/ld-linux-x86-64.so.2";

/// Why glibc's loader can't be asked here, if it can't.
pub fn lacks_glibc() -> Option<String> {
    let there = cfg!(target_arch = "x86_64") && Path::new(LOADER).exists();
    (!there).then(|| "needs glibc on x86-64".to_string())
}

/// A directory of built objects.
pub struct Lab {
    directory: tempfile::TempDir,
    pub preload: Option<String>,
}

impl Lab {
    pub fn new() -> Self {
        Self { directory: tempfile::tempdir().expect("a directory"), preload: None }
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes a file, for version scripts.
    pub fn write(&self, name: &str, text: &str) -> PathBuf {
        std::fs::write(self.path(name), text).expect("a file");
        self.path(name)
    }

    /// Compiles `code` to `name`; `@file` among the arguments is a file of the lab.
    pub fn build(&self, name: &str, code: &str, arguments: &[&str]) -> Result<PathBuf, Failed> {
        let source = self.write(&format!("{name}.c"), code);
        let output = self.path(name);
        let mut command = Command::new("cc");
        command.args(["-O1", "-w", "-Wl,--no-as-needed", "-Wl,--allow-shlib-undefined", "-o"]).arg(&output).arg(source);
        if name.contains(".so") {
            command.args(["-shared", "-fPIC", "-Wl,-z,undefs"]).arg(format!("-Wl,-soname,{name}"));
        } else {
            command.arg("-Wl,--unresolved-symbols=ignore-all");
        }
        for argument in arguments {
            match argument.strip_prefix('@') {
                Some(file) => command.arg(self.path(file)),
                None => command.arg(argument),
            };
        }
        command.arg(format!("-Wl,-rpath,{}", self.directory.path().display()));
        let result = command.output()?;
        if result.status.success() {
            Ok(output)
        } else {
            Err(String::from_utf8_lossy(&result.stderr).into_owned().into())
        }
    }

    fn inputs(&self) -> LoaderInputs {
        let mut inputs = LoaderInputs::new(self.directory.path().to_path_buf());
        inputs.ld_preload = self.preload.clone().map(Into::into);
        inputs
    }

    /// Our binding of `file`; what is unbound in it must be what the loader says.
    pub fn agrees(&self, file: &Path) -> Result<(Graph, SymbolsReport), Failed> {
        let (graph, report) = bound(file, &self.inputs())?;
        let truth = warned(&self.loader(file, &[("LD_WARN", "yes"), ("LD_TRACE_LOADED_OBJECTS", "1")])?);
        same(unbound(&graph, &report), truth)?;
        Ok((graph, report))
    }

    /// The same, and every symbol of the program `file` must be bound to what a real run binds it to.
    pub fn agrees_running(&self, file: &Path) -> Result<(), Failed> {
        let (graph, report) = self.agrees(file)?;
        let output = self.loader(file, &[("LD_DEBUG", "bindings")])?;
        let ours = providers(&graph, &report);
        let mut truth = logged(&String::from_utf8_lossy(&output.stderr), file);
        // The loader also binds its own memory functions, and what the program holds a copy of, in the program's name.
        truth.retain(|symbol, _| ours.contains_key(symbol));
        same(ours, truth)
    }

    fn loader(&self, file: &Path, variables: &[(&str, &str)]) -> Result<Output, Failed> {
        let mut command = Command::new(LOADER);
        command.arg(file).env_clear().env("LD_BIND_NOW", "1").envs(variables.iter().copied());
        command.envs(self.preload.iter().map(|value| ("LD_PRELOAD", value)));
        Ok(command.current_dir(self.directory.path()).output()?)
    }
}

/// Our binding of `file`.
pub fn bound(file: &Path, inputs: &LoaderInputs) -> Result<(Graph, SymbolsReport), Failed> {
    let graph = Loader::default().resolve(&Placed::in_place(file), 0, inputs, &Context::new())?;
    let circumstances = Circumstances { artifact: file, libc: Libc::Glibc, host: None, python_is_there: false };
    let report = bind(&graph, &circumstances, &Context::new())?;
    Ok((graph, report))
}

/// A symbol with its version, and the path of the object that wants it.
pub type Wanted = (String, PathBuf);

/// What stays unbound by our binding. The loader itself is relocated before it can warn of anything.
pub fn unbound(graph: &Graph, report: &SymbolsReport) -> BTreeSet<Wanted> {
    let mut found = BTreeSet::new();
    for object in &report.objects {
        let Some(path) = graph.nodes.get(object.node).and_then(|node| node.path.clone()) else { continue };
        for symbol in object.symbols.iter().filter(|symbol| symbol.state == BindingState::Unbound) {
            found.insert((versioned(&symbol.name, symbol.version.as_deref()), path.clone()));
        }
    }
    found
}

/// What the loader warns of: `undefined symbol: NAME, version V\t(FILE)`.
pub fn warned(output: &Output) -> BTreeSet<Wanted> {
    let text = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes).into_owned()).join("\n");
    let line = |line: &str| {
        let (symbol, file) = line.strip_prefix("undefined symbol: ")?.split_once('\t')?;
        let symbol = match symbol.split_once(", version ") {
            Some((name, version)) => versioned(name, Some(version)),
            None => symbol.to_owned(),
        };
        Some((symbol, PathBuf::from(file.trim_matches(['(', ')']))))
    };
    text.lines().filter_map(line).collect()
}

fn versioned(name: &str, version: Option<&str>) -> String {
    version.map_or_else(|| name.to_owned(), |version| format!("{name}@{version}"))
}

/// The file that our binding binds each symbol of the root to.
pub fn providers(graph: &Graph, report: &SymbolsReport) -> BTreeMap<String, PathBuf> {
    let root = report.objects.first().map(|object| object.symbols.as_slice()).unwrap_or_default();
    let path = |to: Option<usize>| graph.nodes.get(to?)?.path.clone();
    root.iter().filter_map(|symbol| Some((symbol.name.clone(), path(symbol.to)?))).collect()
}

/// The same by the loader's log: "binding file A [0] to B [0]: normal symbol `NAME' [VERSION]". What a program binds to
/// itself it defines itself.
pub fn logged(text: &str, file: &Path) -> BTreeMap<String, PathBuf> {
    let line = |line: &str| {
        let (from, rest) = line.split_once("binding file ")?.1.split_once(" [0] to ")?;
        let (to, rest) = rest.split_once(" [0]: ")?;
        let name = rest.split_once('`')?.1.split_once('\'')?.0;
        (Path::new(from) == file && Path::new(to) != file).then(|| (name.to_owned(), PathBuf::from(to)))
    };
    text.lines().filter_map(line).collect()
}

pub fn same<T: PartialEq + std::fmt::Debug>(ours: T, truth: T) -> Result<(), Failed> {
    if ours == truth { Ok(()) } else { Err(format!("ours: {ours:#?}\nthe loader's: {truth:#?}").into()) }
}
