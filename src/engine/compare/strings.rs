//! The strings of a string table that a run reaches into, old and new.

use super::alignment::ByteRun;
use super::item::Item;
use super::meaning::{Change, MOST_CHANGES, Side, is_strings};
use crate::engine::Result;
use crate::engine::report::diff::RunKind;

/// How far a string is followed from the run, in both directions.
const STRING_REACH: u64 = 4096;
/// Strings are looked for in so much of a run.
const MOST_READ: u64 = 64 * 1024;

/// The strings of both files in `run`, each set against the one in its place where both begin alike. The number says how
/// many bytes of the run were not looked at, none or some.
///
/// # Errors
/// [`crate::engine::Error::Io`] when the strings can't be read.
pub fn changes(a: &Side<'_>, b: &Side<'_>, run: ByteRun) -> Result<(Vec<Change>, u64)> {
    let looked = run.len.min(MOST_READ);
    let before = if run.kind == RunKind::Inserted { Vec::new() } else { within(a, run.a, looked)? };
    let after = if run.kind == RunKind::Removed { Vec::new() } else { within(b, run.b, looked)? };
    let mut changes = Vec::new();
    let alike = |old: &Item, new: &Item| old.start.wrapping_sub(run.a) == new.start.wrapping_sub(run.b);
    if before.len() == after.len() && before.iter().zip(&after).all(|(old, new)| alike(old, new)) {
        for (old, new) in before.into_iter().zip(after) {
            let name = if old.name.is_empty() || old.name == new.name { new.name } else { old.name };
            changes.push(told(name, Some(old.value), Some(new.value)));
        }
    } else if run.kind == RunKind::Changed && !before.is_empty() && !after.is_empty() {
        // The borders of the strings differ, so that no one string became another.
        let mut names: Vec<String> = before.iter().chain(&after).map(|item| item.name.clone()).collect();
        names.retain(|name| !name.is_empty());
        names.dedup();
        changes.push(told(names.join(", "), Some(joined(&before)), Some(joined(&after))));
    } else {
        changes.extend(before.into_iter().map(|item| told(item.name, Some(item.value), None)));
        changes.extend(after.into_iter().map(|item| told(item.name, None, Some(item.value))));
    }
    let over = changes.len().saturating_sub(MOST_CHANGES) as u64;
    changes.truncate(MOST_CHANGES);
    Ok((changes, over.max(u64::from(looked < run.len))))
}

fn told(name: String, before: Option<String>, after: Option<String>) -> Change {
    Change { class: crate::engine::report::diff::Class::String, name, field: "", before, after, raw: None }
}

fn joined(items: &[Item]) -> String {
    let texts: Vec<&str> = items.iter().take(MOST_CHANGES).map(|item| item.value.as_str()).collect();
    texts.join(", ")
}

/// The strings that the `len` bytes at `offset` reach into, in quotes; empty ones only where there are no others.
fn within(side: &Side<'_>, offset: u64, len: u64) -> Result<Vec<Item>> {
    if len == 0 || !is_strings(side.layout, offset) {
        return Ok(Vec::new());
    }
    let Some(region) = side.layout.part_at(offset) else { return Ok(Vec::new()) };
    let end = region.end.min(side.source.size());
    let from = region.start.max(offset.saturating_sub(STRING_REACH));
    let to = end.min(offset.saturating_add(len).saturating_add(STRING_REACH));
    let bytes = side.source.bytes(from, to.saturating_sub(from))?;
    let (mut found, mut empty) = (Vec::new(), None);
    let mut at = from;
    for text in bytes.split(|byte| *byte == 0) {
        let (start, stop) = (at, at + text.len() as u64);
        at = stop + 1;
        if stop < offset || start >= offset + len {
            continue;
        }
        let name = side.layout.owner_within(start, stop.max(start + 1)).unwrap_or_default();
        let value = format!("\"{}\"", String::from_utf8_lossy(text).escape_debug());
        let item = Item::new(region.class, start, stop - start, name, value);
        if text.is_empty() {
            empty.get_or_insert(item);
        } else {
            found.push(item);
        }
    }
    if found.is_empty() {
        found.extend(empty);
    }
    Ok(found)
}
