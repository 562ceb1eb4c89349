//! The repair tool's lens: the `lddtree` crate as maturin uses it, behind one function with plain data in and out.
//!
//! The crate maps what it reads and can panic on odd input, so that it may move into a child process one day. It reads
//! `LD_LIBRARY_PATH` and the working directory by itself. It says neither who asked nor what found a library; the form for
//! the documents is left without both.

use super::graph::Graph;
use super::inputs::Placed;
use super::tokens::{Tokens, as_path, expand, has_token};
use super::{dyld, windows};
use crate::engine::binary::{self, Format};
use crate::engine::file::Windows;
use crate::engine::report::audit::{NodeRole, Rejection, Tree, TreeEdge, TreeNode};
use crate::engine::{Error, Result};
use std::collections::{BTreeMap, HashMap, VecDeque};
use std::os::unix::fs::FileTypeExt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

/// What the crate says of an artifact.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrateTree {
    /// The artifact's container format.
    pub format: Format,
    /// The interpreter that the artifact names.
    pub interpreter: Option<String>,
    /// The artifact's own needed names, in the crate's order.
    pub needed: Vec<String>,
    /// The artifact's search path as the crate resolved it: directories that exist, tokens filled in.
    pub rpath: Vec<String>,
    /// Every library of the tree, by the name it was asked for.
    pub libraries: BTreeMap<String, CrateLibrary>,
    /// The sysroot that the crate was told of.
    pub sysroot: Option<PathBuf>,
}

/// What the crate says of a library.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CrateLibrary {
    /// The name it was asked for.
    pub name: String,
    /// The path that it was found under; the name itself for a missing one.
    pub path: PathBuf,
    /// That path with symbolic links resolved; `None` for a missing one.
    pub realpath: Option<PathBuf>,
    /// Its needed names.
    pub needed: Vec<String>,
    /// Its search path as the crate resolved it.
    pub rpath: Vec<String>,
}

/// The crate's tree of `artifact`, with `library_paths` (linked paths and rustflags' `-L`) searched last, as maturin does.
///
/// The crate takes `$ORIGIN` from where the bytes lie. While they are staged elsewhere, the entries of the artifact's own
/// search path that begin at its place are therefore added in front of `library_paths`. The limits: they are searched after
/// the system's directories and for every library of the tree, and what lies beside the staged file can be found.
///
/// # Errors
/// When the artifact can't be read, is none of the three formats, or the crate fails or panics ([`Error::Tool`]).
pub fn crate_tree(artifact: &Placed<'_>, library_paths: &[PathBuf]) -> Result<CrateTree> {
    crate_tree_below(artifact, library_paths, None)
}

/// The same of a process that sees `sysroot`, of which the crate is told as maturin tells it. The crate puts the sysroot
/// before directories that bear it already, so that of the system's only `/lib`, `/lib64`, `/usr/lib` and `/usr/lib64` are
/// searched.
///
/// # Errors
/// As [`crate_tree`].
pub fn crate_tree_below(artifact: &Placed<'_>, library_paths: &[PathBuf], sysroot: Option<&Path>) -> Result<CrateTree> {
    let failed = |message: String| Error::Tool { program: "the lddtree crate".into(), message };
    let windows = Windows::open(artifact.read_from)?;
    let Some(format) = binary::sniff(&windows)? else {
        return Err(Error::malformed(artifact.read_from, 0, "the beginning of an ELF, Mach-O or PE file"));
    };
    let mut paths = if artifact.read_from.parent() == artifact.loaded_as.parent() {
        Vec::new()
    } else {
        anchored_directories(&binary::read(&windows)?, artifact.loaded_as)
    };
    paths.extend_from_slice(library_paths);
    let analyzed = catch_unwind(AssertUnwindSafe(|| {
        let analyzer = paths.into_iter().fold(analyzer(sysroot), |analyzer, path| analyzer.add_library_path(path));
        analyzer.analyze(artifact.read_from).map_err(|error| error.to_string())
    }));
    let message = |text: String| failed(format!("{}: {text}", artifact.read_from.display()));
    match analyzed {
        Ok(Ok(tree)) => Ok(CrateTree { sysroot: sysroot.map(Path::to_path_buf), ..plain(tree, format) }),
        Ok(Err(text)) => Err(message(text)),
        Err(panic) => Err(message(format!("it panicked: {}", panic_text(panic.as_ref())))),
    }
}

/// The named pipe on the way of `graph`'s searches, if there is one. The crate opens whatever bears a library's name, and would
/// wait for somebody to write into it.
#[must_use]
pub fn pipe_on_the_way(graph: &Graph) -> Option<&Path> {
    let is_pipe = |path: &&Path| std::fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
    let refused = graph.edges.iter().flat_map(|edge| &edge.candidates);
    refused.filter(|tried| tried.rejected != Rejection::Missing).map(|tried| tried.path.as_path()).find(is_pipe)
}

