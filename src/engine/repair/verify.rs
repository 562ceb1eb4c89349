//! Verification: every edit is read again, and the bundle is resolved as a loader would on a machine that has nothing of the
//! build.
//!
//! The bundle is laid out in a scratch folder by hard links, which nobody edits and which are gone afterwards.

use super::{EditRequest, Repair, describe_request};
use crate::engine::binary::{self, Name, RunPathTag, Slice};
use crate::engine::deps::{Loader, LoaderInputs, Placed};
use crate::engine::file::{Mapped, below, reflink_or_copy};
use crate::engine::project::Artifact;
use crate::engine::{Context, Error, Result};
use std::path::{Path, PathBuf};

/// What is verified.
#[derive(Debug, Clone, Copy)]
pub struct Verification<'a> {
    /// The artifact.
    pub artifact: &'a Artifact,
    /// What was to be done to it.
    pub repair: &'a Repair,
    /// Its staged file, edited or not.
    pub staged: &'a Path,
    /// The grafted libraries' paths, in the order of the repair's grafts.
    pub grafted: &'a [PathBuf],
    /// An empty place on staging's filesystem.
    pub scratch: &'a Path,
}

impl Verification<'_> {
    /// What is not as it should be, a sentence each; empty when all is well.
    ///
    /// # Errors
    /// When a file can't be read or the scratch folder can't be made.
    pub fn problems(&self, inputs: &LoaderInputs, context: &Context) -> Result<Vec<String>> {
        let mut problems = Vec::new();
        if let Some(plan) = &self.repair.artifact_edit {
            unfulfilled(self.staged, &plan.requests, &mut problems)?;
        }
        for (graft, path) in self.repair.grafts.iter().zip(self.grafted) {
            unfulfilled(path, &graft.edit.requests, &mut problems)?;
        }
        if !self.repair.grafts.is_empty() {
            let resolved = self.lay_out(context).and_then(|root| self.resolve(&root, inputs, context, &mut problems));
            let removed = std::fs::remove_dir_all(self.scratch).map_err(Error::io("remove", self.scratch));
            resolved.and(removed)?;
        }
        Ok(problems)
    }

    /// Lays the bundle out; the artifact's path in it.
    fn lay_out(&self, context: &Context) -> Result<PathBuf> {
        let names = &self.artifact.names;
        let root = below(&below(self.scratch, &names.artifact_dir), &names.file_name);
        link(self.staged, &root, context)?;
        for (graft, path) in self.repair.grafts.iter().zip(self.grafted) {
            link(path, &below(&below(self.scratch, &names.libs_dir), &graft.name), context)?;
        }
        Ok(root)
    }

    fn resolve(&self, root: &Path, inputs: &LoaderInputs, context: &Context, problems: &mut Vec<String>) -> Result<()> {
        // What only the build machine has must not help.
        let inputs = LoaderInputs {
            ld_library_path: None,
            ld_preload: None,
            linked_paths: Vec::new(),
            extra_paths: Vec::new(),
            ..inputs.clone()
        };
        let graph = Loader::default().resolve(&Placed::in_place(root), 0, &inputs, context)?;
        for graft in &self.repair.grafts {
            for edge in graph.edges.iter().filter(|edge| edge.needed.to_text() == graft.name) {
                let (Some(from), Some(to)) = (graph.nodes.get(edge.from), graph.nodes.get(edge.to)) else { continue };
                match &to.path {
                    Some(path) if path.starts_with(self.scratch) => {}
                    Some(path) => problems.push(format!(
                        "{} needs {}, and finds {} before the one in the bundle",
                        from.name,
                        graft.name,
                        path.display()
                    )),
                    None => problems.push(format!(
                        "{} needs {}, and would not find it in the bundle ({} places tried)",
                        from.name,
                        graft.name,
                        edge.candidates.len()
                    )),
                }
            }
            // A kept name is the old name.
            let renamed = graft.name != graft.needed_as;
            let old = graph.edges.iter().find(|edge| renamed && edge.needed.to_text() == graft.needed_as);
            if let Some(from) = old.and_then(|edge| graph.nodes.get(edge.from)) {
                let inside = from.path.as_ref().is_some_and(|path| path.starts_with(self.scratch));
                if inside {
                    problems.push(format!("{} still needs {} under its old name", from.name, graft.needed_as));
                }
            }
        }
        Ok(())
    }
}

fn link(from: &Path, to: &Path, context: &Context) -> Result<()> {
    if let Some(directory) = to.parent() {
        std::fs::create_dir_all(directory).map_err(Error::io("create", directory))?;
    }
    match std::fs::hard_link(from, to) {
        Ok(()) => Ok(()),
        // A filesystem without hard links: the loader follows symbolic ones just as well.
        Err(_) => std::os::unix::fs::symlink(from, to).or_else(|_| reflink_or_copy(from, to, context).map(|_| ())),
    }
}

fn unfulfilled(path: &Path, requests: &[EditRequest], problems: &mut Vec<String>) -> Result<()> {
    if requests.is_empty() {
        return Ok(());
    }
    // It is our own file, edited a moment ago: nobody shortens it under a map.
    let source = Mapped::staged(path)?;
    let binary = binary::read(&source)?;
    for request in requests {
        if !binary.slices.iter().all(|slice| fulfilled(slice, request)) {
            problems.push(format!("{}: the edit is not there: {}", path.display(), describe_request(request)));
        }
    }
    Ok(())
}

/// Whether `slice` has what `request` asks for. What no step of the pipeline asks for is left to the editor's own proof.
fn fulfilled(slice: &Slice, request: &EditRequest) -> bool {
    let needs = |name: &Name| slice.needed.iter().any(|needed| needed.name == *name);
    let versions = slice.elf.as_ref().map(|elf| elf.version_needs.as_slice()).unwrap_or_default();
    let versioned = |name: &Name| versions.iter().any(|need| need.library == *name);
    let only = |tag: RunPathTag, text: &Name| match slice.run_paths.as_slice() {
        [only] => only.tag == tag && only.text == *text,
        _ => false,
    };
    match request {
        EditRequest::SetSoname(name) => slice.soname.as_ref() == Some(name),
        EditRequest::RemoveRunPaths => slice.run_paths.is_empty(),
        EditRequest::SetRpath(text) => only(RunPathTag::Rpath, text),
        EditRequest::SetRunpath(text) => only(RunPathTag::Runpath, text),
        EditRequest::ReplaceNeeded { from, to } => needs(to) && !needs(from) && !versioned(from),
        EditRequest::AddNeeded(name) => needs(name),
        EditRequest::RemoveNeeded(name) => !needs(name) && !versioned(name),
        EditRequest::SetInterpreter(name) => slice.interpreter.as_ref() == Some(name),
        EditRequest::AppendRunPath(_)
        | EditRequest::SetExecStack(_)
        | EditRequest::NoDefaultLib
        | EditRequest::AddDebugEntry
        | EditRequest::SetOsAbi(_)
        | EditRequest::ClearSymbolVersion(_) => true,
    }
}
