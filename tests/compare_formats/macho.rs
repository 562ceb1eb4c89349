//! Mach-O files, with goblin's parser as the second opinion.

use crate::flips::{Subject, change, run_with};
use goblin::mach::load_command::CommandVariant;
use goblin::mach::{Mach, MachO};
use wheelwright::engine::report::diff::Class;

const FILES: [&str; 2] = ["liblabmac.dylib", "libgreet.1.dylib"];

fn parsed(bytes: &[u8]) -> MachO<'_> {
    match Mach::parse(bytes).unwrap() {
        Mach::Binary(found) => found,
        Mach::Fat(_) => panic!("a universal file"),
    }
}

/// The sections with bytes in the file: name, offset, size.
fn sections(file: &MachO<'_>) -> Vec<(String, u64, u64)> {
    let all = file.segments.iter().flat_map(|segment| segment.sections().unwrap());
    let with_bytes = all.filter(|(section, _)| section.offset != 0);
    let named = |section: &goblin::mach::segment::Section| {
        format!("{},{}", section.segname().unwrap(), section.name().unwrap())
    };
    with_bytes.map(|(section, _)| (named(&section), u64::from(section.offset), section.size)).collect()
}

pub fn every_byte_has_a_meaning() {
    for (name, stride) in FILES.into_iter().zip([1, 7]) {
        let subject = Subject::lab(name);
        let file = parsed(&subject.bytes);
        let sections = sections(&file);
        let commands: Vec<_> = file.load_commands.iter().map(|lc| (lc.offset, lc.command.cmdsize())).collect();
        let end = commands.last().map(|(offset, size)| offset + size).unwrap();
        let linkedit =
            file.segments.iter().find(|segment| segment.name().unwrap() == "__LINKEDIT").unwrap().fileoff as usize;
        let elsewhere = (end..linkedit).step_by(211);
        let dense =
            sections.iter().flat_map(|(_, offset, size)| (*offset as usize..(offset + size) as usize).step_by(3));
        let offsets: Vec<usize> = (0..end)
            .step_by(stride)
            .chain(elsewhere)
            .chain(dense)
            .chain((linkedit..subject.bytes.len()).step_by(stride))
            .collect();
        let mut told = 0;
        for offset in offsets {
            let Some(run) = subject.flipped(offset, 0x15) else { continue };
            told += 1;
            let region = run.region.as_deref().unwrap();
            let place = commands.iter().position(|(start, size)| (*start..start + size).contains(&offset));
            let section = sections.iter().find(|(_, start, size)| (*start..start + size).contains(&(offset as u64)));
            match (place, section) {
                _ if offset < 32 => assert_eq!(region, "Mach-O header"),
                (Some(number), _) => {
                    assert!(region.starts_with(&format!("load command {number} (")), "{offset:#x}: {run:?}")
                }
                (None, Some((name, ..))) => assert_eq!(region, name, "{offset:#x}"),
                (None, None) if offset < linkedit => assert_eq!(run.class, Class::Padding, "{offset:#x}: {run:?}"),
                (None, None) => {}
            }
            let is_code = section.is_some_and(|(name, ..)| {
                ["__text", "__stubs", "__stub_helper"].iter().any(|code| name.ends_with(code))
            });
            assert_eq!(run.class == Class::Code, is_code, "{offset:#x}: {run:?}");
        }
        assert!(told > 1000 / stride, "{name}: only {told} flips left a readable file");
    }
}

/// The defined symbols of the section `__text` that have a place in the file: name, offset.
fn functions(file: &MachO<'_>) -> Vec<(String, usize)> {
    let (_, text, size) = sections(file).into_iter().find(|(name, ..)| name == "__TEXT,__text").unwrap();
    let symbols = file.symbols().map(|symbol| symbol.unwrap());
    // __TEXT begins at 0 in memory and in the file.
    let places = symbols.filter(|(_, symbol)| symbol.is_global() && (text..text + size).contains(&symbol.n_value));
    places.map(|(name, symbol)| (name.trim_start_matches('_').to_owned(), symbol.n_value as usize)).collect()
}

