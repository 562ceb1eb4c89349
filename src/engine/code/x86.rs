//! Decoding x86 code, 32 and 64 bit.

use iced_x86::{Decoder, DecoderError, DecoderOptions, Instruction};

/// The longest instruction, in bytes.
const LONGEST: usize = 15;

/// What stands at a place of the code.
pub(super) enum Decoded<'a> {
    /// An instruction.
    Instruction(&'a Instruction),
    /// A byte with which no instruction begins.
    Unknown,
    /// This many last bytes, with which an instruction begins that does not end before the code does.
    Cut(u64),
}

/// Decodes `bytes`, which lie at `address`, one instruction after the other, and gives each to `visit`.
///
/// Returns how many bytes were dealt with: all of them where the code ends with them (`ends`), else up to the first place at
/// which an instruction may go on beyond them. After a byte that begins no instruction, decoding goes on with the next one.
pub(super) fn decode(bits: u32, bytes: &[u8], address: u64, ends: bool, visit: &mut dyn FnMut(Decoded<'_>)) -> usize {
    let mut decoder = Decoder::with_ip(bits, bytes, address, DecoderOptions::NONE);
    let mut instruction = Instruction::default();
    let stop = if ends { bytes.len() } else { bytes.len().saturating_sub(LONGEST) };
    while decoder.position() < stop {
        let start = decoder.position();
        decoder.decode_out(&mut instruction);
        if instruction.is_invalid() && decoder.last_error() == DecoderError::NoMoreBytes {
            visit(Decoded::Cut((bytes.len() - start) as u64));
            return bytes.len();
        }
        if instruction.is_invalid() {
            visit(Decoded::Unknown);
            if decoder.set_position(start + 1).is_err() {
                break;
            }
            decoder.set_ip(address.wrapping_add(start as u64 + 1));
        } else {
            visit(Decoded::Instruction(&instruction));
        }
    }
    decoder.position()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decoding_goes_on_behind_a_byte_that_is_no_instruction_and_stops_where_one_may_go_on() {
        let read = |bytes: &[u8], ends| {
            let mut seen = Vec::new();
            let used = decode(64, bytes, 0x1000, ends, &mut |decoded| {
                seen.push(match decoded {
                    Decoded::Instruction(instruction) => instruction.ip(),
                    Decoded::Unknown => 0,
                    Decoded::Cut(bytes) => bytes,
                })
            });
            (used, seen)
        };
        // In 64-bit code 06 begins nothing.
        assert_eq!(read(&[0x90, 0x06, 0x06, 0xc3], true), (4, vec![0x1000, 0, 0, 0x1003]));
        // A call without its last byte.
        assert_eq!(read(&[0x90, 0xe8, 1, 2, 3], true), (5, vec![0x1000, 4]));
        assert_eq!(read(&[0x90; 20], false), (5, (0x1000..0x1005).collect()));
    }
}
