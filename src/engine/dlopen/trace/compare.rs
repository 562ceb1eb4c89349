//! What a process loaded beside what the static trees say: that of its program, and that of each object it opened, as the
//! program would open it. Files are compared, not spellings.

use super::assemble::Followed;
use super::options::TraceOptions;
use super::starts::Seen;
use crate::engine::deps::{Graph, Loader, LoaderInputs, Node, NodeKind, Placed};
use crate::engine::report::trace::{ComparedLoad, ComparedStatus, LoadCause, LoadResult, TracedLoad};
use crate::engine::{Context, Error, Result};
use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

/// Fills in `compared` for every process whose program is known.
///
/// # Errors
/// [`Error::Cancelled`].
pub(super) fn all(followed: &mut [Followed], options: &TraceOptions, context: &Context) -> Result<()> {
    let loader = Loader::default();
    let mut inherited = Known::default();
    for one in followed {
        let program = one.process.program.clone().filter(|path| path.is_absolute() && path.is_file());
        if !one.is_forked {
            inherited = Known::default();
        }
        let Some(program) = program else { continue };
        let inputs = inputs(&one.seen, options);
        let mut comparison = Comparison {
            loader: &loader,
            inputs: &inputs,
            program: &program,
            context,
            known: inherited,
            rows: Vec::new(),
        };
        comparison.read(&one.process.loads);
        comparison.compare(&one.process.loads, one.is_forked)?;
        let Comparison { known, rows, .. } = comparison;
        inherited = known;
        one.process.compared = Some(rows);
    }
    Ok(())
}

/// What the loader took from the process.
fn inputs(seen: &Seen, options: &TraceOptions) -> LoaderInputs {
    let directory = seen.directory.clone().unwrap_or_else(|| options.working_directory.clone());
    LoaderInputs {
        ld_library_path: seen.library_path.clone(),
        ld_preload: seen.preload.clone(),
        ..LoaderInputs::new(directory)
    }
}

/// A file, by what it is; one that is not there by its path.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Key {
    File(u64, u64),
    Path(PathBuf),
}

/// What a process, and those it was forked from, loaded so far.
#[derive(Debug, Clone, Default)]
struct Known {
    /// Who asked for each file first.
    files: BTreeMap<Key, (PathBuf, Option<PathBuf>)>,
    /// The file that a name stands for.
    names: BTreeMap<String, Key>,
    /// The files that stand in a tree, or were opened.
    told: BTreeSet<Key>,
}

struct Comparison<'a> {
    loader: &'a Loader,
    inputs: &'a LoaderInputs,
    program: &'a Path,
    context: &'a Context,
    known: Known,
    rows: Vec<ComparedLoad>,
}

