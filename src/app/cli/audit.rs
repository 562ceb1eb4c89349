//! `wheelwright audit`: what is known of each artifact, in words or as the document.

use super::arguments::{Audit, Common};
use super::artifacts::Look;
use super::output::{Output, Tone};
use super::{
    FINDINGS, OK, TROUBLE, adopt, artifacts, audit_dlopen, audit_instructions, audit_reach, audit_symbols, environment,
};
use crate::engine::audit::{Lenses, Questions, Tag};
use crate::engine::report::audit::{ArtifactReport, AuditDocument, Finding, NodeRole, Severity};
use crate::engine::report::words::{self, counted};
use color_eyre::Result;
use std::collections::BTreeSet;
use std::fmt::Display;

/// How many lines of evidence a finding shows without `-v`.
const EVIDENCE: usize = 3;

/// Prints the audit.
///
/// # Errors
/// When an artifact can't be found or the output can't be written.
pub fn audit(arguments: &Audit, common: &Common, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let lenses = if arguments.loader_only { Lenses::LoaderOnly } else { Lenses::Both };
    let questions = Questions {
        symbols: arguments.symbols,
        instructions: arguments.instructions,
        dlopen: says_all(arguments, common),
        owners: arguments.owners,
        reach: arguments.reach.as_deref().map(Tag::parse).transpose()?,
    };
    let mut opened = artifacts::open(&arguments.paths, common, Look { lenses, questions }, &context, output)?;
    if arguments.try_remedies {
        adopt::try_remedies(&mut opened.session, &context)?;
    }
    let document = opened.session.audit_document(artifacts::host(), &context)?;
    if arguments.json {
        output.json(&document)?;
    } else {
        print(&document, (arguments, common), output)?;
    }
    for note in opened.session.owners().notes() {
        output.note(format_args!("note: {note}"));
    }
    Ok(if document.artifacts.iter().any(|artifact| artifact.error.is_some()) {
        TROUBLE
    } else if document.summary.findings.error > 0 {
        FINDINGS
    } else {
        OK
    })
}

/// Whether everything is to be said of what is opened at run time.
fn says_all(arguments: &Audit, common: &Common) -> bool {
    arguments.dlopen || arguments.try_remedies || common.trace.is_some()
}

fn print(document: &AuditDocument, asked: (&Audit, &Common), output: &mut Output) -> Result<()> {
    for artifact in &document.artifacts {
        print_artifact(artifact, asked, output)?;
        output.line("")?;
    }
    let summary = &document.summary;
    let unreadable = document.artifacts.iter().filter(|artifact| artifact.error.is_some()).count();
    let unreadable = if unreadable > 0 { format!(", {unreadable} unreadable") } else { String::new() };
    let tag = match (&summary.tag, &summary.symbol_tag) {
        (Some(tag), Some(symbols)) if tag == symbols => format!("; {tag} as it stands"),
        (Some(tag), Some(symbols)) => format!("; {tag} as it stands ({symbols} by symbols)"),
        _ => String::new(),
    };
    output.line(format_args!(
        "{}{unreadable}, {} to be patched; {}, {}, {}{tag}",
        counted(summary.artifacts, "artifact", "artifacts"),
        summary.will_patch,
        counted(summary.findings.error, "error", "errors"),
        counted(summary.findings.warning, "warning", "warnings"),
        counted(summary.findings.note, "note", "notes"),
    ))
}

