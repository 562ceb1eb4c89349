//! PE files, with goblin's parser as the second opinion.

use crate::flips::{Subject, run_with};
use goblin::pe::PE;
use wheelwright::engine::report::diff::{Class, RunKind};

const FILES: [&str; 2] = ["labwin.dll", "greet.dll"];

pub fn every_byte_has_a_meaning() {
    for name in FILES {
        let subject = Subject::lab(name);
        let file = PE::parse(&subject.bytes).unwrap();
        let signature = file.header.dos_header.pe_pointer as usize;
        let table = signature + 24 + usize::from(file.header.coff_header.size_of_optional_header);
        let headers = table + file.sections.len() * 40;
        let mut told = 0;
        for offset in 0..subject.bytes.len() {
            let Some(run) = subject.flipped(offset, 0x15) else { continue };
            told += 1;
            let (region, meaning) = (run.region.as_deref().unwrap(), run.meaning.as_deref().unwrap());
            let section = file.sections.iter().find(|section| {
                let start = section.pointer_to_raw_data as usize;
                (start..start + section.size_of_raw_data as usize).contains(&offset)
            });
            match section {
                _ if offset < 64.min(signature) => assert_eq!(region, "DOS header"),
                _ if offset < signature => assert_eq!(region, "DOS stub"),
                _ if offset < table => assert!(region.starts_with("PE headers"), "{offset:#x}: {run:?}"),
                _ if offset < headers => {
                    let number = (offset - table) / 40;
                    assert_eq!((region, run.class), ("section headers", Class::SectionHeader));
                    assert!(meaning.starts_with(&format!("section header {number} (")), "{offset:#x}: {run:?}");
                }
                None => assert_eq!(run.class, Class::Padding, "{offset:#x}: {run:?}"),
                Some(section) => {
                    let into = offset - section.pointer_to_raw_data as usize;
                    let padding = into >= section.virtual_size as usize;
                    assert_eq!(run.class == Class::Padding, padding, "{offset:#x}: {run:?}");
                    let code = !padding && section.name().unwrap() == ".text";
                    assert_eq!(run.class == Class::Code, code, "{offset:#x}: {run:?}");
                }
            }
        }
        assert!(told > 2000, "{name}: only {told} flips left a readable file");
    }
}

pub fn code_is_told_by_function() {
    for name in FILES {
        let subject = Subject::lab(name);
        let file = PE::parse(&subject.bytes).unwrap();
        assert!(file.exports.len() >= 2);
        for export in &file.exports {
            let (name, offset) = (export.name.unwrap(), export.offset.unwrap());
            for (into, said) in [(0, format!("code in {name}: ")), (3, format!("code in {name}+0x3: "))] {
                let run = subject.flipped(offset + into, 0x01).unwrap();
                assert!(run.meaning.as_deref().unwrap().starts_with(&said), "{run:?}");
            }
        }
    }
}

pub fn imports_and_exports_are_told_by_name() {
    let subject = Subject::lab(FILES[0]);
    let file = PE::parse(&subject.bytes).unwrap();
    assert!(!file.imports.is_empty());
    for import in &file.imports {
        // The hint stands before the name.
        let (name, at) = (import.name.as_ref(), subject.position(format!("{}\0", import.name).as_bytes()));
        let run = subject.flipped(at + 1, 0x01).unwrap();
        let said = run.meaning.as_deref().unwrap();
        assert!(
            said.starts_with("imported name ") && said.contains(&format!(" of {} name: {name} \u{2192} ", import.dll)),
            "{said}"
        );
        assert_eq!(run.class, Class::Import);
        // The thunk names the function that it stands for.
        let section = file.sections.iter().find(|section| section.name().unwrap() == ".rdata").unwrap();
        let thunk = import.offset - section.virtual_address as usize + section.pointer_to_raw_data as usize;
        let run = subject.flipped(thunk, 0x02).unwrap();
        let said = run.meaning.as_deref().unwrap();
        assert!(said.contains(&format!("import address table, entry 0: {name} from {}", import.dll)), "{said}");
    }
    for (number, export) in file.exports.iter().enumerate() {
        let name = export.name.unwrap();
        let run = subject.flipped(subject.position(format!("{name}\0").as_bytes()) + 1, 0x01).unwrap();
        assert!(run.meaning.as_deref().unwrap().contains(&format!("\"{name}\"")), "{number}: {run:?}");
        assert_eq!((run.region.as_deref(), run.class), (Some("export names"), Class::Export));
    }
}

pub fn checksum_and_overlay() {
    let subject = Subject::lab(FILES[0]);
    let file = PE::parse(&subject.bytes).unwrap();
    let place = file.header.dos_header.pe_pointer as usize + 24 + 64;
    // The sum by its definition: 16-bit words with the carry brought round, and the length.
    let sum = subject.bytes.chunks(2).fold(0_u32, |sum, pair| {
        let sum = sum + u32::from(u16::from_le_bytes([pair[0], pair[1]]));
        (sum & 0xffff) + (sum >> 16)
    });
    let sum = sum + subject.bytes.len() as u32;
    let document = subject.against(&subject.with(&[(place, &sum.to_le_bytes())]));
    let run = run_with(&document, &["optional header CheckSum: 0x0 (none)", &format!("{sum:#x} (fits the file)")]);
    assert_eq!(run.class, Class::Checksum);
    let document = subject.against(&subject.with(&[(place, &(sum + 1).to_le_bytes())]));
    run_with(&document, &[&format!("{:#x} (the file's is {sum:#x})", sum + 1)]);
    let appended = [subject.bytes.as_slice(), b"appended"].concat();
    let document = subject.against(&appended);
    let run = &document.runs[0];
    assert_eq!((document.runs.len(), run.kind, run.len), (1, RunKind::Inserted, 8));
    assert!(run.region.as_deref().unwrap().starts_with("overlay") && run.meaning.is_some(), "{run:?}");
}
