//! Signs in a binary that a repair tool has been there before: grafted names and run paths into the grafts' directory.
//!
//! auditwheel, maturin and delocate name a bundled library `stem-hash.ext` with eight hex digits, and put it into
//! `<distribution>.libs` or `.dylibs`. Whether that is a fault is left to the audit.

use super::{Name, Slice};

/// Digits of the hash in a grafted name.
const HASH_DIGITS: usize = 8;

/// What was seen of an earlier repair.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RepairedEvidence {
    /// Needed names with a hash before the first dot of their last component, in the file's order.
    pub suffixed: Vec<Name>,
    /// Run path entries that lead into a `*.libs` or `*.dylibs` directory, in the file's order.
    pub libs_entries: Vec<String>,
}

impl RepairedEvidence {
    /// Whether both signs are there. One alone proves nothing: a library may be named like that by its author.
    #[must_use]
    pub fn is_repaired(&self) -> bool {
        !self.suffixed.is_empty() && !self.libs_entries.is_empty()
    }
}

/// The signs of an earlier repair in `slice`.
#[must_use]
pub fn repaired_evidence(slice: &Slice) -> RepairedEvidence {
    let suffixed = slice.needed.iter().filter(|needed| is_suffixed(needed.name.as_bytes()));
    let entries = slice.run_paths.iter().flat_map(|path| path.text.as_bytes().split(|byte| *byte == b':'));
    RepairedEvidence {
        suffixed: suffixed.map(|needed| needed.name.clone()).collect(),
        libs_entries: entries
            .filter(|entry| leads_into_libs(entry))
            .map(|entry| String::from_utf8_lossy(entry).into_owned())
            .collect(),
    }
}

/// Whether `name` bears a graft's hash: `libgreet-47542e49.so.1`.
#[must_use]
pub fn is_suffixed(name: &[u8]) -> bool {
    let leaf = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let stem = leaf.split(|byte| *byte == b'.').next().unwrap_or_default();
    let Some((rest, digits)) = stem.split_last_chunk::<HASH_DIGITS>() else { return false };
    rest.ends_with(b"-") && digits.iter().all(|digit| matches!(digit, b'0'..=b'9' | b'a'..=b'f'))
}

fn leads_into_libs(entry: &[u8]) -> bool {
    entry.split(|byte| *byte == b'/').any(|part| part.ends_with(b".libs") || part.ends_with(b".dylibs"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grafted_names_are_told_from_others() {
        for name in ["libz-1a2b3c4d.so.1", "@loader_path/.dylibs/libz-00000000.1.dylib", "libfoo-2-deadbeef.so"] {
            assert!(is_suffixed(name.as_bytes()), "{name}");
        }
        for name in ["libz.so.1", "libz-1A2B3C4D.so", "libz-1a2b3c4.so", "libz.so-1a2b3c4d", "1a2b3c4d.so", "-", ""] {
            assert!(!is_suffixed(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn entries_into_the_grafts_directory_are_told_from_others() {
        for entry in ["$ORIGIN/../labext.libs", "$ORIGIN/.libs/", "@loader_path/.dylibs"] {
            assert!(leads_into_libs(entry.as_bytes()), "{entry}");
        }
        for entry in ["$ORIGIN/../labext.libs.d", "/usr/lib", "libs", ""] {
            assert!(!leads_into_libs(entry.as_bytes()), "{entry}");
        }
    }
}
