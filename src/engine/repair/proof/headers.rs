//! The ELF header, and the places of both header tables: what kernel and loaders ask of them (gABI 4 and 5).

use super::state::State;
use crate::engine::repair::EditRequest;
use goblin::elf::header::{EI_OSABI, ET_DYN};
use goblin::elf::program_header::{PT_INTERP, PT_LOAD, PT_PHDR};

/// What is wrong with the ELF header and the section header table of `state`.
pub(super) fn faults(state: &State<'_>) -> Vec<String> {
    let (header, tables) = (&state.tables().header, state.tables());
    let mut faults = Vec::new();
    let wanted = if tables.is_64 { 64 } else { 52 };
    if header.e_ehsize != wanted {
        faults.push(format!("e_ehsize is {}, not {wanted}", header.e_ehsize));
    }
    // A count of 0 with a table means that the first section header tells it.
    if header.e_shoff != 0 && tables.sections.is_empty() {
        faults.push("the section header table does not lie in the file".to_owned());
    }
    if !tables.sections.is_empty() && usize::from(header.e_shstrndx) >= tables.sections.len() {
        faults.push("e_shstrndx names no section".to_owned());
    }
    faults
}

/// What the header of `after` says otherwise than that of `before`, without having been asked to.
pub(super) fn changes(before: &State<'_>, after: &State<'_>, requests: &[EditRequest]) -> Vec<String> {
    let (old, new) = (&before.tables().header, &after.tables().header);
    let mut faults = Vec::new();
    let asks_abi = requests.iter().any(|request| matches!(request, EditRequest::SetOsAbi(_)));
    let idents = old.e_ident.iter().zip(&new.e_ident).enumerate();
    for (place, (was, is)) in idents.filter(|(place, _)| !(asks_abi && *place == EI_OSABI)) {
        if was != is {
            faults.push(format!("byte {place} of e_ident was {was} and is {is}"));
        }
    }
    let mut compare = |name: &str, was: u64, is: u64| {
        if was != is {
            faults.push(format!("{name} was {was:#x} and is {is:#x}"));
        }
    };
    compare("e_type", old.e_type.into(), new.e_type.into());
    compare("e_machine", old.e_machine.into(), new.e_machine.into());
    compare("e_version", old.e_version.into(), new.e_version.into());
    compare("e_entry", old.e_entry, new.e_entry);
    compare("e_flags", old.e_flags.into(), new.e_flags.into());
    compare("e_ehsize", old.e_ehsize.into(), new.e_ehsize.into());
    compare("e_shnum", old.e_shnum.into(), new.e_shnum.into());
    compare("e_shstrndx", old.e_shstrndx.into(), new.e_shstrndx.into());
    compare(
        "the number of section headers",
        before.tables().sections.len() as u64,
        after.tables().sections.len() as u64,
    );
    faults
}

/// What is wrong with the place and the order of the program headers of `state`.
pub(super) fn program_headers(state: &State<'_>) -> Vec<String> {
    let (header, segments) = (&state.tables().header, &state.tables().segments);
    let mut faults = Vec::new();
    let length = segments.len() as u64 * state.facts.header_entry();
    let end = header.e_phoff.saturating_add(length);
    let mapped = segments.iter().find(|load| {
        load.p_type == PT_LOAD
            && load.p_offset <= header.e_phoff
            && load.p_offset.checked_add(load.p_filesz).is_some_and(|stop| end <= stop)
    });
    let address = mapped.map(|load| load.p_vaddr.wrapping_add(header.e_phoff - load.p_offset));
    let is_program = header.e_type != ET_DYN || state.segment(PT_INTERP).is_some();
    // The kernel tells a program where they are; musl's dl_iterate_phdr, by which is unwound, wants them of a library too.
    if mapped.is_none() {
        faults.push("no PT_LOAD maps the program headers".to_owned());
    }
    if let (true, Some(address), Some(first)) = (is_program, address, state.facts.loads().next()) {
        // Kernels before 5.18 take the headers' address to be that of the first segment plus their offset.
        let old_kernels = first.p_vaddr.wrapping_sub(first.p_offset).wrapping_add(header.e_phoff);
        if old_kernels != address {
            faults.push("kernels before 5.18 look for the program headers elsewhere".to_owned());
        }
    }
    if header.e_phoff % (if state.tables().is_64 { 8 } else { 4 }) != 0 {
        faults.push("the program headers are not aligned".to_owned());
    }
    let first_load = segments.iter().position(|segment| segment.p_type == PT_LOAD);
    for (kind, name) in [(PT_PHDR, "PT_PHDR"), (PT_INTERP, "PT_INTERP")] {
        let mut found = segments.iter().enumerate().filter(|(_, segment)| segment.p_type == kind);
        let place = found.next().map(|(place, _)| place);
        if found.next().is_some() {
            faults.push(format!("there are two {name}"));
        }
        if place.zip(first_load).is_some_and(|(place, load)| place > load) {
            faults.push(format!("{name} stands behind a PT_LOAD"));
        }
    }
    if let Some(table) = state.segment(PT_PHDR) {
        if table.p_offset != header.e_phoff || Some(table.p_vaddr) != address {
            faults.push("PT_PHDR is not where the program headers are".to_owned());
        }
        if table.p_filesz != length || table.p_memsz != length {
            faults.push("PT_PHDR is not as long as the program headers".to_owned());
        }
    }
    faults
}
