//! `wheelwright tree`: one dependency tree, with what found each library, or where it was sought.

use super::arguments::{Common, LensName, Tree as Arguments};
use super::output::{Output, Tone};
use super::{FINDINGS, OK, TROUBLE, artifacts, environment};
use crate::engine::audit::Lenses;
use crate::engine::deps::{Placed, crate_tree};
use crate::engine::report::audit::{ArtifactReport, FoundBy, NodeRole, SearchRule, Tree, TreeEdge};
use crate::engine::report::tree::TreeDocument;
use crate::engine::stage::Session;
use color_eyre::Result;
use std::collections::BTreeSet;

/// Prints the tree.
///
/// # Errors
/// When the artifact can't be found or the output can't be written.
pub fn tree(arguments: &Arguments, common: &Common, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let lenses = match arguments.lens {
        LensName::Loader => Lenses::LoaderOnly,
        LensName::Lddtree => Lenses::Both,
    };
    let paths = [arguments.path.clone()];
    let mut session = artifacts::open(&paths, common, lenses, &context, output)?;
    let document = session.audit_document(artifacts::host(), &context)?;
    let mut status = OK;
    for artifact in &document.artifacts {
        if let Some(error) = &artifact.error {
            output.note(format_args!("wheelwright: {}", error.message));
            status = TROUBLE;
            continue;
        }
        let tree = match arguments.lens {
            LensName::Loader => artifact.slices.first().and_then(|slice| slice.tree.clone()),
            LensName::Lddtree => Some(repair_tools_tree(&session, artifact)?),
        };
        let Some(tree) = tree else { continue };
        if status == OK && tree.nodes.iter().any(|node| node.role == NodeRole::Missing) {
            status = FINDINGS;
        }
        if !arguments.json {
            print(artifact, &tree, arguments.all, common.verbose, output)?;
            continue;
        }
        let lens = match arguments.lens {
            LensName::Loader => "loader",
            LensName::Lddtree => "lddtree",
        };
        output.json(&TreeDocument {
            schema: "wheelwright/tree/1".to_owned(),
            path: artifact.path.clone(),
            lens: lens.to_owned(),
            tree,
        })?;
        break;
    }
    Ok(status)
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

fn print(artifact: &ArtifactReport, tree: &Tree, all: bool, verbose: bool, output: &mut Output) -> Result<()> {
    output.line(output.tone(Tone::Strong, artifact.path.display()))?;
    let mut printer = Printer { tree, all, verbose, shown: BTreeSet::new(), output };
    printer.needs_of(0, "")
}

struct Printer<'a> {
    tree: &'a Tree,
    all: bool,
    verbose: bool,
    /// Nodes whose needs were shown.
    shown: BTreeSet<usize>,
    output: &'a mut Output,
}

