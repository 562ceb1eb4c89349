//! What the hash tables of dynamic symbols tell: which symbol has a name, and how many there are (gABI "Hash Table", GNU
//! hash).

use super::definitions::Steps;
use super::{CHUNK, Hash, Symbols};
use crate::engine::Result;
use crate::engine::binary::elf::Tables;
use goblin::elf::header::EM_S390;
use goblin::elf::sym::Sym;

/// Alpha's unofficial and only machine number.
const EM_ALPHA: u16 = 0x9026;

/// A hash chain longer than this is taken as damage.
const LONGEST_CHAIN: u64 = 1 << 24;

/// The size of a word of `DT_HASH` in bytes: 8 on two machines (gABI supplements of s390x and Alpha).
#[must_use]
pub fn hash_word(tables: &Tables) -> u64 {
    if tables.is_64 && matches!(tables.header.e_machine, EM_S390 | EM_ALPHA) { 8 } else { 4 }
}

impl Symbols<'_> {
    /// The number of symbols: by the hash table, else by what [`Symbols::count_by_sections`] finds.
    pub(super) fn count(&self) -> Result<u64> {
        match self.hash {
            // Without exports the linker leaves one empty bucket, and `first` may be anything: 1 in GNU ld, 0 elsewhere.
            Hash::Gnu { offset, buckets, first, bloom, .. } => match self.greatest_bucket(offset, buckets, bloom)? {
                0 => Ok(self.count_by_sections()),
                last => self.end_of_chain(offset, buckets, bloom, first, last),
            },
            Hash::SysV { symbols, .. } => Ok(symbols),
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
                let is_big = self.tables.is_big;
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
        let width = if self.tables.is_64 { 8 } else { 4 };
        offset.saturating_add(16 + u64::from(bloom) * width)
    }

    /// Calls `visit` for the symbols of the chain in which `name` stands and whose hash is its own, until it says to stop.
    pub(super) fn gnu_chain(
        &self,
        name: &[u8],
        offset: u64,
        [buckets, first, bloom, shift]: [u32; 4],
        steps: &mut Steps,
        visit: &mut dyn FnMut(u64, &Sym) -> Result<bool>,
    ) -> Result<()> {
        if buckets == 0 || bloom == 0 {
            return Ok(());
        }
        let hash = name.iter().fold(5381_u32, |hash, byte| hash.wrapping_mul(33).wrapping_add(u32::from(*byte)));
        let bits = u32::from(self.tables.header.e_ident[goblin::elf::header::EI_CLASS]) * 32;
        if !self.bloom_admits(hash, offset, bits, bloom, shift)? {
            return Ok(());
        }
        let first_bucket = self.first_bucket(offset, bloom);
        let mut index = self.word(first_bucket.saturating_add(u64::from(hash % buckets) * 4))?;
        if index < first {
            return Ok(());
        }
        let chains = first_bucket.saturating_add(u64::from(buckets) * 4);
        while steps.take() {
            let entry = self.word(chains.saturating_add(u64::from(index - first) * 4))?;
            if entry | 1 == hash | 1 && !visit(u64::from(index), &self.symbol(u64::from(index))?)? {
                return Ok(());
            }
            match index.checked_add(1) {
                Some(next) if entry & 1 == 0 => index = next,
                _ => return Ok(()),
            }
        }
        Err(self.too_long())
    }

    fn bloom_admits(&self, hash: u32, offset: u64, bits: u32, bloom: u32, shift: u32) -> Result<bool> {
        let bits = if bits == 64 { 64 } else { 32 };
        let place = offset.saturating_add(16 + u64::from((hash / bits) % bloom) * u64::from(bits / 8));
        let word = if bits == 64 {
            let (one, two) = (u64::from(self.word(place)?), u64::from(self.word(place.saturating_add(4))?));
            if self.tables.is_big { one << 32 | two } else { two << 32 | one }
        } else {
            u64::from(self.word(place)?)
        };
        let mask = 1_u64 << (hash % bits) | 1_u64 << (hash.checked_shr(shift).unwrap_or(0) % bits);
        Ok(word & mask == mask)
    }

    /// Calls `visit` for the symbols of the chain in which `name` stands, until it says to stop.
    pub(super) fn sysv_chain(
        &self,
        name: &[u8],
        offset: u64,
        buckets: u64,
        steps: &mut Steps,
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
        let entry = |number: u64| self.sysv_entry(offset, number.saturating_add(2));
        let mut index = entry(u64::from(hash) % buckets)?;
        while index != 0 {
            if !steps.take() {
                return Err(self.too_long());
            }
            if !visit(index, &self.symbol(index)?)? {
                return Ok(());
            }
            index = entry(buckets.saturating_add(index))?;
        }
        Ok(())
    }

    /// Entry `number` of the `DT_HASH` table at `offset`.
    pub(super) fn sysv_entry(&self, offset: u64, number: u64) -> Result<u64> {
        if hash_word(self.tables) == 4 {
            return Ok(u64::from(self.word(offset.saturating_add(number.saturating_mul(4)))?));
        }
        let place = offset.saturating_add(number.saturating_mul(8));
        let (one, two) = (u64::from(self.word(place)?), u64::from(self.word(place.saturating_add(4))?));
        Ok(if self.tables.is_big { one << 32 | two } else { two << 32 | one })
    }
}
