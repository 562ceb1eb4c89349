//! What each library of a tree is to the repair, so that the tree and the list of external libraries say the same.

use super::demands::is_libpython;
use super::evaluate::Evaluation;
use super::exclude::{Pattern, is_excluded};
use super::external::{External, is_external};
use super::policy::Policy;
use crate::engine::binary::Format;
use crate::engine::deps::{Node, NodeKind, known_by_name};
use crate::engine::report::audit::NodeRole;

/// The rules by which roles are given.
pub struct Roles<'a> {
    format: Format,
    /// The policy by which something is bundled; `None` when nothing is.
    policy: Option<&'a Policy>,
    externals: Option<&'a [External]>,
    exclude: &'a [Pattern],
}

impl<'a> Roles<'a> {
    /// Roles for trees of a file in `format`; `externals` is `None` when they were not looked at.
    #[must_use]
    pub fn new(
        format: Format,
        evaluation: Option<&'a Evaluation>,
        externals: Option<&'a [External]>,
        exclude: &'a [Pattern],
    ) -> Self {
        let evaluation = evaluation.filter(|evaluation| evaluation.needs_bundling());
        Self { format, policy: evaluation.and_then(Evaluation::bundle_policy), externals, exclude }
    }

    /// The role of a library that was found as a file.
    #[must_use]
    pub fn of(&self, node: &Node) -> NodeRole {
        let name = node.name.to_text();
        let is_python_dll = || known_by_name(node.name.as_bytes()) == Some(NodeKind::Libpython);
        if is_libpython(&name) || (self.format == Format::Pe && is_python_dll()) {
            return NodeRole::Libpython;
        }
        if is_excluded(self.exclude, &name, node.path.as_deref(), node.realpath.as_deref()) {
            return NodeRole::Excluded;
        }
        if self.format != Format::Elf {
            return if is_external(node, self.format) { NodeRole::External } else { NodeRole::System };
        }
        let Some(policy) = self.policy else { return NodeRole::Allowed };
        if policy.allowed.contains(name.as_ref()) || name.starts_with("libc.") {
            return NodeRole::Allowed;
        }
        let is_listed = |externals: &[External]| {
            let same_name =
                |library: &External| library.name == name || library.aliases.iter().any(|alias| *alias == name);
            let same_file = |library: &External| library.realpath.is_some() && library.realpath == node.realpath;
            externals.iter().any(|library| same_name(library) || same_file(library))
        };
        match self.externals {
            // Only an excluded library needs it.
            Some(externals) if !self.exclude.is_empty() && !is_listed(externals) => NodeRole::Excluded,
            _ => NodeRole::External,
        }
    }
}
