//! A stretch of a file from which numbers and names are taken at offsets, in either byte order.
//!
//! Whoever asks beyond its end gets an error with the place in the file; nothing panics and nothing is read as zero.

use super::{Endian, Name};
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use std::path::Path;

/// A longer name is taken as damage.
const LONGEST_NAME: u64 = 64 * 1024;

/// Bytes of a file, with the place they come from.
#[derive(Debug, Clone)]
pub struct Record<'a> {
    path: &'a Path,
    offset: u64,
    endian: Endian,
    bytes: Vec<u8>,
}

impl<'a> Record<'a> {
    /// The `length` bytes at `offset` of `source`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the file ends before.
    pub fn read(source: &'a dyn ReadAt, offset: u64, length: u64, endian: Endian) -> Result<Self> {
        Ok(Self { path: source.path(), offset, endian, bytes: source.bytes(offset, length)? })
    }

    /// Where it begins in the file.
    #[must_use]
    pub fn offset(&self) -> u64 {
        self.offset
    }

    /// The path of the file it was read from.
    #[must_use]
    pub fn path(&self) -> &Path {
        self.path
    }

    /// Its bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The 2 bytes at `at`.
    ///
    /// # Errors
    /// [`Error::Malformed`] beyond the end.
    pub fn half(&self, at: u64) -> Result<u16> {
        let bytes = self.array(at)?;
        Ok(if self.endian == Endian::Big { u16::from_be_bytes(bytes) } else { u16::from_le_bytes(bytes) })
    }

    /// The 4 bytes at `at`.
    ///
    /// # Errors
    /// As [`Record::half`].
    pub fn word(&self, at: u64) -> Result<u32> {
        let bytes = self.array(at)?;
        Ok(if self.endian == Endian::Big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    }

    /// The 8 bytes at `at`.
    ///
    /// # Errors
    /// As [`Record::half`].
    pub fn long(&self, at: u64) -> Result<u64> {
        let bytes = self.array(at)?;
        Ok(if self.endian == Endian::Big { u64::from_be_bytes(bytes) } else { u64::from_le_bytes(bytes) })
    }

    /// The byte at `at`.
    ///
    /// # Errors
    /// As [`Record::half`].
    pub fn byte(&self, at: u64) -> Result<u8> {
        self.array::<1>(at).map(|[byte]| byte)
    }

    /// The name in the `length` bytes at `at`: up to the first NUL, or all of them.
    ///
    /// # Errors
    /// As [`Record::half`].
    pub fn name(&self, at: u64, length: u64) -> Result<Name> {
        let bytes = self.slice(at, length)?;
        Ok(Name::new(bytes.split(|byte| *byte == 0).next().unwrap_or_default()))
    }

    /// The record `length` bytes long that begins at `at` of this one.
    ///
    /// # Errors
    /// As [`Record::half`].
    pub fn part(&self, at: u64, length: u64) -> Result<Self> {
        let bytes = self.slice(at, length)?.to_vec();
        Ok(Self { path: self.path, offset: self.offset.saturating_add(at), endian: self.endian, bytes })
    }

    fn slice(&self, at: u64, length: u64) -> Result<&[u8]> {
        let range = usize::try_from(at).ok().zip(usize::try_from(length).ok());
        range.and_then(|(at, length)| self.bytes.get(at..)?.get(..length)).ok_or_else(|| {
            let end = self.offset.saturating_add(self.bytes.len() as u64);
            let place = self.offset.saturating_add(at);
            Error::malformed(self.path, place, format!("{length} bytes of a record that ends at {end:#x}"))
        })
    }

    fn array<const N: usize>(&self, at: u64) -> Result<[u8; N]> {
        let slice = self.slice(at, N as u64)?;
        slice.try_into().map_err(|_| Error::malformed(self.path, self.offset.saturating_add(at), format!("{N} bytes")))
    }
}

/// The NUL-terminated name at `offset` of `source`, which ends before `end`.
///
/// # Errors
/// [`Error::Malformed`] when no NUL stands before `end`, or the name is longer than any real one.
pub fn name_at(source: &dyn ReadAt, offset: u64, end: u64) -> Result<Name> {
    let end = end.min(source.size()).min(offset.saturating_add(LONGEST_NAME));
    let (mut text, mut at) = (Vec::new(), offset);
    while at < end {
        let chunk = source.bytes(at, (end - at).min(256))?;
        match chunk.iter().position(|byte| *byte == 0) {
            Some(stop) => {
                text.extend_from_slice(chunk.get(..stop).unwrap_or_default());
                return Ok(Name::new(text));
            }
            None => text.extend_from_slice(&chunk),
        }
        at += chunk.len() as u64;
    }
    Err(Error::malformed(source.path(), offset, format!("a name that ends before {end:#x}")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    #[test]
    fn numbers_and_names_come_in_either_order_and_never_from_beyond_the_end() {
        let source = MemoryBytes::new("a".into(), b"\x00\x01\x02\x03\x04\x05\x06\x07name\0\0x".to_vec());
        let little = Record::read(&source, 0, 14, Endian::Little).unwrap();
        assert_eq!((little.half(0).unwrap(), little.word(0).unwrap()), (0x100, 0x302_0100));
        assert_eq!((little.byte(7).unwrap(), little.name(8, 6).unwrap()), (7, Name::from("name")));
        assert!(little.long(7).is_err() && little.half(u64::MAX).is_err() && little.part(13, 2).is_err());
        let big = Record::read(&source, 1, 8, Endian::Big).unwrap();
        assert_eq!(big.long(0).unwrap(), 0x0102_0304_0506_076e);
        assert_eq!(name_at(&source, 8, 14).unwrap(), Name::from("name"));
        assert!(name_at(&source, 14, 99).is_err() && name_at(&source, 99, 200).is_err());
    }
}
