//! Bytes as such: whether they are all one, and what the first of them are.

use crate::engine::Result;
use crate::engine::file::ReadAt;
use std::fmt::{self, Display, Formatter, Write as _};

/// Bytes that are read at once.
const CHUNK: u64 = 16 * 1024;
/// A longer stretch is looked at no further.
const MOST_READ: u64 = 16 << 20;
/// As many bytes are shown.
const MOST_SHOWN: u64 = 8;

/// A stretch of equal bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fill {
    /// The byte.
    pub byte: u8,
    /// How many of the stretch were looked at, from its start.
    pub seen: u64,
    /// How long the stretch is.
    pub len: u64,
}

impl Display for Fill {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self.byte {
            0 => formatter.write_str("zeros")?,
            byte => write!(formatter, "{byte:#04x}")?,
        }
        if self.seen < self.len {
            write!(formatter, " for the first {:#x} bytes", self.seen)?;
        }
        Ok(())
    }
}

/// The byte that the `len` bytes at `offset` all are; `None` where there are two, or none.
///
/// # Errors
/// [`crate::engine::Error::Io`] when they can't be read, [`crate::engine::Error::Malformed`] when the file ends before.
pub fn fill(source: &dyn ReadAt, offset: u64, len: u64) -> Result<Option<Fill>> {
    let seen = len.min(MOST_READ);
    let (mut at, mut byte) = (0, None);
    // Most stretches show it by their first bytes.
    let mut chunk = 64;
    while at < seen {
        let bytes = source.bytes(offset.saturating_add(at), chunk.min(seen - at))?;
        let first = *byte.get_or_insert(bytes.first().copied().unwrap_or_default());
        if bytes.iter().any(|other| *other != first) {
            return Ok(None);
        }
        at += bytes.len() as u64;
        chunk = CHUNK;
    }
    Ok(byte.map(|byte| Fill { byte, seen, len }))
}

/// The distance to the first of `len` bytes that differ between `a` and `b`, which are read from `offsets` on.
///
/// # Errors
/// As [`fill`].
pub fn first_difference(a: &dyn ReadAt, b: &dyn ReadAt, offsets: (u64, u64), len: u64) -> Result<Option<u64>> {
    let (mut at, mut chunk) = (0, 64);
    while at < len {
        let length = chunk.min(len - at);
        let (ours, theirs) = (a.bytes(offsets.0 + at, length)?, b.bytes(offsets.1 + at, length)?);
        if let Some(place) = ours.iter().zip(&theirs).position(|(one, other)| one != other) {
            return Ok(Some(at + place as u64));
        }
        at += length;
        chunk = CHUNK;
    }
    Ok(None)
}

/// The `len` bytes at `offset` in hex, or the first of them; or what all of them are.
///
/// # Errors
/// As [`fill`].
pub fn shown(source: &dyn ReadAt, offset: u64, len: u64) -> Result<String> {
    if len > MOST_SHOWN
        && let Some(fill) = fill(source, offset, len)?
    {
        return Ok(format!("{len} bytes of {fill}"));
    }
    let bytes = source.bytes(offset, len.min(MOST_SHOWN))?;
    let mut text = String::new();
    for (number, byte) in bytes.iter().enumerate() {
        let _ = write!(text, "{}{byte:02x}", if number == 0 { "" } else { " " });
    }
    if len > MOST_SHOWN {
        text.push_str("...");
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    #[test]
    fn a_fill_is_told_and_other_bytes_are_shown() {
        let source = MemoryBytes::new("a".into(), [vec![0; 20_000], b"ZZZZZZZZZZ123".to_vec()].concat());
        let said = |offset, len| shown(&source, offset, len).unwrap();
        assert_eq!(said(0, 20_000), "20000 bytes of zeros");
        assert_eq!(said(20_000, 10), "10 bytes of 0x5a");
        assert_eq!(said(20_000, 2), "5a 5a");
        assert_eq!(said(20_001, 12), "5a 5a 5a 5a 5a 5a 5a 5a...");
        assert_eq!(fill(&source, 1, 0).unwrap(), None);
        assert_eq!(fill(&source, 0, 20_001).unwrap(), None);
        assert!(fill(&source, 20_000, 99).is_err());
        assert_eq!(first_difference(&source, &source, (0, 1), 20_000).unwrap(), Some(19_999));
        assert_eq!(first_difference(&source, &source, (0, 1), 19_999).unwrap(), None);
    }
}
