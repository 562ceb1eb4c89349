//! The forms that names, entries and variables come in, and what else a load meets: preloading, links, files that are no
//! libraries, the cache.

use crate::Case;
use crate::cases::{NEW_TAGS, OLD_TAGS};
use crate::lab::{Lab, found, found_by, lacks_glibc, rule, same};
use libtest_mimic::Failed;
use std::process::Command;
use wheelwright::engine::Context;
use wheelwright::engine::deps::{LoaderCache, NodeKind, Placed, crate_tree, resolve};
use wheelwright::engine::report::audit::{NodeRole, SearchRule};

pub fn all() -> Vec<Case> {
    let glibc = lacks_glibc;
    let ldconfig = || (!std::path::Path::new("/sbin/ldconfig").exists()).then(|| "needs ldconfig".to_string());
    let case = |name, lacking, run| Case { name, lacking, run };
    vec![
        case("an_empty_entry_is_the_working_directory", glibc(), empty_entry),
        case("a_name_with_a_slash_is_a_path", glibc(), slash),
        case("a_path_with_a_token_is_each_requesters_own", glibc(), slash_with_token),
        case("rpath_is_ignored_beside_runpath", glibc(), both_tags),
        case("an_ancestor_with_runpath_gives_no_rpath", glibc(), ancestor_with_runpath),
        case("the_variable_takes_semicolons_tokens_and_empty_entries", glibc(), variable_forms),
        case("preloaded_libraries_come_first", glibc(), preload),
        case("two_names_of_one_file_are_one_object", glibc(), one_inode),
        case("a_file_that_is_no_library_ends_the_search", glibc(), no_library),
        case("a_program_started_through_a_link", glibc(), program_link),
        case("a_missing_library_keeps_its_candidates", glibc(), missing),
        case("staged_elsewhere_origin_is_the_own_path", glibc(), staged),
        case("a_library_of_the_cache_alone", ldconfig().or_else(glibc), cache_only),
        case("the_cache_as_ldconfig_prints_it", ldconfig(), cache_as_printed),
    ]
}

fn empty_entry() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.library("here/liba.so", "a", &[]);
    let program = lab.program("p", &["@here/liba.so", NEW_TAGS, "-Wl,-rpath,/nowhere::$ORIGIN/elsewhere"]);
    same(found(&lab.agrees(&program)?)["liba.so"].clone(), None)?;
    lab.working_directory = lab.path("here");
    let by = found_by(&lab.agrees(&program)?, "p", "liba.so").ok_or("not found")?;
    same(by.entry.as_deref(), Some(""))
}

fn slash() -> Result<(), Failed> {
    let mut lab = Lab::new();
    // Without a SONAME the linker writes the path that it was given.
    let source = "int a(void) { return 1; }\n";
    lab.object("sub/liba.so", source, &["-shared", "-fPIC"]);
    lab.object("sub/libabsolute.so", source, &["-shared", "-fPIC"]);
    let program = lab.program("p", &["sub/liba.so", "@sub/libabsolute.so"]);
    let graph = lab.agrees(&program)?;
    same(rule(&graph, "p", "sub/liba.so"), Some(SearchRule::Relative))?;
    let absolute = lab.path("sub/libabsolute.so").display().to_string();
    same(rule(&graph, "p", &absolute), Some(SearchRule::Absolute))?;
    lab.working_directory = lab.path("sub");
    same(found(&lab.agrees(&program)?)["sub/liba.so"].clone(), None)
}

/// The linker writes one of the two tags only; the program gets the other by changing a spare dynamic entry.
fn with_both_tags(lab: &Lab, name: &str, arguments: &[&str], rpath: &str) -> Result<std::path::PathBuf, Failed> {
    let soname = format!("-Wl,-soname,{rpath}");
    let arguments: Vec<&str> = arguments.iter().copied().chain([NEW_TAGS, &soname]).collect();
    let path = lab.program(name, &arguments);
    let mut bytes = std::fs::read(&path)?;
    // DT_SONAME (14) becomes DT_RPATH (15): both hold an offset in the string table.
    let source = wheelwright::engine::file::MemoryBytes::new(path.clone(), bytes.clone());
    let tables = wheelwright::engine::binary::elf::Tables::read(&source)?;
    let index = tables.dynamic.iter().position(|entry| entry.d_tag == 14).ok_or("no DT_SONAME")?;
    let at = tables.dynamic_range.ok_or("no dynamic section")?.0 as usize + index * 16;
    bytes[at] = 15;
    std::fs::write(&path, bytes)?;
    Ok(path)
}

