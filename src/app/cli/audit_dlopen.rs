//! Of `wheelwright audit`: what an artifact opens at run time, in a few lines a name; with `--dlopen` all of the evidence.

use super::output::{Output, Tone};
use crate::engine::report::dlopen::{DlopenReport, OpenedName, OpenedVerdict, Opening, Remedy};
use crate::engine::report::opened_words as opened;
use crate::engine::report::words;
use color_eyre::Result;

/// How wide a line is at most, where it can be broken.
const WIDTH: usize = 80;
/// The cells before the text of a line.
const INDENT: usize = 16;
/// How many names are shown where only a short answer is wanted.
const SHOWN: usize = 5;

/// How much is said.
#[derive(Debug, Clone, Copy)]
pub(super) struct Said {
    /// Everything, with its evidence: it was asked for.
    pub all: bool,
    /// Remedies too, and every name.
    pub verbose: bool,
}

/// Prints what is known of opening at run time. Nothing, where there is nothing to say and nobody asked.
///
/// # Errors
/// When the output can't be written.
pub(super) fn print(report: &DlopenReport, said: Said, output: &mut Output) -> Result<()> {
    let names = report.candidates.as_deref().unwrap_or_default();
    if !said.all && names.is_empty() {
        return Ok(());
    }
    let imports = report.imports.iter().map(|import| import.name.as_str());
    row("opens", &opened::imports(imports, report.calls.as_ref().map(Vec::len)), Tone::Strong, output)?;
    for line in report.calls.iter().flat_map(|calls| opened::calls(calls)) {
        let unknown = line.ends_with("not known");
        if said.all || unknown {
            row("", &line, if unknown { Tone::Warning } else { Tone::Faint }, output)?;
        }
    }
    for note in &report.notes {
        row("", note, Tone::Faint, output)?;
    }
    if said.all && report.candidates.is_none() {
        row("", "the names that it may open were not looked for", Tone::Warning, output)?;
    } else if said.all && names.is_empty() {
        row("", "no name was found that it may open", Tone::Faint, output)?;
    }
    let shown = if said.all || said.verbose { names.len() } else { SHOWN };
    for name in names.iter().take(shown) {
        print_name(name, said, output)?;
    }
    if let more @ 1.. = names.len().saturating_sub(shown) {
        row("", &format!("… {more} more with --dlopen"), Tone::Faint, output)?;
    }
    if report.left_out > 0 {
        row("", &format!("{} more names are not listed", words::grouped(report.left_out)), Tone::Warning, output)?;
    }
    for run in report.opened_unforeseen.iter().flatten() {
        row("opened", &format!("{}, not foreseen: {}", run.name, opened::observed(run)), Tone::Warning, output)?;
    }
    Ok(())
}

fn print_name(name: &OpenedName, said: Said, output: &mut Output) -> Result<()> {
    let tone = match name.verdict {
        OpenedVerdict::Works | OpenedVerdict::Unknown => Tone::Strong,
        OpenedVerdict::SystemDependent | OpenedVerdict::ByLoadOrder => Tone::Warning,
        OpenedVerdict::LostInBundle | OpenedVerdict::Renamed | OpenedVerdict::Missing => Tone::Bad,
    };
    let fate = opened::fate(name.observed.as_deref()).map(|fate| format!("; in the run: {fate}")).unwrap_or_default();
    let head = format!("{} ({}{fate})", name.name, opened::confidence(name.confidence));
    row(opened::verdict(name.verdict), &head, tone, output)?;
    if !name.why.is_empty() {
        row("", &name.why, Tone::Faint, output)?;
    }
    if said.all {
        print_openings(name, output)?;
        for run in name.observed.iter().flatten() {
            row("", &format!("in the run: {}", opened::observed(run)), Tone::Faint, output)?;
        }
    }
    match name.remedy {
        Some(remedy) if !said.all && !said.verbose => {
            row("", &format!("remedy: {}; -v says more", opened::remedy(remedy)), Tone::Faint, output)?;
        }
        _ if said.all || said.verbose => {
            for remedy in &name.remedies {
                print_remedy(remedy, output)?;
            }
        }
        _ => {}
    }
    if said.all {
        for seen in &name.evidence {
            row("  evidence", &opened::seen(seen), Tone::Faint, output)?;
            if let Some(detail) = &seen.detail {
                row("", &format!("  {detail}"), Tone::Faint, output)?;
            }
        }
    }
    Ok(())
}

fn print_openings(name: &OpenedName, output: &mut Output) -> Result<()> {
    for (label, opening) in [("  here", name.would_resolve.as_ref()), ("  bundle", name.in_bundle.as_ref())] {
        row(label, &opened::opening(opening), Tone::Strong, output)?;
        if let Some(opening) = opening {
            print_opening(opening, output)?;
        }
    }
    Ok(())
}

fn print_opening(opening: &Opening, output: &mut Output) -> Result<()> {
    if let Some(path) = &opening.path {
        row("", path, Tone::Faint, output)?;
    }
    if let Some(rule) = opened::by_rule(opening) {
        row("", &format!("by {rule}"), Tone::Faint, output)?;
    }
    for candidate in &opening.candidates {
        let reason = words::rejection(candidate.rejected);
        row("", &format!("tried {}: {reason}", candidate.path.display()), Tone::Faint, output)?;
    }
    for missing in &opening.missing {
        row("", &format!("needs {missing}, which is not found"), Tone::Bad, output)?;
    }
    if let Some(note) = &opening.note {
        row("", note, Tone::Faint, output)?;
    }
    Ok(())
}

fn print_remedy(remedy: &Remedy, output: &mut Output) -> Result<()> {
    let adopted = if remedy.adopted { ", adopted" } else { "" };
    let head = format!("{}: {}{adopted}", opened::remedy(remedy.kind), opened::helps(remedy.helps));
    row("  remedy", &head, if remedy.helps == Some(true) { Tone::Strong } else { Tone::Faint }, output)?;
    row("", &remedy.why, Tone::Faint, output)?;
    for change in remedy.changes.iter().filter(|_| remedy.helps != Some(false)) {
        row("", &format!("changes {change}"), Tone::Faint, output)?;
    }
    for line in &remedy.lines {
        // To be pasted: as it is.
        output.line(format_args!("{:INDENT$}  {line}", ""))?;
    }
    match &remedy.tried {
        Some(tried) => {
            let (said, works) = opened::tried(tried);
            row("", &format!("tried: {said}"), if works { Tone::Strong } else { Tone::Bad }, output)
        }
        None => Ok(()),
    }
}

/// One labelled text, broken at spaces into lines of at most [`WIDTH`] cells; a word that is longer stays whole.
fn row(name: &str, text: &str, tone: Tone, output: &mut Output) -> Result<()> {
    for (place, line) in lines(text, WIDTH - INDENT).into_iter().enumerate() {
        let label = if place == 0 { name } else { "" };
        let line = output.tone(tone, line);
        output.line(format_args!("  {label:<13} {line}"))?;
    }
    Ok(())
}

fn lines(text: &str, most: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        match lines.last_mut() {
            Some(line) if line.chars().count() + 1 + word.chars().count() <= most => {
                line.push(' ');
                line.push_str(word);
            }
            _ => lines.push(word.to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_at_spaces_and_long_words_stay_whole() {
        assert_eq!(lines("one two three", 7), ["one two", "three"]);
        assert_eq!(lines("/a/very/long/path ends", 6), ["/a/very/long/path", "ends"]);
        assert!(lines("", 10).is_empty());
    }
}
