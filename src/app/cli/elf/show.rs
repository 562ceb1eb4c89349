//! A plan in words: what would be written, how it fits, and what it does to the file besides.

use super::super::output::{Output, Tone};
use crate::engine::report::elf::{ElfFile, ElfPlan};
use crate::engine::report::fit::{Fit, Strategy, Verdict};
use crate::engine::report::words;
use color_eyre::Result;

/// Prints what would be done to `file`.
///
/// # Errors
/// When the output can't be written.
pub fn plan(file: &ElfFile, output: &mut Output) -> Result<()> {
    output.line(output.tone(Tone::Strong, file.path.display()))?;
    let Some(plan) = file.plan.as_ref().filter(|plan| !plan.changes.is_empty()) else {
        return match &file.refusal {
            Some(_) => Ok(()),
            None => output.line("  nothing to change"),
        };
    };
    for change in &plan.changes {
        output.line(format_args!("  {change}"))?;
    }
    output.line(format_args!("  {}", cost(plan)))?;
    if let Some(fit) = &plan.fit {
        show_fit(fit, output)?;
    }
    heading("writes", output)?;
    for patch in &plan.patches {
        output.line(format_args!("    {:#010x} {:>8}  {}", patch.offset, patch.length, patch.meaning))?;
    }
    Ok(())
}

fn cost(plan: &ElfPlan) -> String {
    let mut text = format!("reads at most {}, writes at most {}", words::bytes(plan.reads), words::bytes(plan.writes));
    if plan.fit.is_none() {
        text = format!("{}; {text}", plan.layout);
    }
    if let Some(insertion) = &plan.insertion {
        text.push_str(&format!(
            "; inserts {} at {:#x}, behind which {} move where the filesystem can't insert",
            words::bytes(insertion.length),
            insertion.offset,
            words::bytes(plan.shifted)
        ));
    }
    match plan.size_after {
        Some(size) if size != plan.size_before => {
            text.push_str(&format!("; {} bytes become {}", words::grouped(plan.size_before), words::grouped(size)));
        }
        _ => {}
    }
    text
}

fn show_fit(fit: &Fit, output: &mut Output) -> Result<()> {
    if !fit.rooms.is_empty() {
        heading("room", output)?;
    }
    for room in &fit.rooms {
        let need = room.need.map_or_else(|| "-".to_owned(), words::grouped);
        let row = format!("    need {need:>7}  has {:>9}  {}", words::grouped(room.room), room.detail);
        output.line(row)?;
    }
    heading("ways", output)?;
    for way in &fit.considered {
        let verdict = match way.verdict {
            Verdict::Chosen => "chosen",
            Verdict::Refused => "refused",
            Verdict::NotNeeded => "not needed",
        };
        let short = match (way.need, way.room) {
            (Some(need), Some(room)) => format!(" (needs {}, has {})", words::grouped(need), words::grouped(room)),
            _ => String::new(),
        };
        output.line(format_args!("    {verdict:<10}  {:<30}  {}{short}", name(way.strategy), way.why))?;
    }
    if !fit.consequences.is_empty() {
        heading("besides", output)?;
    }
    for consequence in &fit.consequences {
        output.line(format_args!("    {consequence}"))?;
    }
    Ok(())
}

fn name(strategy: Strategy) -> &'static str {
    match strategy {
        Strategy::InPlace => "in place",
        Strategy::RelroPadding => "RELRO padding",
        Strategy::RelroPaddingAndSegment => "RELRO padding and a segment",
        Strategy::StringsSegment => "a segment for the strings",
        Strategy::Appended => "a segment at the end",
        Strategy::DynamicMoved => ".dynamic moved out of RELRO",
    }
}

fn heading(text: &str, output: &mut Output) -> Result<()> {
    output.line(format_args!("  {}", output.tone(Tone::Faint, text)))
}