pub fn code_is_told_by_function() {
    for name in FILES {
        let subject = Subject::lab(name);
        let functions = functions(&parsed(&subject.bytes));
        assert!(functions.len() >= 2, "{functions:?}");
        for (function, offset) in functions {
            for into in [0, 1] {
                let run = subject.flipped(offset + into, 0x01).unwrap();
                let within = if into == 0 { String::new() } else { format!("+{into:#x}") };
                let (old, new) = (subject.bytes[offset + into], subject.bytes[offset + into] ^ 1);
                let said = format!("code in {function}{within}: {old:02x} \u{2192} {new:02x}");
                assert_eq!(run.meaning.as_deref(), Some(said.as_str()));
            }
        }
    }
}

pub fn symbols_and_strings_are_told_by_name() {
    let subject = Subject::lab(FILES[0]);
    let file = parsed(&subject.bytes);
    let table = file.load_commands.iter().find_map(|lc| match lc.command {
        CommandVariant::Symtab(table) => Some(table),
        _ => None,
    });
    let table = table.unwrap();
    for (number, symbol) in file.symbols().enumerate() {
        let (name, symbol) = symbol.unwrap();
        let shown = name.strip_prefix('_').unwrap_or(name);
        let run = subject.flipped(table.symoff as usize + number * 16 + 8, 0x04).unwrap();
        let values = format!("{:#x} \u{2192} {:#x}", symbol.n_value, symbol.n_value ^ 4);
        let said = format!("symbol {number} ({shown}) n_value: {values}");
        assert_eq!((run.region.as_deref(), run.meaning.as_deref()), (Some("symbol table"), Some(said.as_str())));
        let at = table.stroff as usize + symbol.n_strx;
        if let Some(run) = subject.flipped(at + 1, 0x02) {
            assert!(run.meaning.as_deref().unwrap().contains(&format!("\"{name}\"")), "{run:?}");
            assert_eq!((run.region.as_deref(), run.class), (Some("string table"), Class::String));
        }
    }
    let signature = file.load_commands.iter().find_map(|lc| match lc.command {
        CommandVariant::CodeSignature(place) => Some(place),
        _ => None,
    });
    let signature = signature.unwrap();
    // The hash of the last page stands last, but for padding.
    let slots = subject.bytes.len().min((signature.dataoff + signature.datasize) as usize);
    let mut seen = 0;
    for offset in (signature.dataoff as usize..slots).step_by(16) {
        let Some(run) = subject.flipped(offset, 0x10) else { continue };
        assert!(run.region.as_deref().unwrap().starts_with("code signature"), "{run:?}");
        assert_eq!(run.class, Class::Signature);
        seen += usize::from(run.meaning.as_deref().unwrap().starts_with("code slot "));
    }
    // 32 bytes a page of 16 KiB (arm64), looked at twice each.
    let pages = (signature.dataoff as usize).div_ceil(1 << 14);
    assert!(seen >= pages, "{seen} of {pages} pages");
}

