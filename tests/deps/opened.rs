//! An extension in the process of a program that opens it with dlopen(3): what `LD_DEBUG=libs` says of that load, against the
//! lens with `LoaderInputs::host`.

use crate::Case;
use crate::cases::{NEW_TAGS, OLD_TAGS};
use crate::debug::{List, Search, searches};
use crate::lab::{Lab, lacks_glibc, same};
use libtest_mimic::Failed;
use std::path::PathBuf;
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::deps::{Edge, Graph, LoaderInputs, NodeKind, Placed, resolve};
use wheelwright::engine::report::audit::SearchRule;

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_glibc(), run };
    vec![
        case("opened_by_a_program_with_rpath", main_rpath),
        case("opened_by_a_program_with_runpath", main_runpath),
        case("opened_with_a_runpath_of_its_own", own_runpath),
        case("opened_with_an_rpath_of_its_own", own_rpath),
        case("opened_where_the_program_brought_the_library", brought),
        case("opened_with_the_variable", variable),
        case("opened_with_a_chain_of_its_own", chain),
    ]
}

const HOST: &str = "#include <dlfcn.h>
int main(int count, char **words) { return count < 2 || !dlopen(words[1], RTLD_NOW); }\n";

/// The program `host`, built with `arguments`.
fn host(lab: &Lab, arguments: &[&str]) -> PathBuf {
    let arguments: Vec<&str> = arguments.iter().copied().chain(["-ldl"]).collect();
    lab.object("bin/host", HOST, &arguments)
}

/// Both must make the same searches with the same results, one after the other.
fn agrees(lab: &Lab, host: &PathBuf, extension: &PathBuf) -> Result<Graph, Failed> {
    let inputs = LoaderInputs { host: Some(host.clone()), ..lab.inputs() };
    let graph = resolve(&Placed::in_place(extension), &inputs, &Context::new())?;
    let mut command = Command::new(host);
    command.arg(extension).env("LD_DEBUG", "libs").current_dir(&lab.working_directory);
    command.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD");
    command.envs(lab.library_path.iter().map(|value| ("LD_LIBRARY_PATH", value)));
    let output = command.output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let (_, opening) = said.split_once("transferring control").ok_or("the program did not start")?;
    let theirs = searches(opening);
    let ours: Vec<&Edge> = graph.edges.iter().filter(|edge| is_search(&graph, edge)).collect();
    for (edge, search) in ours.iter().zip(&theirs) {
        compare(&graph, edge, search).map_err(|why| format!("{}: {why}\n{edge:#?}\n{search:#?}", search.name))?;
    }
    // dlopen gives up at the first library that is missing; the lens goes on.
    let end = ours.iter().position(|edge| edge.found_by.is_none()).map_or(ours.len(), |missing| missing + 1);
    same(theirs.len(), end)?;
    same(output.status.success(), ours.iter().all(|edge| edge.found_by.is_some()))?;
    Ok(graph)
}

fn is_search(graph: &Graph, edge: &Edge) -> bool {
    let loaded = edge.found_by.as_ref().is_some_and(|by| by.rule == SearchRule::AlreadyLoaded);
    !loaded && graph.nodes[edge.to].kind != NodeKind::Interpreter
}

fn compare(graph: &Graph, edge: &Edge, search: &Search) -> Result<(), String> {
    if edge.needed.to_text() != search.name {
        return Err("another name".into());
    }
    let last = search.tried.last().map(|(path, _)| path.clone());
    let Some(by) = &edge.found_by else {
        let there = search.tried.iter().any(|(path, _)| path.exists());
        return if there { Err("the loader tries a file that is there".into()) } else { Ok(()) };
    };
    if graph.nodes[edge.to].path.as_ref().map(|path| path.components().collect::<PathBuf>())
        != last.map(|path| path.components().collect())
    {
        return Err("another file".into());
    }
    let (_, list) = search.tried.last().ok_or("nothing tried")?;
    let owner = |file: &str| by.owner.as_deref() == file.rsplit('/').next();
    let fits = match list {
        // The lens tells the program's own list from that of the objects in between; ld.so names the file.
        List::Rpath(file) => {
            let of_main = file.ends_with("/host");
            owner(file) && by.rule == if of_main { SearchRule::MainRpath } else { SearchRule::Rpath }
        }
        List::Runpath(file) => owner(file) && by.rule == SearchRule::Runpath,
        List::Variable => by.rule == SearchRule::LdLibraryPath,
        List::Cache => by.rule == SearchRule::LdSoCache,
        List::System => by.rule == SearchRule::Default,
    };
    if fits { Ok(()) } else { Err(format!("{by:?}, the loader says {list:?}")) }
}

fn rule_of(graph: &Graph, needed: &str) -> Option<SearchRule> {
    let edge = graph.edges.iter().find(|edge| edge.needed.to_text() == needed);
    edge.and_then(|edge| edge.found_by.as_ref()).map(|by| by.rule)
}

fn main_rpath() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("of_host/liba.so", "a", &[]);
    let extension = lab.library("ext/ext.so", "e", &["@of_host/liba.so"]);
    let host = host(&lab, &[OLD_TAGS, "-Wl,-rpath,$ORIGIN/../of_host"]);
    same(rule_of(&agrees(&lab, &host, &extension)?, "liba.so"), Some(SearchRule::MainRpath))
}

