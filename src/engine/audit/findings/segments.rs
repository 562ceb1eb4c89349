//! WW022: load segments that a kernel of the machine can't map, because it has larger pages, or because address and offset
//! don't fit each other.
//!
//! glibc up to 2.34 demands that `p_align` is a multiple of the page and that `p_vaddr` and `p_offset` agree modulo
//! `p_align` (gABI chapter 5, "Program Header"); from 2.35 on, that they agree modulo the page (`elf/dl-load.c`).

use super::super::Audit;
use super::finding;
use super::shipped::{Shipped, shipped};
use crate::engine::binary::ObjectKind;
use crate::engine::binary::elf::{Segment, Tables, page_sizes};
use crate::engine::report::audit::{Finding, Severity};
use goblin::elf::program_header::PT_LOAD;

/// WW022 on the artifact and every library that would be bundled.
pub(super) fn misaligned(audit: &Audit) -> Option<Finding> {
    let mut evidence = Vec::new();
    let (mut files, mut largest, mut first_pages) = (Vec::new(), 0, None);
    let mut refused_everywhere = false;
    for file in shipped(audit) {
        let Some(details) = &file.slice.elf else { continue };
        if !matches!(file.slice.kind, ObjectKind::SharedLibrary | ObjectKind::Executable) {
            continue;
        }
        let pages = page_sizes(details.tables.header.e_machine);
        let faults = faults(&details.tables, pages);
        if faults.is_empty() {
            continue;
        }
        for fault in &faults {
            largest = largest.max(fault.page);
            refused_everywhere |= fault.refused_everywhere;
            evidence.push(format!("{}: {}", file.named(), fault.text));
        }
        first_pages.get_or_insert(pages);
        files.push(file);
    }
    let first = files.first()?;
    let machine = &first.slice.arch.name;
    let title = match (refused_everywhere, first_pages.unwrap_or_default()) {
        (true, _) | (false, [] | [_]) => format!("{} has load segments that don't fit pages", subject(&files)),
        _ => format!("{} does not fit {machine} kernels with pages of {} KiB", subject(&files), largest / 1024),
    };
    let page = largest.max(4096);
    let mut fix = vec![
        format!("# link with -Wl,-z,max-page-size={page}; for cargo:"),
        format!("# RUSTFLAGS='-C link-arg=-Wl,-z,max-page-size={page}' cargo build --release"),
    ];
    fix.push(
        "# if the linker's output is right: strip, patchelf or objcopy of another version moved the segments".into(),
    );
    Some(finding("WW022", Severity::Error, title, evidence, fix))
}

