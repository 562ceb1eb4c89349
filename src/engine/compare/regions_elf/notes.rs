//! Notes: who wrote them, of what type, and what they say (gABI 5, "Note Section"; LSB, "Notes"; x86-64 psABI).

use super::super::layout::Layout;
use super::fields::Shape;
use crate::engine::Result;
use crate::engine::binary::elf::Tables;
use crate::engine::binary::record::Record;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;
use std::fmt::Write as _;

/// More bytes of notes than this are not told one by one.
const MOST_BYTES: u64 = 1 << 20;
/// Nor are more notes.
const MOST_NOTES: usize = 4096;
/// As many bytes of a note are shown that is not known.
const MOST_SHOWN: usize = 32;

/// The types of the notes of owner `GNU`.
const GNU_TYPES: [&str; 5] =
    ["NT_GNU_ABI_TAG", "NT_GNU_HWCAP", "NT_GNU_BUILD_ID", "NT_GNU_GOLD_VERSION", "NT_GNU_PROPERTY_TYPE_0"];
/// The systems of an ABI tag.
const SYSTEMS: [&str; 5] = ["Linux", "Hurd", "Solaris", "FreeBSD", "NetBSD"];

/// Adds the notes in the `size` bytes at `offset`, which are aligned to `align` bytes.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when they lie outside of the file.
pub fn add(
    source: &dyn ReadAt,
    shape: Shape,
    (offset, size, align): (u64, u64, u64),
    layout: &mut Layout,
) -> Result<()> {
    let step: u64 = if align == 8 { 8 } else { 4 };
    let notes = shape.record(source, offset, size.min(MOST_BYTES))?;
    let end = notes.as_bytes().len() as u64;
    let mut at = 0;
    for _ in 0..MOST_NOTES {
        if end.saturating_sub(at) < 12 {
            break;
        }
        let (owner_size, value_size) = (u64::from(notes.word(at)?), u64::from(notes.word(at + 4)?));
        let kind = notes.word(at + 8)?;
        let value = (at + 12 + owner_size).next_multiple_of(step);
        let next = (value + value_size).next_multiple_of(step);
        if value + value_size > end {
            break;
        }
        let owner = notes.name(at + 12, owner_size)?.to_text().into_owned();
        let said = notes.part(value, value_size)?;
        let (name, text) = said_by(shape, &owner, kind, &said);
        let is_build_id = name == "NT_GNU_BUILD_ID";
        let class = if is_build_id { Class::BuildId } else { Class::Note };
        layout.item(class, offset + at, next.min(end) - at, format!("note {owner} {name}"), text);
        at = next;
    }
    Ok(())
}

/// The notes in the `size` bytes at `offset` of the file whose tables are `tables`: what each is, and what it says.
///
/// # Errors
/// As [`add`].
pub fn said(
    source: &dyn ReadAt,
    tables: &Tables,
    (offset, size, align): (u64, u64, u64),
) -> Result<Vec<(String, String)>> {
    let mut layout = Layout::default();
    add(source, Shape::of(tables), (offset, size, align), &mut layout)?;
    let found = layout.ordered().items_of(source, offset, offset.saturating_add(size), MOST_NOTES)?;
    Ok(found.items.into_iter().map(|item| (item.name, item.value)).collect())
}

/// The name of a note's type, and what it says.
fn said_by(shape: Shape, owner: &str, kind: u32, note: &Record<'_>) -> (String, String) {
    let known = (kind as usize).checked_sub(1).and_then(|index| GNU_TYPES.get(index)).filter(|_| owner == "GNU");
    let name = known.map_or_else(|| format!("type {kind:#x}"), |name| (*name).to_owned());
    let text = match (owner, kind) {
        ("GNU", 1) => abi_tag(note),
        ("GNU", 3) => Some(hex(note.as_bytes(), usize::MAX)),
        ("GNU", 4) | ("Go", 4) => Some(String::from_utf8_lossy(note.as_bytes()).trim_end_matches('\0').to_owned()),
        ("GNU", 5) => properties(shape, note),
        _ => None,
    };
    (name, text.unwrap_or_else(|| hex(note.as_bytes(), MOST_SHOWN)))
}

