//! Files of other machines, of 32 bits and of the other byte order, written here byte by byte.

use crate::library::{compared, written};
use crate::{Outcome, Test};

pub const TESTS: &[Test] = &[("foreign::both_classes_and_both_byte_orders", classes)];

const STRINGS: &[u8] = b"\0foo\0bar\0";
const NAMES: &[u8] = b"\0.text\0.symtab\0.strtab\0.rela\0.shstrtab\0.got\0";

/// The class and byte order of a file.
#[derive(Clone, Copy)]
pub struct Kind {
    pub is_64: bool,
    pub is_big: bool,
}

/// A relocatable object of `kind` with two functions, a symbol table, relocations and a GOT, and where its sections begin:
/// `.text`, `.symtab`, `.strtab`, `.rela`, `.shstrtab`, `.got`, the section headers.
pub fn object(kind: Kind) -> (Vec<u8>, Vec<u64>) {
    let number = |value: u64, width: usize| match kind.is_big {
        true => value.to_be_bytes()[8 - width..].to_vec(),
        false => value.to_le_bytes()[..width].to_vec(),
    };
    let word = if kind.is_64 { 8 } else { 4 };
    let record =
        |fields: &[(u64, usize)]| fields.iter().flat_map(|(value, width)| number(*value, *width)).collect::<Vec<u8>>();
    // Names 1 and 5 of two functions of 8 bytes each, in section 1.
    let symbol = |name, value| match kind.is_64 {
        true => record(&[(name, 4), (0x12, 1), (0, 1), (1, 2), (value, 8), (8, 8)]),
        false => record(&[(name, 4), (value, 4), (8, 4), (0x12, 1), (0, 1), (1, 2)]),
    };
    let symbols = [vec![0; if kind.is_64 { 24 } else { 16 }], symbol(1, 0), symbol(5, 8)].concat();
    let info = if kind.is_64 { 2 << 32 | 1 } else { 2 << 8 | 1 };
    let relocations = record(&[(4, word), (info, word), (u64::MAX - 3, word)]);
    let contents = [vec![0x11; 16], symbols, STRINGS.to_vec(), relocations, NAMES.to_vec(), vec![0; 2 * word]];
    let header = if kind.is_64 { 64 } else { 52 };
    let (mut starts, mut body) = (Vec::new(), Vec::new());
    for content in &contents {
        body.resize(body.len().next_multiple_of(8), 0);
        starts.push((header + body.len()) as u64);
        body.extend(content);
    }
    body.resize((header + body.len()).next_multiple_of(8) - header, 0);
    let table = (header + body.len()) as u64;
    // Type, flags, link, info, size of an entry, place of the name.
    let entry = |size: usize| size as u64;
    let described: [(u64, u64, u64, u64, u64, u64); 6] = [
        (1, 6, 0, 0, 0, 1),
        (2, 0, 3, 1, entry(if kind.is_64 { 24 } else { 16 }), 7),
        (3, 0, 0, 0, 0, 15),
        (4, 0, 2, 1, entry(3 * word), 23),
        (3, 0, 0, 0, 0, 29),
        (1, 3, 0, 0, entry(word), 39),
    ];
    let mut headers = vec![0; if kind.is_64 { 64 } else { 40 }];
    for ((content, start), (kind, flags, link, info, size, name)) in contents.iter().zip(&starts).zip(described) {
        let length = content.len() as u64;
        headers.extend(record(&[(name, 4), (kind, 4), (flags, word), (0, word), (*start, word), (length, word)]));
        headers.extend(record(&[(link, 4), (info, 4), (1, word), (size, word)]));
    }
    // PowerPC: the one machine name that both classes and both byte orders have.
    let machine = if kind.is_64 { 21 } else { 20 };
    let mut bytes = vec![0x7f, b'E', b'L', b'F', 1 + u8::from(kind.is_64), 1 + u8::from(kind.is_big), 1];
    bytes.resize(16, 0);
    bytes.extend(record(&[(1, 2), (machine, 2), (1, 4), (0, word), (0, word), (table, word), (0, 4)]));
    let section_header = if kind.is_64 { 64 } else { 40 };
    bytes.extend(record(&[(header as u64, 2), (0, 2), (0, 2), (section_header, 2), (7, 2), (5, 2)]));
    bytes.extend(body);
    bytes.extend(headers);
    starts.push(table);
    (bytes, starts)
}

fn classes() -> Outcome {
    for (is_64, is_big) in [(false, false), (false, true), (true, false), (true, true)] {
        let directory = tempfile::tempdir().unwrap();
        let (bytes, starts) = object(Kind { is_64, is_big });
        let [text, symbols, strings, relocations, _, got, headers] = starts[..] else { panic!("{starts:?}") };
        let (word, symbol) = if is_64 { (8, 24) } else { (4, 16) };
        let value = if is_64 { 8 } else { 4 };
        // The lowest byte of a number of this width.
        let low = |width: u64| if is_big { width - 1 } else { 0 };
        let header = if is_64 { 64 } else { 40 };
        for (offset, region, expected) in [
            (text + 3, ".text", "code in foo +0x3: 11 \u{2192} 50".to_owned()),
            (text + 9, ".text", "code in bar +0x1: 11 \u{2192} 50".to_owned()),
            (
                symbols + 2 * symbol + value + low(word),
                ".symtab",
                "symbol 2 bar st_value: 0x8 \u{2192} 0x49".to_owned(),
            ),
            (symbols + symbol + low(4), ".symtab", "symbol 1 foo".to_owned()),
            (strings + 2, ".strtab", "\"foo\" \u{2192} \"f.o\"".to_owned()),
            (relocations + low(word), ".rela", "relocation 0 R_PPC".to_owned()),
            (relocations + 2 * word + low(word), ".rela", "relocation 0 R_PPC".to_owned()),
            (got + word + low(word), ".got", "GOT entry 1: 0x0 \u{2192} 0x41".to_owned()),
            (
                headers + 3 * header + 4 + low(4),
                "section headers",
                "section header 3 (.strtab) sh_type: SHT_STRTAB \u{2192} ".to_owned(),
            ),
        ] {
            let mut changed = bytes.clone();
            changed[offset as usize] ^= 0x41;
            let (a, b) = (written(directory.path(), "a", &bytes), written(directory.path(), "b", &changed));
            let document = compared(&a, &b, None);
            let [run] = &document.runs[..] else { panic!("{:?}", document.runs) };
            let meaning = run.meaning.as_deref().unwrap_or_default();
            assert!(meaning.starts_with(&expected), "{is_64} {is_big}: {meaning} is not {expected}");
            assert_eq!(run.region.as_deref(), Some(region));
        }
    }
    Ok(())
}
