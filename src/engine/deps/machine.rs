//! What glibc and musl call a machine: library directories, `$PLATFORM`, cache flags, the interpreter's usual path.
//!
//! Facts of glibc's `sysdeps/*/dl-cache.h` and `shlib-versions`, of Debian's multiarch tuples and of musl's `ARCH` names.

use super::inputs::Libc;
use super::sysroot::{Root, View};
use crate::engine::binary::{Arch, Endian};
use std::path::{Path, PathBuf};

/// One machine as the ELF loaders know it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Machine {
    machine: u32,
    bits: u8,
    endian: Endian,
    /// `e_flags & mask == value`, for machines whose ABIs differ by flags only.
    flags: (u32, u32),
    /// Debian's multiarch tuple.
    tuple: &'static str,
    /// What `$LIB` means outside of Debian, and the suffix of the default directories.
    library: &'static str,
    /// The flags of a fitting entry in glibc's cache.
    pub(super) cache_flags: u32,
    /// What `$PLATFORM` means, where it does not depend on the processor.
    pub(super) platform: Option<&'static str>,
    /// glibc's loader.
    glibc_interpreter: &'static str,
    /// musl's name of the machine.
    pub(super) musl: &'static str,
}

const fn row(
    (machine, bits, endian, flags): (u32, u8, Endian, (u32, u32)),
    (tuple, library, cache_flags): (&'static str, &'static str, u32),
    platform: Option<&'static str>,
    (glibc_interpreter, musl): (&'static str, &'static str),
) -> Machine {
    Machine { machine, bits, endian, flags, tuple, library, cache_flags, platform, glibc_interpreter, musl }
}

const ANY: (u32, u32) = (0, 0);
const ARM_HARD_FLOAT: u32 = 0x400;
const RISCV_FLOAT_ABI: u32 = 0x6;

const MACHINES: &[Machine] = &[
    row(
        (62, 64, Endian::Little, ANY),
        ("x86_64-linux-gnu", "lib64", 0x0303),
        Some("x86_64"),
        ("/lib64/ld-linux-x86-64.so.2", "x86_64"),
    ),
    row(
        (62, 32, Endian::Little, ANY),
        ("x86_64-linux-gnux32", "libx32", 0x0803),
        Some("x86_64"),
        ("/libx32/ld-linux-x32.so.2", "x32"),
    ),
    row((3, 32, Endian::Little, ANY), ("i386-linux-gnu", "lib", 0x0003), Some("i686"), ("/lib/ld-linux.so.2", "i386")),
    row(
        (183, 64, Endian::Little, ANY),
        ("aarch64-linux-gnu", "lib64", 0x0a03),
        Some("aarch64"),
        ("/lib/ld-linux-aarch64.so.1", "aarch64"),
    ),
    row(
        (40, 32, Endian::Little, (ARM_HARD_FLOAT, ARM_HARD_FLOAT)),
        ("arm-linux-gnueabihf", "lib", 0x0903),
        Some("v7l"),
        ("/lib/ld-linux-armhf.so.3", "armhf"),
    ),
    row(
        (40, 32, Endian::Little, (ARM_HARD_FLOAT, 0)),
        ("arm-linux-gnueabi", "lib", 0x0b03),
        None,
        ("/lib/ld-linux.so.3", "arm"),
    ),
    row(
        (21, 64, Endian::Little, ANY),
        ("powerpc64le-linux-gnu", "lib64", 0x0503),
        None,
        ("/lib64/ld64.so.2", "powerpc64le"),
    ),
    row((22, 64, Endian::Big, ANY), ("s390x-linux-gnu", "lib64", 0x0403), None, ("/lib/ld64.so.1", "s390x")),
    row(
        (243, 64, Endian::Little, (RISCV_FLOAT_ABI, 0x4)),
        ("riscv64-linux-gnu", "lib64/lp64d", 0x1003),
        None,
        ("/lib/ld-linux-riscv64-lp64d.so.1", "riscv64"),
    ),
    row(
        (258, 64, Endian::Little, ANY),
        ("loongarch64-linux-gnu", "lib64", 0x1203),
        None,
        ("/lib64/ld-linux-loongarch-lp64d.so.1", "loongarch64"),
    ),
];

impl Machine {
    /// The row of `arch`; `None` for a machine that we know no loader of.
    pub(super) fn of(arch: &Arch) -> Option<&'static Self> {
        MACHINES.iter().find(|row| {
            let (mask, value) = row.flags;
            row.machine == arch.machine
                && row.bits == arch.bits
                && row.endian == arch.endian
                && arch.flags & mask == value
        })
    }

    /// Whether this machine's libraries lie in Debian's multiarch directories.
    fn is_multiarch(&self, root: &Root) -> bool {
        let directories = [Path::new("/lib").join(self.tuple), Path::new("/usr/lib").join(self.tuple)];
        directories.iter().any(|directory| root.is_directory(View::Process, directory))
    }

    /// Where the loader of `libc` usually lies.
    pub(super) fn interpreter(&self, libc: Libc) -> PathBuf {
        match libc {
            Libc::Glibc => PathBuf::from(self.glibc_interpreter),
            Libc::Musl => PathBuf::from(format!("/lib/ld-musl-{}.so.1", self.musl)),
        }
    }

    /// What `$LIB` means.
    pub(super) fn library_token(&self, root: &Root) -> String {
        if self.is_multiarch(root) { format!("lib/{}", self.tuple) } else { self.library.to_string() }
    }

    /// glibc's `system_dirs`: Debian's with its multiarch directories in front, else those of a plain build.
    pub(super) fn default_directories(&self, root: &Root) -> Vec<PathBuf> {
        if self.is_multiarch(root) {
            let multiarch = [Path::new("/lib").join(self.tuple), Path::new("/usr/lib").join(self.tuple)];
            return multiarch.into_iter().chain([PathBuf::from("/lib"), PathBuf::from("/usr/lib")]).collect();
        }
        vec![Path::new("/").join(self.library), Path::new("/usr").join(self.library)]
    }
}
