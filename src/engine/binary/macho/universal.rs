//! The table of architectures at the head of a universal file (`mach-o/fat.h`), in all four ways it is written.

use crate::engine::binary::Endian;
use crate::engine::binary::record::Record;
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};

/// `FAT_MAGIC`: offsets of 32 bits.
const FAT_MAGIC: u32 = 0xcafe_babe;
/// `FAT_MAGIC_64`: offsets of 64 bits.
const FAT_MAGIC_64: u32 = 0xcafe_babf;
/// More architectures than this do not exist. A Java class file begins with `FAT_MAGIC` as well, and has its major
/// version, 45 or more, where the count stands.
const MOST_ARCHITECTURES: u32 = 30;

/// Where one architecture's image lies in the file, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// Where it begins.
    pub offset: u64,
    /// Its length.
    pub size: u64,
}

/// Whether the eight bytes `head` are those of a universal file, and not of a Java class.
#[must_use]
pub fn could_be_universal(head: &[u8]) -> bool {
    match *head {
        [0xca, 0xfe, 0xba, 0xbe | 0xbf, a, b, c, d] => u32::from_be_bytes([a, b, c, d]) <= MOST_ARCHITECTURES,
        [0xbe | 0xbf, 0xba, 0xfe, 0xca, a, b, c, d] => u32::from_le_bytes([a, b, c, d]) <= MOST_ARCHITECTURES,
        _ => false,
    }
}

/// The images of `source`, in the table's order: the whole file for a thin one.
///
/// # Errors
/// [`Error::Malformed`] when the table names no image, or one that lies outside of the file.
pub fn places(source: &dyn ReadAt) -> Result<Vec<Place>> {
    let magic = Record::read(source, 0, 4, Endian::Big)?.word(0)?;
    let (endian, is_64) = match (magic, magic.swap_bytes()) {
        (FAT_MAGIC, _) => (Endian::Big, false),
        (FAT_MAGIC_64, _) => (Endian::Big, true),
        (_, FAT_MAGIC) => (Endian::Little, false),
        (_, FAT_MAGIC_64) => (Endian::Little, true),
        _ => return Ok(vec![Place { offset: 0, size: source.size() }]),
    };
    let count = Record::read(source, 4, 4, endian)?.word(0)?;
    if count == 0 || count > MOST_ARCHITECTURES {
        let expected = format!("1 to {MOST_ARCHITECTURES} architectures, found {count}");
        return Err(Error::malformed(source.path(), 4, expected));
    }
    // fat_arch: cputype, cpusubtype, offset, size, align; fat_arch_64 has wide offset and size, and a reserved word.
    let entry = if is_64 { 32 } else { 20 };
    let table = Record::read(source, 8, u64::from(count) * entry, endian)?;
    let mut found = Vec::new();
    for number in 0..u64::from(count) {
        let at = number * entry;
        let (offset, size) = if is_64 {
            (table.long(at + 8)?, table.long(at + 16)?)
        } else {
            (u64::from(table.word(at + 8)?), u64::from(table.word(at + 12)?))
        };
        if offset.checked_add(size).is_none_or(|end| end > source.size()) {
            let expected =
                format!("an image within the file's {:#x} bytes, found {offset:#x}+{size:#x}", source.size());
            return Err(Error::malformed(source.path(), 8 + at, expected));
        }
        found.push(Place { offset, size });
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    fn table(is_64: bool, is_big: bool) -> Vec<u8> {
        let magic = if is_64 { FAT_MAGIC_64 } else { FAT_MAGIC };
        let word = |value: u32| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
        let long = |value: u64| if is_big { value.to_be_bytes() } else { value.to_le_bytes() };
        let mut bytes = [word(magic), word(2)].concat();
        for offset in [0x1000_u32, 0x2000] {
            bytes.extend([word(7), word(3)].concat());
            if is_64 {
                bytes.extend([long(u64::from(offset)), long(0x800)].concat());
                bytes.extend([word(12), word(0)].concat());
            } else {
                bytes.extend([word(offset), word(0x800), word(12)].concat());
            }
        }
        bytes.resize(0x2800, 0);
        bytes
    }

    #[test]
    fn all_four_ways_of_writing_the_table_are_read() {
        for (is_64, is_big) in [(false, true), (false, false), (true, true), (true, false)] {
            let bytes = table(is_64, is_big);
            assert!(could_be_universal(&bytes[..8]));
            let mut short = bytes.clone();
            short.truncate(0x27ff);
            let found = places(&MemoryBytes::new("a".into(), bytes)).unwrap();
            assert_eq!(found, [Place { offset: 0x1000, size: 0x800 }, Place { offset: 0x2000, size: 0x800 }]);
            assert!(places(&MemoryBytes::new("a".into(), short)).is_err());
        }
    }

    #[test]
    fn a_java_class_is_no_universal_file() {
        for major in [45, 52, 69] {
            assert!(!could_be_universal(&[0xca, 0xfe, 0xba, 0xbe, 0, 0, 0, major]));
        }
    }
}