impl Comparison<'_> {
    fn key(&self, path: &Path) -> Key {
        let path = self.inputs.current_directory.join(path);
        let file = std::fs::metadata(&path).ok();
        file.map_or(Key::Path(path), |file| Key::File(file.dev(), file.ino()))
    }

    fn read(&mut self, loads: &[TracedLoad]) {
        for load in loads {
            let Some(path) = load.path.as_ref().filter(|_| load.result != LoadResult::Failed) else { continue };
            let key = self.key(path);
            self.known.files.entry(key.clone()).or_insert_with(|| (path.clone(), load.asked_by.clone()));
            self.known.names.entry(load.name.clone()).or_insert(key);
        }
    }

    fn compare(&mut self, loads: &[TracedLoad], is_forked: bool) -> Result<()> {
        let program = self.program.to_path_buf();
        if !is_forked {
            self.known.told.insert(self.key(&program));
            self.tree(&program, None)?;
        }
        let opened = |load: &&TracedLoad| {
            load.result == LoadResult::Loaded && matches!(load.cause, LoadCause::Opened | LoadCause::Libc)
        };
        for load in loads.iter().filter(opened) {
            let Some(path) = &load.path else { continue };
            if self.known.told.insert(self.key(path)) {
                self.not_predicted(load, Some(path));
                self.tree(&program, Some(path))?;
            }
        }
        // What came with something that is in no tree.
        for load in loads.iter().filter(|load| load.result == LoadResult::Loaded && load.cause != LoadCause::Program) {
            let Some(path) = &load.path else { continue };
            if self.known.told.insert(self.key(path)) {
                self.not_predicted(load, None);
            }
        }
        self.failures(loads);
        Ok(())
    }

    fn not_predicted(&mut self, load: &TracedLoad, root: Option<&PathBuf>) {
        self.rows.push(ComparedLoad {
            name: load.name.clone(),
            status: ComparedStatus::NotPredicted,
            predicted: None,
            loaded: load.path.clone(),
            asked_by: load.asked_by.clone(),
            root: root.cloned(),
            note: None,
        });
    }

    /// The tree of the program, or of what it `opened`.
    fn tree(&mut self, program: &Path, opened: Option<&PathBuf>) -> Result<()> {
        let root = opened.map_or(program, PathBuf::as_path);
        let inputs = LoaderInputs { host: opened.map(|_| program.to_path_buf()), ..self.inputs.clone() };
        let absolute = self.inputs.current_directory.join(root);
        match self.loader.resolve(&Placed::in_place(&absolute), 0, &inputs, self.context) {
            Ok(graph) => self.graph(&graph, root),
            Err(Error::Cancelled) => return Err(Error::Cancelled),
            Err(error) => {
                if let Some(row) = self.rows.last_mut().filter(|_| opened.is_some()) {
                    row.note = Some(format!("its tree can't be read: {error}"));
                }
            }
        }
        Ok(())
    }

    fn graph(&mut self, graph: &Graph, root: &Path) {
        let in_tree: BTreeSet<Key> =
            graph.nodes.iter().filter_map(|node| node.path.as_deref()).map(|path| self.key(path)).collect();
        for node in &graph.nodes {
            let is_file = matches!(node.kind, NodeKind::Library | NodeKind::Interpreter);
            if is_file || node.kind == NodeKind::Missing {
                self.node(node, &in_tree, graph, root);
            }
        }
    }

    fn node(&mut self, node: &Node, in_tree: &BTreeSet<Key>, graph: &Graph, root: &Path) {
        let name = node.name.to_text().into_owned();
        let key = node.path.as_deref().map(|path| self.key(path));
        if let Some(key) = &key
            && !self.known.told.insert(key.clone())
        {
            return;
        }
        let requester = node.requester.and_then(|id| graph.nodes.get(id)).and_then(|node| node.path.clone());
        let mut row = ComparedLoad {
            name: name.clone(),
            status: ComparedStatus::NotLoaded,
            predicted: node.path.clone(),
            loaded: None,
            asked_by: requester,
            root: Some(root.to_path_buf()),
            note: None,
        };
        let as_predicted = key.as_ref().and_then(|key| self.known.files.get(key));
        let elsewhere = || {
            let other = self.known.names.get(&name).filter(|other| !in_tree.contains(other))?;
            Some((other, self.known.files.get(other)?))
        };
        if let Some((path, asked_by)) = as_predicted {
            row.status = ComparedStatus::AsPredicted;
            row.loaded = Some(path.clone());
            row.asked_by = asked_by.clone().or(row.asked_by);
        } else if let Some((other, (path, asked_by))) = elsewhere() {
            row.status = ComparedStatus::Elsewhere;
            row.loaded = Some(path.clone());
            row.asked_by = asked_by.clone().or(row.asked_by);
            if self.known.told.contains(other) {
                row.note = Some("it was in the process already, for something else".to_owned());
            }
            let other = other.clone();
            self.known.told.insert(other);
        } else if node.kind == NodeKind::Missing {
            // Whether it was asked for, the failures tell.
            return;
        }
        self.rows.push(row);
    }

    fn failures(&mut self, loads: &[TracedLoad]) {
        let mut told: BTreeSet<(&str, Option<&Path>)> = BTreeSet::new();
        for load in loads.iter().filter(|load| load.result == LoadResult::Failed) {
            if told.insert((&load.name, load.asked_by.as_deref())) {
                self.rows.push(ComparedLoad {
                    name: load.name.clone(),
                    status: ComparedStatus::Failed,
                    predicted: None,
                    loaded: None,
                    asked_by: load.asked_by.clone(),
                    root: None,
                    note: load.error.clone(),
                });
            }
        }
    }
}
