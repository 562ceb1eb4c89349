//! The records of needed versions (`.gnu.version_r`) of the second file: a library's name may change where that was asked.

use super::object::Object;
use super::wishes::Wishes;
use crate::engine::Result;
use crate::engine::binary::Name;
use crate::engine::binary::record::Record;

/// Records behind this many are not looked at.
const MOST_RECORDS: usize = 65_536;
/// The size of a record and of what it counts (LSB, "Symbol Version Requirements").
const RECORD: u64 = 16;

/// A record: where it stands in its section, and the library's name.
type Need = (u64, Option<Name>);

/// The records of the section that lies at `place` (offset and length).
fn needs(object: &Object<'_>, place: (u64, u64)) -> Result<Vec<Need>> {
    let (mut into, mut needs) = (0_u64, Vec::new());
    while into.saturating_add(RECORD) <= place.1 && needs.len() < MOST_RECORDS {
        let record = Record::read(object.source, place.0 + into, RECORD, object.endian())?;
        needs.push((into, object.string(u64::from(record.word(4)?))));
        match record.word(12)? {
            0 => break,
            next => into = into.saturating_add(u64::from(next)),
        }
    }
    Ok(needs)
}

/// Why the byte `into` the needed versions of `new` is what it is, and how far that holds.
pub fn needed_version(
    (old, was): (&Object<'_>, (u64, u64)),
    (new, is): (&Object<'_>, (u64, u64)),
    into: u64,
    wishes: &Wishes,
) -> Result<(Vec<usize>, u64)> {
    let (before, after) = (needs(old, was)?, needs(new, is)?);
    let gone: Vec<usize> =
        before.iter().filter_map(|(_, name)| Some(wishes.removed(name.as_ref()?))).flatten().collect();
    if !gone.is_empty() {
        // Without the record everything behind it stands elsewhere. What is left must be known or asked for.
        let is_known = |name: &Option<Name>| {
            name.as_ref().is_some_and(|name| {
                before.iter().any(|(_, old)| old.as_ref() == Some(name)) || !wishes.needed(name).is_empty()
            })
        };
        let causes = if after.iter().all(|(_, name)| is_known(name)) { gone } else { Vec::new() };
        return Ok((causes, is.1));
    }
    // `vn_file` is the second word.
    let record = after.iter().find(|(start, _)| (start + 4..start + 8).contains(&into));
    let Some((start, Some(name))) = record else { return Ok((Vec::new(), into + 1)) };
    let causes = match before.iter().find(|(place, _)| place == start) {
        Some((_, Some(old))) if old == name => wishes.room(),
        Some((_, Some(old))) => wishes.replaced(old, name),
        _ => Vec::new(),
    };
    Ok((causes, start + 8))
}