fn both_tags() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("rpath/liba.so", "a", &[]);
    lab.copy("rpath/liba.so", "runpath/liba.so");
    let program =
        with_both_tags(&lab, "p", &["-shared", "@rpath/liba.so", "-Wl,-rpath,$ORIGIN/runpath"], "$ORIGIN/rpath");
    // Only an executable can be started, and only a library gets a DT_SONAME: a library is asked for through a program.
    let library = program?;
    let named = lab.path("libp.so");
    std::fs::rename(library, &named)?;
    let main = lab.program("main", &["@libp.so", OLD_TAGS, "-Wl,-rpath,$ORIGIN"]);
    let graph = lab.agrees(&main)?;
    let asker = graph.nodes.iter().find(|node| node.name.to_text().ends_with("libp.so")).ok_or("no libp.so")?;
    let by = found_by(&graph, &asker.name.to_text(), "liba.so").ok_or("not found")?;
    same((by.rule, by.entry.as_deref()), (SearchRule::Runpath, Some("$ORIGIN/runpath")))
}

fn ancestor_with_runpath() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("deep/libc1.so", "c1", &[]);
    lab.library("mid/libb1.so", "b1", &["@deep/libc1.so"]);
    lab.library("near/liba.so", "a", &["@mid/libb1.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/../mid:$ORIGIN/../deep"]);
    let far = lab.program("far", &["@near/liba.so", OLD_TAGS, "-Wl,-rpath,$ORIGIN/near"]);
    same(found(&lab.agrees(&far)?)["libc1.so"].clone(), None)?;
    // The root's RPATH still counts past an ancestor with a RUNPATH.
    let reach = lab.program("reach", &["@near/liba.so", OLD_TAGS, "-Wl,-rpath,$ORIGIN/near:$ORIGIN/deep"]);
    let by = found_by(&lab.agrees(&reach)?, "libb1.so", "libc1.so").ok_or("not found")?;
    same(by.owner.as_deref(), Some("reach"))
}

fn variable_forms() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.library("env/liba.so", "a", &[]);
    let program = lab.program("p", &["@env/liba.so"]);
    for (value, finds) in
        [("/nowhere;env//", true), ("$ORIGIN/env", true), ("", false), (":", false), ("$ORIGINAL", false)]
    {
        lab.library_path = Some(value.into());
        same(found(&lab.agrees(&program)?)["liba.so"].is_some(), finds)?;
    }
    lab.working_directory = lab.path("env");
    lab.library_path = Some("/nowhere:".into());
    same(found(&lab.agrees(&program)?)["liba.so"].is_some(), true)
}

fn preload() -> Result<(), Failed> {
    let mut lab = Lab::new();
    lab.library("one/liba.so", "a", &[]);
    lab.copy("one/liba.so", "two/liba.so");
    let program = lab.program("p", &["@one/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/one"]);
    lab.preload = Some(format!("{} libnowhere.so", lab.path("two/liba.so").display()).into());
    let graph = lab.agrees(&program)?;
    same(graph.edges[0].found_by.as_ref().map(|by| by.rule), Some(SearchRule::LdPreload))?;
    same(rule(&graph, "p", "liba.so"), Some(SearchRule::AlreadyLoaded))
}

fn one_inode() -> Result<(), Failed> {
    let lab = Lab::new();
    let source = "int a(void) { return 1; }\n";
    lab.object("lib/liba.so", source, &["-shared", "-fPIC", "-Wl,-soname,libone.so"]);
    lab.object("lib/libb.so", source, &["-shared", "-fPIC", "-Wl,-soname,libtwo.so"]);
    let program = lab.program("p", &["@lib/liba.so", "@lib/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/lib"]);
    std::fs::rename(lab.path("lib/liba.so"), lab.path("lib/libone.so"))?;
    std::os::unix::fs::symlink("libone.so", lab.path("lib/libtwo.so"))?;
    let graph = lab.agrees(&program)?;
    let to: Vec<usize> = graph
        .edges
        .iter()
        .filter(|edge| edge.from == 0 && edge.needed.to_text() != "libc.so.6")
        .map(|edge| edge.to)
        .collect();
    same(to.len(), 2)?;
    same(to[0], to[1])
}

