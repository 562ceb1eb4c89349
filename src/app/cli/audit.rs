//! `wheelwright audit`: what is known of each artifact, in words or as the document.

use super::arguments::{Audit, Common};
use super::output::{Output, Tone};
use super::{FINDINGS, OK, TROUBLE, artifacts, environment, human_size};
use crate::engine::audit::Lenses;
use crate::engine::binary::Format;
use crate::engine::report::audit::{ArtifactReport, AuditDocument, Severity};
use color_eyre::Result;

/// Prints the audit.
///
/// # Errors
/// When an artifact can't be found or the output can't be written.
pub fn audit(arguments: &Audit, common: &Common, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let lenses = if arguments.loader_only { Lenses::LoaderOnly } else { Lenses::Both };
    let mut session = artifacts::open(&arguments.paths, common, lenses, &context, output)?;
    let document = session.audit_document(artifacts::host(), &context)?;
    if arguments.json {
        output.json(&document)?;
    } else {
        print(&document, common.verbose, output)?;
    }
    Ok(if document.artifacts.iter().any(|artifact| artifact.error.is_some()) {
        TROUBLE
    } else if document.summary.findings.error > 0 {
        FINDINGS
    } else {
        OK
    })
}

fn print(document: &AuditDocument, verbose: bool, output: &mut Output) -> Result<()> {
    for artifact in &document.artifacts {
        print_artifact(artifact, verbose, output)?;
        output.line("")?;
    }
    let summary = &document.summary;
    output.line(format_args!(
        "{} artifacts, {} to be patched; {} errors, {} warnings, {} notes",
        summary.artifacts, summary.will_patch, summary.findings.error, summary.findings.warning, summary.findings.note
    ))
}

fn print_artifact(artifact: &ArtifactReport, verbose: bool, output: &mut Output) -> Result<()> {
    let arch: Vec<&str> = artifact.slices.iter().map(|slice| slice.arch.as_str()).collect();
    let format = artifact.format.map_or("", format_name);
    let size = artifact.size.map_or_else(|| "not there".to_owned(), human_size);
    let name = output.tone(Tone::Strong, &artifact.name);
    output.line(format_args!("{name}  {format} {}  {size}", arch.join(" ")))?;
    row("path", artifact.path.display(), output)?;
    if let Some(error) = &artifact.error {
        row("error", output.tone(Tone::Bad, &error.message), output)?;
    }
    if let Some(sha256) = &artifact.sha256 {
        row("sha256", sha256, output)?;
    }
    if let Some(policy) = &artifact.policy {
        row("tag", format_args!("{} (by symbols {})", policy.tag, policy.symbol_tag), output)?;
    }
    if artifact.format == Some(Format::Elf) {
        let word = |value| match value {
            Some(true) => "yes",
            Some(false) => "no",
            None => "not looked at",
        };
        let will = &artifact.will_patch;
        row("will patch", format_args!("{} (editable: {})", word(will.repair), word(will.editable)), output)?;
        for edit in &will.edits {
            row("", edit, output)?;
        }
    }
    for slice in &artifact.slices {
        for entry in &slice.rpath.entries {
            let note = entry.note.as_ref().map(|note| format!("  ({note})")).unwrap_or_default();
            row("search path", format_args!("{}{note}", entry.literal), output)?;
        }
    }
    for library in artifact.external_libs.iter().flatten() {
        let place =
            library.realpath.as_ref().map_or_else(|| "found nowhere".to_owned(), |path| path.display().to_string());
        let grafted = library.grafted_name.as_ref().map(|name| format!(" → {name}")).unwrap_or_default();
        row("external", format_args!("{}{grafted}  {place}", library.name), output)?;
    }
    let missing = artifact.slices.iter().flat_map(|slice| slice.tree.iter());
    for node in missing.flat_map(|tree| &tree.nodes).filter(|node| node.path.is_none() && is_missing(node.role)) {
        row("missing", output.tone(Tone::Bad, &node.name), output)?;
    }
    if let Some(points) = &artifact.entry_points
        && !points.found.is_empty()
    {
        row("entry points", points.found.join(", "), output)?;
    }
    for finding in &artifact.findings {
        let tone = match finding.severity {
            Severity::Error => Tone::Bad,
            Severity::Warning => Tone::Warning,
            Severity::Note => Tone::Faint,
        };
        let severity = match finding.severity {
            Severity::Error => "error",
            Severity::Warning => "warning",
            Severity::Note => "note",
        };
        let head = output.tone(tone, format_args!("{} {severity}", finding.code));
        output.line(format_args!("  {head}: {}", finding.title))?;
        let shown = if verbose { finding.evidence.len() } else { finding.evidence.len().min(3) };
        for evidence in finding.evidence.iter().take(shown) {
            output.line(format_args!("      {evidence}"))?;
        }
        if shown < finding.evidence.len() {
            output.line(format_args!("      … {} more with -v", finding.evidence.len() - shown))?;
        }
        for fix in &finding.fix {
            output.line(format_args!("    fix {fix}"))?;
        }
    }
    Ok(())
}

fn is_missing(role: crate::engine::report::audit::NodeRole) -> bool {
    role == crate::engine::report::audit::NodeRole::Missing
}

fn row(name: &str, value: impl std::fmt::Display, output: &mut Output) -> Result<()> {
    output.line(format_args!("  {name:<13} {value}"))
}

/// A format's name as its own world writes it.
#[must_use]
pub fn format_name(format: Format) -> &'static str {
    match format {
        Format::Elf => "ELF",
        Format::MachO => "Mach-O",
        Format::Pe => "PE",
    }
}
