//! The address ranges of functions that the unwind tables know (`.eh_frame`: LSB Core, "Exception Frames").
//!
//! A stripped library keeps them, so they tell where its functions begin and end when no symbol does.

use crate::engine::binary::elf::Tables;
use crate::engine::file::ReadAt;
use crate::engine::{Context, Error, Result};
use goblin::elf::program_header::PT_GNU_EH_FRAME;
use std::collections::BTreeMap;

/// Bytes that are read at once.
const CHUNK: u64 = 1 << 20;
/// More Common Information Entries than this are not remembered, and what refers to them is left out.
const MOST_CIES: usize = 4096;
/// Bytes of a record that tell what is asked of it.
const HEAD: usize = 64;
/// Of a longer augmentation string nothing is known.
const LONGEST_AUGMENTATION: usize = 16;

/// The range of one function: its address, and its length in bytes.
pub(super) type Range = (u64, u64);

/// Calls `found` for each range that the unwind tables name, in their order, until it says to stop.
///
/// A file without `PT_GNU_EH_FRAME` has none, and damage ends the walk: the tables only help.
///
/// # Errors
/// [`Error::Cancelled`].
pub(super) fn ranges(
    source: &dyn ReadAt,
    tables: &Tables,
    context: &Context,
    found: &mut dyn FnMut(Range) -> bool,
) -> Result<()> {
    let walked = Frames::open(source, tables).and_then(|frames| match frames {
        Some(mut frames) => frames.walk(context, found),
        None => Ok(()),
    });
    match walked {
        Err(Error::Cancelled) => Err(Error::Cancelled),
        Err(_) | Ok(()) => Ok(()),
    }
}

/// `.eh_frame` under way.
struct Frames<'a> {
    source: &'a dyn ReadAt,
    /// The file offset and the address of its first record.
    offset: u64,
    address: u64,
    /// How many bytes may belong to it.
    length: u64,
    is_64: bool,
    is_big: bool,
    /// What the Common Information Entries say, by their places.
    common: BTreeMap<u64, Common>,
    /// The bytes read last, and their place.
    window: (u64, Vec<u8>),
}

impl<'a> Frames<'a> {
    fn open(source: &'a dyn ReadAt, tables: &Tables) -> Result<Option<Self>> {
        let Some(segment) = tables.segments.iter().find(|segment| segment.p_type == PT_GNU_EH_FRAME) else {
            return Ok(None);
        };
        // eh_frame_hdr: version, encoding of the pointer, of the count, of the table; then the pointer to .eh_frame.
        let head = source.bytes(segment.p_offset, segment.p_filesz.min(12))?;
        let (Some(1), Some(encoding)) = (head.first(), head.get(1)) else { return Ok(None) };
        let mut bytes = Bytes { bytes: &head, at: 4, is_big: tables.is_big };
        let pointer = bytes.pointer(*encoding, segment.p_vaddr.wrapping_add(4), segment.p_vaddr, tables.is_64);
        let Some(address) = pointer else { return Ok(None) };
        let Some((offset, length)) = tables.file_offset(address) else { return Ok(None) };
        Ok(Some(Self {
            source,
            offset,
            address,
            length: length.min(source.size().saturating_sub(offset)),
            is_64: tables.is_64,
            is_big: tables.is_big,
            common: BTreeMap::new(),
            window: (0, Vec::new()),
        }))
    }

    fn walk(&mut self, context: &Context, found: &mut dyn FnMut(Range) -> bool) -> Result<()> {
        let (mut at, mut told) = (0, 0);
        while at + 4 <= self.length {
            if at - told >= CHUNK {
                context.advance(0)?;
                told = at;
            }
            // Only the head of a record is looked at; its unwinding program is not.
            let (head, held) = self.head(at)?;
            let mut bytes = Bytes { bytes: head.get(..held).unwrap_or_default(), at: 0, is_big: self.is_big };
            let short = bytes.unsigned(4).unwrap_or(0);
            let (length, wide) =
                if short == 0xffff_ffff { (bytes.unsigned(8).unwrap_or(0), true) } else { (short, false) };
            if length == 0 {
                return Ok(());
            }
            let body = bytes.at as u64;
            let next = at.checked_add(body).and_then(|start| start.checked_add(length));
            let Some(next) = next.filter(|&next| next <= self.length) else { return Ok(()) };
            let Some(id) = bytes.unsigned(if wide { 8 } else { 4 }) else { return Ok(()) };
            if id == 0 {
                let common = Common::read(&mut bytes, self.is_64);
                if let Some(common) = common.filter(|_| self.common.len() < MOST_CIES) {
                    self.common.insert(at, common);
                }
            } else if let Some(common) = (at + body).checked_sub(id).and_then(|cie| self.common.get(&cie)) {
                let here = self.address.wrapping_add(at).wrapping_add(bytes.at as u64);
                let start = bytes.pointer(common.encoding, here, 0, self.is_64);
                // The length has the format of an address and is relative to nothing.
                let size = bytes.pointer(common.encoding & 0x0f, 0, 0, self.is_64);
                if let (Some(start), Some(size)) = (start, size)
                    && !found(common.range(start, size))
                {
                    return Ok(());
                }
            }
            at = next;
        }
        Ok(())
    }

