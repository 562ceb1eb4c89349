//! Each check catches the damage that it is for, done by hand to a file that was edited well.

use crate::elf64::{Elf64, P_FILESZ, P_FLAGS, P_MEMSZ, P_OFFSET, P_TYPE, P_VADDR, SH_ADDR, SH_OFFSET, SH_SIZE};
use crate::fixtures::{Built, Edited};
use wheelwright::engine::repair::EditRequest::{AddNeeded, SetRpath, SetSoname};
use wheelwright::engine::repair::Patch;
use wheelwright::engine::report::fit::RelroFate;
use wheelwright::engine::report::proof::Checked;

const LOAD: u32 = 1;
const NOTE: u32 = 4;
const PHDR: u32 = 6;
const TLS: u32 = 7;
const EH_FRAME: u32 = 0x6474_e550;
const STACK: u32 = 0x6474_e551;
const RELRO: u32 = 0x6474_e552;

/// A library that was given a new name and search path, which took a new segment.
fn library() -> Edited {
    let long = "/a/long/way".repeat(40);
    let requests = [SetRpath(long.as_str().into()), SetSoname("libother.so".into())];
    let edited = Edited::new(Built::new().bytes("libgreet.so.1"), &requests);
    assert_eq!(edited.proof().failure(), None);
    assert!(edited.after.segments(LOAD).len() > Elf64(edited.before.clone()).segments(LOAD).len());
    edited
}

/// Damages the library, and expects check `what` to fail.
#[track_caller]
fn caught(what: Checked, damage: impl FnOnce(&mut Elf64)) {
    let mut edited = library();
    let whole = edited.after.0.clone();
    damage(&mut edited.after);
    assert_ne!(whole, edited.after.0, "nothing was damaged");
    let detail = edited.fails(what).unwrap();
    assert!(!detail.is_empty());
}

/// The same with a damage to the plan.
#[track_caller]
fn caught_in_plan(what: Checked, mut edited: Edited, damage: impl FnOnce(&mut Edited)) {
    damage(&mut edited);
    let detail = edited.fails(what).unwrap();
    assert!(!detail.is_empty());
}

#[test]
fn a_write_that_is_not_there() {
    caught_in_plan(Checked::Plan, library(), |edited| {
        let patch = &edited.plan.patches[0];
        edited.after.0[patch.offset as usize] ^= 1;
    });
}

#[test]
fn a_file_of_another_size() {
    caught(Checked::Plan, |elf| elf.0.push(0));
}

#[test]
fn writes_on_one_another() {
    caught_in_plan(Checked::Plan, library(), |edited| {
        let again = edited.plan.patches[0].clone();
        edited.plan.patches.push(again);
    });
}

#[test]
fn a_result_that_cannot_be_read() {
    caught(Checked::Header, |elf| elf.0[4] = 9);
}

#[test]
fn another_entry_point() {
    caught(Checked::Header, |elf| elf.set_long(24, 0x1234));
}

#[test]
fn section_headers_behind_the_end() {
    caught(Checked::Header, |elf| elf.set_long(40, 1 << 40));
}

#[test]
fn program_headers_that_nothing_maps() {
    caught(Checked::ProgramHeaders, |elf| {
        let (from, length) = (elf.long(32) as usize, usize::from(elf.half(56)) * 56);
        let table = elf.0[from..from + length].to_vec();
        elf.set_long(32, elf.0.len() as u64);
        elf.0.extend(table);
    });
}

#[test]
fn a_phdr_entry_that_leads_elsewhere() {
    let requests = [SetRpath("/a/long/way".repeat(40).as_str().into())];
    caught_in_plan(Checked::ProgramHeaders, Edited::new(Built::new().bytes("main"), &requests), |edited| {
        let at = edited.after.segment(PHDR) + P_VADDR;
        edited.after.set_long(at, edited.after.long(at) + 8);
    });
}

#[test]
fn a_phdr_entry_behind_what_is_loaded() {
    let requests = [SetRpath("/a/long/way".repeat(40).as_str().into())];
    caught_in_plan(Checked::ProgramHeaders, Edited::new(Built::new().bytes("main"), &requests), |edited| {
        let (one, other) = (edited.after.segment(PHDR), edited.after.segment(LOAD));
        (0..56).for_each(|at| edited.after.0.swap(one + at, other + at));
    });
}

#[test]
fn an_address_that_does_not_agree_with_its_offset() {
    caught(Checked::Loads, |elf| {
        let at = *elf.segments(LOAD).last().unwrap() + P_VADDR;
        elf.set_long(at, elf.long(at) + 8);
    });
}

#[test]
fn a_loaded_segment_that_moved() {
    caught(Checked::Loads, |elf| {
        let at = elf.segments(LOAD)[1] + P_VADDR;
        elf.set_long(at, elf.long(at) + 0x1000);
    });
}

