//! The two lenses side by side: the crate's habits show as differences with their reason, and agreement as none.

use crate::Case;
use crate::cases::{NEW_TAGS, OLD_TAGS};
use crate::lab::{Lab, lacks_glibc, same};
use libtest_mimic::Failed;
use std::path::Path;
use wheelwright::engine::Context;
use wheelwright::engine::deps::{Placed, crate_tree, differences, resolve};
use wheelwright::engine::report::audit::{LensDifference, NodeRole};

pub fn all() -> Vec<Case> {
    let case = |name, run| Case { name, lacking: lacks_glibc(), run };
    vec![
        case("agreement_is_no_difference", agreement),
        case("an_inherited_rpath_is_a_difference", inherited),
        case("the_lib_token_is_a_difference", token),
        case("a_sibling_that_loaded_it_is_a_difference", sibling),
        case("a_link_is_a_difference", link),
        case("the_crates_tree_as_a_document", document),
        case("what_is_no_binary_is_an_error_of_the_crate", no_binary),
    ]
}

fn differ(lab: &Lab, program: &Path, linked: &[std::path::PathBuf]) -> Result<Vec<LensDifference>, Failed> {
    let placed = Placed::in_place(program);
    let mut inputs = lab.inputs();
    inputs.linked_paths = linked.to_vec();
    let graph = resolve(&placed, &inputs, &Context::new())?;
    Ok(differences(&graph, &crate_tree(&placed, linked)?))
}

fn agreement() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("linked/liba.so", "a", &[]);
    lab.library("near/libb.so", "b", &[]);
    let program = lab.program("p", &["@linked/liba.so", "@near/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/near"]);
    same(differ(&lab, &program, &[lab.path("linked")])?, Vec::new())?;
    // Nowhere by both is no difference either.
    same(differ(&lab, &program, &[])?, Vec::new())
}

fn one(differences: Vec<LensDifference>, name: &str, why: &str) -> Result<LensDifference, Failed> {
    match <[LensDifference; 1]>::try_from(differences) {
        Ok([difference]) if difference.name == name && difference.why.contains(why) => Ok(difference),
        other => Err(format!("{other:?}, expected one of {name} because of {why:?}").into()),
    }
}

fn inherited() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("deep/libb.so", "b", &[]);
    lab.library("near/liba.so", "a", &["@deep/libb.so"]);
    let program = lab.program("p", &["@near/liba.so", OLD_TAGS, "-Wl,-rpath,$ORIGIN/near:$ORIGIN/deep"]);
    let difference = one(differ(&lab, &program, &[])?, "libb.so", "liba.so inherits the RPATH of p")?;
    same((difference.loader, difference.lddtree), (Some(lab.path("deep/libb.so")), None))
}

fn token() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("lib64/libx.so", "x", &[]);
    lab.copy("lib64/libx.so", "lib/x86_64-linux-gnu/libx.so");
    let program = lab.program("p", &["@lib64/libx.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/$LIB"]);
    one(differ(&lab, &program, &[])?, "libx.so", "$ORIGIN/$LIB").map(drop)
}

fn sibling() -> Result<(), Failed> {
    let lab = Lab::new();
    // The crate takes the last name first: it looks for libb.so on behalf of liba.so, in vain, and keeps that.
    lab.library("a/libb.so", "b", &[]);
    lab.library("c/liba.so", "a", &["@a/libb.so"]);
    let program = lab.program("p", &["@a/libb.so", "@c/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/a:$ORIGIN/c"]);
    one(differ(&lab, &program, &[])?, "libb.so", "lddtree what the last does").map(drop)
}

fn link() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("real/libb.so", "b", &[]);
    lab.library("real/liba.so", "a", &["@real/libb.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN"]);
    let program = lab.program("p", &["@real/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/links"]);
    std::fs::create_dir(lab.path("links"))?;
    std::os::unix::fs::symlink("../real/liba.so", lab.path("links/liba.so"))?;
    let difference = one(differ(&lab, &program, &[])?, "libb.so", "liba.so was loaded through a symbolic link")?;
    same((difference.loader, difference.lddtree), (None, Some(lab.path("real/libb.so"))))
}

fn document() -> Result<(), Failed> {
    let lab = Lab::new();
    lab.library("deep/libb.so", "b", &[]);
    lab.library("near/liba.so", "a", &["@deep/libb.so"]);
    let program = lab.program("p", &["@near/liba.so", NEW_TAGS, "-Wl,-rpath,$ORIGIN/near"]);
    let tree = crate_tree(&Placed::in_place(&program), &[])?.to_tree(&program, &|_| NodeRole::External);
    let node = |name: &str| tree.nodes.iter().find(|node| node.name == name).map(|node| (node.id, node.role));
    same(node("p"), Some((0, NodeRole::Root)))?;
    same(node("liba.so").map(|(_, role)| role), Some(NodeRole::External))?;
    same(node("libb.so").map(|(_, role)| role), Some(NodeRole::Missing))?;
    same(node("ld-linux-x86-64.so.2").map(|(_, role)| role), Some(NodeRole::Interpreter))?;
    let (Some((a, _)), Some((b, _))) = (node("liba.so"), node("libb.so")) else { return Err("no nodes".into()) };
    same(tree.edges.iter().filter(|edge| edge.from == a && edge.to == b).count(), 1)?;
    same(tree.nodes.iter().enumerate().all(|(at, node)| at == node.id), true)
}

fn no_binary() -> Result<(), Failed> {
    let lab = Lab::new();
    for content in [&b""[..], b"text", b"\x7fELF", b"\xca\xfe\xba\xbe\xff\xff\xff\xff", b"MZ"] {
        let path = lab.path("x");
        std::fs::write(&path, content)?;
        same(crate_tree(&Placed::in_place(&path), &[]).is_err(), true)?;
    }
    Ok(())
}
