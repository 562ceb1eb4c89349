//! `wheelwright tree`: one dependency tree, with what found each library, or where it was sought.

use super::arguments::{Common, LensName, Tree as Arguments};
use super::output::Output;
use super::{FINDINGS, OK, TROUBLE, artifacts, branches, environment};
use crate::engine::audit::Lenses;
use crate::engine::audit::owned::fill_tree_owners;
use crate::engine::deps::{Placed, crate_tree};
use crate::engine::report::audit::{ArtifactReport, NodeRole, Tree};
use crate::engine::report::tree::TreeDocument;
use crate::engine::stage::Session;
use color_eyre::Result;
use color_eyre::eyre::eyre;

/// Prints the tree.
///
/// # Errors
/// When the artifact can't be found, several are asked for as one document, or the output can't be written.
pub fn tree(arguments: &Arguments, common: &Common, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let lenses = match arguments.lens {
        LensName::Loader => Lenses::LoaderOnly,
        LensName::Lddtree => Lenses::Both,
    };
    let paths = [arguments.path.clone()];
    let mut opened = artifacts::open(&paths, common, lenses, &context, output)?;
    let document = opened.session.audit_document(artifacts::host(), &context)?;
    if arguments.json && document.artifacts.len() > 1 {
        let names: Vec<&str> = document.artifacts.iter().map(|artifact| artifact.name.as_str()).collect();
        let path = arguments.path.display();
        return Err(eyre!("{path}: a tree is of one artifact, and here are {}; name one of them", names.join(", ")));
    }
    let mut status = OK;
    for (number, artifact) in document.artifacts.iter().enumerate() {
        if let Some(error) = &artifact.error {
            output.note(format_args!("wheelwright: {}", error.message));
            status = TROUBLE;
            continue;
        }
        let tree = match arguments.lens {
            LensName::Loader => artifact.slices.first().and_then(|slice| slice.tree.clone()),
            LensName::Lddtree => Some(repair_tools_tree(&opened.session, artifact)?),
        };
        let Some(mut tree) = tree else { continue };
        if arguments.owners {
            fill_tree_owners(&mut tree, opened.session.owners(), &context)?;
        }
        if status == OK && tree.nodes.iter().any(|node| node.role == NodeRole::Missing) {
            status = FINDINGS;
        }
        if arguments.json {
            output.json(&TreeDocument {
                schema: "wheelwright/tree/1".to_owned(),
                path: artifact.path.clone(),
                lens: lens_name(arguments.lens).to_owned(),
                tree,
            })?;
            continue;
        }
        if number > 0 {
            output.line("")?;
        }
        branches::print(&artifact.path, &tree, arguments.all, common.verbose, output)?;
    }
    for note in opened.session.owners().notes() {
        output.note(format_args!("note: {note}"));
    }
    Ok(status)
}

fn lens_name(lens: LensName) -> &'static str {
    match lens {
        LensName::Loader => "loader",
        LensName::Lddtree => "lddtree",
    }
}

/// The tree as the lddtree crate finds it.
fn repair_tools_tree(session: &Session, report: &ArtifactReport) -> Result<Tree> {
    let artifact = session.project().artifacts.iter().find(|artifact| artifact.path == report.path);
    let linked_paths = artifact.map(|artifact| artifact.linked_paths.paths.clone()).unwrap_or_default();
    let tree = crate_tree(&Placed::in_place(&report.path), &linked_paths)?;
    let external = |name: &str| {
        let libraries = report.external_libs.iter().flatten();
        libraries.into_iter().any(|library| library.name == name || library.aliases.iter().any(|alias| alias == name))
    };
    Ok(tree.to_tree(&report.path, &|library| {
        if external(&library.name) { NodeRole::External } else { NodeRole::Allowed }
    }))
}
