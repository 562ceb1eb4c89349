//! One dependency tree and nothing else: what `tree` shows. It costs what the headers cost.
//!
//! The roles are those of the whole audit by the loader's lens. Judging a file by the policies needs its symbols; where
//! every library of the tree is on every policy's list, no verdict could change a role, and they are not read.

use super::exclude::Pattern;
use super::policy::{self, Family};
use super::{AuditOptions, Tag, evaluate_elf, roles};
use crate::engine::binary::{Binary, Format};
use crate::engine::deps::{Graph, Libc, Loader, NodeKind, Placed};
use crate::engine::file::Windows;
use crate::engine::project::Artifact;
use crate::engine::report::audit::Tree;
use crate::engine::{Context, Result};
use std::path::Path;

/// The tree of the first slice of `artifact`, whose clean bytes are at `clean`, by the loader's lens.
///
/// # Errors
/// When the artifact can't be read; [`crate::engine::Error::Cancelled`].
pub fn loader_tree(artifact: &Artifact, clean: &Path, options: &AuditOptions, context: &Context) -> Result<Tree> {
    let placed = Placed { read_from: clean, loaded_as: &artifact.loaded_as };
    let inputs = options.inputs_for(artifact);
    let graph = Loader::default().resolve(&placed, 0, &inputs, context)?;
    let Some(binary) = graph.nodes.first().and_then(|root| root.binary.clone()) else { return Ok(Tree::default()) };
    let libc = inputs.libc_of(&binary);
    let evaluation = if binary.format != Format::Elf || no_policy_can_tell(&graph, &binary, libc, options) {
        None
    } else {
        evaluate_elf(artifact, &binary, &Windows::open(clean)?, libc, options.compatibility.as_ref())?
    };
    let exclude: Vec<Pattern> = options.exclude.iter().map(|text| Pattern::new(text)).collect();
    let roles = roles::Roles::new(binary.format, evaluation.as_ref(), None, &exclude);
    Ok(graph.to_tree(&|node| roles.of(node)))
}

fn no_policy_can_tell(graph: &Graph, binary: &Binary, libc: Libc, options: &AuditOptions) -> bool {
    let foreign = matches!(options.compatibility, Some(Tag::Policy { family: Family::Musllinux, .. }));
    let listed = |name: &str| policy::OLDEST_LIST.contains(&name);
    libc == Libc::Glibc
        && !foreign
        && graph.nodes.iter().filter(|node| node.kind == NodeKind::Library).all(|node| listed(&node.name.to_text()))
        && binary.slices.first().is_some_and(|slice| {
            slice.needed.iter().all(|needed| {
                let name = needed.name.to_text();
                listed(&name) || super::demands::is_dynamic_linker(&name)
            })
        })
}
