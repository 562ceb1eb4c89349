//! What an ELF file declares in notes that it may open, by the UAPI group's specification UAPI.12, "`dlopen()` Metadata for
//! ELF Files".
//!
//! Notes are read from their segments, and from sections that no segment covers. A note that is damaged is left out, and
//! said to be.

use crate::engine::Result;
use crate::engine::binary::elf::Tables;
use crate::engine::file::ReadAt;
use goblin::elf::program_header::PT_NOTE;
use goblin::elf::section_header::SHT_NOTE;
use serde_json::Value;

/// The type of such a note.
const DLOPEN_METADATA: u32 = 0x407c_0c0a;
/// Its owner, with the NUL.
const OWNER: &[u8] = b"FDO\0";
/// Of a segment or section of notes so many bytes are read.
const MOST_BYTES: u64 = 4 << 20;
/// More names than this are not listed.
const MOST_NAMES: usize = 4096;

/// A declared name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Declared {
    /// The name.
    pub(super) name: String,
    /// The note's address.
    pub(super) address: Option<u64>,
    /// What the note says besides.
    pub(super) detail: Option<String>,
}

/// The declared names in the file's order, the preferred of several first; what could not be read is added to `notes`.
///
/// # Errors
/// [`crate::engine::Error::Io`] when the file can't be read.
pub(super) fn declared(tables: &Tables, source: &dyn ReadAt, notes: &mut Vec<String>) -> Result<Vec<Declared>> {
    let segments = tables.segments.iter().filter(|segment| segment.p_type == PT_NOTE);
    let mut places: Vec<(u64, u64, Option<u64>, u64)> =
        segments.map(|segment| (segment.p_offset, segment.p_filesz, Some(segment.p_vaddr), segment.p_align)).collect();
    for section in tables.sections.iter().filter(|section| section.sh_type == SHT_NOTE) {
        let end = section.sh_offset.saturating_add(section.sh_size);
        let covered = |(offset, size, ..): &(u64, u64, Option<u64>, u64)| {
            *offset <= section.sh_offset && end <= offset.saturating_add(*size)
        };
        if !places.iter().any(covered) {
            let address = Some(section.sh_addr).filter(|address| *address != 0);
            places.push((section.sh_offset, section.sh_size, address, section.sh_addralign));
        }
    }
    let mut found = Vec::new();
    for (offset, size, address, align) in places {
        let left = source.size().saturating_sub(offset);
        let bytes = source.bytes(offset, size.min(left).min(MOST_BYTES))?;
        let whole = size <= left && size <= MOST_BYTES;
        if !each_note(&bytes, tables.is_big, align, &mut |at, text| {
            let address = address.map(|address| address.saturating_add(at as u64));
            match names(text) {
                Some(names) => found.extend(names.into_iter().map(|(name, detail)| Declared { name, address, detail })),
                None => notes.push(format!("a .note.dlopen at offset {:#x} can't be understood", offset + at as u64)),
            }
        }) || !whole
        {
            // Notes of other owners say nothing about opening: only what may hide one of ours is of interest.
            let mark = if tables.is_big { DLOPEN_METADATA.to_be_bytes() } else { DLOPEN_METADATA.to_le_bytes() };
            if memchr::memmem::find(&bytes, &mark).is_some() {
                notes.push(format!("the notes at offset {offset:#x} are damaged: not all of them could be read"));
            }
        }
    }
    if found.len() > MOST_NAMES {
        notes.push(format!("of {} names in .note.dlopen, {MOST_NAMES} are listed", found.len()));
        found.truncate(MOST_NAMES);
    }
    Ok(found)
}