fn no_library() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("good/liba.so", "a", &[]);
    let program = lab.program("p", &["@good/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/bad:$ORIGIN/good"]);
    std::fs::create_dir(lab.path("bad"))?;
    for content in ["", "short", "INPUT ( libreal.so ) /* a linker script, longer than the header of an ELF file */\n"]
    {
        std::fs::write(lab.path("bad/liba.so"), content)?;
        let output = Command::new(&program).output()?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let graph = lab.agrees(&program)?;
        let edge = graph.edges.iter().find(|edge| edge.needed.to_text() == "liba.so").ok_or("no edge")?;
        let message = edge.gave_up.clone().ok_or("the lens went on")?;
        if output.status.success() || !said.contains(&message) {
            return Err(format!("the loader says {said:?}, the lens {message:?}").into());
        }
    }
    Ok(())
}

/// The same literal name means another file for each requester.
fn slash_with_token() -> Result<(), Failed> {
    let lab = Lab::new();
    for side in ["left", "right"] {
        lab.object(
            &format!("{side}/own.so"),
            "int o(void) { return 1; }\n",
            &["-shared", "-fPIC", "-Wl,-soname,$ORIGIN/own.so"],
        );
        let own = format!("@{side}/own.so");
        lab.library(&format!("{side}/lib{side}.so"), side, &[&own]);
    }
    let program = lab
        .program("p", &["@left/libleft.so", "@right/libright.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/left:$ORIGIN/right"]);
    let graph = lab.agrees(&program)?;
    let path_for = |from: &str| {
        let edge = graph
            .edges
            .iter()
            .find(|edge| graph.nodes[edge.from].name.to_text() == from && edge.needed.to_text() == "$ORIGIN/own.so");
        edge.and_then(|edge| graph.nodes[edge.to].path.clone())
    };
    same(path_for("libleft.so"), Some(lab.path("left/own.so")))?;
    same(path_for("libright.so"), Some(lab.path("right/own.so")))
}

fn program_link() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("real/liba.so", "a", &[]);
    lab.program("real/p", &["@real/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN"]);
    std::os::unix::fs::symlink("real/p", lab.path("link"))?;
    same(found(&lab.agrees(&lab.path("link"))?)["liba.so"].clone(), Some(lab.path("real/liba.so")))
}

fn missing() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("gone/liba.so", "a", &[]);
    let program = lab.program("p", &["@gone/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/x:/no/such/directory"]);
    lab.remove("gone/liba.so");
    let mut inputs = lab.inputs();
    inputs.extra_paths = vec!["extra".into()];
    inputs.linked_paths = vec![lab.path("linked")];
    let placed = Placed::in_place(&program);
    let graph = resolve(&placed, &inputs, &Context::new())?;
    let edge = graph.edges.iter().find(|edge| edge.needed.to_text() == "liba.so").ok_or("no edge")?;
    same(graph.nodes[edge.to].kind, NodeKind::Missing)?;
    let tree = graph.to_tree(&|_| NodeRole::Allowed);
    let roles = ["p", "liba.so", "libc.so.6", "ld-linux-x86-64.so.2"].map(|name| {
        let node = tree.nodes.iter().find(|node| node.name == name);
        node.map(|node| (node.role, node.path.is_some()))
    });
    use NodeRole::{Allowed, Interpreter, Missing, Root};
    same(roles, [(Root, true), (Missing, false), (Allowed, true), (Interpreter, true)].map(Some))?;
    let tried: Vec<_> = edge.candidates.iter().map(|tried| (tried.rule, tried.path.clone())).collect();
    same(tried.first().cloned(), Some((SearchRule::Runpath, lab.path("x/liba.so"))))?;
    same(tried.get(1).cloned(), Some((SearchRule::Runpath, "/no/such/directory/liba.so".into())))?;
    let last =
        vec![(SearchRule::LdPath, lab.path("extra/liba.so")), (SearchRule::LinkedPath, lab.path("linked/liba.so"))];
    same(tried[tried.len() - 2..].to_vec(), last)?;
    // The default directories are those that the loader prints of itself.
    let help = Command::new(crate::lab::LOADER).arg("--help").output()?;
    let help = String::from_utf8_lossy(&help.stdout).into_owned();
    let printed: Vec<String> = help
        .lines()
        .filter_map(|line| line.trim().strip_suffix(" (system search path)").map(|path| format!("{path}/liba.so")))
        .collect();
    let defaults = tried.iter().filter(|(rule, _)| *rule == SearchRule::Default);
    let defaults: Vec<String> = defaults.map(|(_, path)| path.display().to_string()).collect();
    if printed.is_empty() { Ok(()) } else { same(defaults, printed) }
}

