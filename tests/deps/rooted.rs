//! Loads below a sysroot against the loaders themselves, started by chroot(1) in the same tree: each tree has its own loader
//! and libc, copies of this machine's, and glibc's its own cache. Also what only a tree of one's own can show: the files
//! `/etc/ld.so.preload` and `/etc/ld-musl-*.path`.

use crate::Case;
use crate::cases::{NEW_TAGS, OLD_TAGS};
use crate::debug::{List, searches};
use crate::lab::{Found, LOADER, Lab, found, lacks_glibc, parse_trace, rule, same};
use crate::musl;
use libtest_mimic::Failed;
use std::os::unix::fs::symlink;
use std::path::{Component, Path, PathBuf};
use std::process::{Command, Output};
use wheelwright::engine::Context;
use wheelwright::engine::deps::{Graph, LoaderInputs, Placed, resolve};
use wheelwright::engine::report::audit::SearchRule;

pub fn all() -> Vec<Case> {
    let chroot = || {
        let works = Command::new("chroot").args(["/", "true"]).output().is_ok_and(|output| output.status.success());
        (!works).then(|| "only a superuser may change the root directory".to_string())
    };
    let ldconfig = || (!Path::new("/sbin/ldconfig").exists()).then(|| "needs ldconfig".to_string());
    let glibc = || lacks_glibc().or_else(ldconfig).or_else(chroot);
    let of_musl = || musl::lacks_musl().or_else(chroot);
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("sysroot_every_list", glibc(), every_list),
        case("sysroot_links", glibc(), links),
        case("sysroot_without_a_cache", glibc(), no_cache),
        case("sysroot_default_directories_left", glibc(), left),
        case("sysroot_preload_file", glibc(), preload_file),
        case("sysroot_library_as_root", glibc(), library_as_root),
        case("sysroot_musl_path_file", of_musl(), musl_path_file),
        case("sysroot_musl_empty_path_file", of_musl(), musl_empty_path_file),
        case("sysroot_musl_without_path_file", of_musl(), musl_no_path_file),
    ]
}

/// A tree with glibc's loader and libraries in it.
fn glibc_tree() -> Result<Lab, Failed> {
    let lab = Lab::new();
    let of_machine = lab.default_directories();
    let libraries =
        ["libc.so.6", "libm.so.6"].map(|name| of_machine.iter().map(|at| at.join(name)).find(|at| at.exists()));
    for file in libraries.into_iter().flatten().chain([PathBuf::from(LOADER)]) {
        put(&lab, &file)?;
    }
    Ok(lab)
}

/// Copies a file of this machine to the same place in the tree.
fn put(lab: &Lab, file: &Path) -> std::io::Result<()> {
    let to = inside(lab, file);
    std::fs::create_dir_all(to.parent().unwrap_or(&to))?;
    std::fs::copy(file, to).map(drop)
}

fn root(lab: &Lab) -> PathBuf {
    lab.path("root")
}

/// Where a path of the tree lies on this machine.
fn inside(lab: &Lab, path: &Path) -> PathBuf {
    // No `..` leads above the root.
    let ahead = path.components().skip_while(|part| !matches!(part, Component::Normal(_)));
    root(lab).join(ahead.collect::<PathBuf>())
}

/// Writes the cache, with the directories of `conf` in it.
fn cache(lab: &Lab, conf: &str) -> Result<(), Failed> {
    std::fs::create_dir_all(lab.path("root/etc"))?;
    std::fs::write(lab.path("root/etc/ld.so.conf"), conf)?;
    let output = Command::new("/sbin/ldconfig").arg("-i").arg("-r").arg(root(lab)).output()?;
    let made = output.status.success() && lab.path("root/etc/ld.so.cache").exists();
    if made { Ok(()) } else { Err(String::from_utf8_lossy(&output.stderr).into_owned().into()) }
}

fn graph(lab: &Lab, program: &str) -> Result<Graph, Failed> {
    let inputs = LoaderInputs { sysroot: Some(root(lab)), ..LoaderInputs::new(root(lab)) };
    Ok(resolve(&Placed::in_place(&lab.path("root").join(program)), &inputs, &Context::new())?)
}

