//! The facts of a part of a run as one short line: `program header 2 (PT_LOAD) p_offset: 0x1000 → 0x2000`.

use super::content;
use super::layout::Layout;
use super::meaning::{Change, Nature, Part, Side};
use crate::engine::Result;
use crate::engine::report::diff::RunKind;

/// A longer text is cut.
const LONGEST_TEXT: usize = 200;

/// What `part` is, in words.
///
/// # Errors
/// [`crate::engine::Error::Io`] when one of the files can't be read.
pub fn meaning(a: &Side<'_>, b: &Side<'_>, part: &Part) -> Result<String> {
    let mut said = Vec::new();
    said.extend(place(a.layout, b.layout, part));
    said.extend(records(part));
    let told = match part.nature {
        Nature::Vacated { fill, .. } => fill.is_some() || part.run.kind == RunKind::Removed,
        Nature::MovedHere { alike, .. } => alike,
        Nature::LeftBehind => true,
        _ => false,
    };
    if part.changes.is_empty() && !told {
        said.push(bytes(a, b, part)?);
    }
    Ok(said.join("; "))
}

/// What became of the place, where it is not what it was.
fn place(a: &Layout, b: &Layout, part: &Part) -> Option<String> {
    let run = part.run;
    let own = if run.kind == RunKind::Inserted { b } else { a };
    let name = |layout: &Layout, offset| layout.part_at(offset).map_or_else(String::new, |region| region.name.clone());
    let before = if run.kind == RunKind::Inserted { String::new() } else { name(a, run.a) };
    let after = if run.kind == RunKind::Removed { String::new() } else { name(b, run.b) };
    let left = if before.is_empty() || run.kind == RunKind::Removed {
        String::new()
    } else {
        format!(", where {before} stood")
    };
    let filled = |fill: Option<content::Fill>| fill.map_or_else(String::new, |fill| format!(", filled with {fill}"));
    Some(match part.nature {
        Nature::InPlace => return None,
        Nature::Vacated { to, .. } if run.kind == RunKind::Removed => format!("{before}, which moved to {to:#x}"),
        Nature::Vacated { to, fill } => format!("vacated: {before} moved to {to:#x}{}", filled(fill)),
        Nature::Gone { .. } if run.kind == RunKind::Removed => format!("{before}, which is gone"),
        Nature::Gone { fill } => format!("{before} is gone{}", filled(fill)),
        Nature::MovedHere { from, grown, alike } => {
            let length = match grown {
                0 => String::new(),
                1.. => format!(" and {grown} bytes longer"),
                _ => format!(" and {} bytes shorter", grown.unsigned_abs()),
            };
            let same = if alike { ", unchanged" } else { "" };
            format!("{after}, moved here from {from:#x}{length}{same}{left}")
        }
        Nature::Grown { by } => {
            let part = if run.kind == RunKind::Removed { &before } else { &after };
            let left = if before == after { String::new() } else { left };
            match by {
                // Longer in one place and shorter in another.
                0 => return None,
                1.. => format!("{part}, {by} bytes longer{left}"),
                _ => format!("{part}, {} bytes shorter{left}", by.unsigned_abs()),
            }
        }
        Nature::New => format!("new: {after}{left}"),
        Nature::LeftBehind => {
            let old = name(a, run.b);
            let to = b.part_named(&old).map_or_else(String::new, |(start, _)| format!(", which moved to {start:#x}"));
            format!("what is left of {old}{to}")
        }
        Nature::Padding { .. } => {
            let offset = run.offset();
            match own.neighbours(offset) {
                (Some(before), Some(behind)) => format!("padding between {before} and {behind}"),
                (Some(before), None) => format!("behind {before}"),
                (None, Some(behind)) => format!("before {behind}"),
                (None, None) => format!("in {}", own.region_at(offset)),
            }
        }
    })
}

/// The records that differ, each with its fields.
fn records(part: &Part) -> Option<String> {
    let mut text = String::new();
    let (mut left, mut last): (u64, Option<(&str, &str)>) = (part.more, None);
    for change in &part.changes {
        if text.chars().count() > LONGEST_TEXT {
            left += 1;
            continue;
        }
        let (verb, says) = (verb(part, change), says(change));
        // The fields of one record stand behind one name.
        if last == Some((&change.name, verb)) && !change.field.is_empty() {
            text.push_str(&format!(", {}: {says}", change.field));
            continue;
        }
        last = Some((&change.name, verb));
        let head = [verb, change.name.as_str(), change.field].into_iter().filter(|word| !word.is_empty());
        let head = head.collect::<Vec<_>>().join(" ");
        let separator = if text.is_empty() { "" } else { "; " };
        let colon = if head.is_empty() { "" } else { ": " };
        text.push_str(&format!("{separator}{head}{colon}{says}"));
    }
    if left > 0 {
        text.push_str(&format!("; and {left} more"));
    }
    (!text.is_empty()).then_some(text)
}

/// Whether a record came or went.
fn verb(part: &Part, change: &Change) -> &'static str {
    let is_new = matches!(part.nature, Nature::New);
    match (&change.before, &change.after) {
        (None, Some(_)) if !is_new => "new",
        (Some(_), None) => "gone",
        _ => "",
    }
}

fn says(change: &Change) -> String {
    match (&change.before, &change.after, &change.raw) {
        (Some(before), _, Some((old, new))) => format!("{} ({old} \u{2192} {new})", clipped(before)),
        (Some(before), Some(after), None) if before == after => clipped(before),
        (Some(before), Some(after), None) => format!("{} \u{2192} {}", clipped(before), clipped(after)),
        (one, other, _) => one.as_ref().or(other.as_ref()).map_or_else(String::new, |value| clipped(value)),
    }
}

/// The bytes themselves, where nothing else is known of them.
fn bytes(a: &Side<'_>, b: &Side<'_>, part: &Part) -> Result<String> {
    let run = part.run;
    let old = || content::shown(a.source, run.a, run.len);
    let new = || content::shown(b.source, run.b, run.len);
    match (run.kind, part.nature) {
        (RunKind::Inserted | RunKind::Removed, Nature::Padding { fill: Some(fill) }) => {
            Ok(if run.len == 1 { format!("a byte of {fill}") } else { format!("{} bytes of {fill}", run.len) })
        }
        (RunKind::Changed, _) => Ok(format!("{} \u{2192} {}", old()?, new()?)),
        (RunKind::Inserted, _) => new(),
        (RunKind::Removed, _) => old(),
    }
}

/// `text`, cut where it is longer than a line or two.
fn clipped(text: &str) -> String {
    match text.char_indices().nth(LONGEST_TEXT) {
        Some((end, _)) => format!("{}...", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}
