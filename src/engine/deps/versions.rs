//! Which needed symbol versions the found library lacks (glibc `elf/dl-version.c`).

use crate::engine::binary::{Name, Slice};

const VERDEF: u64 = 0x6fff_fffc;

/// The versions that `requester` asks of `library` and `found` does not define, in the file's order. A library that
/// defines no versions at all is taken with a warning by ld.so, and a weak need is never missed.
pub(super) fn missing(requester: &Slice, library: &Name, found: &Slice) -> Vec<String> {
    let (Some(asking), Some(offering)) = (&requester.elf, &found.elf) else { return Vec::new() };
    if offering.tables.dynamic_value(VERDEF).is_none() {
        return Vec::new();
    }
    let needs = asking.version_needs.iter().filter(|need| need.library == *library);
    let versions = needs.flat_map(|need| &need.versions).filter(|version| !version.weak);
    let absent = versions.filter(|version| !offering.version_definitions.contains(&version.name));
    absent.map(|version| version.name.to_text().into_owned()).collect()
}
