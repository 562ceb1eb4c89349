//! The two hash tables of dynamic symbols: header words, buckets, chains (gABI 5, "Hash Table"; GNU hash).

use super::super::item::{Entries, Item};
use super::super::layout::Layout;
use super::fields::{Field, Shape, plain};
use super::symbols::SymbolTable;
use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::report::diff::Class;

const SYSV: [Field; 2] = [("nbucket", 4), ("nchain", 4)];
const GNU: [Field; 4] = [("nbuckets", 4), ("symoffset", 4), ("bloom_size", 4), ("bloom_shift", 4)];

/// What the words of a part of a hash table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    /// The first symbol of each bucket.
    Buckets,
    /// The symbol that follows each symbol.
    Chains,
    /// The hash of each symbol from this number on; its lowest bit ends a chain.
    Hashes(u64),
    /// The words of the filter.
    Bloom,
}

/// A part of a hash table.
#[derive(Debug)]
struct Words {
    shape: Shape,
    width: u64,
    kind: Kind,
    symbols: Option<SymbolTable>,
}

impl Words {
    fn called(&self, source: &dyn ReadAt, number: u64) -> String {
        self.symbols.map_or_else(|| format!("symbol {number}"), |table| table.called(source, number))
    }
}

impl Entries for Words {
    fn entry(&self, source: &dyn ReadAt, number: u64, offset: u64) -> Result<Vec<Item>> {
        let value = self.shape.number_at(source, offset, self.width)?;
        let (name, text) = match self.kind {
            Kind::Buckets => (format!("hash bucket {number}"), self.called(source, value)),
            Kind::Chains => (format!("hash chain of {}", self.called(source, number)), self.called(source, value)),
            Kind::Hashes(first) => {
                (format!("hash of {}", self.called(source, first.saturating_add(number))), format!("{value:#x}"))
            }
            Kind::Bloom => (format!("hash filter {number}"), format!("{value:#x}")),
        };
        Ok(vec![Item::new(Class::Hash, offset, self.width, name, text)])
    }
}

/// Adds the table of `DT_HASH` at `offset`, whose words are `width` bytes wide; its size.
///
/// # Errors
/// [`crate::engine::Error::Malformed`] when the file ends before.
pub fn add_sysv(
    source: &dyn ReadAt,
    (shape, width): (Shape, u64),
    offset: u64,
    symbols: Option<SymbolTable>,
    layout: &mut Layout,
) -> Result<u64> {
    let fields = SYSV.map(|(name, _)| (name, width));
    for item in shape.items(source, offset, (Class::Hash, "hash table"), &fields, &plain)? {
        layout.add_item(item);
    }
    let buckets = shape.number_at(source, offset, width)?.saturating_mul(width);
    let chains = shape.number_at(source, offset.saturating_add(width), width)?.saturating_mul(width);
    let start = offset.saturating_add(2 * width);
    let words = |kind| Box::new(Words { shape, width, kind, symbols });
    layout.table(start, buckets, width, words(Kind::Buckets));
    layout.table(start.saturating_add(buckets), chains, width, words(Kind::Chains));
    Ok(buckets.saturating_add(chains).saturating_add(2 * width))
}

/// By what the end of a GNU hash table is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Until {
    /// It ends at this offset.
    End(u64),
    /// It ends with the hash of the last of so many symbols.
    Symbols(u64),
}

/// Adds the table of `DT_GNU_HASH` at `offset`; its size.
///
/// # Errors
/// As [`add_sysv`].
pub fn add_gnu(
    source: &dyn ReadAt,
    shape: Shape,
    offset: u64,
    (symbols, until): (Option<SymbolTable>, Until),
    layout: &mut Layout,
) -> Result<u64> {
    for item in shape.items(source, offset, (Class::Hash, "GNU hash table"), &GNU, &plain)? {
        layout.add_item(item);
    }
    let word = |at: u64| shape.number_at(source, offset.saturating_add(at), 4);
    let (buckets, first) = (word(0)?.saturating_mul(4), word(4)?);
    let bloom = word(8)?.saturating_mul(shape.address());
    let start = offset.saturating_add(16);
    let words = |width, kind| Box::new(Words { shape, width, kind, symbols });
    layout.table(start, bloom, shape.address(), words(shape.address(), Kind::Bloom));
    layout.table(start.saturating_add(bloom), buckets, 4, words(4, Kind::Buckets));
    let chains = start.saturating_add(bloom).saturating_add(buckets);
    let hashes = match until {
        Until::End(end) => end.saturating_sub(chains),
        Until::Symbols(count) => count.saturating_sub(first).saturating_mul(4),
    };
    layout.table(chains, hashes, 4, words(4, Kind::Hashes(first)));
    Ok(chains.saturating_add(hashes).saturating_sub(offset))
}
