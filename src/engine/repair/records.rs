//! The version records of a file with their links, as far as an edit follows them: `.gnu.version_r`, `.gnu.version_d`.

use super::facts::Facts;
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use goblin::elf::dynamic::{DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM};

/// More records than this are taken as damage, and are not read.
const MOST: u64 = 65_536;

/// A needed version (`Elf_Vernaux`).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Version {
    /// Its name: an index into the dynamic strings.
    pub name: u32,
    /// Its number in `.gnu.version`.
    pub number: u16,
}

/// The versions needed of one library (`Elf_Verneed`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Need {
    /// Where the record stands in the file.
    pub offset: u64,
    /// The library: an index into the dynamic strings.
    pub file: u32,
    /// The library.
    pub library: Name,
    /// Bytes from this record to the first of its versions.
    pub aux: u32,
    /// The record as it is.
    pub bytes: Vec<u8>,
    /// The versions.
    pub versions: Vec<Version>,
}

/// The length of a record that names a library, in bytes.
pub(super) const NEED: u64 = 16;

/// The version records of a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Records {
    /// What is needed, in the file's order.
    pub needs: Vec<Need>,
    /// The names of the versions that the file defines: indexes into the dynamic strings.
    pub definition_names: Vec<u32>,
    /// Whether that is all of them.
    pub complete: bool,
}

impl Default for Records {
    fn default() -> Self {
        Self { needs: Vec::new(), definition_names: Vec::new(), complete: true }
    }
}

impl Records {
    /// Reads them from `source`, of which `facts` tells all else.
    pub fn read(facts: &Facts, source: &dyn ReadAt) -> Result<Self> {
        let mut walk = Walk { facts, source, left: MOST };
        let mut records = Self::default();
        // vn_version, vn_cnt, vn_file, vn_aux, vn_next; vna_hash, vna_flags, vna_other, vna_name, vna_next (Linux Standard Base,
        // "Symbol Versioning").
        for (offset, bytes) in walk.table(DT_VERNEED, DT_VERNEEDNUM, NEED, 12)? {
            let (file, aux) = (facts.word(&bytes, 4), facts.word(&bytes, 8));
            let library = facts.string(source, u64::from(file))?;
            let entries = walk.chain(offset.saturating_add(u64::from(aux)), facts.number(&bytes, 2, 2), 16, 12)?;
            let version = |(_, entry): &(u64, Vec<u8>)| Version {
                name: facts.word(entry, 8),
                number: facts.number(entry, 6, 2) as u16,
            };
            let versions = entries.iter().map(version).collect();
            records.needs.push(Need { offset, file, library, aux, bytes, versions });
        }
        // vd_version, vd_flags, vd_ndx, vd_cnt, vd_hash, vd_aux, vd_next; vda_name, vda_next.
        for (offset, bytes) in walk.table(DT_VERDEF, DT_VERDEFNUM, 20, 16)? {
            let start = offset.saturating_add(u64::from(facts.word(&bytes, 12)));
            let entries = walk.chain(start, facts.number(&bytes, 6, 2), 8, 4)?;
            records.definition_names.extend(entries.iter().map(|(_, entry)| facts.word(entry, 0)));
        }
        records.complete = walk.left > 0;
        Ok(records)
    }
}

/// Records that lead to each other, as many as there may be.
struct Walk<'a> {
    facts: &'a Facts,
    source: &'a dyn ReadAt,
    left: u64,
}

impl Walk<'_> {
    /// The records of the table that dynamic entry `tag` leads to and that `number` counts.
    fn table(&mut self, tag: u64, number: u64, size: u64, next_at: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        let Some(address) = self.facts.tables.dynamic_value(tag) else { return Ok(Vec::new()) };
        let Some((start, _)) = self.facts.tables.file_offset(address) else {
            let what = format!("version records inside of a loaded segment, found them at {address:#x}");
            return Err(Error::malformed(self.source.path(), self.facts.dynamic.0, what));
        };
        self.chain(start, self.facts.tables.dynamic_value(number).unwrap_or(0), size, next_at)
    }

    /// At most `count` records of `size` bytes from file offset `start` on, with their offsets; each says at `next_at` how far
    /// the next one is.
    fn chain(&mut self, start: u64, count: u64, size: u64, next_at: usize) -> Result<Vec<(u64, Vec<u8>)>> {
        let (mut at, mut found) = (start, Vec::new());
        for _ in 0..count {
            self.left = self.left.saturating_sub(1);
            if self.left == 0 {
                break;
            }
            let bytes = self.source.bytes(at, size)?;
            let step = self.facts.word(&bytes, next_at);
            found.push((at, bytes));
            if step == 0 {
                break;
            }
            at = at.saturating_add(u64::from(step));
        }
        Ok(found)
    }
}
