//! The checksum in a PE file's optional header: what it says, and whether it fits the file (`ImageHlp`'s `CheckSumMappedFile`).

use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::record::Record;
use crate::engine::compare::item::Item;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;

/// Bytes that are read at once.
const CHUNK: u64 = 1 << 20;
/// The checksum of a longer file is not computed.
const MOST_BYTES: u64 = 1 << 30;

/// The item of the checksum at `place`.
pub(super) fn told(place: &u64, source: &dyn ReadAt, _: u64, _: u64) -> Result<Vec<Item>> {
    let value = said(source, *place)?;
    Ok(vec![Item::new(Class::Checksum, *place, 4, "optional header", value).field("CheckSum")])
}

/// What the checksum at `place` says.
fn said(source: &dyn ReadAt, place: u64) -> Result<String> {
    let stated = Record::read(source, place, 4, Endian::Little)?.word(0)?;
    Ok(match stated {
        0 => "0x0 (none)".into(),
        _ if source.size() > MOST_BYTES => format!("{stated:#x}"),
        _ => match checksum(source, place)? {
            sum if sum == stated => format!("{stated:#x} (fits the file)"),
            sum => format!("{stated:#x} (the file's is {sum:#x})"),
        },
    })
}

/// The sum of all 16-bit words but the checksum's own, folded, and the file's size.
fn checksum(source: &dyn ReadAt, place: u64) -> Result<u32> {
    let (mut sum, mut at) = (0_u64, 0);
    while at < source.size() {
        let mut bytes = source.bytes(at, CHUNK.min(source.size() - at))?;
        for own in place..place.saturating_add(4) {
            let into = own.checked_sub(at).and_then(|into| usize::try_from(into).ok());
            if let Some(byte) = into.and_then(|into| bytes.get_mut(into)) {
                *byte = 0;
            }
        }
        for pair in bytes.chunks(2) {
            let word = match *pair {
                [low, high] => u16::from_le_bytes([low, high]),
                [low] => u16::from(low),
                _ => 0,
            };
            sum += u64::from(word);
        }
        at += bytes.len() as u64;
    }
    while sum > 0xffff {
        sum = (sum & 0xffff) + (sum >> 16);
    }
    Ok(u32::try_from(sum.wrapping_add(source.size()) & 0xffff_ffff).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    #[test]
    fn the_own_word_is_left_out_and_an_odd_byte_counts() {
        let source = MemoryBytes::new("a".into(), vec![0xff, 0xff, 9, 9, 9, 9, 2, 0, 7]);
        // 0xffff + 2 + 7 is 0x10008, folded 9; and 9 bytes.
        assert_eq!(checksum(&source, 2).unwrap(), 18);
        assert_eq!(said(&source, 2).unwrap(), "0x9090909 (the file's is 0x12)");
    }
}