    /// The first bytes, [`HEAD`] at the most, of what lies at `at`, and how many they are.
    fn head(&mut self, at: u64) -> Result<([u8; HEAD], usize)> {
        let wanted = (HEAD as u64).min(self.length - at);
        let (start, bytes) = &self.window;
        let inside = at.checked_sub(*start).is_some_and(|into| into + wanted <= bytes.len() as u64);
        if !inside {
            let bytes = self.source.bytes(self.offset + at, (self.length - at).min(CHUNK))?;
            self.window = (at, bytes);
        }
        let into = usize::try_from(at - self.window.0).unwrap_or(usize::MAX);
        let bytes = self.window.1.get(into..).and_then(|rest| rest.get(..wanted as usize)).unwrap_or_default();
        let mut head = [0; HEAD];
        head.iter_mut().zip(bytes).for_each(|(place, byte)| *place = *byte);
        Ok((head, bytes.len()))
    }
}

/// What a Common Information Entry says of the functions that refer to it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Common {
    /// How their addresses are written.
    encoding: u8,
    /// Whether the frames are those of signal handlers.
    signal: bool,
}

impl Common {
    /// Reads the entry that begins in `bytes`, behind its id; `None` for one that is written in an unknown way.
    fn read(bytes: &mut Bytes<'_>, is_64: bool) -> Option<Self> {
        let mut common = Self { encoding: 0, signal: false };
        let version = bytes.unsigned(1)?;
        let augmentation = bytes.text()?;
        if augmentation.is_empty() {
            return Some(common);
        }
        // "eh", of compilers before 2000, brings a pointer of its own; nobody has it today.
        let rest = augmentation.strip_prefix(b"z")?;
        common.signal = rest.contains(&b'S');
        bytes.leb128()?;
        bytes.leb128()?;
        if version == 1 {
            bytes.unsigned(1)?
        } else {
            bytes.leb128()?
        };
        bytes.leb128()?;
        for letter in rest {
            match letter {
                b'R' => common.encoding = u8::try_from(bytes.unsigned(1)?).ok()?,
                b'P' => {
                    let encoding = u8::try_from(bytes.unsigned(1)?).ok()?;
                    bytes.pointer(encoding & 0x0f, 0, 0, is_64)?;
                }
                b'L' => {
                    bytes.unsigned(1)?;
                }
                b'S' | b'B' | b'G' => {}
                _ => return None,
            }
        }
        Some(common)
    }

    /// The range of a function. That of a signal's return begins a byte before its code, for unwinders that look up the
    /// address before the one to which a function returns.
    fn range(self, start: u64, size: u64) -> Range {
        if self.signal { (start.wrapping_add(1), size.saturating_sub(1)) } else { (start, size) }
    }
}

/// Numbers of the unwind tables, taken one after the other.
struct Bytes<'a> {
    bytes: &'a [u8],
    at: usize,
    is_big: bool,
}

impl<'a> Bytes<'a> {
    fn unsigned(&mut self, size: usize) -> Option<u64> {
        let bytes = self.bytes.get(self.at..)?.get(..size)?;
        self.at += size;
        let join = |sum: u64, byte: &u8| sum << 8 | u64::from(*byte);
        Some(if self.is_big { bytes.iter().fold(0, join) } else { bytes.iter().rev().fold(0, join) })
    }

    fn leb128(&mut self) -> Option<u64> {
        let mut value = 0;
        for shift in (0..63).step_by(7) {
            let byte = self.unsigned(1)?;
            value |= (byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Some(value);
            }
        }
        None
    }

    /// The bytes up to the next NUL, which is stepped over.
    fn text(&mut self) -> Option<&'a [u8]> {
        let rest = self.bytes.get(self.at..)?;
        let end = rest.iter().take(LONGEST_AUGMENTATION).position(|byte| *byte == 0)?;
        self.at += end + 1;
        rest.get(..end)
    }

    /// A pointer written as `encoding` says (DWARF Exception Header Encoding), at address `here`; `base` is that of the data.
    fn pointer(&mut self, encoding: u8, here: u64, base: u64, is_64: bool) -> Option<u64> {
        let size = match encoding & 0x07 {
            0 => {
                if is_64 {
                    8
                } else {
                    4
                }
            }
            2 => 2,
            3 => 4,
            4 => 8,
            _ => return None,
        };
        let mut value = self.unsigned(size)?;
        if encoding & 0x08 != 0 && size < 8 {
            let unused = 64 - 8 * size as u32;
            value = ((value << unused) as i64 >> unused) as u64;
        }
        let value = match encoding & 0x70 {
            0x00 => value,
            0x10 => value.wrapping_add(here),
            0x30 => value.wrapping_add(base),
            _ => return None,
        };
        // An indirect pointer's value is known to the loader only.
        let value = if is_64 { value } else { value & 0xffff_ffff };
        (encoding & 0x80 == 0).then_some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pointers_are_read_by_their_encoding() {
        let at = |bytes: &[u8], encoding, is_64| {
            Bytes { bytes, at: 0, is_big: false }.pointer(encoding, 0x1000, 0x20, is_64)
        };
        assert_eq!(at(&[0xfc, 0xff, 0xff, 0xff], 0x1b, true), Some(0xffc));
        assert_eq!(at(&[4, 0, 0, 0], 0x3b, true), Some(0x24));
        assert_eq!(at(&[1, 2], 0x02, true), Some(0x201));
        assert_eq!(at(&[1, 0, 0, 0, 0, 0, 0, 0], 0x00, true), Some(1));
        assert_eq!(at(&[0, 0xf0, 0xff, 0xff], 0x1b, false), Some(0));
        assert_eq!(at(&[1, 2, 3], 0x1b, true), None);
        assert_eq!(at(&[1, 2, 3, 4], 0x9b, true), None);
    }

    #[test]
    fn an_endless_number_is_none() {
        assert_eq!(Bytes { bytes: &[0x80; 20], at: 0, is_big: false }.leb128(), None);
        assert_eq!(Bytes { bytes: &[0xe5, 0x8e, 0x26], at: 0, is_big: false }.leb128(), Some(624_485));
    }
}