#[test]
fn overlapping_segments() {
    caught(Checked::Loads, |elf| {
        let at = elf.segments(LOAD)[0] + P_MEMSZ;
        elf.set_long(at, elf.long(at) + 0x10_0000);
    });
}

#[test]
fn a_segment_beyond_the_file() {
    caught(Checked::Loads, |elf| {
        let at = *elf.segments(LOAD).last().unwrap();
        elf.set_long(at + P_FILESZ, elf.long(at + P_FILESZ) + 0x1000);
        elf.set_long(at + P_MEMSZ, elf.long(at + P_MEMSZ) + 0x1000);
    });
}

#[test]
fn a_lost_segment() {
    caught(Checked::Loads, |elf| {
        let at = elf.segments(LOAD)[2];
        elf.set_word(at + P_TYPE, 0);
    });
}

#[test]
fn a_note_with_other_content() {
    caught(Checked::Segments, |elf| {
        let notes = elf.segments(NOTE);
        let last = elf.long(notes[0] + P_OFFSET) + elf.long(notes[0] + P_FILESZ) - 1;
        elf.0[last as usize] ^= 1;
    });
}

#[test]
fn a_note_that_leads_elsewhere() {
    caught(Checked::Segments, |elf| {
        let at = elf.segments(NOTE)[0] + P_OFFSET;
        elf.set_long(at, elf.long(at) + 4);
    });
}

#[test]
fn unwinding_tables_that_are_gone() {
    caught(Checked::Segments, |elf| {
        let at = elf.segment(EH_FRAME) + P_TYPE;
        elf.set_word(at, STACK + 100);
    });
}

#[test]
fn a_tls_image_with_other_content() {
    let edited = Edited::new(Built::new().bytes("libdeep.so.2"), &[SetRpath("/a/new/way".into())]);
    caught_in_plan(Checked::Segments, edited, |edited| {
        let at = edited.after.long(edited.after.segment(TLS) + P_OFFSET) as usize;
        edited.after.0[at] ^= 1;
    });
}

#[test]
fn a_dynamic_section_without_end() {
    caught(Checked::Dynamic, |elf| {
        let (start, length) = (elf.long(elf.segment(2) + P_OFFSET), elf.long(elf.segment(2) + P_FILESZ));
        for at in (start..start + length).step_by(16).map(|at| at as usize) {
            if elf.long(at) == 0 {
                elf.set_long(at, 0x6fff_fdf0);
            }
        }
    });
}

#[test]
fn a_dynamic_entry_with_another_value() {
    // DT_INIT_ARRAYSZ.
    caught(Checked::Dynamic, |elf| {
        let at = elf.dynamic(27) + 8;
        elf.set_long(at, 0);
    });
}

#[test]
fn a_hash_table_elsewhere() {
    caught(Checked::Tables, |elf| {
        let at = elf.dynamic(0x6fff_fef5) + 8;
        elf.set_long(at, elf.long(at) + 8);
    });
}

#[test]
fn more_relocations_than_before() {
    // DT_RELASZ.
    caught(Checked::Dynamic, |elf| {
        let at = elf.dynamic(8) + 8;
        elf.set_long(at, elf.long(at) + 24);
    });
}

#[test]
fn a_relocation_that_was_written_over() {
    caught(Checked::Tables, |elf| {
        let at = elf.offset_of(elf.value(7));
        elf.0[at + 8] ^= 1;
    });
}

#[test]
fn a_symbol_of_another_name() {
    caught(Checked::Tables, |elf| {
        let at = elf.offset_of(elf.value(6)) + 24;
        elf.set_word(at, elf.word(at) + 1);
    });
}

#[test]
fn a_section_header_that_disagrees() {
    for field in [SH_ADDR, SH_OFFSET] {
        caught(Checked::Sections, |elf| {
            let at = elf.section(".dynamic") + field;
            elf.set_long(at, elf.long(at) + 16);
        });
    }
    caught(Checked::Sections, |elf| {
        let at = elf.section(".dynstr") + SH_SIZE;
        elf.set_long(at, elf.long(at) - 1);
    });
}

#[test]
fn a_symbol_of_dynamic_that_stayed_behind() {
    let requests: Vec<_> = (0..12).map(|number| AddNeeded(format!("libnew{number}.so").as_str().into())).collect();
    let edited = Edited::new(Built::new().bytes("libdeep.so.2"), &requests);
    let old = Elf64(edited.before.clone());
    assert_ne!(old.long(old.segment(2) + P_VADDR), edited.after.long(edited.after.segment(2) + P_VADDR));
    caught_in_plan(Checked::Sections, edited, |edited| {
        let (symbols, size) = {
            let at = edited.after.section(".symtab");
            (edited.after.long(at + SH_OFFSET), edited.after.long(at + SH_SIZE))
        };
        let address = edited.after.long(edited.after.segment(2) + P_VADDR);
        let found = (symbols..symbols + size).step_by(24).find(|&at| edited.after.long(at as usize + 8) == address);
        edited.after.set_long(found.unwrap() as usize + 8, old.long(old.segment(2) + P_VADDR));
    });
}

