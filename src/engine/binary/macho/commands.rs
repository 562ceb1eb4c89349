//! A Mach-O image's header and load commands, as they stand in the file.

use super::Place;
use crate::engine::binary::record::Record;
use crate::engine::binary::{Endian, Name};
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use goblin::mach::load_command as lc;

/// More bytes of load commands than this are taken as damage.
const MOST_COMMAND_BYTES: u32 = 16 << 20;

/// The numbers of the load commands that are looked at.
pub mod kind {
    pub use goblin::mach::load_command::{
        LC_BUILD_VERSION, LC_CODE_SIGNATURE, LC_DATA_IN_CODE, LC_DYLD_CHAINED_FIXUPS, LC_DYLD_ENVIRONMENT,
        LC_DYLD_EXPORTS_TRIE, LC_DYLD_INFO, LC_DYLD_INFO_ONLY, LC_DYLIB_CODE_SIGN_DRS, LC_DYSYMTAB, LC_ENCRYPTION_INFO,
        LC_ENCRYPTION_INFO_64, LC_FILESET_ENTRY, LC_FUNCTION_STARTS, LC_ID_DYLIB, LC_ID_DYLINKER, LC_LAZY_LOAD_DYLIB,
        LC_LINKER_OPTIMIZATION_HINT, LC_LOAD_DYLIB, LC_LOAD_DYLINKER, LC_LOAD_UPWARD_DYLIB, LC_LOAD_WEAK_DYLIB,
        LC_MAIN, LC_NOTE, LC_PREBIND_CKSUM, LC_REEXPORT_DYLIB, LC_RPATH, LC_SEGMENT, LC_SEGMENT_64,
        LC_SEGMENT_SPLIT_INFO, LC_SOURCE_VERSION, LC_SUB_CLIENT, LC_SUB_FRAMEWORK, LC_SUB_LIBRARY, LC_SUB_UMBRELLA,
        LC_SYMTAB, LC_TWOLEVEL_HINTS, LC_UUID, LC_VERSION_MIN_IPHONEOS, LC_VERSION_MIN_MACOSX, LC_VERSION_MIN_TVOS,
        LC_VERSION_MIN_WATCHOS,
    };
}

/// One architecture's image.
#[derive(Debug, Clone)]
pub struct Image<'a> {
    /// Where it lies in the file.
    pub place: Place,
    /// 64-bit (`true`) or 32-bit.
    pub is_64: bool,
    /// Its byte order.
    pub endian: Endian,
    /// `cputype`.
    pub cpu: u32,
    /// `cpusubtype`, capability bits included.
    pub subtype: u32,
    /// `filetype`.
    pub file_type: u32,
    /// The header's length in bytes.
    pub header_size: u64,
    /// The load commands, in the file's order.
    pub commands: Vec<Command<'a>>,
}

/// One load command.
#[derive(Debug, Clone)]
pub struct Command<'a> {
    /// `cmd`.
    pub kind: u32,
    /// Its bytes, `cmd` and `cmdsize` included.
    pub record: Record<'a>,
}

impl<'a> Image<'a> {
    /// Reads header and load commands of the image at `place` of `source`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it is no Mach-O image, or its commands don't fit.
    pub fn read(source: &'a dyn ReadAt, place: Place) -> Result<Self> {
        let path = source.path();
        let magic = Record::read(source, place.offset, 4, Endian::Big)?;
        let (endian, is_64) = match magic.word(0)? {
            0xfeed_face => (Endian::Big, false),
            0xfeed_facf => (Endian::Big, true),
            0xcefa_edfe => (Endian::Little, false),
            0xcffa_edfe => (Endian::Little, true),
            other => {
                return Err(Error::malformed(path, place.offset, format!("a Mach-O header, found {other:#010x}")));
            }
        };
        let header_size = if is_64 { 32 } else { 28 };
        // mach_header: magic, cputype, cpusubtype, filetype, ncmds, sizeofcmds, flags.
        let header = Record::read(source, place.offset, header_size, endian)?;
        let (count, size) = (header.word(16)?, header.word(20)?);
        let room = place.size.saturating_sub(header_size);
        if size > MOST_COMMAND_BYTES || u64::from(size) > room {
            let expected = format!("load commands of at most {room} bytes, found {size}");
            return Err(Error::malformed(path, place.offset + 20, expected));
        }
        let area = Record::read(source, place.offset + header_size, u64::from(size), endian)?;
        let (mut commands, mut at) = (Vec::new(), 0);
        for _ in 0..count {
            let (kind, length) = (area.word(at)?, u64::from(area.word(at + 4)?));
            if length < 8 {
                let expected = format!("a load command of 8 bytes or more, found {length}");
                return Err(Error::malformed(path, area.offset() + at, expected));
            }
            commands.push(Command { kind, record: area.part(at, length)? });
            at += length;
        }
        Ok(Self {
            place,
            is_64,
            endian,
            cpu: header.word(4)?,
            subtype: header.word(8)?,
            file_type: header.word(12)?,
            header_size,
            commands,
        })
    }

    /// The `length` bytes at `offset` of the image, in its byte order.
    ///
    /// # Errors
    /// [`Error::Malformed`] when they don't lie within the image.
    pub fn record(&self, source: &'a dyn ReadAt, offset: u64, length: u64) -> Result<Record<'a>> {
        if offset.checked_add(length).is_none_or(|end| end > self.place.size) {
            let expected = format!("{length} bytes of an image of {:#x} bytes", self.place.size);
            return Err(Error::malformed(source.path(), self.place.offset.saturating_add(offset), expected));
        }
        Record::read(source, self.place.offset.saturating_add(offset), length, self.endian)
    }

    /// The first command of kind `kind`.
    #[must_use]
    pub fn command(&self, kind: u32) -> Option<&Command<'a>> {
        self.commands.iter().find(|command| command.kind == kind)
    }
}

impl Command<'_> {
    /// The string whose place in the command stands at `field` (`lc_str`).
    ///
    /// # Errors
    /// [`Error::Malformed`] when it begins outside of the command.
    pub fn text(&self, field: u64) -> Result<Name> {
        let at = u64::from(self.record.word(field)?);
        let length = (self.record.as_bytes().len() as u64).saturating_sub(at);
        self.record.name(at, length)
    }

    /// The library's name, for the commands that name one.
    ///
    /// # Errors
    /// As [`Command::text`].
    pub fn library(&self) -> Result<Option<Name>> {
        Ok(match self.kind {
            lc::LC_LOAD_DYLIB
            | lc::LC_LOAD_WEAK_DYLIB
            | lc::LC_REEXPORT_DYLIB
            | lc::LC_LAZY_LOAD_DYLIB
            | lc::LC_LOAD_UPWARD_DYLIB
            | lc::LC_ID_DYLIB => Some(self.text(8)?),
            _ => None,
        })
    }
}

/// The name of the load command number `kind`, as `mach-o/loader.h` writes it; its number for one of no known name.
#[must_use]
pub fn command_name(kind: u32) -> String {
    match lc::cmd_to_str(kind) {
        "LC_UNKNOWN" => format!("LC {kind:#x}"),
        name => name.to_owned(),
    }
}