fn print_artifact(
    artifact: &ArtifactReport,
    (arguments, common): (&Audit, &Common),
    output: &mut Output,
) -> Result<()> {
    let verbose = common.verbose;
    let size = artifact.size.map_or_else(|| "not there".to_owned(), words::bytes);
    let name = output.tone(Tone::Strong, &artifact.name);
    output.line(format_args!(
        "{name}  {}  {}  {size}",
        words::kind(artifact.kind),
        words::format_and_arch(artifact)
    ))?;
    row("path", artifact.path.display(), output)?;
    if let Some(sha256) = &artifact.sha256 {
        row("sha256", sha256, output)?;
    }
    if let Some(error) = &artifact.error {
        let own = format!("{}: ", artifact.path.display());
        let message = error.message.strip_prefix(&own).unwrap_or(&error.message);
        return row("error", output.tone(Tone::Bad, message), output);
    }
    if let Some(policy) = &artifact.policy {
        let symbols = &policy.symbol_tag;
        let own = if *symbols == policy.tag { String::new() } else { format!("  ({symbols} by its own symbols)") };
        row("tag", format_args!("{}{own}", policy.tag), output)?;
    }
    if let Some(reach) = artifact.policy.as_ref().and_then(|policy| policy.reach.as_ref()) {
        audit_reach::print(reach, verbose, output)?;
    }
    print_predictions(artifact, output)?;
    print_libraries(artifact, output)?;
    if let Some(points) = &artifact.entry_points
        && !points.found.is_empty()
    {
        row("entry points", points.found.join(", "), output)?;
    }
    for slice in &artifact.slices {
        audit_symbols::print(slice, verbose, output)?;
    }
    for instructions in artifact.slices.iter().filter_map(|slice| slice.instructions.as_ref()) {
        audit_instructions::print(instructions, verbose, output)?;
    }
    if let Some(reach) = artifact.policy.as_ref().and_then(|policy| policy.reach.as_ref()) {
        audit_reach::print(reach, verbose, output)?;
    }
    if let Some(opened) = &artifact.dlopen {
        let all = says_all(arguments, common);
        audit_dlopen::print(opened, audit_dlopen::Said { all, verbose }, output)?;
    }
    for finding in &artifact.findings {
        print_finding(finding, verbose, output)?;
    }
    Ok(())
}

fn print_predictions(artifact: &ArtifactReport, output: &mut Output) -> Result<()> {
    let will = &artifact.will_patch;
    row("repair", words::will_patch(will.repair), output)?;
    row("editable", words::will_patch(will.editable), output)?;
    rows("edits", &will.edits, output)
}

fn print_libraries(artifact: &ArtifactReport, output: &mut Output) -> Result<()> {
    for slice in &artifact.slices {
        let entry = |entry: &crate::engine::report::audit::RpathEntry| match &entry.note {
            Some(note) => format!("{}  ({note})", entry.literal),
            None => entry.literal.clone(),
        };
        let entries: Vec<String> = slice.rpath.entries.iter().map(entry).collect();
        rows("search path", &entries, output)?;
    }
    let mut absent = BTreeSet::new();
    for library in artifact.external_libs.iter().flatten() {
        let Some(place) = &library.realpath else { continue };
        let grafted = library.grafted_name.as_ref().map(|name| format!(" → {name}")).unwrap_or_default();
        row("external", format_args!("{}{grafted}", library.name), output)?;
        let owner = library.owner.as_ref().map(|owner| format!("  owner {}", words::owner(owner))).unwrap_or_default();
        row("", output.tone(Tone::Faint, format_args!("{}{owner}", place.display())), output)?;
    }
    let trees = artifact.slices.iter().flat_map(|slice| slice.tree.iter());
    let missing = trees.flat_map(|tree| &tree.nodes).filter(|node| node.role == NodeRole::Missing);
    for name in missing.map(|node| &node.name).filter(|name| absent.insert((*name).clone())) {
        row("missing", output.tone(Tone::Bad, name), output)?;
    }
    Ok(())
}

fn print_finding(finding: &Finding, verbose: bool, output: &mut Output) -> Result<()> {
    let tone = match finding.severity {
        Severity::Error => Tone::Bad,
        Severity::Warning => Tone::Warning,
        Severity::Note => Tone::Faint,
    };
    let head = format!("{} {}", finding.code, words::severity(finding.severity));
    let head = output.tone(tone, format_args!("{head:<13}"));
    output.line(format_args!("  {head} {}", finding.title))?;
    let shown = if verbose { finding.evidence.len() } else { EVIDENCE.min(finding.evidence.len()) };
    for evidence in finding.evidence.iter().take(shown) {
        row("", evidence, output)?;
    }
    if shown < finding.evidence.len() {
        row("", output.tone(Tone::Faint, format_args!("… {} more with -v", finding.evidence.len() - shown)), output)?;
    }
    rows("  fix", &finding.fix, output)
}

/// One label for several lines.
fn rows(name: &str, values: &[String], output: &mut Output) -> Result<()> {
    for (number, value) in values.iter().enumerate() {
        row(if number == 0 { name } else { "" }, value, output)?;
    }
    Ok(())
}

/// One labelled line.
pub(super) fn row(name: &str, value: impl Display, output: &mut Output) -> Result<()> {
    output.line(format_args!("  {name:<13} {value}"))
}
