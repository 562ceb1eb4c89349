//! The dynamic strings: whatever refers to one without having been changed reads what it read.

use super::state::State;
use crate::engine::Result;
use crate::engine::repair::dynamic_symbols;
use goblin::elf::dynamic::DT_STRSZ;
use std::ops::Range;

/// Which strings of `before` read otherwise in `after`.
pub(super) fn changes(before: &State<'_>, after: &State<'_>) -> Result<Vec<String>> {
    let (old, new) = (&before.facts.strings, &after.facts.strings);
    let mut faults = Vec::new();
    if new.len() < old.len() {
        faults.push(format!("the string table has {} bytes, not {}", new.len(), old.len()));
    }
    if after.tables().dynamic_value(DT_STRSZ) != before.tables().dynamic_value(DT_STRSZ)
        && new.last().is_some_and(|last| *last != 0)
    {
        faults.push("the string table does not end with a NUL".to_owned());
    }
    let changed = changed(old, new);
    if changed.is_empty() {
        return Ok(faults);
    }
    let Some(count) = dynamic_symbols::count(&before.facts, before.source)? else {
        faults.push("strings were written over, and who refers to them can't be known".to_owned());
        return Ok(faults);
    };
    let mut first_lost = None;
    dynamic_symbols::each(&before.facts, before.source, count, &mut |_, symbol| {
        let index = dynamic_symbols::name(&before.facts, symbol);
        if first_lost.is_none() && reads_otherwise(old, &changed, index) {
            first_lost = Some(index);
        }
    })?;
    if let Some(index) = first_lost {
        let name = usize::try_from(index).ok().and_then(|index| old.get(index..)).unwrap_or_default();
        let name = name.split(|byte| *byte == 0).next().unwrap_or_default();
        faults.push(format!("the symbol {} has another name", String::from_utf8_lossy(name)));
    }
    Ok(faults)
}

/// The ranges of `old` that are not so in `new`.
fn changed(old: &[u8], new: &[u8]) -> Vec<Range<usize>> {
    let mut ranges: Vec<Range<usize>> = Vec::new();
    if new.get(..old.len()) == Some(old) {
        return ranges;
    }
    for (at, byte) in old.iter().enumerate() {
        if new.get(at) == Some(byte) {
            continue;
        }
        match ranges.last_mut().filter(|range| range.end == at) {
            Some(range) => range.end = at + 1,
            None => ranges.push(at..at + 1),
        }
    }
    ranges
}

/// Whether the string at `index` of `old`, its NUL included, meets one of the `changed` ranges.
fn reads_otherwise(old: &[u8], changed: &[Range<usize>], index: u64) -> bool {
    let Some(start) = usize::try_from(index).ok().filter(|start| *start < old.len()) else { return false };
    let next = changed.partition_point(|range| range.end <= start);
    let Some(range) = changed.get(next) else { return false };
    // Only up to the first change: a longer string is met by it, and a shorter one ends before.
    let until = old.get(start..range.start).unwrap_or_default();
    memchr::memchr(0, until).is_none()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_strings_that_meet_a_change_read_otherwise() {
        let (old, new) = (b"\0puts\0/old\0free\0", b"\0puts\0/new\0free\0");
        let changed = changed(old, new);
        assert_eq!(changed, vec![7..10]);
        let otherwise: Vec<u64> = (0..20).filter(|&index| reads_otherwise(old, &changed, index)).collect();
        assert_eq!(otherwise, [6, 7, 8, 9]);
    }

    #[test]
    fn a_lost_end_is_a_change() {
        assert_eq!(changed(b"\0a\0", b"\0a"), vec![2..3]);
        assert!(changed(b"\0a\0", b"\0a\0b\0").is_empty());
        assert!(reads_otherwise(b"\0a\0", &[2..3, 9..10], 1));
    }
}
