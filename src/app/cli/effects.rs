//! Steps and effects in words, for `plan` and `run`.

use super::human_size;
use super::output::{Output, Tone};
use crate::engine::report::plan::{PlannedEffect, Refusal, Step};
use color_eyre::Result;

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
    let cost = match (count, reads, writes) {
        (0, ..) => "no effects".to_owned(),
        (_, 0, 0) => format!("{count} effects, no bytes moved"),
        _ => format!("{count} effects, reads at most {}, writes at most {}", human_size(reads), human_size(writes)),
    };
    let name = output.tone(Tone::Strong, format_args!("{number} {}", step.title()));
    output.line(format_args!("{name}  {cost}"))
}

/// Prints one effect with its reason.
///
/// # Errors
/// When the output can't be written.
pub fn effect(mark: &str, effect: &PlannedEffect, output: &mut Output) -> Result<()> {
    let to = effect.to.as_ref().map(|to| format!(" → {}", to.display())).unwrap_or_default();
    output.line(format_args!("  {mark} {:<15} {}{to}", effect.kind.replace('_', " "), effect.path.display()))?;
    if let Some(detail) = &effect.detail {
        output.line(format_args!("      {detail}"))?;
    }
    let why = output.tone(Tone::Faint, format_args!("      {}", effect.why));
    output.line(why)
}

/// Prints why a step can't be taken.
///
/// # Errors
/// When the output can't be written.
pub fn refusal(refusal: &Refusal, output: &mut Output) -> Result<()> {
    let word = output.tone(Tone::Bad, "refused");
    output.line(format_args!("  {word} {}: {}", refusal.artifact.display(), refusal.reason))?;
    output.line(format_args!("          {}", refusal.way_out))
}
