//! Loads whose formats have no loader here to ask: install names and DLLs.

mod elf;
mod open;

use super::*;
use crate::engine::binary::{Binary, Endian, ObjectKind, RunPath, RunPathTag, Slice};
use crate::engine::report::audit::{NodeRole, Rejection};
use std::sync::Arc;

fn graph_of(format: Format, needed: &[(&str, NeededBinding)], run_paths: &[&str], inputs: &LoaderInputs) -> Graph {
    let arch = Arch { name: "arm64".into(), bits: 64, endian: Endian::Little, machine: 0x0100_000c, flags: 0 };
    let needed = needed.iter().map(|(name, binding)| Needed { name: (*name).into(), binding: *binding });
    let paths = run_paths.iter().map(|text| RunPath { tag: RunPathTag::LcRpath, text: (*text).into() });
    let slice = Slice {
        offset: 0,
        size: 0,
        arch: arch.clone(),
        kind: ObjectKind::SharedLibrary,
        soname: None,
        needed: needed.collect(),
        interpreter: None,
        run_paths: paths.collect(),
        elf: None,
    };
    let binary = Arc::new(Binary { format, size: 0, slices: vec![slice] });
    let root = present(NodeKind::Root, "ext".into(), (inputs.current_directory.join("ext"), None), None);
    let root = Node { binary: Some(binary), ..root };
    let start = Start { node: root, arch, inode: (0, 0) };
    load(&Objects::default(), start, None, inputs, &Context::new()).unwrap()
}

#[test]
fn install_names_are_sought_by_their_anchors() {
    let directory = tempfile::tempdir().unwrap();
    let mut inputs = LoaderInputs::new(directory.path().to_path_buf());
    inputs.linked_paths = vec!["/linked".into()];
    std::fs::write(directory.path().join("libtext.dylib"), "no library").unwrap();
    let required = NeededBinding::Required;
    let needed = [
        ("/usr/lib/libSystem.B.dylib", required),
        ("@rpath/libx.dylib", NeededBinding::Weak),
        ("@loader_path/libtext.dylib", required),
        ("@rpath/libx.dylib", required),
    ];
    let graph = graph_of(Format::MachO, &needed, &["@loader_path/../lib", "/opt/lib"], &inputs);
    let tree = graph.to_tree(&|_| NodeRole::External);
    let roles: Vec<NodeRole> = tree.nodes.iter().map(|node| node.role).collect();
    assert_eq!(roles, [NodeRole::Root, NodeRole::System, NodeRole::Missing, NodeRole::Missing]);
    assert_eq!(tree.edges.iter().map(|edge| edge.to).collect::<Vec<_>>(), [1, 2, 3, 2]);
    assert_eq!(tree.edges.iter().map(|edge| edge.weak).collect::<Vec<_>>(), [false, true, false, false]);
    let tried = |edge: usize| -> Vec<(SearchRule, PathBuf, Rejection)> {
        let candidates = tree.edges[edge].candidates.iter();
        candidates.map(|tried| (tried.rule, tried.path.clone(), tried.rejected)).collect()
    };
    let missing = Rejection::Missing;
    let expected = [
        (SearchRule::Rpath, directory.path().join("../lib/libx.dylib"), missing),
        (SearchRule::Rpath, PathBuf::from("/opt/lib/libx.dylib"), missing),
        (SearchRule::LinkedPath, PathBuf::from("/linked/libx.dylib"), missing),
    ];
    assert_eq!(tried(1), expected);
    let beside = (SearchRule::LoaderPath, directory.path().join("libtext.dylib"), Rejection::NotALibrary);
    assert_eq!(tried(2).first(), Some(&beside));
}

#[test]
fn dlls_are_sought_beside_the_artifact_in_any_case() {
    let directory = tempfile::tempdir().unwrap();
    let inputs = LoaderInputs::new(directory.path().to_path_buf());
    std::fs::write(directory.path().join("ZLIB1.dll"), "no library").unwrap();
    let names = ["KERNEL32.dll", "python312.dll", "zlib1.DLL", "kernel32.DLL", "other.dll"];
    let needed: Vec<_> = names.iter().map(|name| (*name, NeededBinding::Required)).collect();
    let graph = graph_of(Format::Pe, &needed, &[], &inputs);
    let kinds: Vec<NodeKind> = graph.nodes.iter().map(|node| node.kind).collect();
    use NodeKind::{Libpython, Missing, Root, System};
    assert_eq!(kinds, [Root, System, Libpython, Missing, Missing]);
    assert_eq!(graph.edges.iter().map(|edge| edge.to).collect::<Vec<_>>(), [1, 2, 3, 1, 4]);
    let refused: Vec<_> = graph.edges[2].candidates.iter().map(|tried| (&tried.path, tried.rejected)).collect();
    assert_eq!(refused, [(&directory.path().join("ZLIB1.dll"), Rejection::NotALibrary)]);
}
