//! Whether two ABIs of one machine go together in a process, as `e_flags` tells them apart (glibc
//! `sysdeps/*/dl-machine.h`, `elf_machine_matches_host`, and `sysdeps/unix/sysv/linux/arm/ldsodefs.h`).
//!
//! MIPS files also tell their floating-point mode in a segment (`PT_MIPS_ABIFLAGS`), which is not looked at.

use crate::engine::binary::{Arch, Endian};

const MIPS: [u32; 2] = [8, 10];
const PPC64: u32 = 21;
const ARM: u32 = 40;
const RISCV: u32 = 243;

/// What a loader makes of a file's ABI.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum AbiMatch {
    /// It goes with the process.
    Fits,
    /// The file is passed over, and the search goes on.
    PassedOver,
    /// The load ends.
    Ends,
}

/// What the loader of a process of machine `process` makes of a file with these `flags`.
pub(super) fn matches(process: &Arch, flags: u32) -> AbiMatch {
    let fits = match process.machine {
        ARM => {
            if arm_fits(process.flags, flags) {
                return AbiMatch::Fits;
            }
            return AbiMatch::Ends;
        }
        RISCV => process.flags & 0x6 == flags & 0x6,
        PPC64 => matches!(flags & 3, 0) || flags & 3 == ppc64_abi(process),
        machine if MIPS.contains(&machine) => mips_fits(process, flags),
        _ => true,
    };
    if fits { AbiMatch::Fits } else { AbiMatch::PassedOver }
}

/// A file of EABI version 5 that says the other float ABI; one that says none goes with both.
fn arm_fits(process: u32, flags: u32) -> bool {
    const SOFT: u32 = 0x200;
    const HARD: u32 = 0x400;
    let other = if process & HARD != 0 {
        SOFT
    } else if process & SOFT != 0 {
        HARD
    } else {
        0
    };
    flags & 0xff00_0000 != 0x0500_0000 || flags & other == 0
}

/// ELFv1 or ELFv2. A process that does not say has its byte order's usual one.
fn ppc64_abi(process: &Arch) -> u32 {
    match (process.flags & 3, process.endian) {
        (0, Endian::Little) => 2,
        (0, Endian::Big) => 1,
        (said, _) => said,
    }
}

fn mips_fits(process: &Arch, flags: u32) -> bool {
    const N32: u32 = 0x20;
    const FP64: u32 = 0x200;
    const NAN2008: u32 = 0x400;
    let same = |mask: u32| process.flags & mask == flags & mask;
    flags & FP64 == 0 && same(NAN2008) && (process.bits == 64 || same(N32))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn abis_are_told_apart_as_the_loader_does() {
        use AbiMatch::{Ends, Fits, PassedOver};
        let (little, big) = (Endian::Little, Endian::Big);
        let table = [
            (ARM, 32, little, 0x0500_0400, 0x0500_0400, Fits),
            (ARM, 32, little, 0x0500_0400, 0x0500_0200, Ends),
            (ARM, 32, little, 0x0500_0200, 0x0500_0400, Ends),
            (ARM, 32, little, 0x0500_0400, 0x0500_0000, Fits),
            (ARM, 32, little, 0x0500_0400, 0x0400_0200, Fits),
            (PPC64, 64, little, 2, 2, Fits),
            (PPC64, 64, little, 2, 1, PassedOver),
            (PPC64, 64, little, 0, 1, PassedOver),
            (PPC64, 64, big, 1, 0, Fits),
            (PPC64, 64, big, 0, 2, PassedOver),
            (8, 32, big, 0, 0x20, PassedOver),
            (8, 64, big, 0, 0x20, Fits),
            (8, 32, big, 0, 0x400, PassedOver),
            (8, 32, big, 0x400, 0x600, PassedOver),
            (8, 32, big, 0x1007, 0x1005, Fits),
            (RISCV, 64, little, 5, 4, Fits),
            (RISCV, 64, little, 5, 1, PassedOver),
            (62, 64, little, 0, 7, Fits),
        ];
        for (machine, bits, endian, process, flags, expected) in table {
            let arch = Arch { name: String::new(), bits, endian, machine, flags: process };
            assert_eq!(matches(&arch, flags), expected, "machine {machine}: {process:#x} and {flags:#x}");
        }
    }
}