#[test]
fn code_that_was_written_over() {
    caught(Checked::Contents, |elf| {
        let at = elf.bytes_of(".text");
        elf.0[at] ^= 1;
    });
}

#[test]
fn a_plan_that_writes_over_code() {
    caught_in_plan(Checked::Contents, library(), |edited| {
        let offset = edited.after.bytes_of(".text");
        edited.after.0[offset] ^= 1;
        let bytes = vec![edited.after.0[offset]];
        edited.plan.patches.push(Patch { offset: offset as u64, bytes, meaning: "damage".to_owned() });
    });
}

#[test]
fn a_plan_that_writes_over_what_has_no_section_header() {
    let mut before = Built::new().bytes("libgreet.so.1");
    before[40..48].fill(0);
    before[60..64].fill(0);
    let text = Elf64(Built::new().bytes("libgreet.so.1")).bytes_of(".text");
    let edited = Edited::new(before, &[SetSoname("other".into())]);
    assert_eq!(edited.proof().failure(), None);
    caught_in_plan(Checked::Contents, edited, |edited| {
        edited.after.0[text] ^= 1;
        let bytes = vec![edited.after.0[text]];
        edited.plan.patches.push(Patch { offset: text as u64, bytes, meaning: "damage".to_owned() });
    });
}

#[test]
fn a_string_table_that_is_too_short() {
    // DT_STRSZ.
    let edited = library();
    let old = Elf64(edited.before.clone()).value(10);
    caught_in_plan(Checked::Strings, edited, |edited| {
        let at = edited.after.dynamic(10) + 8;
        edited.after.set_long(at, old - 1);
    });
}

#[test]
fn a_symbol_whose_name_was_written_over() {
    caught(Checked::Strings, |elf| {
        let strings = elf.offset_of(elf.value(5));
        let name = elf.word(elf.offset_of(elf.value(6)) + 24) as usize;
        elf.0[strings + name] = b'#';
    });
}

#[test]
fn versions_asked_of_another_library() {
    caught(Checked::Versions, |elf| {
        let record = elf.offset_of(elf.value(0x6fff_fffe));
        let soname = elf.value(14) as u32;
        elf.set_word(record + 4, soname);
    });
}

#[test]
fn a_version_under_another_hash() {
    caught(Checked::Versions, |elf| {
        let record = elf.offset_of(elf.value(0x6fff_fffe));
        let version = record + elf.word(record + 8) as usize;
        elf.set_word(version, 1);
    });
}

#[test]
fn a_symbol_of_another_version() {
    caught(Checked::Versions, |elf| {
        let at = elf.offset_of(elf.value(0x6fff_fff0));
        elf.0[at + 2] ^= 1;
    });
}

#[test]
fn a_request_that_was_not_fulfilled() {
    caught(Checked::Requests, |elf| {
        let at = elf.offset_of(elf.value(5)) + elf.value(15) as usize;
        elf.0[at] = b'#';
    });
}

#[test]
fn a_need_that_was_not_asked_for() {
    caught(Checked::Requests, |elf| {
        let at = elf.dynamic(1) + 8;
        elf.set_long(at, elf.value(14));
    });
}

#[test]
fn relro_that_covers_less() {
    caught(Checked::Relro, |elf| {
        let at = elf.segment(RELRO) + P_MEMSZ;
        elf.set_long(at, elf.long(at) - 8);
    });
}

#[test]
fn a_dynamic_section_outside_of_relro_that_the_plan_calls_kept() {
    let requests: Vec<_> = (0..12).map(|number| AddNeeded(format!("libnew{number}.so").as_str().into())).collect();
    let mut edited = Edited::new(Built::new().bytes("libgreet.so.1"), &requests);
    assert_eq!(edited.proof().failure(), None);
    let fit = edited.plan.fit.as_mut().unwrap();
    assert_eq!(fit.relro, RelroFate::Lost);
    fit.relro = RelroFate::Kept;
    assert!(edited.fails(Checked::Relro).unwrap().contains(".dynamic"));
    assert!(edited.fails(Checked::Protection).unwrap().contains("lost"), "and its hardening is another");
}

#[test]
fn a_segment_that_is_writable_and_executable() {
    caught(Checked::Protection, |elf| {
        let at = *elf.segments(LOAD).last().unwrap() + P_FLAGS;
        elf.set_word(at, 7);
    });
}

#[test]
fn an_executable_stack_that_nobody_asked_for() {
    caught(Checked::Protection, |elf| {
        let at = elf.segment(STACK) + P_FLAGS;
        elf.set_word(at, 7);
    });
}
