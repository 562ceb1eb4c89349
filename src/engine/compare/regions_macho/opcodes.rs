//! Rebase and binding information of a Mach-O image: programs of opcodes with operands (`mach-o/loader.h`).

use super::linkedit::name;
use crate::engine::Result;
use crate::engine::binary::Endian;
use crate::engine::binary::record::Record;
use crate::engine::compare::item::Item;
use crate::engine::compare::tell::{Decoded, MOST_DECODED, Tell};
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;

/// More bytes of opcodes than this are not looked at.
const MOST_BYTES: u64 = 4 << 20;
/// `BIND_OPCODE_SET_SYMBOL_TRAILING_FLAGS_IMM`: a name follows.
const SET_SYMBOL: u8 = 0x40;
/// `BIND_OPCODE_THREADED`: a number follows where its subopcode is 0.
const THREADED: u8 = 0xd0;
/// By the high four bits: the name, and how many numbers follow.
const REBASES: [(&str, u8); 9] = [
    ("DONE", 0),
    ("SET_TYPE_IMM", 0),
    ("SET_SEGMENT_AND_OFFSET_ULEB", 1),
    ("ADD_ADDR_ULEB", 1),
    ("ADD_ADDR_IMM_SCALED", 0),
    ("DO_REBASE_IMM_TIMES", 0),
    ("DO_REBASE_ULEB_TIMES", 1),
    ("DO_REBASE_ADD_ADDR_ULEB", 1),
    ("DO_REBASE_ULEB_TIMES_SKIPPING_ULEB", 2),
];
const BINDINGS: [(&str, u8); 14] = [
    ("DONE", 0),
    ("SET_DYLIB_ORDINAL_IMM", 0),
    ("SET_DYLIB_ORDINAL_ULEB", 1),
    ("SET_DYLIB_SPECIAL_IMM", 0),
    ("SET_SYMBOL_TRAILING_FLAGS_IMM", 0),
    ("SET_TYPE_IMM", 0),
    ("SET_ADDEND_SLEB", 1),
    ("SET_SEGMENT_AND_OFFSET_ULEB", 1),
    ("ADD_ADDR_ULEB", 1),
    ("DO_BIND", 0),
    ("DO_BIND_ADD_ADDR_ULEB", 1),
    ("DO_BIND_ADD_ADDR_IMM_SCALED", 0),
    ("DO_BIND_ULEB_TIMES_SKIPPING_ULEB", 2),
    ("THREADED", 0),
];

#[derive(Debug)]
struct Opcodes {
    part: String,
    start: u64,
    size: u64,
    is_binding: bool,
}

/// Tells the opcodes of the part called `part`.
pub(super) fn teller(part: String, (start, size): (u64, u64), is_binding: bool) -> Box<dyn Tell> {
    Box::new(Decoded::new(Opcodes { part, start, size, is_binding }, decode))
}

fn decode(of: &Opcodes, source: &dyn ReadAt, items: &mut Vec<Item>) -> Result<()> {
    let record = Record::read(source, of.start, of.size.min(MOST_BYTES), Endian::Little)?;
    let end = record.as_bytes().len() as u64;
    let class = if of.is_binding { Class::Import } else { Class::Relocation };
    let mut at = 0;
    for number in 0..MOST_DECODED {
        if at >= end {
            break;
        }
        let start = at;
        let byte = record.byte(at)?;
        at += 1;
        let (opcode, immediate) = (byte & 0xf0, byte & 0x0f);
        let table: &[_] = if of.is_binding { &BINDINGS } else { &REBASES };
        let Some((known, operands)) = table.get(usize::from(opcode >> 4)) else { break };
        let mut operands = *operands;
        let mut text = format!("{known} {immediate}");
        if of.is_binding && opcode == SET_SYMBOL {
            let symbol = record.name(at, end - at)?;
            at += symbol.as_bytes().len() as u64 + 1;
            text = format!("{text} {}", name(symbol.as_bytes()));
        }
        if of.is_binding && opcode == THREADED && immediate == 0 {
            operands = 1;
        }
        for _ in 0..operands {
            let (value, next) = uleb(&record, at)?;
            text = format!("{text} {value:#x}");
            at = next;
        }
        let name = format!("{} opcode {number}", of.part);
        items.push(Item::new(class, of.start + start, at - start, name, text));
    }
    Ok(())
}

/// The number at `at`, 7 bits a byte, and where it ends; bits beyond 64 are dropped.
pub(super) fn uleb(record: &Record<'_>, at: u64) -> Result<(u64, u64)> {
    let (mut value, mut place, mut shift) = (0_u64, at, 0_u32);
    loop {
        let byte = record.byte(place)?;
        place += 1;
        value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
        shift = shift.saturating_add(7);
        if byte & 0x80 == 0 {
            return Ok((value, place));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    #[test]
    fn opcodes_are_told_with_their_operands() {
        let bytes = b"\x11\x40_puts\0\x51\x72\x80\x01\x90\x00\xff";
        let source = MemoryBytes::new("a".into(), bytes.to_vec());
        let teller = teller("binding information".into(), (0, bytes.len() as u64), true);
        let told = teller.items(&source, 0, 99).unwrap();
        let words: Vec<_> = told.iter().map(|item| (item.start, item.value.as_str())).collect();
        let expected = [
            (0, "SET_DYLIB_ORDINAL_IMM 1"),
            (1, "SET_SYMBOL_TRAILING_FLAGS_IMM 0 puts"),
            (8, "SET_TYPE_IMM 1"),
            (9, "SET_SEGMENT_AND_OFFSET_ULEB 2 0x80"),
            (12, "DO_BIND 0"),
            (13, "DONE 0"),
        ];
        assert_eq!(words, expected);
    }
}