/// Calls `visit` with place and text of each note of our kind; says whether the notes could be read to the end.
fn each_note(bytes: &[u8], is_big: bool, align: u64, visit: &mut dyn FnMut(usize, &[u8])) -> bool {
    let word = |at: usize| {
        let bytes: [u8; 4] = bytes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let step: usize = if align == 8 { 8 } else { 4 };
    let mut at = 0_usize;
    while at < bytes.len() {
        let note = || {
            let (name_size, size) = (word(at)? as usize, word(at.checked_add(4)?)? as usize);
            let kind = word(at.checked_add(8)?)?;
            let name = at.checked_add(12)?;
            let text = name.checked_add(name_size)?.checked_next_multiple_of(step)?;
            let end = text.checked_add(size)?;
            Some((kind, bytes.get(name..name.checked_add(name_size)?)?, bytes.get(text..end)?, end))
        };
        let Some((kind, name, text, end)) = note() else {
            // Zeros fill the room up to the next section.
            return bytes.get(at..).is_some_and(|rest| rest.iter().all(|byte| *byte == 0));
        };
        if kind == DLOPEN_METADATA && name == OWNER {
            visit(at, text);
        }
        let Some(next) = end.checked_next_multiple_of(step) else { return false };
        at = next;
    }
    true
}

/// The names in the JSON of a note, each with what is said besides; `None` where it is not what the specification asks for.
fn names(text: &[u8]) -> Option<Vec<(String, Option<String>)>> {
    let text = text.split(|byte| *byte == 0).next()?;
    let entries: Value = serde_json::from_slice(text).ok()?;
    let mut found = Vec::new();
    for entry in entries.as_array()? {
        let sonames: Vec<&str> = entry.get("soname")?.as_array()?.iter().filter_map(Value::as_str).collect();
        if sonames.is_empty() {
            return None;
        }
        let said = |key: &str| entry.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        let mut detail: Vec<String> = Vec::new();
        detail.extend(said("feature").map(|feature| format!("feature {feature}")));
        detail.extend(said("priority").map(str::to_owned));
        detail.extend(said("description").map(str::to_owned));
        for (number, name) in sonames.iter().enumerate() {
            let mut detail = detail.clone();
            // The specification: alternatives, of which only the first that is there is taken.
            if let Some(preferred) = sonames.first().filter(|_| number > 0) {
                detail.push(format!("if there is no {preferred}"));
            }
            found.push(((*name).to_owned(), Some(detail.join("; ")).filter(|text| !text.is_empty())));
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn note(kind: u32, owner: &[u8], text: &[u8]) -> Vec<u8> {
        let words = [owner.len() as u32, text.len() as u32, kind].map(u32::to_le_bytes).concat();
        let mut note = [words.as_slice(), owner, text].concat();
        note.resize(note.len().next_multiple_of(4), 0);
        note
    }

    fn texts(bytes: &[u8]) -> (Vec<Vec<u8>>, bool) {
        let mut found = Vec::new();
        let whole = each_note(bytes, false, 4, &mut |_, text| found.push(text.to_vec()));
        (found, whole)
    }

    #[test]
    fn several_notes_are_read_and_those_of_others_passed_over() {
        let mut bytes = note(3, b"GNU\0", b"0123456789");
        bytes.extend(note(DLOPEN_METADATA, OWNER, b"[]\0"));
        bytes.extend(note(DLOPEN_METADATA, b"XYZ\0", b"no"));
        bytes.extend(note(DLOPEN_METADATA, OWNER, b"[1]\0"));
        bytes.extend([0; 8]);
        assert_eq!(texts(&bytes), (vec![b"[]\0".to_vec(), b"[1]\0".to_vec()], true));
        let cut = &bytes[..bytes.len() - 10];
        assert_eq!(texts(cut), (vec![b"[]\0".to_vec()], false));
    }

    #[test]
    fn a_size_beyond_all_bounds_ends_the_search() {
        let mut bytes = note(DLOPEN_METADATA, OWNER, b"[]\0");
        bytes[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
        assert_eq!(texts(&bytes), (vec![], false));
    }

    #[test]
    fn what_is_said_of_a_name_is_kept_in_order() {
        let text = br#"[{"soname":["libbpf.so.1","libbpf.so.0"],"feature":"bpf","description":"Firewall","priority":"suggested"},
                        {"soname":["libz.so.1"],"new":3}]"#;
        let found = names(&[text.as_slice(), b"\0"].concat()).unwrap();
        let expected = [
            ("libbpf.so.1", Some("feature bpf; suggested; Firewall")),
            ("libbpf.so.0", Some("feature bpf; suggested; Firewall; if there is no libbpf.so.1")),
            ("libz.so.1", None),
        ];
        let found: Vec<_> = found.iter().map(|(name, detail)| (name.as_str(), detail.as_deref())).collect();
        assert_eq!(found, expected);
        for damaged in
            [&b"[{\"soname\":"[..], b"{}", b"[{}]", b"[{\"soname\":[]}]", b"[{\"soname\":\"x\"}]", b"", b"\xff"]
        {
            assert_eq!(names(damaged), None);
        }
    }

    proptest! {
        #[test]
        fn any_bytes_are_borne(bytes: Vec<u8>, big: bool, align in 0_u64..16) {
            each_note(&bytes, big, align, &mut |at, text| {
                assert!(at + text.len() <= bytes.len());
                let _ = names(text);
            });
        }
    }
}
