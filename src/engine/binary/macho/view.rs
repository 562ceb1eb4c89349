//! The normalized view of a Mach-O file, read from its load commands.

use super::commands::{Command, Image, kind};
use super::places;
use crate::engine::Result;
use crate::engine::binary::{Arch, Needed, NeededBinding, ObjectKind, RunPath, RunPathTag, Slice};
use crate::engine::file::ReadAt;

/// The capability bits of `cpusubtype` (`CPU_SUBTYPE_MASK`).
const SUBTYPE_MASK: u32 = 0xff00_0000;

/// Reads the slices of the Mach-O file `source`: one for a thin file, one an architecture for a universal one.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] with the place at which the file is not what `mach-o/loader.h` demands.
pub fn read(source: &dyn ReadAt) -> Result<Vec<Slice>> {
    places(source)?.into_iter().map(|place| slice(&Image::read(source, place)?)).collect()
}

fn slice(image: &Image<'_>) -> Result<Slice> {
    let mut slice = Slice {
        offset: image.place.offset,
        size: image.place.size,
        arch: arch(image),
        kind: object_kind(image.file_type),
        soname: None,
        needed: Vec::new(),
        interpreter: None,
        run_paths: Vec::new(),
        elf: None,
    };
    for command in &image.commands {
        let binding = match command.kind {
            kind::LC_LOAD_DYLIB | kind::LC_LOAD_UPWARD_DYLIB => NeededBinding::Required,
            kind::LC_LOAD_WEAK_DYLIB => NeededBinding::Weak,
            kind::LC_REEXPORT_DYLIB => NeededBinding::Reexported,
            kind::LC_LAZY_LOAD_DYLIB => NeededBinding::Delayed,
            other => {
                match other {
                    kind::LC_ID_DYLIB => slice.soname = Some(command.text(8)?),
                    kind::LC_LOAD_DYLINKER => slice.interpreter = Some(command.text(8)?),
                    kind::LC_RPATH => {
                        slice.run_paths.push(RunPath { tag: RunPathTag::LcRpath, text: command.text(8)? });
                    }
                    _ => {}
                }
                continue;
            }
        };
        slice.needed.push(Needed { name: command.text(8)?, binding: stated(command)?.unwrap_or(binding) });
    }
    Ok(slice)
}

/// What a `dylib_use_command` states in flags: it is any load command whose name begins 28 bytes into it and that has
/// `DYLIB_USE_MARKER` for a time stamp.
fn stated(command: &Command<'_>) -> Result<Option<NeededBinding>> {
    if (command.record.word(8)?, command.record.word(12)?) != (28, 0x1a74_1800) {
        return Ok(None);
    }
    let flags = command.record.word(24)?;
    let known = [(1, NeededBinding::Weak), (2, NeededBinding::Reexported), (8, NeededBinding::Delayed)];
    Ok(known.into_iter().find(|(flag, _)| flags & flag != 0).map(|(_, binding)| binding))
}

fn object_kind(file_type: u32) -> ObjectKind {
    match file_type {
        1 => ObjectKind::Relocatable,
        2 => ObjectKind::Executable,
        // MH_DYLIB and MH_BUNDLE.
        6 | 8 => ObjectKind::SharedLibrary,
        _ => ObjectKind::Other,
    }
}

/// The machine, named as `lipo -archs` names it.
#[must_use]
pub fn arch(image: &Image<'_>) -> Arch {
    let subtype = image.subtype & !SUBTYPE_MASK;
    let name = match (image.cpu, subtype) {
        (7, _) => "i386",
        (0x0100_0007, 8) => "x86_64h",
        (0x0100_0007, _) => "x86_64",
        (12, 6) => "armv6",
        (12, 9) => "armv7",
        (12, 11) => "armv7s",
        (12, 12) => "armv7k",
        (12, _) => "arm",
        (0x0100_000c, 2) => "arm64e",
        (0x0100_000c, _) => "arm64",
        (0x0200_000c, _) => "arm64_32",
        (18, _) => "ppc",
        (0x0100_0012, _) => "ppc64",
        _ => "",
    };
    let name = if name.is_empty() { format!("cputype-{}", image.cpu) } else { name.to_owned() };
    let bits = if image.is_64 { 64 } else { 32 };
    Arch { name, bits, endian: image.endian, machine: image.cpu, flags: image.subtype }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary::Name;
    use crate::engine::file::MemoryBytes;

    /// A 64-bit dylib for arm64 with one `LC_LOAD_DYLIB` of `fields` behind the name's offset.
    fn dylib(start: u32, fields: &[u32]) -> MemoryBytes {
        let size = start + 8;
        let mut words = vec![0xfeed_facf, 0x0100_000c, 0, 6, 1, size, 0, 0, 0xc, size, start];
        words.extend_from_slice(fields);
        let mut bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
        bytes.extend(b"libx\0\0\0\0");
        MemoryBytes::new("made".into(), bytes)
    }

    #[test]
    fn the_flags_of_a_dylib_use_command_say_how_the_library_is_bound() {
        use NeededBinding::{Delayed, Reexported, Required, Weak};
        for (flags, expected) in [(0, Required), (1, Weak), (2, Reexported), (4, Required), (8, Delayed)] {
            let slices = read(&dylib(28, &[0x1a74_1800, 0, 0, flags])).unwrap();
            assert_eq!(slices[0].needed, [Needed { name: Name::from("libx"), binding: expected }]);
        }
        let plain = read(&dylib(24, &[2, 0, 0])).unwrap();
        assert_eq!(plain[0].needed[0].binding, Required);
    }
}
