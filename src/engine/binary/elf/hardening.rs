//! Hardening properties, as the loader and the kernel see them: from segments and dynamic entries alone.

use super::Tables;
use crate::engine::report::audit::Hardening;
use goblin::elf::dynamic::{DT_BIND_NOW, DT_FLAGS, DT_FLAGS_1, DT_TEXTREL};
use goblin::elf::header::ET_DYN;
use goblin::elf::program_header::{PF_X, PT_DYNAMIC, PT_GNU_RELRO, PT_GNU_STACK};

/// `DF_TEXTREL` of `DT_FLAGS` (gABI).
const DF_TEXTREL: u64 = 0x4;
/// `DF_BIND_NOW` of `DT_FLAGS` (gABI).
const DF_BIND_NOW: u64 = 0x8;
/// `DF_1_NOW` of `DT_FLAGS_1`.
const DF_1_NOW: u64 = 0x1;

/// The hardening of the file whose tables are `tables`.
#[must_use]
pub fn hardening(tables: &Tables) -> Hardening {
    let flag = |tag, bit| tables.dynamic_value(tag).is_some_and(|flags| flags & bit != 0);
    let segment = |kind| tables.segments.iter().find(|segment| segment.p_type == kind);
    let now = tables.dynamic_value(DT_BIND_NOW).is_some() || flag(DT_FLAGS, DF_BIND_NOW) || flag(DT_FLAGS_1, DF_1_NOW);
    let relro = match (segment(PT_GNU_RELRO), segment(PT_DYNAMIC)) {
        (None, _) => "none",
        (Some(relro), Some(dynamic)) if !covers(relro.p_vaddr, relro.p_memsz, dynamic.p_vaddr) => "lost",
        (Some(_), _) if now => "full",
        (Some(_), _) => "partial",
    };
    // Without PT_GNU_STACK the kernel decides, and for most machines it decides for an executable stack.
    let execstack = segment(PT_GNU_STACK).is_none_or(|stack| stack.p_flags & PF_X != 0);
    Hardening {
        relro: relro.to_owned(),
        now,
        nx: !execstack,
        pie: tables.header.e_type == ET_DYN,
        execstack,
        textrel: tables.dynamic_value(DT_TEXTREL).is_some() || flag(DT_FLAGS, DF_TEXTREL),
    }
}

fn covers(start: u64, size: u64, address: u64) -> bool {
    address.checked_sub(start).is_some_and(|into| into < size)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::binary;
    use crate::engine::file::Windows;
    use std::process::Command;

    fn linked(arguments: &[&str]) -> Tables {
        let directory = tempfile::tempdir().unwrap();
        let source = directory.path().join("a.c");
        std::fs::write(&source, "int main(void) { return 0; }").unwrap();
        let output = directory.path().join("a.out");
        assert!(Command::new("cc").arg(&source).args(arguments).arg("-o").arg(&output).status().unwrap().success());
        let windows = Windows::open(&output).unwrap();
        binary::read(&windows).unwrap().slices.remove(0).elf.unwrap().tables
    }

    #[test]
    fn linker_options_show() {
        let hard = hardening(&linked(&["-pie", "-fPIE", "-Wl,-z,relro,-z,now,-z,noexecstack"]));
        assert_eq!(
            (hard.relro.as_str(), hard.now, hard.nx, hard.pie, hard.execstack),
            ("full", true, true, true, false)
        );
        let lazy = hardening(&linked(&["-no-pie", "-Wl,-z,relro,-z,lazy,-z,execstack"]));
        assert_eq!(
            (lazy.relro.as_str(), lazy.now, lazy.nx, lazy.pie, lazy.execstack),
            ("partial", false, false, false, true)
        );
        assert_eq!(hardening(&linked(&["-Wl,-z,norelro"])).relro, "none");
        assert!(!hard.textrel && !lazy.textrel);
    }

    #[test]
    fn a_dynamic_section_outside_of_the_relro_segment_is_lost() {
        let mut tables = linked(&["-Wl,-z,relro,-z,now"]);
        for segment in &mut tables.segments {
            if segment.p_type == PT_DYNAMIC {
                segment.p_vaddr += 0x10_0000;
            }
        }
        assert_eq!(hardening(&tables).relro, "lost");
    }
}
