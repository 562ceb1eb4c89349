//! `wheelwright tree`: one dependency tree, with what found each library, or where it was sought.

use super::arguments::{Common, LensName, Tree as Arguments};
use super::output::Output;
use super::{FINDINGS, OK, TROUBLE, artifacts, branches, environment};
use crate::engine::audit::owned::fill_tree_owners;
use crate::engine::audit::{Lenses, loader_tree};
use crate::engine::deps::{Placed, crate_tree_below};
use crate::engine::project::Artifact;
use crate::engine::report::audit::{ArtifactReport, NodeRole, Tree};
use crate::engine::report::tree::TreeDocument;
use crate::engine::stage::Session;
use crate::engine::{Context, Error};
use color_eyre::Result;
use color_eyre::eyre::eyre;
use std::path::{Path, PathBuf};

/// Prints the tree.
///
/// # Errors
/// When the artifact can't be found, several are asked for as one document, or the output can't be written.
pub fn tree(arguments: &Arguments, common: &Common, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let found = match arguments.lens {
        LensName::Loader if !common.sandbox => plain_files(arguments, common, &context, output)?,
        _ => None,
    };
    let found = match found {
        Some(found) => found,
        None => audited(arguments, common, &context, output)?,
    };
    if arguments.json && found.len() > 1 {
        let names: Vec<String> = found.iter().map(|one| file_name(&one.path)).collect();
        let path = arguments.path.display();
        return Err(eyre!("{path}: a tree is of one artifact, and here are {}; name one of them", names.join(", ")));
    }
    let owners = artifacts::owners(common)?;
    let mut status = OK;
    for (number, one) in found.into_iter().enumerate() {
        let mut tree = match one.tree {
            Ok(tree) => tree,
            Err(message) => {
                output.note(format_args!("wheelwright: {message}"));
                status = TROUBLE;
                continue;
            }
        };
        if arguments.owners {
            fill_tree_owners(&mut tree, &owners, &context)?;
        }
        if status == OK && tree.nodes.iter().any(|node| node.role == NodeRole::Missing) {
            status = FINDINGS;
        }
        if arguments.json {
            output.json(&TreeDocument {
                schema: "wheelwright/tree/1".to_owned(),
                path: one.path,
                lens: lens_name(arguments.lens).to_owned(),
                tree,
            })?;
            continue;
        }
        if number > 0 {
            output.line("")?;
        }
        branches::print(&one.path, &tree, arguments.all, common.verbose, output)?;
    }
    for note in owners.notes() {
        output.note(format_args!("note: {note}"));
    }
    Ok(status)
}

/// One artifact's tree, or why there is none.
struct Found {
    path: PathBuf,
    tree: Result<Tree, String>,
}

fn file_name(path: &Path) -> String {
    path.file_name().unwrap_or(path.as_os_str()).to_string_lossy().into_owned()
}

/// The trees of files that no session can have moved: they are read where they lie, and nothing else is looked at.
/// `None` where an artifact is cargo's.
fn plain_files(
    arguments: &Arguments,
    common: &Common,
    context: &Context,
    output: &mut Output,
) -> Result<Option<Vec<Found>>> {
    if !arguments.path.is_file() {
        return Ok(None);
    }
    let project = artifacts::find(std::slice::from_ref(&arguments.path), common, context)?;
    if project.artifacts.iter().any(|artifact| artifact.cargo.is_some()) {
        return Ok(None);
    }
    for note in &project.notes {
        output.note(format_args!("note: {note}"));
    }
    let options = artifacts::audit_options(common, Lenses::LoaderOnly.into())?;
    let one = |artifact: &Artifact| match loader_tree(artifact, &artifact.path, &options, context) {
        Err(Error::Cancelled) => Err(Error::Cancelled),
        tree => Ok(Found { path: artifact.path.clone(), tree: tree.map_err(|error| error.to_string()) }),
    };
    Ok(Some(project.artifacts.iter().map(one).collect::<Result<_, _>>()?))
}

/// The trees of what may be staged, by a session that knows where the clean bytes are.
fn audited(arguments: &Arguments, common: &Common, context: &Context, output: &mut Output) -> Result<Vec<Found>> {
    let lenses = match arguments.lens {
        LensName::Loader => Lenses::LoaderOnly,
        LensName::Lddtree => Lenses::Both,
    };
    let paths = [arguments.path.clone()];
    let mut opened = artifacts::open(&paths, common, lenses, context, output)?;
    let document = opened.session.audit_document(artifacts::host(), context)?;
    let one = |artifact: &ArtifactReport| -> Result<Found> {
        let tree = match (&artifact.error, arguments.lens) {
            (Some(error), _) => Err(error.message.clone()),
            (None, LensName::Loader) => {
                Ok(artifact.slices.first().and_then(|slice| slice.tree.clone()).unwrap_or_default())
            }
            (None, LensName::Lddtree) => Ok(repair_tools_tree(&opened.session, artifact, common)?),
        };
        Ok(Found { path: artifact.path.clone(), tree })
    };
    document.artifacts.iter().map(one).collect()
}

fn lens_name(lens: LensName) -> &'static str {
    match lens {
        LensName::Loader => "loader",
        LensName::Lddtree => "lddtree",
    }
}

/// The tree as the lddtree crate finds it.
fn repair_tools_tree(session: &Session, report: &ArtifactReport, common: &Common) -> Result<Tree> {
    let artifact = session.project().artifacts.iter().find(|artifact| artifact.path == report.path);
    let linked_paths = artifact.map(|artifact| artifact.linked_paths.paths.clone()).unwrap_or_default();
    let sysroot = common.sysroot.as_deref().map(environment::absolute);
    let tree = crate_tree_below(&Placed::in_place(&report.path), &linked_paths, sysroot.as_deref())?;
    let external = |name: &str| {
        let libraries = report.external_libs.iter().flatten();
        libraries.into_iter().any(|library| library.name == name || library.aliases.iter().any(|alias| alias == name))
    };
    Ok(tree.to_tree(&report.path, &|library| {
        if external(&library.name) { NodeRole::External } else { NodeRole::Allowed }
    }))
}
