//! Fills in which packages own the libraries of a report: of the external ones in every audit, of the trees' where that was
//! asked for. One look at the databases serves all of them.

use crate::engine::owners::Owners;
use crate::engine::report::audit::{ArtifactReport, ExternalLibrary, Owner, SliceReport, Tree, TreeNode};
use crate::engine::{Context, Result};
use std::path::Path;

/// Fills in the owners of the external libraries and of all nodes of the trees.
///
/// # Errors
/// [`crate::engine::Error::Cancelled`].
pub fn fill_owners(report: &mut ArtifactReport, owners: &Owners, context: &Context) -> Result<()> {
    let external = external_paths(report);
    let nodes = trees(&report.slices).flat_map(|tree| &tree.nodes).map(node_path);
    let all: Vec<Option<&Path>> = external.into_iter().chain(nodes).collect();
    let mut found = look_up(&all, owners, context)?.into_iter();
    put_external(report, &mut found);
    for tree in report.slices.iter_mut().filter_map(|slice| slice.tree.as_mut()) {
        put_nodes(tree, &mut found);
    }
    Ok(())
}

/// Fills in the owners of the external libraries alone.
///
/// # Errors
/// [`crate::engine::Error::Cancelled`].
pub fn fill_external_owners(report: &mut ArtifactReport, owners: &Owners, context: &Context) -> Result<()> {
    let mut found = look_up(&external_paths(report), owners, context)?.into_iter();
    put_external(report, &mut found);
    Ok(())
}

/// Fills in the owners of all nodes of `tree`.
///
/// # Errors
/// [`crate::engine::Error::Cancelled`].
pub fn fill_tree_owners(tree: &mut Tree, owners: &Owners, context: &Context) -> Result<()> {
    let paths: Vec<Option<&Path>> = tree.nodes.iter().map(node_path).collect();
    let mut found = look_up(&paths, owners, context)?.into_iter();
    put_nodes(tree, &mut found);
    Ok(())
}

fn external_paths(report: &ArtifactReport) -> Vec<Option<&Path>> {
    report.external_libs.iter().flatten().map(|library| external_path(report, library)).collect()
}

/// The path that the loader finds the library under, since a link may have an owner of its own.
fn external_path<'a>(report: &'a ArtifactReport, library: &'a ExternalLibrary) -> Option<&'a Path> {
    let real = library.realpath.as_deref()?;
    let mut nodes = trees(&report.slices).flat_map(|tree| &tree.nodes);
    let node = nodes.find(|node| node.name == library.name && node.realpath.as_deref() == Some(real));
    node.and_then(node_path).or(Some(real))
}

fn trees(slices: &[SliceReport]) -> impl Iterator<Item = &Tree> {
    slices.iter().filter_map(|slice| slice.tree.as_ref())
}

fn node_path(node: &TreeNode) -> Option<&Path> {
    node.path.as_deref()
}

/// The owners of `paths`, in their order.
fn look_up(paths: &[Option<&Path>], owners: &Owners, context: &Context) -> Result<Vec<Option<Owner>>> {
    let known: Vec<&Path> = paths.iter().copied().flatten().collect();
    let mut found = owners.of(&known, context)?.into_iter();
    Ok(paths.iter().map(|path| path.and_then(|_| found.next().flatten())).collect())
}

fn put_external(report: &mut ArtifactReport, found: &mut impl Iterator<Item = Option<Owner>>) {
    for library in report.external_libs.iter_mut().flatten() {
        library.owner = found.next().flatten();
    }
}

fn put_nodes(tree: &mut Tree, found: &mut impl Iterator<Item = Option<Owner>>) {
    for node in &mut tree.nodes {
        node.owner = found.next().flatten();
    }
}
