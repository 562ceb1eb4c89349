//! The pages of the kernels that run a machine's files: segments have to be laid out for all of them.

use goblin::elf::header::{
    EM_386, EM_AARCH64, EM_ARM, EM_IA_64, EM_MIPS, EM_PPC, EM_PPC64, EM_RISCV, EM_S390, EM_SPARCV9, EM_X86_64,
};

/// `EM_LOONGARCH` (LoongArch psABI).
const EM_LOONGARCH: u16 = 258;
/// The largest page of any of them, for machines that we don't know.
const LARGEST: u64 = 64 * 1024;

/// The page sizes, in bytes and ascending, of the kernels that run on `machine` (`e_machine`; Linux, `arch/*/Kconfig`,
/// `PAGE_SIZE_*`); empty for a machine that we don't know.
#[must_use]
pub fn page_sizes(machine: u16) -> &'static [u64] {
    const K: u64 = 1024;
    match machine {
        EM_X86_64 | EM_386 | EM_ARM | EM_S390 | EM_RISCV => &[4 * K],
        EM_AARCH64 | EM_LOONGARCH | EM_MIPS | EM_IA_64 => &[4 * K, 16 * K, 64 * K],
        EM_PPC | EM_PPC64 => &[4 * K, 64 * K],
        EM_SPARCV9 => &[8 * K],
        _ => &[],
    }
}

/// The largest page, in bytes, of the kernels that run on `machine` (`e_machine`); of any machine where it is not known.
#[must_use]
pub fn largest_page(machine: u16) -> u64 {
    page_sizes(machine).last().copied().unwrap_or(LARGEST)
}
