//! Real loads: whom glibc binds the symbols of installed programs to, and those of libraries that Python loads.

use crate::Case;
use crate::lab::{bindings, graph_of, lacks_glibc, report, said_bound};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use std::process::Command;
use wheelwright::engine::deps::{Graph, Loader, LoaderInputs, Node, NodeKind};
use wheelwright::engine::report::symbols::BindingState;

/// Programs that answer `--version` and do nothing else.
const PROGRAMS: [&str; 24] = [
    "ls", "cat", "cp", "mv", "date", "sort", "tar", "gzip", "grep", "sed", "gawk", "find", "xargs", "bash", "git",
    "curl", "openssl", "perl", "ld", "as", "gcc", "readelf", "diff", "env",
];
/// Libraries that Python loads without harm.
const LIBRARIES: [&str; 8] = [
    "libz.so.1",
    "libcrypto.so.3",
    "libssl.so.3",
    "libsqlite3.so.0",
    "libcurl.so.4",
    "libstdc++.so.6",
    "libncursesw.so.6",
    "libxml2.so.2",
];

pub fn all() -> Vec<Case> {
    let python = python();
    let lacks_python = lacks_glibc().or_else(|| python.is_none().then(|| "needs /usr/bin/python3".to_string()));
    vec![
        Case { name: "programs_bind_as_in_a_real_load", lacking: lacks_glibc(), run: programs },
        Case { name: "libraries_bind_as_when_python_loads_them", lacking: lacks_python, run: libraries },
    ]
}

fn python() -> Option<PathBuf> {
    Path::new("/usr/bin/python3").canonicalize().ok().filter(|path| path.starts_with("/usr"))
}

fn inputs() -> LoaderInputs {
    LoaderInputs::new(PathBuf::from("/"))
}

fn differences(report: &crate::lab::Bindings, truth: &crate::lab::Bindings) -> Vec<String> {
    let keys = report.iter().filter(|(key, path)| truth.get(*key) != Some(*path));
    keys.map(|(key, path)| format!("{key:?}: ours {}, the loader's {:?}", path.display(), truth.get(key))).collect()
}

fn programs() -> Result<(), Failed> {
    let loader = Loader::default();
    let (mut compared, mut wrong) = (0, Vec::new());
    for name in PROGRAMS {
        let Ok(program) = Path::new("/usr/bin").join(name).canonicalize() else { continue };
        let Ok(graph) = graph_of(&loader, &program, &inputs()) else { continue };
        if graph.nodes.len() < 2 {
            continue;
        }
        let mut command = Command::new(&program);
        command.arg("--version").env_clear().current_dir("/");
        let output = command.env("LD_DEBUG", "bindings").env("LD_BIND_NOW", "1").output()?;
        let ours = bindings(&report(&program, &graph, &[])?, &graph);
        let found = differences(&ours, &said_bound(&output, &program, &ours));
        compared += 1;
        if !found.is_empty() {
            wrong.push(format!("{name}: {found:#?}"));
        }
    }
    if compared < 8 {
        return Err(format!("only {compared} programs could be compared").into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

fn libraries() -> Result<(), Failed> {
    let loader = Loader::default();
    let python = python().ok_or("no python")?;
    let host = graph_of(&loader, &python, &inputs())?;
    let before: Vec<&Node> = host.nodes.iter().filter(|node| in_scope(&host, node)).collect();
    let (mut compared, mut wrong) = (0, Vec::new());
    for name in LIBRARIES {
        let directories = ["/usr/lib/x86_64-linux-gnu", "/usr/lib64", "/usr/lib"];
        let path = directories.iter().map(|directory| Path::new(directory).join(name)).find(|path| path.exists());
        let Some(path) = path else { continue };
        let real = path.canonicalize().ok();
        if host.nodes.iter().any(|node| node.realpath == real) {
            // Python has it already, by another path.
            continue;
        }
        let graph = graph_of(&loader, &path, &inputs())?;
        let mut command = Command::new(&python);
        command.args(["-S", "-c", "import ctypes, os, sys; ctypes.CDLL(sys.argv[1], mode=os.RTLD_NOW)"]).arg(&path);
        let output = command.env_clear().env("LD_DEBUG", "bindings").current_dir("/").output()?;
        let report = report(&path, &graph, &before)?;
        let ours = bindings(&report, &graph);
        let truth = said_bound(&output, &path, &ours);
        let mut found = differences(&ours, &truth);
        // What only the host has is no node of the tree; its note names who defines it.
        let symbols = report.objects.first().map(|object| object.symbols.as_slice()).unwrap_or_default();
        for symbol in symbols.iter().filter(|symbol| symbol.to.is_none() && symbol.state == BindingState::Bound) {
            let note = symbol.note.clone().unwrap_or_default();
            let said = format!("`{}'", symbol.name);
            let text = String::from_utf8_lossy(&output.stderr).into_owned();
            let line = format!("binding file {} [0] to ", path.display());
            let to = text.lines().find(|known| known.contains(&line) && known.contains(&said)).unwrap_or_default();
            let definer = note.split(',').next().unwrap_or_default();
            if note != "no relocation asks for it" && !to.contains(&format!("{definer} [0]")) {
                found.push(format!("{}: ours {note}, the loader's {to}", symbol.name));
            }
        }
        compared += 1;
        if !found.is_empty() {
            wrong.push(format!("{name}: {found:#?}"));
        }
    }
    if compared == 0 {
        return Err("no library could be compared".into());
    }
    if wrong.is_empty() { Ok(()) } else { Err(wrong.join("\n").into()) }
}

/// Whether the node is one that a program's own load puts into the global scope.
fn in_scope(host: &Graph, node: &Node) -> bool {
    match node.kind {
        NodeKind::Root | NodeKind::Library => true,
        NodeKind::Interpreter => host.edges.iter().any(|edge| std::ptr::eq(&host.nodes[edge.to], node)),
        _ => false,
    }
}