/// Starts the rest of its words with the loader's variables set; static, as chroot(1) itself is not to be listed.
const STARTER: &str = "#include <stdlib.h>
#include <unistd.h>
int main(int count, char **words) {
    (void)count;
    setenv(\"LD_TRACE_LOADED_OBJECTS\", \"1\", 1);
    setenv(\"LD_DEBUG\", \"libs\", 1);
    return execv(words[1], words + 1);
}\n";

/// What the tree's own loader says of `program`.
fn listing(lab: &Lab, program: &str) -> std::io::Result<Output> {
    lab.object("root/starter", STARTER, &["-static"]);
    let mut command = Command::new("chroot");
    command.arg(root(lab)).args(["/starter", LOADER]).arg(format!("/{program}"));
    command.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD").output()
}

/// A path that ld.so names, as this machine sees it: an absolute link leads into the tree again.
fn seen(lab: &Lab, path: &Path) -> PathBuf {
    let here = inside(lab, path);
    match std::fs::read_link(&here) {
        Ok(target) if target.is_absolute() => inside(lab, &target),
        _ => here,
    }
}

fn as_seen(lab: &Lab, listed: Found) -> Found {
    listed.into_iter().map(|(name, path)| (name, path.map(|path| seen(lab, &path)))).collect()
}

/// ld.so in the tree and the lens find the same, by the same lists.
fn agrees(lab: &Lab, program: &str) -> Result<Graph, Failed> {
    let graph = graph(lab, program)?;
    let output = listing(lab, program)?;
    let truth = parse_trace(&String::from_utf8_lossy(&output.stdout), Path::new("/"));
    if truth.len() < 2 {
        return Err(format!("the loader lists {truth:?}: {}", String::from_utf8_lossy(&output.stderr)).into());
    }
    same(found(&graph), as_seen(lab, truth))?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let mut compared = 0;
    for search in searches(&said) {
        let Some((path, list)) = search.tried.last() else { continue };
        let hit = |by: &SearchRule| match list {
            List::Rpath(_) => *by == SearchRule::Rpath,
            List::Runpath(_) => *by == SearchRule::Runpath,
            List::Variable => *by == SearchRule::LdLibraryPath,
            List::Cache => *by == SearchRule::LdSoCache,
            List::System => *by == SearchRule::Default,
        };
        let edges = graph.edges.iter().filter(|edge| edge.needed.to_text() == search.name);
        let rules: Vec<SearchRule> = edges.filter_map(|edge| edge.found_by.as_ref()).map(|by| by.rule).collect();
        let there = seen(lab, path).exists() && found(&graph).get(&search.name).is_some_and(Option::is_some);
        let preloaded = rules.contains(&SearchRule::LdPreload);
        if there && !preloaded && !rules.iter().any(hit) {
            return Err(format!("{}: the lens says {rules:?}, the loader {list:?}", search.name).into());
        }
        compared += usize::from(there);
    }
    if compared == 0 { Err("no search was compared".into()) } else { Ok(graph) }
}

/// A program with a library for each list, and the same libraries again where only this machine would look.
fn every_list() -> Result<(), Failed> {
    for (tags, run_path) in [(OLD_TAGS, SearchRule::Rpath), (NEW_TAGS, SearchRule::Runpath)] {
        let lab = glibc_tree()?;
        let names =
            ["liborigin.so", "libabsolute.so", "libcached.so", "libdefault.so", "liboutside.so", "libdotted.so"];
        let directories = ["usr/own", "opt/absolute", "opt/cached", "usr/lib", "outside", "opt/dotted"];
        let mut arguments = Vec::new();
        for (name, directory) in names.iter().zip(directories) {
            let at = if directory == "outside" { "outside".to_string() } else { format!("root/{directory}") };
            lab.library(&format!("{at}/{name}"), name.trim_end_matches(".so"), &[]);
            arguments.push(format!("@{at}/{name}"));
        }
        // A default directory is in every cache: what came later is found by the directory itself.
        std::fs::rename(lab.path("root/usr/lib/libdefault.so"), lab.path("later.so"))?;
        cache(&lab, "/opt/cached\n")?;
        std::fs::rename(lab.path("later.so"), lab.path("root/usr/lib/libdefault.so"))?;
        let outside = lab.path("outside").display().to_string();
        let list = format!("-Wl,-rpath,$ORIGIN/../own:/opt/absolute:{outside}:/../../opt/./dotted");
        arguments.extend(["-lm".to_string(), tags.to_string(), list]);
        lab.program("root/usr/bin/p", &arguments.iter().map(String::as_str).collect::<Vec<_>>());
        let graph = agrees(&lab, "usr/bin/p")?;
        let rules = ["liborigin.so", "libabsolute.so", "libcached.so", "libdefault.so", "liboutside.so", "libm.so.6"];
        let expected = [run_path, run_path, SearchRule::LdSoCache, SearchRule::Default].map(Some);
        let expected = expected.into_iter().chain([None, Some(SearchRule::LdSoCache)]).collect::<Vec<_>>();
        same(rules.map(|name| rule(&graph, "p", name)).to_vec(), expected)?;
    }
    Ok(())
}

/// Links that mean another file inside than outside.
fn links() -> Result<(), Failed> {
    let lab = glibc_tree()?;
    for (name, directory) in [("liba.so", "real"), ("libb.so", "real"), ("libc1.so", "real"), ("libgone.so", "gone")] {
        lab.library(&format!("root/{directory}/{name}"), name.trim_end_matches(".so"), &[]);
    }
    std::fs::create_dir_all(lab.path("root/opt/links"))?;
    symlink("/real/liba.so", lab.path("root/opt/links/liba.so"))?;
    symlink("../../../../../real/libb.so", lab.path("root/opt/links/libb.so"))?;
    symlink("../../real/libc1.so", lab.path("root/opt/links/libc1.so"))?;
    // There is such a file, but on this machine only.
    symlink(lab.path("root/gone/libgone.so"), lab.path("root/opt/links/libgone.so"))?;
    cache(&lab, "")?;
    let all = ["liba.so", "libb.so", "libc1.so"].map(|name| format!("@root/real/{name}"));
    let all: Vec<&str> =
        all.iter().map(String::as_str).chain(["@root/gone/libgone.so", NEW_TAGS, "-Wl,-rpath,/opt/links"]).collect();
    lab.program("root/bin/p", &all);
    let graph = graph(&lab, "bin/p")?;
    let output = listing(&lab, "bin/p")?;
    let truth = parse_trace(&String::from_utf8_lossy(&output.stdout), Path::new("/"));
    let real = |path: &PathBuf| path.canonicalize().ok();
    for (name, ours) in found(&graph).iter().filter(|(name, _)| name.starts_with("lib") && !name.contains(".so.")) {
        let theirs = truth.get(name).ok_or("not listed")?;
        same((name, ours.is_some()), (name, theirs.is_some()))?;
        let expected = ours.as_ref().map(|_| lab.path("root/real").join(name));
        same(ours.as_ref().and_then(real), expected)?;
    }
    same(rule(&graph, "p", "libgone.so"), None)
}

/// Without a cache ld.so has its default directories; the lens adds those of `ld.so.conf`, and says so by their own rule.
fn no_cache() -> Result<(), Failed> {
    let lab = glibc_tree()?;
    lab.library("root/usr/lib/liba.so", "a", &[]);
    let program = ["@root/usr/lib/liba.so", "-lm"];
    lab.program("root/bin/p", &program);
    let graph = agrees(&lab, "bin/p")?;
    same(rule(&graph, "p", "liba.so"), Some(SearchRule::Default))
}

/// `nodefaultlib` with a cache: entries of the default directories are left, the others taken.
fn left() -> Result<(), Failed> {
    let lab = glibc_tree()?;
    lab.library("root/opt/cached/liba.so", "a", &[]);
    cache(&lab, "/opt/cached\n")?;
    lab.program("root/bin/p", &["@root/opt/cached/liba.so", "-lm", "-Wl,-z,nodefaultlib"]);
    let graph = agrees(&lab, "bin/p")?;
    same(rule(&graph, "p", "liba.so"), Some(SearchRule::LdSoCache))?;
    same(rule(&graph, "p", "libm.so.6"), None)
}

fn preload_file() -> Result<(), Failed> {
    let lab = glibc_tree()?;
    lab.library("root/opt/first/liba.so", "a", &[]);
    lab.copy("root/opt/first/liba.so", "root/opt/run/liba.so");
    lab.library("root/opt/cached/libb.so", "b", &[]);
    cache(&lab, "/opt/cached\n")?;
    std::fs::write(lab.path("root/etc/ld.so.preload"), "# first of all\n/opt/first/liba.so:libb.so\t libnone.so\n")?;
    lab.program("root/bin/p", &["@root/opt/run/liba.so", NEW_TAGS, "-Wl,-rpath,/opt/run"]);
    let graph = graph(&lab, "bin/p")?;
    let output = listing(&lab, "bin/p")?;
    let truth = parse_trace(&String::from_utf8_lossy(&output.stdout), Path::new("/"));
    // ld.so warns of the missing one and leaves it out of its list.
    let mut ours = found(&graph);
    same(ours.remove("libnone.so"), Some(None))?;
    same(String::from_utf8_lossy(&output.stderr).contains("libnone.so"), true)?;
    same(ours, as_seen(&lab, truth))?;
    let preloaded =
        graph.edges.iter().filter(|edge| edge.note.as_ref().is_some_and(|note| note.contains("ld.so.preload")));
    same(preloaded.count(), 3)?;
    same(graph.nodes.iter().any(|node| node.path == Some(lab.path("root/opt/run/liba.so"))), false)
}

fn library_as_root() -> Result<(), Failed> {
    let lab = glibc_tree()?;
    lab.library("root/opt/own/liba.so", "a", &[]);
    cache(&lab, "")?;
    lab.library("root/opt/libroot.so", "r", &["@root/opt/own/liba.so", "-lm", NEW_TAGS, "-Wl,-rpath,$ORIGIN/own"]);
    agrees(&lab, "opt/libroot.so").map(drop)
}

/// A tree with musl's loader, and two libraries in directories that no loader knows by itself.
fn musl_tree(path_file: Option<&str>) -> Result<Lab, Failed> {
    let lab = musl::lab();
    put(&lab, Path::new(musl::LOADER))?;
    for (name, directory) in
        [("liba.so", "opt/one"), ("libb.so", "opt/two"), ("libc1.so", "lib"), ("libd.so", "usr/lib")]
    {
        lab.library(&format!("root/{directory}/{name}"), name.trim_end_matches(".so"), &[]);
    }
    let needs = ["@root/opt/one/liba.so", "@root/opt/two/libb.so", "@root/lib/libc1.so", "@root/usr/lib/libd.so"];
    lab.program("root/bin/p", &needs);
    if let Some(text) = path_file {
        std::fs::create_dir_all(lab.path("root/etc"))?;
        std::fs::write(lab.path("root/etc/ld-musl-x86_64.path"), text)?;
    }
    Ok(lab)
}

fn musl_agrees(lab: &Lab) -> Result<Graph, Failed> {
    let graph = graph(lab, "bin/p")?;
    let mut command = Command::new("chroot");
    command.arg(root(lab)).args([musl::LOADER, "--list", "/bin/p"]);
    let output = command.env_remove("LD_LIBRARY_PATH").env_remove("LD_PRELOAD").output()?;
    same(found(&graph), as_seen(lab, musl::parse(&output, Path::new("/"))))?;
    Ok(graph)
}

fn musl_path_file() -> Result<(), Failed> {
    for text in ["/opt/one\n/opt/two\n", "/opt/two:/opt/one", "\n\n/opt/one:\n:/nowhere", "/opt/one:/lib:/usr/lib"] {
        let graph = musl_agrees(&musl_tree(Some(text))?)?;
        same(rule(&graph, "p", "liba.so"), Some(SearchRule::MuslPath))?;
    }
    Ok(())
}

/// The file counts though there is nothing in it: no directory is left.
fn musl_empty_path_file() -> Result<(), Failed> {
    let graph = musl_agrees(&musl_tree(Some(""))?)?;
    same(rule(&graph, "p", "libc1.so"), None)
}

fn musl_no_path_file() -> Result<(), Failed> {
    let graph = musl_agrees(&musl_tree(None)?)?;
    same(rule(&graph, "p", "libd.so"), Some(SearchRule::Default))?;
    same(rule(&graph, "p", "liba.so"), None)
}