fn analyzer(sysroot: Option<&Path>) -> lddtree::DependencyAnalyzer {
    sysroot
        .map_or_else(lddtree::DependencyAnalyzer::default, |path| lddtree::DependencyAnalyzer::new(path.to_path_buf()))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str)).unwrap_or("without a message")
}

/// The directories of `binary`'s search path that are meant from its own place, as seen from `loaded_as`.
fn anchored_directories(binary: &binary::Binary, loaded_as: &Path) -> Vec<PathBuf> {
    let origin = loaded_as.parent().unwrap_or(Path::new("/"));
    if binary.format == Format::Pe {
        return vec![origin.to_path_buf()];
    }
    let tokens = Tokens { origin, library: None, platform: None };
    let texts = binary.slices.iter().flat_map(|slice| &slice.run_paths).map(|path| path.text.as_bytes());
    let entries = texts.flat_map(|text| text.split(|&byte| byte == b':'));
    let mut directories = Vec::new();
    for entry in entries {
        let directory = if binary.format == Format::MachO {
            entry.strip_prefix(b"@loader_path/").map(|rest| origin.join(as_path(rest)))
        } else {
            expand(entry, tokens).filter(|_| has_token(entry)).map(|path| as_path(&path).to_path_buf())
        };
        directories.extend(directory.filter(|directory| !directories.contains(directory)));
    }
    directories
}

fn plain(tree: lddtree::DependencyTree, format: Format) -> CrateTree {
    let libraries = tree.libraries.into_iter().map(|(key, library)| {
        let lddtree::Library { name, path, realpath, needed, rpath, .. } = library;
        (key, CrateLibrary { name, path, realpath, needed, rpath })
    });
    CrateTree {
        format,
        interpreter: tree.interpreter,
        needed: tree.needed,
        rpath: tree.rpath,
        libraries: libraries.collect(),
        sysroot: None,
    }
}

impl CrateTree {
    /// The file name of the interpreter, by which the crate lists it.
    #[must_use]
    pub fn interpreter_name(&self) -> Option<&str> {
        self.interpreter.as_deref().map(|path| path.rsplit('/').next().unwrap_or(path))
    }

    /// The document's form, breadth first from the artifact `loaded_as`. `role_of_library` is asked for every library that
    /// was found as a file.
    #[must_use]
    pub fn to_tree(&self, loaded_as: &Path, role_of_library: &dyn Fn(&CrateLibrary) -> NodeRole) -> Tree {
        let name = loaded_as.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let realpath = std::fs::canonicalize(loaded_as).ok();
        let path = Some(loaded_as.to_path_buf());
        let root = TreeNode { id: 0, name, path, realpath, arch: None, owner: None, role: NodeRole::Root };
        let mut tree = Tree { nodes: vec![root], edges: Vec::new() };
        let mut ids: HashMap<&str, usize> = HashMap::new();
        let mut queue = VecDeque::from([(0, &self.needed)]);
        while let Some((from, needed)) = queue.pop_front() {
            for name in needed {
                let library = self.libraries.get(name);
                let to = *ids.entry(name).or_insert_with(|| {
                    tree.nodes.push(self.node(tree.nodes.len(), name, library, role_of_library));
                    queue.extend(library.map(|library| (tree.nodes.len() - 1, &library.needed)));
                    tree.nodes.len() - 1
                });
                tree.edges.push(TreeEdge {
                    from,
                    needed: name.clone(),
                    to,
                    found_by: None,
                    candidates: Vec::new(),
                    versions_missing: Vec::new(),
                    weak: false,
                    note: None,
                    gave_up: None,
                });
            }
        }
        // The interpreter is in the crate's list also if nobody needs it by name.
        for (name, library) in self.libraries.iter().filter(|(name, _)| !ids.contains_key(name.as_str())) {
            tree.nodes.push(self.node(tree.nodes.len(), name, Some(library), role_of_library));
        }
        tree
    }

    fn node(
        &self,
        id: usize,
        name: &str,
        library: Option<&CrateLibrary>,
        role_of_library: &dyn Fn(&CrateLibrary) -> NodeRole,
    ) -> TreeNode {
        let found = library.filter(|library| library.realpath.is_some());
        let role = match found {
            Some(_) if self.interpreter_name() == Some(name) => NodeRole::Interpreter,
            Some(library) => role_of_library(library),
            None => self.role_of_unfound(name),
        };
        let (path, realpath) = found.map_or((None, None), |found| (Some(found.path.clone()), found.realpath.clone()));
        TreeNode { id, name: name.to_string(), path, realpath, arch: None, owner: None, role }
    }

    fn role_of_unfound(&self, name: &str) -> NodeRole {
        use super::graph::NodeKind;
        match self.format {
            Format::MachO if dyld::is_system_name(name.as_bytes()) => NodeRole::System,
            Format::Pe => match windows::known_by_name(name.as_bytes()) {
                Some(NodeKind::System) => NodeRole::System,
                Some(NodeKind::Libpython) => NodeRole::Libpython,
                _ => NodeRole::Missing,
            },
            _ => NodeRole::Missing,
        }
    }
}
