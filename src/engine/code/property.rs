//! The level that a file says it needs: the x86 property of its `.note.gnu.property` (x86-64 psABI, "Program Property").

use crate::engine::binary::elf::Tables;
use crate::engine::file::ReadAt;
use goblin::elf::program_header::{PT_GNU_PROPERTY, PT_NOTE};

/// `NT_GNU_PROPERTY_TYPE_0`.
const PROPERTIES: u32 = 5;
/// `GNU_PROPERTY_X86_ISA_1_NEEDED`.
const ISA_1_NEEDED: u32 = 0xc000_8002;
/// The levels by their bits, lowest first.
const LEVELS: [&str; 4] = ["x86-64", "x86-64-v2", "x86-64-v3", "x86-64-v4"];
/// A longer note segment is taken as damage.
const MOST_BYTES: u64 = 1 << 16;

/// The highest level that the file's property names; `None` when it says nothing. Damage keeps nothing from loading and is
/// taken for silence.
pub(super) fn marked(source: &dyn ReadAt, tables: &Tables) -> Option<&'static str> {
    let notes = tables.segments.iter().filter(|segment| matches!(segment.p_type, PT_GNU_PROPERTY | PT_NOTE));
    let needed = notes.filter_map(|segment| {
        let bytes = source.bytes(segment.p_offset, segment.p_filesz.min(MOST_BYTES)).ok()?;
        let notes = if segment.p_align == 8 { 8 } else { 4 };
        needed_in(&bytes, notes, if tables.is_64 { 8 } else { 4 })
    });
    let bits = needed.max()?;
    LEVELS.iter().enumerate().rev().find(|(bit, _)| bits & 1 << bit != 0).map(|(_, level)| *level)
}

/// The value of `ISA_1_NEEDED` in `bytes`, in which notes are aligned to `notes` bytes and properties to `properties`.
fn needed_in(bytes: &[u8], notes: usize, properties: usize) -> Option<u32> {
    let mut rest = bytes;
    loop {
        let [name, size, kind] = [word(rest, 0)?, word(rest, 4)?, word(rest, 8)?];
        let start = 12_usize.checked_add(name as usize)?.checked_next_multiple_of(4)?;
        let end = start.checked_add(size as usize)?;
        let body = rest.get(start..end)?;
        if kind == PROPERTIES
            && rest.get(12..16) == Some(b"GNU\0")
            && let Some(value) = property_in(body, properties)
        {
            return Some(value);
        }
        rest = rest.get(end.checked_next_multiple_of(notes)?..)?;
    }
}

fn property_in(mut body: &[u8], step: usize) -> Option<u32> {
    loop {
        let (kind, size) = (word(body, 0)?, word(body, 4)? as usize);
        if kind == ISA_1_NEEDED && size == 4 {
            return word(body, 8);
        }
        body = body.get(8_usize.checked_add(size)?.checked_next_multiple_of(step)?..)?;
    }
}

fn word(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|bytes| u32::from_le_bytes(*bytes))
}

#[cfg(test)]
mod tests {
    use super::needed_in;

    #[test]
    fn the_property_is_found_behind_others_and_damage_is_silence() {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_le_bytes()).collect::<Vec<u8>>();
        let gnu = u32::from_le_bytes(*b"GNU\0");
        let note = words(&[4, 32, 5, gnu, 0xc000_0002, 4, 3, 0, 0xc000_8002, 4, 7, 0]);
        assert_eq!(needed_in(&note, 8, 8), Some(7));
        assert_eq!(needed_in(&note[..40], 8, 8), None);
        let other = words(&[4, 4, 3, gnu, 9]);
        assert_eq!(needed_in(&[other, note].concat(), 4, 8), Some(7));
        let narrow = words(&[4, 24, 5, gnu, 0xc000_0002, 4, 3, 0xc000_8002, 4, 3]);
        assert_eq!(needed_in(&narrow, 4, 4), Some(3));
        assert_eq!(needed_in(&words(&[u32::MAX, u32::MAX, 5, gnu, 1]), 8, 8), None);
    }
}