impl Printer<'_> {
    fn needs_of(&mut self, node: usize, indent: &str) -> Result<()> {
        self.shown.insert(node);
        let edges: Vec<&TreeEdge> = self.tree.edges.iter().filter(|edge| edge.from == node).collect();
        for (number, edge) in edges.iter().enumerate() {
            let last = number + 1 == edges.len();
            let (branch, below) = if last { ("└─ ", "   ") } else { ("├─ ", "│  ") };
            let below = format!("{indent}{below}");
            let text = self.edge(edge);
            self.output.line(format_args!("{indent}{branch}{text}"))?;
            let missing = self.tree.nodes.get(edge.to).is_some_and(|to| to.role == NodeRole::Missing);
            if missing || self.verbose {
                for candidate in &edge.candidates {
                    let text = format!(
                        "{below}  tried {} [{}] {}",
                        candidate.path.display(),
                        rule_name(candidate.rule),
                        rejection(candidate.rejected)
                    );
                    let text = self.output.tone(Tone::Faint, text);
                    self.output.line(text)?;
                }
            }
            let again = self.shown.contains(&edge.to);
            // A cycle is followed once even with --all: its inner needs stand above.
            if (!again || self.all) && indent.len() < 3 * 32 && !(again && self.is_above(edge.to, node)) {
                self.needs_of(edge.to, &below)?;
            }
        }
        Ok(())
    }

    fn is_above(&self, wanted: usize, from: usize) -> bool {
        let (mut seen, mut open) = (BTreeSet::new(), vec![wanted]);
        while let Some(node) = open.pop() {
            if node == from {
                return true;
            }
            if seen.insert(node) {
                open.extend(self.tree.edges.iter().filter(|edge| edge.from == node).map(|edge| edge.to));
            }
        }
        false
    }

    fn edge(&self, edge: &TreeEdge) -> String {
        let Some(to) = self.tree.nodes.get(edge.to) else { return edge.needed.clone() };
        let place = to.path.as_ref().map(|path| format!(" => {}", path.display())).unwrap_or_default();
        let role = match to.role {
            NodeRole::Root => "",
            NodeRole::Allowed => "allowed",
            NodeRole::External => "external",
            NodeRole::Missing => "MISSING",
            NodeRole::Interpreter => "interpreter",
            NodeRole::Libpython => "libpython",
            NodeRole::System => "system",
            NodeRole::Excluded => "excluded",
        };
        let tone = match to.role {
            NodeRole::Missing => Tone::Bad,
            NodeRole::External => Tone::Warning,
            _ => Tone::Faint,
        };
        let how = edge.found_by.as_ref().map(|found| format!(" [{}]", found_by(found))).unwrap_or_default();
        let versions = if edge.versions_missing.is_empty() {
            String::new()
        } else {
            format!(" lacks {}", edge.versions_missing.join(", "))
        };
        let optional = if edge.weak { " optional" } else { "" };
        format!("{}{place}{how} {}{optional}{versions}", edge.needed, self.output.tone(tone, role))
    }
}

/// What found a library, in words: `RUNPATH of libgreet.so.1, $ORIGIN`.
#[must_use]
pub fn found_by(found: &FoundBy) -> String {
    let mut text = rule_name(found.rule).to_owned();
    if let Some(owner) = &found.owner {
        text.push_str(" of ");
        text.push_str(owner);
    }
    if let Some(entry) = &found.entry {
        text.push_str(", ");
        text.push_str(entry);
    }
    if let Some(hwcaps) = &found.hwcaps {
        text.push_str(", glibc-hwcaps/");
        text.push_str(hwcaps);
    }
    text
}

/// A search rule as manuals name it.
#[must_use]
pub fn rule_name(rule: SearchRule) -> &'static str {
    match rule {
        SearchRule::AlreadyLoaded => "already loaded",
        SearchRule::Absolute => "absolute path",
        SearchRule::Relative => "relative path",
        SearchRule::LdPreload => "LD_PRELOAD",
        SearchRule::Rpath => "RPATH",
        SearchRule::MainRpath => "RPATH of the main program",
        SearchRule::LdLibraryPath => "LD_LIBRARY_PATH",
        SearchRule::Runpath => "RUNPATH",
        SearchRule::LdSoCache => "ld.so.cache",
        SearchRule::LdSoConf => "ld.so.conf",
        SearchRule::MuslPath => "ld-musl path file",
        SearchRule::Default => "default directory",
        SearchRule::LoaderPath => "@loader_path",
        SearchRule::ExecutablePath => "@executable_path",
        SearchRule::DllDir => "DLL search",
        SearchRule::LdPath => "--ld-path",
        SearchRule::LinkedPath => "linked path (build machine only)",
    }
}

fn rejection(rejected: crate::engine::report::audit::Rejection) -> &'static str {
    use crate::engine::report::audit::Rejection;
    match rejected {
        Rejection::Missing => "no such file",
        Rejection::WrongArch => "another machine",
        Rejection::WrongClass => "another word size",
        Rejection::WrongEndian => "the other byte order",
        Rejection::WrongAbi => "another ABI",
        Rejection::Unreadable => "unreadable",
        Rejection::NotALibrary => "no library",
    }
}
