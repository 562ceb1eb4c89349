//! Steps and effects in words, for `plan` and `run`.

use super::output::{Output, Tone};
use crate::engine::report::plan::{PlannedEffect, Refusal, Step};
use crate::engine::report::words::{self, counted};
use color_eyre::Result;

/// Where what there is to say of an effect begins.
pub const INDENT: usize = 20;

/// Prints a step's heading: its number, its name, what it can cost.
///
/// # Errors
/// When the output can't be written.
pub fn heading<'a>(step: Step, effects: impl Iterator<Item = &'a PlannedEffect>, output: &mut Output) -> Result<()> {
    let (mut count, mut reads, mut writes) = (0_usize, 0_u64, 0_u64);
    for effect in effects {
        count += 1;
        reads = reads.saturating_add(effect.reads);
        writes = writes.saturating_add(effect.writes);
    }
    let number = Step::ALL.iter().position(|other| *other == step).map_or(0, |at| at + 1);
    let effects = counted(count, "effect", "effects");
    let cost = match (count, reads, writes) {
        (0, ..) => "no effects".to_owned(),
        (_, 0, 0) => format!("{effects}, no bytes moved"),
        _ => format!("{effects}, reads at most {}, writes at most {}", words::bytes(reads), words::bytes(writes)),
    };
    let name = format!("{number} {}", step.title());
    let name = output.tone(Tone::Strong, format_args!("{name:<12}"));
    output.line(format_args!("{name} {cost}"))
}

/// Prints one effect with its reason.
///
/// # Errors
/// When the output can't be written.
pub fn effect(mark: &str, effect: &PlannedEffect, output: &mut Output) -> Result<()> {
    output.line(format_args!("  {mark} {:<15} {}", words::effect(&effect.kind), effect.path.display()))?;
    if let Some(to) = &effect.to {
        output.line(format_args!("{:18}→ {}", "", to.display()))?;
    }
    if let Some(detail) = &effect.detail {
        output.line(format_args!("{:INDENT$}{detail}", ""))?;
    }
    let why = output.tone(Tone::Faint, &effect.why);
    output.line(format_args!("{:INDENT$}{why}", ""))
}

/// Prints what else there is to say of a step, and why it can't be taken where it can't.
///
/// # Errors
/// When the output can't be written.
pub fn remarks(notes: &[String], refusals: &[Refusal], output: &mut Output) -> Result<()> {
    for note in notes {
        output.line(format_args!("  - {:<15} {note}", "note"))?;
    }
    for refusal in refusals {
        let word = output.tone(Tone::Bad, format_args!("{:<15}", "refused"));
        output.line(format_args!("  ✗ {word} {}", refusal.artifact.display()))?;
        output.line(format_args!("{:INDENT$}{}", "", refusal.reason))?;
        output.line(format_args!("{:INDENT$}{}", "", refusal.way_out))?;
    }
    Ok(())
}
