//! The rules of musl's loader against that loader itself, where it and its compiler are installed beside glibc's.

use crate::Case;
use crate::cases::{NEW_TAGS, OLD_TAGS};
use crate::lab::{Found, Lab, found, parse_trace, rule, same};
use libtest_mimic::Failed;
use std::path::Path;
use std::process::{Command, Output};
use wheelwright::engine::deps::{Graph, Libc, guess_libc};
use wheelwright::engine::report::audit::SearchRule;

pub const LOADER: &str = "/lib/ld-musl-x86_64.so.1";

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_musl(), run };
    vec![
        case("musl_inherits_a_runpath", inherits),
        case("musl_searches_the_variable_first", variable),
        case("musl_drops_a_run_path_with_another_token", other_token),
        case("musl_knows_no_soname", soname),
        case("musl_tries_no_second_file", second_file),
        Case {
            name: "musl_meets_a_32_bit_library",
            lacking: lacks_musl().or_else(crate::files::lacks_32_bits),
            run: another_class,
        },
    ]
}

pub fn lacks_musl() -> Option<String> {
    let found = Path::new(LOADER).exists() && Command::new("musl-gcc").arg("--version").output().is_ok();
    (!found).then(|| "needs musl-gcc".to_string())
}

pub fn lab() -> Lab {
    let mut lab = Lab::new();
    lab.compiler = "musl-gcc";
    lab
}

/// What musl's loader lists for `program`; what it does not find it says on standard error.
fn listed(lab: &Lab, program: &Path) -> Result<Found, Failed> {
    let mut command = Command::new(LOADER);
    command.arg("--list").arg(program).current_dir(&lab.working_directory).env_remove("LD_LIBRARY_PATH");
    command.envs(lab.library_path.iter().map(|value| ("LD_LIBRARY_PATH", value)));
    command.env_remove("LD_PRELOAD").envs(lab.preload.iter().map(|value| ("LD_PRELOAD", value)));
    Ok(parse(&command.output()?, &lab.working_directory))
}

/// Reads what musl's loader, started in `directory`, listed and complained of.
pub fn parse(output: &Output, directory: &Path) -> Found {
    let mut listed = parse_trace(&String::from_utf8_lossy(&output.stdout), directory);
    listed.retain(|name, _| name != LOADER && !name.starts_with("libc."));
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        if let Some((name, _)) =
            line.strip_prefix("Error loading shared library ").and_then(|rest| rest.split_once(": "))
        {
            // It says so for each requester in vain, and another may find it.
            listed.entry(name.to_string()).or_insert(None);
        }
    }
    listed
}

/// The lens must find what musl's loader lists.
pub fn agrees(lab: &Lab, program: &Path) -> Result<Graph, Failed> {
    let graph = lab.graph(program);
    let root = graph.nodes.first().and_then(|node| node.binary.as_deref()).ok_or("no root")?;
    same(guess_libc(root), Libc::Musl)?;
    // Of a preloaded library that is missing musl says nothing.
    let preload = lab.preload.as_ref().map(|list| list.to_string_lossy().into_owned()).unwrap_or_default();
    let mut ours = found(&graph);
    ours.retain(|name, path| path.is_some() || !preload.split([' ', ':']).any(|item| item == name));
    same(ours, listed(lab, program)?)?;
    Ok(graph)
}

fn inherits() -> Result<(), Failed> {
    let lab = lab();
    lab.library("deep/libb.so", "b", &[]);
    lab.library("near/liba.so", "a", &["@deep/libb.so"]);
    for tags in [OLD_TAGS, NEW_TAGS] {
        let program = lab.program("p", &["@near/liba.so", tags, "-Wl,-rpath,$ORIGIN/near:$ORIGIN/deep"]);
        let graph = agrees(&lab, &program)?;
        same(rule(&graph, "liba.so", "libb.so").is_some(), true)?;
    }
    Ok(())
}

fn variable() -> Result<(), Failed> {
    let mut lab = lab();
    lab.library("run/liba.so", "a", &[]);
    lab.copy("run/liba.so", "env/liba.so");
    let program = lab.program("p", &["@run/liba.so", OLD_TAGS, "-Wl,-rpath,$ORIGIN/run"]);
    same(rule(&agrees(&lab, &program)?, "p", "liba.so"), Some(SearchRule::Rpath))?;
    lab.library_path = Some(lab.path("env").into());
    same(rule(&agrees(&lab, &program)?, "p", "liba.so"), Some(SearchRule::LdLibraryPath))
}

fn other_token() -> Result<(), Failed> {
    let lab = lab();
    lab.library("lib/liba.so", "a", &[]);
    let program = lab.program("p", &["@lib/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/lib:$ORIGIN/$LIB"]);
    same(found(&agrees(&lab, &program)?)["liba.so"].clone(), None)
}

fn soname() -> Result<(), Failed> {
    let lab = lab();
    let source = "int a(void) { return 1; }\n";
    lab.object("lib/liba.so", source, &["-shared", "-fPIC", "-Wl,-soname,libone.so"]);
    lab.library("lib/libb.so", "b", &["@lib/liba.so"]);
    // The program asks for the file by its path, the library for its SONAME, which stands nowhere.
    lab.object("lib/plain.so", source, &["-shared", "-fPIC"]);
    let program = lab.program("p", &["lib/plain.so", "@lib/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/lib"]);
    lab.object("lib/plain.so", source, &["-shared", "-fPIC", "-Wl,-soname,libone.so"]);
    same(found(&agrees(&lab, &program)?)["libone.so"].clone(), None)
}

fn second_file() -> Result<(), Failed> {
    let lab = lab();
    lab.library("good/liba.so", "a", &[]);
    let program = lab.program("p", &["@good/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/bad:$ORIGIN/good"]);
    std::fs::create_dir(lab.path("bad"))?;
    std::fs::write(lab.path("bad/liba.so"), "no library")?;
    same(found(&agrees(&lab, &program)?)["liba.so"].clone(), None)
}

/// It opens the file, can make nothing of it, and looks no further.
fn another_class() -> Result<(), Failed> {
    let lab = lab();
    lab.library("good/liba.so", "a", &[]);
    let narrow = Lab::new();
    let built = narrow.library("liba.so", "a", &["-m32", "-nostdlib"]);
    std::fs::create_dir(lab.path("bad"))?;
    std::fs::copy(built, lab.path("bad/liba.so"))?;
    let program = lab.program("p", &["@good/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/bad:$ORIGIN/good"]);
    same(found(&agrees(&lab, &program)?)["liba.so"].clone(), None)
}
