//! What ties a file to another state of it and what shows that it was repaired: the build-id, and the traces of a repair
//! tool in its NEEDED names and search paths.
//!
//! ELF only: maturin repairs in place only there. Anything unreadable has no evidence.

use crate::engine::Result;
use crate::engine::binary::elf::Tables;
use crate::engine::file::{ReadAt, Windows};
use goblin::elf::dynamic::{DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_STRTAB};
use goblin::elf::program_header::PT_NOTE;
use std::path::Path;

/// The longest name that is read.
const LONGEST_NAME: u64 = 4096;
/// Larger note segments are passed over.
const LARGEST_NOTES: u64 = 1 << 20;
/// `NT_GNU_BUILD_ID`.
const BUILD_ID: u32 = 3;

/// What one file shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Evidence {
    /// The bytes of its build-id note.
    pub build_id: Option<Vec<u8>>,
    /// Whether a repair tool edited it.
    pub repaired: bool,
}

impl Evidence {
    /// What the file at `path` shows; nothing, where it can't be read as ELF.
    pub fn of(path: &Path) -> Self {
        Windows::open(path).and_then(|source| Self::read(&source)).unwrap_or_default()
    }

    fn read(source: &dyn ReadAt) -> Result<Self> {
        if source.bytes(0, 4)? != *b"\x7fELF" {
            return Ok(Self::default());
        }
        let tables = Tables::read(source)?;
        let strings = tables.dynamic_value(DT_STRTAB).and_then(|address| tables.file_offset(address));
        let mut repaired = false;
        if let Some((strings, length)) = strings {
            for entry in &tables.dynamic {
                let text = match entry.d_tag {
                    DT_NEEDED | DT_RPATH | DT_RUNPATH => string_at(source, strings, length, entry.d_val)?,
                    _ => continue,
                };
                repaired |= if entry.d_tag == DT_NEEDED { is_grafted_name(&text) } else { reaches_libs(&text) };
            }
        }
        Ok(Self { build_id: build_id(source, &tables)?, repaired })
    }
}

fn string_at(source: &dyn ReadAt, strings: u64, length: u64, at: u64) -> Result<String> {
    let rest = length.saturating_sub(at).min(LONGEST_NAME);
    let bytes = source.bytes(strings.saturating_add(at), rest)?;
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    Ok(String::from_utf8_lossy(bytes.get(..end).unwrap_or_default()).into_owned())
}

/// Whether a repair tool would have made this name: eight hex digits after a dash, before the first dot.
fn is_grafted_name(name: &str) -> bool {
    let stem = name.split('.').next().unwrap_or(name);
    let hash = stem.rsplit_once('-').map_or("", |(_, hash)| hash);
    hash.len() == 8 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

/// Whether a search path leads into a libs directory beside the artifact.
fn reaches_libs(text: &str) -> bool {
    text.split(':').any(|entry| {
        let entry = entry.trim_end_matches('/');
        (entry.starts_with("$ORIGIN") || entry.starts_with("${ORIGIN}")) && entry.ends_with(".libs")
    })
}

/// The first build-id note (gABI "Note Section": sizes of name and descriptor, a type, both padded to four).
fn build_id(source: &dyn ReadAt, tables: &Tables) -> Result<Option<Vec<u8>>> {
    for segment in tables.segments.iter().filter(|one| one.p_type == PT_NOTE && one.p_filesz <= LARGEST_NOTES) {
        let bytes = source.bytes(segment.p_offset, segment.p_filesz)?;
        let word = |at: usize| -> Option<u32> {
            let word: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
            Some(if tables.is_big { u32::from_be_bytes(word) } else { u32::from_le_bytes(word) })
        };
        let mut at = 0_usize;
        while let (Some(name), Some(length), Some(kind)) = (word(at), word(at + 4), word(at + 8)) {
            let Some(descriptor) = padded(name).and_then(|name| name.checked_add(at + 12)) else { break };
            let Some(end) = descriptor.checked_add(length as usize) else { break };
            if kind == BUILD_ID && bytes.get(at + 12..at + 16) == Some(b"GNU\0") {
                return Ok(bytes.get(descriptor..end).map(<[u8]>::to_vec));
            }
            let Some(next) = padded(length).and_then(|length| length.checked_add(descriptor)) else { break };
            at = next;
        }
    }
    Ok(None)
}

fn padded(size: u32) -> Option<usize> {
    usize::try_from(size).ok()?.checked_next_multiple_of(4)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    #[test]
    fn names_and_paths_of_a_repair_are_known() {
        let names = [
            ("libgreet-47542e49.so.1", true),
            ("libgreet-47542E49.so.1", false),
            ("libgreet-1.2.so", false),
            ("libgreet.so.1-47542e49", false),
            ("libc.so.6", false),
        ];
        for (name, expected) in names {
            assert_eq!(is_grafted_name(name), expected, "{name}");
        }
        let paths = [
            ("/x:$ORIGIN/../labext.libs", true),
            ("${ORIGIN}/labext.libs/", true),
            ("/x/labext.libs", false),
            ("$ORIGIN/../lib", false),
        ];
        for (text, expected) in paths {
            assert_eq!(reaches_libs(text), expected, "{text}");
        }
    }

    #[test]
    fn a_linked_file_shows_its_build_id_and_search_path() {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("a.c");
        std::fs::write(&source, "int a(void) { return 1; }\n").unwrap();
        let link = |name: &str, flags: &[&str]| {
            let path = directory.path().join(name);
            let status =
                Command::new("cc").args(["-shared", "-fPIC", "-o"]).arg(&path).args(flags).arg(&source).status();
            assert!(status.unwrap().success());
            Evidence::of(&path)
        };
        let clean = link("clean.so", &["-Wl,--build-id=0xc0ffee42"]);
        assert_eq!(clean, Evidence { build_id: Some(vec![0xc0, 0xff, 0xee, 0x42]), repaired: false });
        let repaired = link("repaired.so", &["-Wl,--build-id=none", "-Wl,-rpath,$ORIGIN/../x.libs"]);
        assert_eq!(repaired, Evidence { build_id: None, repaired: true });
        assert_eq!(Evidence::of(&source), Evidence::default());
    }
}
