//! A stretch of a file cut into chunks where its content says so, so that inserted bytes move no cut but those beside them.
//!
//! The cuts are those of a gear hash (FastCDC, Xia et al. 2016): they depend on the last bytes before them only. The file is
//! read through one window, so that the chunks are all that is kept.

use super::chain::{Link, heaviest};
use crate::engine::file::ReadAt;
use crate::engine::{Context, Result};

/// At most this many bytes are held at once, or two of the longest chunks.
const WINDOW: u64 = 256 << 10;
/// The lowest bit that a cut looks at: it depends on this many bytes at least.
const FIRST_BIT: u32 = 16;
/// A cut depends on no more bytes than this.
const REACH: usize = 64;
/// What the hash of a chunk is multiplied by (Knuth's multiplier for linear generators).
const STEP: u64 = 6_364_136_223_846_793_005;
/// Chunks that occur more often than this in a file tell nothing.
const MOST_ALIKE: usize = 16;

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
    let mut found = Vec::new();
    let room = WINDOW.max(average * 8).min(end.saturating_sub(start));
    let mut window = vec![0; usize::try_from(room).unwrap_or_default()];
    // Where the window begins in the file, and how much of it is read.
    let (mut at, mut filled) = (start, 0_usize);
    while at < end {
        let more = window.get_mut(filled..).unwrap_or_default();
        let left = usize::try_from(end - at - filled as u64).unwrap_or(usize::MAX);
        let size = more.len().min(left);
        source.read_at(at + filled as u64, more.get_mut(..size).unwrap_or_default())?;
        context.advance(size as u64)?;
        filled += size;
        let mut done = 0;
        loop {
            let rest = window.get(done..filled).unwrap_or_default();
            let len = match cut(rest, average) {
                Some(len) => len,
                None if size == left => rest.len(),
                None => break,
            };
            if len == 0 {
                break;
            }
            let hash = hash(rest.get(..len).unwrap_or_default());
            found.push(Chunk { start: at + done as u64, len: len as u64, hash });
            done += len;
        }
        window.copy_within(done..filled, 0);
        at += done as u64;
        filled -= done;
    }
    Ok(found)
}

/// The length of the chunk that `bytes` begin with; nothing where it may go on behind them.
fn cut(bytes: &[u8], average: u64) -> Option<usize> {
    let mask = (average - 1) << FIRST_BIT;
    let (least, most) = (usize::try_from(average / 4).ok()?, usize::try_from(average * 4).ok()?);
    let first = least.saturating_sub(REACH);
    let mut gear = 0_u64;
    for (at, byte) in bytes.iter().enumerate().take(most).skip(first) {
        gear = (gear << 1).wrapping_add(GEAR.get(usize::from(*byte)).copied().unwrap_or_default());
        if gear & mask == 0 && at + 1 >= least {
            return Some(at + 1);
        }
    }
    (bytes.len() >= most).then_some(most)
}

fn hash(bytes: &[u8]) -> u64 {
    let (words, rest) = bytes.as_chunks::<8>();
    let mixed = |hash: u64, word: u64| (hash.rotate_left(23) ^ word).wrapping_mul(STEP);
    let whole = words.iter().fold(0, |hash, word| mixed(hash, u64::from_le_bytes(*word)));
    rest.iter().fold(whole, |hash, byte| mixed(hash, u64::from(*byte) + 1))
}

/// Which chunks of `ours` belong to which of `theirs`, by number, in the order of both: of those that occur equally often on
/// both sides the n-th to the n-th, and of these pairs the heaviest chain. Chunks that occur very often belong to none.
#[must_use]
pub fn matches(ours: &[Chunk], theirs: &[Chunk]) -> Vec<(usize, usize)> {
    let (one, other) = (by_hash(ours), by_hash(theirs));
    let mut groups = other.chunk_by(|one, other| one.0 == other.0).peekable();
    let mut found = Vec::new();
    for group in one.chunk_by(|one, other| one.0 == other.0) {
        let hash = group.first().map(|entry| entry.0);
        while groups.next_if(|other| other.first().map(|entry| entry.0) < hash).is_some() {}
        let same = groups.next_if(|other| other.first().map(|entry| entry.0) == hash);
        if let Some(same) = same.filter(|same| same.len() == group.len() && same.len() <= MOST_ALIKE) {
            found.extend(group.iter().zip(same).map(|(one, other)| (one.1, other.1)));
        }
    }
    found.sort_unstable();
    let weight = |number: usize| ours.get(number).map_or(0, |chunk| chunk.len);
    let links: Vec<Link> =
        found.iter().map(|(one, other)| Link { place: *other as u64, weight: weight(*one) }).collect();
    heaviest(&links).into_iter().filter_map(|number| found.get(number).copied()).collect()
}

/// The chunks by hash and length, with their numbers.
fn by_hash(chunks: &[Chunk]) -> Vec<((u64, u64), usize)> {
    let mut all: Vec<_> = chunks.iter().enumerate().map(|(at, chunk)| ((chunk.hash, chunk.len), at)).collect();
    all.sort_unstable();
    all
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
        let found = matches(&whole, &shifted);
        assert!(found.len() > whole.len() - 8, "{} of {}", found.len(), whole.len());
        assert!(found.iter().all(|(one, other)| whole[*one].len == shifted[*other].len));
        assert!(found.windows(2).all(|two| two[0].0 < two[1].0 && two[0].1 < two[1].1));
    }

    #[test]
    fn bytes_that_are_all_the_same_are_cut_too() {
        let whole = cut(&[0; 100_000], 1024);
        assert!((24..400).contains(&whole.len()));
        assert!(cut(b"", 1024).is_empty());
    }
}
