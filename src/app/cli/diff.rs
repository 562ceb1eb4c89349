//! `wheelwright diff A B`.

use super::arguments::Diff;
use super::output::{Output, Tone};
use super::{FINDINGS, OK, environment};
use crate::engine::compare::compare;
use crate::engine::report::diff::{DiffDocument, RunKind};
use color_eyre::Result;

/// Prints what differs.
///
/// # Errors
/// When a file can't be read or the output can't be written.
pub fn diff(arguments: &Diff, output: &mut Output) -> Result<u8> {
    let context = environment::interruptible()?;
    let (a, b) = (environment::absolute(&arguments.a), environment::absolute(&arguments.b));
    let document = compare(&a, &b, &context)?;
    if arguments.json {
        output.json(&document)?;
    } else {
        print(&document, output)?;
    }
    Ok(if document.equal { OK } else { FINDINGS })
}

fn print(document: &DiffDocument, output: &mut Output) -> Result<()> {
    if document.equal {
        return output.line("the files are equal to the last byte");
    }
    let bytes: u64 = document.runs.iter().map(|run| run.len).sum();
    let heading = format!("{} runs, {bytes} bytes", document.runs_total);
    output.line(output.tone(Tone::Strong, heading))?;
    for run in &document.runs {
        let kind = match run.kind {
            RunKind::Changed => "changed",
            RunKind::Inserted => "inserted",
            RunKind::Removed => "removed",
        };
        let region = run.region.as_deref().unwrap_or("");
        let meaning = run.meaning.as_deref().unwrap_or("");
        output.line(format_args!("{:#010x} {:>8} {kind:<8} {region:<20} {meaning}", run.offset, run.len))?;
    }
    if document.runs_total > document.runs.len() as u64 {
        output.line(format_args!("… and {} more runs", document.runs_total - document.runs.len() as u64))?;
    }
    for change in &document.structure {
        let before = change.before.as_deref().unwrap_or("—");
        let after = change.after.as_deref().unwrap_or("—");
        output.line(format_args!("{}: {before} → {after}", change.what))?;
    }
    Ok(())
}
