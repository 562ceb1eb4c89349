//! The symbol versions of one file by their numbers, as ld.so tabulates them when it loads it (glibc `elf/dl-version.c`):
//! those that it asks for and those that it defines share one numbering.

use super::Tables;
use super::dynamic::StringTable;
use crate::engine::Result;
use crate::engine::binary::record::Record;
use crate::engine::binary::{Endian, Name};
use crate::engine::file::ReadAt;
use goblin::elf::dynamic::{DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM};
use std::collections::BTreeMap;

/// The hidden bit of `.gnu.version` and `vna_other`.
pub const HIDDEN: u16 = 0x8000;
/// `VER_FLG_BASE`: the record names the file, not a version.
const VER_FLG_BASE: u16 = 1;
/// More version records than this are left unread.
const MOST_RECORDS: u64 = 65_536;

/// A version with a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NumberedVersion {
    /// Its name: `GLIBC_2.34`.
    pub name: Name,
    /// The hash that stands in the file; ld.so compares it before the name.
    pub hash: u32,
    /// Whether only the exact version will do (the hidden bit of `vna_other`).
    pub exact: bool,
    /// The library that it is asked of; `None` for one that the file defines.
    pub library: Option<Name>,
}

/// The versions of one file, by number.
#[derive(Debug, Clone, Default)]
pub struct VersionTable {
    versions: BTreeMap<u16, NumberedVersion>,
}

impl VersionTable {
    /// The versions of `source`, whose tables are `tables`.
    ///
    /// # Errors
    /// [`crate::engine::Error::Malformed`] when a record lies outside of the file.
    pub fn read(source: &dyn ReadAt, tables: &Tables) -> Result<Self> {
        let strings = StringTable::of(source, tables)?;
        let mut names = strings.names();
        let mut table = Self::default();
        let endian = if tables.is_big { Endian::Big } else { Endian::Little };
        let start =
            |tag| tables.dynamic_value(tag).and_then(|address| tables.file_offset(address)).map(|place| place.0);
        let mut left = MOST_RECORDS;
        let mut at = start(DT_VERNEED);
        for _ in 0..tables.dynamic_value(DT_VERNEEDNUM).unwrap_or(0).min(MOST_RECORDS) {
            let Some(place) = at else { break };
            // Elf_Verneed: vn_version, vn_cnt, vn_file, vn_aux, vn_next.
            let record = Record::read(source, place, 16, endian)?;
            let library = names.get(u64::from(record.word(4)?))?;
            let mut next = step(place, record.word(8)?);
            for _ in 0..record.half(2)? {
                let Some(place) = next.filter(|_| left > 0) else { break };
                left -= 1;
                // Elf_Vernaux: vna_hash, vna_flags, vna_other, vna_name, vna_next.
                let entry = Record::read(source, place, 16, endian)?;
                let number = entry.half(6)?;
                let version = NumberedVersion {
                    name: names.get(u64::from(entry.word(8)?))?,
                    hash: entry.word(0)?,
                    exact: number & HIDDEN != 0,
                    library: Some(library.clone()),
                };
                table.versions.insert(number & !HIDDEN, version);
                next = step(place, entry.word(12)?);
            }
            at = step(place, record.word(12)?);
        }
        at = start(DT_VERDEF);
        for _ in 0..tables.dynamic_value(DT_VERDEFNUM).unwrap_or(0).min(MOST_RECORDS) {
            let Some(place) = at else { break };
            // Elf_Verdef: vd_version, vd_flags, vd_ndx, vd_cnt, vd_hash, vd_aux, vd_next.
            let record = Record::read(source, place, 20, endian)?;
            // The base version stays without a hash, so that any reference may take its symbols.
            if record.half(2)? & VER_FLG_BASE == 0
                && let Some(aux) = step(place, record.word(12)?)
            {
                let name = names.get(u64::from(Record::read(source, aux, 8, endian)?.word(0)?))?;
                let version = NumberedVersion { name, hash: record.word(8)?, exact: false, library: None };
                table.versions.insert(record.half(4)? & !HIDDEN, version);
            }
            at = step(place, record.word(16)?);
        }
        Ok(table)
    }

    /// All versions with their numbers, by number.
    pub fn iter(&self) -> impl Iterator<Item = (u16, &NumberedVersion)> {
        self.versions.iter().map(|(number, version)| (*number, version))
    }

    /// The version of number `index`, hidden bit or not; `None` for local, base and unknown numbers.
    #[must_use]
    pub fn get(&self, index: u16) -> Option<&NumberedVersion> {
        self.versions.get(&(index & !HIDDEN))
    }
}

/// The record that lies `distance` bytes on; `None` for the last one.
fn step(at: u64, distance: u32) -> Option<u64> {
    if distance == 0 { None } else { at.checked_add(u64::from(distance)) }
}
