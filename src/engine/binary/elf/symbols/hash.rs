//! What the hash tables of dynamic symbols tell: which symbol has a name, and how many there are (gABI "Hash Table", GNU
//! hash).

use super::{CHUNK, Hash, Symbols};
use crate::engine::Result;
use goblin::elf::sym::Sym;

/// A hash chain longer than this is taken as damage.
const LONGEST_CHAIN: u64 = 1 << 24;

impl Symbols<'_> {
    /// The number of symbols: by the hash table, else by what [`Symbols::count_by_sections`] finds.
    pub(super) fn count(&self) -> Result<u64> {
        match self.hash {
            // Without exports the linker leaves one empty bucket, and `first` may be anything: 1 in GNU ld, 0 elsewhere.
            Hash::Gnu { offset, buckets, first, bloom, .. } => match self.greatest_bucket(offset, buckets, bloom)? {
                0 => Ok(self.count_by_sections()),
                last => self.end_of_chain(offset, buckets, bloom, first, last),
            },
            Hash::SysV { symbols, .. } => Ok(u64::from(symbols)),
            Hash::None => Ok(self.count_by_sections()),
        }
    }

    /// The number of the last chain's first symbol; 0 when nothing is hashed.
    fn greatest_bucket(&self, offset: u64, buckets: u32, bloom: u32) -> Result<u32> {
        let first_bucket = self.first_bucket(offset, bloom);
        let (mut at, mut greatest) = (0, 0);
        let total = u64::from(buckets) * 4;
        while at < total {
            let chunk = self.source.bytes(first_bucket.saturating_add(at), (total - at).min(CHUNK))?;
            for bytes in chunk.as_chunks::<4>().0 {
                let is_big = self.details.tables.is_big;
                greatest = greatest.max(if is_big { u32::from_be_bytes(*bytes) } else { u32::from_le_bytes(*bytes) });
            }
            at += CHUNK;
        }
        Ok(greatest)
    }

    /// One more than the number of the symbol that ends the chain in which symbol `last` stands.
    fn end_of_chain(&self, offset: u64, buckets: u32, bloom: u32, first: u32, last: u32) -> Result<u64> {
        let chains = self.first_bucket(offset, bloom).saturating_add(u64::from(buckets) * 4);
        let mut index = u64::from(last.max(first));
        for _ in 0..LONGEST_CHAIN {
            if self.word(chains.saturating_add((index - u64::from(first)) * 4))? & 1 == 1 {
                break;
            }
            index += 1;
        }
        Ok(index + 1)
    }

    fn first_bucket(&self, offset: u64, bloom: u32) -> u64 {
        let width = if self.details.tables.is_64 { 8 } else { 4 };
        offset.saturating_add(16 + u64::from(bloom) * width)
    }

    /// Calls `visit` for the symbols whose hash is that of `name`, until it says to stop.
    pub(super) fn gnu_lookup(
        &self,
        name: &[u8],
        offset: u64,
        [buckets, first, bloom, shift]: [u32; 4],
        visit: &mut dyn FnMut(u64, &Sym) -> Result<bool>,
    ) -> Result<()> {
        if buckets == 0 || bloom == 0 {
            return Ok(());
        }
        let hash = name.iter().fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)));
        let bits = u32::from(self.details.tables.header.e_ident[goblin::elf::header::EI_CLASS]) * 32;
        if !self.bloom_admits(hash, offset, bits, bloom, shift)? {
            return Ok(());
        }
        let first_bucket = self.first_bucket(offset, bloom);
        let mut index = self.word(first_bucket + u64::from(hash % buckets) * 4)?;
        if index < first {
            return Ok(());
        }
        let chains = first_bucket.saturating_add(u64::from(buckets) * 4);
        for _ in 0..LONGEST_CHAIN {
            let entry = self.word(chains.saturating_add(u64::from(index - first) * 4))?;
            if entry | 1 == hash | 1 {
                let symbol = self.symbol(u64::from(index))?;
                if !visit(u64::from(index), &symbol)? {
                    return Ok(());
                }
            }
            if entry & 1 == 1 {
                return Ok(());
            }
            let Some(next) = index.checked_add(1) else { return Ok(()) };
            index = next;
        }
        Ok(())
    }

    fn bloom_admits(&self, hash: u32, offset: u64, bits: u32, bloom: u32, shift: u32) -> Result<bool> {
        let bits = if bits == 64 { 64 } else { 32 };
        let place = offset + 16 + u64::from((hash / bits) % bloom) * u64::from(bits / 8);
        let word = if bits == 64 {
            let (one, two) = (u64::from(self.word(place)?), u64::from(self.word(place + 4)?));
            if self.details.tables.is_big { one << 32 | two } else { two << 32 | one }
        } else {
            u64::from(self.word(place)?)
        };
        let mask = 1_u64 << (hash % bits) | 1_u64 << (hash.checked_shr(shift).unwrap_or(0) % bits);
        Ok(word & mask == mask)
    }

    /// Calls `visit` for the symbols in the bucket of `name`, until it says to stop.
    pub(super) fn sysv_lookup(
        &self,
        name: &[u8],
        offset: u64,
        (buckets, symbols): (u32, u32),
        visit: &mut dyn FnMut(u64, &Sym) -> Result<bool>,
    ) -> Result<()> {
        if buckets == 0 {
            return Ok(());
        }
        let hash = name.iter().fold(0_u32, |hash, byte| {
            let hash = (hash << 4).wrapping_add(u32::from(*byte));
            let high = hash & 0xf000_0000;
            (hash ^ (high >> 24)) & !high
        });
        let mut index = self.word(offset + 8 + u64::from(hash % buckets) * 4)?;
        let chains = offset + 8 + u64::from(buckets) * 4;
        // A chain visits no symbol twice; one that does is damaged.
        for _ in 0..u64::from(symbols).min(self.source.size() / 4) {
            if index == 0 {
                return Ok(());
            }
            let symbol = self.symbol(u64::from(index))?;
            if !visit(u64::from(index), &symbol)? {
                return Ok(());
            }
            index = self.word(chains.saturating_add(u64::from(index) * 4))?;
        }
        Ok(())
    }
}
