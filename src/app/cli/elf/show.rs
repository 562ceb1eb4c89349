//! A plan in words: what would be written, how it fits, and what it does to the file besides.

use super::super::fit_text;
use super::super::output::{Output, Tone};
use crate::engine::report::elf::{ElfFile, ElfPlan};
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
        fit_text::print(fit, true, 2, output)?;
    }
    if let Some(proof) = &file.proof {
        let passed = proof.checks.iter().filter(|check| check.ok).count();
        let all = words::counted(proof.checks.len(), "check", "checks");
        output.line(format_args!("  proven beforehand: {passed} of {all} passed"))?;
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

fn heading(text: &str, output: &mut Output) -> Result<()> {
    output.line(format_args!("  {}", output.tone(Tone::Strong, text)))
}
