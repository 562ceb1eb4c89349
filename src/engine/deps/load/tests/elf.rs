//! Loads of small ELF files for a machine that has no loader here, in a tree of their own.

use crate::engine::Context;
use crate::engine::deps::{Graph, Libc, LoaderInputs, NodeKind, Placed, resolve};
use crate::engine::report::audit::{Rejection, SearchRule};
use std::path::{Path, PathBuf};

const NEEDED: u64 = 1;
const SONAME: u64 = 14;
const RPATH: u64 = 15;
const RUNPATH: u64 = 29;
const AUXILIARY: u64 = 0x7fff_fffd;
const FILTER: u64 = 0x7fff_ffff;

/// A big-endian shared library of 64 bits for PowerPC whose dynamic section holds `entries`, with `flags` in its header.
fn library(entries: &[(u64, String)], flags: u32) -> Vec<u8> {
    const HEADERS: u64 = 64 + 2 * 56;
    let mut strings = vec![0];
    let mut dynamic = Vec::new();
    let mut push = |tag: u64, value: u64| dynamic.extend([tag, value].iter().flat_map(|word| word.to_be_bytes()));
    for (tag, text) in entries {
        push(*tag, strings.len() as u64);
        strings.extend_from_slice(text.as_bytes());
        strings.push(0);
    }
    let size = (entries.len() as u64 + 3) * 16;
    push(5, HEADERS + size);
    push(10, strings.len() as u64);
    push(0, 0);
    let end = HEADERS + size + strings.len() as u64;
    let mut bytes = b"\x7fELF\x02\x02\x01\0\0\0\0\0\0\0\0\0".to_vec();
    bytes.extend([3_u16, 21].iter().flat_map(|half| half.to_be_bytes()));
    bytes.extend(1_u32.to_be_bytes());
    bytes.extend([0_u64, 64, 0].iter().flat_map(|word| word.to_be_bytes()));
    bytes.extend(flags.to_be_bytes());
    bytes.extend([64_u16, 56, 2, 0, 0, 0].iter().flat_map(|half| half.to_be_bytes()));
    for (kind, at, size) in [(1_u32, 0, end), (2, HEADERS, size)] {
        bytes.extend([kind, 4].iter().flat_map(|word| word.to_be_bytes()));
        bytes.extend([at, at, at, size, size, 8].iter().flat_map(|word| word.to_be_bytes()));
    }
    bytes.extend(dynamic);
    bytes.extend(strings);
    bytes
}

struct Tree {
    directory: tempfile::TempDir,
}

impl Tree {
    fn new() -> Self {
        Self { directory: tempfile::tempdir().unwrap() }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().canonicalize().unwrap().join(name)
    }

    /// Writes a library; `@` in a text stands for the tree.
    fn add(&self, name: &str, entries: &[(u64, &str)]) -> PathBuf {
        self.add_with_flags(name, entries, 1)
    }

    fn add_with_flags(&self, name: &str, entries: &[(u64, &str)], flags: u32) -> PathBuf {
        let here = self.path("").display().to_string();
        let here = here.trim_end_matches('/');
        let entries: Vec<(u64, String)> = entries.iter().map(|(tag, text)| (*tag, text.replace('@', here))).collect();
        self.write(name, &library(&entries, flags))
    }

    fn write(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, bytes).unwrap();
        path
    }

    /// A process of glibc that sees no directory of this machine by default.
    fn inputs(&self) -> LoaderInputs {
        LoaderInputs {
            libc: Some(Libc::Glibc),
            default_directories: Some(Vec::new()),
            cache_file: self.path("none"),
            ..LoaderInputs::new(self.path(""))
        }
    }
}

fn graph(path: &Path, inputs: &LoaderInputs) -> Graph {
    resolve(&Placed::in_place(path), inputs, &Context::new()).unwrap()
}

fn names(graph: &Graph) -> Vec<String> {
    graph.nodes.iter().map(|node| node.name.to_text().into_owned()).collect()
}

fn rules(graph: &Graph) -> Vec<(String, Option<SearchRule>)> {
    let edges = graph.edges.iter();
    edges.map(|edge| (edge.needed.to_text().into_owned(), edge.found_by.as_ref().map(|by| by.rule))).collect()
}

#[test]
fn a_sysroot_without_a_cache_goes_by_its_configuration() {
    let tree = Tree::new();
    let needs =
        [(NEEDED, "liba.so"), (NEEDED, "libb.so"), (NEEDED, "libc1.so"), (RUNPATH, "/opt/run:$ORIGIN/../beside")];
    let root = tree.add("root/app/prog.so", &needs);
    tree.add("root/opt/conf/liba.so", &[]);
    tree.add("root/opt/run/libb.so", &[]);
    tree.add("root/beside/libc1.so", &[]);
    tree.write("root/etc/ld.so.conf", b"include conf.d/*\n");
    tree.write("root/etc/conf.d/one", b"/opt/conf # here\n");
    let inputs = LoaderInputs { sysroot: Some(tree.path("root")), ..tree.inputs() };
    let found = graph(&root, &inputs);
    let expected =
        [("liba.so", SearchRule::LdSoConf), ("libb.so", SearchRule::Runpath), ("libc1.so", SearchRule::Runpath)];
    assert_eq!(rules(&found), expected.map(|(name, rule)| (name.to_string(), Some(rule))));
    let paths: Vec<_> = found.nodes.iter().filter_map(|node| node.path.clone()).collect();
    let lie = ["root/app/prog.so", "root/opt/conf/liba.so", "root/opt/run/libb.so", "root/app/../beside/libc1.so"];
    assert_eq!(paths, lie.map(|name| tree.path(name)));
}

