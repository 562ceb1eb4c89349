//! A stretch of a file cut into chunks where its content says so, so that inserted bytes move no cut but those beside them.
//!
//! The cuts are those of a gear hash (FastCDC, Xia et al. 2016): they depend on the last bytes before them only. The file is
//! read through one window, so that the chunks are all that is kept.

use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};
use imara_diff::Token;
use std::collections::HashMap;

/// At most this many bytes are held at once.
const WINDOW: u64 = 256 << 10;
/// The lowest bit that a cut looks at: it depends on this many bytes at least.
const FIRST_BIT: u32 = 16;
/// What the hash of a chunk is multiplied by for each byte (Knuth's multiplier for linear generators).
const STEP: u64 = 6_364_136_223_846_793_005;

/// Random numbers for the bytes.
const GEAR: [u64; 256] = gear();

/// The generator is splitmix64 (Steele et al. 2014).
const fn gear() -> [u64; 256] {
    let mut table = [0; 256];
    let mut number = 0;
    let mut state = 0_u64;
    while number < 256 {
        state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        table[number] = mixed ^ (mixed >> 31);
        number += 1;
    }
    table
}

/// A chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Chunk {
    /// Where it begins in the file.
    pub start: u64,
    /// Its length in bytes.
    pub len: u64,
    /// A hash of its bytes; two chunks that share it need not be equal.
    pub hash: u64,
}

/// The chunks of the bytes from `start` to `end`: `average` bytes long for the most part, a power of two; a quarter of it at
/// least and four times it at most. Counts the bytes on `context`.
///
/// # Errors
/// [`crate::engine::Error::Io`], [`crate::engine::Error::Malformed`] when the file ends before,
/// [`crate::engine::Error::Cancelled`].
pub fn chunks(source: &dyn ReadAt, start: u64, end: u64, average: u64, context: &Context) -> Result<Vec<Chunk>> {
    let mask = (average - 1) << FIRST_BIT;
    let (least, most) = (average / 4, average * 4);
    let mut found = Vec::new();
    let mut window = vec![0; usize::try_from(WINDOW.min(end.saturating_sub(start))).unwrap_or_default()];
    let (mut at, mut gear) = (start, 0_u64);
    let mut chunk = Chunk { start, len: 0, hash: 0 };
    while at < end {
        let size = usize::try_from(WINDOW.min(end - at)).unwrap_or_default();
        let Some(bytes) = window.get_mut(..size) else { break };
        source.read_at(at, bytes)?;
        for byte in bytes.iter() {
            gear = (gear << 1).wrapping_add(GEAR.get(usize::from(*byte)).copied().unwrap_or_default());
            chunk.hash = chunk.hash.wrapping_mul(STEP).wrapping_add(u64::from(*byte) + 1);
            chunk.len += 1;
            if (gear & mask == 0 && chunk.len >= least) || chunk.len == most {
                found.push(chunk);
                chunk = Chunk { start: chunk.start + chunk.len, len: 0, hash: 0 };
            }
        }
        at += size as u64;
        context.advance(size as u64)?;
    }
    if chunk.len > 0 {
        found.push(chunk);
    }
    Ok(found)
}

/// Numbers for chunks: the same for those of one hash and length.
#[derive(Debug, Default)]
pub struct Tokens {
    numbers: HashMap<(u64, u64), u32>,
}

impl Tokens {
    /// The numbers of `chunks`.
    pub fn of(&mut self, chunks: &[Chunk]) -> Vec<Token> {
        let number = |chunk: &Chunk| {
            let next = self.count();
            Token(*self.numbers.entry((chunk.hash, chunk.len)).or_insert(next))
        };
        chunks.iter().map(number).collect()
    }

    /// How many numbers there are.
    #[must_use]
    pub fn count(&self) -> u32 {
        u32::try_from(self.numbers.len()).unwrap_or(u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    fn cut(bytes: &[u8], average: u64) -> Vec<Chunk> {
        let source = MemoryBytes::new("a".into(), bytes.to_vec());
        chunks(&source, 0, bytes.len() as u64, average, &Context::new()).unwrap()
    }

    fn noise(length: usize) -> Vec<u8> {
        (0..length)
            .map(|at| (GEAR[at % 256].rotate_left((at / 256) as u32 % 64) >> 9) as u8 ^ (at >> 12) as u8)
            .collect()
    }

    #[test]
    fn chunks_cover_the_stretch_and_come_back_behind_an_insertion() {
        let bytes = noise(1_000_000);
        let whole = cut(&bytes, 1024);
        let mut at = 0;
        for chunk in &whole {
            assert_eq!(chunk.start, at);
            at += chunk.len;
        }
        assert_eq!(at, 1_000_000);
        assert!((500..2000).contains(&whole.len()), "{} chunks", whole.len());
        assert!(whole.iter().rev().skip(1).all(|chunk| (256..=4096).contains(&chunk.len)));
        let shifted = cut(&[&bytes[..300_000], b"inserted", &bytes[300_000..]].concat(), 1024);
        let mut tokens = Tokens::default();
        let (one, other) = (tokens.of(&whole), tokens.of(&shifted));
        let behind = one.iter().rev().zip(other.iter().rev()).take_while(|(one, other)| one == other).count();
        let before = one.iter().zip(&other).take_while(|(one, other)| one == other).count();
        assert!(before + behind > one.len() - 8, "{before} and {behind} of {}", one.len());
    }

    #[test]
    fn bytes_that_are_all_the_same_are_cut_too() {
        let whole = cut(&[0; 100_000], 1024);
        assert!((24..400).contains(&whole.len()));
        assert!(cut(b"", 1024).is_empty());
    }
}
