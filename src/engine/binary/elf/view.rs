//! The normalized view of an ELF file, read from its dynamic section (gABI chapter 5), not from its section headers.

use super::dynamic::{StringTable, version_definitions, version_needs};
use super::{Details, FilterKind, Tables};
use crate::engine::Result;
use crate::engine::binary::{Arch, Endian, Name, Needed, NeededBinding, ObjectKind, RunPath, RunPathTag, Slice};
use crate::engine::file::ReadAt;
use goblin::elf::dynamic::{DT_FLAGS_1, DT_NEEDED, DT_RPATH, DT_RUNPATH, DT_SONAME};
use goblin::elf::header::{self, ET_CORE, ET_DYN, ET_EXEC, ET_REL};
use goblin::elf::program_header::{PT_INTERP, PT_NOTE};

/// `DF_1_PIE` of `DT_FLAGS_1`.
const DF_1_PIE: u64 = 0x0800_0000;
/// `NT_GNU_BUILD_ID`.
const NT_GNU_BUILD_ID: u32 = 3;
/// A longer interpreter name or note segment is taken as damage.
const MOST_TEXT: u64 = 1 << 20;

/// Reads the slice of the ELF file `source`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] with the place at which the file is not what gABI demands.
pub fn read(source: &dyn ReadAt) -> Result<Slice> {
    let tables = Tables::read(source)?;
    let strings = StringTable::of(source, &tables)?;
    let mut names = strings.names();
    let mut slice = Slice {
        offset: 0,
        size: source.size(),
        arch: arch(&tables),
        kind: kind(&tables),
        soname: None,
        needed: Vec::new(),
        interpreter: interpreter(source, &tables)?,
        run_paths: Vec::new(),
        elf: None,
    };
    let mut filters = Vec::new();
    for entry in &tables.dynamic {
        if let Some(kind) = FilterKind::of_tag(entry.d_tag) {
            filters.push((kind, names.get(entry.d_val)?));
        }
        match entry.d_tag {
            DT_NEEDED => {
                let name = names.get(entry.d_val)?;
                slice.needed.push(Needed { name, binding: NeededBinding::Required });
            }
            DT_SONAME => slice.soname = Some(names.get(entry.d_val)?),
            DT_RPATH => slice.run_paths.push(RunPath { tag: RunPathTag::Rpath, text: names.get(entry.d_val)? }),
            DT_RUNPATH => slice.run_paths.push(RunPath { tag: RunPathTag::Runpath, text: names.get(entry.d_val)? }),
            _ => {}
        }
    }
    let version_needs = version_needs(source, &tables, &strings)?;
    let version_definitions = version_definitions(source, &tables, &strings)?;
    let build_id = build_id(source, &tables)?;
    slice.elf = Some(Details { tables, version_needs, version_definitions, filters, build_id });
    Ok(slice)
}

fn kind(tables: &Tables) -> ObjectKind {
    let interpreted = tables.segments.iter().any(|segment| segment.p_type == PT_INTERP);
    let pie = tables.dynamic_value(DT_FLAGS_1).is_some_and(|flags| flags & DF_1_PIE != 0);
    match tables.header.e_type {
        ET_EXEC => ObjectKind::Executable,
        // libc.so.6 names an interpreter and is a library all the same: it has a SONAME and no DF_1_PIE.
        ET_DYN if pie || (interpreted && tables.dynamic_value(DT_SONAME).is_none()) => ObjectKind::Executable,
        ET_DYN => ObjectKind::SharedLibrary,
        ET_REL => ObjectKind::Relocatable,
        ET_CORE => ObjectKind::Other,
        _ => ObjectKind::Other,
    }
}

fn interpreter(source: &dyn ReadAt, tables: &Tables) -> Result<Option<Name>> {
    let Some(segment) = tables.segments.iter().find(|segment| segment.p_type == PT_INTERP) else { return Ok(None) };
    let mut bytes = source.bytes(segment.p_offset, segment.p_filesz.min(MOST_TEXT))?;
    if let Some(end) = bytes.iter().position(|byte| *byte == 0) {
        bytes.truncate(end);
    }
    Ok(Some(Name::new(bytes)))
}

fn build_id(source: &dyn ReadAt, tables: &Tables) -> Result<Option<Vec<u8>>> {
    for segment in tables.segments.iter().filter(|segment| segment.p_type == PT_NOTE) {
        // A damaged note keeps nothing from loading.
        let Ok(bytes) = source.bytes(segment.p_offset, segment.p_filesz.min(MOST_TEXT)) else { continue };
        if let Some(found) = build_id_in(&bytes, tables.is_big, segment.p_align) {
            return Ok(Some(found));
        }
    }
    Ok(None)
}

fn build_id_in(notes: &[u8], is_big: bool, align: u64) -> Option<Vec<u8>> {
    let word = |at: usize| {
        let bytes: [u8; 4] = notes.get(at..at.checked_add(4)?)?.try_into().ok()?;
        Some(if is_big { u32::from_be_bytes(bytes) } else { u32::from_le_bytes(bytes) })
    };
    let step: usize = if align == 8 { 8 } else { 4 };
    let mut at = 0_usize;
    loop {
        let name_size = word(at)? as usize;
        let size = word(at.checked_add(4)?)? as usize;
        let kind = word(at.checked_add(8)?)?;
        let name = at.checked_add(12)?;
        let description = name.checked_add(name_size)?.checked_next_multiple_of(step)?;
        if kind == NT_GNU_BUILD_ID && notes.get(name..name.checked_add(name_size)?)? == b"GNU\0" {
            return notes.get(description..description.checked_add(size)?).map(<[u8]>::to_vec);
        }
        at = description.checked_add(size)?.checked_next_multiple_of(step)?;
    }
}

/// The machine, named as wheel tags name it.
fn arch(tables: &Tables) -> Arch {
    let (machine, flags) = (tables.header.e_machine, tables.header.e_flags);
    let name = match (machine, tables.is_64, tables.is_big) {
        (header::EM_X86_64, true, _) => "x86_64",
        (header::EM_X86_64, false, _) => "x32",
        (header::EM_386, ..) => "i686",
        (header::EM_AARCH64, _, false) => "aarch64",
        (header::EM_AARCH64, _, true) => "aarch64_be",
        (header::EM_ARM, ..) => "armv7l",
        (header::EM_PPC64, _, false) => "ppc64le",
        (header::EM_PPC64, _, true) => "ppc64",
        (header::EM_PPC, ..) => "ppc",
        (header::EM_S390, true, _) => "s390x",
        (header::EM_S390, false, _) => "s390",
        (header::EM_RISCV, true, _) => "riscv64",
        (header::EM_RISCV, false, _) => "riscv32",
        (258, true, _) => "loongarch64",
        (header::EM_MIPS, true, _) => "mips64",
        (header::EM_MIPS, false, _) => "mips",
        (header::EM_SPARCV9, ..) => "sparc64",
        (header::EM_IA_64, ..) => "ia64",
        _ => "",
    };
    let name = if name.is_empty() { format!("machine-{machine}") } else { name.to_owned() };
    Arch {
        name,
        bits: if tables.is_64 { 64 } else { 32 },
        endian: if tables.is_big { Endian::Big } else { Endian::Little },
        machine: u32::from(machine),
        flags,
    }
}
