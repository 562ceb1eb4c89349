//! What the dynamic section leads to: its string table and the symbol version records (Linux Standard Base, "Symbol
//! Versioning").

use super::{NeededVersion, Tables, VersionNeed};
use crate::engine::binary::Name;
use crate::engine::file::ReadAt;
use crate::engine::{Error, Result};
use goblin::elf::dynamic::{DT_STRSZ, DT_STRTAB, DT_VERDEF, DT_VERDEFNUM, DT_VERNEED, DT_VERNEEDNUM};

/// A longer string is taken as damage; run paths of a mebibyte load.
const LONGEST_NAME: u64 = 4 << 20;
/// More version records than this are taken as damage.
const MOST_RECORDS: u64 = 65_536;
/// `VER_FLG_BASE`: the record names the file, not a version.
const VER_FLG_BASE: u16 = 1;
/// `VER_FLG_WEAK`.
const VER_FLG_WEAK: u16 = 2;

/// The dynamic string table, read name by name.
pub struct StringTable<'a> {
    source: &'a dyn ReadAt,
    /// Its place in the file and its length; `None` when the file has none.
    pub range: Option<(u64, u64)>,
}

impl<'a> StringTable<'a> {
    /// The string table of `source`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when the dynamic section names a place that no segment loads.
    pub fn of(source: &'a dyn ReadAt, tables: &Tables) -> Result<Self> {
        let Some(address) = tables.dynamic_value(DT_STRTAB) else { return Ok(Self { source, range: None }) };
        let (offset, rest) = place(source, tables, address, "DT_STRTAB")?;
        let size = tables.dynamic_value(DT_STRSZ).unwrap_or(rest).min(rest);
        Ok(Self { source, range: Some((offset, size)) })
    }

    /// The string at `index`.
    ///
    /// # Errors
    /// [`Error::Malformed`] when it lies outside of the table or does not end.
    pub fn get(&self, index: u64) -> Result<Name> {
        let path = self.source.path();
        let Some((offset, size)) = self.range else {
            return Err(Error::malformed(path, 0, "a dynamic string table (DT_STRTAB), found none"));
        };
        let Some(rest) = size.checked_sub(index).filter(|&rest| rest > 0) else {
            return Err(Error::malformed(
                path,
                offset,
                format!("a string at {index:#x} of a table of {size:#x} bytes"),
            ));
        };
        let (mut text, mut at) = (Vec::new(), 0);
        while at < rest.min(LONGEST_NAME) {
            let chunk = self.source.bytes(offset + index + at, (rest - at).min(256))?;
            match chunk.iter().position(|byte| *byte == 0) {
                Some(end) => {
                    text.extend_from_slice(chunk.get(..end).unwrap_or_default());
                    return Ok(Name::new(text));
                }
                None => text.extend_from_slice(&chunk),
            }
            at += chunk.len() as u64;
        }
        Err(Error::malformed(path, offset + index, "a string that ends within its table"))
    }
}

/// Many names of one string table, which together may not be much longer than it.
///
/// In a garbled file of a mebibyte sixty thousand entries may all lead to one long string, and ask for gibibytes.
pub(super) struct Names<'s, 'a> {
    strings: &'s StringTable<'a>,
    left: u64,
}

impl<'a> StringTable<'a> {
    /// A reader of many names.
    pub(super) fn names(&self) -> Names<'_, 'a> {
        // Names share their endings, and version names are shared by libraries: hence room beyond the table's length.
        let size = self.range.map_or(0, |range| range.1.min(self.source.size()));
        Names { strings: self, left: size.saturating_mul(4).saturating_add(1 << 20) }
    }
}

impl Names<'_, '_> {
    /// The string at `index`.
    ///
    /// # Errors
    /// As [`StringTable::get`], and when the names read so far are far longer than their table.
    pub(super) fn get(&mut self, index: u64) -> Result<Name> {
        let name = self.strings.get(index)?;
        self.left = self.left.checked_sub(name.as_bytes().len() as u64).ok_or_else(|| {
            let (offset, size) = self.strings.range.unwrap_or_default();
            Error::malformed(
                self.strings.source.path(),
                offset,
                format!("names of {size} bytes or so in all, found far more"),
            )
        })?;
        Ok(name)
    }
}

/// The file offset of `address`, and how many bytes of its segment follow.
fn place(source: &dyn ReadAt, tables: &Tables, address: u64, tag: &str) -> Result<(u64, u64)> {
    tables.file_offset(address).ok_or_else(|| {
        let at = tables.dynamic_range.map_or(0, |(offset, _)| offset);
        Error::malformed(source.path(), at, format!("{tag} to lead into a loaded segment, found address {address:#x}"))
    })
}

fn half(bytes: &[u8], at: usize, is_big: bool) -> u16 {
    match bytes.get(at..at + 2) {
        Some(&[one, two]) if is_big => u16::from_be_bytes([one, two]),
        Some(&[one, two]) => u16::from_le_bytes([one, two]),
        _ => 0,
    }
}