fn subject(files: &[Shipped<'_>]) -> String {
    match files {
        [one] => one.path.file_name().unwrap_or(one.path.as_os_str()).to_string_lossy().into_owned(),
        more => format!("each of {} files", more.len()),
    }
}

/// What is wrong with one segment.
#[derive(Debug, PartialEq, Eq)]
struct Fault {
    text: String,
    /// The page size, in bytes, that the segment should be laid out for.
    page: u64,
    /// Whether no kernel of the machine has pages that it fits.
    refused_everywhere: bool,
}

fn faults(tables: &Tables, pages: &[u64]) -> Vec<Fault> {
    let load = |(_, segment): &(usize, &Segment)| segment.p_type == PT_LOAD && segment.p_memsz > 0;
    let segments: Vec<(usize, &Segment)> = tables.segments.iter().enumerate().filter(load).collect();
    let one = |(number, segment): &(usize, &Segment)| {
        let others = segments.iter().filter(|(other, _)| other != number).map(|(_, other)| *other);
        fault(*number, segment, &others.collect::<Vec<_>>(), pages)
    };
    segments.iter().filter_map(one).collect()
}

fn fault(number: usize, segment: &Segment, others: &[&Segment], pages: &[u64]) -> Option<Fault> {
    let (align, distance) = (segment.p_align, segment.p_vaddr.wrapping_sub(segment.p_offset));
    let place =
        format!("program header {number}, LOAD at offset {:#x}, address {:#x}", segment.p_offset, segment.p_vaddr);
    let unequal = |modulus: &u64| *modulus > 1 && distance % modulus != 0;
    let too_small: Vec<u64> = pages.iter().copied().filter(|page| align == 0 || align % page != 0).collect();
    let Some(largest) = too_small.last().copied() else {
        if !unequal(&align) {
            return None;
        }
        let who = if pages.iter().any(unequal) { "no loader maps it" } else { "glibc before 2.35 refuses it" };
        let text = format!("{place}: the two differ modulo the alignment {align:#x}: {who}");
        return Some(Fault { text, page: pages.last().copied().unwrap_or(align), refused_everywhere: true });
    };
    let apart: Vec<u64> = too_small.iter().copied().filter(unequal).collect();
    let shared: Vec<u64> =
        too_small.iter().copied().filter(|page| others.iter().any(|other| share(segment, other, *page))).collect();
    let result = match (apart.as_slice(), shared.as_slice()) {
        ([], []) => "glibc before 2.35 refuses it there".to_string(),
        ([], shared) => format!("on pages of {} it shares one with its neighbour and can't be protected", kib(shared)),
        (apart, _) => format!("offset and address differ on pages of {}, where no loader maps it", kib(apart)),
    };
    let text = format!("{place}: aligned to {align:#x}, less than pages of {}: {result}", kib(&too_small));
    Some(Fault { text, page: largest, refused_everywhere: too_small.len() == pages.len() })
}

/// Whether two segments lie on one page in memory.
fn share(one: &Segment, other: &Segment, page: u64) -> bool {
    let first = |segment: &Segment| segment.p_vaddr / page;
    let last = |segment: &Segment| segment.p_vaddr.saturating_add(segment.p_memsz.saturating_sub(1)) / page;
    first(one) <= last(other) && first(other) <= last(one)
}

/// Sizes in bytes: `16 and 64 KiB`.
fn kib(sizes: &[u64]) -> String {
    let sizes: Vec<String> = sizes.iter().map(|size| (size / 1024).to_string()).collect();
    format!("{} KiB", sizes.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use goblin::elf::header::{EM_AARCH64, EM_PPC64, EM_S390, EM_X86_64};

    fn segment(offset: u64, address: u64, align: u64) -> Segment {
        Segment {
            p_type: PT_LOAD,
            p_flags: 5,
            p_offset: offset,
            p_vaddr: address,
            p_paddr: address,
            p_filesz: 16,
            p_memsz: 16,
            p_align: align,
        }
    }

    #[test]
    fn a_segment_must_fit_the_pages_of_every_kernel_of_its_machine() {
        for (machine, offset, address, align, expected) in [
            (EM_X86_64, 0x2df0, 0x3df0, 0x1000, None),
            (EM_X86_64, 0x2df0, 0x3df0, 0x20_0000, Some("differ modulo the alignment 0x200000: glibc before 2.35")),
            (EM_X86_64, 0x2df0, 0x3dee, 0x1000, Some("differ modulo the alignment 0x1000: no loader")),
            (EM_X86_64, 0x2df0, 0x3df0, 0x200, Some("aligned to 0x200, less than pages of 4 KiB: glibc before 2.35")),
            (EM_X86_64, 0x2df0, 0x3ef0, 0, Some("offset and address differ on pages of 4 KiB")),
            (EM_AARCH64, 0x2df0, 0x3df0, 0x1000, Some("offset and address differ on pages of 16 and 64 KiB")),
            (EM_AARCH64, 0x2df0, 0x1_2df0, 0x1000, Some("less than pages of 16 and 64 KiB: glibc before 2.35")),
            (EM_AARCH64, 0x2df0, 0x1_2df0, 0x1_0000, None),
            (EM_AARCH64, 0x2df0, 0x6df0, 0x4000, Some("offset and address differ on pages of 64 KiB")),
            (EM_PPC64, 0x2df0, 0x1_2df0, 0x1_0000, None),
            (EM_S390, 0x2df0, 0x3df0, 0x1000, None),
            (4711, 0x2df0, 0x3df0, 1, None),
            (4711, 0x2df0, 0x3df0, 0x2000, Some("differ modulo the alignment")),
        ] {
            let found = fault(2, &segment(offset, address, align), &[], page_sizes(machine)).map(|fault| fault.text);
            let text = found.as_deref();
            match expected {
                None => assert_eq!(text, None, "{machine} {align:#x}"),
                Some(words) => assert!(text.is_some_and(|text| text.contains(words)), "{machine} {align:#x}: {text:?}"),
            }
        }
    }
}
