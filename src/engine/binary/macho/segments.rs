//! The segments of a Mach-O image and their sections.

use super::commands::{Image, kind};
use crate::engine::binary::Name;
use crate::engine::{Error, Result};

/// A segment: a stretch of the image that is mapped as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Segment {
    /// `__TEXT`, `__LINKEDIT`.
    pub name: Name,
    /// Where it is mapped.
    pub address: u64,
    /// Its length in memory, in bytes.
    pub size: u64,
    /// Where it begins in the image, in bytes.
    pub offset: u64,
    /// Its length in the image, in bytes.
    pub file_size: u64,
    /// `initprot`.
    pub protection: u32,
    /// Its sections, in the file's order.
    pub sections: Vec<Section>,
}

/// A section of a segment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// `__TEXT,__text`.
    pub name: String,
    /// Its address.
    pub address: u64,
    /// Its length in bytes.
    pub size: u64,
    /// Where it begins in the image; 0 for one without bytes in the file.
    pub offset: u64,
    /// `flags`: the type in the low byte, and attributes.
    pub flags: u32,
    /// `reserved1` and `reserved2`: first indirect symbol and size of a stub, in the sections that have them.
    pub reserved: [u32; 2],
}

/// The segments of `image`, in the file's order.
///
/// # Errors
/// [`Error::Malformed`] when a command is shorter than its segment.
pub fn segments(image: &Image<'_>) -> Result<Vec<Segment>> {
    let mut found = Vec::new();
    for command in &image.commands {
        let record = &command.record;
        // segment_command: cmd, cmdsize, segname[16], vmaddr, vmsize, fileoff, filesize, maxprot, initprot, nsects, flags.
        let (is_64, first, entry) = match command.kind {
            kind::LC_SEGMENT_64 => (true, 72, 80),
            kind::LC_SEGMENT => (false, 56, 68),
            _ => continue,
        };
        let long = |at| if is_64 { record.long(at) } else { record.word(at).map(u64::from) };
        let width = if is_64 { 8 } else { 4 };
        let count = u64::from(record.word(first - 8)?);
        let room = (record.as_bytes().len() as u64).saturating_sub(first) / entry;
        if count > room {
            let expected = format!("at most {room} sections in the command, found {count}");
            return Err(Error::malformed(record.path(), record.offset() + first - 8, expected));
        }
        let mut segment = Segment {
            name: record.name(8, 16)?,
            address: long(24)?,
            size: long(24 + width)?,
            offset: long(24 + 2 * width)?,
            file_size: long(24 + 3 * width)?,
            protection: record.word(24 + 4 * width + 4)?,
            sections: Vec::new(),
        };
        for number in 0..count {
            // section: sectname[16], segname[16], addr, size, offset, align, reloff, nreloc, flags, reserved1, reserved2.
            let at = first + number * entry;
            let offset = at + 32 + 2 * width;
            segment.sections.push(Section {
                name: format!("{},{}", record.name(at + 16, 16)?, record.name(at, 16)?),
                address: long(at + 32)?,
                size: long(at + 32 + width)?,
                offset: u64::from(record.word(offset)?),
                flags: record.word(offset + 16)?,
                reserved: [record.word(offset + 20)?, record.word(offset + 24)?],
            });
        }
        found.push(segment);
    }
    Ok(found)
}
