//! One normalized view of ELF, Mach-O and PE files: a binary is a list of slices, one for most.
//!
//! Only headers and tables that the view needs are read, through [`ReadAt`]; symbols are looked up on demand, so that a
//! file of many gigabytes costs what its headers cost.

pub mod elf;
mod exports;
pub mod macho;
mod name;
pub mod pe;
pub mod record;
mod repaired;

pub use exports::exported_with_prefixes;
pub use name::Name;
pub use repaired::{RepairedEvidence, is_suffixed, repaired_evidence};

use crate::engine::file::ReadAt;
use serde::{Deserialize, Serialize};

/// The container format of a native file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// Executable and Linkable Format (gABI).
    Elf,
    /// Apple's Mach-O, thin or universal.
    MachO,
    /// Microsoft's Portable Executable.
    Pe,
}

/// What a slice is for the loader.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum ObjectKind {
    /// A program, at a fixed address or position-independent.
    Executable,
    /// A shared library, dylib, bundle or DLL.
    SharedLibrary,
    /// An object file for the linker; nothing loads it.
    Relocatable,
    /// Anything else: a core file, a kernel extension.
    Other,
}

/// The machine that a slice runs on.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Arch {
    /// The name as wheel tags and `uname -m` write it: `x86_64`, `aarch64`, `i686`, `armv7l`, `arm64` for Mach-O.
    pub name: String,
    /// 32 or 64.
    pub bits: u8,
    /// Byte order.
    pub endian: Endian,
    /// The format's own machine number: `e_machine`, `cputype`, `Machine`.
    pub machine: u32,
    /// `e_flags`, `cpusubtype` or 0.
    pub flags: u32,
}

/// Byte order of a slice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endian {
    /// Least significant byte first.
    Little,
    /// Most significant byte first.
    Big,
}

/// One library that a slice asks the loader for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Needed {
    /// The name as it stands in the file.
    pub name: Name,
    /// How much the slice insists on it.
    pub binding: NeededBinding,
}

/// How much a slice insists on a library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NeededBinding {
    /// Loading fails without it.
    Required,
    /// Loading goes on without it (`LC_LOAD_WEAK_DYLIB`).
    Weak,
    /// It is loaded at the first call (PE delay-load, `LC_LAZY_LOAD_DYLIB`).
    Delayed,
    /// Its symbols are offered as the slice's own (`LC_REEXPORT_DYLIB`).
    Reexported,
}

/// Which kind of entry a search path comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, schemars::JsonSchema)]
pub enum RunPathTag {
    /// `DT_RPATH`: searched before `LD_LIBRARY_PATH`, inherited by dependencies.
    #[serde(rename = "DT_RPATH")]
    Rpath,
    /// `DT_RUNPATH`: searched after `LD_LIBRARY_PATH`, not inherited.
    #[serde(rename = "DT_RUNPATH")]
    Runpath,
    /// `LC_RPATH`, one command an entry.
    #[serde(rename = "LC_RPATH")]
    LcRpath,
}

/// A search path as it stands in the file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunPath {
    /// Where it comes from.
    pub tag: RunPathTag,
    /// The literal text: colon-separated for ELF, one directory for Mach-O.
    pub text: Name,
}

/// One architecture's part of a binary.
#[derive(Debug, Clone)]
pub struct Slice {
    /// Where the slice begins in its file, in bytes.
    pub offset: u64,
    /// The slice's length in bytes.
    pub size: u64,
    /// The machine it runs on.
    pub arch: Arch,
    /// What it is for the loader.
    pub kind: ObjectKind,
    /// SONAME, install name, or the name in PE's export directory.
    pub soname: Option<Name>,
    /// The libraries it asks for, in the file's order.
    pub needed: Vec<Needed>,
    /// The loader that the file names (`PT_INTERP`, `LC_LOAD_DYLINKER`).
    pub interpreter: Option<Name>,
    /// Its search paths, in the file's order.
    pub run_paths: Vec<RunPath>,
    /// What only ELF has; `None` for the other formats.
    pub elf: Option<elf::Details>,
}

/// A native file, normalized.
#[derive(Debug, Clone)]
pub struct Binary {
    /// Its container format.
    pub format: Format,
    /// The file's size in bytes.
    pub size: u64,
    /// Its slices, in the file's order; never empty.
    pub slices: Vec<Slice>,
}

/// Reads the native file `source`.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when it is none of the three formats, or damaged.
pub fn read(source: &dyn ReadAt) -> crate::engine::Result<Binary> {
    let Some(format) = sniff(source)? else {
        return Err(crate::engine::Error::malformed(source.path(), 0, "an ELF, Mach-O or PE file"));
    };
    let slices = match format {
        Format::Elf => vec![elf::read(source)?],
        Format::MachO => macho::read(source)?,
        Format::Pe => vec![pe::read(source)?],
    };
    Ok(Binary { format, size: source.size(), slices })
}

/// The format that the file's first bytes announce; `None` when it is none of the three.
///
/// # Errors
/// [`crate::engine::Error::Io`] when it can't be read.
pub fn sniff(source: &dyn ReadAt) -> crate::engine::Result<Option<Format>> {
    let head = source.bytes(0, source.size().min(8))?;
    Ok(match head.as_slice() {
        [0x7f, b'E', b'L', b'F', ..] => Some(Format::Elf),
        [0xfe, 0xed, 0xfa, 0xce | 0xcf, ..] | [0xce | 0xcf, 0xfa, 0xed, 0xfe, ..] => Some(Format::MachO),
        head if macho::could_be_universal(head) => Some(Format::MachO),
        [b'M', b'Z', ..] => Some(Format::Pe),
        _ => None,
    })
}
