//! The normalized view of a Mach-O file, read from its load commands.

use super::commands::{Image, kind};
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
        slice.needed.push(Needed { name: command.text(8)?, binding });
    }
    Ok(slice)
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
fn arch(image: &Image<'_>) -> Arch {
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
