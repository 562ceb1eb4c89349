//! The note "works only by load order": it must stand exactly where ld.so itself finds nothing, or another file, once the
//! sibling that brought the library is absent.

use crate::Case;
use crate::cases::{NEW_TAGS, OLD_TAGS};
use crate::lab::{Lab, found, lacks_glibc, rule, same};
use libtest_mimic::Failed;
use std::path::{Path, PathBuf};
use wheelwright::engine::report::audit::SearchRule;

/// Builds a program that needs `libask.so`, which needs `libb.so`. With the sibling, `libb.so` is loaded before for another.
type Layout = fn(&mut Lab, Sibling) -> PathBuf;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Sibling {
    Present,
    Absent,
}

macro_rules! table {
    ($($layout:ident of $name:literal),* $(,)?) => {
        vec![$(Case {
            name: concat!("load_order_", stringify!($layout)),
            lacking: lacks_glibc(),
            run: || check($layout, $name),
        },)*]
    };
}

pub fn all() -> Vec<Case> {
    table![
        without_any_list of "libb.so",
        with_a_list_of_its_own of "libb.so",
        with_an_empty_list_of_its_own of "libb.so",
        with_another_copy_first of "libb.so",
        with_a_link_to_the_same_file of "libb.so",
        with_the_programs_rpath of "libb.so",
        with_the_programs_runpath of "libb.so",
        with_the_parents_rpath of "libb.so",
        with_the_variable of "libb.so",
        without_default_directories of "libm.so.6",
        with_a_preload of "libb.so",
    ]
}

fn check(layout: Layout, name: &str) -> Result<(), Failed> {
    let mut alone = Lab::new();
    let program = layout(&mut alone, Sibling::Absent);
    let own = found(&alone.agrees(&program)?)[name].clone();
    let mut lab = Lab::new();
    let program = layout(&mut lab, Sibling::Present);
    let graph = lab.agrees(&program)?;
    same(rule(&graph, "libask.so", name), Some(SearchRule::AlreadyLoaded))?;
    let asked = |name: &str| graph.nodes.iter().position(|node| node.name.to_text() == name);
    let asker = asked("libask.so").ok_or("no libask.so")?;
    let edge = graph.edges.iter().find(|edge| edge.from == asker && edge.needed.to_text() == name);
    let edge = edge.ok_or("libask.so does not ask for it")?;
    let by_itself = own.as_ref().map(|path| file(&alone, path));
    let loaded = graph.nodes[edge.to].path.as_ref().map(|path| file(&lab, path));
    let by_order = edge.note.as_ref().is_some_and(|note| note.contains("works only by load order"));
    if by_order == (by_itself != loaded) {
        return Ok(());
    }
    Err(format!("loaded {loaded:?}, alone ld.so finds {by_itself:?}, the note is {:?}", edge.note).into())
}

/// The real file; two labs differ in their directory only.
fn file(lab: &Lab, path: &Path) -> PathBuf {
    let real = path.canonicalize().unwrap_or_else(|_| path.to_path_buf());
    real.strip_prefix(lab.path("")).map(PathBuf::from).unwrap_or(real)
}

/// The program, its sibling before the asker if it is there.
fn program(lab: &Lab, sibling: Sibling, arguments: &[&str]) -> PathBuf {
    let asker = "@ask/libask.so";
    let first = ["@side/libside.so", asker];
    let needs: &[&str] = if sibling == Sibling::Present { &first } else { &first[1..] };
    lab.program("p", &needs.iter().chain(arguments).copied().collect::<Vec<_>>())
}

/// `libb.so`, a sibling that finds it by itself, and the asker built with `arguments`. `libb.so` of the sibling must be loaded
/// before the asker's request, which it is, breadth first, if the sibling stands first.
fn libraries(lab: &Lab, arguments: &[&str]) {
    lab.library("b/libb.so", "b", &[]);
    lab.library("side/libside.so", "s", &["@b/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/../b"]);
    let arguments: Vec<&str> = ["@b/libb.so"].into_iter().chain(arguments.iter().copied()).collect();
    lab.library("ask/libask.so", "k", &arguments);
}

const NEAR: &str = "-Wl,-rpath,$ORIGIN/side:$ORIGIN/ask";
const NEAR_AND_B: &str = "-Wl,-rpath,$ORIGIN/side:$ORIGIN/ask:$ORIGIN/b";

fn without_any_list(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[]);
    program(lab, sibling, &[NEW_TAGS, NEAR])
}

fn with_a_list_of_its_own(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[NEW_TAGS, "-Wl,-rpath,$ORIGIN/../b"]);
    program(lab, sibling, &[NEW_TAGS, NEAR])
}

/// Its DT_RUNPATH shuts the program's DT_RPATH out.
fn with_an_empty_list_of_its_own(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[NEW_TAGS, "-Wl,-rpath,/nowhere"]);
    program(lab, sibling, &[OLD_TAGS, NEAR_AND_B])
}

fn with_another_copy_first(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[NEW_TAGS, "-Wl,-rpath,$ORIGIN/own:$ORIGIN/../b"]);
    lab.copy("b/libb.so", "ask/own/libb.so");
    program(lab, sibling, &[NEW_TAGS, NEAR])
}

fn with_a_link_to_the_same_file(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[NEW_TAGS, "-Wl,-rpath,$ORIGIN/own"]);
    std::fs::create_dir(lab.path("ask/own")).expect("made");
    std::os::unix::fs::symlink("../../b/libb.so", lab.path("ask/own/libb.so")).expect("linked");
    program(lab, sibling, &[NEW_TAGS, NEAR])
}

fn with_the_programs_rpath(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[]);
    program(lab, sibling, &[OLD_TAGS, NEAR_AND_B])
}

fn with_the_programs_runpath(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[]);
    program(lab, sibling, &[NEW_TAGS, NEAR_AND_B])
}

/// The asker is one deeper, and who needs it has a DT_RPATH.
fn with_the_parents_rpath(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[]);
    lab.library("mid/libmid.so", "m", &["@ask/libask.so", OLD_TAGS, "-Wl,-rpath,$ORIGIN/../ask:$ORIGIN/../b"]);
    let all = ["@side/libside.so", "@mid/libmid.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/side:$ORIGIN/mid"];
    lab.program("p", if sibling == Sibling::Present { &all } else { &all[1..] })
}

fn with_the_variable(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[]);
    lab.library_path = Some("b".into());
    program(lab, sibling, &[NEW_TAGS, NEAR])
}

/// The library is one of the system's, where the asker is not to look.
fn without_default_directories(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    lab.library("side/libside.so", "s", &["-lm"]);
    lab.library("ask/libask.so", "k", &["-lm", "-nostdlib", "-Wl,-z,nodefaultlib"]);
    program(lab, sibling, &[NEW_TAGS, NEAR])
}

fn with_a_preload(lab: &mut Lab, sibling: Sibling) -> PathBuf {
    libraries(lab, &[]);
    if sibling == Sibling::Present {
        lab.preload = Some(lab.path("b/libb.so").into());
    }
    lab.program("p", &["@ask/libask.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/ask"])
}
