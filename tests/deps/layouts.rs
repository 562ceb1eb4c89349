//! One table of layouts, each built for glibc and for musl, with DT_RPATH and with DT_RUNPATH, and shown to both loaders: what
//! one finds and the other doesn't must be found and not found by the lens too.

use crate::Case;
use crate::cases::{NEW_TAGS, OLD_TAGS};
use crate::lab::Lab;
use crate::musl;
use libtest_mimic::Failed;
use std::path::PathBuf;

/// Builds a layout in an empty lab, with the given linker option for run paths, and returns what to load.
pub type Layout = fn(&mut Lab, &'static str) -> PathBuf;

/// The cases of a table of layouts, each for both loaders.
macro_rules! table {
    ($($layout:ident),* $(,)?) => {
        vec![$(
            Case {
                name: concat!("glibc_", stringify!($layout)),
                lacking: crate::lab::lacks_glibc(),
                run: || crate::layouts::on_glibc($layout),
            },
            Case {
                name: concat!("musl_", stringify!($layout)),
                lacking: crate::musl::lacks_musl(),
                run: || crate::layouts::on_musl($layout),
            },
        )*]
    };
}

pub(crate) use table;

pub fn all() -> Vec<Case> {
    table![
        entries_around_colons,
        entries_that_are_relative,
        entries_that_mean_one_directory,
        variable_with_empty_entries,
        variable_with_semicolons,
        variable_with_origin,
        variable_with_another_token,
        variable_that_repeats_a_run_path,
        lib_token,
        platform_token,
        unknown_token,
        run_path_of_the_grandparent,
        chain_stopped_in_the_middle,
        own_run_path_and_the_parents,
        library_without_default_directories,
        link_on_the_way,
        dangling_link,
        linked_in_a_loop,
        hard_links,
        one_soname_twice,
        needed_in_a_circle,
        needed_twice,
        no_soname,
        found_by_load_order_only,
        two_hundred_deep,
        preloaded_by_path,
        preloaded_by_name,
        library_as_root,
        library_as_root_by_variable,
    ]
}

pub fn on_glibc(layout: Layout) -> Result<(), Failed> {
    for tags in [OLD_TAGS, NEW_TAGS] {
        let mut lab = Lab::new();
        let root = layout(&mut lab, tags);
        lab.agrees(&root).map_err(|why| Failed::from(format!("{tags}: {}", why.message().unwrap_or_default())))?;
    }
    Ok(())
}

pub fn on_musl(layout: Layout) -> Result<(), Failed> {
    for tags in [OLD_TAGS, NEW_TAGS] {
        let mut lab = musl::lab();
        let root = layout(&mut lab, tags);
        musl::agrees(&lab, &root)
            .map_err(|why| Failed::from(format!("{tags}: {}", why.message().unwrap_or_default())))?;
    }
    Ok(())
}

/// A library in each of the directories, all needed by the program `p` whose run path is `entries`.
pub fn program(lab: &Lab, tags: &str, directories: &[&str], entries: &str) -> PathBuf {
    let mut arguments = Vec::new();
    for (index, directory) in directories.iter().enumerate() {
        let name = format!("{directory}/lib{index}.so");
        lab.library(&name, &format!("f{index}"), &[]);
        arguments.push(format!("@{name}"));
    }
    arguments.push(tags.to_string());
    if !entries.is_empty() {
        arguments.push(format!("-Wl,-rpath,{entries}"));
    }
    lab.program("p", &arguments.iter().map(String::as_str).collect::<Vec<_>>())
}

fn entries_around_colons(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.working_directory = lab.path("here");
    program(lab, tags, &["lib", "here", "other"], ":/nowhere::$ORIGIN/lib:")
}

fn entries_that_are_relative(lab: &mut Lab, tags: &'static str) -> PathBuf {
    program(lab, tags, &["lib", "sub/dir", "lib/deep"], "lib:./sub/dir:sub/../lib/deep")
}

fn entries_that_mean_one_directory(lab: &mut Lab, tags: &'static str) -> PathBuf {
    program(lab, tags, &["lib", "more"], "$ORIGIN/lib:$ORIGIN/lib//:${ORIGIN}/lib/../lib:$ORIGIN/more/:/")
}

fn variable_with_empty_entries(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.working_directory = lab.path("here");
    lab.library_path = Some(format!(":/nowhere::{}:", lab.path("env").display()).into());
    program(lab, tags, &["here", "env", "run"], "$ORIGIN/run")
}

fn variable_with_semicolons(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library_path = Some("one;two:three;;".into());
    program(lab, tags, &["one", "two", "three", "run"], "$ORIGIN/run")
}

fn variable_with_origin(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library_path = Some("$ORIGIN/env:${ORIGIN}/more:$ORIGINAL".into());
    program(lab, tags, &["env", "more", "run"], "$ORIGIN/run")
}

fn variable_with_another_token(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library_path = Some("$ORIGIN/${LIB}:$ORIGIN/env".into());
    program(lab, tags, &["lib/x86_64-linux-gnu", "env"], "/nowhere")
}

fn variable_that_repeats_a_run_path(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library_path = Some(format!("{}:{}", lab.path("env").display(), lab.path("run").display()).into());
    let root = program(lab, tags, &["run", "env"], "$ORIGIN/run:/usr/lib/x86_64-linux-gnu:$ORIGIN/env");
    lab.copy("env/lib1.so", "run/lib1.so");
    root
}

fn lib_token(lab: &mut Lab, tags: &'static str) -> PathBuf {
    program(lab, tags, &["lib/x86_64-linux-gnu", "lib64", "lib"], "$ORIGIN/$LIB:$ORIGIN/${LIB}/../../lib64")
}

fn platform_token(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let root = program(lab, tags, &["haswell", "run"], "$ORIGIN/$PLATFORM:$ORIGIN/run");
    lab.copy("haswell/lib0.so", "x86_64/lib0.so");
    lab.copy("haswell/lib0.so", "xeon_phi/lib0.so");
    root
}

fn unknown_token(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library_path = Some("$HOME/env".into());
    program(lab, tags, &["$HOME/env", "$NAME"], "$NAME")
}

fn three_deep(lab: &Lab, of_middle: &[&str], of_root: &[&str]) -> PathBuf {
    lab.library("deep/libdeep.so", "d", &[]);
    lab.library("mid/libmid.so", "m", &["@deep/libdeep.so"]);
    let arguments: Vec<&str> = ["@mid/libmid.so"].into_iter().chain(of_middle.iter().copied()).collect();
    lab.library("near/libnear.so", "n", &arguments);
    let arguments: Vec<&str> = ["@near/libnear.so"].into_iter().chain(of_root.iter().copied()).collect();
    lab.program("p", &arguments)
}

fn run_path_of_the_grandparent(lab: &mut Lab, tags: &'static str) -> PathBuf {
    three_deep(lab, &[tags, "-Wl,-rpath,$ORIGIN/../mid"], &[tags, "-Wl,-rpath,$ORIGIN/near:$ORIGIN/deep"])
}

fn chain_stopped_in_the_middle(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let all = "-Wl,-rpath,$ORIGIN/near:$ORIGIN/mid:$ORIGIN/deep";
    three_deep(lab, &[NEW_TAGS, "-Wl,-rpath,$ORIGIN/../nothing"], &[tags, all])
}

fn own_run_path_and_the_parents(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("second/libdeep.so", "d", &[]);
    let root = three_deep(
        lab,
        &[tags, "-Wl,-rpath,$ORIGIN/../mid:$ORIGIN/../second"],
        &[OLD_TAGS, "-Wl,-rpath,$ORIGIN/near:$ORIGIN/deep"],
    );
    lab.library("mid/libmid.so", "m", &["@deep/libdeep.so", tags, "-Wl,-rpath,$ORIGIN/../nothing"]);
    root
}

fn library_without_default_directories(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("near/liba.so", "a", &["-lm", "-Wl,-z,nodefaultlib"]);
    lab.program("p", &["@near/liba.so", tags, "-Wl,-rpath,$ORIGIN/near"])
}

fn link_on_the_way(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("real/libb.so", "b", &[]);
    lab.library("real/liba.so", "a", &["@real/libb.so", tags, "-Wl,-rpath,$ORIGIN"]);
    std::os::unix::fs::symlink("real", lab.path("linked")).expect("linked");
    lab.program("p", &["@real/liba.so", tags, "-Wl,-rpath,$ORIGIN/linked"])
}

/// The good library in `good`, and before it a directory with what `make` puts there.
pub fn with_bad_one(lab: &Lab, tags: &str, make: impl Fn(PathBuf)) -> PathBuf {
    lab.library("good/liba.so", "a", &[]);
    std::fs::create_dir(lab.path("bad")).expect("made");
    make(lab.path("bad/liba.so"));
    lab.program("p", &["@good/liba.so", tags, "-Wl,-rpath,$ORIGIN/bad:$ORIGIN/good"])
}

fn dangling_link(lab: &mut Lab, tags: &'static str) -> PathBuf {
    with_bad_one(lab, tags, |path| std::os::unix::fs::symlink("nothing", path).expect("linked"))
}

fn linked_in_a_loop(lab: &mut Lab, tags: &'static str) -> PathBuf {
    with_bad_one(lab, tags, |path| std::os::unix::fs::symlink("liba.so", path).expect("linked"))
}

fn hard_links(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let root = program(lab, tags, &["lib", "lib"], "$ORIGIN/lib");
    lab.remove("lib/lib1.so");
    std::fs::hard_link(lab.path("lib/lib0.so"), lab.path("lib/lib1.so")).expect("linked");
    root
}

fn one_soname_twice(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let root = program(lab, tags, &["one", "two"], "$ORIGIN/one:$ORIGIN/two");
    lab.object("one/lib0.so", "int other(void) { return 1; }\n", &["-shared", "-fPIC", "-Wl,-soname,lib1.so"]);
    root
}

fn needed_in_a_circle(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("lib/libb.so", "b", &[]);
    lab.library("lib/liba.so", "a", &["@lib/libb.so", tags, "-Wl,-rpath,$ORIGIN"]);
    lab.library("lib/libb.so", "b", &["@lib/liba.so", tags, "-Wl,-rpath,$ORIGIN"]);
    lab.program("p", &["@lib/libb.so", tags, "-Wl,-rpath,$ORIGIN/lib"])
}

fn needed_twice(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let root = program(lab, tags, &["lib", "lib"], "$ORIGIN/lib");
    lab.replace(&root, "lib1.so", "lib0.so");
    root
}

fn no_soname(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let source = "int a(void) { return 1; }\n";
    lab.object("sub/plain.so", source, &["-shared", "-fPIC"]);
    lab.object("lib/libplain.so", source, &["-shared", "-fPIC"]);
    let directory = format!("-L{}", lab.path("lib").display());
    lab.program("p", &["sub/plain.so", &directory, "-lplain", tags, "-Wl,-rpath,$ORIGIN/lib"])
}

fn found_by_load_order_only(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("a/libb.so", "b", &[]);
    lab.library("c/liba.so", "a", &["@a/libb.so"]);
    lab.library("c/libz.so", "z", &["@a/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/../a"]);
    lab.program("p", &["@c/liba.so", "@c/libz.so", "@a/libb.so", tags, "-Wl,-rpath,$ORIGIN/c"])
}

fn two_hundred_deep(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("lib/lib001.so", "f", &[]);
    let first = lab.library("lib/lib000.so", "g", &["@lib/lib001.so", tags, "-Wl,-rpath,$ORIGIN"]);
    for index in 1..=200 {
        let (own, next) = (format!("lib{index:03}.so"), format!("lib{:03}.so", index + 1));
        let copy = lab.path("lib").join(&own);
        std::fs::copy(&first, &copy).expect("copied");
        lab.replace(&copy, "lib001.so", &next);
        lab.replace(&copy, "lib000.so", &own);
    }
    lab.program("p", &["@lib/lib000.so", tags, "-Wl,-rpath,$ORIGIN/lib"])
}

fn preloaded_by_path(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let root = program(lab, tags, &["run", "run"], "$ORIGIN/run");
    lab.copy("run/lib1.so", "first/lib1.so");
    lab.preload = Some(lab.path("first/lib1.so").into());
    root
}

fn preloaded_by_name(lab: &mut Lab, tags: &'static str) -> PathBuf {
    let root = program(lab, tags, &["run", "run"], "$ORIGIN/run");
    lab.copy("run/lib1.so", "env/lib1.so");
    lab.library("env/libmore.so", "m", &["@env/lib1.so"]);
    lab.library_path = Some(lab.path("env").into());
    lab.preload = Some("libmore.so:lib1.so".into());
    root
}

fn library_as_root(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library("deep/libb.so", "b", &[]);
    lab.library("near/liba.so", "a", &["@deep/libb.so"]);
    lab.library("libroot.so", "r", &["@near/liba.so", tags, "-Wl,-rpath,$ORIGIN/near:$ORIGIN/deep"])
}

fn library_as_root_by_variable(lab: &mut Lab, tags: &'static str) -> PathBuf {
    lab.library_path = Some("$ORIGIN/env;deep".into());
    let root = library_as_root(lab, tags);
    lab.copy("near/liba.so", "env/liba.so");
    root
}
