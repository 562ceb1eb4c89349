//! `wheelwright diff A B`.

use super::arguments::Diff;
use super::output::{Output, Tone};
use super::{FINDINGS, OK, environment, torn};
use crate::engine::compare::compare;
use crate::engine::report::diff::{DiffDocument, RunKind};
use crate::engine::report::words::{self, counted};
use color_eyre::Result;

/// Prints what differs.
///
/// # Errors
/// When a file can't be read or the output can't be written.
pub fn diff(arguments: &Diff, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let (a, b) = (environment::absolute(&arguments.a), environment::absolute(&arguments.b));
    for said in torn::mend([a.as_path(), b.as_path()]) {
        output.note(format_args!("note: {said}"));
    }
    let document = compare(&a, &b, &context)?;
    if arguments.json {
        output.json(&document)?;
    } else {
        print(&document, output)?;
    }
    Ok(if document.equal { OK } else { FINDINGS })
}

/// A meaning that is longer stands on a line of its own.
const SHORT: usize = 34;

fn print(document: &DiffDocument, output: &mut Output) -> Result<()> {
    if document.equal {
        return output.line("the files are equal to the last byte");
    }
    if !document.structure.is_empty() {
        output.line(output.tone(Tone::Strong, "structure"))?;
    }
    for change in &document.structure {
        let before = change.before.as_deref().unwrap_or("—");
        let after = change.after.as_deref().unwrap_or("—");
        if before.len() + after.len() <= SHORT {
            output.line(format_args!("  {:<24} {before} → {after}", change.what))?;
        } else {
            output.line(format_args!("  {:<24} {before}", change.what))?;
            output.line(format_args!("{:25}→ {after}", ""))?;
        }
    }
    let bytes: u64 = document.runs.iter().map(|run| run.len).sum();
    let runs = counted(usize::try_from(document.runs_total).unwrap_or(usize::MAX), "run", "runs");
    let heading = format!("{runs}, {} bytes", words::grouped(bytes));
    output.line(output.tone(Tone::Strong, heading))?;
    for run in &document.runs {
        let kind = match run.kind {
            RunKind::Changed => "changed",
            RunKind::Inserted => "inserted",
            RunKind::Removed => "removed",
        };
        let region = run.region.as_deref().unwrap_or("");
        let meaning = run.meaning.as_deref().unwrap_or("");
        let row = format!("  {:#010x} {:>8} {kind:<8} {region:<20}", run.offset, run.len);
        if meaning.chars().count() <= SHORT {
            output.line(format!("{row} {meaning}").trim_end())?;
        } else {
            output.line(row.trim_end())?;
            output.line(format_args!("{:22}{meaning}", ""))?;
        }
    }
    let left_out = document.runs_total.saturating_sub(document.runs.len() as u64);
    if left_out > 0 {
        output.line(format_args!("  … and {} more runs", words::grouped(left_out)))?;
    }
    Ok(())
}