fn staged() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("target/lib/liba.so", "a", &[]);
    let own = lab.library("target/libext.so", "e", &["@target/lib/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/lib"]);
    let staged = lab.path("staging/libext.so");
    std::fs::create_dir(lab.path("staging"))?;
    std::fs::rename(&own, &staged)?;
    let placed = Placed { read_from: &staged, loaded_as: &own };
    let graph = resolve(&placed, &lab.inputs(), &Context::new())?;
    same(found(&graph)["liba.so"].clone(), Some(lab.path("target/lib/liba.so")))?;
    same(graph.nodes[0].path.clone(), Some(own.clone()))?;
    let tree = crate_tree(&placed, &[])?;
    same(tree.libraries["liba.so"].realpath.clone(), Some(lab.path("target/lib/liba.so")))
}

fn cache_only() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("cached/libonlycached.so.1", "a", &[]);
    let program = lab.program("p", &["@cached/libonlycached.so.1"]);
    same(found(&lab.agrees(&program)?)["libonlycached.so.1"].clone(), None)?;
    let mut inputs = lab.inputs();
    inputs.cache_file = make_cache(&lab)?;
    let placed = Placed::in_place(&program);
    let graph = resolve(&placed, &inputs, &Context::new())?;
    same(rule(&graph, "p", "libonlycached.so.1"), Some(SearchRule::LdSoCache))?;
    same(found(&graph)["libonlycached.so.1"].clone(), Some(lab.path("cached/libonlycached.so.1")))
}

fn make_cache(lab: &Lab) -> Result<std::path::PathBuf, Failed> {
    let (cache, configuration) = (lab.path("cache"), lab.path("conf"));
    std::fs::write(&configuration, format!("{}\n", lab.path("cached").display()))?;
    let status =
        Command::new("/sbin/ldconfig").arg("-X").arg("-C").arg(&cache).arg("-f").arg(&configuration).status()?;
    if status.success() { Ok(cache) } else { Err("ldconfig failed".into()) }
}

fn cache_as_printed() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("cached/libonlycached.so.1", "a", &[]);
    lab.copy("cached/libonlycached.so.1", "cached/glibc-hwcaps/x86-64-v2/libonlycached.so.1");
    let cache = make_cache(&lab)?;
    let printed = Command::new("/sbin/ldconfig").arg("-p").arg("-C").arg(&cache).output()?;
    let printed = String::from_utf8_lossy(&printed.stdout).into_owned();
    let lines = printed.lines().filter_map(|line| line.strip_prefix('\t')?.split_once(" => "));
    let mut expected: Vec<(String, String)> =
        lines.map(|(name, path)| (name.split(" (").next().unwrap_or_default().to_string(), path.to_string())).collect();
    let read = LoaderCache::read(&cache)?;
    let ours = read
        .entries()
        .map(|(name, entry)| (String::from_utf8_lossy(name).into_owned(), entry.path.display().to_string()));
    let mut ours: Vec<(String, String)> = ours.collect();
    ours.sort();
    expected.sort();
    same(expected.len() > 1, true)?;
    same(ours, expected)?;
    let found =
        |levels: &[String]| read.lookup(b"libonlycached.so.1", 0x0303, levels).map(|entry| entry.hwcaps.clone());
    same(found(&[]), Some(None))?;
    same(found(&["x86-64-v3".into(), "x86-64-v2".into()]), Some(Some("x86-64-v2".into())))
}