fn abi_tag(note: &Record<'_>) -> Option<String> {
    let word = |at| note.word(at).ok();
    let system = SYSTEMS.get(word(0)? as usize)?;
    Some(format!("{system} {}.{}.{}", word(4)?, word(8)?, word(12)?))
}

fn properties(shape: Shape, note: &Record<'_>) -> Option<String> {
    let (mut texts, mut at) = (Vec::new(), 0);
    while at < note.as_bytes().len() as u64 {
        let (kind, size) = (note.word(at).ok()?, u64::from(note.word(at + 4).ok()?));
        let name = match kind {
            1 => "GNU_PROPERTY_STACK_SIZE".to_owned(),
            2 => "GNU_PROPERTY_NO_COPY_ON_PROTECTED".to_owned(),
            0xc000_0000 => "GNU_PROPERTY_AARCH64_FEATURE_1_AND".to_owned(),
            0xc000_0002 => "GNU_PROPERTY_X86_FEATURE_1_AND".to_owned(),
            0xc000_8002 => "GNU_PROPERTY_X86_ISA_1_NEEDED".to_owned(),
            0xc001_0002 => "GNU_PROPERTY_X86_ISA_1_USED".to_owned(),
            other => format!("property {other:#x}"),
        };
        let value = match size {
            4 => format!(" {:#x}", note.word(at + 8).ok()?),
            8 => format!(" {:#x}", note.long(at + 8).ok()?),
            0 => String::new(),
            _ => format!(" {}", hex(note.part(at + 8, size).ok()?.as_bytes(), MOST_SHOWN)),
        };
        texts.push(format!("{name}{value}"));
        at = (at + 8 + size).next_multiple_of(shape.address());
    }
    Some(texts.join(", "))
}

fn hex(bytes: &[u8], most: usize) -> String {
    let mut text = String::new();
    for byte in bytes.iter().take(most) {
        let _ = write!(text, "{byte:02x}");
    }
    if bytes.len() > most {
        text.push_str("...");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary::Endian;
    use crate::engine::file::MemoryBytes;

    fn note(kind: u32, value: &[u8]) -> Vec<u8> {
        let mut bytes = [4, value.len() as u32, kind].map(u32::to_be_bytes).concat();
        bytes.extend(b"GNU\0");
        bytes.extend(value);
        bytes
    }

    #[test]
    fn notes_are_told_by_owner_type_and_value() {
        let tag = [0_u32, 3, 2, 0].map(u32::to_be_bytes).concat();
        let property = [0xc000_0002_u32, 4, 3, 0].map(u32::to_be_bytes).concat();
        let bytes =
            [note(1, &tag), note(3, &[0xab, 0xcd, 0, 1]), note(5, &property), note(9, b"x"), vec![0; 3]].concat();
        let source = MemoryBytes::new("a".into(), bytes.clone());
        let mut layout = Layout::default();
        let shape = Shape { is_64: true, endian: Endian::Big };
        add(&source, shape, (0, bytes.len() as u64, 4), &mut layout).unwrap();
        let found = layout.ordered().items_of(&source, 0, 1000, 9).unwrap();
        let said: Vec<String> = found.items.iter().map(|item| format!("{}: {}", item.name, item.value)).collect();
        assert_eq!(
            said,
            [
                "note GNU NT_GNU_ABI_TAG: Linux 3.2.0",
                "note GNU NT_GNU_BUILD_ID: abcd0001",
                "note GNU NT_GNU_PROPERTY_TYPE_0: GNU_PROPERTY_X86_FEATURE_1_AND 0x3",
                "note GNU type 0x9: 78",
            ]
        );
        // A size that leads out of the file ends the walk, and nothing else.
        let mut broken = bytes;
        broken[4..8].fill(0xff);
        let source = MemoryBytes::new("a".into(), broken.clone());
        let mut layout = Layout::default();
        add(&source, shape, (0, broken.len() as u64, 8), &mut layout).unwrap();
        assert!(layout.ordered().items_of(&source, 0, 1000, 9).unwrap().items.is_empty());
    }
}
