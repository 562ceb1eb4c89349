//! How an edit fits, in words: the way that is taken, and, where more is asked for, the room, the ways that were weighed
//! and what the edit does to the file besides.

use super::output::{Output, Tone};
use crate::engine::report::fit::{Fit, RelroFate, Verdict};
use crate::engine::report::fit_words;
use crate::engine::report::words::grouped;
use color_eyre::Result;

/// Prints `fit` behind `indent` spaces: one line, or with `details` everything but the layouts.
///
/// # Errors
/// When the output can't be written.
pub(super) fn print(fit: &Fit, details: bool, indent: usize, output: &mut Output) -> Result<()> {
    let relro = match fit.relro {
        RelroFate::Lost => output.tone(Tone::Bad, fit_words::relro(fit.relro)),
        RelroFate::Kept | RelroFate::None => fit_words::relro(fit.relro).to_owned(),
    };
    let way = output.tone(Tone::Strong, fit_words::chosen(fit));
    output.line(format_args!("{:indent$}{way}; {}; {relro}", "", fit_words::growth(fit)))?;
    if !details {
        return Ok(());
    }
    if !fit.rooms.is_empty() {
        heading("room", indent, output)?;
    }
    for room in &fit.rooms {
        let need = room.need.map_or_else(|| "-".to_owned(), grouped);
        let enough = format!("{:<14}", fit_words::enough(room));
        let short = room.need.is_some_and(|need| need > room.room);
        let enough = if short { output.tone(Tone::Warning, enough) } else { enough };
        let (place, has) = (fit_words::place(room.place), grouped(room.room));
        output.line(format_args!(
            "{:indent$}  {place:<17}  needs {need:>7}  has {has:>7}  {enough}  {}",
            "", room.detail
        ))?;
    }
    heading("ways weighed", indent, output)?;
    for way in &fit.considered {
        let word = format!("{:<10}", fit_words::verdict(way.verdict));
        let word = match way.verdict {
            Verdict::Chosen => output.tone(Tone::Strong, word),
            Verdict::Refused => output.tone(Tone::Warning, word),
            Verdict::NotNeeded => output.tone(Tone::Faint, word),
        };
        let (name, why) = (fit_words::strategy(way.strategy), fit_words::why(way));
        let why = if why.is_empty() { why } else { format!(": {why}") };
        output.line(format_args!("{:indent$}  {word}  {name}{why}", ""))?;
    }
    if !fit.consequences.is_empty() {
        heading("besides", indent, output)?;
    }
    for consequence in &fit.consequences {
        output.line(format_args!("{:indent$}  {consequence}", ""))?;
    }
    Ok(())
}

fn heading(text: &str, indent: usize, output: &mut Output) -> Result<()> {
    output.line(format_args!("{:indent$}{}", "", output.tone(Tone::Strong, text)))
}
