//! Which needed symbol versions the found library lacks (glibc `elf/dl-version.c`).

use super::bounds::Bounds;
use crate::engine::binary::{Name, Slice};
use std::collections::HashSet;

const VERDEF: u64 = 0x6fff_fffc;

/// The versions that `requester` asks of `library` and `found` does not define, in the file's order. A library that
/// defines no versions at all is taken with a warning by ld.so, and a weak need is never missed.
pub(super) fn missing(requester: &Slice, library: &Name, found: &Slice, bounds: &Bounds) -> Vec<String> {
    let (Some(asking), Some(offering)) = (&requester.elf, &found.elf) else { return Vec::new() };
    if offering.tables.dynamic_value(VERDEF).is_none() {
        return Vec::new();
    }
    let needs = asking.version_needs.iter().filter(|need| need.library == *library);
    let mut versions = needs.flat_map(|need| &need.versions).filter(|version| !version.weak).peekable();
    if versions.peek().is_none() {
        return Vec::new();
    }
    let offered: HashSet<&Name> = offering.version_definitions.iter().collect();
    let absent = versions.filter(|version| !offered.contains(&version.name));
    let texts = absent.map(|version| version.name.to_text().into_owned());
    texts.take_while(|text| bounds.may_take(size_of::<String>() + text.len())).collect()
}
