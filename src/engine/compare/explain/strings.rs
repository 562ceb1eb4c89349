//! The dynamic string table of the second file, string by string, and the interpreter's name.

use super::object::Object;
use super::wishes::Wishes;
use crate::engine::Result;
use crate::engine::binary::Name;
use goblin::elf::dynamic::{DT_RPATH, DT_RUNPATH, DT_SONAME};

/// How far a string is followed from the byte that is looked at, in both directions.
const REACH: u64 = 64 << 10;
/// With these bytes patchelf, and our own editor, overwrite what nobody refers to any more.
pub const FILLERS: [u8; 3] = [0, b'X', b'Z'];

/// The string of the table at `table` (offset and length) that holds the byte `into` the table, and where the string begins
/// and ends in the table; its NUL belongs to it.
fn string_around(object: &Object<'_>, table: (u64, u64), into: u64) -> Result<(Name, u64, u64)> {
    let start = into.saturating_sub(REACH);
    let end = into.saturating_add(REACH).min(table.1);
    let before = object.source.bytes(table.0.saturating_add(start), into - start)?;
    let after = object.source.bytes(table.0.saturating_add(into), end.saturating_sub(into))?;
    let head = before.rsplit(|byte| *byte == 0).next().unwrap_or_default();
    let tail = after.split(|byte| *byte == 0).next().unwrap_or_default();
    Ok((Name::new([head, tail].concat()), into - head.len() as u64, into + tail.len() as u64 + 1))
}

/// Who asked for the string of the table at `is` that holds the byte `into` it, and where that string begins and ends.
pub fn asked(new: &Object<'_>, is: (u64, u64), into: u64, wishes: &Wishes) -> Result<(Vec<usize>, u64, u64)> {
    let (text, start, end) = string_around(new, is, into)?;
    let causes = if text.is_empty() { Vec::new() } else { wishes.string(&text) };
    Ok((causes, start, end))
}

/// Why the byte `into` the string table of `new` is what it is, and how far in the table that holds. That it differs from the
/// old table's byte is known.
pub fn in_table(
    (old, was): (&Object<'_>, Option<(u64, u64)>),
    (new, is): (&Object<'_>, (u64, u64)),
    into: u64,
    wishes: &Wishes,
) -> Result<(Vec<usize>, u64)> {
    let (causes, _, end) = asked(new, is, into, wishes)?;
    if !causes.is_empty() {
        return Ok((causes, end));
    }
    let byte = new.source.bytes(is.0 + into, 1)?;
    if byte.first().is_none_or(|byte| !FILLERS.contains(byte)) {
        return Ok((Vec::new(), into + 1));
    }
    let Some(was) = was.filter(|was| into < was.1) else {
        // Padding behind the last string.
        let is_padding = byte.first() == Some(&0);
        return Ok((if is_padding { wishes.room() } else { Vec::new() }, into + 1));
    };
    let (gone, _, _) = string_around(old, was, into)?;
    let run_path = old.named(&[DT_RUNPATH]).or_else(|| old.named(&[DT_RPATH])).map(|(_, text)| text);
    let soname = old.named(&[DT_SONAME]).map(|(_, name)| name);
    Ok((wishes.left(&gone, run_path.as_ref(), soname.as_ref()), into + 1))
}

/// Why the interpreter's name, which `new` has at `place` (offset and length), is what it is: the name, and zeros behind it.
pub fn interpreter(new: &Object<'_>, place: (u64, u64), wishes: &Wishes) -> Result<Vec<usize>> {
    let bytes = new.source.bytes(place.0, place.1.min(REACH))?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    let is_clean = bytes.get(end..).unwrap_or_default().iter().all(|byte| *byte == 0);
    let name = Name::new(bytes.get(..end).unwrap_or_default());
    Ok(if is_clean { wishes.interpreter(&name) } else { Vec::new() })
}