fn main_runpath() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("of_host/liba.so", "a", &[]);
    let extension = lab.library("ext/ext.so", "e", &["@of_host/liba.so"]);
    let host = host(&lab, &[NEW_TAGS, "-Wl,-rpath,$ORIGIN/../of_host"]);
    same(rule_of(&agrees(&lab, &host, &extension)?, "liba.so"), None)
}

/// A DT_RUNPATH of the extension, even one that leads nowhere, shuts the program's DT_RPATH out.
fn own_runpath() -> Result<(), Failed> {
    for (list, expected) in [("$ORIGIN/nothing", None), ("$ORIGIN/own", Some(SearchRule::Runpath))] {
        let lab = Lab::new();
        lab.library("of_host/liba.so", "a", &[]);
        lab.copy("of_host/liba.so", "ext/own/liba.so");
        let list = format!("-Wl,-rpath,{list}");
        let extension = lab.library("ext/ext.so", "e", &["@of_host/liba.so", NEW_TAGS, &list]);
        let host = host(&lab, &[OLD_TAGS, "-Wl,-rpath,$ORIGIN/../of_host"]);
        same(rule_of(&agrees(&lab, &host, &extension)?, "liba.so"), expected)?;
    }
    Ok(())
}

fn own_rpath() -> Result<(), Failed> {
    for (list, expected) in [("$ORIGIN/nothing", SearchRule::MainRpath), ("$ORIGIN/own", SearchRule::Rpath)] {
        let lab = Lab::new();
        lab.library("of_host/liba.so", "a", &[]);
        lab.copy("of_host/liba.so", "ext/own/liba.so");
        let list = format!("-Wl,-rpath,{list}");
        let extension = lab.library("ext/ext.so", "e", &["@of_host/liba.so", OLD_TAGS, &list]);
        let host = host(&lab, &[OLD_TAGS, "-Wl,-rpath,$ORIGIN/../of_host"]);
        same(rule_of(&agrees(&lab, &host, &extension)?, "liba.so"), Some(expected))?;
    }
    Ok(())
}

/// What the program needs is in the process, though the extension alone would find another copy.
fn brought() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("of_host/liba.so", "a", &[]);
    lab.copy("of_host/liba.so", "ext/own/liba.so");
    lab.library("ext/own/libb.so", "b", &["@of_host/liba.so"]);
    let needs = ["@ext/own/liba.so", "@ext/own/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/own"];
    let extension = lab.library("ext/ext.so", "e", &needs);
    let host = host(&lab, &["@of_host/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/../of_host"]);
    let graph = agrees(&lab, &host, &extension)?;
    let edge = graph.edges.iter().find(|edge| edge.needed.to_text() == "liba.so").ok_or("no edge")?;
    same(edge.found_by.as_ref().map(|by| by.rule), Some(SearchRule::AlreadyLoaded))?;
    same(
        graph.nodes[edge.to].path.clone().map(|path| path.canonicalize().ok()),
        Some(Some(lab.path("of_host/liba.so"))),
    )?;
    same(edge.note.as_ref().is_some_and(|note| note.contains("brought by host")), true)
}

fn variable() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.library("env/liba.so", "a", &[]);
    lab.copy("env/liba.so", "of_host/liba.so");
    lab.library("env/libb.so", "b", &[]);
    let extension = lab.library("ext/ext.so", "e", &["@env/liba.so", "@env/libb.so"]);
    let host = host(&lab, &[OLD_TAGS, "-Wl,-rpath,$ORIGIN/../of_host"]);
    // In the variable the token stands for the program's directory.
    lab.library_path = Some("$ORIGIN/../env".into());
    let graph = agrees(&lab, &host, &extension)?;
    same(rule_of(&graph, "liba.so"), Some(SearchRule::MainRpath))?;
    same(rule_of(&graph, "libb.so"), Some(SearchRule::LdLibraryPath))
}

/// Lists of the extension and of what it needs come before the program's, and a missing library ends the load.
fn chain() -> Result<(), Failed> {
    let lab = Lab::new();
    for name in ["liblast", "libgone", "libdeep"] {
        lab.library(&format!("deep/{name}.so"), name, &[]);
    }
    lab.copy("deep/liblast.so", "of_host/liblast.so");
    lab.library("ext/near/libnear.so", "n", &["@deep/libdeep.so", "@deep/liblast.so", "@deep/libgone.so"]);
    let list = "-Wl,-rpath,$ORIGIN/near:$ORIGIN/../deep";
    let extension = lab.library("ext/ext.so", "e", &["@ext/near/libnear.so", OLD_TAGS, list]);
    let host = host(&lab, &[OLD_TAGS, "-Wl,-rpath,$ORIGIN/../of_host"]);
    lab.remove("deep/libgone.so");
    lab.remove("deep/liblast.so");
    let graph = agrees(&lab, &host, &extension)?;
    same(rule_of(&graph, "libdeep.so"), Some(SearchRule::Rpath))?;
    same(rule_of(&graph, "liblast.so"), Some(SearchRule::MainRpath))?;
    same(rule_of(&graph, "libgone.so"), None)
}