/// What delocate and install_name_tool do, without a new signature.
pub fn edits_of_a_repair_tool() {
    let subject = Subject::lab(FILES[0]);
    let file = parsed(&subject.bytes);
    // Another install name, in the room of the old one.
    let own = file.name.unwrap();
    let new = format!("@x{}", &own[2..]);
    let document = subject.against(&subject.with(&[(subject.position(own.as_bytes()), new.as_bytes())]));
    run_with(&document, &["(LC_ID_DYLIB) name", &format!("{own} \u{2192} {new}")]);
    assert_eq!(change(&document, "SONAME"), Some((own, new.as_str())));
    let signature = change(&document, "signature").unwrap();
    assert!(
        signature.0.contains("the hashes of all fit") && signature.1.contains("the hashes of 1 do not fit"),
        "{signature:?}"
    );
    // Another name of a library.
    let needed = file.libs.iter().find(|name| name.contains("libgreet")).unwrap();
    let new = format!("@loader{}", &needed[7..]);
    let edited = subject.with(&[(subject.position(needed.as_bytes()), new.as_bytes())]);
    let document = subject.against(&edited);
    run_with(&document, &["(LC_LOAD_DYLIB) name", &format!("{needed} \u{2192} {new}")]);
    assert_eq!(change(&document, "NEEDED 2"), Some((*needed, new.as_str())));
    // A run path more, in the header pad.
    let count = file.header.ncmds as u32;
    let size = file.header.sizeofcmds;
    let mut command = [0x8000_001c_u32, 32, 12].map(u32::to_le_bytes).concat();
    command.extend(b"@loader_path/.dylibs");
    let edited = subject.with(&[
        (16, &(count + 1).to_le_bytes()),
        (20, &(size + 32).to_le_bytes()),
        (32 + size as usize, &command),
    ]);
    let document = subject.against(&edited);
    run_with(&document, &[&format!("header ncmds: {count:#x} \u{2192} {:#x}", count + 1)]);
    let run = run_with(&document, &[&format!("load command {count} (LC_RPATH)"), "path: @loader_path/.dylibs"]);
    assert!(run.class != Class::Code);
    assert_eq!(change(&document, "LC_RPATH (2)"), Some(("-", "@loader_path/.dylibs")));
    assert_eq!(document.bytes.code, 0);
}

pub fn universal_files_are_told_by_architecture() {
    let slices = FILES.map(|name| Subject::lab(name).bytes);
    let mut fat = [0xcafe_babe_u32, 2].map(u32::to_be_bytes).concat();
    let mut place = 0x4000_u32;
    for (slice, cpu) in slices.iter().zip([0x0100_000c_u32, 0x0100_0007]) {
        fat.extend([cpu, 3, place, slice.len() as u32, 14].map(u32::to_be_bytes).concat());
        place = (place + slice.len() as u32).next_multiple_of(0x4000);
    }
    for (slice, cpu) in slices.iter().zip([0x0100_000c_u32, 0x0100_0007]) {
        fat.resize(fat.len().next_multiple_of(0x4000), 0);
        fat.extend(slice);
        let start = fat.len() - slice.len();
        fat[start + 4..start + 8].copy_from_slice(&cpu.to_le_bytes());
    }
    let subject = Subject::of(fat);
    let Mach::Fat(parsed) = Mach::parse(&subject.bytes).unwrap() else { panic!("no universal file") };
    let arches: Vec<_> = parsed.iter_arches().map(|arch| arch.unwrap()).collect();
    for (arch, prefix) in arches.iter().zip(["arm64: ", "x86_64: "]) {
        let start = arch.offset as usize;
        for offset in (0..1400).step_by(13).chain((0..arch.size as usize).step_by(997)) {
            let Some(run) = subject.flipped(start + offset, 0x20) else { continue };
            assert!(run.region.as_deref().unwrap().starts_with(prefix), "{offset:#x}: {run:?}");
        }
        let image = match Mach::parse(&subject.bytes[start..start + arch.size as usize]).unwrap() {
            Mach::Binary(image) => functions(&image),
            Mach::Fat(_) => panic!("a universal file within another"),
        };
        for (function, offset) in image {
            let run = subject.flipped(start + offset, 0x01).unwrap();
            assert!(run.meaning.as_deref().unwrap().starts_with(&format!("{prefix}code in {function}: ")), "{run:?}");
        }
    }
    let run = subject.flipped(8 + 19, 0x01).unwrap();
    assert_eq!(run.meaning.as_deref(), Some("architecture 0 align: 0xe \u{2192} 0xf"));
    assert!(subject.flipped(0x3000, 1).unwrap().class == Class::Padding);
}
