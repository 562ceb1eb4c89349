//! The questions that take their time, answered only where they are asked, into a report that stands already.

use super::exclude::Pattern;
use super::reach::{self, Subject};
use super::{Audit, AuditOptions, Lenses, Tag, demands_of, demands_of_artifact, external, family_of, owned};
use crate::engine::code;
use crate::engine::deps::{Loader, LoaderInputs, Node, Placed, crate_tree_below};
use crate::engine::file::Windows;
use crate::engine::project::Artifact;
use crate::engine::report::audit::ArtifactReport;
use crate::engine::symbols::bind;
use crate::engine::{Context, Result};
use std::path::{Path, PathBuf};

/// What is looked into only where it is asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Questions {
    /// Which library binds each undefined symbol.
    pub symbols: bool,
    /// Which instructions the architecture's baseline does not have.
    pub instructions: bool,
    /// What it may open at run time, and what would come of it.
    pub dlopen: bool,
    /// Which package owns each library of the trees.
    pub owners: bool,
    /// What it would take to bear this tag.
    pub reach: Option<Tag>,
}

/// One of them.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Question {
    /// Which library binds each undefined symbol.
    Symbols,
    /// Which instructions the architecture's baseline does not have.
    Instructions,
    /// What it may open at run time, and what would come of it.
    Dlopen,
    /// Which package owns each library of the trees.
    Owners,
    /// What it would take to bear this tag.
    Reach(Tag),
}

impl Question {
    /// What is being done, for people.
    #[must_use]
    pub const fn label(&self) -> &'static str {
        match self {
            Self::Symbols => "bind symbols",
            Self::Instructions => "decode instructions",
            Self::Dlopen => "look for dlopen",
            Self::Owners => "find owners",
            Self::Reach(_) => "what it takes",
        }
    }

    /// Whether `report` holds an answer. That no library has an owner can't be told from not having asked.
    #[must_use]
    pub fn is_answered(&self, report: &ArtifactReport) -> bool {
        let slices = || report.slices.iter();
        match self {
            Self::Symbols => slices().any(|slice| slice.symbols.is_some()),
            Self::Instructions => slices().any(|slice| slice.instructions.is_some()),
            Self::Dlopen => report.dlopen.as_ref().is_some_and(|opened| opened.candidates.is_some()),
            Self::Owners => slices()
                .filter_map(|slice| slice.tree.as_ref())
                .any(|tree| tree.nodes.iter().any(|n| n.owner.is_some())),
            Self::Reach(tag) => {
                let reach = report.policy.as_ref().and_then(|policy| policy.reach.as_ref());
                reach.is_some_and(|reach| reach.tag == tag.name())
            }
        }
    }
}

impl From<Question> for Questions {
    fn from(question: Question) -> Self {
        let none = Self::default();
        match question {
            Question::Symbols => Self { symbols: true, ..none },
            Question::Instructions => Self { instructions: true, ..none },
            Question::Dlopen => Self { dlopen: true, ..none },
            Question::Owners => Self { owners: true, ..none },
            Question::Reach(tag) => Self { reach: Some(tag), ..none },
        }
    }
}

/// Answers `questions` in the report of `found`, the audit of `artifact`, whose clean bytes are at `clean`.
///
/// # Errors
/// [`crate::engine::Error::Cancelled`]; when a file can't be read any more.
pub fn answer(
    found: &mut Audit,
    artifact: &Artifact,
    clean: &Path,
    options: &AuditOptions,
    questions: &Questions,
    context: &Context,
) -> Result<()> {
    if questions.owners {
        owned::fill_owners(&mut found.report, &options.owners, context)?;
    }
    if questions.symbols {
        symbols(found, artifact, clean, options, context)?;
    }
    if questions.instructions
        && let Some(binary) = &found.binary
    {
        let source = Windows::open(clean)?;
        for (report, slice) in found.report.slices.iter_mut().zip(&binary.slices) {
            report.instructions = code::instructions(slice, &source, context)?;
        }
    }
    if let Some(tag) = &questions.reach {
        reach_of(found, artifact, clean, options, tag, context)?;
    }
    context.advance(0)
}

fn reach_of(
    found: &mut Audit,
    artifact: &Artifact,
    clean: &Path,
    options: &AuditOptions,
    tag: &Tag,
    context: &Context,
) -> Result<()> {
    let (Some(binary), Some(graph)) = (&found.binary, &found.graph) else { return Ok(()) };
    let source = Windows::open(clean)?;
    let (Some((demands, role)), Some(slice)) = (demands_of_artifact(artifact, binary, &source)?, binary.slices.first())
    else {
        return Ok(());
    };
    let inputs = options.inputs_for(artifact);
    let family = family_of(inputs.libc_of(binary));
    // What would be bundled depends on the tag: a newer one allows more libraries.
    let bundled = match reach::policy(tag, family, &demands.architecture) {
        Some(policy) if options.lenses == Lenses::Both => {
            let placed = Placed { read_from: clean, loaded_as: &artifact.loaded_as };
            let paths: Vec<PathBuf> = inputs.linked_paths.iter().chain(&options.ld_paths).cloned().collect();
            let tree = crate_tree_below(&placed, &paths, inputs.sysroot.as_deref())?;
            let exclude: Vec<Pattern> = options.exclude.iter().map(|text| Pattern::new(text)).collect();
            demands_of(&external::of_elf(&tree, &policy, &exclude))
        }
        _ => Vec::new(),
    };
    let subject = Subject { demands: &demands, family, role, slice, source: &source, graph };
    let answer = reach::reach(tag, &subject, &bundled, context)?;
    if let Some(policy) = &mut found.report.policy {
        policy.reach = Some(answer);
    }
    Ok(())
}

fn symbols(
    found: &mut Audit,
    artifact: &Artifact,
    clean: &Path,
    options: &AuditOptions,
    context: &Context,
) -> Result<()> {
    let (Some(graph), Some(binary)) = (&found.graph, &found.binary) else { return Ok(()) };
    let Some(slice) = found.report.slices.first_mut() else { return Ok(()) };
    let inputs = options.inputs_for(artifact);
    // What the host brings is asked first, as after dlopen(3).
    let host = match &inputs.host {
        Some(program) => {
            let alone = LoaderInputs { host: None, linked_paths: Vec::new(), ..inputs.clone() };
            Some(Loader::default().resolve(&Placed::in_place(program), 0, &alone, context)?)
        }
        None => None,
    };
    let before: Vec<&Node> = host.iter().flat_map(|graph| &graph.nodes).collect();
    slice.symbols = bind(graph, &Windows::open(clean)?, inputs.libc_of(binary), &before, context)?;
    Ok(())
}
