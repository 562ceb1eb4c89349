//! A comparison in words for 80 columns: the verdict in one line, the edits, the structure, then the runs by what their bytes are.

use super::output::{Output, Tone};
use crate::engine::report::diff::{Class, DiffDocument, Run, RunKind, StructureChange};
use crate::engine::report::words::{counted, grouped};
use color_eyre::Result;
use unicode_width::UnicodeWidthStr;

/// Lines are broken at this many columns.
const WIDTH: usize = 80;
/// As many runs of a class are printed.
const MOST_PRINTED: usize = 100;

/// Prints `document`.
///
/// # Errors
/// When the output can't be written.
pub(super) fn print(document: &DiffDocument, output: &mut Output) -> Result<()> {
    let tone = match document.unexplained {
        Some(1..) => Tone::Bad,
        _ => Tone::Strong,
    };
    output.line(output.tone(tone, &document.verdict))?;
    if document.equal {
        return Ok(());
    }
    if let Some(edits) = document.edits.as_ref().filter(|edits| !edits.is_empty()) {
        heading("edits", output)?;
        for (number, edit) in edits.iter().enumerate() {
            indented(&format!("{:>4}  ", number + 1), edit, output)?;
        }
    }
    if !document.structure.is_empty() {
        heading("structure", output)?;
        document.structure.iter().try_for_each(|change| structure(change, output))?;
    }
    for total in &document.by_class {
        let runs = counted(usize::try_from(total.runs).unwrap_or(usize::MAX), "run", "runs");
        let bytes = counted(usize::try_from(total.bytes).unwrap_or(usize::MAX), "byte", "bytes");
        heading(&format!("{}: {runs}, {bytes}", class(total.class)), output)?;
        let mut of_class = document.runs.iter().filter(|run| run.class == total.class);
        for run in of_class.by_ref().take(MOST_PRINTED) {
            print_run(run, output)?;
        }
        more(of_class.count() as u64, output)?;
    }
    more(document.runs_total.saturating_sub(document.runs.len() as u64), output)
}

fn more(left: u64, output: &mut Output) -> Result<()> {
    match left {
        0 => Ok(()),
        left => output.line(format_args!("  \u{2026} and {} more runs", grouped(left))),
    }
}

fn heading(text: &str, output: &mut Output) -> Result<()> {
    output.line(output.tone(Tone::Strong, text))
}

fn structure(change: &StructureChange, output: &mut Output) -> Result<()> {
    let (before, after) =
        (change.before.as_deref().unwrap_or("\u{2014}"), change.after.as_deref().unwrap_or("\u{2014}"));
    let line = format!("  {:<24} {before} \u{2192} {after}", change.what);
    if line.width() <= WIDTH {
        return output.line(line);
    }
    output.line(format_args!("  {}", change.what))?;
    indented("      ", before, output)?;
    indented("    \u{2192} ", after, output)
}

fn print_run(run: &Run, output: &mut Output) -> Result<()> {
    let kind = match run.kind {
        RunKind::Changed => "changed",
        RunKind::Inserted => "inserted",
        RunKind::Removed => "removed",
    };
    let by = match &run.explained_by {
        None => String::new(),
        Some(edits) if edits.is_empty() => "by nothing".to_owned(),
        Some(edits) => {
            let numbers: Vec<String> = edits.iter().map(|edit| (edit + 1).to_string()).collect();
            format!("by {}", numbers.join(", "))
        }
    };
    let head = format!("  {:#010x} {:>9} {kind:<8}", run.offset, grouped(run.len));
    let region = run.region.as_deref().unwrap_or("");
    let by = if by == "by nothing" { output.tone(Tone::Bad, by) } else { by };
    output.line(format!("{head}  {region:<34} {by}").trim_end())?;
    match &run.meaning {
        Some(meaning) => indented("      ", meaning, output),
        None => Ok(()),
    }
}

/// `text` behind `first`, its further lines behind as many blanks.
fn indented(first: &str, text: &str, output: &mut Output) -> Result<()> {
    let indent = first.width();
    for (number, line) in wrapped(text, WIDTH.saturating_sub(indent)).iter().enumerate() {
        let before = if number == 0 { first.to_owned() } else { " ".repeat(indent) };
        output.line(format_args!("{before}{line}"))?;
    }
    Ok(())
}

/// `text` in lines of at most `width` columns, broken between words; a longer word has a line of its own.
fn wrapped(text: &str, width: usize) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split(' ') {
        let Some(line) = lines.last_mut() else { break };
        if line.is_empty() {
            line.push_str(word);
        } else if line.width() + 1 + word.width() <= width {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

fn class(class: Class) -> &'static str {
    match class {
        Class::Header => "file header",
        Class::ProgramHeader => "program headers",
        Class::SectionHeader => "section headers",
        Class::LoadCommand => "load commands",
        Class::Directory => "data directories",
        Class::Dynamic => "dynamic section",
        Class::String => "strings",
        Class::Interpreter => "interpreter",
        Class::Version => "symbol versions",
        Class::Symbol => "symbols",
        Class::Hash => "hash tables",
        Class::Relocation => "relocations",
        Class::Import => "imports",
        Class::Export => "exports",
        Class::Note => "notes",
        Class::BuildId => "build-id",
        Class::Checksum => "checksum",
        Class::Signature => "signature",
        Class::Code => "code",
        Class::Data => "data",
        Class::Unwind => "unwind tables",
        Class::Debug => "debug information",
        Class::Padding => "padding",
        Class::Other => "other",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_broken_between_words() {
        assert_eq!(wrapped("one two three", 7), ["one two", "three"]);
        assert_eq!(wrapped("a /very/long/path b", 6), ["a", "/very/long/path", "b"]);
        assert_eq!(wrapped("", 6), [""]);
    }
}