fn word(bytes: &[u8], at: usize, is_big: bool) -> u32 {
    match bytes.get(at..at + 4) {
        Some(&[a, b, c, d]) if is_big => u32::from_be_bytes([a, b, c, d]),
        Some(&[a, b, c, d]) => u32::from_le_bytes([a, b, c, d]),
        _ => 0,
    }
}

/// The versions that the file asks of each library, in the file's order.
///
/// # Errors
/// [`Error::Malformed`] when a record lies outside of the file.
pub fn version_needs(source: &dyn ReadAt, tables: &Tables, strings: &StringTable<'_>) -> Result<Vec<VersionNeed>> {
    let mut strings = strings.names();
    let Some(address) = tables.dynamic_value(DT_VERNEED) else { return Ok(Vec::new()) };
    let count = tables.dynamic_value(DT_VERNEEDNUM).unwrap_or(0).min(MOST_RECORDS);
    let (mut at, _) = place(source, tables, address, "DT_VERNEED")?;
    let mut needs = Vec::new();
    let mut records = 0;
    for _ in 0..count {
        // Elf_Verneed: vn_version, vn_cnt, vn_file, vn_aux, vn_next.
        let record = source.bytes(at, 16)?;
        let library = strings.get(u64::from(word(&record, 4, tables.is_big)))?;
        let mut versions = Vec::new();
        let mut aux = at.saturating_add(u64::from(word(&record, 8, tables.is_big)));
        for _ in 0..half(&record, 2, tables.is_big) {
            records += 1;
            if records > MOST_RECORDS {
                return Err(Error::malformed(source.path(), at, format!("at most {MOST_RECORDS} needed versions")));
            }
            // Elf_Vernaux: vna_hash, vna_flags, vna_other, vna_name, vna_next.
            let entry = source.bytes(aux, 16)?;
            versions.push(NeededVersion {
                name: strings.get(u64::from(word(&entry, 8, tables.is_big)))?,
                index: half(&entry, 6, tables.is_big) & 0x7fff,
                weak: half(&entry, 4, tables.is_big) & VER_FLG_WEAK != 0,
            });
            match word(&entry, 12, tables.is_big) {
                0 => break,
                next => aux = aux.saturating_add(u64::from(next)),
            }
        }
        needs.push(VersionNeed { library, versions });
        match word(&record, 12, tables.is_big) {
            0 => break,
            next => at = at.saturating_add(u64::from(next)),
        }
    }
    Ok(needs)
}

/// The versions that the file offers, without the one that names the file itself.
///
/// # Errors
/// [`Error::Malformed`] when a record lies outside of the file.
pub fn version_definitions(source: &dyn ReadAt, tables: &Tables, strings: &StringTable<'_>) -> Result<Vec<Name>> {
    Ok(numbered_versions(source, tables, strings)?.into_iter().map(|(_, name)| name).collect())
}

/// The versions that the file offers, without the one that names the file itself, each with its index in `.gnu.version`.
///
/// # Errors
/// [`Error::Malformed`] when a record lies outside of the file.
pub fn numbered_versions(source: &dyn ReadAt, tables: &Tables, strings: &StringTable<'_>) -> Result<Vec<(u16, Name)>> {
    let mut strings = strings.names();
    let Some(address) = tables.dynamic_value(DT_VERDEF) else { return Ok(Vec::new()) };
    let count = tables.dynamic_value(DT_VERDEFNUM).unwrap_or(0).min(MOST_RECORDS);
    let (mut at, _) = place(source, tables, address, "DT_VERDEF")?;
    let mut definitions = Vec::new();
    for _ in 0..count {
        // Elf_Verdef: vd_version, vd_flags, vd_ndx, vd_cnt, vd_hash, vd_aux, vd_next.
        let record = source.bytes(at, 20)?;
        if half(&record, 2, tables.is_big) & VER_FLG_BASE == 0 {
            let aux = at.saturating_add(u64::from(word(&record, 12, tables.is_big)));
            let name = source.bytes(aux, 8)?;
            let index = half(&record, 4, tables.is_big) & 0x7fff;
            definitions.push((index, strings.get(u64::from(word(&name, 0, tables.is_big)))?));
        }
        match word(&record, 16, tables.is_big) {
            0 => break,
            next => at = at.saturating_add(u64::from(next)),
        }
    }
    Ok(definitions)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::file::MemoryBytes;

    #[test]
    fn many_names_that_lead_to_one_long_string_come_to_an_end() {
        let mut bytes = vec![b'x'; 60_000];
        bytes.push(0);
        let size = bytes.len() as u64;
        let source = MemoryBytes::new("memory".into(), bytes);
        let strings = StringTable { source: &source, range: Some((0, size)) };
        let mut names = strings.names();
        let read = (0..1000).take_while(|_| names.get(0).is_ok()).count();
        assert_eq!(read, 21, "four tables and a mebibyte");
        assert!(strings.get(0).is_ok(), "a single name has no such bound");
    }
}
