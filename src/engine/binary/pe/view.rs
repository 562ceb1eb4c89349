//! The normalized view of a PE file, read from its headers and directories.

use super::headers::Headers;
use super::{ImportTable, imports, own_name};
use crate::engine::Result;
use crate::engine::binary::{Arch, Endian, Needed, NeededBinding, ObjectKind, Slice};
use crate::engine::file::ReadAt;
use goblin::pe::header as machine;

/// `IMAGE_FILE_EXECUTABLE_IMAGE`: the linker found nothing missing.
const EXECUTABLE_IMAGE: u16 = 0x0002;
/// `IMAGE_FILE_DLL`.
const DLL: u16 = 0x2000;

/// Reads the slice of the PE file `source`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] with the place at which the file is not what the format demands.
pub fn read(source: &dyn ReadAt) -> Result<Slice> {
    let headers = Headers::read(source)?;
    let needed = imports(source, &headers)?.into_iter().map(|import| {
        let binding = match import.table {
            ImportTable::Import => NeededBinding::Required,
            ImportTable::DelayImport => NeededBinding::Delayed,
        };
        Needed { name: import.name, binding }
    });
    Ok(Slice {
        offset: 0,
        size: source.size(),
        arch: arch(&headers),
        kind: match headers.characteristics {
            flags if flags & DLL != 0 => ObjectKind::SharedLibrary,
            flags if flags & EXECUTABLE_IMAGE != 0 => ObjectKind::Executable,
            _ => ObjectKind::Other,
        },
        soname: own_name(source, &headers)?,
        needed: needed.collect(),
        interpreter: None,
        run_paths: Vec::new(),
        elf: None,
    })
}

/// The machine, named as for ELF.
fn arch(headers: &Headers) -> Arch {
    let name = match headers.machine {
        machine::COFF_MACHINE_X86_64 => "x86_64",
        machine::COFF_MACHINE_X86 => "i686",
        machine::COFF_MACHINE_ARM64 => "aarch64",
        // Windows on ARM64EC and ARM64X, which load next to x86_64.
        0xa641 => "arm64ec",
        0xa64e => "arm64x",
        machine::COFF_MACHINE_ARMNT => "armv7l",
        machine::COFF_MACHINE_IA64 => "ia64",
        machine::COFF_MACHINE_RISCV64 => "riscv64",
        machine::COFF_MACHINE_LOONGARCH64 => "loongarch64",
        _ => "",
    };
    let name = if name.is_empty() { format!("machine-{:#x}", headers.machine) } else { name.to_owned() };
    let bits = if headers.is_plus { 64 } else { 32 };
    Arch { name, bits, endian: Endian::Little, machine: u32::from(headers.machine), flags: 0 }
}
