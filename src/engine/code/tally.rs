//! Counting the instructions beyond the baseline: by feature, and by the function that holds them.

use super::features::{BMI1, Feature, FeatureTable, WITH_BMI1, is_tzcnt};
use super::scan::Reader;
use super::stretches::Stretch;
use super::x86::{Decoded, decode};
use iced_x86::Instruction;
use std::collections::BTreeMap;

/// How many functions are named for each feature.
pub(super) const MOST_FUNCTIONS: usize = 20;
/// Code outside of functions is judged in blocks of so many bytes.
const BLOCK: usize = 4096;

/// Instructions of one kind in one function.
#[derive(Debug, Clone, Copy)]
pub(super) struct Tally {
    /// How many.
    pub(super) count: u64,
    /// The first of them.
    pub(super) first: Instruction,
}

impl Tally {
    fn one(first: &Instruction) -> Self {
        Self { count: 1, first: *first }
    }

    /// Adds `other`, which stands at higher addresses.
    pub(super) fn add(&mut self, other: &Self) {
        self.count += other.count;
    }
}

/// The use of one feature.
#[derive(Debug, Clone, Default)]
pub(super) struct Uses {
    /// The instructions.
    pub(super) instructions: u64,
    /// How many functions hold them.
    pub(super) functions: u64,
    /// The first [`MOST_FUNCTIONS`] of them, by number.
    pub(super) first: Vec<(usize, Tally)>,
    /// What stands outside of functions, by the number of the place.
    pub(super) elsewhere: BTreeMap<usize, Tally>,
}

/// What was counted in some code.
#[derive(Debug, Clone, Default)]
pub(super) struct Counted {
    /// How many instructions there are.
    pub(super) instructions: u64,
    /// How many bytes were read.
    pub(super) bytes: u64,
    /// How many of them are no instructions.
    pub(super) unknown: u64,
    /// The features.
    pub(super) features: BTreeMap<Feature, Uses>,
}

impl Counted {
    /// Adds `other`, which was counted at higher addresses.
    pub(super) fn add(&mut self, other: Self) {
        self.instructions += other.instructions;
        self.bytes += other.bytes;
        self.unknown += other.unknown;
        for (feature, uses) in other.features {
            let sum = self.features.entry(feature).or_default();
            sum.instructions += uses.instructions;
            sum.functions += uses.functions;
            let room = MOST_FUNCTIONS.saturating_sub(sum.first.len());
            sum.first.extend(uses.first.into_iter().take(room));
            for (place, tally) in uses.elsewhere {
                sum.elsewhere.entry(place).and_modify(|sum| sum.add(&tally)).or_insert(tally);
            }
        }
    }
}

/// What is counted of each function: a feature, or TZCNT, of which its function tells what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Kind {
    Feature(Feature),
    Tzcnt,
}

/// What stands in some bytes.
struct Stands {
    instructions: u64,
    /// Bytes that begin no instruction.
    unknown: u64,
    /// Bytes at the end that begin an instruction which goes on beyond.
    cut: u64,
}

/// Counts in one chunk.
pub(super) struct Counter<'a> {
    table: &'a FeatureTable,
    bits: u32,
    place: usize,
    instructions: u64,
    bytes: u64,
    unknown: u64,
    /// By the function's number; `None` for code outside of functions.
    found: BTreeMap<(Option<usize>, Kind), Tally>,
}

impl<'a> Counter<'a> {
    /// A counter for a chunk of place number `place`, whose code has `bits` bits.
    pub(super) fn new(table: &'a FeatureTable, bits: u32, place: usize) -> Self {
        Self { table, bits, place, instructions: 0, bytes: 0, unknown: 0, found: BTreeMap::new() }
    }

    /// Decodes `bytes` and returns how many it is done with, and what stands there.
    fn count(&self, bytes: &[u8], address: u64, ends: bool, found: &mut Vec<(Kind, Tally)>) -> (usize, Stands) {
        let (mut instructions, mut unknown, mut cut) = (0, 0, 0);
        let used = decode(self.bits, bytes, address, ends, &mut |decoded| match decoded {
            Decoded::Unknown => unknown += 1,
            Decoded::Cut(bytes) => cut = bytes,
            Decoded::Instruction(instruction) => {
                instructions += 1;
                let tzcnt = is_tzcnt(instruction.code()).then_some(Kind::Tzcnt);
                for kind in self.table.of(instruction).map(Kind::Feature).chain(tzcnt) {
                    match found.iter_mut().find(|(seen, _)| *seen == kind) {
                        Some((_, tally)) => tally.count += 1,
                        None => found.push((kind, Tally::one(instruction))),
                    }
                }
            }
        });
        (used, Stands { instructions, unknown, cut })
    }

    fn keep(&mut self, owner: Option<usize>, found: Vec<(Kind, Tally)>) {
        for (kind, tally) in found {
            self.found.entry((owner, kind)).and_modify(|sum| sum.add(&tally)).or_insert(tally);
        }
    }
}

impl Reader for Counter<'_> {
    type Found = Counted;

    /// Between functions lie padding and tables. A block there that holds a byte which begins no instruction is taken for a
    /// table: its bytes count as unknown, and what they would mean as instructions does not count.
    fn read(&mut self, stretch: &Stretch, address: u64, bytes: &[u8]) -> usize {
        let bytes = if stretch.owner.is_none() { bytes.get(..BLOCK).unwrap_or(bytes) } else { bytes };
        let ends = address.saturating_add(bytes.len() as u64) == stretch.end;
        let mut found = Vec::new();
        let (used, stands) = self.count(bytes, address, ends, &mut found);
        let is_table = stretch.owner.is_none() && stands.unknown > 0;
        self.bytes += used as u64;
        self.unknown += if is_table { used as u64 } else { stands.unknown + stands.cut };
        if !is_table {
            self.instructions += stands.instructions;
            self.keep(stretch.owner, found);
        }
        used
    }

    fn found(self) -> Counted {
        let mut counted = Counted {
            instructions: self.instructions,
            bytes: self.bytes,
            unknown: self.unknown,
            features: BTreeMap::new(),
        };
        let mut found = self.found.clone();
        for ((owner, kind), tally) in self.found {
            let has = |feature: &Feature| found.contains_key(&(owner, Kind::Feature(*feature)));
            if kind == Kind::Tzcnt && WITH_BMI1.iter().any(has) {
                let merged = |sum: &mut Tally| {
                    sum.count += tally.count;
                    if tally.first.ip() < sum.first.ip() {
                        sum.first = tally.first;
                    }
                };
                found.entry((owner, Kind::Feature(BMI1))).and_modify(merged).or_insert(tally);
            }
        }
        for ((owner, kind), tally) in found {
            let Kind::Feature(feature) = kind else { continue };
            let uses = counted.features.entry(feature).or_default();
            uses.instructions += tally.count;
            match owner {
                None => {
                    uses.elsewhere.insert(self.place, tally);
                }
                Some(owner) => {
                    uses.functions += 1;
                    if uses.first.len() < MOST_FUNCTIONS {
                        uses.first.push((owner, tally));
                    }
                }
            }
        }
        counted
    }
}
