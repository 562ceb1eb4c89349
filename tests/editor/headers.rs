//! Where the program header of a new segment comes from, when the table can't simply grow; and files too big to be read.

use crate::fixtures::{Chain, Loader, run};
use crate::{Outcome, Test, edit, rpath, soname};
use std::path::{Path, PathBuf};
use wheelwright::engine::Context;
use wheelwright::engine::binary::elf::Tables;
use wheelwright::engine::file::{MemoryBytes, Windows};
use wheelwright::engine::repair::{Builtin, Editor};

/// The tests of this file.
pub const TESTS: &[Test] = &[
    ("headers::an_unused_one_is_taken", unused),
    ("headers::the_table_moves_where_nothing_can_make_way", nothing_makes_way),
    ("headers::phdr_makes_way_in_a_library", phdr),
    ("headers::a_file_of_5_gib_costs_its_tables", large),
];

const PT_NULL: u32 = 0;
const PT_PHDR: u32 = 6;
const PT_GNU_STACK: u32 = 0x6474_e551;
const SHT_PROGBITS: u32 = 1;
const SHT_NOTE: u32 = 7;
const PT_NOTE: u32 = 4;

fn tables(file: &Path) -> Tables {
    Tables::read(&Windows::open(file).unwrap()).unwrap()
}

/// Gives every program header (or section header) of type `from` the type `to`.
fn retype(file: &Path, segments: Option<(u32, u32)>, sections: Option<(u32, u32)>) -> Outcome {
    let mut bytes = std::fs::read(file).unwrap();
    let tables = Tables::read(&MemoryBytes::new(PathBuf::from("file"), bytes.clone())).unwrap();
    if !tables.is_64 || tables.is_big {
        return Err("the C compiler makes no 64-bit little-endian files".into());
    }
    let mut write = |at: u64, kind: u32| bytes[at as usize..at as usize + 4].copy_from_slice(&kind.to_le_bytes());
    for (number, segment) in (0..).zip(&tables.segments) {
        if let Some((_, to)) = segments.filter(|(from, _)| *from == segment.p_type) {
            write(tables.header.e_phoff + number * 56, to);
        }
    }
    for (number, section) in (0..).zip(&tables.sections) {
        if let Some((_, to)) = sections.filter(|(from, _)| *from == section.sh_type) {
            write(tables.header.e_shoff + number * 64 + 4, to);
        }
    }
    std::fs::write(file, bytes).unwrap();
    Ok(())
}

fn unused() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let main = chain.path("main");
    // Without PT_GNU_STACK the stack is executable; that is the loader's matter, not the editor's.
    retype(&main, Some((PT_GNU_STACK, PT_NULL)), None)?;
    let before = tables(&main);
    edit(&main, &[rpath(&chain.path("").display().to_string())]);
    let after = tables(&main);
    assert_eq!(after.segments.len(), before.segments.len());
    assert!(after.segments.iter().all(|segment| segment.p_type != PT_NULL));
    assert_eq!(run(&main).unwrap(), "42");
    Ok(())
}

fn nothing_makes_way() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    for name in ["main", "libgreet.so.1"] {
        retype(&chain.path(name), None, Some((SHT_NOTE, SHT_PROGBITS)))?;
        retype(&chain.path(name), Some((PT_NOTE, PT_GNU_STACK + 100)), None)?;
    }
    let (main, library) = (chain.path("main"), chain.path("libgreet.so.1"));
    let moves = |layout: &str| layout.contains("program headers move");
    let here = chain.path("").display().to_string();
    let before = tables(&main).header.e_phoff;
    let layout = edit(&main, &[rpath(&here)]).layout;
    if !moves(&layout) {
        return Err(format!("this linker puts no note behind the program headers: {layout}"));
    }
    assert_ne!(tables(&main).header.e_phoff, before);
    assert!(moves(&edit(&library, &[rpath(&here)]).layout));
    let loader = Loader::build(&[]).unwrap();
    for number in 1..5 {
        let layout = edit(&main, &[rpath(&format!("{here}:/place/{}", "longer/".repeat(number)))]).layout;
        assert!(layout.contains("the last segment"), "the next edits find the segment of the first: {layout}");
        assert_eq!(run(&main).unwrap(), "42");
        edit(&library, &[rpath(&format!("{here}:/place/{number}"))]);
        assert_eq!(loader.call(&library, "greet").unwrap(), "42");
    }
    Ok(())
}

fn phdr() -> Outcome {
    let chain = Chain::build(&["-fuse-ld=lld"]).map_err(|said| format!("cc -fuse-ld=lld does not link: {said}"))?;
    let library = chain.path("libdeep.so.2");
    let mut bytes = std::fs::read(&library).unwrap();
    bytes[0x28..0x30].fill(0);
    bytes[0x3c..0x40].fill(0);
    std::fs::write(&library, bytes).unwrap();
    let before = tables(&library);
    assert!(before.segments.iter().any(|segment| segment.p_type == PT_PHDR));
    edit(&library, &[soname("libdeep-0123abcd.so.2"), rpath("/a/new/place")]);
    let after = tables(&library);
    assert_eq!((after.header.e_phoff, after.segments.len()), (before.header.e_phoff, before.segments.len()));
    assert!(after.segments.iter().all(|segment| segment.p_type != PT_PHDR));
    assert_eq!(Loader::build(&[]).unwrap().call(&library, "deep").unwrap(), "41");
    Ok(())
}

fn large() -> Outcome {
    let chain = Chain::build(&[]).unwrap();
    let library = chain.path("libdeep.so.2");
    let size = 5 << 30;
    let file = std::fs::OpenOptions::new().write(true).open(&library).unwrap();
    file.set_len(size).map_err(|error| format!("no file of 5 GiB can be made: {error}"))?;
    let requests = [soname("libdeep-0123abcd.so.2"), rpath("/a/new/place")];
    let plan = Builtin::default().plan(&Windows::open(&library).unwrap(), &requests).unwrap().unwrap();
    assert!(plan.size_after.unwrap() > size && plan.reads < 64 << 10 && plan.writes < 4 << 10, "{plan:?}");
    Builtin::default().apply(&library, &plan, &Context::new()).unwrap();
    assert_eq!(Loader::build(&[]).unwrap().call(&library, "deep").unwrap(), "41");
    Ok(())
}