#[test]
fn a_host_brings_its_libraries_and_its_rpath() {
    let tree = Tree::new();
    let needs = [(NEEDED, "libshared.so"), (NEEDED, "libonlyhost.so"), (RPATH, "@/host")];
    let host = tree.add("program", &needs);
    tree.add("host/libshared.so", &[(SONAME, "libshared.so")]);
    tree.add("host/libonlyhost.so", &[]);
    tree.add("host/libbyrpath.so", &[]);
    let artifact = tree.add("ext.so", &[(NEEDED, "libbyrpath.so"), (NEEDED, "libshared.so")]);
    let alone = graph(&artifact, &tree.inputs());
    assert!(alone.nodes.iter().skip(1).all(|node| node.kind == NodeKind::Missing));
    let hosted = graph(&artifact, &LoaderInputs { host: Some(host), ..tree.inputs() });
    assert_eq!(
        names(&hosted),
        ["ext.so", "libshared.so", "libbyrpath.so"],
        "the artifact first, what it never asks for gone"
    );
    let expected = [("libbyrpath.so", SearchRule::MainRpath), ("libshared.so", SearchRule::AlreadyLoaded)];
    assert_eq!(rules(&hosted), expected.map(|(name, rule)| (name.to_string(), Some(rule))));
    assert_eq!(hosted.edges.iter().map(|edge| (edge.from, edge.to)).collect::<Vec<_>>(), [(0, 2), (0, 1)]);
    let note = hosted.edges.last().and_then(|edge| edge.note.clone());
    // The program's RPATH counts for the artifact too, so that its own search would find the same file.
    assert_eq!(note.as_deref(), Some("brought by program"));
}

#[test]
fn what_only_the_order_of_loading_finds_is_said() {
    let tree = Tree::new();
    let root = tree.add("root.so", &[(NEEDED, "liba.so"), (NEEDED, "libb.so"), (RUNPATH, "@/one")]);
    tree.add("one/liba.so", &[]);
    tree.add("one/libb.so", &[(NEEDED, "liba.so")]);
    let found = graph(&root, &tree.inputs());
    let notes: Vec<_> = found.edges.iter().map(|edge| edge.note.clone()).collect();
    let said =
        "works only by load order: liba.so was loaded before, for root.so; the search of this object would not find it";
    assert_eq!(notes, [None, None, Some(said.to_string())]);
    tree.add("one/libb.so", &[(NEEDED, "liba.so"), (RUNPATH, "$ORIGIN")]);
    assert!(graph(&root, &tree.inputs()).edges.iter().all(|edge| edge.note.is_none()), "its own search finds the file");
}

#[test]
fn filters_are_loaded_before_what_waits() {
    let tree = Tree::new();
    let root = tree.add("root.so", &[(NEEDED, "liba.so"), (NEEDED, "libb.so"), (RPATH, "@/one")]);
    let filters = [(FILTER, "libf.so"), (AUXILIARY, "libnone.so"), (NEEDED, "libn.so")];
    tree.add("one/liba.so", &filters);
    tree.add("one/libb.so", &[(NEEDED, "libofb.so")]);
    tree.add("one/libf.so", &[(NEEDED, "liboff.so")]);
    for name in ["libn.so", "libofb.so", "liboff.so"] {
        tree.add(&format!("one/{name}"), &[]);
    }
    let found = graph(&root, &tree.inputs());
    let order = ["root.so", "liba.so", "libb.so", "libf.so", "libnone.so", "libn.so", "liboff.so", "libofb.so"];
    assert_eq!(names(&found), order);
    let of_liba: Vec<_> = found.edges.iter().filter(|edge| edge.from == 1).collect();
    assert_eq!(of_liba.iter().map(|edge| edge.note.is_some()).collect::<Vec<_>>(), [true, true, false]);
}

#[test]
fn another_abi_of_the_machine_is_passed_over() {
    let tree = Tree::new();
    let root = tree.add("root.so", &[(NEEDED, "liba.so"), (RUNPATH, "@/two:@/one")]);
    tree.add_with_flags("two/liba.so", &[], 2);
    tree.add("one/liba.so", &[]);
    let found = graph(&root, &tree.inputs());
    let tried = found.edges.first().and_then(|edge| edge.candidates.first()).map(|tried| tried.rejected);
    assert_eq!(tried, Some(Rejection::WrongAbi));
    assert_eq!(found.nodes.get(1).and_then(|node| node.path.clone()), Some(tree.path("one/liba.so")));
}

#[test]
fn very_many_names_are_bounded_and_the_rest_is_counted() {
    let tree = Tree::new();
    let names: Vec<String> = (0..10_000).map(|number| format!("libmissing{number}.so")).collect();
    let path: Vec<String> = (0..20).map(|number| format!("@/dir{number}")).collect();
    let path = path.join(":");
    let entries: Vec<(u64, &str)> =
        names.iter().map(|name| (NEEDED, name.as_str())).chain([(RUNPATH, path.as_str())]).collect();
    let root = tree.add("root.so", &entries);
    let found = graph(&root, &tree.inputs());
    assert_eq!(found.nodes.len(), 10_001);
    let listed: usize = found.edges.iter().map(|edge| edge.candidates.len()).sum();
    assert!((1_000..100_000).contains(&listed), "{listed}");
    assert_eq!(found.edges.first().map(|edge| edge.candidates.len()), Some(20));
    let last = found.edges.last().and_then(|edge| edge.note.clone());
    assert_eq!(last.as_deref(), Some("20 more files were tried than are listed"));
}
