//! The version records of a file with their links, as far as an edit follows them: `.gnu.version_r`, `.gnu.version_d`.

use crate::engine::Result;
use crate::engine::file::ReadAt;
use crate::engine::repair::facts::Facts;
use goblin::elf::dynamic::{DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM};

/// More records than this are taken as damage.
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
    /// Bytes from this record to the first of its versions.
    pub aux: u32,
    /// The record as it is.
    pub bytes: Vec<u8>,
    /// The versions.
    pub versions: Vec<Version>,
}

/// The version records of a file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Records {
    /// What is needed, in the file's order.
    pub needs: Vec<Need>,
    /// The names of the versions that the file defines: indexes into the dynamic strings.
    pub definition_names: Vec<u32>,
}

impl Records {
    /// Reads them. What lies outside of the file is left out: then the file does not load either.
    pub fn read(facts: &Facts, source: &dyn ReadAt) -> Result<Self> {
        let mut records = Self::default();
        let place = |tag| facts.tables.dynamic_value(tag).and_then(|address| facts.tables.file_offset(address));
        let count = |tag| facts.tables.dynamic_value(tag).unwrap_or(0).min(MOST);
        let word = |bytes: &[u8], at: usize| facts.number(bytes, at, 4) as u32;
        let mut budget = MOST;
        if let Some((mut at, _)) = place(DT_VERNEED) {
            for _ in 0..count(DT_VERNEEDNUM) {
                // vn_version, vn_cnt, vn_file, vn_aux, vn_next (Linux Standard Base, "Symbol Versioning").
                let record = source.bytes(at, 16)?;
                let next = word(&record, 12);
                let (file, aux, count) = (word(&record, 4), word(&record, 8), facts.number(&record, 2, 2));
                let mut need = Need { offset: at, file, aux, bytes: record, versions: Vec::new() };
                let mut aux = at.saturating_add(u64::from(aux));
                for _ in 0..count {
                    budget = budget.saturating_sub(1);
                    if budget == 0 {
                        break;
                    }
                    // vna_hash, vna_flags, vna_other, vna_name, vna_next.
                    let entry = source.bytes(aux, 16)?;
                    let number = facts.number(&entry, 6, 2) as u16;
                    need.versions.push(Version { name: word(&entry, 8), number });
                    match word(&entry, 12) {
                        0 => break,
                        step => aux = aux.saturating_add(u64::from(step)),
                    }
                }
                records.needs.push(need);
                match next {
                    0 => break,
                    step => at = at.saturating_add(u64::from(step)),
                }
            }
        }
        if let Some((mut at, _)) = place(DT_VERDEF) {
            for _ in 0..count(DT_VERDEFNUM) {
                // vd_version, vd_flags, vd_ndx, vd_cnt, vd_hash, vd_aux, vd_next.
                let record = source.bytes(at, 20)?;
                let mut aux = at.saturating_add(u64::from(word(&record, 12)));
                for _ in 0..facts.number(&record, 6, 2) {
                    budget = budget.saturating_sub(1);
                    if budget == 0 {
                        break;
                    }
                    let entry = source.bytes(aux, 8)?;
                    records.definition_names.push(word(&entry, 0));
                    match word(&entry, 4) {
                        0 => break,
                        step => aux = aux.saturating_add(u64::from(step)),
                    }
                }
                match word(&record, 16) {
                    0 => break,
                    step => at = at.saturating_add(u64::from(step)),
                }
            }
        }
        Ok(records)
    }
}
